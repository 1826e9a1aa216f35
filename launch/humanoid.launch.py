# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Bring the robot up: five nodes, and the supervisor that manages their lifecycle.

    ros2 launch vla_bringup humanoid.launch.py instruction:="wave with your left hand"
    ros2 launch vla_bringup humanoid.launch.py --show-args

The defaults are the simulated robot. The launch file does not drive the lifecycle: the supervisor
activates itself, configures and activates the others, and decides when the robot may move.
"""

import difflib
import os
import shutil
from importlib.util import find_spec

from launch.actions import DeclareLaunchArgument, ExecuteProcess, LogInfo, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription
from vla_camera.sources import SOURCES
from vla_common.domains import domain_of_this_process, take_domain
from vla_common.errors import ConfigError
from vla_common.yaml_file import load_yaml
from vla_hardware.drivers import DRIVERS

TRUTH = ['true', 'false']
FIRST = 'wave with your left hand'
# name, default, choices, description
ARGUMENTS = [
    (
        'robot',
        'humanoid32',
        None,
        'Robot: a name in vla_robot/robots, or the path of a robot directory.',
    ),
    (
        'driver',
        'mujoco',
        list(DRIVERS.names()),
        'Driver: mujoco is the simulated robot, mock a joint model without physics.',
    ),
    (
        'camera',
        'mujoco',
        list(SOURCES.names()),
        'Camera source: mujoco is the simulated camera, replay a recording.',
    ),
    ('camera_path', 'none', None, 'camera:=replay: a folder of images, or a video file.'),
    (
        'camera_device',
        'none',
        None,
        'camera:=usb: index or path of the device; realsense: serial number. none: the first.',
    ),
    (
        'policy',
        'humanoid_vla',
        None,
        'Policy: a name in models/, a bundle directory, or a policy server, ws://host:port. '
        '"scripted" needs no model.',
    ),
    (
        'instruction',
        'auto',
        None,
        'Executed once, when the robot is first READY. none: wait for /vla/run_instruction. '
        f'auto: "{FIRST}"; with auto_arm:=false none, so that arming does not start motion.',
    ),
    ('time_limit', '20.0', None, 'Time limit (s) of an instruction without its own.'),
    (
        'stage',
        'sim',
        ['sim', 'slow', 'fast'],
        'Deployment stage, which scales the speed: sim 1.0, slow 0.25, fast 1.0.',
    ),
    ('control_frequency', '100.0', None, 'Rate of the safety filter (Hz).'),
    ('scene', 'none', None, 'Simulated scene: a JSON file. none: the default table and cubes.'),
    (
        'auto_arm',
        'true',
        TRUTH,
        'Arm automatically at the first bring-up. false: the operator arms with '
        '"ros2 run vla_supervisor command arm".',
    ),
    ('respawn', 'true', TRUTH, 'Restart a node that died. Motion never resumes automatically.'),
    ('headless', 'true', TRUTH, 'false: also start rviz2 with config/humanoid.rviz.'),
    ('params_file', 'none', None, 'A ROS parameter file whose values override those in config/.'),
    ('log_level', 'info', ['debug', 'info', 'warn', 'error'], 'Log level of all nodes.'),
]

# node (and executable) name: package
NODES = {
    'hardware_driver': 'vla_hardware',
    'balance_monitor': 'vla_balance',
    'camera': 'vla_camera',
    'safety_filter': 'vla_safety',
    'inference': 'vla_inference',
    'supervisor': 'vla_supervisor',
}

# Nodes with images use shared memory; the control path uses UDP only (see config/fastdds.xml).
WITH_IMAGES = ('camera', 'inference')

# The driver brings the robot to rest before it ends (at most 4.5 s): launch must wait for it.
SECONDS_TO_STOP = '6.0'


def generate_launch_description() -> LaunchDescription:
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description, choices=choices)
        for name, default, choices, description in ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=bring_up)])


def bring_up(context: LaunchContext) -> list:
    """Return the actions for the given arguments."""
    given = {name: LaunchConfiguration(name).perform(context) for name, *_ in ARGUMENTS}
    # ros2 launch refuses an empty value on its command line: 'none' stands for it.
    given = {name: '' if value == 'none' else value for name, value in given.items()}
    share = FindPackageShare('vla_bringup').perform(context)
    if given['camera'] == 'mujoco' and given['driver'] != 'mujoco':
        found = f'mujoco, with driver:={given["driver"]}, which simulates no scene'
        raise ConfigError('launch arguments', 'camera', found, 'replay, usb or realsense')

    def number(name: str) -> float:
        try:
            return float(given[name])
        except ValueError:
            raise ConfigError('launch arguments', name, given[name], 'a number') from None

    parameters: dict[str, dict] = {
        'hardware_driver': {'driver': given['driver'], 'sim.scene': given['scene']},
        'balance_monitor': {},
        'camera': {
            'source': given['camera'],
            'path': given['camera_path'],
            'device': given['camera_device'],
        },
        'safety_filter': {
            'stage': given['stage'],
            'control_frequency': number('control_frequency'),
        },
        'inference': {
            'policy': given['policy'],
            'instruction': given['instruction'],
            'time_limit': number('time_limit'),
        },
        'supervisor': {'auto_arm': given['auto_arm'] == 'true'},
    }
    if given['instruction'] == 'auto':
        armed = parameters['supervisor']['auto_arm']
        parameters['inference']['instruction'] = FIRST if armed else ''
    take_domain(domain_of_this_process())
    overrides = []
    if given['params_file']:
        overrides = [checked(os.path.abspath(given['params_file']))]

    nodes = {
        name: LifecycleNode(
            package=package,
            executable=name,
            name=name,
            namespace='',
            output='both',
            parameters=[
                checked(os.path.join(share, 'config', f'{name}.yaml')),
                {'robot': given['robot'], **parameters[name]},
                *overrides,
            ],
            # A node logs to the screen and to launch's log. With a log file of its own it would
            # wait for the disk during a control cycle.
            ros_arguments=['--log-level', given['log_level'], '--disable-external-lib-logs'],
            respawn=given['respawn'] == 'true',
            respawn_delay=1.0,
            additional_env=transport(share) if name in WITH_IMAGES else {},
            sigterm_timeout=SECONDS_TO_STOP,
        )
        for name, package in NODES.items()
    }
    actions: list = [*misspelt(context), *nodes.values()]
    if given['headless'] == 'false':
        actions += viewer(os.path.join(share, 'config', 'humanoid.rviz'))
    return actions


def misspelt(context: LaunchContext) -> list:
    """Return a warning for each undeclared argument: ros2 launch accepts every name."""
    known = [name for name, *_ in ARGUMENTS]
    warnings = []
    for name in context.launch_configurations:
        near = difflib.get_close_matches(name, known, n=1)
        if name not in known and near:
            warnings.append(LogInfo(msg=f'{name}:= is not an argument; did you mean {near[0]}:=?'))
    return warnings


def transport(share: str) -> dict[str, str]:
    """Return the environment of a process with images; a user's own profile is kept."""
    ours = os.path.join('config', 'fastdds.xml')
    if not os.environ.get('FASTDDS_DEFAULT_PROFILES_FILE', ours).endswith(ours):
        return {}
    profile = os.path.join(share, 'config', 'fastdds_images.xml')
    # Fast DDS 2 reads the old name, Fast DDS 3 the new one.
    return {'FASTRTPS_DEFAULT_PROFILES_FILE': profile, 'FASTDDS_DEFAULT_PROFILES_FILE': profile}


def checked(file: str) -> str:
    """Return the path of a ROS parameter file, checked.

    rcl would end each node with a message that names neither the line nor the expected value.
    """
    for node, content in load_yaml(file).items():
        if not isinstance(content, dict) or not isinstance(content.get('ros__parameters'), dict):
            raise ConfigError(file, node, content, 'ros__parameters: and the values under it')
    return file


def viewer(configuration: str) -> list:
    """Return rviz2, or a log line where it is not installed: the robot runs without it."""
    if shutil.which('rviz2') is None:
        return [LogInfo(msg='headless:=false, but rviz2 is not installed; continuing without it.')]
    actions = [ExecuteProcess(cmd=['rviz2', '-d', configuration], output='log', name='rviz2')]
    if find_spec('tf2_msgs') is not None:
        actions.append(Node(package='vla_hardware', executable='state_publisher', output='log'))
    return actions

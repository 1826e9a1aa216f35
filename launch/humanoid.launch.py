# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Bring the robot up: five nodes, and the supervisor that takes them through their lifecycle.

    ros2 launch vla_bringup humanoid.launch.py instruction:="wave with your left hand"
    ros2 launch vla_bringup humanoid.launch.py --show-args

The defaults are the simulated robot. Nothing of the lifecycle is driven from here: the supervisor
activates itself, configures and activates the others, and decides when anything may move.
"""

from __future__ import annotations

import difflib
import os
import shutil
from importlib.util import find_spec

from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    LogInfo,
    OpaqueFunction,
)
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription
from vla_common.domains import domain_of_this_process, take_domain
from vla_common.errors import ConfigError
from vla_common.yaml_file import load_yaml

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
        ['mujoco', 'mock'],
        'What moves: the simulated robot, or a joint model without physics.',
    ),
    (
        'camera',
        'mujoco',
        ['mujoco', 'replay', 'usb', 'realsense'],
        'Where images come from.',
    ),
    (
        'camera_path',
        'none',
        None,
        'camera:=replay: a folder of images, or a video file.',
    ),
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
        'Carried out once, when the robot is first READY. none: wait for /vla/run_instruction. '
        f'auto: "{FIRST}", but with auto_arm:=false none, so that arming moves nothing.',
    ),
    (
        'time_limit',
        '20.0',
        None,
        'Seconds after which an instruction without a limit of its own ends.',
    ),
    (
        'stage',
        'sim',
        ['sim', 'slow', 'fast'],
        'Deployment stage; scales the speed: sim 1.0, slow 0.25, fast 1.0.',
    ),
    (
        'control_frequency',
        '100.0',
        None,
        'Rate of the safety filter in Hz.',
    ),
    (
        'scene',
        'none',
        None,
        'Simulated scene: a JSON file. none: the default table and cubes.',
    ),
    (
        'auto_arm',
        'true',
        TRUTH,
        'Arm by itself at the first bring-up. false: "ros2 run vla_supervisor command arm" does.',
    ),
    (
        'respawn',
        'true',
        TRUTH,
        'Start a node that died again. Motion never resumes by itself.',
    ),
    (
        'headless',
        'true',
        TRUTH,
        'false: also start rviz2 with config/humanoid.rviz.',
    ),
    (
        'params_file',
        'none',
        None,
        'A ROS parameter file whose values come after those in config/.',
    ),
    (
        'log_level',
        'info',
        ['debug', 'info', 'warn', 'error'],
        'Log level of all nodes.',
    ),
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

# They pass images on: shared memory, where the control path keeps to UDP (see config/fastdds.xml).
WITH_IMAGES = ('camera', 'inference')

# The driver brings the robot to rest before it ends (at most 4.5 s): launch must not hurry it.
SECONDS_TO_STOP = '6.0'


def generate_launch_description() -> LaunchDescription:
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description, choices=choices)
        for name, default, choices, description in ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=bring_up)])


def bring_up(context: LaunchContext) -> list:
    """Return the actions for the arguments given; here they are plain texts."""
    given = {name: LaunchConfiguration(name).perform(context) for name, *_ in ARGUMENTS}
    # ros2 launch refuses an empty value on its command line: 'none' stands for it.
    given = {name: '' if value == 'none' else value for name, value in given.items()}
    share = FindPackageShare('vla_bringup').perform(context)
    if given['camera'] == 'mujoco' and given['driver'] != 'mujoco':
        found = f'mujoco, with driver:={given["driver"]} that simulates no scene'
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
            # What a node says goes to the screen and to launch's log. A log file of its own would
            # have it wait for the disk, in the middle of a control cycle.
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
    """Return a warning for each argument nobody declared: ros2 launch takes any name silently."""
    known = [name for name, *_ in ARGUMENTS]
    warnings = []
    for name in context.launch_configurations:
        near = difflib.get_close_matches(name, known, n=1)
        if name not in known and near:
            warnings.append(LogInfo(msg=f'{name}:= is no argument here; is {near[0]}:= meant?'))
    return warnings


def transport(share: str) -> dict[str, str]:
    """Return the environment of a process that passes images on; a user's own profile is left."""
    ours = os.path.join('config', 'fastdds.xml')
    if not os.environ.get('FASTDDS_DEFAULT_PROFILES_FILE', ours).endswith(ours):
        return {}
    profile = os.path.join(share, 'config', 'fastdds_images.xml')
    # Fast DDS 2 reads the old name, Fast DDS 3 the new one.
    return {'FASTRTPS_DEFAULT_PROFILES_FILE': profile, 'FASTDDS_DEFAULT_PROFILES_FILE': profile}


def checked(file: str) -> str:
    """Return the path of a ROS parameter file that can be read.

    rcl would end each node with a message that names neither the line nor what it wanted.
    """
    for node, content in load_yaml(file).items():
        if not isinstance(content, dict) or not isinstance(content.get('ros__parameters'), dict):
            raise ConfigError(file, node, content, 'ros__parameters: and the values under it')
    return file


def viewer(configuration: str) -> list:
    """Return rviz2, or where it is not installed a line that says so: the robot runs without it."""
    if shutil.which('rviz2') is None:
        return [LogInfo(msg='headless:=false, but rviz2 is not installed; going on without it.')]
    actions = [ExecuteProcess(cmd=['rviz2', '-d', configuration], output='log', name='rviz2')]
    if find_spec('tf2_msgs') is not None:
        actions.append(Node(package='vla_hardware', executable='state_publisher', output='log'))
    return actions

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Bring the robot up: five nodes, the supervisor that takes them through their lifecycle, a policy.

    ros2 launch vla_bringup humanoid.launch.py instruction:="wave with your left hand"
    ros2 launch vla_bringup humanoid.launch.py --show-args

The defaults are the simulated robot. Only the supervisor's lifecycle is driven from here; it
configures and activates the others, and decides when anything may move.
"""

from __future__ import annotations

import os
import shutil

from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.event_handlers import OnProcessStart
from launch.events import matches_action
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from launch_ros.substitutions import FindPackageShare
from lifecycle_msgs.msg import Transition

from launch import LaunchContext, LaunchDescription
from vla_common.errors import ConfigError
from vla_common.yaml_file import load_yaml

TRUTH = ['true', 'false']
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
        '',
        None,
        'camera:=replay: a folder of images, or a video file.',
    ),
    (
        'camera_device',
        '',
        None,
        'camera:=usb: index or path of the device; realsense: serial number. Empty: the first.',
    ),
    (
        'policy',
        'humanoid_vla',
        None,
        'Policy bundle: a name in models/, or a bundle directory. "scripted" needs no model.',
    ),
    (
        'instruction',
        'wave with your left hand',
        None,
        'Carried out once, when the robot is first READY. Empty: wait for /vla/run_instruction.',
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
        '',
        None,
        'Simulated scene: a JSON file. Empty: the default table and cubes.',
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
        '',
        None,
        'A ROS parameter file whose values come after those in config/. Empty: none.',
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
    share = FindPackageShare('vla_bringup').perform(context)

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
    overrides = []
    if given['params_file']:
        overrides = [checked(os.path.abspath(given['params_file']))]

    nodes = {
        name: LifecycleNode(
            package=package,
            executable=name,
            name=name,
            namespace='',
            output='screen',
            parameters=[
                checked(os.path.join(share, 'config', f'{name}.yaml')),
                {'robot': given['robot'], **parameters[name]},
                *overrides,
            ],
            ros_arguments=['--log-level', given['log_level']],
            respawn=given['respawn'] == 'true',
            respawn_delay=1.0,
            sigterm_timeout=SECONDS_TO_STOP,
        )
        for name, package in NODES.items()
    }
    actions: list = list(nodes.values())
    actions += lifecycle_of(nodes['supervisor'])
    if given['headless'] == 'false':
        actions += viewer(os.path.join(share, 'config', 'humanoid.rviz'))
    return actions


def checked(file: str) -> str:
    """Return the path of a ROS parameter file that can be read.

    rcl would end each node with a message that names neither the line nor what it wanted.
    """
    for node, content in load_yaml(file).items():
        if not isinstance(content, dict) or not isinstance(content.get('ros__parameters'), dict):
            raise ConfigError(file, node, content, 'ros__parameters: and the values under it')
    return file


def lifecycle_of(supervisor: LifecycleNode) -> list:
    """Return what takes the supervisor to active, each time its process starts."""

    def ask(transition: int) -> EmitEvent:
        return EmitEvent(
            event=ChangeState(
                lifecycle_node_matcher=matches_action(supervisor), transition_id=transition
            )
        )

    return [
        RegisterEventHandler(
            OnProcessStart(
                target_action=supervisor, on_start=[ask(Transition.TRANSITION_CONFIGURE)]
            )
        ),
        RegisterEventHandler(
            OnStateTransition(
                target_lifecycle_node=supervisor,
                start_state='configuring',
                goal_state='inactive',
                entities=[ask(Transition.TRANSITION_ACTIVATE)],
            )
        ),
    ]


def viewer(configuration: str) -> list:
    """Return rviz2, or where it is not installed a line that says so: the robot runs without it."""
    if shutil.which('rviz2') is None:
        return [LogInfo(msg='headless:=false, but rviz2 is not installed; going on without it.')]
    return [ExecuteProcess(cmd=['rviz2', '-d', configuration], output='log', name='rviz2')]

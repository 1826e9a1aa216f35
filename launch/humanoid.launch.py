# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Bring the robot up: five nodes, the supervisor that manages their lifecycle, and the recorder.

    ros2 launch vla_bringup humanoid.launch.py instruction:="wave with your left hand"
    ros2 launch vla_bringup humanoid.launch.py --show-args

The defaults are the simulated robot. The launch file does not drive the lifecycle: the supervisor
activates itself, configures and activates the others, and decides when the robot may move.
"""

import difflib
import json
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    LogInfo,
    OpaqueFunction,
    TimerAction,
)
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription
from launch import logging as launch_logging
from vla_camera.launch_argument import Cameras
from vla_camera.sources import SOURCES
from vla_common.cameras import CAMERA, executable_of, is_camera_node
from vla_common.domains import domain_of_this_process, take_domain
from vla_common.environment import check_environment
from vla_common.errors import ConfigError
from vla_common.parameter_files import (
    DEFAULT,
    NODES,
    Setting,
    effective,
    plain_values,
    write_node_file,
)
from vla_common.parameters import ParameterSchema, argument_value
from vla_common.preflight_record import configuration_digest
from vla_common.process import LAUNCH, launch_id
from vla_hardware.drivers import DRIVERS
from vla_policy.bundle.resolve_bundle import installed_models, is_address, locate_bundle
from vla_robot.directory import has_feet, names_frame

TRUTH = ['true', 'false']
FIRST = 'wave with your left hand'
FIRST_OF_ARM = 'wave with the hand'
NO_HAND = 'argument instruction:=auto, for a robot without left_hand or hand'
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
    (
        'cameras',
        'none',
        None,
        'Several cameras, each a process: NAME:SOURCE:DEVICE, … with SOURCE as camera:=; NAME '
        'alone takes its source from robot.yaml. robot: all of robot.yaml. none: one, camera:=.',
    ),
    ('camera_path', 'none', None, 'camera:=replay: a folder of images, or a video file.'),
    (
        'camera_device',
        'none',
        None,
        'camera:=v4l2: by-id/NAME; topic: its name; realsense: serial number. none: the first.',
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
        f'auto: "{FIRST}", of an arm "{FIRST_OF_ARM}"; none for a robot without left_hand or hand, '
        'and with auto_arm:=false, so that arming does not start motion.',
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
    (
        'respawn',
        'true',
        TRUTH,
        'Restart a node that died, unless a signal of the operator ended it (Ctrl-C, SIGTERM). '
        'Motion never resumes automatically.',
    ),
    (
        'record',
        'false',
        TRUTH,
        'true: also start the recorder; a session in ~/vla_sessions (config/recorder.yaml).',
    ),
    (
        'dashboard',
        'false',
        TRUTH,
        "true: also serve the operator's page, http://127.0.0.1:8600/ (config/dashboard.yaml).",
    ),
    (
        'monitor',
        'auto',
        ['auto', *TRUTH],
        'true: also publish /tf, /tf_static and /diagnostics_agg (config/monitor.yaml), for rviz, '
        'rqt and Foxglove anywhere. auto: with rviz, headless:=false.',
    ),
    ('headless', 'true', TRUTH, 'false: also start rviz2 with config/humanoid.rviz.'),
    ('params_file', 'none', None, 'A ROS parameter file whose values override those in config/.'),
    ('log_level', 'info', ['debug', 'info', 'warn', 'error'], 'Log level of all nodes.'),
    (
        'show_config',
        'false',
        TRUTH,
        'true: print every parameter with its value and where that comes from, and start nothing.',
    ),
]

# argument: the parameter that it sets, when it is given. The values of config/ are the defaults
# above (a test compares), and params_file overrides them.
PARAMETERS = {
    'driver': ('hardware_driver', 'driver'),
    'scene': ('hardware_driver', 'sim.scene'),
    'camera': ('camera', 'source'),
    'camera_path': ('camera', 'path'),
    'camera_device': ('camera', 'device'),
    'stage': ('safety_filter', 'stage'),
    'control_frequency': ('safety_filter', 'control_frequency'),
    'policy': ('inference', 'policy'),
    'instruction': ('inference', 'instruction'),
    'time_limit': ('inference', 'time_limit'),
    'auto_arm': ('supervisor', 'auto_arm'),
}

# Nodes with images use shared memory; the control path uses UDP only (see config/fastdds.xml).
WITH_IMAGES = (CAMERA, 'inference', 'recorder', 'dashboard')

# Return codes of a node that an operator ended: after a signal a node ends in order, with 0; before
# it handles signals, while it still imports, by the signal itself.
ENDED_BY_OPERATOR = (0, -signal.SIGINT, -signal.SIGTERM, -signal.SIGHUP)
RESPAWN_DELAY = 1.0

# The driver brings the robot to rest before it ends (at most 4.5 s): launch must wait for it.
SECONDS_TO_STOP = '6.0'


def generate_launch_description(own: Mapping[str, str] | None = None) -> LaunchDescription:
    """own: defaults of another launch file, by argument, instead of those of ARGUMENTS."""
    own = own or {}
    given: set[str] = set()

    def note_given(context: LaunchContext) -> None:
        """Before the defaults are set: only an argument that is given overrides a file."""
        given.update(context.launch_configurations)

    declared = [
        DeclareLaunchArgument(
            name, default_value=own.get(name, default), description=description, choices=choices
        )
        for name, default, choices, description in ARGUMENTS
    ]
    return LaunchDescription(
        [
            OpaqueFunction(function=note_given),
            *declared,
            OpaqueFunction(function=bring_up, args=[given, own]),
        ]
    )


def bring_up(context: LaunchContext, given: set[str], own: Mapping[str, str]) -> list:
    """Return the actions for the arguments, of which `given` are not defaults."""
    arguments = {name: LaunchConfiguration(name).perform(context) for name, *_ in ARGUMENTS}
    arguments = without_none(arguments)
    check_environment(os.environ)
    warnings = misspelt(context, given)
    share = FindPackageShare('vla_bringup').perform(context)
    parameters = read_parameters(arguments, given, os.path.join(share, 'config'), own)
    robot = parameters['hardware_driver']['robot'].value
    if leave_out_unused(parameters):
        text = f'{robot} has no feet (robot.yaml: frames): no balance monitor is started'
        warnings.append(LogInfo(msg=text))
    note_for_supervisor(parameters)
    folder = Path(launch_logging.launch_config.log_dir) / 'parameters'
    if arguments['record'] == 'true':
        note_for_recorder(parameters, folder)
    else:
        del parameters['recorder']
    if arguments['dashboard'] != 'true':
        del parameters['dashboard']
    watched = arguments['monitor'] == 'auto' and arguments['headless'] == 'false'
    if arguments['monitor'] != 'true' and not watched:
        del parameters['monitor']
    if parameters['inference']['instruction'].place == NO_HAND:
        warnings.append(
            LogInfo(msg=f'{robot} has no left_hand or hand: it waits for an instruction')
        )
    if arguments['show_config'] == 'true':
        print('\n'.join(description(arguments, given, share, parameters)), flush=True)
        return warnings
    take_domain(domain_of_this_process())

    launched = {LAUNCH: launch_id()}
    nodes = []
    for name, settings in parameters.items():
        write_node_file(folder / f'{name}.yaml', name, settings)
        executable = executable_of(name)
        nodes.append(
            LifecycleNode(
                package=NODES[executable],
                executable=executable,
                name=name,
                namespace='',
                output='both',
                parameters=[str(folder / f'{name}.yaml')],
                # A node logs to the screen and to launch's log. With a log file of its own it
                # would wait for the disk during a control cycle.
                ros_arguments=[
                    *('--log-level', arguments['log_level']),
                    '--disable-external-lib-logs',
                ],
                on_exit=start_again(name) if arguments['respawn'] == 'true' else None,
                additional_env=launched | (transport(share) if executable in WITH_IMAGES else {}),
                sigterm_timeout=SECONDS_TO_STOP,
            )
        )
    actions: list = [*warnings, *nodes]
    if arguments['headless'] == 'false':
        actions += viewer(os.path.join(share, 'config', 'humanoid.rviz'))
    return actions


def start_again(name: str) -> Callable[[ProcessExited, LaunchContext], list | None]:
    """What follows the exit of a node: the same command again, unless an operator ended it.

    launch's own `respawn` starts it whatever ended it. Where Ctrl-C reaches the nodes but not the
    launch (started in the background of a script, it ignores SIGINT), the robot would come back.
    """

    def on_exit(event: ProcessExited, context: LaunchContext) -> list | None:
        if context.is_shutdown:
            return None
        if event.returncode in ENDED_BY_OPERATOR:
            return [LogInfo(msg=f'{name} was ended by a signal: it is not started again')]
        # The command as it was expanded: remappings of a scope are no longer known here.
        again = ExecuteProcess(
            cmd=event.cmd,
            cwd=event.cwd,
            additional_env=event.env,
            name=name,
            output='both',
            sigterm_timeout=SECONDS_TO_STOP,
            on_exit=on_exit,
        )
        return [TimerAction(period=RESPAWN_DELAY, actions=[again])]

    return on_exit


def read_parameters(
    arguments: Mapping[str, str],
    given: Iterable[str],
    config: str,
    own: Mapping[str, str] | None = None,
) -> dict[str, dict[str, Setting]]:
    """The parameters of all nodes: defaults < config/ < `own` < params_file < given arguments.

    own: defaults of another launch file, by argument.
    """
    users = os.path.abspath(arguments['params_file']) if arguments['params_file'] else None
    cameras = Cameras(arguments, set(given), users)
    schemas = {
        node: ParameterSchema.load(package, node) for node, package in cameras.packages.items()
    }
    from_arguments: dict[str, dict[str, Setting]] = {node: {} for node in schemas}
    for node, settings in cameras.arguments.items():
        from_arguments[node] |= settings
    for node, settings in as_parameters(schemas, arguments, given, 'argument').items():
        from_arguments[node] |= settings
    of_launch = as_parameters(schemas, own or {}, own or {}, 'default')
    parameters = effective(schemas, config, users, from_arguments, cameras.shipped_as, of_launch)
    cameras.add_sources_of_robot(parameters, config)

    robots = {values['robot'].value: values['robot'].place for values in parameters.values()}
    if len(robots) > 1:
        found = ', '.join(f'{robot} ({place})' for robot, place in robots.items())
        raise ConfigError('parameters', 'robot', found, 'one robot for all nodes, under /**:')
    driver = parameters['hardware_driver']['driver']
    for node in filter(is_camera_node, parameters):
        if parameters[node]['source'].value == 'mujoco' and driver.value != 'mujoco':
            found = f'mujoco, with driver:={driver.value}, which simulates no scene'
            raise ConfigError('launch arguments', node, found, 'replay, v4l2, realsense or topic')
    instruction = parameters['inference']['instruction']
    if instruction.place == DEFAULT or instruction.value == 'auto':
        armed = parameters['supervisor']['auto_arm'].value
        first = FIRST if armed else ''
        place = f'argument instruction:=auto, with auto_arm {str(armed).lower()}'
        robot = parameters['inference']['robot'].value
        if first and not looked_up(names_frame, robot, 'left_hand'):
            one_hand = looked_up(names_frame, robot, 'hand')
            first, place = (FIRST_OF_ARM, place) if one_hand else ('', NO_HAND)
        parameters['inference']['instruction'] = Setting(first, place)
    return parameters


def as_parameters(
    schemas: Mapping[str, ParameterSchema],
    arguments: Mapping[str, str],
    names: Iterable[str],
    place: str,
) -> dict[str, dict[str, Setting]]:
    """The parameters, by node, that the named arguments set."""
    found: dict[str, dict[str, Setting]] = {node: {} for node in schemas}
    for name in names:
        if name == 'robot':
            for settings in found.values():
                settings['robot'] = Setting(arguments[name], f'{place} robot:=')
        elif name in PARAMETERS and PARAMETERS[name][0] in schemas:
            node, parameter = PARAMETERS[name]
            kind = next(e.type for e in schemas[node].entries if e.name == parameter)
            value = argument_value(name, arguments[name], kind)
            found[node][parameter] = Setting(value, f'{place} {name}:=')
    return found


def without_none(arguments: Mapping[str, str]) -> dict[str, str]:
    """ros2 launch refuses an empty value on its command line: 'none' stands for it."""
    return {name: '' if value == 'none' else value for name, value in arguments.items()}


def leave_out_unused(parameters: dict[str, dict[str, Setting]]) -> bool:
    """Whether the balance monitor was left out: of a robot without feet."""
    unused = not looked_up(has_feet, parameters['hardware_driver']['robot'].value)
    if unused:
        del parameters['balance_monitor']
    return unused


def note_for_supervisor(parameters: dict[str, dict[str, Setting]]) -> None:
    """What a preflight must have checked: the place of the bundle and the digest of everything that
    is configured. A bundle that is not there is reported by inference."""
    supervisor, policy = parameters['supervisor'], parameters['inference']['policy'].value
    place = policy
    if not is_address(policy):
        with suppress(ConfigError):
            place = str(locate_bundle(policy, installed_models()))
    configuration = configuration_digest(plain_values(parameters))
    known = {'preflight_bundle': place, 'preflight_configuration': configuration}
    supervisor |= {name: Setting(value, 'the launch') for name, value in known.items()}


def note_for_recorder(parameters: dict[str, dict[str, Setting]], folder: Path) -> None:
    """What the recorder keeps of the other nodes' parameters, unless a file says otherwise."""
    recorder = parameters['recorder']
    known = {'configuration': str(folder), 'policy': parameters['inference']['policy'].value}
    for name, value in known.items():
        if recorder[name].place == DEFAULT:
            recorder[name] = Setting(value, 'the launch')


def looked_up(question: Callable[..., bool], robot: str, *frames: str) -> bool:
    """The answer of `question` about a robot directory. A robot that cannot be read is one that has
    everything: the nodes report it."""
    try:
        return question(robot, *frames)
    except ConfigError:
        return True


def description(
    arguments: Mapping[str, str], given: set[str], share: str, parameters: Mapping[str, Any]
) -> list[str]:
    """Lines of show_config: arguments, files, and each parameter with its place."""
    lines = ['arguments, given or default:']
    for name, *_ in ARGUMENTS:
        if name in given:
            lines.append(f'  {name}:={without_password(arguments[name]) or "none"}  (given)')
        elif name not in PARAMETERS and name != 'robot':
            lines.append(f'  {name}:={arguments[name] or "none"}  (default)')
    lines += ['files, a later one overrides the earlier:', f'  {share}/config/<node>.yaml']
    if arguments['params_file']:
        lines.append(f'  {os.path.abspath(arguments["params_file"])}')
    lines.append('parameters; given arguments override the files:')
    for node, settings in parameters.items():
        lines.append(f'  {node}:')
        for name, setting in settings.items():
            value = without_password(json.dumps(setting.value, ensure_ascii=False))
            place = setting.place.removeprefix(f'{share}/')
            lines.append(f'    {name}: {value}  ({place})')
    return lines


def without_password(text: str) -> str:
    """`text` with the user part of a URL replaced: what is printed is pasted into reports."""
    return re.sub(r'://[^/@\s]+@', '://***@', text)


def misspelt(context: LaunchContext, given: set[str]) -> list:
    """Refuse an undeclared argument that is close to one of ours: ros2 launch accepts every name.

    Where another launch file includes this one, its own arguments are among them: only a warning.
    """
    known = [name for name, *_ in ARGUMENTS]
    included = not given <= {word.partition(':=')[0] for word in context.argv}
    warnings = []
    for name in sorted(given - set(known)):
        near = difflib.get_close_matches(name, known, n=1)
        if near and not included:
            raise ConfigError('launch arguments', name, 'an unknown argument', f'{near[0]}:=')
        if near:
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


def viewer(configuration: str) -> list:
    """Return rviz2, or a log line where it is not installed: the robot runs without it."""
    if shutil.which('rviz2') is None:
        return [LogInfo(msg='headless:=false, but rviz2 is not installed; continuing without it.')]
    return [ExecuteProcess(cmd=['rviz2', '-d', configuration], output='log', name='rviz2')]

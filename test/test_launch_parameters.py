# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Arguments and parameter files of humanoid.launch.py, without starting a node."""

from __future__ import annotations

import importlib.util
import pathlib
import re
import shutil
import subprocess

import pytest
from ament_index_python.packages import get_package_share_directory

from vla_common.errors import ConfigError
from vla_common.parameter_files import effective
from vla_common.parameters import ParameterSchema
from vla_common.testing_refusals import documented

TESTBOT = pathlib.Path(__file__).parents[1] / 'src' / 'vla_robot' / 'test' / 'testbot'
SHARE = pathlib.Path(get_package_share_directory('vla_bringup'))


def load_launch_file(name: str = 'humanoid'):
    path = SHARE / 'launch' / f'{name}.launch.py'
    spec = importlib.util.spec_from_file_location(f'{name}_launch', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LAUNCH = load_launch_file()
DEFAULTS = {name: '' if value == 'none' else value for name, value, *_ in LAUNCH.ARGUMENTS}


def values(params_file: pathlib.Path | str = '', **given: object) -> dict:
    """What `read_parameters` makes of a file and given arguments."""
    given = {name: str(value) for name, value in given.items()}
    arguments = {**DEFAULTS, 'params_file': str(params_file), **given}
    return LAUNCH.read_parameters(arguments, given, str(SHARE / 'config'))


@pytest.fixture
def ignored_once(tmp_path):
    """Its values were all ignored: the launch had written `/node:`, and rcl took that."""
    path = tmp_path / 'params.yaml'
    path.write_text(
        'safety_filter:\n  ros__parameters:\n    stage: slow\n'
        'supervisor:\n  ros__parameters:\n    auto_arm: false\n'
        'inference:\n  ros__parameters:\n    time_limit: 7.0\n'
    )
    return path


def test_the_defaults_of_the_arguments_are_the_values_of_config():
    schemas = {node: ParameterSchema.load(package, node) for node, package in LAUNCH.NODES.items()}
    shipped = effective(schemas, SHARE / 'config')
    for name, (node, parameter) in LAUNCH.PARAMETERS.items():
        if name != 'instruction':  # `auto` is no value of the parameter
            kind = next(e.type for e in schemas[node].entries if e.name == parameter)
            default = LAUNCH.argument_value(name, DEFAULTS[name], kind)
            assert default == shipped[node][parameter].value, name
    assert {node['robot'].value for node in shipped.values()} == {DEFAULTS['robot']}


def test_a_users_file_is_in_force_and_a_given_argument_overrides_it(ignored_once):
    found = values(ignored_once)
    assert found['safety_filter']['stage'].value == 'slow'
    assert found['supervisor']['auto_arm'].value is False
    assert found['inference']['time_limit'].value == 7.0
    assert found['inference']['instruction'].value == '', 'arming must not start motion'
    found = values(ignored_once, stage='sim', time_limit=9)
    assert found['safety_filter']['stage'].value == 'sim'
    assert found['inference']['time_limit'].value == 9.0
    assert found['supervisor']['auto_arm'].value is False


def test_the_first_instruction_is_carried_out_only_where_the_robot_arms_itself(tmp_path):
    assert values()['inference']['instruction'].value == LAUNCH.FIRST
    assert values(auto_arm='false')['inference']['instruction'].value == ''
    assert values(instruction='point')['inference']['instruction'].value == 'point'
    assert values(instruction='')['inference']['instruction'].value == ''
    path = tmp_path / 'params.yaml'
    path.write_text('inference: {ros__parameters: {instruction: look up}}')
    assert values(path)['inference']['instruction'].value == 'look up'
    assert values(path, instruction='auto')['inference']['instruction'].value == LAUNCH.FIRST


def test_a_robot_without_a_left_hand_has_no_first_instruction(tmp_path):
    robot = tmp_path / 'arm'
    shutil.copytree(TESTBOT, robot)
    assert values(robot=robot)['inference']['instruction'].value == LAUNCH.FIRST
    file = robot / 'robot.yaml'
    file.write_text(file.read_text().replace('left_hand: grip', 'right_hand: grip'))
    found = values(robot=robot)['inference']['instruction']
    assert (found.value, found.place) == ('', LAUNCH.NO_HAND)
    assert values(robot=robot, instruction='move')['inference']['instruction'].value == 'move'
    file.unlink()  # the nodes report it
    assert values(robot=robot)['inference']['instruction'].value == LAUNCH.FIRST


def arm_values(params_file: pathlib.Path | str = '', **given: object) -> dict:
    own = load_launch_file('arm').DEFAULTS
    given = {name: str(value) for name, value in given.items()}
    arguments = {**DEFAULTS, **own, 'params_file': str(params_file), **given}
    return LAUNCH.read_parameters(arguments, given, str(SHARE / 'config'), own)


def test_the_launch_of_arms_is_that_of_the_humanoid_with_an_arm_and_the_scripted_policy(tmp_path):
    humanoid, arm = values(), arm_values()
    changed = {
        (node, name)
        for node, settings in arm.items()
        for name, setting in settings.items()
        if setting.value != humanoid[node][name].value
    }
    robots = {(node, 'robot') for node in arm}
    assert changed == {*robots, ('inference', 'policy'), ('inference', 'instruction')}
    assert {node['robot'].value for node in arm.values()} == {'ur5e'}
    assert arm['inference']['policy'].value == 'scripted'
    assert arm['inference']['policy'].place == 'default policy:='
    assert arm['inference']['instruction'].value == LAUNCH.FIRST_OF_ARM
    assert arm_values(auto_arm='false')['inference']['instruction'].value == ''


def test_a_users_file_and_a_given_argument_override_the_defaults_of_the_launch_of_arms(tmp_path):
    path = tmp_path / 'params.yaml'
    path.write_text(
        '/**: {ros__parameters: {robot: panda}}\ninference: {ros__parameters: {policy: mine}}'
    )
    found = arm_values(path)
    assert {node['robot'].value for node in found.values()} == {'panda'}
    assert found['inference']['policy'].value == 'mine'
    found = arm_values(path, robot='xarm7', policy='scripted')
    assert {node['robot'].value for node in found.values()} == {'xarm7'}
    assert found['inference']['policy'].value == 'scripted'


def test_a_robot_is_that_of_all_nodes(tmp_path):
    path = tmp_path / 'params.yaml'
    path.write_text('/**: {ros__parameters: {robot: mine}}')
    assert {node['robot'].value for node in values(path).values()} == {'mine'}
    assert {node['robot'].value for node in values(path, robot='h1').values()} == {'h1'}
    path.write_text('safety_filter: {ros__parameters: {robot: mine}}')
    with pytest.raises(
        ConfigError, match=r'robot: found humanoid32 .*, mine .*params.yaml:1'
    ) as error:
        values(path)
    documented('Parameter files', 'another robot for one node', error.value, tmp_path, SHARE)


def test_a_simulated_camera_needs_the_simulated_world_whoever_chose_the_driver(tmp_path):
    path = tmp_path / 'params.yaml'
    path.write_text('hardware_driver: {ros__parameters: {driver: mock}}')
    with pytest.raises(ConfigError, match='camera: found mujoco, with driver:=mock') as error:
        values(path)
    documented('Parameter files', 'a simulated camera without the simulation', error.value)


def test_the_recorder_keeps_the_bundle_and_the_files_unless_a_file_says_otherwise(tmp_path):
    found = values(policy='scripted')
    LAUNCH.note_for_recorder(found, tmp_path)
    assert found['recorder']['policy'].value == 'scripted'
    assert found['recorder']['configuration'].value == str(tmp_path)
    path = tmp_path / 'params.yaml'
    path.write_text('recorder: {ros__parameters: {policy: mine, images: video}}')
    found = values(path, policy='scripted')
    LAUNCH.note_for_recorder(found, tmp_path)
    assert found['recorder']['policy'].value == 'mine'
    assert found['recorder']['images'].value == 'video'


@pytest.mark.parametrize('text', ['fast', 'nan', 'inf'])
def test_a_number_that_is_none_is_refused(text):
    with pytest.raises(
        ConfigError, match=f'control_frequency: found {text}, wanted a number'
    ) as error:
        values(control_frequency=text)
    if text == 'nan':
        documented('Launch arguments', 'nan for a number', error.value)


def launch(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ['ros2', 'launch', 'vla_bringup', 'humanoid.launch.py', *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_show_config_prints_each_value_with_its_place_and_starts_nothing(ignored_once):
    result = launch(
        *('show_config:=true', f'params_file:={ignored_once}', 'control_frequency:=50'),
        'policy:=ws://me:secret@host:8000',
    )
    assert result.returncode == 0, result.stderr
    for line in (
        'control_frequency:=50  (given)',
        'respawn:=true  (default)',
        f'stage: "slow"  ({ignored_once}:3)',
        f'auto_arm: false  ({ignored_once}:6)',
        'control_frequency: 50.0  (argument control_frequency:=)',
        'instruction: ""  (argument instruction:=auto, with auto_arm false)',
        'policy: "ws://***@host:8000"  (argument policy:=)',
        'inference_frequency: 20.0  (default)',
    ):
        assert f'  {line}\n' in result.stdout, line
    assert re.search(
        r'^    rate: 200\.0  \(config/hardware_driver\.yaml:\d+\)$', result.stdout, re.M
    )
    assert 'secret' not in result.stdout + result.stderr
    assert 'process started' not in result.stdout


@pytest.mark.parametrize(
    ('case', 'argument', 'message'),
    [
        ('a file for a misspelt node', 'params_file:=FILE',
         'FILE: supervisr: found a node that this launch does not start, '
         'wanted /supervisor (in no namespace)'),
        ('a misspelt argument', 'stge:=slow',
         'launch arguments: stge: found an unknown argument, wanted stage:='),
    ],
)  # fmt: skip
def test_what_would_be_ignored_ends_the_launch_in_one_line(tmp_path, case, argument, message):
    path = tmp_path / 'params.yaml'
    path.write_text('supervisr: {ros__parameters: {auto_arm: false}}')
    result = launch(argument.replace('FILE', str(path)))
    assert result.returncode == 1
    printed = result.stdout + result.stderr
    (line,) = [x for x in printed.splitlines() if message.replace('FILE', str(path)) in x]
    documented('Launch arguments', case, line.partition('traceback): ')[2], tmp_path)
    assert 'process started' not in printed
    assert 'Traceback' not in printed


def test_named_cameras_are_one_node_each_and_their_subscribers_know_them(tmp_path):
    path = tmp_path / 'params.yaml'
    path.write_text('camera_head: {ros__parameters: {width: 64}}')
    found = values(path, cameras='head, left_wrist:replay:/data/a:b')
    assert 'camera' not in found
    assert list(found).index('camera_left_wrist') == list(found).index('safety_filter') - 1
    head, wrist = found['camera_head'], found['camera_left_wrist']
    assert [head[key].value for key in ('name', 'source', 'width')] == ['head', 'mujoco', 64]
    assert [wrist[key].value for key in ('name', 'source', 'device', 'width')] == [
        'left_wrist', 'replay', '/data/a:b', 0,
    ]  # fmt: skip
    assert wrist['open_timeout'].value == 30.0, 'that of config/camera.yaml'
    assert found['supervisor']['cameras'].value == ['head', 'left_wrist']
    seen = found['inference']
    assert seen['cameras.names'].value == ['head', 'left_wrist']
    assert seen['cameras.color'].value[1] == '/camera/left_wrist/color/image_raw'
    assert seen['cameras.depth'].value[0] == '/camera/head/depth/image_raw'
    assert {node['robot'].value for node in found.values()} == {'humanoid32'}


def test_without_names_there_is_the_one_camera(tmp_path):
    found = values(camera='v4l2', camera_device='/dev/video2')
    assert [node for node in found if 'camera' in node] == ['camera']
    assert found['camera']['device'].value == '/dev/video2'
    assert found['supervisor']['cameras'].value == ['']
    assert found['inference']['cameras.color'].value == ['/camera/color/image_raw']


def test_the_robot_names_cameras_and_their_sources(tmp_path):
    assert values(cameras='robot')['supervisor']['cameras'].value == [
        'head', 'left_wrist', 'right_wrist',
    ]  # fmt: skip
    robot = tmp_path / 'arm'
    shutil.copytree(TESTBOT, robot)
    file = robot / 'robot.yaml'
    text = file.read_text().replace('fovy: 1.0}', "fovy: 1.0, source: 'v4l2:/dev/video3'}")
    file.write_text(text)
    path = tmp_path / 'params.yaml'
    path.write_text(f'/**: {{ros__parameters: {{robot: {robot}}}}}')
    head = values(path, cameras='robot')['camera_head']
    assert [head[key].value for key in ('source', 'device')] == ['v4l2', '/dev/video3']
    # A file, an argument for all cameras and one for this camera override robot.yaml, in turn.
    path.write_text(path.read_text() + '\ncamera_head: {ros__parameters: {source: realsense}}')
    assert values(path, cameras='robot')['camera_head']['source'].value == 'realsense'
    assert values(path, cameras='robot', camera='v4l2')['camera_head']['source'].value == 'v4l2'
    head = values(path, cameras='head:replay:/x', camera='v4l2')['camera_head']
    assert [head[key].value for key in ('source', 'device')] == ['replay', '/x']
    file.write_text(text.replace('v4l2:', 'v4l3:'))
    path.write_text(f'/**: {{ros__parameters: {{robot: {robot}}}}}')
    with pytest.raises(ConfigError, match=r'cameras.head.source: found head:v4l3:/dev/video3') as e:
        values(path, cameras='robot')
    documented('Launch arguments', 'an unknown camera source in robot.yaml', e.value)


@pytest.mark.parametrize(
    ('case', 'text', 'more', 'message'),
    [
        ('a camera without a name', ':v4l2', {}, 'cameras: found :v4l2, wanted NAME'),
        ('a camera name with a dash', 'left-wrist', {}, 'found left-wrist, wanted a lower-case'),
        ('a camera twice', 'head,head:v4l2', {}, 'found head twice, wanted each camera once'),
        ('a misspelt camera source', 'head:mujco', {}, 'found head:mujco, wanted mujoco'),
        ('a camera source without a device', 'head:v4l2:', {}, 'found head:v4l2:, wanted NAME'),
        ('a device of no camera', 'head', {'camera_device': '3'}, 'camera_device: found 3, with'),
        ('a simulated wrist without the simulation', 'left_wrist', {'driver': 'mock'},
         'camera_left_wrist: found mujoco, with driver:=mock'),
    ],
)  # fmt: skip
def test_a_wrong_list_of_cameras_is_refused(case, text, more, message):
    with pytest.raises(ConfigError, match=re.escape(message)) as error:
        values(cameras=text, **more)
    documented('Launch arguments', case, error.value)


@pytest.mark.parametrize(
    'given', [{}, {'stage': 'slow', 'record': 'true'}, {'robot': str(TESTBOT)}]
)
def test_a_preflight_with_the_arguments_of_a_launch_has_its_digest(given):
    from vla_validation.preflight.subject import read_subject

    found = values(**given)
    LAUNCH.leave_out_unused(found)
    LAUNCH.note_for_supervisor(found)
    supervisor = {name: setting.value for name, setting in found['supervisor'].items()}
    subject = read_subject(given)
    assert supervisor['preflight_configuration'] == subject.digests()['configuration']
    assert supervisor['preflight_bundle'] == str(subject.bundle)
    other = read_subject({**given, 'control_frequency': '90'})
    assert other.digests()['configuration'] != supervisor['preflight_configuration']

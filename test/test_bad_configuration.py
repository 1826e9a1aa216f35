# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Bad configuration of the whole robot: one clear error, the other nodes stay up, nothing moves."""

import hashlib
import pathlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml
from ament_index_python.packages import get_package_share_directory
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from whole_robot import BRING_UP, WholeRobot

from vla_common.states import Mode
from vla_common.testing import own_domain

BUNDLE = pathlib.Path(get_package_share_directory('vla_bringup')) / 'models' / 'humanoid_vla'
ROBOT = pathlib.Path(get_package_share_directory('vla_robot')) / 'robots' / 'humanoid32'


def damaged(source: pathlib.Path, target: pathlib.Path, damage) -> list[str]:
    """Put a damaged copy at `target`, and never an intact one: the supervisor tries again.

    Returns the words that the refusal must contain.
    """
    aside = target.with_name(target.name + '.aside')
    shutil.copytree(source, aside)  # follows the links of a --symlink-install
    words = damage(aside)
    if target.exists():
        shutil.rmtree(target)
    aside.rename(target)
    return words


@contextmanager
def edited(path: pathlib.Path) -> Iterator[dict]:
    """The content of a YAML file, written back after the context."""
    content = yaml.safe_load(path.read_text())
    yield content
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def missing_model(bundle: pathlib.Path) -> list[str]:
    (bundle / 'model.onnx').unlink()
    return ['model.onnx']


def changed_model(bundle: pathlib.Path) -> list[str]:
    with open(bundle / 'model.onnx', 'ab') as file:
        file.write(b'x')
    digest = hashlib.sha256((bundle / 'model.onnx').read_bytes()).hexdigest()
    return ['model.onnx', 'sha', digest[:8]]


def malformed_policy(bundle: pathlib.Path) -> list[str]:
    (bundle / 'policy.yaml').write_text('format: 1\nname: [unclosed\n')
    return ['policy.yaml', 'valid YAML']


def joints_of_another_robot(bundle: pathlib.Path) -> list[str]:
    with edited(bundle / 'policy.yaml') as policy:
        policy['outputs']['action']['joints'][0] = 'third_elbow'
    return ['policy.yaml', 'outputs.action.joints', 'third_elbow']


def another_horizon(bundle: pathlib.Path) -> list[str]:
    with edited(bundle / 'policy.yaml') as policy:
        policy['outputs']['action']['horizon'] += 3
    return ['wanted']


@pytest.fixture(scope='class')
def with_a_bad_bundle(tmp_path_factory):
    """A robot launched with a bundle that has no model, and that bundle's folder."""
    folder = tmp_path_factory.mktemp('robot')
    damaged(BUNDLE, folder / 'bundle', missing_model)
    with WholeRobot(folder, policy=folder / 'bundle', respawn='false') as robot:
        yield robot, folder / 'bundle'


def refusal(robot: WholeRobot, node: str, since: int = 0) -> str:
    """The message of the node's last refused configuration that was printed since then."""
    start = f'[{node}]: configure failed: '
    robot.wait(lambda: start in robot.output()[since:], BRING_UP, f'{start!r} in the log')
    lines = [line for line in robot.output()[since:].splitlines() if start in line]
    return lines[-1].split('configure failed: ')[1]


def configure_again(robot: WholeRobot, node: str) -> str:
    since = len(robot.output())
    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE))
    assert not robot.answer(f'/{node}/change_state', ChangeState, request).success
    return refusal(robot, node, since)


def assert_contains(line: str, *words: str) -> None:
    for word in [*words, 'found', 'wanted']:
        assert word.lower() in line.lower(), line


class TestABadBundle:
    """All on one robot, whose inference node has to configure again."""

    def test_a_bad_bundle_is_refused_and_the_robot_just_stands(self, with_a_bad_bundle):
        robot, _ = with_a_bad_bundle
        assert_contains(refusal(robot, 'inference'), 'model.onnx')
        # The others are up, the supervisor reports what it waits for, and nothing moves.
        robot.wait(
            lambda: (
                robot.state is not None
                and len(robot.state.nodes_active) == 4
                and any('inference' in text for text in robot.state.nodes_missing)
            ),
            BRING_UP,
            'the four other nodes active',
        )
        assert robot.mode == Mode.INACTIVE
        assert not robot.answer('/supervisor/start').success
        robot.assert_becomes_still()
        robot.assert_standing()

    @pytest.mark.parametrize(
        'damage',
        [missing_model, changed_model, malformed_policy, joints_of_another_robot, another_horizon],
        ids=lambda damage: damage.__name__,
    )
    def test_each_kind_of_bad_bundle_is_refused_by_name(self, with_a_bad_bundle, damage):
        robot, bundle = with_a_bad_bundle
        refusal(robot, 'inference')  # the supervisor's own attempt is over
        words = damaged(BUNDLE, bundle, damage)
        assert_contains(configure_again(robot, 'inference'), *words)
        assert robot.mode in (None, Mode.INACTIVE)


def unknown_joint(robot: pathlib.Path) -> list[str]:
    with edited(robot / 'robot.yaml') as content:
        content['groups']['head'].append('antenna')
    return ['robot.yaml', 'groups.head', 'antenna']


def malformed_urdf(robot: pathlib.Path) -> list[str]:
    urdf = robot / 'robot.urdf'
    urdf.write_text(urdf.read_text().replace('</robot>', ''))
    return ['robot.urdf']


def no_robot_yaml(robot: pathlib.Path) -> list[str]:
    (robot / 'robot.yaml').unlink()
    return ['robot.yaml', 'no such file']


@pytest.fixture(scope='class')
def with_a_bad_robot(tmp_path_factory):
    """A launch with a robot directory that has no robot.yaml, and that directory."""
    folder = tmp_path_factory.mktemp('robot')
    damaged(ROBOT, folder / 'robot', no_robot_yaml)
    # The filter's frequency is out of its range besides: parameters are checked before the robot.
    arguments = {'robot': folder / 'robot', 'control_frequency': 5000, 'respawn': 'false'}
    with WholeRobot(folder, **arguments) as robot:
        yield robot, folder / 'robot'


class TestABadRobot:
    """All on one launch."""

    @pytest.mark.parametrize(
        'damage', [no_robot_yaml, unknown_joint, malformed_urdf], ids=lambda damage: damage.__name__
    )
    def test_a_bad_robot_is_refused_and_nothing_starts(self, with_a_bad_robot, damage):
        robot, folder = with_a_bad_robot
        # The supervisor reads it first, and without one no node is configured.
        assert_contains(refusal(robot, 'supervisor'), 'robot.yaml')
        words = damaged(ROBOT, folder, damage)
        assert_contains(configure_again(robot, 'hardware_driver'), *words)
        assert robot.process.poll() is None, 'the launch ended'
        assert robot.mode in (None, Mode.INACTIVE)

    def test_a_parameter_out_of_range_is_refused_at_configure(self, with_a_bad_robot):
        robot, _ = with_a_bad_robot
        refusal(robot, 'supervisor')
        message = configure_again(robot, 'safety_filter')
        assert message.startswith('parameters of /safety_filter: control_frequency'), message
        assert robot.mode in (None, Mode.INACTIVE)


def launch_that_ends(*arguments: str) -> str:
    """What a launch prints that ends at once with an error."""
    own_domain()
    result = subprocess.run(
        ['ros2', 'launch', 'vla_bringup', 'humanoid.launch.py', *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode != 0
    return result.stdout + result.stderr


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('safety_filter:\n  ros__parameters: {control_frequency: [1\n', ['bad.yaml', 'valid YAML']),
        ('safety_filter:\n  control_frequency: 100.0\n', ['bad.yaml', 'ros__parameters']),
    ],
    ids=['malformed', 'no ros__parameters'],
)
def test_a_bad_parameter_file_ends_the_launch_with_its_name(tmp_path, text, words):
    file = tmp_path / 'bad.yaml'
    file.write_text(text)
    printed = launch_that_ends(f'params_file:={file}')
    for word in words:
        assert word in printed


def test_a_simulated_camera_without_a_simulated_world_is_refused_at_once():
    assert 'camera: found mujoco, with driver:=mock' in launch_that_ends('driver:=mock')

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Two policies on the same observations, scenes and topics; shadow mode publishes nothing."""

import io
import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_export import observation_from

from vla_common.errors import ConfigError
from vla_deploy.commands import compare
from vla_deploy.comparing.comparison import (
    chunk_difference,
    compare_closed_loop,
    compare_recorded,
    interval,
)
from vla_deploy.comparing.shadow import ActiveStatus, Shadow
from vla_deploy.comparing.shadow_node import CAMERA_TOPIC, ShadowNode
from vla_deploy.observations import Recording
from vla_models.statistics import EpisodeOutcome
from vla_policy.load import load_policy
from vla_policy.types import ActionChunk, PolicyError


def chunk(joints, values, step=0.1):
    positions = np.asarray(values, float)
    return ActionChunk(tuple(joints), positions, step * np.arange(1, len(positions) + 1))


def test_chunks_are_compared_at_the_joints_and_moments_of_both():
    a = chunk('xyz', [[0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0]])
    b = chunk('zx', [[0.5, 0], [0.5, 2], [0.5, 4]], 0.2)  # x: 10 rad/s either way
    found = chunk_difference(a, b)
    assert found.joints == ('x', 'z')
    np.testing.assert_allclose(found.times, [0.2, 0.3, 0.4])
    np.testing.assert_allclose(found.difference, [[-1, 0.5], [-1, 0.5], [-1, 0.5]], atol=1e-12)
    assert found.largest == 1.0
    with pytest.raises(ValueError, match='no joint or no moment'):
        chunk_difference(a, chunk('q', [[0]]))


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40))
@settings(max_examples=20)
def test_an_interval_holds_its_mean_and_nothing_beyond_the_values(values):
    found = interval(values)
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9
    assert found.mean == pytest.approx(np.mean(values), abs=1e-9)
    assert found == interval(values)


@pytest.mark.parametrize('kind', ['act', 'diffusion'])
def test_a_policy_differs_from_itself_by_nothing(bundles, kind, recording, robot):
    found = compare_recorded(bundles[kind], bundles[kind], recording, robot, rounds=5)
    assert found.largest_rad == 0.0 and found.rms_rad.high == 0.0
    assert found.saved_ms.low <= found.saved_ms.high and min(found.latency_ms) > 0


def test_policies_of_other_networks_are_compared_and_reported(bundles, observed, tmp_path, json_of):
    out = tmp_path / 'out'
    two = (bundles['act'], bundles['diffusion'])
    output = json_of(compare.main, *two, '--rounds', 5, *observed, '--out', out)
    rms = output['recorded']['rms_rad']
    assert 0 < rms['ci95'][0] <= rms['mean'] <= rms['ci95'][1] <= output['recorded']['largest_rad']
    assert len(output['recorded']['joints']) == 14
    assert json.loads((out / 'compare.json').read_text()) == output
    assert '(joints.png)' in (out / 'report.md').read_text()
    assert cv2.imread(str(out / 'joints.png')).std() > 1


def test_what_cannot_be_compared_is_refused_in_one_line(
    bundles, recording, robot, tmp_path, capsys
):
    one = str(bundles['act'])
    for wrong, text in (
        ([one], 'two bundles, A and B'),
        ([one, one, '--shadow', '5'], 'B alone'),
        ([one, '--shadow', '-1'], '--shadow'),
        ([one, '--shadow', '5', '--camera', 'belly=/x'], 'CAMERA=TOPIC, of head'),
        ([one, str(tmp_path)], 'policy.yaml'),
        ([one, one, '--observations', str(tmp_path / 'none.npz')], 'none.npz'),
    ):
        assert compare.main([*wrong, '--out', str(tmp_path / 'o')]) == 2
        output = capsys.readouterr().err.strip().splitlines()
        assert text in output[-1], output
    dark = type(recording)(*[*vars(recording).values()][:5], {}, 'dark')
    with pytest.raises(ConfigError, match='dark: observation 0: found no image of camera head'):
        compare_recorded(bundles['act'], bundles['act'], dark, robot)


def outcome(task, success, seconds=None, fallen=False):
    return EpisodeOutcome(task, task, success, 0.0, seconds, 0.0, fallen, 0, 0)


def test_scenes_are_compared_one_by_one():
    a = [outcome('reach', True, 2.0)] * 30 + [outcome('wave', False)] * 10
    b = [outcome('reach', True, 2.5)] * 30 + [outcome('wave', True, 4.0, True)] * 10
    found = compare_closed_loop(a, b)
    assert found.success.won == 10 and found.success.lost == 0 and found.success.equal
    assert found.tasks == {'reach': (30, 30, 30), 'wave': (0, 10, 10)}
    assert found.later_s.mean == pytest.approx(0.5) and found.falls == (0, 10)
    worse = compare_closed_loop(b, a)
    assert not worse.success.equal and worse.success.interval[1] < 0
    with pytest.raises(ValueError, match='other scenes'):
        compare_closed_loop(a, a[::-1])


class Candidate:
    """Answers the position of the elbow plus 0.1, and keeps the observations."""

    def __init__(self):
        self.bundle = SimpleNamespace(cameras=('head',))
        self.observed, self.resets, self.fails = [], 0, False

    def reset(self):
        self.resets += 1

    def predict(self, observation):
        if self.fails:
            raise PolicyError('no answer')
        self.observed.append(observation)
        return chunk(['elbow'], [[observation.position[1] + 0.1]] * 3)


MS = 1_000_000


def fed(candidate, log, instruction='wave'):
    shadow = Shadow(candidate, ['shoulder', 'elbow'], log)
    for stamp in range(0, 1000, 10):
        position = [0.0, stamp / 1000]
        shadow.joints(stamp * MS, ['elbow', 'shoulder'], position[::-1], [0.0, 0.0])
        shadow.imu(stamp * MS, [1.0, 0.0, 0.0, 0.0])
        if stamp % 100 == 0:
            shadow.image('head', stamp * MS, np.full((2, 2, 3), stamp // 100, np.uint8))
    shadow.status(ActiveStatus(instruction, 0.9, 990 * MS))
    return shadow


def test_the_shadow_gets_the_observation_of_the_active_policy_and_logs_both_chunks():
    candidate, log = Candidate(), io.StringIO()
    shadow = fed(candidate, log)
    assert shadow.chunk(300 * MS, chunk(['elbow'], [[0.3]] * 3))
    (seen,) = candidate.observed
    assert seen.images['head'].max() == 3 and seen.position[1] == pytest.approx(0.3)
    assert seen.elapsed == pytest.approx(0.9 - 0.69) and seen.instruction == 'wave'
    line = json.loads(log.getvalue())
    assert line['rms_rad'] == pytest.approx(0.1) and line['stamp_ns'] == 300 * MS
    assert line['active']['positions'] == [[0.3]] * 3
    assert line['candidate']['positions'] == [[0.4]] * 3
    found = shadow.summary()
    assert found.chunks == 1 and found.rms_rad.mean == pytest.approx(0.1)


def test_what_the_shadow_cannot_compare_is_counted_by_reason():
    candidate, log = Candidate(), io.StringIO()
    shadow = fed(candidate, log)
    active = chunk(['elbow'], [[0.3]] * 3)
    assert not shadow.chunk(305 * MS, active)  # no image has that time
    shadow.image('head', 2000 * MS, np.zeros((2, 2, 3), np.uint8))
    assert not shadow.chunk(2000 * MS, active)  # the joints are too old
    candidate.fails = True
    assert not shadow.chunk(300 * MS, active)
    shadow.status(ActiveStatus('', 0.0, 0))
    assert not shadow.chunk(300 * MS, active)
    shadow.joints(0, ['knee'], [0.0], [0.0])
    skipped = shadow.summary().skipped
    assert len(skipped) == 5 and set(skipped.values()) == {1}
    assert any('no answer' in reason for reason in skipped) and log.getvalue() == ''


def test_a_new_instruction_resets_the_candidate():
    candidate, log = Candidate(), io.StringIO()
    shadow = fed(candidate, log)
    for words in ('wave', 'wave', 'look'):
        shadow.status(ActiveStatus(words, 0.9, 990 * MS))
        shadow.chunk(300 * MS, chunk(['elbow'], [[0.3]] * 3))
    assert candidate.resets == 2


def test_a_long_shadow_keeps_some_of_what_it_saw_from_all_of_the_time(monkeypatch):
    monkeypatch.setattr('vla_deploy.comparing.shadow.SEEN_KEPT', 8)
    shadow = Shadow(Candidate(), ['shoulder', 'elbow'], io.StringIO())
    assert shadow.recording() is None
    shadow.status(ActiveStatus('wave', 0.0, 0))
    for stamp in range(100):
        shadow.joints(stamp * MS, ['elbow', 'shoulder'], [stamp, 0.0], [0.0, 0.0])
        shadow.imu(stamp * MS, [1.0, 0.0, 0.0, 0.0])
        shadow.image('head', stamp * MS, np.full((2, 2, 3), stamp, np.uint8))
        shadow.chunk(stamp * MS, chunk(['elbow'], [[0.3]] * 3))
    seen = shadow.recording()
    assert 4 <= len(seen) <= 8
    assert seen.position[:, 1].tolist() == [16.0 * i for i in range(len(seen))]
    assert seen.images['head'][:, 0, 0, 0].tolist() == [16 * i for i in range(len(seen))]


def test_the_shadow_subscribes_the_topics_and_publishes_nothing(
    ros, bundles, robot, recording, tmp_path
):
    from rclpy.serialization import serialize_message
    from sensor_msgs.msg import Image, Imu, JointState
    from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

    from vla_common.messages import ns_to_stamp, seconds_to_duration
    from vla_interfaces.msg import InferenceStatus

    log = io.StringIO()
    policy = load_policy(bundles['act'], robot)
    shadow = Shadow(policy, robot.joint_names, log)
    topics = {'head': CAMERA_TOPIC}
    node = ros.node(lambda **options: ShadowNode(shadow, topics, **options))
    assert {p.topic_name for p in node.publishers} <= {'/rosout', '/parameter_events'}
    assert not [*node.clients]
    subscribed = {s.topic_name for s in node.subscriptions}
    assert {CAMERA_TOPIC, '/joint_states', '/imu/data', '/vla/action_chunk'} <= subscribed
    # What DDS would deliver, handed over directly: the test is of what is read, not of discovery.
    stamp = ns_to_stamp(5_000 * MS)
    rgb = recording.images['head'][0]
    image = Image(height=rgb.shape[0], width=rgb.shape[1], step=3 * rgb.shape[1], encoding='bgr8')
    image.header.stamp = stamp
    image.data = rgb[:, :, ::-1].tobytes()
    node._on_image('head', serialize_message(image))
    position = [float(x) for x in recording.position[0]]
    joints = JointState(name=list(robot.joint_names), position=position)
    joints.velocity, joints.header.stamp = [0.0] * robot.n, stamp
    node._on_joints(joints)
    imu = Imu()
    imu.orientation.w, imu.header.stamp = 1.0, stamp
    node._on_imu(imu)
    status = InferenceStatus(instruction=recording.instruction[0], elapsed=0.0)
    status.header.stamp = stamp
    node._on_status(status)
    wanted = policy.predict(observation_from(robot, recording))
    sent = JointTrajectory(joint_names=list(wanted.joints))
    sent.header.stamp = stamp
    for time, row in zip(wanted.times, wanted.positions, strict=True):
        point = JointTrajectoryPoint(positions=[float(x) for x in row])
        point.time_from_start = seconds_to_duration(float(time))
        sent.points.append(point)
    node._on_chunk(sent)
    # The same policy in the shadow of itself: the image came through as it was, colours and all.
    assert json.loads(log.getvalue())['largest_rad'] < 1e-4
    node._on_chunk(JointTrajectory())
    node._on_image('head', b'no image')
    assert shadow.summary().chunks == 1
    # What was seen is a recording for the other verbs.
    shadow.recording().save(tmp_path / 'recording.npz')
    again = Recording.load(tmp_path / 'recording.npz')
    np.testing.assert_array_equal(again.images['head'], recording.images['head'][:1])
    np.testing.assert_array_equal(again.position, recording.position[:1])
    assert again.instruction == recording.instruction[:1]
    policy.close()

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The parts of a fault campaign that need no robot."""

import math
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_msgs.msg import Image, JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vla_common.messages import ns_to_stamp, stamp_to_ns
from vla_common.states import Behaviour, Mode
from vla_common.topics import GRIPPER_STATE, HEARTBEAT_TOPIC, SINGLE_PUBLISHER
from vla_interfaces.msg import Cause, DriverStatus, SupervisorState, WorldState
from vla_robot import load_robot
from vla_validation.faults.campaign import Campaign, _tracks, _wrong_stop
from vla_validation.faults.catalogue import FAULTS
from vla_validation.faults.command import chosen, line, markdown
from vla_validation.faults.corrupted_messages import CORRUPTIONS, drift
from vla_validation.faults.fault import ALONE, STOPS, Fault, FaultOutcome
from vla_validation.faults.message_faults import DELAY, HOWS, MODES_WITHOUT, MessageFaults
from vla_validation.faults.observer import Observer
from vla_validation.system_harness.robot import NODES

ROBOT = load_robot('humanoid32')
BAD = ['nan', 'inf', 'wrong_size', 'unknown_joint', 'jump', 'back_in_time']
NAMES = {fault.name for fault in FAULTS}

# -- streams --------------------------------------------------------------------------------------

MESSAGES = [bytes([i]) for i in range(6)]


def through(how, messages=MESSAGES):
    """What comes out at 0.1 s per message, and whatever is late."""
    faults = MessageFaults(how)
    out = [altered for i, m in enumerate(messages) for altered in faults.take(0.1 * i, m)]
    return out + faults.due(0.1 * len(messages) + DELAY)


def test_each_message_fault_does_to_a_stream_what_its_name_says():
    a, b, c, d, e, f = MESSAGES
    assert through('none') == MESSAGES
    assert through('silence') == []
    assert through('duplicate') == [a, a, b, b, c, c, d, d, e, e, f, f]
    assert through('reorder') == [b, a, d, c, f, e]
    assert through('replay') == [a] * 6
    assert through('delay') == MESSAGES
    faults = MessageFaults('delay')
    assert faults.take(0.0, a) == []
    assert faults.due(DELAY - 0.01) == []
    assert faults.due(DELAY) == [a]


@given(st.lists(st.binary(max_size=3), max_size=20), st.sampled_from(HOWS))
def test_no_message_fault_invents_a_message(messages, how):
    assert set(through(how, messages)) <= set(messages)


def test_a_corruption_may_also_drop_the_message():
    assert MessageFaults('corrupted', lambda message: None).take(0.0, b'x') == []
    assert MessageFaults('corrupted', lambda message: b'y').take(0.0, b'x') == [b'y']


# -- corruptions ----------------------------------------------------------------------------------


def chunk():
    message = JointTrajectory(joint_names=['left_elbow', 'left_shoulder_pitch', 'head_yaw'])
    message.header.stamp = ns_to_stamp(10**12)
    message.points = [JointTrajectoryPoint(positions=[0.1, 0.2, 0.3]) for _ in range(4)]
    return message


def joints():
    message = JointState(name=['a', 'b', 'c'], position=[0.1, 0.2, 0.3])
    message.header.stamp = ns_to_stamp(10**12)
    return message


@pytest.mark.parametrize('make', [chunk, joints])
@pytest.mark.parametrize('how', BAD)
def test_each_corruption_of_joint_messages_does_what_its_name_says(make, how):
    altered = CORRUPTIONS[how]()(make(), 0.5)
    positions = (
        [list(p.positions) for p in altered.points] if make is chunk else [list(altered.position)]
    )
    names = list(altered.joint_names) if make is chunk else list(altered.name)
    assert {
        'nan': lambda: all(math.isnan(p[1]) for p in positions),
        'inf': lambda: all(math.isinf(p[1]) for p in positions),
        'wrong_size': lambda: all(len(p) == 2 for p in positions),
        'unknown_joint': lambda: names[0] == 'left_antenna',
        'jump': lambda: all(p[0] > 3.0 for p in positions),
        'back_in_time': lambda: stamp_to_ns(altered.header.stamp) < 10**12 - 10**9,
    }[how]()


def test_stamps_keep_going_back():
    corrupt = CORRUPTIONS['back_in_time']()
    stamps = [stamp_to_ns(corrupt(joints(), t).header.stamp) for t in (0.0, 0.1, 0.2)]
    assert stamps == sorted(stamps, reverse=True)


def test_a_leaping_clock_leaps_both_ways():
    corrupt = CORRUPTIONS['leaping_clock']()
    times = [corrupt(WorldState(time=5000.0, header=joints().header), t).time for t in (0.05, 0.25)]
    assert times[0] < 5000.0 < times[1]


def test_a_frozen_camera_keeps_its_image_under_stamps_that_advance():
    corrupt = CORRUPTIONS['frozen']()
    first, second = Image(data=[1, 2, 3]), Image(data=[4, 5, 6])
    second.header.stamp.sec = 7
    corrupt(first, 0.0)
    assert list(corrupt(second, 0.1).data) == [1, 2, 3]
    assert second.header.stamp.sec == 7


def test_a_camera_frozen_behind_a_codec_never_sends_two_equal_images_and_shows_one_scene():
    corrupt = CORRUPTIONS['frozen_behind_codec']()
    scenes = np.random.default_rng(0).integers(40, 210, (4, 6, 8, 3), np.uint8)
    scenes = scenes.repeat(8, axis=1).repeat(8, axis=2)
    sent = []
    for scene in scenes:
        image = Image(height=48, width=64, step=192, encoding='rgb8', data=scene.tobytes())
        found = corrupt(image, 0.0)
        assert (found.height, found.width, found.step) == (48, 64, 192)
        sent.append(np.array(found.data, np.uint8).reshape(48, 64, 3).astype(float))
    for i, one in enumerate(sent):
        assert np.abs(one - scenes[0]).mean() < 12.0
        assert all((one != other).any() for other in sent[:i])


@pytest.mark.parametrize('upwards', [True, False])
@pytest.mark.parametrize('group', ['head', 'left_arm'])
def test_a_drift_begins_where_the_joints_are_and_ends_beyond_their_limits(group, upwards):
    index = ROBOT.groups[group]
    limit = (ROBOT.limits.upper if upwards else ROBOT.limits.lower)[index]
    corrupt = drift(ROBOT, group, upwards, ROBOT.poses['standing'])
    soon, late = corrupt(chunk(), 0.0), corrupt(chunk(), 60.0)
    assert list(soon.joint_names) == [ROBOT.joint_names[j] for j in index]
    assert np.abs(np.array(soon.points[0].positions) - ROBOT.poses['standing'][index]).max() < 0.1
    beyond = np.array(late.points[-1].positions) - limit
    assert beyond * (1 if upwards else -1) == pytest.approx(0.5)


# -- the catalogue --------------------------------------------------------------------------------


def test_the_catalogue_breaks_every_node_and_every_topic_in_every_way():
    assert {f'{how}:{node}' for how in ('killed', 'frozen', 'slowed') for node in NODES} <= NAMES
    hows = ('silenced', 'delayed', 'duplicated', 'reordered', 'replayed')
    assert {f'{how}:{topic.name}' for how in hows for topic in MODES_WITHOUT} <= NAMES
    assert {f'push:{side}' for side in ('front', 'back', 'left', 'right')} <= NAMES
    assert len(NAMES) == len(FAULTS), 'two faults of one name'


def test_the_relay_stands_in_every_heartbeat_and_every_single_publisher():
    topics = {topic.name for topic in MODES_WITHOUT}
    assert set(HEARTBEAT_TOPIC.values()) <= topics
    # The robot of a campaign has no gripper.
    assert set(SINGLE_PUBLISHER) - {GRIPPER_STATE.name} <= topics


def test_every_fault_expects_outcomes_that_there_are_and_the_short_form_has_some():
    outcomes = {mode.name for mode in Mode} | {ALONE}
    for fault in FAULTS:
        assert set(fault.expected) <= outcomes
        assert fault.expected
    assert 0 < len(chosen([], short=True)) < 15


def test_every_fault_that_may_stop_the_robot_names_the_cause_and_a_bound():
    for fault in FAULTS:
        stops = set(fault.expected) & set(STOPS)
        assert bool(fault.causes) is bool(stops), fault.name
        if stops:
            assert 0.2 <= fault.within <= 8.0, fault.name
    only_operator = [f.name for f in FAULTS if 'operator_stop' in f.causes]
    assert only_operator == [], 'a stop by the campaign itself proves nothing'


def test_faults_are_chosen_by_pattern():
    assert {f.name for f in chosen(['push:*'], short=False)} == {
        'push:front', 'push:back', 'push:left', 'push:right',
    }  # fmt: skip
    assert chosen(['nothing_like_this'], short=False) == []


# -- the observer ---------------------------------------------------------------------------------


class Node:
    """Accepts subscriptions and receives nothing."""

    def create_subscription(self, kind, topic, callback, profile):
        pass


@pytest.fixture
def observer():
    return Observer(Node(), ROBOT)


def state(mode, ns):
    message = SupervisorState(mode=int(mode))
    message.header.stamp = ns_to_stamp(ns)
    return message


def driver(behaviour, ns, speed=0.0):
    message = DriverStatus(behaviour=int(behaviour), max_joint_speed=speed)
    message.header.stamp = ns_to_stamp(ns)
    return message


MS = 1_000_000


def test_detection_and_rest_are_counted_from_the_injection(observer):
    begin = 10**15
    observer.record(state(Mode.RUNNING, begin - MS))
    observer.record(driver(Behaviour.TRACK, begin - MS, 1.0))
    assert observer.detection_ms(begin) is None
    observer.record(state(Mode.SAFE_STOP, begin + 30 * MS))
    observer.record(driver(Behaviour.STAND, begin + 35 * MS, 1.0))
    assert observer.detection_ms(begin) == pytest.approx(30.0)
    assert observer.rest_ms(begin) is None
    observer.record(driver(Behaviour.STAND, begin + 1500 * MS, 0.5))
    observer.record(driver(Behaviour.STAND, begin + 1700 * MS, 0.1))
    assert observer.rest_ms(begin) is None
    observer.record(driver(Behaviour.STAND, begin + 1900 * MS, 0.1))
    assert observer.rest_ms(begin) == pytest.approx(1500.0)


def test_a_nan_speed_is_no_rest(observer):
    observer.record(driver(Behaviour.STAND, 10**15, math.nan))
    assert observer.rest_ms(10**15) is None


def test_excess_counts_while_the_servos_are_stiff(observer):
    position = ROBOT.poses['standing'].copy()
    position[0] = ROBOT.limits.upper[0] + 0.05
    observer.record(driver(Behaviour.DAMP, 1))
    observer._on_joints(JointState(position=position.tolist()))
    assert observer.worst_excess == 0.0
    observer.record(driver(Behaviour.TRACK, 2))
    observer._on_joints(JointState(position=position.tolist()))
    assert observer.worst_excess == pytest.approx(0.05)


def test_going_down_stiff_is_a_fall_and_going_down_damped_is_not(observer):
    up, down = WorldState(qpos=[0, 0, 0.8, 1, 0, 0, 0]), WorldState(qpos=[0, 0, 0.3, 1, 0, 0, 0])
    observer._on_world(up)
    observer.record(driver(Behaviour.DAMP, 1))
    observer._on_world(down)
    assert (observer.fell, observer.sank) == (False, True)
    observer.begin()
    observer.record(driver(Behaviour.TRACK, 2))
    observer._on_world(down)
    assert observer.fell


# -- assessing ------------------------------------------------------------------------------------


def assessed(observer, observed, expected=('SAFE_STOP',), note=''):
    harness = SimpleNamespace(observer=observer, injected=0, behaviour=Behaviour.STAND)
    return Campaign._assess(
        harness, Fault('a_fault', expected, lambda harness: None), observed, note
    )


def test_a_fault_is_not_ok_in_the_wrong_mode_after_a_fall_or_beyond_a_limit(observer):
    assert assessed(observer, 'SAFE_STOP').note == 'it had stopped before'
    observer.record(state(Mode.SAFE_STOP, MS))
    assert assessed(observer, 'SAFE_STOP').ok
    wrong = assessed(observer, 'RUNNING')
    assert not wrong.ok
    assert 'RUNNING' in wrong.note
    assert not assessed(observer, 'SAFE_STOP', note='moves again by itself').ok
    observer.fell = True
    assert 'fell' in assessed(observer, 'SAFE_STOP').note
    observer.fell, observer.worst_excess = False, 0.2
    assert 'beyond its limit' in assessed(observer, 'SAFE_STOP').note
    assert {'SAFE_STOP', 'ESTOP'} <= set(STOPS)


def stop(ns, mode, *causes):
    message = state(mode, ns)
    message.causes = [Cause(name=name) for name in causes]
    return message


def wrong(observer, observed='SAFE_STOP', causes=('imu_disagreement',), within=1.0):
    fault = Fault('a', ('SAFE_STOP', 'ESTOP', ALONE), lambda harness: None, causes, within)
    return _wrong_stop(observer, fault, observed, 10 * MS)


def test_a_stop_for_another_reason_is_not_the_right_one(observer):
    observer.record(state(Mode.RUNNING, MS))
    observer.record(stop(30 * MS, Mode.SAFE_STOP, 'node_stale:camera'))
    assert wrong(observer) == ['stopped by node_stale:camera, wanted imu_disagreement']
    assert wrong(observer, causes=('camera_frozen', 'node_stale:*')) == []


def test_what_is_added_to_a_stop_later_is_not_its_cause(observer):
    observer.record(stop(30 * MS, Mode.SAFE_STOP, 'node_stale:camera'))
    observer.record(stop(80 * MS, Mode.SAFE_STOP, 'node_stale:camera', 'imu_disagreement'))
    assert wrong(observer) != []


def test_a_stop_from_before_the_fault_is_not_its_own(observer):
    observer.record(stop(5 * MS, Mode.SAFE_STOP, 'imu_disagreement'))
    assert wrong(observer) == ['stopped by no cause, wanted imu_disagreement']
    observer.record(stop(40 * MS, Mode.ESTOP, 'fall'))
    assert wrong(observer, 'ESTOP', ('fall',)) == []


def test_a_stop_that_comes_late_is_not_right(observer):
    observer.record(stop(2010 * MS, Mode.SAFE_STOP, 'imu_disagreement'))
    assert wrong(observer) == ['stopped after 2000 ms, limit 1000']
    assert wrong(observer, within=2.0) == []


def test_alone_the_driver_gives_the_reason(observer):
    message = driver(Behaviour.STAND, 50 * MS)
    message.behaviour_reason = 'supervisor silent 104 ms'
    observer.record(message)
    assert wrong(observer, ALONE, ('supervisor silent*',)) == []
    assert wrong(observer, ALONE, ('command stale',)) != []


def test_an_assessment_fails_on_another_cause(observer):
    observer.record(stop(30 * MS, Mode.SAFE_STOP, 'node_stale:camera'))
    harness = SimpleNamespace(observer=observer, injected=0, behaviour=Behaviour.STAND)
    fault = Fault('a', ('SAFE_STOP',), lambda harness: None, causes=('camera_frozen',))
    outcome = Campaign._assess(harness, fault, 'SAFE_STOP', '')
    assert not outcome.ok
    assert outcome.note == 'stopped by node_stale:camera, wanted camera_frozen'


def test_a_fault_that_nothing_proves_is_not_ok(observer, tmp_path):
    harness = SimpleNamespace(
        observer=observer, injected=0, behaviour=Behaviour.STAND, proof='', mode=Mode.SAFE_STOP,
        driver=None, mark=lambda: None, poll_until=lambda holds, seconds: holds(),
    )  # fmt: skip
    observer.record(stop(30 * MS, Mode.SAFE_STOP, 'camera_frozen'))
    campaign = Campaign({}, tmp_path / 'log')
    campaign._prepared = lambda fault: harness
    fault = Fault('a', ('SAFE_STOP',), lambda harness: nullcontext(), ('camera_frozen',))
    assert campaign._one(fault).note == 'nothing proves that it was injected'
    harness.proof = 'the relay altered a message'
    assert campaign._one(fault).ok


def test_an_outcome_has_the_json_fields_and_a_line_for_the_operator():
    outcome = FaultOutcome(
        'a', 'ESTOP', 'RUNNING', 'TRACK', False, None, 12.0, 0.1, False, False, (), 'why'
    )
    wanted = {'name', 'expected', 'observed', 'ok', 'detection_ms', 'rest_ms'}
    assert wanted | {'worst_excess_rad', 'fell'} <= set(outcome.__dataclass_fields__)
    assert 'FAIL' in line(outcome)
    assert 'why' in line(outcome)
    assert '**RUNNING**' in markdown([outcome])


def test_the_last_message_of_a_frozen_driver_is_no_motion_by_itself():
    harness = SimpleNamespace(driver=None)
    assert not _tracks(harness, 5)
    harness.driver = driver(Behaviour.TRACK, 4)
    assert not _tracks(harness, 5)
    harness.driver = driver(Behaviour.TRACK, 5)
    assert _tracks(harness, 5)
    harness.driver = driver(Behaviour.DAMP, 6)
    assert not _tracks(harness, 5)


def test_a_fault_that_ends_otherwise_is_tried_again_and_the_reason_is_reported(tmp_path):
    class Scripted(Campaign):
        def _one(self, fault):
            ok = bool(self.ends.pop(0))
            note = '' if ok else f'{len(self.ends)} left'
            return FaultOutcome(
                fault.name, 'X', 'X', 'HOLD', ok, 1.0, 2.0, 0.0, False, False, (), note
            )

    fault = next(f for f in FAULTS if f.name == 'disk_full')
    reported = []
    campaign = Scripted({}, tmp_path / 'log', tries=3)
    campaign.ends = [0, 0, 1]
    (second,) = campaign.run([fault], reported.append)
    assert second.ok
    assert (second.tries, second.before) == (3, ('2 left', '1 left'))
    assert reported == ['disk_full', 'disk_full, once more', 'disk_full, once more']
    assert '(before: 2 left) (before: 1 left)' in line(second)
    assert '(before: 1 left)' in markdown([second])
    campaign.ends = [0, 0, 0, 1]
    (never,) = campaign.run([fault], reported.append)
    assert not never.ok
    assert never.tries == 3

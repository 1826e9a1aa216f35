# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Messages that are lost, late, duplicated, reordered, replayed or corrupted."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from vla_common import topics
from vla_validation.faults.fault import ESTOP, READY, RUNNING, SAFE_STOP, Fault
from vla_validation.faults.harness import FaultHarness
from vla_validation.faults.message_faults import MODES_WITHOUT

_NO_BALANCE = ('node_stale:balance_monitor',)
# Without the joints' positions the filter brakes, too, and then has nothing to follow.
_NO_JOINTS = (*_NO_BALANCE, 'filter_danger', 'chunks_stopped')
_NO_CAMERA = ('node_stale:camera',)
_NO_CHUNKS = ('chunks_stopped', 'filter_danger')
_NO_COMMAND = ('command_stale',)
# A policy that is not to be followed: the filter changes what it requests until it cannot, an arm
# stays behind, or the balance suffers.
_BAD_POLICY = (*_NO_CHUNKS, 'filter_infeasible', 'balance_danger', 'following_error')

CAUSES_WITHOUT: Mapping[topics.Topic, tuple[str, ...]] = {
    topics.JOINT_STATES: _NO_JOINTS,
    topics.IMU: _NO_BALANCE,
    topics.LEFT_FOOT_WRENCH: _NO_BALANCE,
    topics.RIGHT_FOOT_WRENCH: _NO_BALANCE,
    topics.HARDWARE_STATUS: ('node_stale:hardware_driver',),
    topics.JOINT_REFERENCE: (),
    topics.WORLD_STATE: _NO_CAMERA,
    topics.BALANCE_STATE: _NO_BALANCE,
    topics.CAMERA_INFO: _NO_CAMERA,
    # The camera's calibration goes on; the policy sees nothing, or always the same.
    topics.COLOR_IMAGE: ('chunks_stopped', 'camera_frozen'),
    topics.SAFETY_STATUS: ('node_stale:safety_filter',),
    topics.JOINT_COMMAND: _NO_COMMAND,
    topics.ACTION_CHUNK: _NO_CHUNKS,
    topics.INFERENCE_STATUS: ('node_stale:inference',),
    # The driver and the filter stop by themselves, and the supervisor sees them do it.
    topics.SUPERVISOR_STATE: (*_NO_COMMAND, 'chunks_stopped'),
}
"""The causes of the stop when a topic falls silent."""

_SLOW = {topics.ACTION_CHUNK: 6.0, topics.COLOR_IMAGE: 6.0}
"""s until the stop, where a last chunk plays out before; else `Fault.within`."""


def _fault(
    name: str,
    expected: tuple[str, ...],
    topic: topics.Topic,
    how: str,
    causes: tuple[str, ...] = (),
    observed_for: float = 2.5,
) -> Fault:
    stops = bool(set(expected) & {SAFE_STOP, ESTOP})
    return Fault(
        name,
        expected,
        lambda harness: harness.message_fault(topic.name, how),
        causes=causes if stops else (),
        within=max(_SLOW.get(topic, 1.5), observed_for if set(expected) - {ESTOP} else 0.0),
        observed_for=observed_for,
        relayed=topic,
    )


@contextmanager
def _frozen_behind_codec(harness: FaultHarness) -> Iterator[None]:
    """No two images are equal; that they are stale shows once the head moves."""
    with harness.message_fault(topics.COLOR_IMAGE.name, 'frozen_behind_codec'):
        harness.instruct('get ready')  # looks down at the table
        yield


def _streams(topic: topics.Topic) -> list[Fault]:
    """What can happen to any stream of messages."""
    without = MODES_WITHOUT[topic]
    # A late chunk has points that are still ahead: followed, or (started again) braked.
    late = (RUNNING, SAFE_STOP) if topic is topics.ACTION_CHUNK else without
    return [
        _fault(f'{name}:{topic.name}', expected, topic, how, CAUSES_WITHOUT[topic])
        for name, expected, how in (
            ('silenced', without, 'silence'),
            ('replayed', without, 'replay'),
            ('delayed', late, 'delay'),
            # A duplicate, or an older message after a newer one, is dropped by its sequence.
            ('duplicated', (RUNNING,), 'duplicate'),
            ('reordered', (RUNNING,), 'reorder'),
        )
    ]


def _corrupted(
    topic: topics.Topic,
    hows: tuple[str, ...],
    expected: tuple[str, ...],
    observed_for: float,
    causes: tuple[str, ...] | None = None,
) -> list[Fault]:
    causes = CAUSES_WITHOUT[topic] if causes is None else causes
    return [
        _fault(f'{how}:{topic.name}', expected, topic, how, causes, observed_for) for how in hows
    ]


_BAD = ('nan', 'inf', 'wrong_size', 'unknown_joint', 'jump', 'back_in_time')
_DRIFTS = tuple(
    f'drift:{group}:{way}'
    for group in ('head', 'torso', 'left_arm', 'right_arm')
    for way in ('up', 'down')
)
_JOINTS = tuple(how for how in _BAD if how != 'jump')

FAULTS = (
    *(fault for topic in MODES_WITHOUT for fault in _streams(topic)),
    # No chunk that can be followed: the last one plays out, then the robot is stopped.
    *_corrupted(topics.ACTION_CHUNK, _BAD, (SAFE_STOP,), 8.0),
    # What can be followed within the limits is, as far as it can; or it is a reason to stop.
    *_corrupted(topics.ACTION_CHUNK, ('oscillation',), (RUNNING, SAFE_STOP), 6.0, _BAD_POLICY),
    *_corrupted(topics.ACTION_CHUNK, _DRIFTS, (RUNNING, SAFE_STOP), 8.0, _BAD_POLICY),
    *_corrupted(topics.JOINT_COMMAND, _BAD, (SAFE_STOP,), 4.0),
    # The joints' positions are unknown: the balance monitor and the filter fall silent, or ...
    *_corrupted(topics.JOINT_STATES, _JOINTS, (SAFE_STOP,), 4.0),
    # ... they accept it, and a robot with its joints elsewhere has fallen.
    *_corrupted(
        topics.JOINT_STATES,
        ('jump',),
        (SAFE_STOP, ESTOP),
        4.0,
        (*_NO_JOINTS, 'fall', 'balance_emergency', 'balance_danger'),
    ),
    *_corrupted(topics.CAMERA_INFO, ('back_in_time',), (SAFE_STOP,), 4.0),
    _fault('frozen_camera', (SAFE_STOP,), topics.COLOR_IMAGE, 'frozen', ('camera_frozen',), 8.0),
    Fault(
        'frozen_camera:behind_codec',
        (SAFE_STOP,),
        _frozen_behind_codec,
        causes=('camera_frozen',),
        within=5.0,
        relayed=topics.COLOR_IMAGE,
    ),
    _fault('simulation_clock_stopped', (SAFE_STOP,), topics.WORLD_STATE, 'replay', _NO_CAMERA, 4.0),
    # The policy may be the first to reject an image of another time: it ends its instruction, and
    # the robot holds (READY).
    _fault(
        'simulation_clock_jumping',
        (RUNNING, READY, SAFE_STOP),
        topics.WORLD_STATE,
        'leaping_clock',
        (*_NO_CAMERA, 'chunks_stopped'),
        4.0,
    ),
)

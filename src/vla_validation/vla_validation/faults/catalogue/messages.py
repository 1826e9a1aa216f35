# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Messages that are lost, late, duplicated, reordered, replayed or corrupted."""

from vla_common import topics
from vla_validation.faults.fault import ESTOP, READY, RUNNING, SAFE_STOP, Fault
from vla_validation.faults.message_faults import MODES_WITHOUT


def _fault(
    name: str, expected: tuple[str, ...], topic: topics.Topic, how: str, observed_for: float = 2.5
) -> Fault:
    return Fault(
        name,
        expected,
        lambda harness: harness.message_fault(topic.name, how),
        observed_for=observed_for,
        relayed=topic,
    )


def _streams(topic: topics.Topic) -> list[Fault]:
    """What can happen to any stream of messages."""
    without = MODES_WITHOUT[topic]
    # A late chunk has points that are still ahead: followed, or (started again) braked.
    late = (RUNNING, SAFE_STOP) if topic is topics.ACTION_CHUNK else without
    return [
        _fault(f'{name}:{topic.name}', expected, topic, how)
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
    topic: topics.Topic, hows: tuple[str, ...], expected: tuple[str, ...], observed_for: float
) -> list[Fault]:
    return [_fault(f'{how}:{topic.name}', expected, topic, how, observed_for) for how in hows]


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
    *_corrupted(topics.ACTION_CHUNK, ('oscillation',), (RUNNING, SAFE_STOP), 6.0),
    *_corrupted(topics.ACTION_CHUNK, _DRIFTS, (RUNNING, SAFE_STOP), 8.0),
    *_corrupted(topics.JOINT_COMMAND, _BAD, (SAFE_STOP,), 4.0),
    # The joints' positions are unknown: the balance monitor and the filter fall silent, or ...
    *_corrupted(topics.JOINT_STATES, _JOINTS, (SAFE_STOP,), 4.0),
    # ... they accept it, and a robot with its joints elsewhere has fallen.
    *_corrupted(topics.JOINT_STATES, ('jump',), (SAFE_STOP, ESTOP), 4.0),
    *_corrupted(topics.CAMERA_INFO, ('back_in_time',), (SAFE_STOP,), 4.0),
    _fault('frozen_camera', (SAFE_STOP,), topics.COLOR_IMAGE, 'frozen', 8.0),
    _fault('simulation_clock_stopped', (SAFE_STOP,), topics.WORLD_STATE, 'replay', 4.0),
    # The policy may be the first to reject an image of another time: it ends its instruction, and
    # the robot holds (READY).
    _fault(
        'simulation_clock_jumping',
        (RUNNING, READY, SAFE_STOP),
        topics.WORLD_STATE,
        'leaping_clock',
        4.0,
    ),
)

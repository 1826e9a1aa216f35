# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Messages that do not come, come late, twice, in disorder or again, and messages that lie."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

from vla_validation.faults.fault import ESTOP, READY, RUNNING, SAFE_STOP, Fault
from vla_validation.faults.harness import FaultHarness
from vla_validation.faults.topics import TOPICS, Topic

_CHUNK, _COMMAND, _JOINTS = '/vla/action_chunk', '/joint_command', '/joint_states'
_CAMERA, _WORLD = '/camera/color/camera_info', '/sim/world_state'


def _tampered(topic: str, how: str) -> Callable[[FaultHarness], AbstractContextManager[None]]:
    return lambda stage: stage.tampered(topic, how)


def _streams(topic: Topic) -> list[Fault]:
    """What can happen to any stream of messages."""
    gone: tuple[str, ...] = (topic.without,)
    # A chunk that is late has points that are still ahead: followed, or (started again) braked.
    late = (RUNNING, SAFE_STOP) if topic.name == _CHUNK else gone
    return [
        Fault(f'silenced:{topic.name}', gone, _tampered(topic.name, 'silence')),
        Fault(f'replayed:{topic.name}', gone, _tampered(topic.name, 'replay')),
        Fault(f'delayed:{topic.name}', late, _tampered(topic.name, 'delay')),
        # One that comes twice, or after a newer one, is dropped by its sequence: no harm done.
        Fault(f'duplicated:{topic.name}', (RUNNING,), _tampered(topic.name, 'duplicate')),
        Fault(f'reordered:{topic.name}', (RUNNING,), _tampered(topic.name, 'reorder')),
    ]


def _lies(
    topic: str, hows: tuple[str, ...], expected: tuple[str, ...], watched: float
) -> list[Fault]:
    return [
        Fault(
            f'{how}:{topic}',
            expected,
            _tampered(topic, how),
            watched=watched,
        )
        for how in hows
    ]


_BAD = ('nan', 'inf', 'wrong_size', 'unknown_joint', 'jump', 'back_in_time')
_GROUPS = ('head', 'torso', 'left_arm', 'right_arm')

_FAULTS = (
    *(fault for topic in TOPICS for fault in _streams(topic)),
    # No chunk that can be followed: the last one plays out, then the robot is stopped.
    *_lies(_CHUNK, _BAD, (SAFE_STOP,), 8.0),
    # What can be followed within the limits is, as far as it can; or it is a reason to stop.
    *_lies(_CHUNK, ('oscillation',), (RUNNING, SAFE_STOP), 6.0),
    *_lies(
        _CHUNK,
        tuple(f'drift:{group}:{way}' for group in _GROUPS for way in ('up', 'down')),
        (RUNNING, SAFE_STOP),
        8.0,
    ),
    *_lies(_COMMAND, _BAD, (SAFE_STOP,), 4.0),
    # Nobody knows where the joints are: the balance monitor and the filter fall silent, or ...
    *_lies(
        _JOINTS, ('nan', 'inf', 'wrong_size', 'unknown_joint', 'back_in_time'), (SAFE_STOP,), 4.0
    ),
    # ... they believe it, and a robot with joints elsewhere has fallen.
    *_lies(_JOINTS, ('jump',), (SAFE_STOP, ESTOP), 4.0),
    *_lies(_CAMERA, ('back_in_time',), (SAFE_STOP,), 4.0),
    Fault('frozen_camera', (SAFE_STOP,), _tampered(_WORLD, 'still'), watched=8.0),
    Fault('simulation_clock_stopped', (SAFE_STOP,), _tampered(_WORLD, 'replay'), watched=4.0),
    Fault(
        'simulation_clock_jumping',
        # The policy may be the first to disbelieve an image of another time: it ends its
        # instruction, and the robot holds (READY).
        (RUNNING, READY, SAFE_STOP),
        _tampered(_WORLD, 'leaping_clock'),
        watched=4.0,
    ),
)

FAULTS = tuple(replace(fault, relayed=True) for fault in _FAULTS)

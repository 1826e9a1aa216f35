# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The robot itself: pushed, lifted, stuck, and a bus that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from vla_validation.faults.fault import ESTOP, RUNNING, SAFE_STOP, Fault
from vla_validation.faults.harness import FaultHarness

IMPULSE = 20.0  # N·s, in 0.1 s at the chest: what has to be survived
LIFT = 25.0  # N·s upwards at one foot: half the weight for 0.1 s, so that it leaves the ground
SIDES = {'front': (1, 0), 'back': (-1, 0), 'left': (0, 1), 'right': (0, -1)}


def _pushed(x: float, y: float) -> Callable[[FaultHarness], AbstractContextManager[None]]:
    @contextmanager
    def do(stage: FaultHarness) -> Iterator[None]:
        stage.push(IMPULSE * x, IMPULSE * y, 0.0)
        yield

    return do


@contextmanager
def _foot_lifted(stage: FaultHarness) -> Iterator[None]:
    stage.push(0.0, 0.0, LIFT, stage.model.frames['left_foot'])
    yield


def _broken(what: str) -> Callable[[FaultHarness], AbstractContextManager[None]]:
    @contextmanager
    def do(stage: FaultHarness) -> Iterator[None]:
        stage.break_robot(what)
        try:
            yield
        finally:
            stage.break_robot('none')

    return do


@contextmanager
def _joint_stuck(stage: FaultHarness) -> Iterator[None]:
    stage.break_robot(f'stuck:{stage.model.joint_names[stage.model.groups["left_arm"][0]]}')
    try:
        yield
    finally:
        stage.break_robot('none')


FAULTS = (
    *(
        # The balance monitor may find it worth a stop, standing; falling is what counts.
        Fault(f'push:{side}', (RUNNING, SAFE_STOP), _pushed(x, y), watched=4.0)
        for side, (x, y) in SIDES.items()
    ),
    Fault('foot_off_the_ground', (RUNNING, SAFE_STOP), _foot_lifted, watched=4.0),
    Fault('joint_stuck', (RUNNING, SAFE_STOP), _joint_stuck, watched=5.0),
    Fault('driver_stops_reading', (ESTOP,), _broken('read_error')),
    Fault('driver_hangs_reading', (ESTOP,), _broken('read_hang')),
    Fault('driver_reads_nan', (ESTOP,), _broken('read_nan')),
    Fault('driver_stops_writing', (ESTOP,), _broken('write_error'), short=True),
)

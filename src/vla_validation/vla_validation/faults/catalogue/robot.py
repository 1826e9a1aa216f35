# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The robot itself: pushes, a lifted foot, a stuck joint, a failing bus."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from vla_validation.faults.fault import ESTOP, RUNNING, SAFE_STOP, Fault
from vla_validation.faults.harness import FaultHarness

IMPULSE = 20.0  # N·s, in 0.1 s at the chest: which must not bring it down
LIFT = 25.0  # N·s upwards at one foot: half the weight for 0.1 s, so that it leaves the ground
SIDES = {'front': (1, 0), 'back': (-1, 0), 'left': (0, 1), 'right': (0, -1)}


def _pushed(x: float, y: float) -> Callable[[FaultHarness], AbstractContextManager[None]]:
    @contextmanager
    def inject(harness: FaultHarness) -> Iterator[None]:
        harness.push(IMPULSE * x, IMPULSE * y, 0.0)
        yield

    return inject


@contextmanager
def _foot_lifted(harness: FaultHarness) -> Iterator[None]:
    harness.push(0.0, 0.0, LIFT, harness.model.frames['left_foot'])
    yield


def _broken(what: str) -> Callable[[FaultHarness], AbstractContextManager[None]]:
    @contextmanager
    def inject(harness: FaultHarness) -> Iterator[None]:
        joint = harness.model.joint_names[harness.model.groups['left_arm'][0]]
        harness.break_robot(what.format(joint=joint))
        try:
            yield
        finally:
            harness.break_robot('none')

    return inject


FAULTS = (
    *(
        # The balance monitor may stop it, standing; falling is what counts.
        Fault(f'push:{side}', (RUNNING, SAFE_STOP), _pushed(x, y), observed_for=4.0)
        for side, (x, y) in SIDES.items()
    ),
    Fault('foot_off_the_ground', (RUNNING, SAFE_STOP), _foot_lifted, observed_for=4.0),
    Fault('joint_stuck', (RUNNING, SAFE_STOP), _broken('stuck:{joint}'), observed_for=5.0),
    Fault('driver_stops_reading', (ESTOP,), _broken('read_error')),
    Fault('driver_hangs_reading', (ESTOP,), _broken('read_hang')),
    Fault('driver_reads_nan', (ESTOP,), _broken('read_nan')),
    Fault('driver_stops_writing', (ESTOP,), _broken('write_error'), short=True),
)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The robot itself: pushes, a lifted foot, a stuck joint, a failing bus."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from vla_validation.faults.fault import ESTOP, RUNNING, SAFE_STOP, Fault
from vla_validation.faults.harness import FaultHarness

IMPULSE = 20.0  # N·s, in 0.1 s at the chest: which must not bring it down
LIFT = 25.0  # N·s upwards at one foot: half the weight for 0.1 s, so that it leaves the ground
MOVED = 0.1  # m/s of the base that show a push; it moves at up to 0.03 without
SIDES = {'front': (1, 0), 'back': (-1, 0), 'left': (0, 1), 'right': (0, -1)}


def _prove_push(harness: FaultHarness) -> None:
    if harness.poll_until(lambda: harness.observer.base_speed > MOVED, 0.5):
        harness.prove(f'the base moved at {harness.observer.base_speed:.2f} m/s')


def _pushed(x: float, y: float) -> Callable[[FaultHarness], AbstractContextManager[None]]:
    @contextmanager
    def inject(harness: FaultHarness) -> Iterator[None]:
        harness.push(IMPULSE * x, IMPULSE * y, 0.0)
        _prove_push(harness)
        yield

    return inject


@contextmanager
def _foot_lifted(harness: FaultHarness) -> Iterator[None]:
    harness.push(0.0, 0.0, LIFT, harness.model.frames['left_foot'])
    _prove_push(harness)
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


_BALANCE = ('balance_danger', 'balance_emergency', 'filter_danger', 'filter_infeasible')
"""Causes of a stop that is right after a push: the robot is out of balance, or was."""

FAULTS = (
    *(
        # The balance monitor may stop it, standing; falling is what counts.
        Fault(
            f'push:{side}',
            (RUNNING, SAFE_STOP),
            _pushed(x, y),
            causes=(*_BALANCE, 'following_error'),
            within=4.5,
            observed_for=4.0,
        )
        for side, (x, y) in SIDES.items()
    ),
    Fault(
        'foot_off_the_ground',
        (RUNNING, SAFE_STOP),
        _foot_lifted,
        causes=_BALANCE,
        within=4.5,
        observed_for=4.0,
    ),
    # It is found once the motion has left the joint behind.
    Fault(
        'joint_stuck',
        (SAFE_STOP,),
        _broken('stuck:{joint}'),
        causes=('following_error',),
        within=8.0,
    ),
    *(
        Fault(name, (SAFE_STOP,), _broken(name), causes=('imu_disagreement',), within=within)
        for name, within in (
            ('imu:quaternion_order', 0.5),
            ('imu:no_orientation', 0.5),
            # While the robot moves, the accelerometer measures more than gravity.
            ('imu:accelerometer_sign', 5.0),
        )
    ),
    Fault(
        'joints:velocity_sign',
        (SAFE_STOP,),
        _broken('joints:velocity_sign'),
        causes=('joint_velocity_disagreement',),
    ),
    Fault('driver_stops_reading', (ESTOP,), _broken('read_error'), causes=('driver_fault',)),
    # A hanging read blocks the servo loop: at first there is no status at all.
    Fault(
        'driver_hangs_reading',
        (ESTOP,),
        _broken('read_hang'),
        causes=('driver_fault', 'node_stale:hardware_driver'),
    ),
    Fault('driver_reads_nan', (ESTOP,), _broken('read_nan'), causes=('driver_fault',)),
    Fault(
        'driver_stops_writing',
        (ESTOP,),
        _broken('write_error'),
        causes=('driver_fault',),
        short=True,
    ),
)

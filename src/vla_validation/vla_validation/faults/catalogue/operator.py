# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The operator: e-stops at every bad moment, and endpoints that are lost."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from vla_common.states import Behaviour, Mode
from vla_validation.faults.fault import ESTOP, SAFE_STOP, Fault, UnexpectedError
from vla_validation.faults.harness import Endpoint, FaultHarness
from vla_validation.system_harness.robot import PASSIVE

_SOON = 3.0  # s for what takes some milliseconds
_NAME = 'fault_injection'


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise UnexpectedError(otherwise)


def _reaches(harness: FaultHarness, mode: Mode, what: str) -> None:
    _must(harness.poll_until(lambda: harness.mode is mode, _SOON), f'{what}: no {mode.name}')


@contextmanager
def _pressed(harness: FaultHarness) -> Iterator[None]:
    harness.mark()
    harness.call('/supervisor/estop')
    yield


@contextmanager
def _before_start(harness: FaultHarness) -> Iterator[None]:
    """Pressed in READY; a start after it is rejected."""
    harness.mark()
    harness.call('/supervisor/estop')
    success, _ = harness.call('/supervisor/start')
    _must(not success, 'start was granted during an e-stop')
    yield


@contextmanager
def _during_stand_up(harness: FaultHarness) -> Iterator[None]:
    """Pressed during the motion to the standing pose, which must not be continued."""
    harness.call('/supervisor/safe_stop')
    _reaches(harness, Mode.SAFE_STOP, 'safe_stop')
    moving = harness.poll_until(lambda: harness.behaviour is Behaviour.STAND, _SOON)
    _must(moving, 'the robot does not stand up')
    time.sleep(0.4)
    harness.mark()
    harness.call('/supervisor/estop')
    passive = harness.poll_until(lambda: harness.behaviour in PASSIVE, _SOON)
    _must(passive, 'not damped')
    yield


@contextmanager
def _during_reset(harness: FaultHarness) -> Iterator[None]:
    """Pressed in the instant of the reset, before and after it: ESTOP prevails."""
    harness.call('/supervisor/estop')
    harness.call('/sim/reset')
    success = harness.poll_until(lambda: harness.call('/supervisor/reset')[0], 20.0)
    _must(success, 'reset is refused with no cause left')
    harness.mark()
    answers = [harness.request(f'/supervisor/{step}') for step in ('estop', 'reset', 'estop')]
    harness.wait(lambda: all(a.done() for a in answers), _SOON, 'three answers')
    _must(answers[0].result().success and answers[2].result().success, 'an e-stop was refused')
    yield


@contextmanager
def _held(harness: FaultHarness) -> Iterator[None]:
    """An endpoint's button is held down: no reset until it is released."""
    with Endpoint(harness, _NAME) as endpoint:
        harness.mark()
        endpoint.pressed = True
        endpoint.check_in()
        _reaches(harness, Mode.ESTOP, 'a pressed button')
        harness.call('/sim/reset')
        for _ in range(5):
            success, message = harness.call('/supervisor/reset')
            _must(not success, 'reset was granted with the button held')
            named = f'estop_endpoint:{_NAME}' in message
            _must(named, f'the refusal does not name the button: {message}')
        yield


@contextmanager
def _chattering(harness: FaultHarness) -> Iterator[None]:
    """A button with a loose contact: twenty presses and releases."""
    with Endpoint(harness, _NAME) as endpoint:
        harness.mark()
        for i in range(20):
            endpoint.pressed = i % 2 == 0
            endpoint.check_in()
            time.sleep(0.015)
        endpoint.pressed = False
        yield


@contextmanager
def _reset_with_cause(harness: FaultHarness) -> Iterator[None]:
    """Reset while the driver still cannot be read."""
    harness.break_robot('read_error')
    _reaches(harness, Mode.ESTOP, 'a driver that cannot read')
    success, message = harness.call('/supervisor/reset')
    _must(not success, 'reset was granted with the cause present')
    _must('driver_fault' in message, f'the refusal does not name the cause: {message}')
    harness.break_robot('none')
    yield


@contextmanager
def _lost(harness: FaultHarness, hard: bool) -> Iterator[None]:
    with Endpoint(harness, _NAME, hard=1.0 if hard else 10.0) as endpoint:
        harness.mark()
        endpoint.lose()
        _reaches(harness, Mode.SAFE_STOP, 'an endpoint lost softly')
        if hard:
            _reaches(harness, Mode.ESTOP, 'an endpoint lost for long')
        yield


FAULTS = (
    Fault('estop:while_moving', (ESTOP,), _pressed),
    Fault('estop:before_start', (ESTOP,), _before_start, moving=False, short=True),
    Fault('estop:during_stand_up', (ESTOP,), _during_stand_up),
    Fault('estop:during_reset', (ESTOP,), _during_reset, moving=False),
    Fault('estop:held', (ESTOP,), _held, short=True),
    Fault('estop:chattering', (ESTOP,), _chattering),
    Fault('reset_with_cause_present', (ESTOP,), _reset_with_cause),
    Fault('endpoint_lost:softly', (SAFE_STOP,), lambda harness: _lost(harness, hard=False)),
    Fault('endpoint_lost:for_long', (ESTOP,), lambda harness: _lost(harness, hard=True)),
)

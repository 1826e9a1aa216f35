# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""E-stops at every bad moment, and endpoints that are lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from vla_common.states import Behaviour, Mode
from vla_validation.faults.fault import ESTOP, SAFE_STOP, Fault, WentWrongError
from vla_validation.faults.harness import Button, FaultHarness

_SOON = 3.0  # s for what takes some milliseconds
LIMP = (Behaviour.DAMP, Behaviour.OFF)


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise WentWrongError(otherwise)


def _becomes(stage: FaultHarness, mode: Mode, what: str) -> None:
    _must(stage.robot.holds(lambda: stage.robot.mode is mode, _SOON), f'{what}: no {mode.name}')


@contextmanager
def _pressed(stage: FaultHarness) -> Iterator[None]:
    stage.mark()
    stage.robot.call('/supervisor/estop')
    yield


@contextmanager
def _before_start(stage: FaultHarness) -> Iterator[None]:
    """Pressed in READY; an instruction given after it is refused."""
    stage.mark()
    stage.robot.call('/supervisor/estop')
    granted, _ = stage.robot.call('/supervisor/start')
    _must(not granted, 'start was granted during an e-stop')
    yield


@contextmanager
def _during_stand_up(stage: FaultHarness) -> Iterator[None]:
    """Pressed in the middle of the motion to the standing pose, which must not be continued."""
    stage.robot.call('/supervisor/safe_stop')
    _becomes(stage, Mode.SAFE_STOP, 'safe_stop')
    moving = stage.robot.holds(lambda: stage.robot.behaviour is Behaviour.STAND, _SOON)
    _must(moving, 'the robot does not stand up')
    stage.robot.holds(lambda: False, 0.4)
    stage.mark()
    stage.robot.call('/supervisor/estop')
    limp = stage.robot.holds(lambda: stage.robot.behaviour in LIMP, _SOON)
    _must(limp, 'not damped')
    yield


@contextmanager
def _during_reset(stage: FaultHarness) -> Iterator[None]:
    """Pressed in the instant of the reset, before and after it: ESTOP has the last word."""
    stage.robot.call('/supervisor/estop')
    stage.robot.call('/sim/reset')
    granted = stage.robot.holds(lambda: stage.robot.call('/supervisor/reset')[0], 20.0)
    _must(granted, 'reset is refused with no cause left')
    stage.mark()
    answers = [stage.robot.ask(f'/supervisor/{step}') for step in ('estop', 'reset', 'estop')]
    stage.robot.wait(lambda: all(a.done() for a in answers), _SOON, 'three answers')
    _must(answers[0].result().success and answers[2].result().success, 'an e-stop was refused')
    yield


@contextmanager
def _held(stage: FaultHarness) -> Iterator[None]:
    """An endpoint's button is held down: no reset until it is released."""
    button = Button(stage.robot, 'drill')
    try:
        stage.mark()
        button.pressed = True
        button.check_in()
        _becomes(stage, Mode.ESTOP, 'a pressed button')
        stage.robot.call('/sim/reset')
        for _ in range(5):
            granted, said = stage.robot.call('/supervisor/reset')
            _must(not granted, 'reset was granted with the button held')
            _must('estop_endpoint:drill' in said, f'the refusal does not name the button: {said}')
        yield
    finally:
        button.leave()


@contextmanager
def _chattering(stage: FaultHarness) -> Iterator[None]:
    """A button with a loose contact: twenty presses and releases."""
    button = Button(stage.robot, 'drill')
    try:
        stage.mark()
        for i in range(20):
            button.pressed = i % 2 == 0
            button.check_in()
            stage.robot.holds(lambda: False, 0.015)
        button.pressed = False
        yield
    finally:
        button.leave()


@contextmanager
def _reset_with_cause(stage: FaultHarness) -> Iterator[None]:
    """Reset while the driver still cannot be read."""
    stage.break_robot('read_error')
    _becomes(stage, Mode.ESTOP, 'a driver that cannot read')
    granted, said = stage.robot.call('/supervisor/reset')
    _must(not granted, 'reset was granted with the cause present')
    _must('driver_fault' in said, f'the refusal does not name the cause: {said}')
    stage.break_robot('none')
    yield


@contextmanager
def _lost(stage: FaultHarness, hard: bool) -> Iterator[None]:
    button = Button(stage.robot, 'drill', hard=1.0 if hard else 10.0)
    try:
        stage.mark()
        button.lose()
        _becomes(stage, Mode.SAFE_STOP, 'an endpoint lost softly')
        if hard:
            _becomes(stage, Mode.ESTOP, 'an endpoint lost for long')
        yield
    finally:
        button.leave()


FAULTS = (
    Fault('estop:while_moving', (ESTOP,), _pressed),
    Fault('estop:before_start', (ESTOP,), _before_start, moving=False, short=True),
    Fault('estop:during_stand_up', (ESTOP,), _during_stand_up),
    Fault('estop:during_reset', (ESTOP,), _during_reset, moving=False),
    Fault('estop:held', (ESTOP,), _held, short=True),
    Fault('estop:chattering', (ESTOP,), _chattering),
    Fault('reset_with_cause_present', (ESTOP,), _reset_with_cause),
    Fault('endpoint_lost:softly', (SAFE_STOP,), lambda stage: _lost(stage, hard=False)),
    Fault('endpoint_lost:for_long', (ESTOP,), lambda stage: _lost(stage, hard=True)),
)

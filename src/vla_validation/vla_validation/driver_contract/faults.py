# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Clauses of the driver contract: stale states, stops, cut connections, errors, hung processes.

Each raises `Broken` or `NotApplicableError`, or returns what it measured.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from vla_common.distribution import distribution
from vla_common.states import Behaviour, Mode
from vla_hardware.drivers.base import DriverError
from vla_validation.driver_contract.rig import (
    CLOSE,
    Broken,
    NotApplicableError,
    Rig,
    Servo,
    Stopwatch,
    refusal,
    within,
)

SAME = 0.05  # rad between what was read, what is, and what was commanded
STILL = 0.03  # rad that a robot at rest may move
STALE = 0.1  # s after which an old reading is an error, and a target is not sent again
STOPPED = 0.3  # s from the request of a stop to motors that are passive, or joints at rest
PULLED_MS = 100.0  # from the pulled cable to the behaviour
CPU = 10.0  # % of a core


def stale(rig: Rig) -> str:
    _wire(rig)
    with rig.driver() as driver:
        driver.connect()
        driver.read()
        rig.wait(0.1)
        rig.double.freeze(True)
        try:
            begin, last, refused = rig.clock.now, 0.0, 0
            while (passed := rig.clock.now - begin) < 0.6:
                if refusal(driver.read, DriverError) is None:
                    last = passed
                else:
                    refused += 1
                rig.wait(0.005)
        finally:
            rig.double.freeze(False)
        if not last <= STALE or not refused:
            raise Broken(f'{last * 1e3:.0f} ms after the last state of the robot, it is still read')
        return f'the last reading {last * 1e3:.0f} ms after the robot fell silent'


def _wire(rig: Rig) -> None:
    if not rig.double.has_wire:
        raise NotApplicableError(rig.double.what)


def stop(rig: Rig) -> str:
    slowest = 0.0
    for name, enter in _STATES.items():
        with rig.servo() as servo:
            enter(rig, servo)
            begin = rig.clock.now
            servo.estop()
            rig.until(lambda: servo.loop.motion.behaviour.passive, STOPPED, servo.cycle)
            rest = rig.until(lambda: _stopped(rig, servo), STOPPED, servo.cycle)
            took = rig.clock.now - begin
            if rest == math.inf:
                raise Broken(f'{name}: it is not stopped {STOPPED:g} s after the e-stop')
            slowest = max(slowest, took)
            begin = rig.clock.now
            servo.driver.close()
            within(rig.clock.now - begin, CLOSE, f'{name}: close')
    return f'at most {slowest * 1e3:.0f} ms, from {len(_STATES)} states'


def _stopped(rig: Rig, servo: Servo) -> bool:
    if not rig.double.stiff():
        return True
    before = rig.where(servo.driver).copy()
    begin = rig.clock.now
    servo.run(0.03)
    moved = np.abs(rig.where(servo.driver) - before).max()
    return bool(moved <= rig.limits.rest_velocity * (rig.clock.now - begin))


def _moving(rig: Rig, servo: Servo) -> None:
    servo.start()
    servo.move(0.2, *rig.moved_joint(servo.reading.position))


def _in(mode: Mode, behaviour: Behaviour) -> Callable[[Rig, Servo], None]:
    def enter(rig: Rig, servo: Servo) -> None:
        servo.hold()
        servo.request(mode, behaviour)
        servo.publish_state()
        servo.run(0.2)

    return enter


_STATES: dict[str, Callable[[Rig, Servo], None]] = {
    'just connected': lambda rig, servo: None,
    'holding': lambda rig, servo: servo.hold(),
    'moving': _moving,
    'standing up': _in(Mode.SAFE_STOP, Behaviour.STAND),
    'damped': _in(Mode.ESTOP, Behaviour.DAMP),
    'off': _in(Mode.ESTOP, Behaviour.OFF),
}


def not_finite(rig: Rig) -> str:
    with rig.servo() as servo:
        servo.start()
        joint, _ = rig.moved_joint(servo.reading.position)
        begin = rig.where(servo.driver).copy()
        bad = [servo.loop.motion.position.copy() for _ in range(2)]
        bad[0][joint], bad[1][joint] = math.nan, math.inf
        for _ in range(20):
            for target in bad:
                servo.command(target, target)
            servo.cycle()
        if not all(one.finite for one in servo.driver.writes):
            raise Broken('the servo loop wrote a value that is not finite')
        gains = servo.loop.output._servo_gains
        zeros = np.zeros(rig.robot.n)
        for target in bad:
            for given in ((target, zeros, zeros), (begin, target, zeros), (begin, zeros, target)):
                if refusal(lambda: servo.driver.driver.write(*given, gains), DriverError) is None:  # noqa: B023
                    raise Broken('write() accepts a target that is not finite')
        servo.run(0.2)
        now = rig.where(servo.driver)
        if not np.isfinite(now).all() or not np.abs(now - begin).max() <= SAME:
            raise Broken('a target that is not finite moved the robot')
        return 'refused'


def reconnect(rig: Rig) -> str:
    with rig.servo() as servo:
        for _ in range(rig.pulls):
            servo.start()
            servo.move(0.1, *rig.moved_joint(servo.reading.position))
            if servo.loop.fault:
                raise Broken(f'a fault while the cable was plugged: {servo.loop.fault}')
            took = Stopwatch(rig.clock)
            rig.double.pull_cable()
            try:
                rig.until(lambda: servo.loop.motion.behaviour.passive, 1.0, servo.cycle)
                rig.cable_pull_ms.append(took() * 1e3)
                servo.run(0.05)
            finally:
                rig.double.plug_cable()
            _stays_stopped(rig, servo, 'the cable is plugged again')
            servo.recover()
    shown = distribution(rig.cable_pull_ms)
    if not shown['p99'] <= PULLED_MS:
        raise Broken(f'p99 {shown["p99"]} ms from the pulled cable to damp (limit {PULLED_MS} ms)')
    return f'damped after p50 {shown["p50"]} ms, p99 {shown["p99"]} ms (n {shown["n"]})'


def _stays_stopped(rig: Rig, servo: Servo, when: str) -> None:
    """The robot is back, the supervisor still says RUNNING, commands come: nothing moves."""
    before, position = rig.double.commands(), rig.double.position()
    servo.move(0.2, *rig.moved_joint(servo.reading.position))
    now = rig.double.position()
    moved = 0.0 if position is None or now is None else float(np.abs(now - position).max())
    if not servo.loop.motion.behaviour.passive:
        raise Broken(f'{when}, and the robot moves on')
    if rig.double.has_wire and (rig.double.commands() != before or not moved <= STILL):
        raise Broken(f'{when}, and the driver sends what was commanded before')


def errors(rig: Rig) -> str:
    if not rig.double.error_states:
        raise NotApplicableError('the robot has no error states')
    for state in rig.double.error_states:
        with rig.servo() as servo:
            servo.start()
            servo.move(0.1, *rig.moved_joint(servo.reading.position))
            if servo.loop.fault:
                raise Broken(f'a fault before the robot had one: {servo.loop.fault}')
            servo.driver.errors.clear()
            rig.double.enter(state)
            try:
                took = rig.until(lambda: bool(servo.loop.fault), 0.3, servo.cycle)
                if took == math.inf:
                    raise Broken(f'{state}: not reported within 0.3 s')
                _explained(state, servo)
                servo.run(0.05)  # nothing is on its way any more
            finally:
                rig.double.enter('')
            _stays_stopped(rig, servo, f'{state} ended')
    return f'{", ".join(rig.double.error_states)}: each with a cause and what to do'


def _explained(state: str, servo: Servo) -> None:
    found = [error for error in servo.driver.errors if isinstance(error, DriverError)]
    if not any(error.stopped for error in found):
        raise Broken(f'{state}: no DriverError(…, stopped=True): {servo.loop.fault}')
    if not all(error.cause and error.action for error in found if error.stopped):
        raise Broken(f'{state}: the error does not say what the operator does: {servo.loop.fault}')


def hung_loop(rig: Rig) -> str:
    with rig.servo() as servo:
        text = getattr(servo.driver, 'when_killed', '')
        if not isinstance(text, str) or not text.strip():
            raise Broken('when_killed does not say what the robot does without this process')
        servo.start()
        servo.move(0.2, *rig.moved_joint(servo.reading.position))
        rig.wait(1.5 * STALE)
        before = rig.double.commands()
        rig.wait(0.3)
        if rig.double.commands() != before:
            raise Broken('a thread of the driver sends old targets on while the servo loop hangs')
        return text


def cost(rig: Rig) -> str:
    seconds = 2.0
    with rig.servo() as servo:
        servo.hold()
        servo.driver.cpu = 0.0
        others = -_others(rig, servo)
        servo.run(seconds)
        others += _others(rig, servo)
        rig.cpu_percent = round((servo.driver.cpu + max(others, 0.0)) / seconds * 100.0, 1)
    if not rig.simulated and not rig.cpu_percent <= CPU:
        raise Broken(f'{rig.cpu_percent} % of a core (limit {CPU:g} %)')
    return f'{rig.cpu_percent} % of a core' + (' with the physics' if rig.simulated else '')


def _others(rig: Rig, servo: Servo) -> float:
    """CPU time of the driver beside this thread, s: all other threads, without the double's, and
    the processes of its own (`cpu_seconds`)."""
    double = getattr(rig.double, 'cpu_seconds', None)
    processes = getattr(servo.driver, 'cpu_seconds', None)
    used = time.process_time() - time.thread_time()
    return used - (double() if double else 0.0) + (processes() if processes else 0.0)

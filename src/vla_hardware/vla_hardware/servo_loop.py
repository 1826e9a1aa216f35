# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""One cycle of the driver, 200 times a second: read, decide, move the reference, clamp, write.

Everything between the sensors and the motors is here, and nothing of ROS: the node feeds it
messages as plain values and publishes what it reports.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vla_common.states import Behaviour, Mode
from vla_hardware.behaviours import LIMP, ReferenceMotion, clamp
from vla_hardware.command_gate import CommandGate
from vla_hardware.drivers.base import Driver, DriverError, Gains
from vla_hardware.gravity import Gravity, Hands
from vla_hardware.protective_stop import (
    StopDecision,
    StopInputs,
    StopRules,
    SupervisorWatch,
    decide,
)
from vla_hardware.sensor_check import SensorCheck, SensorFault
from vla_robot import Reading, RobotModel


@dataclass(frozen=True)
class LoopLimits:
    """The servo loop's safety numbers; none has a default.

    command_timeout s, supervisor_timeout s, max_command_step rad: see `CommandGate` and
    `SupervisorWatch`. rest_velocity rad/s: slower is at rest. standing_tolerance rad: measured to
    standing pose. errors_to_fault: flawed readings or failed writes in a row that make a fault.
    fault_clear_time s: good readings for so long, and ESTOP heard, and the fault is over.
    read_deadline s: a read that took longer counts as flawed. damp_factor: viscous damping of
    `damp` as a multiple of the servo's kv. lying_tilt rad: beyond it the robot counts as lying.
    max_balance_offset rad: bound of the balance offset, each joint. stand_lead rad: how far a
    joint's target may be ahead of the joint in stand.
    """

    command_timeout: float
    supervisor_timeout: float
    max_command_step: float
    rest_velocity: float
    standing_tolerance: float
    errors_to_fault: int
    fault_clear_time: float
    read_deadline: float
    damp_factor: float
    lying_tilt: float
    max_balance_offset: float
    stand_lead: float


class Balance(Protocol):
    """The part of `vla_balance.correction.BalanceCorrection` that the loop uses."""

    def update(
        self,
        dt: float,
        q: np.ndarray,
        v: np.ndarray,
        orientation: np.ndarray,
        angular_velocity: np.ndarray,
        left_wrench: np.ndarray,
        right_wrench: np.ndarray,
        reference: np.ndarray,
    ) -> np.ndarray: ...

    def reset(self) -> None: ...


class NoBalance:
    """For a robot that cannot fall: a mock without physics, or one that stands on a base."""

    def __init__(self, n: int) -> None:
        self._zeros = np.zeros(n)

    def update(self, *state: object) -> np.ndarray:
        return self._zeros

    def reset(self) -> None:
        pass


class ServoLoop:
    """The control thread's whole state.

    robot: whose limits, gains, poses and stop rules are kept. period: nominal seconds between
    cycles. clock: seconds, steady. Raises ConfigError for stop rules that do not exist.
    """

    def __init__(
        self,
        robot: RobotModel,
        *,
        period: float,
        limits: LoopLimits,
        driver: Driver,
        balance: Balance,
        clock: Callable[[], float],
    ) -> None:
        n, bounds = robot.n, robot.limits
        kp, kv = robot.servo.kp, robot.servo.kv
        self.driver = driver
        self.motion = ReferenceMotion(
            bounds.lower,
            bounds.upper,
            bounds.velocity,
            bounds.acceleration,
            robot.poses['standing'],
            robot.stops.safe_stop_duration,
            [robot.waypoints(pose) for pose in robot.paths],
            Hands(robot),
        )
        self.gate = CommandGate(robot.joint_names, limits.command_timeout, limits.max_command_step)
        self.watch = SupervisorWatch(limits.supervisor_timeout)
        self._check = SensorCheck(bounds.velocity)
        self._rules, self._limits = StopRules.of(robot), limits
        self._balance, self._gravity, self._clock = balance, Gravity(robot), clock
        self._lower, self._upper, self._velocity_limit = bounds.lower, bounds.upper, bounds.velocity
        self._effort_limit = bounds.effort
        self._gains = {
            Behaviour.HOLD: Gains(kp, kv),
            Behaviour.DAMP: Gains(np.zeros(n), kv * limits.damp_factor),
            Behaviour.OFF: Gains(np.zeros(n), np.zeros(n)),
        }
        self._lying_cosine = math.cos(limits.lying_tilt)
        self._nominal = period
        self._free = robot.groups['upper_body']  # need not carry the robot
        self._zeros = np.zeros(n)
        self._target = np.zeros(n)
        self._last_target: np.ndarray | None = None
        self._feed = np.zeros(n)
        self._powered = False
        self._flaws_in_row = 0
        self._write_errors_in_row = 0
        self._good_since: float | None = None
        self._estop_seen = False
        self._last_cycle: float | None = None
        self._open_since: int | None = None
        self._offset = np.zeros(n)
        self._track_stale = False
        self._graced = False
        self.reading: Reading | None = None
        self._speed_is_of: Reading | None = None
        self._speed = math.inf
        self.decision = StopDecision(Behaviour.HOLD, 'not started')
        self.flawed = False
        self.fault = ''
        self.ending = ''
        self.clamped = 0
        self.read_errors = 0
        self.write_errors = 0
        self.last_error = ''
        self.period = 0.0
        self.duration = 0.0

    # -- what comes in ---------------------------------------------------------------------

    def connect(self) -> None:
        """Reaches the robot and looks at it; nothing moves. Raises DriverError."""
        self.driver.connect()
        self.reading = self._read_checked(self._clock())
        if self.reading is None:
            raise DriverError(self.last_error)

    def begin(self) -> None:
        """Activation: hold, in the standing pose if the robot is there, else where it is."""
        assert self.reading is not None
        pose = self.reading.position
        near = np.abs(pose - self.motion.standing_pose) <= self._limits.standing_tolerance
        self.motion.restart(self.motion.standing_pose if near.all() else pose)
        self.motion.behaviour = Behaviour.HOLD
        self.ending = ''
        # Deactivated and activated again within one RUNNING: that motion is over.
        self.watch.pause()
        self._balance.reset()
        self._last_target = None

    def hear_supervisor(
        self,
        mode: int,
        behaviour: int,
        motion_epoch: int,
        sequence: int,
        stamp_ns: int,
        wall_ns: int,
    ) -> bool:
        """Takes one /supervisor/state; a stop it brings is obeyed in the next cycle."""
        return self.watch.hear(
            mode, behaviour, motion_epoch, sequence, stamp_ns, wall_ns, self._clock()
        )

    def offer_command(
        self,
        names: Sequence[str],
        position: Sequence[float],
        velocity: Sequence[float],
        effort: Sequence[float],
        stamp_ns: int,
        wall_ns: int,
    ) -> None:
        """Takes one /joint_command, if the gate lets it through."""
        self._follow_epoch()
        self.gate.offer(
            names, position, velocity, effort, stamp_ns, wall_ns, self._clock(),
            self.motion.position,
        )  # fmt: skip

    def moved_elsewhere(self, standing: bool) -> None:
        """The simulated robot was put back: forget what is known of its motion."""
        self._check.forget()
        self._balance.reset()
        self._last_target = None
        if standing:
            self.motion.restart(self.motion.standing_pose)

    # -- the cycle -------------------------------------------------------------------------

    def cycle(self) -> None:
        """Reads, decides and writes once. Never raises.

        Whatever fails in here is a fault and damps: an exception that left would leave the last
        command in force at the servos, and no e-stop could reach them any more.
        """
        now = self._clock()
        nominal = self._nominal
        self.period = now - self._last_cycle if self._last_cycle is not None else nominal
        self._last_cycle = now
        # After a stall the reference must not leap: it moves on by at most four nominal cycles.
        dt = min(max(self.period, 0.1 * nominal), 4 * nominal)

        try:
            self._work(now, dt)
        except Exception as error:
            self.last_error = f'control error: {type(error).__name__}: {error}'
            self._fail(self.last_error)
            off = self.motion.behaviour is Behaviour.OFF
            self.motion.behaviour = Behaviour.OFF if off else Behaviour.DAMP
            self.decision = StopDecision(self.motion.behaviour, self.fault)
            self._write(self.motion.behaviour, dt)
        self.duration = self._clock() - now

    def _work(self, now: float, dt: float) -> None:
        reading = self._read_checked(now)
        self.flawed = reading is None
        if reading is not None:
            self.reading = reading
        self._judge_fault(now, reading is not None and self._write_errors_in_row == 0)
        self._follow_epoch()
        self.decision = decide(self._circumstances(now), self._rules)
        behaviour = self.decision.behaviour
        measured = self.reading.position if self.reading is not None else self._zeros
        was_limp = self.motion.behaviour in LIMP
        self.motion.switch(behaviour, measured)
        if was_limp and behaviour not in LIMP:
            self._balance.reset()
            self._last_target = None
        if behaviour is Behaviour.TRACK:
            self.clamped += self.motion.follow(self.gate.position, self.gate.velocity, dt)
        else:
            self.motion.tick(dt, measured)
        self._write(behaviour, dt)

    def limp_at_once(self) -> bool:
        """Damps (or switches off) for an ESTOP just heard, before anything is read; whether it did.

        The next cycle does the same again, as of any other time. Never raises.
        """
        if not (self.owes_a_stop and self.watch.mode is Mode.ESTOP) or self.reading is None:
            return False
        now = self._clock()
        try:
            self._follow_epoch()
            decision = decide(self._circumstances(now), self._rules)
            if decision.behaviour not in LIMP:
                return False
            self.decision = decision
            self.motion.switch(decision.behaviour, self.reading.position)
        except Exception as error:
            self.last_error = f'control error: {type(error).__name__}: {error}'
            self._fail(self.last_error)
            return False  # the cycle deals with it
        self._write(decision.behaviour, self._nominal)
        self.duration = self._clock() - now
        return True

    @property
    def owes_a_stop(self) -> bool:
        """The supervisor wants a stop that the last cycle did not know of yet."""
        if self.watch.mode is Mode.ESTOP:
            return self.motion.behaviour not in LIMP
        return self.motion.behaviour is Behaviour.TRACK and self.watch.mode is not Mode.RUNNING

    @property
    def behaviour_done(self) -> bool:
        """Stand: the pose is reached; hold, damp, off: at rest."""
        behaviour = self.motion.behaviour
        if behaviour is Behaviour.STAND:
            return self.motion.resting and self.standing and self.at_rest
        return self.at_rest and (behaviour in LIMP or self.motion.resting)

    @property
    def stopped(self) -> bool:
        """Nothing moves any more and nothing is going to; `stand` may have met an obstacle."""
        return self.at_rest and self.motion.resting

    @property
    def max_joint_speed(self) -> float:
        """rad/s, measured; inf before anything was measured."""
        reading = self.reading
        if reading is None:
            return math.inf
        if reading is not self._speed_is_of:  # asked for several times a cycle
            self._speed_is_of = reading
            self._speed = float(np.maximum.reduce(np.abs(reading.velocity)))
        return self._speed

    @property
    def at_rest(self) -> bool:
        return self.max_joint_speed <= self._limits.rest_velocity

    @property
    def standing(self) -> bool:
        """The measured joints are in the standing pose, and the robot is upright."""
        if self.reading is None or self.motion.behaviour in LIMP:
            return False
        off = self.reading.position - self.motion.standing_pose - self._offset
        near = np.maximum.reduce(np.abs(off)) <= self._limits.standing_tolerance
        return bool(near) and not self.lying

    @property
    def lying(self) -> bool:
        """Tilted beyond `lying_tilt`: the angle between the IMU's z axis and the vertical."""
        if self.reading is None:
            return False
        _, x, y, _ = self.reading.orientation.tolist()
        return not 1.0 - 2.0 * (x * x + y * y) >= self._lying_cosine

    # -- inside ----------------------------------------------------------------------------

    def _read_checked(self, now: float) -> Reading | None:
        try:
            reading = self.driver.read()
        except DriverError as error:
            return self._flawed(str(error))
        except Exception as error:  # a vendor's library may raise anything
            return self._flawed(f'{type(error).__name__}: {error}')
        took = self._clock() - now
        late = not took <= self._limits.read_deadline
        if late:
            # Once, it may have been the scheduler of a crowded computer, and the reading is good.
            self._flawed(f'took {took * 1e3:.0f} ms')
        try:
            flaw = self._check.judge(reading, now)
        except Exception as error:  # ... and give anything: lists, None, a part of a reading
            return self._flawed(f'not a reading: {type(error).__name__}: {error}')
        if flaw is not None:
            kind, where = flaw
            return self._flawed(f'{kind.value}: {where}', fatal=kind is SensorFault.NOT_FINITE)
        if not late:
            self._flaws_in_row = 0
        return reading

    def _flawed(self, what: str, fatal: bool = False) -> None:
        self.read_errors += 1
        self._flaws_in_row += 1
        self.last_error = f'read error: {what}'
        if fatal or self._flaws_in_row >= self._limits.errors_to_fault:
            self._fail(self.last_error)

    def _fail(self, what: str) -> None:
        if not self.fault:  # the first reason is the one to look for
            self.fault = what
        self._good_since = None
        self._estop_seen = False
        self.watch.pause()

    def _judge_fault(self, now: float, good: bool) -> None:
        """A fault stays until readings were good for a while *and* the supervisor said ESTOP."""
        if not self.fault:
            return
        self._estop_seen |= self.watch.mode is Mode.ESTOP
        if not good:
            self._good_since = None
        elif self._good_since is None:
            self._good_since = now
        elif self._estop_seen and now - self._good_since >= self._limits.fault_clear_time:
            self.fault = ''
            self.watch.pause()

    def _follow_epoch(self) -> None:
        """Opens the gate when RUNNING begins, shuts it when it ends."""
        since = None if self.fault or self.ending else self.watch.running_since_ns
        if since != self._open_since:
            self._open_since = since
            self._track_stale = False
            if since is None:
                self.gate.shut()
            else:
                self.gate.open(since)

    def _circumstances(self, now: float) -> StopInputs:
        # After a stall of this loop itself, what was said meanwhile is still in the queue: one
        # cycle of grace to hear it, never two in a row.
        stalled = self.period > 0.5 * self._limits.supervisor_timeout and not self._graced
        self._graced = stalled
        silent = not stalled and self.watch.silent(now)
        if silent:
            self._follow_epoch()
        there = self.gate.age(now) < np.inf
        # Once stale stays stale until RUNNING begins anew: the filter's old motion must not go on
        # by itself when its process thaws.
        self._track_stale |= there and not stalled and not self.gate.fresh(now)
        return StopInputs(
            fault=self.fault,
            ending=self.ending,
            supervisor_age=self.watch.age(now),
            supervisor_silent=silent,
            mode=self.watch.mode,
            asked=self.watch.behaviour,
            running=self._open_since is not None,
            command_there=there,
            command_fresh=not self._track_stale,
            limp_and_resting=self.motion.behaviour in LIMP and self.at_rest,
            lying=self.lying,
            off=self.motion.behaviour is Behaviour.OFF,
        )

    def _write(self, behaviour: Behaviour, dt: float) -> None:
        reading = self.reading
        try:
            powered = behaviour is not Behaviour.OFF
            if powered is not self._powered:
                self.driver.power(powered)
                self._powered = powered
            if behaviour in LIMP or reading is None:
                self._offset[:] = 0.0
                gains = self._gains[Behaviour.OFF if not powered else Behaviour.DAMP]
                self.driver.write(self.motion.position, self._zeros, self._zeros, gains)
            else:
                self._aim(reading, dt)
                self._feed_forward(behaviour, reading)
                # A sum of squares is finite only if every term is. `clamp` lets NaN through.
                target, velocity, feed = self._target, self.motion.velocity, self._feed
                if not math.isfinite(target @ target + velocity @ velocity + feed @ feed):
                    raise DriverError('what would be written is not finite')
                self.driver.write(
                    self._target, self.motion.velocity, self._feed, self._gains[Behaviour.HOLD]
                )
        except Exception as error:
            self.write_errors += 1
            self._write_errors_in_row += 1
            self.last_error = f'write error: {error}'
            if self._write_errors_in_row >= self._limits.errors_to_fault:
                self._fail(self.last_error)
        else:
            self._write_errors_in_row = 0

    def _aim(self, reading: Reading, dt: float) -> None:
        """Servo target = reference + bounded balance offset, inside the URDF limits."""
        offset = self._balance.update(
            dt,
            reading.position,
            reading.velocity,
            reading.orientation,
            reading.angular_velocity,
            reading.left_wrench,
            reading.right_wrench,
            self.motion.position,
        )
        bound = self._limits.max_balance_offset
        if math.isfinite(offset @ offset):
            clamp(offset, -bound, bound, self._offset)
        else:
            # Its filters would keep the NaN for good; the last offset stays for one cycle.
            self._balance.reset()
        np.add(self.motion.position, self._offset, out=self._target)
        if self.motion.behaviour is Behaviour.STAND:
            # An arm that meets a table on its way presses on it only so hard: a robot that pushes
            # itself off ever harder falls over. Legs are left out, their torque is the balance.
            free, lead = self._free, self._limits.stand_lead
            at = reading.position[free]
            self._target[free] = np.clip(self._target[free], at - lead, at + lead)
        clamp(self._target, self._lower, self._upper, self._target)
        if self._last_target is None:
            self._last_target = self.motion.position.copy()
        step = self._velocity_limit * dt
        clamp(self._target, self._last_target - step, self._last_target + step, self._target)
        self._last_target[:] = self._target

    def _feed_forward(self, behaviour: Behaviour, reading: Reading) -> None:
        if behaviour is Behaviour.TRACK:
            torque = self.gate.effort
        else:
            torque = self._gravity(reading.position, reading.orientation)
        clamp(torque, -self._effort_limit, self._effort_limit, self._feed)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""One servo cycle, 200 times a second: read, decide, move the reference, write.

Everything between the sensors and the motors, without ROS: the node passes messages in as plain
values and publishes what is reported.
"""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from vla_common.states import Behaviour, Mode
from vla_hardware.command_gate import CommandGate, Rejection
from vla_hardware.cross_check import CrossCheck, Disagreement
from vla_hardware.device_check import check_at_rest, check_device, fastest_joint
from vla_hardware.drivers.base import Driver, DriverError
from vla_hardware.faults import ErrorCounter, FaultLatch
from vla_hardware.grip import GripperReading, check_can_grip, read_grippers
from vla_hardware.limits import ServoLimits
from vla_hardware.protective_stop import StopDecision, StopInputs, StopRules, decide
from vla_hardware.reference_motion import ReferenceMotion
from vla_hardware.sensor_check import SensorCheck, SensorReader
from vla_hardware.servo_output import Balance, ServoOutput
from vla_hardware.supervisor_watch import SupervisorWatch
from vla_robot import Reading, RobotModel

LOOK_AGAIN = 0.05
"""s between two readings of a robot whose velocity says that it moves, before configure ends."""


class ServoLoop:
    """The state of the control thread.

    robot: whose limits, gains, poses and stop rules apply. period: nominal s between cycles.
    clock: s, steady. Raises ConfigError for stop rules that do not exist.
    """

    def __init__(
        self,
        robot: RobotModel,
        *,
        period: float,
        limits: ServoLimits,
        driver: Driver,
        balance: Balance,
        clock: Callable[[], float],
    ) -> None:
        check_can_grip(robot, driver)
        self.driver, self._robot = driver, robot
        self.motion = ReferenceMotion.of(robot)
        self.gate = CommandGate(robot.joint_names, limits.command_timeout, limits.max_command_step)
        self.watch = SupervisorWatch(limits.supervisor_timeout)
        self.faults = FaultLatch(limits, self.watch.pause)
        self.read_errors = ErrorCounter('read', limits, self.faults)
        self.write_errors = ErrorCounter('write', limits, self.faults)
        self.output = ServoOutput(robot, limits, driver, balance, self.write_errors)
        self._check = SensorCheck(robot.limits.velocity)
        stands = driver.can_fall and bool(robot.foot_boxes)
        self.cross_check = CrossCheck(robot, stands, period)
        self._reader = SensorReader(
            driver, self._check, self.read_errors, limits.read_deadline, clock
        )
        self._rules, self._limits, self._clock = StopRules.of(robot), limits, clock
        self._lying_cosine = math.cos(limits.lying_tilt)
        self._nominal = period
        self._zeros = np.zeros(robot.n)
        self._last_cycle: float | None = None
        self._open_since: int | None = None
        self._track_stale = False
        self._grace_used = False
        self._speed: tuple[Reading | None, float] = (None, math.inf)
        self.reading: Reading | None = None
        self.reading_valid = False  # of this cycle
        self._usable: Reading | None = None  # the same with an orientation that can be trusted
        self.decision = StopDecision(Behaviour.HOLD, 'not started')
        self.ending = ''  # why this node is being stopped; '' while it is not
        self.clamped = 0
        self.period = 0.0  # s, measured
        self.duration = 0.0  # s, of the last cycle

    # -- inputs ----------------------------------------------------------------------------

    def connect(self) -> None:
        """Connect to the robot, read it once and compare it with its directory; nothing moves.

        Raises DriverError: it cannot be read; ConfigError: it is another robot than robot.yaml's.
        """
        self.driver.connect()
        self.reading = self._usable = self._reader.read(self._clock())
        if self.reading is None:
            raise DriverError(self.faults.last_error)
        describe = getattr(self.driver, 'device_joints', None)
        check_device(self._robot, describe() if describe is not None else None, self.reading)
        self._check_at_rest(self.reading)

    def _check_at_rest(self, first: Reading) -> None:
        if not fastest_joint(self._robot, first.velocity):
            return
        begin = self._clock()
        time.sleep(LOOK_AGAIN)
        elapsed = self._clock() - begin
        if elapsed < 0.5 * LOOK_AGAIN:
            return  # a simulated clock: nothing moves meanwhile
        again = self._reader.read(self._clock())
        if again is not None:
            check_at_rest(self._robot, first, again, elapsed)

    def begin(self) -> None:
        """Activation: hold, in the standing pose if a robot that can fall is there, else where it
        is."""
        assert self.reading is not None
        pose = self.reading.position
        near = np.abs(pose - self.motion.standing_pose) <= self._limits.standing_tolerance
        near[self.motion.grips.joints] = True
        stands = self.driver.can_fall and near.all()
        self.motion.restart(self.motion.standing_pose if stands else pose)
        self.motion.behaviour = Behaviour.HOLD
        self.ending = ''
        # Deactivated and activated again within one RUNNING: that motion is over.
        self.watch.pause()
        self.output.reset()
        self.cross_check.restart()

    def update_supervisor(self, *state: int) -> bool:
        """Take one /supervisor/state, as `SupervisorWatch.update`; a stop in it takes effect in
        the next cycle."""
        return self.watch.update(*state, self._clock())

    def offer_command(self, *command: Any) -> Rejection | None:
        """Take one /joint_command, as `CommandGate.offer`; None if it was accepted."""
        self._update_gate()
        return self.gate.offer(*command, self._clock(), self.motion.position)

    def relocated(self, standing: bool) -> None:
        """The simulated robot was put elsewhere, its grippers empty: forget its motion."""
        self._check.reset()
        self.cross_check.restart()
        self.output.reset(regrip=True)
        if standing:
            self.motion.restart(self.motion.standing_pose, regrip=True)
        else:
            kept = self.motion.grips.kept
            self.motion.position[kept] = self.motion.standing_pose[kept]

    # -- the cycle -------------------------------------------------------------------------

    def cycle(self) -> None:
        """Read, decide and write once. Never raises.

        Any exception in here is a fault and damps: if it left this method, the servos would keep
        the last command, and no e-stop could reach them any more.
        """
        now = self._clock()
        nominal = self._nominal
        self.period = now - self._last_cycle if self._last_cycle is not None else nominal
        self._last_cycle = now
        # After a stall the reference must not leap: it advances by at most four nominal cycles.
        dt = min(max(self.period, 0.1 * nominal), 4 * nominal)
        try:
            self._run_cycle(now, dt)
        except Exception as error:
            self._fail(error)
            off = self.motion.behaviour is Behaviour.OFF
            self.motion.behaviour = Behaviour.OFF if off else Behaviour.DAMP
            self.decision = StopDecision(self.motion.behaviour, self.fault)
            self._write(dt)
        self.duration = self._clock() - now

    def _run_cycle(self, now: float, dt: float) -> None:
        reading = self._reader.read(now)
        self.reading_valid = reading is not None
        if reading is not None:
            self._take(reading, now)
        good = self.reading_valid and self.write_errors.in_row == 0
        self.faults.update(now, good, self.watch.mode is Mode.ESTOP)
        self._update_gate()
        self.decision = decide(self._stop_inputs(now), self._rules)
        behaviour = self.decision.behaviour
        measured = self.reading.position if self.reading is not None else self._zeros
        was_passive = self.motion.behaviour.passive
        self.motion.switch(behaviour, measured)
        if was_passive and not behaviour.passive:
            self.output.reset()
        if behaviour is Behaviour.TRACK:
            self.clamped += self.motion.follow(self.gate.position, self.gate.velocity, dt)
        else:
            self.motion.tick(dt, measured)
        self._write(dt)

    def _take(self, reading: Reading, now: float) -> None:
        check = self.cross_check
        passive = self.motion.behaviour.passive
        check.update(now, reading, self.output.last_target, passive)
        self._usable, self.output.balancing = check.usable, check.can_balance
        # Published as an IMU without orientation, so that no subscriber goes by it either.
        distrusted = check.found is Disagreement.IMU and reading.has_orientation
        self.reading = replace(reading, has_orientation=False) if distrusted else reading

    def apply_estop(self) -> bool:
        """Damp (or switch off) for an ESTOP just received, before reading; whether it did.

        The next cycle decides the same again. Never raises.
        """
        if not (self.stop_pending and self.watch.mode is Mode.ESTOP) or self.reading is None:
            return False
        now = self._clock()
        try:
            self._update_gate()
            decision = decide(self._stop_inputs(now), self._rules)
            if not decision.behaviour.passive:
                return False
            self.decision = decision
            self.motion.switch(decision.behaviour, self.reading.position)
        except Exception as error:
            self._fail(error)
            return False  # the cycle deals with it
        self._write(self._nominal)
        self.duration = self._clock() - now
        return True

    def _write(self, dt: float) -> None:
        self.output.write(self.motion, self.decision.behaviour, self.gate, self._usable, dt)

    def _fail(self, error: Exception) -> None:
        self.faults.fail(f'control error: {type(error).__name__}: {error}')

    # -- state -----------------------------------------------------------------------------

    @property
    def fault(self) -> str:
        """Why the robot cannot be used; '' while it can."""
        return self.faults.fault

    def grippers(self) -> list[GripperReading]:
        """What the grippers do in the newest valid reading."""
        assert self.reading is not None
        motion, grippers = self.motion, self._robot.grippers
        return read_grippers(grippers, self.reading, motion.position, motion.behaviour.passive)

    @property
    def stop_pending(self) -> bool:
        """The supervisor requests a stop that the last cycle did not know of."""
        if self.watch.mode is Mode.ESTOP:
            return not self.motion.behaviour.passive
        return self.motion.behaviour is Behaviour.TRACK and self.watch.mode is not Mode.RUNNING

    @property
    def behaviour_done(self) -> bool:
        """Stand: the pose is reached; hold, damp, off: at rest."""
        behaviour = self.motion.behaviour
        if behaviour is Behaviour.STAND:
            return self.motion.resting and self.standing and self.at_rest
        return self.at_rest and (behaviour.passive or self.motion.resting)

    @property
    def stopped(self) -> bool:
        """Nothing moves and nothing is going to; `stand` may have met an obstacle."""
        return self.at_rest and self.motion.resting

    @property
    def max_joint_speed(self) -> float:
        """rad/s, measured; inf before the first reading."""
        reading = self.reading
        if reading is None:
            return math.inf
        if reading is not self._speed[0]:  # used several times a cycle
            self._speed = reading, float(np.maximum.reduce(np.abs(reading.velocity)))
        return self._speed[1]

    @property
    def at_rest(self) -> bool:
        return self.max_joint_speed <= self._limits.rest_velocity

    @property
    def standing(self) -> bool:
        """The measured joints are in the standing pose, and the robot is upright."""
        if self.reading is None or self.motion.behaviour.passive:
            return False
        off = self.reading.position - self.motion.standing_pose - self.output.offset
        off[self.motion.grips.joints] = 0.0  # a pose is that of the robot, not of what it holds
        near = np.maximum.reduce(np.abs(off)) <= self._limits.standing_tolerance
        return bool(near) and not self.lying

    @property
    def lying(self) -> bool:
        """Tilted beyond `lying_tilt`: the angle between the IMU's z axis and the vertical."""
        if self._usable is None:
            return False
        _, x, y, _ = self._usable.orientation.tolist()
        return not 1.0 - 2.0 * (x * x + y * y) >= self._lying_cosine

    # -- decisions -------------------------------------------------------------------------

    def _update_gate(self) -> None:
        """Open the gate when RUNNING begins, shut it when it ends."""
        since = None if self.fault or self.ending else self.watch.running_since_ns
        if since != self._open_since:
            self._open_since = since
            self._track_stale = False
            if since is None:
                self.gate.shut()
            else:
                self.gate.open(since)

    def _stop_inputs(self, now: float) -> StopInputs:
        # After a stall of this loop itself, messages of that time are still in the queue: one
        # cycle of grace to receive them, never two in a row.
        stalled = self.period > 0.5 * self._limits.supervisor_timeout and not self._grace_used
        self._grace_used = stalled
        silent = not stalled and self.watch.silent(now)
        if silent:
            self._update_gate()
        received = self.gate.age(now) < np.inf
        # Once stale stays stale until RUNNING begins again: the filter's old motion must not
        # continue by itself when its process continues.
        self._track_stale |= received and not stalled and not self.gate.fresh(now)
        behaviour = self.motion.behaviour
        return StopInputs(
            fault=self.fault,
            ending=self.ending,
            supervisor_age=self.watch.age(now),
            supervisor_silent=silent,
            mode=self.watch.mode,
            requested=self.watch.behaviour,
            running=self._open_since is not None,
            command_received=received,
            command_fresh=not self._track_stale,
            passive_and_resting=behaviour.passive and self.at_rest,
            lying=self.lying,
            off=behaviour is Behaviour.OFF,
        )

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A robot behind a wire, a driver of it that keeps the contract, and drivers that break a clause.

All in one process, with the clock of the test. The robot has its joints in an order of its own.
"""

from __future__ import annotations

import threading
import time

import numpy as np

from vla_hardware.drivers.base import DeviceJoints, DriverError, require_finite
from vla_hardware.drivers.mock import MockDriver
from vla_robot import Reading

OLDEST = 0.05  # s


class Wire:
    """The robot (`DriverDouble`): joints that follow their targets within a few milliseconds."""

    what = 'a robot behind a wire'
    has_wire = True
    error_states = ('e-stop', 'overload')

    def __init__(self, robot, clock):
        self.clock = clock
        self.params = {}
        self.names = tuple(sorted(robot.joint_names))
        order = [robot.index[name] for name in self.names]
        self._to_robot = np.argsort(order)
        self.lower, self.upper = robot.limits.lower[order], robot.limits.upper[order]
        self.q = robot.poses['ready'][order].copy()
        self.target = self.q.copy()
        self.is_stiff = self.frozen = False
        self.plugged = True
        self.error = ''
        self.received = 0
        self._sent = clock(), self.q.copy()

    def send(self, target, stiff):
        if not self.plugged:
            return
        if self.error:
            self.is_stiff = False
            return
        self.received += bool(stiff)
        self.is_stiff = bool(stiff)
        self.target = np.array(target)
        if stiff:
            self.q = self.target.copy()

    def ask(self):
        """(stamp s, joint positions), the newest that arrived."""
        if self.plugged and not self.frozen:
            self._sent = self.clock(), self.q.copy()
        return self._sent

    def attach(self, driver):
        return driver

    def position(self):
        return self.q[self._to_robot]

    def stiff(self):
        return self.is_stiff

    def commands(self):
        return self.received

    def pull_cable(self):
        self.plugged = False

    def plug_cable(self):
        self.plugged = True

    def freeze(self, frozen):
        self.frozen = frozen

    def enter(self, state):
        self.error = state
        if state:
            self.is_stiff = False

    def close(self):
        pass


class GoodDriver:
    """Keeps every clause."""

    can_fall = False
    stiffen_time = 0.3
    when_killed = 'the robot holds its position'
    real_time_factor = 1.0
    wire: Wire

    def __init__(self, robot):
        self.robot = robot
        self.order = np.array([self.wire.names.index(name) for name in robot.joint_names])

    @classmethod
    def from_parameters(cls, robot, params, clock):
        return cls(robot)

    def connect(self):
        self.newest()

    def newest(self):
        stamp, q = self.wire.ask()
        age = self.wire.clock() - stamp
        if not self.wire.plugged or age > OLDEST:
            raise DriverError(f'the newest state is {age * 1e3:.0f} ms old', 'plug the cable')
        if self.wire.error:
            raise DriverError(f'the robot reports {self.wire.error}', 'release it', stopped=True)
        return q

    def device_joints(self):
        lower, upper = self.wire.lower[self.order], self.wire.upper[self.order]
        return DeviceJoints(tuple(self.wire.names[i] for i in self.order), lower, upper)

    def read(self):
        return self.reading(self.newest()[self.order])

    def reading(self, q):
        n = self.robot.n
        return Reading(
            q, np.zeros(n), np.zeros(n), np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(3),
            np.array([0.0, 0.0, 9.81]), np.zeros(6), np.zeros(6),
        )  # fmt: skip

    def write(self, position, velocity, effort, gains):
        require_finite(position, velocity, effort)
        self.send(position, gains.kp.any())

    def send(self, position, stiff):
        target = np.empty(self.robot.n)
        target[self.order] = position
        self.wire.send(target, stiff)

    def power(self, on):
        pass

    def close(self):
        pass


class ConnectsToNothing(GoodDriver):
    def connect(self):
        pass

    def newest(self):
        return self.wire.q


class ConnectsSlowly(GoodDriver):
    def connect(self):
        self.wire.clock.advance(8.0)


class RaisesItsOwn(GoodDriver):
    def connect(self):
        if not self.wire.plugged:
            raise OSError('no such device')


class ClosesWithAnError(GoodDriver):
    def close(self):
        raise OSError('not open')


class SaysNothingOfItsJoints(GoodDriver):
    def device_joints(self):
        return None


class ReadsByIndex(GoodDriver):
    """Its names are right, because it copies them from the directory."""

    def __init__(self, robot):
        super().__init__(robot)
        self.order = np.array([self.wire.names.index(name) for name in ('lift', 'bend', 'pan')])

    def device_joints(self):
        return DeviceJoints.of(self.robot)


class CopiesTheLimits(GoodDriver):
    def device_joints(self):
        return DeviceJoints.of(self.robot)


class ReadsDegrees(GoodDriver):
    def reading(self, q):
        return super().reading(np.degrees(q))


class ReadsIntoOneArray(GoodDriver):
    def reading(self, q):
        self.array = getattr(self, 'array', np.empty(self.robot.n))
        self.array[:] = q
        return super().reading(self.array)


class ReadsWithAnOffset(GoodDriver):
    def reading(self, q):
        return super().reading(q + 0.1)


class ReadsSlowly(GoodDriver):
    def newest(self):
        q = super().newest()
        self.wire.clock.advance(0.004)
        return q


class SometimesReadsNothing(GoodDriver):
    reads = 0

    def newest(self):
        self.reads += 1
        if self.reads % 20 == 0:
            raise DriverError('no answer')
        return super().newest()


class KeepsTheArrays(GoodDriver):
    def write(self, position, velocity, effort, gains):
        require_finite(position)
        if hasattr(self, 'kept') and np.isfinite(self.kept).all():
            self.send(self.kept, gains.kp.any())
        self.kept = position


class WritesNothing(GoodDriver):
    def send(self, position, stiff):
        self.wire.is_stiff = bool(stiff)


class StiffAtOnce(GoodDriver):
    stiffen_time = 0.0


class DrivesHomeOnConnect(GoodDriver):
    def connect(self):
        super().connect()
        self.wire.send(self.wire.q * 0.0, True)


class MovesWhenItIsActivated(GoodDriver):
    def send(self, position, stiff):
        super().send(position + 0.05, stiff)


class ReturnsTheLastValueAgain(GoodDriver):
    def newest(self):
        if not self.wire.plugged:
            raise DriverError('no answer')
        return self.wire.ask()[1]


class IgnoresDamp(GoodDriver):
    """It drives on in its own way where it should be passive."""

    def send(self, position, stiff):
        super().send(position + 0.02 * np.sin(40.0 * self.wire.clock()), True)


class HangsInClose(GoodDriver):
    def close(self):
        self.wire.clock.advance(2.0)


class SendsNaN(GoodDriver):
    def write(self, position, velocity, effort, gains):
        if np.isfinite(position).all():
            self.send(position, gains.kp.any())


class ResumesAfterReconnecting(GoodDriver):
    """Its queue is sent when the connection is there again."""

    last = None
    lost = False

    def send(self, position, stiff):
        self.last = position if stiff else self.last
        super().send(position, stiff)

    def newest(self):
        if self.wire.plugged and self.lost:
            super().send(self.last, True)
        self.lost = not self.wire.plugged
        return super().newest()


class DampsLate(GoodDriver):
    """A cut connection shows only after a while."""

    since = None

    def newest(self):
        if self.wire.plugged:
            self.since = None
            return super().newest()
        self.since = self.wire.clock() if self.since is None else self.since
        if self.wire.clock() - self.since < 0.15:
            return self.wire.q
        raise DriverError('no answer')


class NeverReconnects(GoodDriver):
    lost = False

    def newest(self):
        self.lost |= not self.wire.plugged
        if self.lost:
            raise DriverError('the connection was cut')
        return super().newest()


class DoesNotReportErrors(GoodDriver):
    def newest(self):
        error, self.wire.error = self.wire.error, ''
        try:
            return super().newest()
        finally:
            self.wire.error = error


class SaysNotWhatToDo(GoodDriver):
    def newest(self):
        if self.wire.error:
            raise DriverError('error 17', stopped=True)
        return super().newest()


class TakesErrorsForNoise(GoodDriver):
    def newest(self):
        if self.wire.error:
            raise DriverError('error 17', 'reset it')
        return super().newest()


class SaysNotWhatAKillDoes(GoodDriver):
    when_killed = ' '


class FeedsTheWatchdog(GoodDriver):
    """Its thread repeats the last target for ever."""

    def connect(self):
        super().connect()
        self.ended = threading.Event()
        self.last = None
        threading.Thread(target=self.repeat, daemon=True).start()

    def repeat(self):
        while not self.ended.wait(0.002):
            if self.last is not None:
                self.wire.send(self.last, True)

    def send(self, position, stiff):
        super().send(position, stiff)
        self.last = self.wire.target.copy() if stiff else None

    def close(self):
        self.ended.set()


class BurnsTheProcessor(GoodDriver):
    def newest(self):
        until = time.thread_time() + 0.001
        while time.thread_time() < until:
            pass
        return super().newest()


class DampsTheGripperToo(MockDriver):
    """One stiffness for all joints: damping the arm drops what the gripper holds."""

    def write(self, position, velocity, effort, gains):
        super().write(position, velocity, effort, gains)
        self._stiff[:] = self._stiff.all()


class OpensInAStop(MockDriver):
    """Without a stiff arm it opens the gripper, as if the object was in the way."""

    def write(self, position, velocity, effort, gains):
        if not gains.kp.all():
            position = np.where(gains.kp > 0.0, 0.04, position)
        super().write(position, velocity, effort, gains)


BROKEN = {
    'connect': (ConnectsToNothing, ConnectsSlowly, RaisesItsOwn, ClosesWithAnError),
    'joints': (SaysNothingOfItsJoints, CopiesTheLimits, ReadsByIndex, ReadsDegrees),
    'read': (ReadsIntoOneArray, ReadsWithAnOffset, ReadsSlowly, SometimesReadsNothing),
    'write': (KeepsTheArrays, WritesNothing),
    'first_command': (StiffAtOnce,),
    'activation': (DrivesHomeOnConnect, MovesWhenItIsActivated),
    'stale': (ReturnsTheLastValueAgain,),
    'stop': (IgnoresDamp, HangsInClose),
    'gripper': (DampsTheGripperToo, OpensInAStop),
    'not_finite': (SendsNaN,),
    'reconnect': (ResumesAfterReconnecting, DampsLate, NeverReconnects),
    'errors': (DoesNotReportErrors, SaysNotWhatToDo, TakesErrorsForNoise),
    'hung_loop': (SaysNotWhatAKillDoes, FeedsTheWatchdog),
    'cost': (BurnsTheProcessor,),
}
"""By the clause that each breaks."""

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The command gate: which /joint_command the driver accepts.

Every test is a positive one (`a <= b` must be true), so NaN anywhere is a rejection.
"""

from collections.abc import Sequence
from enum import Enum

import numpy as np

from vla_common.messages import JointOrder
from vla_common.stamps import describe_age, describe_ahead


class Rejection(Enum):
    """Why a command was rejected."""

    NOT_RUNNING = 'mode is not RUNNING'
    BEFORE_RUNNING = 'stamped before RUNNING began'
    NOT_NEWER = 'not newer than the last accepted command'
    STALE = 'too old'
    FUTURE = 'stamped in the future'
    JOINTS = 'joints do not match the robot'
    LENGTH = 'position, velocity or effort have a wrong length'
    NOT_FINITE = 'not finite'
    FAR = 'too far from the current reference'


class CommandGate:
    """Accepts or rejects commands, and keeps the last accepted one.

    timeout: s after which a command is too old, by its stamp on arrival and, once accepted, on the
    steady clock; max_step: rad that a command may lie away from the current reference.
    """

    def __init__(self, joint_names: Sequence[str], timeout: float, max_step: float) -> None:
        n = len(joint_names)
        self._n = n
        self._order = JointOrder(joint_names)
        self._timeout_ns = int(timeout * 1e9)
        self._timeout = timeout
        self._max_step = max_step
        self._incoming = np.zeros((3, n))
        self.position = np.zeros(n)
        self.velocity = np.zeros(n)
        self.effort = np.zeros(n)
        self.accepted = 0
        self.rejected: dict[Rejection, int] = dict.fromkeys(Rejection, 0)
        self.last_rejection = ''
        self.last_stamp_ns = 0
        self._received = -np.inf
        self._running_since_ns: int | None = None

    @property
    def rejections(self) -> int:
        """Commands rejected so far."""
        return sum(self.rejected.values())

    def open(self, since_ns: int) -> None:
        """RUNNING began at this stamp: commands stamped before it are rejected."""
        self._running_since_ns = since_ns
        self._received = -np.inf

    def shut(self) -> None:
        """RUNNING is over: nothing is accepted, and the last command no longer counts."""
        self._running_since_ns = None
        self._received = -np.inf

    def age(self, now: float) -> float:
        """s since a command of this RUNNING was accepted; inf without one."""
        return now - self._received

    def fresh(self, now: float) -> bool:
        """Whether a command of this RUNNING is young enough to be tracked."""
        return self.age(now) <= self._timeout

    def offer(
        self,
        names: Sequence[str],
        position: Sequence[float],
        velocity: Sequence[float],
        effort: Sequence[float],
        stamp_ns: int,
        wall_ns: int,
        now: float,
        reference: np.ndarray,
    ) -> Rejection | None:
        """Check one command; None if it was accepted. All or nothing.

        position rad, velocity rad/s, effort Nm, each in the order of `names`; velocity and effort
        may be empty (zeros). stamp_ns and wall_ns are on the ROS clock, now on the steady one.
        reference: (n,) rad, the present one of the servos.
        """
        rejection, detail = self._check(
            names, position, velocity, effort, stamp_ns, wall_ns, reference
        )
        if rejection is not None:
            self.reject(rejection, detail)
            return rejection
        self.position[:], self.velocity[:], self.effort[:] = self._incoming
        self.last_stamp_ns = stamp_ns
        self._received = now
        self.accepted += 1
        return None

    def reject(self, rejection: Rejection, detail: str) -> None:
        """Count a rejected command."""
        self.rejected[rejection] += 1
        self.last_rejection = f'{rejection.value}: {detail}' if detail else rejection.value

    def _check(
        self,
        names: Sequence[str],
        position: Sequence[float],
        velocity: Sequence[float],
        effort: Sequence[float],
        stamp_ns: int,
        wall_ns: int,
        reference: np.ndarray,
    ) -> tuple[Rejection | None, str]:
        if self._running_since_ns is None:
            return Rejection.NOT_RUNNING, ''
        if not stamp_ns >= self._running_since_ns:
            return Rejection.BEFORE_RUNNING, f'{(self._running_since_ns - stamp_ns) / 1e9:.3f} s'
        if not stamp_ns > self.last_stamp_ns:
            return Rejection.NOT_NEWER, f'{(self.last_stamp_ns - stamp_ns) / 1e9:.3f} s older'
        age_ns = wall_ns - stamp_ns
        if not age_ns <= self._timeout_ns:
            return Rejection.STALE, describe_age(age_ns / 1e9)
        if not age_ns >= -self._timeout_ns:
            return Rejection.FUTURE, describe_ahead(-age_ns / 1e9)
        if len(names) != self._n:
            return Rejection.JOINTS, f'{len(names)} joints, wanted {self._n}'
        for row, (values, needed) in enumerate(
            ((position, True), (velocity, False), (effort, False))
        ):
            if len(values) == 0 and not needed:
                self._incoming[row] = 0.0
                continue
            if len(values) != self._n:
                return Rejection.LENGTH, f'{len(values)} values, wanted {self._n}'
            try:
                self._order.read(names, values, self._incoming[row])
            except KeyError as error:
                return Rejection.JOINTS, str(error)
        if not np.isfinite(self._incoming).all():
            return Rejection.NOT_FINITE, ''
        step = np.abs(self._incoming[0] - reference)
        if not (step <= self._max_step).all():
            worst = int(step.argmax())
            return Rejection.FAR, f'joint {worst}: {step[worst]:.3f} rad'
        return None, ''

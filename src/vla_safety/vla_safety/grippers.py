# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Grippers in the filter: direct commands of opening, force and speed, and the grip force.

The joints of a gripper are joints of the robot: a chunk may cover them, and every bound of the box
holds for them. What a gripper has beyond a joint is here:

    grip force   a closing gripper meets the object before its target. The effort bound then keeps
                 the command as far inside the object as the grip force needs. That is its purpose,
                 so it is counted, but it is no intervention.
    command      an opening with force and speed, for as long as no chunk covers the joints.

Whatever ends a motion leaves the command where it is: the grip is held.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vla_robot import Gripper
from vla_safety.box_limits import BoxLimits
from vla_safety.kernel import joints
from vla_safety.limiters import EffortLimiter
from vla_safety.parameters import FilterParameters
from vla_safety.target import TargetFollower
from vla_safety.violations import Violation, ViolationKind, violation

SLACK = 1e-3
"""m beyond the range of openings that count as its end."""


@dataclass(frozen=True)
class GripperOrder:
    """A command to grippers, as received: `names` (g), and for each the opening m, the force N and
    the speed m/s; a force or speed of 0 stands for the gripper's own."""

    names: tuple[str, ...]
    opening: np.ndarray
    force: np.ndarray
    speed: np.ndarray


def check_order(order: GripperOrder, grippers: Mapping[str, Gripper]) -> list[Violation]:
    """Why an order is rejected, whole; empty if it is not."""
    g = len(order.names)
    for name, array in (('opening', order.opening), ('force', order.force), ('speed', order.speed)):
        if array.shape != (g,) or g == 0:
            return [violation(ViolationKind.WRONG_SHAPE, name, array.size, max(g, 1))]
    found: list[Violation] = []
    for i, name in enumerate(order.names):
        if name not in grippers:
            return [violation(ViolationKind.UNKNOWN_JOINT, f'gripper {name[:64]}')]
        if name in order.names[:i]:
            return [violation(ViolationKind.DUPLICATE_JOINT, f'gripper {name}')]
        gripper = grippers[name]
        for what, value, low, high in (
            ('opening', order.opening[i], gripper.closed - SLACK, gripper.open + SLACK),
            ('force', order.force[i], 0.0, gripper.force),
            ('speed', order.speed[i], 0.0, gripper.speed),
        ):
            if not np.isfinite(value):
                found.append(violation(ViolationKind.NOT_FINITE, f'{name} {what}', value))
            elif not low <= value <= high:
                bound = high if value > high else low
                kind = ViolationKind.IMPLAUSIBLE
                found.append(violation(kind, f'{name} {what}', value, bound))
    return found


class GripperControl:
    """The grippers' part of a tick.

    Args:
        grippers: of the robot, by name.
        box: limits and state of all joints.
        limiter: whose effort limits of the gripper joints are set here.
        closing: (2, n), see TargetFollower.
        parameters: of the filter.

    Attributes:
        gripping: (n,) which joints are a gripper's.
        accepted, rejected, dropped: orders; dropped where motion was not allowed, or begun later.
    """

    def __init__(
        self,
        grippers: Mapping[str, Gripper],
        box: BoxLimits,
        limiter: EffortLimiter,
        closing: np.ndarray,
        parameters: FilterParameters,
    ) -> None:
        n = len(box.position)
        self._grippers, self._box, self._limiter = dict(grippers), box, limiter
        self._closing, self._fraction = closing, parameters.effort_fraction
        self._rules = parameters.rules
        self.gripping = np.zeros(n, dtype=bool)
        for gripper in grippers.values():
            self.gripping[gripper.joints] = True
        self._ordered = np.zeros(n, dtype=np.uint8)
        self._target, self._wish = np.zeros((2, n)), np.zeros((2, n))
        self._inside, self._speed = np.zeros(n), np.zeros(n)
        self._last: int | None = None
        self.accepted = self.rejected = self.dropped = 0
        self.reset()

    @property
    def counts(self) -> dict[str, str]:
        """For the diagnostics; empty without grippers."""
        if not self._grippers:
            return {}
        return {
            'gripper_commands_accepted': str(self.accepted),
            'gripper_commands_rejected': str(self.rejected),
            'gripper_commands_dropped': str(self.dropped),
        }

    def reset(self) -> None:
        """No order, and every gripper's own force: a motion begins."""
        self.clear()
        for gripper in self._grippers.values():
            self._limit(gripper, gripper.grip_force)

    def clear(self) -> None:
        """Forget the orders; the grippers stay as they are."""
        self._ordered[:] = 0

    def admit(self, order: GripperOrder, stamp: int, age: float) -> list[Violation]:
        """Follow an order from now on; returns why it was rejected, and changes nothing then.

        Args:
            stamp: ns, of the order; later than that of the last one.
            age: s since then.
        """
        rules = self._rules
        if not age <= rules.max_age:
            found = [violation(ViolationKind.STALE, 'gripper command', age, rules.max_age)]
        elif not age >= -rules.max_future:
            found = [violation(ViolationKind.FUTURE, 'gripper command', -age, rules.max_future)]
        elif self._last is not None and stamp <= self._last:
            found = [violation(ViolationKind.REPLAYED, 'gripper command', age, rules.max_age)]
        else:
            found = check_order(order, self._grippers)
        if found:
            self.rejected += 1
            return found
        self._last = stamp
        self.accepted += 1
        for i, name in enumerate(order.names):
            gripper = self._grippers[name]
            self._limit(gripper, float(order.force[i]) or gripper.grip_force)
            at = gripper.joints
            self._target[0, at] = gripper.joint_positions(float(order.opening[i]))
            self._speed[at] = gripper.joint_speed(float(order.speed[i]) or gripper.speed)
            self._ordered[at] = 1
        return []

    def _limit(self, gripper: Gripper, force: float) -> None:
        effort = gripper.joint_effort(min(force, gripper.force)) * self._fraction
        self._limiter.limit(gripper.joints, effort)

    def steer(
        self, covered: np.ndarray, follower: TargetFollower, period: float, scale: float
    ) -> bool:
        """Steer the ordered joints; returns whether there are any.

        Args:
            covered: (n,) joints of the chunk: it replaces the orders to them.
        """
        ordered = self._ordered
        if not ordered.any():
            return False
        ordered[covered != 0] = 0
        self._target[1] = 0.0
        joints.approach(
            self._target,
            ordered,
            self._box.limits,
            self._box.state,
            self._closing,
            self._wish,
            self._inside,
            period,
            scale,
        )
        at = ordered != 0
        bound = self._speed[at] * scale
        follower.steer(at, np.clip(self._wish[1, at], -bound, bound))
        return bool(at.any())


def order_of(
    names: Sequence[str], opening: Sequence[float], force: Sequence[float], speed: Sequence[float]
) -> GripperOrder:
    """From the arrays of a message; an empty force or speed stands for zeros."""
    zeros = [0.0] * len(names)
    return GripperOrder(
        tuple(names),
        np.array(opening, dtype=float),
        np.array(force if len(force) else zeros, dtype=float),
        np.array(speed if len(speed) else zeros, dtype=float),
    )

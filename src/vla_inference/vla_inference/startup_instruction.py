# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The parameter `instruction`: carried out once, at the first READY, on a robot at its first start.

The supervisor's motion epoch says whether the robot has run or been stopped before. A node that is
started again after a crash finds it above 0, and a component that comes back never resumes motion.
"""

from __future__ import annotations

from enum import Enum

from vla_common.states import Mode


class Offer(Enum):
    """What becomes of it, with the state of the supervisor that was just heard."""

    NOW = 'carry it out'
    TOO_LATE = 'this would be the moment, but the robot has moved before'
    NOT_NOW = 'too early, or it had its moment'


class StartupInstruction:
    """One per process: neither a new configuration nor a new activation begins it again."""

    def __init__(self) -> None:
        self._had_its_moment = False
        self._moved = False

    def offer(self, mode: Mode, motion_epoch: int) -> Offer:
        """NOW and TOO_LATE are said once."""
        self._moved = self._moved or motion_epoch > 0
        if self._had_its_moment or mode is not Mode.READY:
            return Offer.NOT_NOW
        self._had_its_moment = True
        return Offer.TOO_LATE if self._moved else Offer.NOW

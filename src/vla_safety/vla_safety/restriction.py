# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The coupled limits in one tick: their answer, the brake where they fail, what they hold back."""

import math
from collections.abc import Sequence

import numpy as np

from vla_safety.box_limits import BoxLimits
from vla_safety.chunk import ChunkTracker
from vla_safety.coupled.limits import CoupledLimits, Infeasible, MotionState
from vla_safety.hold import HELD, MOVING, HoldMonitor
from vla_safety.kernel import joints
from vla_safety.violations import CHANGE, TickLog, Violation, ViolationKind, violation

PACE_TIME = 0.05
"""s over which the pace is averaged for the start of a new chunk: about a chunk's age."""


ARRIVED = 0.03
"""rad; with every joint nearer to the end of its chunk the motion is over, and nothing is held."""


class Restriction:
    """Applies the coupled limits one after the other; each gets the answer of the one before.

    Args:
        paced: playback waits while the limits keep to the chunk's path (CoupledMode.PATH).
        hold_limit: s, of `hold`.

    Attributes:
        hold: how long the limits have slowed or held the motion.
        infeasible: why the full brake was sent in the last tick; empty otherwise.
        pace: share 0..1 of the playback that the last tick has done.
        recent_pace: the same, averaged over PACE_TIME.
    """

    def __init__(self, n: int, paced: bool, hold_limit: float) -> None:
        self.hold = HoldMonitor(hold_limit)
        self._paced = paced
        self._inside = np.zeros(n)
        self._limit: Violation | None = None
        self._on_path = False
        self.reset()

    def reset(self) -> None:
        """Nothing moves; the times of `hold` are kept."""
        self.infeasible = ''
        self.pace = self.recent_pace = 1.0
        self.hold.release()

    def skip(self, period: float) -> None:
        """A tick of `period` s in which the limits are not asked."""
        self.infeasible = ''
        self._account(1.0, 1.0, period)

    def apply(
        self,
        coupled: Sequence[CoupledLimits],
        wanted: np.ndarray,
        box: BoxLimits,
        state: MotionState,
        tracker: ChunkTracker,
        log: TickLog,
    ) -> np.ndarray:
        """The velocity to send (n,) in place of `wanted`; valid until the next call."""
        self.infeasible = ''
        sent = self._nearest(coupled, wanted, box, state, log)
        if tracker.chunk is None or sent.tobytes() == wanted.tobytes():
            self._account(1.0, 1.0, state.period)
            return sent
        share = joints.progress(sent, wanted, MOVING)
        pace = share if self._on_path else 1.0
        if share < HELD and not tracker.remaining(box.position) > ARRIVED:
            share = 1.0
        self._account(share, pace, state.period)
        return sent

    def _account(self, share: float, pace: float, period: float) -> None:
        self.hold.update(share, self._limit, period)
        self.pace = pace
        if pace != self.recent_pace:
            self.recent_pace += (pace - self.recent_pace) * min(1.0, period / PACE_TIME)

    def _nearest(
        self,
        coupled: Sequence[CoupledLimits],
        wanted: np.ndarray,
        box: BoxLimits,
        state: MotionState,
        log: TickLog,
    ) -> np.ndarray:
        """The limits' answer; the full brake if anything is wrong with it."""
        velocity, why, first, self._on_path = wanted, '', None, self._paced
        for limits in coupled:
            try:
                answer = np.array(limits.restrict(velocity, box.low, box.high, state), dtype=float)
            except Infeasible as error:
                why = str(error)
                break
            # Rounding is taken back; more than that is no answer.
            if (
                answer.shape != wanted.shape
                or not math.isfinite(answer.dot(answer))
                or not joints.confine(answer, box.bounds, self._inside) <= CHANGE
            ):
                why = f'{type(limits).__name__} left the box'
                break
            velocity = self._inside
            self._on_path = self._on_path and limits.on_path
            for item in limits.findings:
                log.add(item)
                first = first or item
        else:
            self._limit = first
            return velocity
        self.infeasible = why or 'no common velocity'
        self._limit, self._on_path = violation(ViolationKind.INFEASIBLE, self.infeasible), False
        log.add(violation(ViolationKind.INFEASIBLE, why))
        return box.brake.copy()

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""How long something has been wrong, with a memory that flapping cannot empty."""

from collections.abc import Mapping
from dataclasses import dataclass

from vla_common.states import Hysteresis, Level
from vla_supervisor.conditions import Condition, Reaction, hard


@dataclass(frozen=True)
class HealthLimits:
    """How long something may last; seconds unless noted otherwise."""

    timeouts: Mapping[str, float]
    danger_stop_after: float
    danger_fall_after: float
    infeasible_stop_after: float
    not_tracking_stop_after: float
    starved_stop_after: float
    idle_end_after: float
    stall_stop_after: float
    flapping_leak: float  # s forgotten per s of being right


class Debounce:
    """A leaky integrator of 'wrong' time: fires when ``limit`` seconds have gathered.

    Time passed while wrong counts fully, time passed while right drains at ``leak`` seconds per
    second. A plain 'since when' restarts at every good sample, so a fault that flaps would never
    fire; here any fault that is present more than leak / (1 + leak) of the time does.
    """

    def __init__(self, limit: float, leak: float) -> None:
        self._limit = limit
        self._leak = leak
        self.gathered = 0.0  # s, at most the limit
        self._last: float | None = None
        self._wrong = False

    def update(self, wrong: bool, now: float) -> bool:
        """Take the state from ``now`` on; True while the limit is reached."""
        if self._last is not None and now > self._last:
            dt = now - self._last
            # The interval before a change to wrong was right, and the other way round.
            step = dt if self._wrong else -self._leak * dt
            self.gathered = min(max(self.gathered + step, 0.0), self._limit)
        self._last = now if self._last is None else max(now, self._last)
        self._wrong = wrong
        return self.fired

    @property
    def fired(self) -> bool:
        """Whether the limit is reached now; a limit of 0 fires while wrong."""
        return self.gathered >= self._limit and (self._limit > 0.0 or self._wrong)

    def reset(self) -> None:
        """Forget everything."""
        self.gathered, self._last, self._wrong = 0.0, None, False


def level_of(value: int) -> Level:
    """A level from a message; one that does not exist is the worst."""
    return Level(value) if 0 <= value <= Level.EMERGENCY else Level.EMERGENCY


class Severity:
    """The level that a node reports: a hysteresis that slows the robot, a time that stops it.

    kind, source: name of the conditions, and the node.
    """

    def __init__(self, kind: str, source: str, limits: HealthLimits) -> None:
        self._kind, self._source = kind, source
        self.level = Level.SAFE
        self._cause = ''
        self._slow = Hysteresis(limits.danger_fall_after)
        self._lasting = Debounce(limits.danger_stop_after, limits.flapping_leak)
        self._emergency = ''  # cause of an EMERGENCY message that is not yet a condition

    def update(self, now: float, value: int, cause: str) -> bool:
        """A level and its cause; whether it is a new EMERGENCY."""
        before, self.level, self._cause = self.level, level_of(value), cause
        self._slow.update(self.level, now)
        self._lasting.update(self.level >= Level.DANGER, now)
        if self.level is Level.EMERGENCY:
            self._emergency = cause or 'no cause given'
        return self.level is Level.EMERGENCY and before < Level.EMERGENCY

    def slow(self, now: float) -> bool:
        """Whether the robot moves slower on this account."""
        return self._slow.update(self.level, now) >= Level.DANGER

    def conditions(self, now: float) -> list[Condition]:
        """What is true now; an EMERGENCY of one message only counts once."""
        emergency, self._emergency = self._emergency, ''
        lasting = self._lasting.update(self.level >= Level.DANGER, now)
        if self.level is Level.EMERGENCY or emergency:
            return [
                hard(
                    f'{self._kind}_emergency',
                    self._source,
                    f'level EMERGENCY: {self._cause or emergency}',
                    f'{self._source} reports a lower level',
                )
            ]
        if not (lasting or self.slow(now)):
            return []
        return [
            Condition(
                f'{self._kind}_danger',
                self._source,
                f'level {self.level.name} for {self._lasting.gathered:.2f} s'
                + (f': {self._cause}' if self._cause else ''),
                f'{self._source} reports a lower level for some time',
                Reaction.SOFT_STOP if lasting else Reaction.REFUSE,
                Level.DANGER,
            )
        ]

    def reset(self, now: float) -> None:
        """The node is lost (a condition of its own): its last level no longer counts."""
        self.level, self._cause = Level.SAFE, ''
        self._lasting.update(False, now)

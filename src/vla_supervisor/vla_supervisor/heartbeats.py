# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Are the supervised nodes alive? Judged by the age and sequence of what they really produce.

A node's heartbeat is its payload, sent by the thread that does its work; a repeated sequence or
stamp is a frozen source that goes on publishing, and does not count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from vla_common.topics import HEARTBEAT_TOPIC
from vla_common.watchdog import Watchdog

_FORGIVEN = 0.5
"""s of short stalls of this process that are forgiven between two messages of a source. Without a
bound, a supervisor that is stalled again and again would never find anybody dead."""

LEASE = 2.5
"""s of a stall after which discovery may have given the others up. Theirs is 3 s, counted from
their last announcement, of which there is one each 0.5 s (config/fastdds.xml)."""

_FOUND_AGAIN = 1.5
"""s for discovery to find everybody again after that; 0.2 to 0.4 s were seen."""


class Heartbeats:
    """One watchdog per source, that also remembers a gap which closed before anybody looked.

    Args:
        timeouts: s per source.
    """

    def __init__(self, timeouts: Mapping[str, float]) -> None:
        self._dogs = {name: Watchdog(name, timeout) for name, timeout in timeouts.items()}
        self._gap: dict[str, float] = {}
        self._deaf: dict[str, float] = dict.fromkeys(self._dogs, 0.0)
        self._sought_until = -math.inf

    def beat(self, source: str, now: float, sequence: int) -> bool:
        """Take one message; False for a repeated or older one, which feeds nothing."""
        dog = self._dogs[source]
        age = self.age(source, now)
        if not dog.beat(now, sequence):
            return False
        self._deaf[source] = 0.0
        if dog.timeout < age < math.inf and now >= self._sought_until:
            self._gap[source] = max(age, self._gap.get(source, 0.0))
        return True

    def age(self, source: str, now: float) -> float:
        """Seconds of listening since the newest valid message; infinite before the first."""
        return self._dogs[source].age(now) - self._deaf[source]

    def heard(self, source: str, now: float) -> bool:
        """Whether the source has been heard within its timeout."""
        return self.age(source, now) <= self._dogs[source].timeout

    def fresh(self, source: str, now: float) -> bool:
        """Whether the source has been heard within its timeout, or is being discovered again."""
        sought = self._dogs[source].alive_once and now < self._sought_until
        return sought or self.heard(source, now)

    def was_deaf(self, duration: float, now: float) -> None:
        """Until `now` this process did not run for so long: what it missed was not silence.

        The messages of that time wait in the middleware, behind whatever woke us first. A source
        that is really dead is found later by the longest stall, or by `_FORGIVEN` of short ones.
        After a stall longer than `LEASE` they have to be discovered again (first comes what had
        been waiting, then nothing for a while); a stop on account of that would damp a robot that
        its driver has meanwhile made to stand.
        """
        if duration > LEASE:
            self._sought_until = now + _FOUND_AGAIN
        for source, deaf in self._deaf.items():
            self._deaf[source] = max(duration, deaf, min(deaf + duration, _FORGIVEN))

    def silence(self, source: str, now: float) -> str | None:
        """What is wrong with this source, for a person; None if nothing is.

        A gap longer than the timeout is told once even when the next beat has already come, so a
        source that stutters between two looks does not go unseen.
        """
        dog = self._dogs[source]
        gap = self._gap.pop(source, None)
        topic = HEARTBEAT_TOPIC.get(source, source)
        if self.fresh(source, now):
            return None if gap is None else f'{topic} was silent for {1e3 * gap:.0f} ms'
        if not dog.alive_once:
            return f'nothing heard on {topic} yet'
        age, limit = 1e3 * self.age(source, now), 1e3 * dog.timeout
        told = f'{topic} silent for {age:.0f} ms (limit {limit:.0f})'
        if dog.replayed:
            told += f', {dog.replayed} messages that were not new'
        return told

    def restarted(self, source: str) -> None:
        """The source is a new process: its count may begin anew."""
        self._dogs[source].reset()
        self._deaf[source] = 0.0
        self._gap.pop(source, None)

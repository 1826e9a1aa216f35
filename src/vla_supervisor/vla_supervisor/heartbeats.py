# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Liveness of the supervised nodes, by age and sequence of what they publish.

The heartbeat of a node is its payload, sent by the thread that does its work. A repeated sequence
or stamp is a frozen source that still publishes, and does not count.
"""

import math
from collections.abc import Mapping

from vla_common.cameras import heartbeat_topic
from vla_common.watchdog import Watchdog

_STALL_CREDIT = 0.5
"""s of short stalls of this process that do not count as silence between two messages of a source.
Without a bound, a supervisor that stalls again and again would never find a node lost."""

LEASE = 4.5
"""s of a stall after which discovery may have dropped the other nodes. Their lease is 6 s from the
last announcement, and one is sent every 1.5 s (config/fastdds.xml)."""

_REDISCOVERY = 1.5
"""s for discovery to find all nodes again after that; 0.2 to 0.4 s were measured."""


class Heartbeats:
    """One watchdog per source, which also keeps a gap that closed before it was checked.

    Args:
        timeouts: s per source.
    """

    def __init__(self, timeouts: Mapping[str, float]) -> None:
        self._watchdogs = {name: Watchdog(name, timeout) for name, timeout in timeouts.items()}
        self._gap: dict[str, float] = {}
        self._credit: dict[str, float] = dict.fromkeys(self._watchdogs, 0.0)
        self._rediscovery_until = -math.inf

    def beat(self, source: str, now: float, sequence: int, wall_ns: int | None = None) -> bool:
        """Take one message; False for a repeated or older one, which does not count. wall_ns: the
        ROS clock, where the sequence is a stamp: one of the future does not count either."""
        watchdog = self._watchdogs[source]
        age = self.age(source, now)
        if not watchdog.beat(now, sequence, wall_ns):
            return False
        self._credit[source] = 0.0
        if watchdog.timeout < age < math.inf and now >= self._rediscovery_until:
            self._gap[source] = max(age, self._gap.get(source, 0.0))
        return True

    @property
    def replayed(self) -> dict[str, int]:
        """Messages of each source that were not new, or of the future: dropped."""
        return {name: watchdog.replayed for name, watchdog in self._watchdogs.items()}

    def age(self, source: str, now: float) -> float:
        """s since the newest valid message, less the stall credit; inf before the first."""
        return self._watchdogs[source].age(now) - self._credit[source]

    def received(self, source: str, now: float) -> bool:
        """Whether a message was received within the timeout."""
        return self.age(source, now) <= self._watchdogs[source].timeout

    def fresh(self, source: str, now: float) -> bool:
        """Received within the timeout, or being rediscovered."""
        rediscovering = self._watchdogs[source].alive_once and now < self._rediscovery_until
        return rediscovering or self.received(source, now)

    def credit_stall(self, duration: float, now: float) -> None:
        """Until `now` this process did not run for `duration` s: that was no silence.

        The messages of that time wait in the middleware, behind whatever woke this process first.
        A source that is really lost is found later by the longest stall, or by `_STALL_CREDIT` of
        short ones. After a stall longer than `LEASE` the sources have to be discovered again
        (first come the waiting messages, then none for some time); a stop for that would damp a
        robot that its driver has meanwhile made to stand.
        """
        if duration > LEASE:
            self._rediscovery_until = now + _REDISCOVERY
        for source, credit in self._credit.items():
            self._credit[source] = max(duration, credit, min(credit + duration, _STALL_CREDIT))

    def silence(self, source: str, now: float) -> str | None:
        """What is wrong with this source, as a text; None if nothing is.

        A gap longer than the timeout is reported once even when the next message has arrived, so a
        source that stutters between two checks is noticed.
        """
        watchdog = self._watchdogs[source]
        gap = self._gap.pop(source, None)
        topic = heartbeat_topic(source) or source
        if self.fresh(source, now):
            return None if gap is None else f'{topic} was silent for {1e3 * gap:.0f} ms'
        if not watchdog.alive_once:
            return f'nothing received on {topic} yet'
        age, limit = 1e3 * self.age(source, now), 1e3 * watchdog.timeout
        text = f'{topic} silent for {age:.0f} ms (limit {limit:.0f})'
        if watchdog.replayed:
            text += f', {watchdog.replayed} messages that were not new'
        return text

    def restarted(self, source: str) -> None:
        """The source is a new process: its sequence may begin again."""
        self._watchdogs[source].reset()
        self._credit[source] = 0.0
        self._gap.pop(source, None)

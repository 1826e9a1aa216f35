# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stamps as sequences: a stamp is judged against the local clock before it is remembered.

A stream's stamps must advance, so that a message that is repeated or out of order does not count as
new. One stamp far in the future, remembered, would reject every good message after it until that
time has come; and a clock that was set back would do the same.
"""

MAX_AHEAD = 0.5
"""s that a stamp may be ahead of the local clock: more than synchronised clocks differ."""

OTHER_CLOCK = 86_400.0
"""s of difference that are no delay: the two clocks are not the same."""


STAMP_REPEATED = 'stamp did not advance'


class StampSequence:
    """The newest accepted stamp of one stream.

    Args:
        max_ahead: s that a stamp may be ahead of the local clock.
    """

    def __init__(self, max_ahead: float = MAX_AHEAD) -> None:
        self._ahead_ns = round(max_ahead * 1e9)
        self.last_ns: int | None = None

    def reject(self, stamp_ns: int, wall_ns: int | None) -> str:
        """Why a stamp is rejected, or '' where it is accepted and remembered.

        wall_ns: the local ROS clock; None where the sequence is a counter.
        """
        if wall_ns is not None:
            latest = wall_ns + self._ahead_ns
            if stamp_ns > latest:
                return f'a stamp {describe_ahead((stamp_ns - wall_ns) * 1e-9)}'
            if self.last_ns is not None and self.last_ns > latest:
                self.last_ns = None  # the local clock was set back
        if self.last_ns is not None and stamp_ns <= self.last_ns:
            return STAMP_REPEATED
        self.last_ns = stamp_ns
        return ''

    def reset(self) -> None:
        """Forget the newest stamp."""
        self.last_ns = None


def describe_ahead(seconds: float) -> str:
    """How far a stamp is ahead of the local clock, for the operator."""
    return _other_clock(-seconds) or f'{seconds:.3f} s in the future'


def is_other_clock(seconds: float) -> bool:
    """Whether a difference of stamps is no delay: the two clocks are not the same."""
    return abs(seconds) >= OTHER_CLOCK


def describe_age(seconds: float) -> str:
    """How old a stamp is by the local clock, for the operator."""
    return _other_clock(seconds) or f'{seconds:.3f} s old'


def _other_clock(seconds: float) -> str:
    if not is_other_clock(seconds):
        return ''
    return (
        f'of another clock ({abs(seconds):.0f} s {"behind" if seconds > 0 else "ahead"}): one node '
        'uses simulation time and the other does not (use_sim_time), or a clock is not set'
    )

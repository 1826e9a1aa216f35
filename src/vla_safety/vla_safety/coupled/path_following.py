# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""When to slow down on the chunk's path, and when to leave it."""

SLOWEST = 0.05
"""Share of the wanted velocity below which the path counts as blocked."""

WAIT = 0.05
"""s for which the command waits on a blocked path: what the filter knows stands still, and waiting
longer gains nothing."""

RETURN = 0.1
"""s for which the path must be free again before it is followed again."""

GENTLE_RATE = 10.0
"""1/s, as `barriers.rate`, of the approach to a barrier on the path. All joints slow down in the
same proportion, which takes longer than the full brake, so it has to begin earlier."""


class PathFollowing:
    """Two states, on the path and off it (QP), with a time in each before it changes: the state
    cannot alternate from tick to tick.

    Slowing down on the chunk's path keeps the motion that the policy knows (Römer et al. 2025,
    arXiv 2511.06385). It cannot pass what stands in the path; there the nearest safe velocity can,
    and playback continues.

    Attributes:
        on_path: the state.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """On the path; nothing is counted."""
        self.on_path = True
        self._since = 0.0

    def update(self, share: float, period: float) -> None:
        """`share` 0..1 of the wanted velocity that the path allows in the coming `period` s;
        negative where none of it does, because braking on the path is too slow."""
        if self.on_path:
            blocked = 0.0 <= share < SLOWEST
            self._since = self._since + period if blocked else 0.0
            change = self._since >= WAIT
        else:
            self._since = self._since + period if share >= 1.0 else 0.0
            change = self._since >= RETURN
        if change:
            self.on_path, self._since = not self.on_path, 0.0

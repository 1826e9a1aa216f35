# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The end of a motion: who is almost there, goes there."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MOVING = 0.03  # rad between the chunk's last step and the one three before it: not an end


class GoalSnap(nn.Module):
    """Joints within `reach` rad of where a chunk comes to rest are sent there at once.

    A head that was taught motions answers, just before their end, with a share of the present
    posture (0.6 of it, measured). A robot whose arms sag by 0.03 rad then stalls 0.1 rad short,
    since what is executed are the first steps of each new chunk. What demonstrators do there is
    simple: one step, and done. Beyond twice `reach`, and for joints that are still on the move at
    the end of the chunk (a wave), nothing changes; between, it fades.
    """

    def __init__(self, joints: int, reach: float) -> None:
        super().__init__()
        self.reach = reach
        self.moving = MOVING  # TorchScript sees no globals
        # rad of one normalised unit, for each joint of the action; set by training.
        self.register_buffer('unit', torch.ones(joints))

    def forward(self, chunk: Tensor, current: Tensor) -> Tensor:
        """Chunk (B, h, k) and present positions (B, k), both normalised, to such a chunk."""
        if not self.reach:
            return chunk
        end = chunk[:, -1]
        away = (end - current).abs() * self.unit
        motion = (end - chunk[:, -min(4, chunk.shape[1])]).abs() * self.unit
        near = ((2 * self.reach - away) / self.reach).clamp(0.0, 1.0)
        resting = ((self.moving - motion) / (0.5 * self.moving)).clamp(0.0, 1.0)
        return torch.lerp(chunk, end.unsqueeze(1), (near * resting).unsqueeze(1))

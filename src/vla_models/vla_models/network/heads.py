# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Action heads: from what was understood to a chunk of joint targets.

A head is any module with this one method; `HEADS` names those that a configuration can ask for.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn


class ActionHead(Protocol):
    """What `HumanoidVLA` needs of a head."""

    def __call__(self, context: Tensor, current: Tensor) -> Tensor:
        """Context (B, C) and current normalised positions (B, K) to a chunk (B, horizon, K)."""
        ...


class MlpHead(nn.Module):
    """chunk = gate · current + MLP(context, current).

    The expert's motion decays towards a goal, so each step is a known share of where the joints
    are plus a share of where they should go. The gate learns the first; the network is left to
    find the goal.
    """

    def __init__(self, context: int, joints: int, horizon: int, width: int) -> None:
        super().__init__()
        self.shape = (horizon, joints)
        self.layers = nn.Sequential(
            nn.Linear(context + joints, width),
            nn.GELU(),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Linear(width, horizon * joints),
        )
        steps = torch.arange(1, horizon + 1) * 0.2
        self.gate = nn.Parameter(torch.exp(-steps)[:, None].repeat(1, joints))

    def forward(self, context: Tensor, current: Tensor) -> Tensor:
        goal = self.layers(torch.cat([context, current], dim=-1))
        return self.gate * current.unsqueeze(1) + goal.reshape(-1, *self.shape)


HEADS = {'mlp': MlpHead}

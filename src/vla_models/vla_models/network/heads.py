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

    def __call__(self, context: Tensor, current: Tensor, phase: Tensor) -> Tensor:
        """Context (B, C), current normalised positions (B, K), phase (B, 2) to (B, horizon, K)."""
        ...


class MlpHead(nn.Module):
    """chunk = gate · current + MLP(context, current) + swing(context) · phase.

    The expert's motion decays towards a goal, so each step is a known share of where the joints
    are plus a share of where they should go. The gate learns the first; the network is left to
    find the goal. What is periodic is an amplitude that the words decide, times sine and cosine
    of the phase: given to the MLP alone, the product was not found in half an hour of training.
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
        self.swing = nn.Linear(context, horizon * joints * 2)
        nn.init.zeros_(self.swing.weight)
        nn.init.zeros_(self.swing.bias)
        steps = torch.arange(1, horizon + 1) * 0.2
        self.gate = nn.Parameter(torch.exp(-steps)[:, None].repeat(1, joints))

    def forward(self, context: Tensor, current: Tensor, phase: Tensor) -> Tensor:
        goal = self.layers(torch.cat([context, current], dim=-1)).reshape(-1, *self.shape)
        swing = self.swing(context).reshape(-1, *self.shape, 2)
        periodic = (swing * phase[:, None, None, :]).sum(-1)
        return self.gate * current.unsqueeze(1) + goal + periodic


HEADS = {'mlp': MlpHead}

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Heads that answer in one pass: an MLP, and one that also says how sure it is."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from vla_models.network.heads.interface import ActionHead, HeadShape, decaying_gate


class Modulated(nn.Module):
    """A residual layer that the words modulate (FiLM; Perez et al., 2018).

    Which hand, which task: the words switch between motions, and a product does that in one layer.
    """

    def __init__(self, width: int, text: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, width)
        self.modulation = nn.Linear(text, 2 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, features: Tensor, text: Tensor) -> Tensor:
        gain, offset = self.modulation(text).chunk(2, dim=-1)
        return features + self.outer(
            nn.functional.gelu(self.inner(self.norm(features)) * (1 + gain) + offset)
        )


class _Trunk(nn.Module):
    def __init__(self, shape: HeadShape, outputs: int) -> None:
        super().__init__()
        self.first = nn.Linear(shape.context + shape.joints, shape.width)
        self.layers = nn.ModuleList(Modulated(shape.width, shape.text) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(shape.width)
        self.last = nn.Linear(shape.width, outputs)

    def forward(self, context: Tensor, text: Tensor, current: Tensor) -> Tensor:
        features = self.first(torch.cat([context, current], dim=-1))
        for layer in self.layers:
            features = layer(features, text)
        return self.last(self.norm(features))


class MlpHead(ActionHead):
    """chunk = gate · current + MLP(context, current) + swing(text) · phase.

    A demonstrated motion ends at a goal, so each step is a share of where the joints are plus a
    share of where they should go. The gate learns the first; the network is left to find the goal.
    What is periodic is an amplitude that the words decide, times sine and cosine of the phase:
    given to the MLP alone, the product was not found in half an hour of training.
    """

    def __init__(self, shape: HeadShape) -> None:
        super().__init__(shape)
        size = shape.horizon * shape.joints
        self.trunk = _Trunk(shape, size)
        self.swing = nn.Linear(shape.text, size * 2)
        nn.init.zeros_(self.swing.weight)
        nn.init.zeros_(self.swing.bias)
        self.gate = nn.Parameter(decaying_gate(shape.horizon, shape.joints))

    def forward(self, context: Tensor, text: Tensor, current: Tensor, phase: Tensor) -> Tensor:
        goal = self.trunk(context, text, current).reshape(-1, self.horizon, self.joints)
        swing = self.swing(text).reshape(-1, self.horizon, self.joints, 2)
        return self.gate * current.unsqueeze(1) + goal + (swing * phase[:, None, None, :]).sum(-1)


class GaussianMlpHead(MlpHead):
    """An MLP head that also learns a deviation for each step and joint, and acts by the mean.

    Its loss is the negative log-likelihood of the demonstrated chunk, in scaled units.
    """

    def __init__(self, shape: HeadShape) -> None:
        super().__init__(shape)
        self.spread = _Trunk(shape, shape.horizon * shape.joints)

    def deviation(self, context: Tensor, text: Tensor, current: Tensor) -> Tensor:
        """(B, h, k), in the units of the chunk, at least 1e-3."""
        raw = self.spread(context, text, current)
        return nn.functional.softplus(raw).reshape(-1, self.horizon, self.joints) + 1e-3

    def loss(self, context, text, current, phase, chunk, scale):
        deviation = self.deviation(context, text, current) * scale
        error = (self(context, text, current, phase) - chunk) * scale
        likelihood = 0.5 * (error / deviation).square() + torch.log(deviation)
        return (likelihood + 0.5 * math.log(2 * math.pi)).mean((1, 2))

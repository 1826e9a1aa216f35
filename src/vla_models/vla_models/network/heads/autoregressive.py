# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A transformer that says one step of the chunk after the other."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vla_models.network.heads.interface import ActionHead, HeadShape
from vla_models.network.layers import TransformerLayer


class AutoregressiveHead(ActionHead):
    """Step i is the step before it plus what a causal transformer says, given steps 0 to i - 1.

    Step 0 is the present posture. Learned with the demonstrated steps as the past (all steps in one
    pass under a causal mask), followed with its own.
    """

    def __init__(self, shape: HeadShape) -> None:
        super().__init__(shape)
        self.context = nn.Linear(shape.context, shape.width)
        self.step = nn.Linear(shape.joints, shape.width)
        self.position = nn.Parameter(torch.randn(shape.horizon, shape.width) * 0.02)
        self.layers = nn.ModuleList(
            TransformerLayer(shape.width, shape.heads) for _ in range(shape.layers)
        )
        self.norm = nn.LayerNorm(shape.width)
        self.change = nn.Linear(shape.width, shape.joints)
        causal = torch.ones(1, shape.horizon, shape.horizon).tril().bool()
        self.register_buffer('causal', causal, persistent=False)

    def _next(self, context: Tensor, past: Tensor) -> Tensor:
        """From steps 0…n - 1 (B, n, k) to steps 1…n."""
        count = past.shape[1]
        tokens = self.step(past) + self.context(context).unsqueeze(1) + self.position[:count]
        for layer in self.layers:
            tokens = layer(tokens, self.causal[:, :count, :count])
        return past + self.change(self.norm(tokens))

    def forward(self, context: Tensor, text: Tensor, current: Tensor, phase: Tensor) -> Tensor:
        past = current.unsqueeze(1)
        for _ in range(self.horizon):
            past = torch.cat([past, self._next(context, past)[:, -1:]], dim=1)
        return past[:, 1:]

    def loss(self, context, text, current, phase, chunk, scale):
        past = torch.cat([current.unsqueeze(1), chunk[:, :-1]], dim=1)
        return ((self._next(context, past) - chunk).abs() * scale).mean((1, 2))

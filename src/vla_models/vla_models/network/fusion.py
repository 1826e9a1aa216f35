# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Everything that is known, as tokens of one transformer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vla_models.network.layers import TransformerLayer, perceptron


class Fusion(nn.Module):
    """A transformer over [readout, text, phase, target, body…, keypoints…]; the readout leaves.

    `history` body tokens, the newest first. The keypoints may be left out: then the head can be
    taught from postures and true targets alone, which costs no image.
    """

    def __init__(
        self,
        width: int,
        vision: int,
        state: int,
        history: int,
        keypoints: int,
        heads: int,
        layers: int,
    ) -> None:
        super().__init__()
        self.readout = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.kind = nn.Parameter(torch.randn(4 + history + keypoints, width) * 0.02)
        self.phase = nn.Linear(2, width)
        self.target = perceptron(4, width, width)
        self.body = perceptron(state, width, width)
        self.keypoint = perceptron(4 + vision, width, width)
        self.layers = nn.ModuleList(TransformerLayer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(
        self, text: Tensor, states: Tensor, phase: Tensor, target: Tensor, points: Tensor | None
    ) -> Tensor:
        """Text (B, width), states (B, T, k), phase (B, 2), target (B, 4), points (B, K, 4 + vision)
        or None, to (B, width)."""
        parts = [
            self.readout.expand(text.shape[0], -1, -1),
            text.unsqueeze(1),
            self.phase(phase).unsqueeze(1),
            self.target(target).unsqueeze(1),
            self.body(states),
        ]
        if points is not None:
            parts.append(self.keypoint(points))
        tokens = torch.cat(parts, dim=1)
        tokens = tokens + self.kind[: tokens.shape[1]]
        for layer in self.layers:
            tokens = layer(tokens)
        return self.norm(tokens[:, 0])

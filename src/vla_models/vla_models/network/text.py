# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""From token ids to one vector that says what was asked."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vla_models.network.layers import TransformerLayer


class TextEncoder(nn.Module):
    """Token ids (B, L), 0 = padding, to (B, width)."""

    def __init__(self, vocabulary: int, length: int, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(torch.randn(length, width) * 0.02)
        self.layers = nn.ModuleList(TransformerLayer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, ids: Tensor) -> Tensor:
        mask = ids > 0
        tokens = self.embedding(ids) + self.position
        for layer in self.layers:
            tokens = layer(tokens, mask.unsqueeze(1))
        weight = mask.to(tokens.dtype).unsqueeze(-1)
        return self.norm((tokens * weight).sum(1) / weight.sum(1).clamp(min=1.0))

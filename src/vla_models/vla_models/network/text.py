# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""From token ids to one vector that says what was asked."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head attention, written out so that it exports to plain ONNX operators."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """`tokens` (B, N, width); `mask` (B, N), true where a token counts."""
        batch, count, width = tokens.shape
        parts = self.query_key_value(tokens).reshape(batch, count, 3, self.heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        scores = query @ key.transpose(-2, -1) * self.scale
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None, :], -1e9)
        mixed = torch.softmax(scores, dim=-1) @ value
        return self.output(mixed.transpose(1, 2).reshape(batch, count, width))


class TransformerLayer(nn.Module):
    """Pre-norm transformer layer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.before_attention = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        tokens = tokens + self.attention(self.before_attention(tokens), mask)
        return tokens + self.feed_forward(tokens)


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
            tokens = layer(tokens, mask)
        weight = mask.to(tokens.dtype).unsqueeze(-1)
        return self.norm((tokens * weight).sum(1) / weight.sum(1).clamp(min=1.0))

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Layers that several parts of the network share, and activation checkpointing."""

import functools
import itertools

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class Attention(nn.Module):
    """Multi-head attention, written out so that it exports to plain ONNX operators."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f'width {width} is no multiple of {heads} heads')
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """tokens (B, N, width); mask (B or 1, N or 1, N): whether the row attends to the column."""
        batch, count, _ = tokens.shape
        parts = self.query_key_value(tokens).reshape(batch, count, 3, self.heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        scores = query @ key.transpose(-2, -1) * self.scale
        if mask is not None:
            scores = scores.masked_fill(~mask.unsqueeze(1), -1e9)
        mixed = torch.softmax(scores, dim=-1) @ value
        # With pruned heads the inner width is not that of the tokens.
        return self.output(mixed.transpose(1, 2).reshape(batch, count, -1))


class TransformerLayer(nn.Module):
    """Pre-norm transformer layer."""

    def __init__(self, width: int, heads: int, inner: int = 2) -> None:
        super().__init__()
        self.before_attention = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, inner * width),
            nn.GELU(),
            nn.Linear(inner * width, width),
        )

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        tokens = tokens + self.attention(self.before_attention(tokens), mask)
        return tokens + self.feed_forward(tokens)


def perceptron(*widths: int) -> nn.Sequential:
    """Linear layers with GELU between them."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [nn.Linear(before, after), nn.GELU()]
    return nn.Sequential(*layers[:-1])


def checkpoint_activations(model: nn.Module) -> int:
    """Recompute the activations of every transformer layer in the backward pass (Chen et al. 2016):
    less memory, more time. Returns the number of layers. Convolutions are left out: the running
    averages of their batch norms would count twice."""
    layers = [layer for layer in model.modules() if isinstance(layer, TransformerLayer)]
    for layer in layers:
        layer.forward = functools.partial(_forward, layer)  # type: ignore[method-assign]
    return len(layers)


def _forward(layer: TransformerLayer, *given):
    whole = functools.partial(type(layer).forward, layer)
    if not torch.is_grad_enabled():
        return whole(*given)
    return checkpoint(whole, *given, use_reentrant=False)

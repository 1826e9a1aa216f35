# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Encoders of image and instruction."""

import torch
from torch import Tensor, nn

from vla_models.network.layers import TransformerLayer


def _convolution(before: int, after: int, size: int, stride: int = 1) -> nn.Sequential:
    padding = 0 if size == stride else size // 2
    return nn.Sequential(
        nn.Conv2d(before, after, size, stride, padding, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _convolution(width, width, 3)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, features: Tensor) -> Tensor:
        return torch.relu(features + self.norm(self.second(self.first(features))))


class ConvolutionalEncoder(nn.Module):
    """(B, 3, S, S) to features (B, (S/4)², width).

    Two scales: every fourth pixel, because a cube on the table is 5 to 15 pixels wide at 112² and
    has to be located to a fraction of a pixel, and every eighth for context. For two CPU cores:
    no layer computes at more than a 16th of the pixels.
    """

    stride = 4

    def __init__(self, image_size: int, width: int, layers: int = 1, heads: int = 0) -> None:
        super().__init__()
        if image_size % 8:
            raise ValueError(f'image_size: found {image_size}, wanted a multiple of 8')
        self.side = image_size // self.stride
        self.fine = nn.Sequential(_convolution(3, width, 4, 4), _convolution(width, width, 3))
        self.coarse = nn.Sequential(
            _convolution(width, 2 * width, 3, 2),
            *(_Residual(2 * width) for _ in range(layers)),
            nn.Conv2d(2 * width, width, 1),
        )
        self.join = _convolution(width, width, 3)

    def forward(self, image: Tensor) -> Tensor:
        fine = self.fine(image)
        around = nn.functional.interpolate(self.coarse(fine), scale_factor=2.0, mode='nearest')
        return self.join(fine + around).flatten(2).transpose(1, 2)


class VisionTransformer(nn.Module):
    """(B, 3, S, S) to features (B, (S/stride)², width); Dosovitskiy et al. (2021), pre-norm.

    Patches overlap by half (early convolutions help: Xiao et al., 2021); learned positions.
    """

    def __init__(
        self, image_size: int, width: int, layers: int, heads: int, stride: int = 8
    ) -> None:
        super().__init__()
        if image_size % stride:
            raise ValueError(f'image_size: found {image_size}, wanted a multiple of {stride}')
        self.side = image_size // stride
        self.stride = stride
        self.stem = nn.Sequential(
            _convolution(3, width // 2, stride // 2, stride // 2),
            nn.Conv2d(width // 2, width, 3, stride=2, padding=1),
        )
        self.position = nn.Parameter(torch.randn(self.side**2, width) * 0.02)
        self.layers = nn.ModuleList(TransformerLayer(width, heads, 4) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, image: Tensor) -> Tensor:
        tokens = self.stem(image).flatten(2).transpose(1, 2) + self.position
        for layer in self.layers:
            tokens = layer(tokens)
        return self.norm(tokens)


VISION = {'convolutional': ConvolutionalEncoder, 'transformer': VisionTransformer}


def grid_coordinates(side: int) -> Tensor:
    """Centres of a side × side grid as (side², 2) = (u right, v down), each in [-1, 1]."""
    ticks = (torch.arange(side) + 0.5) / side * 2 - 1
    v, u = torch.meshgrid(ticks, ticks, indexing='ij')
    return torch.stack([u.flatten(), v.flatten()], dim=1)


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

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""From an image to a grid of features that still knows where things are."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.GroupNorm(4, width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.GroupNorm(4, width),
        )
        self.activation = nn.ReLU()

    def forward(self, features: Tensor) -> Tensor:
        return self.activation(features + self.body(features))


class ConvolutionalEncoder(nn.Module):
    """(B, 3, H, W) in [-1, 1] to features (B, (H/4)·(W/4), width).

    Stride 4 only: a cube on the table is 5 to 15 pixels wide at 112², and the policy has to place
    it to a fraction of a pixel.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, width // 2, 5, stride=2, padding=2),
            nn.GroupNorm(4, width // 2),
            nn.ReLU(),
            nn.Conv2d(width // 2, width, 3, stride=2, padding=1),
            nn.GroupNorm(4, width),
            nn.ReLU(),
            _Residual(width),
        )

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image).flatten(2).transpose(1, 2)


def grid_coordinates(side: int) -> Tensor:
    """Centres of a side × side grid as (side², 2) = (u right, v down), each in [-1, 1]."""
    ticks = (torch.arange(side) + 0.5) / side * 2 - 1
    v, u = torch.meshgrid(ticks, ticks, indexing='ij')
    return torch.stack([u.flatten(), v.flatten()], dim=1)

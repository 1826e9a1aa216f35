# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Where words meet the image, the body and the clock."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vla_models.network.text import TransformerLayer
from vla_models.network.vision import grid_coordinates


class LanguageQueriedAttention(nn.Module):
    """The instruction asks the image `keypoints` questions; each answer is a place and a feature.

    A question is a vector made from the text; the softmax over the grid of its product with the
    features is a map of where the answer is. Its mean coordinate (soft-argmax) is finer than a
    cell, which is what an arm needs.
    """

    def __init__(self, width: int, text_width: int, side: int, keypoints: int) -> None:
        super().__init__()
        self.keypoints = keypoints
        self.query = nn.Linear(text_width, keypoints * width)
        self.key = nn.Linear(width, width)
        self.sharpness = nn.Parameter(torch.tensor(3.0))
        self.register_buffer('coordinates', grid_coordinates(side))

    def forward(self, features: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, S, width) and text (B·M, T) to places (B·M, K, 2), answers (B·M, K, width).

        M instructions in a row ask the same image (M = 1 on the robot): its keys are made once.
        """
        batch, _, width = features.shape
        query = self.query(text).reshape(batch, -1, width)
        scores = query @ self.key(features).transpose(1, 2) * (self.sharpness / width**0.5)
        attention = torch.softmax(scores, dim=-1)
        places = (attention @ self.coordinates).reshape(-1, self.keypoints, 2)
        return places, (attention @ features).reshape(-1, self.keypoints, width)


class Fusion(nn.Module):
    """A transformer over [readout, text, body, phase, keypoints…]; the readout token leaves."""

    def __init__(
        self, width: int, vision_width: int, state: int, keypoints: int, heads: int, layers: int
    ) -> None:
        super().__init__()
        self.readout = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.kind = nn.Parameter(torch.randn(4 + keypoints, width) * 0.02)
        self.body = nn.Sequential(nn.Linear(state, width), nn.GELU(), nn.Linear(width, width))
        self.phase = nn.Linear(2, width)
        self.place = nn.Sequential(nn.Linear(2 + vision_width, width), nn.GELU())
        self.place_out = nn.Linear(width, width)
        self.layers = nn.ModuleList(TransformerLayer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(
        self, text: Tensor, state: Tensor, phase: Tensor, places: Tensor, answers: Tensor
    ) -> Tensor:
        points = self.place_out(self.place(torch.cat([places, answers], dim=-1)))
        tokens = torch.cat(
            [
                self.readout.expand(text.shape[0], -1, -1),
                text.unsqueeze(1),
                self.body(state).unsqueeze(1),
                self.phase(phase).unsqueeze(1),
                points,
            ],
            dim=1,
        )
        tokens = tokens + self.kind
        for layer in self.layers:
            tokens = layer(tokens)
        return self.norm(tokens[:, 0])

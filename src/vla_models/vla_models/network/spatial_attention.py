# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Spatial attention with queries from the instruction, and the place of the target in metres."""

# Annotations are not postponed here: TorchScript reads those of a NamedTuple as they are.
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vla_models.network.encoders import grid_coordinates
from vla_models.network.layers import perceptron


class Keypoints(NamedTuple):
    """Results of K queries on an image of S cells.

    place (B, K, 2) in [-1, 1], u right, v down; spread (B, K, 2) standard deviation likewise;
    answer (B, K, width); scores (B, K, S), whose softmax over the cells is the attention.
    """

    place: Tensor
    spread: Tensor
    answer: Tensor
    scores: Tensor


class LanguageQueriedAttention(nn.Module):
    """`keypoints` queries of the instruction on the image; each gives a place and a feature.

    A query is a vector made from the text; the softmax over the grid of its product with the
    features is an attention map. Its mean coordinate (soft-argmax) is finer than a cell, as an arm
    needs; its width grows with the size of the object and with doubt.
    """

    def __init__(self, width: int, text_width: int, side: int, keypoints: int) -> None:
        super().__init__()
        self.keypoints = keypoints
        self.query = nn.Linear(text_width, keypoints * width)
        self.key = nn.Linear(width, width)
        self.sharpness = nn.Parameter(torch.tensor(3.0))
        self.register_buffer('coordinates', grid_coordinates(side))

    def forward(self, features: Tensor, text: Tensor) -> Keypoints:
        """Features (B, S, width), text (B·M, T): M consecutive instructions share one image (M = 1
        on the robot) and its keys."""
        batch, cells, width = features.shape
        count = self.keypoints
        query = self.query(text).reshape(batch, -1, width)
        scores = query @ self.key(features).transpose(1, 2) * (self.sharpness / width**0.5)
        attention = torch.softmax(scores, dim=-1)
        place = attention @ self.coordinates
        spread = (attention @ self.coordinates.square() - place.square()).clamp(min=1e-6).sqrt()
        return Keypoints(
            place.reshape(-1, count, 2),
            spread.reshape(-1, count, 2),
            (attention @ features).reshape(-1, count, width),
            scores.reshape(-1, count, cells),
        )


class Landmarks(nn.Module):
    """What any instruction may need of the image: the mean feature, and the places of `count`
    learned features (the edge of the table, the hands of the robot)."""

    def __init__(self, width: int, side: int, count: int) -> None:
        super().__init__()
        self.maps = nn.Linear(width, count)
        self.width = width + 2 * count
        self.register_buffer('coordinates', grid_coordinates(side))

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, S, width) to (B, self.width)."""
        attention = torch.softmax(self.maps(features).transpose(1, 2), dim=-1)
        places = attention @ self.coordinates
        return torch.cat([places.flatten(1), features.mean(1)], dim=-1)


class Locator(nn.Module):
    """The place of the target, (B, 3) m in the base frame, and whether it is in the image.

    From keypoints, landmarks and the angles of the joints that carry the camera. Auxiliary losses
    supervise it; without them it is three free numbers.
    """

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.layers = perceptron(features, 2 * hidden, 2 * hidden, hidden, 4)
        # Statistics of the targets in the data, so that the layers work on numbers around 1.
        self.register_buffer('mean', torch.zeros(3))
        self.register_buffer('scale', torch.ones(3))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Target (B, 3) m, and the logit (B,) of whether it is in the image."""
        out = self.layers(features)
        return out[:, :3] * self.scale + self.mean, out[:, 3]

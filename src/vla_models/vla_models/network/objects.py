# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Objects in the image, and which of them the words mean.

Every image is searched for one cube of each colour, whatever the instruction is: so each frame
supervises all cubes in it, and order and relations are those of a few places in metres, which can
be learned without images.
"""

# Annotations are not postponed here: TorchScript reads those of a NamedTuple as they are.
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vla_models.network.encoders import grid_coordinates
from vla_models.network.layers import perceptron

POINTS = 3  # keypoints of an object; the first is supervised with its pixel
WIDTH, ANCHORS = 64, 2  # of the pointer
ORDER = 0.012  # m over which one place is left of, or farther than, another


class Objects(NamedTuple):
    """One of each of C colours: place (B, C, 3) m in the base frame; seen (B, C), the logit of
    whether it is in the image; pixel (B, C, 2) in [-1, 1]; scores (B, C, S), whose softmax over the
    cells is the attention."""

    place: Tensor
    seen: Tensor
    pixel: Tensor
    scores: Tensor


class ObjectFinder(nn.Module):
    """Learned queries on the image, some for each object; a locator gives metres."""

    def __init__(
        self, width: int, side: int, objects: int, landmarks: int, carried: int, hidden: int
    ) -> None:
        super().__init__()
        self.objects = objects
        self.points = POINTS  # TorchScript sees no globals
        self.query = nn.Parameter(torch.randn(objects * POINTS, width) * 0.3)
        self.key = nn.Linear(width, width)
        self.sharpness = nn.Parameter(torch.tensor(3.0))
        features = POINTS * (4 + width) + landmarks + carried + objects
        self.locator = perceptron(features, 2 * hidden, 2 * hidden, hidden, 4)
        self.register_buffer('kind', torch.eye(objects), persistent=False)
        self.register_buffer('coordinates', grid_coordinates(side))
        # Statistics of the places in the data, so that the layers work on numbers around 1.
        self.register_buffer('mean', torch.zeros(3))
        self.register_buffer('scale', torch.ones(3))

    def forward(self, features: Tensor, landmarks: Tensor, carried: Tensor) -> Objects:
        """Features (B, S, width), landmarks (B, n), angles of the joints that carry the camera."""
        batch, _, width = features.shape
        query = self.query * (self.sharpness / width**0.5)
        scores = torch.matmul(query, self.key(features).transpose(1, 2))
        attention = torch.softmax(scores, dim=-1)
        place = attention @ self.coordinates
        spread = (attention @ self.coordinates.square() - place.square()).clamp(min=1e-6).sqrt()
        parts = torch.cat([place, spread * 8, attention @ features], dim=-1)
        common = torch.cat([landmarks, carried], dim=-1).unsqueeze(1)
        out = self.locator(
            torch.cat(
                [
                    parts.reshape(batch, self.objects, -1),
                    common.expand(-1, self.objects, -1),
                    self.kind.unsqueeze(0).expand(batch, -1, -1),
                ],
                dim=-1,
            )
        )
        split = (batch, self.objects, self.points, -1)
        return Objects(
            out[..., :3] * self.scale + self.mean,
            out[..., 3],
            place.reshape(split)[:, :, 0],
            scores.reshape(split)[:, :, 0],
        )


class Pointer(nn.Module):
    """Which of the objects the words mean.

    Each object brings its ranks among the others (how many are left of it, how many nearer), which
    are soft counts: ordinals and relations are then a choice, not arithmetic. Two anchors are the
    objects that a relation names ("between the red and the blue one"), also where they are not in
    view. A network scores each object, and that of no object, given words and anchors.
    """

    def __init__(self, objects: int, text: int) -> None:
        super().__init__()
        self.order, self.anchors = ORDER, ANCHORS  # TorchScript sees no globals
        self.width = WIDTH
        self.kind = nn.Parameter(torch.randn(objects, WIDTH) * 0.3)
        self.nothing = nn.Parameter(torch.randn(1, 1, WIDTH) * 0.3)
        self.object = perceptron(6, WIDTH, WIDTH)
        self.anchor = nn.Linear(text, ANCHORS * WIDTH)
        self.common = nn.Linear(text + ANCHORS * WIDTH, 2 * WIDTH)
        self.own = nn.Linear(WIDTH, 2 * WIDTH)
        self.score = nn.Sequential(
            nn.GELU(), nn.Linear(2 * WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, 1)
        )

    def forward(self, text: Tensor, place: Tensor, seen: Tensor) -> Tensor:
        """Text (B, width), place (B, C, 3) m, seen (B, C) in [0, 1] to logits (B, C + 1); the last
        is that of no object."""
        far = place[..., :2].square().sum(-1).clamp(min=1e-6).sqrt()
        # From left to right, and from near to far.
        along = torch.stack([-place[..., 1], far], dim=-1)
        ranks = self.ranks(along, seen)
        there = seen.unsqueeze(-1)
        count = seen.sum(1, keepdim=True).unsqueeze(-1).expand_as(there)
        scaled = torch.cat([ranks, along * 4], dim=-1) * there
        objects = self.object(torch.cat([there, count, scaled], dim=-1)) + self.kind
        wanted = self.anchor(text).reshape(-1, self.anchors, self.width)
        share = torch.softmax(wanted @ objects.transpose(1, 2) * self.width**-0.5, dim=-1)
        named = torch.cat([text, (share @ objects).flatten(1)], dim=-1)
        rows = torch.cat([objects, self.nothing.expand(text.shape[0], -1, -1)], dim=1)
        score = self.score(self.own(rows) + self.common(named).unsqueeze(1)).squeeze(-1)
        # What is not there is not meant.
        return score - nn.functional.pad(8.0 * (1 - seen), [0, 1])

    def ranks(self, along: Tensor, seen: Tensor) -> Tensor:
        """How many seen objects come before each one, softly, in each order (B, C, n)."""
        ahead = torch.sigmoid((along.unsqueeze(2) - along.unsqueeze(1)) / self.order)
        # Half of itself is in the sum.
        return (ahead * seen[:, None, :, None]).sum(2) - 0.5 * seen.unsqueeze(-1)

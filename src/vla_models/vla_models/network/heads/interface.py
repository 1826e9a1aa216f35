# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What an action head promises."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class HeadShape:
    """Sizes of a head: context and text vectors in, `horizon` × `joints` out."""

    context: int
    text: int
    joints: int
    horizon: int
    width: int
    layers: int
    heads: int
    steps: int  # of flow matching and diffusion


class ActionHead(nn.Module):
    """A head is called to act and asked for a loss to learn.

    In both, `context` (B, C) is all that was understood, `text` (B, T) the instruction alone,
    `current` (B, k) the normalised joint positions, `phase` (B, 2) its sine and cosine. Chunks are
    (B, h, k), normalised. Acting is deterministic: the same input gives the same chunk, which the
    comparison of an exported model with this one relies on.
    """

    def __init__(self, shape: HeadShape) -> None:
        super().__init__()
        # Numbers of its own: TorchScript takes no other object's.
        self.horizon, self.joints, self.steps = shape.horizon, shape.joints, shape.steps

    def forward(self, context: Tensor, text: Tensor, current: Tensor, phase: Tensor) -> Tensor:
        """The chunk that the head would have the robot follow."""
        raise NotImplementedError

    def loss(
        self,
        context: Tensor,
        text: Tensor,
        current: Tensor,
        phase: Tensor,
        chunk: Tensor,
        scale: Tensor,
    ) -> Tensor:
        """What to minimise, for each sample (B,), given the demonstrated `chunk`.

        `scale` (h, k) weighs normalised errors: radians times what a joint and a step count.
        """
        return ((self(context, text, current, phase) - chunk).abs() * scale).mean((1, 2))


def decaying_gate(horizon: int, joints: int) -> Tensor:
    """(h, k): the share of the present posture in each step of a motion that slows down."""
    return torch.exp(-0.2 * torch.arange(1, horizon + 1))[:, None].repeat(1, joints)

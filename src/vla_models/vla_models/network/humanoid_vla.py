# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""HumanoidVLA: looks, reads, feels its joints, and says where they should go."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from vla_models.network.fusion import Fusion, LanguageQueriedAttention
from vla_models.network.heads import HEADS
from vla_models.network.text import TextEncoder
from vla_models.network.vision import ConvolutionalEncoder


@dataclass(frozen=True)
class HumanoidVLAConfig:
    """Sizes of the network; saved in every checkpoint."""

    image_size: int = 112
    vocabulary: int = 512
    tokens: int = 24
    joints: int = 17
    horizon: int = 16
    vision_width: int = 48
    hidden_size: int = 128
    heads: int = 4
    text_layers: int = 1
    fusion_layers: int = 2
    keypoints: int = 4
    head_width: int = 384
    head: str = 'mlp'

    def to_dict(self) -> dict:
        """As plain values, for JSON and checkpoints."""
        return asdict(self)


class HumanoidVLA(nn.Module):
    """Image, words, joint positions and phase to a chunk of normalised joint targets.

    State and action are the same joints under the same normalisation. `forward` is what is
    exported; `understand` also returns what the auxiliary losses supervise.
    """

    def __init__(self, config: HumanoidVLAConfig) -> None:
        super().__init__()
        if config.head not in HEADS:
            raise ValueError(f'head: found {config.head!r}, wanted one of {sorted(HEADS)}')
        self.config = config
        hidden, vision = config.hidden_size, config.vision_width
        self.vision = ConvolutionalEncoder(vision)
        self.text = TextEncoder(
            config.vocabulary, config.tokens, hidden, config.heads, config.text_layers
        )
        side = config.image_size // 4
        self.looking = LanguageQueriedAttention(vision, hidden, side, config.keypoints)
        self.fusion = Fusion(
            hidden, vision, config.joints, config.keypoints, config.heads, config.fusion_layers
        )
        # Text and places go past the fusion too: a short way for what decides most.
        context = 2 * hidden + 2 * config.keypoints + 2
        self.head = HEADS[config.head](context, config.joints, config.horizon, config.head_width)
        self.target = nn.Linear(hidden, 3)

    def understand(
        self, features: Tensor, ids: Tensor, state: Tensor, phase: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """From visual features on: chunk (B, h, k), target (B, 3) m, first keypoint (B, 2).

        There may be fewer features than instructions: B/M images, each asked M in a row.
        """
        text = self.text(ids)
        places, answers = self.looking(features, text)
        fused = self.fusion(text, state, phase, places, answers)
        context = torch.cat([fused, text, places.flatten(1), phase], dim=-1)
        return self.head(context, state, phase), self.target(fused), places[:, 0]

    def forward(self, image: Tensor, ids: Tensor, state: Tensor, phase: Tensor) -> Tensor:
        """Image (B, 3, H, W), ids (B, L), state (B, k), phase (B, 2) to chunk (B, h, k)."""
        return self.understand(self.vision(image), ids, state, phase)[0]

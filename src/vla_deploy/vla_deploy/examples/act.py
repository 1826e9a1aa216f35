# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A tiny policy of the ACT kind: convolutions, a transformer, one learnt query per step.

After Zhao et al. 2023 (Action Chunking with Transformers) without its style variable: at run time
that is zero anyway. It has a gripper, so it returns two outputs.
"""

import torch
from torch import Tensor, nn


class TinyACT(nn.Module):
    """Image (B, 3, S, S), state (B, k), words (B, L) to targets (B, h, k), grippers (B, h, 2)."""

    def __init__(self, joints: int, horizon: int, width: int, vocabulary: int) -> None:
        super().__init__()
        self.vision = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=4),
            nn.ReLU(),
            nn.Conv2d(width, width, 2, stride=2),
            nn.ReLU(),
        )
        self.body = nn.Linear(joints, width)
        self.words = nn.Embedding(vocabulary, width)
        self.encoder = nn.TransformerEncoderLayer(width, 4, 2 * width, 0.0, batch_first=True)
        self.decoder = nn.TransformerDecoderLayer(width, 4, 2 * width, 0.0, batch_first=True)
        self.queries = nn.Parameter(torch.randn(1, horizon, width))
        self.joints = nn.Linear(width, joints)
        self.gripper = nn.Linear(width, 2)

    def forward(self, image: Tensor, state: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.vision(image).flatten(2).transpose(1, 2)
        text = self.words(words).mean(1, keepdim=True)
        tokens = torch.cat([self.body(state).unsqueeze(1), text, seen], dim=1)
        memory = self.encoder(tokens)
        queries = self.queries.expand(image.shape[0], -1, -1)
        found = self.decoder(queries, memory)
        return self.joints(found), torch.sigmoid(self.gripper(found))


def make(
    joints: int = 17, horizon: int = 16, width: int = 32, vocabulary: int = 64, seed: int = 0
) -> nn.Module:
    """A TinyACT with weights that follow from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TinyACT(joints, horizon, width, vocabulary).eval()

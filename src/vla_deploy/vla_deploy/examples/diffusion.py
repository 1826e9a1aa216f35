# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A tiny diffusion policy: denoises a chunk in a few DDIM steps (Song et al. 2021, eq. 12, eta 0).

The initial noise is a constant of the network, so that the same observation gives the same chunk
and conversions can be compared.
"""

import torch
from torch import Tensor, nn


class TinyDiffusion(nn.Module):
    """Image (B, 3, S, S), state (B, k) to a chunk (B, h, k)."""

    def __init__(self, joints: int, horizon: int, width: int, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.vision = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=4),
            nn.GroupNorm(4, width),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
        )
        self.condition = nn.Linear(4 * width + joints, width)
        self.time = nn.Embedding(steps, width)
        self.into = nn.Conv1d(joints, width, 3, padding=1)
        self.middle = nn.Conv1d(width, width, 3, padding=1)
        self.out = nn.Conv1d(width, joints, 3, padding=1)
        self.register_buffer('noise', torch.randn(1, joints, horizon))
        # Share of signal before each step, from almost none to all.
        self.register_buffer('signal', torch.linspace(0.05, 1.0, steps + 1))

    def predict_noise(self, chunk: Tensor, context: Tensor, step: int) -> Tensor:
        """The noise in `chunk` (B, k, h), as the network sees it."""
        hint = (context + self.time.weight[step]).unsqueeze(-1)
        hidden = torch.nn.functional.silu(self.into(chunk) + hint)
        return self.out(torch.nn.functional.silu(self.middle(hidden)))

    def forward(self, image: Tensor, state: Tensor) -> Tensor:
        context = self.condition(torch.cat([self.vision(image), state], dim=1))
        chunk = self.noise.expand(image.shape[0], -1, -1)
        for step in range(self.steps):
            now, then = self.signal[step], self.signal[step + 1]
            noise = self.predict_noise(chunk, context, step)
            clean = (chunk - (1 - now).sqrt() * noise) / now.sqrt()
            clean = clean.clamp(-3.0, 3.0)
            chunk = then.sqrt() * clean + (1 - then).sqrt() * noise
        return chunk.transpose(1, 2)


def make(
    joints: int = 17, horizon: int = 16, width: int = 32, steps: int = 4, seed: int = 0
) -> nn.Module:
    """A TinyDiffusion with weights that follow from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TinyDiffusion(joints, horizon, width, steps).eval()

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A tiny policy that sees the past and says what it understood: an LSTM or a transformer over the
observations of `inputs.history`, and the outputs understood, possible and done."""

import torch
from torch import Tensor, nn

ENCODERS = ('lstm', 'transformer')


class TinyRecurrent(nn.Module):
    """Images (B, T, 3, S, S), states (B, T, k), oldest first, words (B, L), to targets (B, h, k),
    understood (B, 1 + L), possible (B, 1 + reasons), done (B, 1)."""

    output_names = ('joint_targets', 'understood', 'possible', 'done')

    def __init__(
        self, encoder: str, frames: int, joints: int, horizon: int, reasons: int, width: int
    ) -> None:
        super().__init__()
        if encoder not in ENCODERS:
            raise ValueError(f'encoder: found {encoder!r}, wanted one of {ENCODERS}')
        self.joints, self.horizon = joints, horizon
        self.vision = nn.Sequential(nn.Conv2d(3, width, 8, stride=8), nn.ReLU(), nn.Flatten())
        self.seen = nn.LazyLinear(width)
        self.body = nn.Linear(joints, width)
        self.words = nn.Embedding(64, width)
        self.moment = nn.Parameter(0.1 * torch.randn(1, frames, width))
        self.lstm = nn.LSTM(width, width, batch_first=True) if encoder == 'lstm' else None
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, 0.0, batch_first=True)
        self.attention = layer if encoder == 'transformer' else None
        self.head = nn.Linear(width, horizon * joints)
        self.fits = nn.Linear(2 * width, 1)
        self.possible = nn.Linear(width, 1 + reasons)
        self.done = nn.Linear(width, 1)

    def forward(self, image: Tensor, state: Tensor, words: Tensor) -> tuple[Tensor, ...]:
        pixels = self.vision(image.flatten(0, 1))
        seen = self.seen(pixels).unflatten(0, (-1, state.shape[1]))
        text = self.words(words)
        moments = seen + self.body(state) + self.moment + text.mean(1, keepdim=True)
        past = self.lstm(moments)[0] if self.lstm is not None else self.attention(moments)
        now = past[:, -1]
        targets = self.head(now).unflatten(1, (self.horizon, self.joints))
        pairs = torch.cat([text, text.mean(1, keepdim=True).expand_as(text)], dim=2)
        fits = torch.sigmoid(self.fits(pairs)).squeeze(2)
        understood = torch.cat([fits.mean(1, keepdim=True), fits], dim=1)
        possible = torch.softmax(self.possible(now), dim=1)
        return targets, understood, possible, torch.sigmoid(self.done(now))


def make(
    encoder: str = 'lstm',
    frames: int = 3,
    joints: int = 17,
    horizon: int = 16,
    reasons: int = 2,
    side: int = 32,
    width: int = 16,
    seed: int = 0,
) -> nn.Module:
    """A TinyRecurrent with weights that follow from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = TinyRecurrent(encoder, frames, joints, horizon, reasons, width).eval()
        sizes = torch.zeros(1, frames, 3, side, side), torch.zeros(1, frames, joints)
        module(*sizes, torch.zeros(1, 1, dtype=torch.int64))  # the size of the lazy layer
        return module

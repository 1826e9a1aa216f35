# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Heads that make a chunk out of noise: flow matching and diffusion.

Both learn on chunks less the share of the present posture (see `decaying_gate`), so that noise
stands for the goal alone. Acting starts from the middle of the noise (zero): one answer, always
the same, and the most likely one where demonstrations agree.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from vla_models.network.heads.interface import ActionHead, HeadShape, decaying_gate
from vla_models.network.heads.mlp import Modulated


class _Denoiser(nn.Module):
    """From a noisy chunk, the context and the time in [0, 1] to something of the chunk's shape."""

    rates = 8

    def __init__(self, shape: HeadShape) -> None:
        super().__init__()
        self.size = (-1, shape.horizon, shape.joints)
        inputs = shape.context + shape.horizon * shape.joints + shape.joints + 2 * self.rates
        self.first = nn.Linear(inputs, shape.width)
        words = shape.text + 2 * self.rates
        self.layers = nn.ModuleList(Modulated(shape.width, words) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(shape.width)
        self.last = nn.Linear(shape.width, shape.horizon * shape.joints)
        rates = math.pi * 2.0 ** torch.arange(-2, self.rates - 2)
        self.register_buffer('frequencies', rates, persistent=False)

    def forward(
        self, noisy: Tensor, time: Tensor, context: Tensor, text: Tensor, extra: Tensor
    ) -> Tensor:
        """noisy (B, h, k), time (B, 1), extra (B, k): current positions."""
        angles = time * self.frequencies
        when = torch.cat([torch.sin(angles), torch.cos(angles)], dim=-1)
        features = self.first(torch.cat([context, noisy.flatten(1), extra, when], dim=-1))
        words = torch.cat([text, when], dim=-1)
        for layer in self.layers:
            features = layer(features, words)
        return self.last(self.norm(features)).reshape(self.size)


class _FromNoise(ActionHead):
    def __init__(self, shape: HeadShape) -> None:
        super().__init__(shape)
        self.denoiser = _Denoiser(shape)
        gate = decaying_gate(shape.horizon, shape.joints)
        self.register_buffer('gate', gate, persistent=False)

    def _nothing(self, context: Tensor) -> Tensor:
        return context.new_zeros(context.shape[0], self.horizon, self.joints)


class FlowHead(_FromNoise):
    """Flow matching (Lipman et al., 2023), with straight paths (Liu et al., 2023).

    On the way x = (1 - t) · noise + t · chunk the network learns the velocity chunk - noise; acting
    follows it in `steps` equal Euler steps.
    """

    def forward(self, context: Tensor, text: Tensor, current: Tensor, phase: Tensor) -> Tensor:
        at = self._nothing(context)
        for step in range(self.steps):
            time = context.new_full((1, 1), step / self.steps).expand(context.shape[0], 1)
            at = at + self.denoiser(at, time, context, text, current) / self.steps
        return at + self.gate * current.unsqueeze(1)

    def loss(self, context, text, current, phase, chunk, scale):
        wanted = chunk - self.gate * current.unsqueeze(1)
        noise = torch.randn_like(wanted)
        time = torch.rand_like(context[:, :1])
        at = noise + time[:, :, None] * (wanted - noise)
        velocity = self.denoiser(at, time, context, text, current)
        return ((velocity - (wanted - noise)) * scale).square().mean((1, 2))


class DiffusionHead(_FromNoise):
    """Denoising diffusion with the cosine schedule (Nichol and Dhariwal, 2021), acting by DDIM.

    x = a(t) · chunk + b(t) · noise with a = cos(πt/2), b = sin(πt/2). The network says what the
    chunk is (easier than the noise where there are few steps; Salimans and Ho, 2022).
    """

    def forward(self, context: Tensor, text: Tensor, current: Tensor, phase: Tensor) -> Tensor:
        at = self._nothing(context)
        guess = at
        for step in range(self.steps):
            before, after = 1 - step / self.steps, 1 - (step + 1) / self.steps
            time = context.new_full((1, 1), before).expand(context.shape[0], 1)
            guess = self.denoiser(at, time, context, text, current)
            a, b = math.cos(math.pi / 2 * before), math.sin(math.pi / 2 * before)
            noise = (at - a * guess) / b
            at = math.cos(math.pi / 2 * after) * guess + math.sin(math.pi / 2 * after) * noise
        return guess + self.gate * current.unsqueeze(1)

    def loss(self, context, text, current, phase, chunk, scale):
        wanted = chunk - self.gate * current.unsqueeze(1)
        time = torch.rand_like(context[:, :1])
        angle = (math.pi / 2 * time)[:, :, None]
        at = torch.cos(angle) * wanted + torch.sin(angle) * torch.randn_like(wanted)
        guess = self.denoiser(at, time, context, text, current)
        return ((guess - wanted) * scale).square().mean((1, 2))

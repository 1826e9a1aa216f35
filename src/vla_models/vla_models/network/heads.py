# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Action heads: from the context of the network to a chunk of joint targets.

`HEADS` lists them by the name in a configuration; their interface is `ActionHead`.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vla_models.network.layers import TransformerLayer


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
    """`forward` gives a chunk, `loss` is for training.

    context (B, C): the output of the network before the head; text (B, T): the instruction alone;
    current (B, k): normalised joint positions; phase (B, 2): sine and cosine. Chunks are (B, h, k),
    normalised. `forward` is deterministic; the verification of an exported model relies on it.
    """

    def __init__(self, shape: HeadShape) -> None:
        super().__init__()
        # Copies: TorchScript does not read attributes of other objects.
        self.horizon, self.joints, self.steps = shape.horizon, shape.joints, shape.steps

    def forward(self, context: Tensor, text: Tensor, current: Tensor, phase: Tensor) -> Tensor:
        """The chunk to follow."""
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
        """The loss of each sample (B,), given the demonstrated `chunk`.

        scale (h, k): weights of normalised errors, in radians times the weight of a step.
        """
        return ((self(context, text, current, phase) - chunk).abs() * scale).mean((1, 2))


def decaying_gate(horizon: int, joints: int) -> Tensor:
    """(h, k): the share of the present posture in each step of a motion that slows down."""
    return torch.exp(-0.2 * torch.arange(1, horizon + 1))[:, None].repeat(1, joints)


class Modulated(nn.Module):
    """A residual layer that the words modulate (FiLM; Perez et al., 2018).

    The words select hand and task; a product selects in one layer.
    """

    def __init__(self, width: int, text: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, width)
        self.modulation = nn.Linear(text, 2 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, features: Tensor, text: Tensor) -> Tensor:
        gain, offset = self.modulation(text).chunk(2, dim=-1)
        return features + self.outer(
            nn.functional.gelu(self.inner(self.norm(features)) * (1 + gain) + offset)
        )


class _Trunk(nn.Module):
    def __init__(self, shape: HeadShape, outputs: int) -> None:
        super().__init__()
        self.first = nn.Linear(shape.context + shape.joints, shape.width)
        self.layers = nn.ModuleList(Modulated(shape.width, shape.text) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(shape.width)
        self.last = nn.Linear(shape.width, outputs)

    def forward(self, context: Tensor, text: Tensor, current: Tensor) -> Tensor:
        features = self.first(torch.cat([context, current], dim=-1))
        for layer in self.layers:
            features = layer(features, text)
        return self.last(self.norm(features))


class MlpHead(ActionHead):
    """chunk = gate · current + MLP(context, current) + swing(text) · phase.

    A demonstrated motion ends at a goal, so each step is a share of the present posture (learned by
    the gate) plus a share of the goal (from the MLP). Periodic motion is an amplitude from the
    words times sine and cosine of the phase; the MLP alone did not learn this product in half an
    hour of training.
    """

    def __init__(self, shape: HeadShape) -> None:
        super().__init__(shape)
        size = shape.horizon * shape.joints
        self.trunk = _Trunk(shape, size)
        self.swing = nn.Linear(shape.text, size * 2)
        nn.init.zeros_(self.swing.weight)
        nn.init.zeros_(self.swing.bias)
        self.gate = nn.Parameter(decaying_gate(shape.horizon, shape.joints))

    def forward(self, context: Tensor, text: Tensor, current: Tensor, phase: Tensor) -> Tensor:
        goal = self.trunk(context, text, current).reshape(-1, self.horizon, self.joints)
        swing = self.swing(text).reshape(-1, self.horizon, self.joints, 2)
        return self.gate * current.unsqueeze(1) + goal + (swing * phase[:, None, None, :]).sum(-1)


class GaussianMlpHead(MlpHead):
    """An MLP head with a learned deviation for each step and joint; `forward` gives the mean.

    Loss: negative log-likelihood of the demonstrated chunk, in scaled units.
    """

    def __init__(self, shape: HeadShape) -> None:
        super().__init__(shape)
        self.spread = _Trunk(shape, shape.horizon * shape.joints)

    def deviation(self, context: Tensor, text: Tensor, current: Tensor) -> Tensor:
        """(B, h, k), in the units of the chunk, at least 1e-3."""
        raw = self.spread(context, text, current)
        return nn.functional.softplus(raw).reshape(-1, self.horizon, self.joints) + 1e-3

    def loss(self, context, text, current, phase, chunk, scale):
        deviation = self.deviation(context, text, current) * scale
        error = (self(context, text, current, phase) - chunk) * scale
        likelihood = 0.5 * (error / deviation).square() + torch.log(deviation)
        return (likelihood + 0.5 * math.log(2 * math.pi)).mean((1, 2))


class AutoregressiveHead(ActionHead):
    """Step i is step i - 1 plus the output of a causal transformer for steps 0 to i - 1.

    Step 0 is the present posture. Training uses the demonstrated steps as the past, all steps in
    one pass under a causal mask; inference its own.
    """

    def __init__(self, shape: HeadShape) -> None:
        super().__init__(shape)
        self.context = nn.Linear(shape.context, shape.width)
        self.step = nn.Linear(shape.joints, shape.width)
        self.position = nn.Parameter(torch.randn(shape.horizon, shape.width) * 0.02)
        self.layers = nn.ModuleList(
            TransformerLayer(shape.width, shape.heads) for _ in range(shape.layers)
        )
        self.norm = nn.LayerNorm(shape.width)
        self.change = nn.Linear(shape.width, shape.joints)
        causal = torch.ones(1, shape.horizon, shape.horizon).tril().bool()
        self.register_buffer('causal', causal, persistent=False)

    def _next(self, context: Tensor, past: Tensor) -> Tensor:
        """From steps 0…n - 1 (B, n, k) to steps 1…n."""
        count = past.shape[1]
        tokens = self.step(past) + self.context(context).unsqueeze(1) + self.position[:count]
        for layer in self.layers:
            tokens = layer(tokens, self.causal[:, :count, :count])
        return past + self.change(self.norm(tokens))

    def forward(self, context: Tensor, text: Tensor, current: Tensor, phase: Tensor) -> Tensor:
        past = current.unsqueeze(1)
        for _ in range(self.horizon):
            past = torch.cat([past, self._next(context, past)[:, -1:]], dim=1)
        return past[:, 1:]

    def loss(self, context, text, current, phase, chunk, scale):
        past = torch.cat([current.unsqueeze(1), chunk[:, :-1]], dim=1)
        return ((self._next(context, past) - chunk).abs() * scale).mean((1, 2))


class _Denoiser(nn.Module):
    """From noisy chunk, context and time in [0, 1] to the shape of a chunk."""

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
    """A chunk from noise, less the share of the present posture (see `decaying_gate`).

    Inference starts from zero, the mean of the noise: deterministic, and the most likely chunk
    where demonstrations agree.
    """

    def __init__(self, shape: HeadShape) -> None:
        super().__init__(shape)
        self.denoiser = _Denoiser(shape)
        gate = decaying_gate(shape.horizon, shape.joints)
        self.register_buffer('gate', gate, persistent=False)

    def _nothing(self, context: Tensor) -> Tensor:
        return context.new_zeros(context.shape[0], self.horizon, self.joints)


class FlowHead(_FromNoise):
    """Flow matching (Lipman et al., 2023), with straight paths (Liu et al., 2023).

    On x = (1 - t) · noise + t · chunk the network learns the velocity chunk - noise; `forward`
    integrates it in `steps` equal Euler steps.
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
    """Denoising diffusion with the cosine schedule (Nichol and Dhariwal, 2021), sampled by DDIM.

    x = a(t) · chunk + b(t) · noise with a = cos(πt/2), b = sin(πt/2). The network predicts the
    chunk, which is easier than the noise for few steps (Salimans and Ho, 2022).
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


HEADS: dict[str, type[ActionHead]] = {
    'mlp': MlpHead,
    'gaussian': GaussianMlpHead,
    'transformer': AutoregressiveHead,
    'flow': FlowHead,
    'diffusion': DiffusionHead,
}

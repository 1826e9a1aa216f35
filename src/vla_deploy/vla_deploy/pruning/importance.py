# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Importance scores of weights; the score of a channel is the sum over its weights.

magnitude: |w|^n (Ln). random: uniform. gradient: |w · g| (Molchanov et al., "Importance Estimation
for Neural Network Pruning", 2019, eq. 8), fisher: w² · E[g²] (Theis et al., "Faster gaze
prediction", 2018, eq. 8; half of what the loss rises by). The policy is taken as the mean of a
normal distribution and the gradients point to answers drawn from it: that needs observations, but
no labels.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vla_deploy.observations import Tensors
from vla_deploy.reference_model import action_of

IMPORTANCES = ('magnitude', 'random', 'gradient', 'fisher')
DRAWS = 2  # answers drawn for each observation


def scores(
    module: nn.Module,
    importance: str,
    inputs: Sequence[Tensors],
    names: Sequence[str],
    *,
    norm: float = 2.0,
    seed: int = 0,
) -> dict[str, Tensor]:
    """A score, >= 0, for each element of each parameter, by its name. `inputs`: observations;
    `names`: of the input tensors in the order of `forward`."""
    parameters = dict(module.named_parameters())
    generator = torch.Generator().manual_seed(seed)
    if importance == 'magnitude':
        return {name: p.detach().abs() ** norm for name, p in parameters.items()}
    if importance == 'random':
        return {
            name: torch.rand(p.shape, generator=generator, dtype=p.dtype)
            for name, p in parameters.items()
        }
    if importance not in IMPORTANCES:
        raise ValueError(f'importance: found {importance}, wanted one of {IMPORTANCES}')
    power = 1 if importance == 'gradient' else 2
    found = {name: torch.zeros_like(p) for name, p in parameters.items()}
    required = [p.requires_grad for p in parameters.values()]
    module.requires_grad_(True)
    try:
        for tensors in inputs:
            for _ in range(DRAWS):
                given = (torch.from_numpy(tensors[name]) for name in names)
                first = action_of(module(*given))
                noise = torch.randn(first.shape, generator=generator)
                gradients = torch.autograd.grad(
                    (first * noise).sum(), list(parameters.values()), allow_unused=True
                )
                for (name, p), gradient in zip(parameters.items(), gradients, strict=True):
                    if gradient is not None:
                        found[name] += (p.detach() * gradient).abs() ** power
    finally:
        for p, was in zip(parameters.values(), required, strict=True):
            p.requires_grad_(was)
    return found

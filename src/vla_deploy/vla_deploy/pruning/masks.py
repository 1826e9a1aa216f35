# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Single weights become zero, by torch.nn.utils.prune; the network keeps its shapes, so neither
its file nor its time gets smaller on a runtime that multiplies zeros too."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from vla_models.network.sizes import LAYERS


def prunable(module: nn.Module) -> dict[str, nn.Module]:
    """Layers whose weights may become zero, by name."""
    return {name: layer for name, layer in module.named_modules() if isinstance(layer, LAYERS)}


def zero_least(module: nn.Module, amount: float, scores: Mapping[str, Tensor]) -> None:
    """The share `amount` of all weights, those with the least scores anywhere, become zero for
    good."""
    layers = prunable(module)
    places = [(layer, 'weight') for layer in layers.values()]
    worth = {(layer, 'weight'): scores[f'{name}.weight'] for name, layer in layers.items()}
    prune.global_unstructured(places, prune.L1Unstructured, importance_scores=worth, amount=amount)
    for layer, name in places:
        prune.remove(layer, name)


def sparsity(module: nn.Module) -> float:
    """The share of prunable weights that are zero."""
    weights = [layer.weight for layer in prunable(module).values()]
    count = sum(w.numel() for w in weights)
    return float(sum((w == 0).sum() for w in weights)) / max(1, count)


def keeper(module: nn.Module) -> Callable[[], None]:
    """A function that makes zero again what is zero now: called after each step of training."""
    kept = [(layer.weight, layer.weight.detach() != 0) for layer in prunable(module).values()]

    @torch.no_grad()
    def keep() -> None:
        for weight, mask in kept:
            weight.mul_(mask)

    return keep

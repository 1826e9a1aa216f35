# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Removal: whole units cut out of a network or masked, and single weights set to zero."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import prune

from vla_models.network.layers import Attention
from vla_models.network.sizes import LAYERS

STEP = 8  # remaining units are a multiple of it: processors compute in blocks of 8 channels


@dataclass(frozen=True)
class Slice:
    """Rows (`out`) or columns of a layer's parameters; `indices[i]` belong to unit i."""

    layer: str
    out: bool
    indices: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Group:
    """`units` that can be removed one by one. slices: the parameters coupled with each unit."""

    name: str
    kind: str  # channels, neurons or heads
    units: int
    slices: tuple[Slice, ...]

    def importances(self, module: nn.Module, scores: Mapping[str, Tensor]) -> Tensor:
        """(units,): sum of the scores of all weights coupled with each unit."""
        layers = dict(module.named_modules())
        found = torch.zeros(self.units)
        for part in self.slices:
            if not isinstance(layers[part.layer], LAYERS):
                continue
            score = scores[f'{part.layer}.weight']
            by_index = score.transpose(0, 0 if part.out else 1).flatten(1).sum(1)
            found += torch.stack([by_index[list(rows)].sum() for rows in part.indices])
        return found

    def readers(self) -> list[Slice]:
        """The slices that read the outputs of the units."""
        return [part for part in self.slices if not part.out]


def least_important(importances: torch.Tensor, amount: float) -> list[int]:
    """The share `amount` of the units with the least importance, rounded so that the rest is a
    multiple of STEP (with at least two steps), and never empty."""
    units = len(importances)
    left = units * (1.0 - amount)
    left = STEP * max(1, round(left / STEP)) if units >= 2 * STEP else max(1, round(left))
    order = torch.argsort(importances, stable=True)
    return sorted(int(i) for i in order[: max(0, units - left)])


@torch.no_grad()
def mask_units(module: nn.Module, group: Group, units: Sequence[int]) -> None:
    """Set the weights that read `units` to zero; no shape changes."""
    for part in group.readers():
        layer = module.get_submodule(part.layer)
        layer.weight[:, _indices(part, units)] = 0.0


@torch.no_grad()
def remove_units(module: nn.Module, group: Group, units: Sequence[int]) -> None:
    """Remove `units` from all layers of the group, in place."""
    for part in group.slices:
        layer = module.get_submodule(part.layer)
        gone = set(_indices(part, units))
        size = layer.weight.shape[0 if part.out else 1]
        kept = torch.tensor([i for i in range(size) if i not in gone])
        _keep(layer, kept, part.out)
    if group.kind == 'heads':
        attention = module.get_submodule(group.name)
        assert isinstance(attention, Attention)
        attention.heads -= len(units)


def _indices(part: Slice, units: Sequence[int]) -> list[int]:
    return [i for unit in units for i in part.indices[unit]]


def _keep(layer: nn.Module, kept: torch.Tensor, out: bool) -> None:
    dimension = 0 if out else 1
    layer.weight = nn.Parameter(layer.weight.index_select(dimension, kept).contiguous())
    if out and getattr(layer, 'bias', None) is not None:
        layer.bias = nn.Parameter(layer.bias.index_select(0, kept))
    if isinstance(layer, _BatchNorm):
        layer.running_mean = layer.running_mean.index_select(0, kept)
        layer.running_var = layer.running_var.index_select(0, kept)
        layer.num_features = len(kept)
    elif isinstance(layer, nn.Linear):
        setattr(layer, 'out_features' if out else 'in_features', len(kept))
    else:
        setattr(layer, 'out_channels' if out else 'in_channels', len(kept))


def prunable(module: nn.Module) -> dict[str, nn.Module]:
    """Layers whose weights may be set to zero, by name."""
    return {name: layer for name, layer in module.named_modules() if isinstance(layer, LAYERS)}


def zero_least(module: nn.Module, amount: float, scores: Mapping[str, Tensor]) -> None:
    """Set the share `amount` of all weights to zero: those with the lowest scores in the network.
    The shapes stay, so the file and the time do not shrink on runtimes that multiply zeros."""
    layers = prunable(module)
    places = [(layer, 'weight') for layer in layers.values()]
    importances = {(layer, 'weight'): scores[f'{name}.weight'] for name, layer in layers.items()}
    prune.global_unstructured(
        places, prune.L1Unstructured, importance_scores=importances, amount=amount
    )
    for layer, name in places:
        prune.remove(layer, name)


def sparsity(module: nn.Module) -> float:
    """Share of prunable weights that are zero."""
    weights = [layer.weight for layer in prunable(module).values()]
    count = sum(w.numel() for w in weights)
    return float(sum((w == 0).sum() for w in weights)) / max(1, count)


def zero_keeper(module: nn.Module) -> Callable[[], None]:
    """A function that restores the current zeros, to be called after each training step."""
    kept = [(layer.weight, layer.weight.detach() != 0) for layer in prunable(module).values()]

    @torch.no_grad()
    def keep() -> None:
        for weight, mask in kept:
            weight.mul_(mask)

    return keep

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Units cut out of a network, which is really smaller then; or silenced, which is what one looks
at first."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from vla_deploy.pruning.groups import Group, Slice
from vla_models.network.layers import Attention

STEP = 8  # what is left is a multiple of it: processors compute in blocks of so many channels


def least(worth: torch.Tensor, amount: float, step: int = STEP) -> list[int]:
    """The units to give up: the share `amount` of them, rounded so that what is left is a multiple
    of `step` where there are at least two steps, and at least one unit."""
    units = len(worth)
    left = units * (1.0 - amount)
    left = step * max(1, round(left / step)) if units >= 2 * step else max(1, round(left))
    order = torch.argsort(worth, stable=True)
    return sorted(int(i) for i in order[: max(0, units - left)])


@torch.no_grad()
def silence(module: nn.Module, group: Group, units: Sequence[int]) -> None:
    """The weights that read `units` become zero; no shape changes."""
    for part in group.readers():
        layer = module.get_submodule(part.layer)
        layer.weight[:, _indices(part, units)] = 0.0


@torch.no_grad()
def cut(module: nn.Module, group: Group, units: Sequence[int]) -> None:
    """Take `units` out of all layers of the group, in place."""
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

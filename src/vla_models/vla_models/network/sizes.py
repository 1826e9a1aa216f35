# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Layer sizes of a pruned network, where they differ from those of its configuration.

`Sizes` maps the name of a layer to [in, out] (linear layers and convolutions), [channels] (batch
norms) or [heads] (attention), in plain numbers for policy.yaml and checkpoints.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from vla_models.network.layers import Attention

Sizes = dict[str, list[int]]
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d)


def size_of(layer: nn.Module) -> list[int] | None:
    """None for a module without a size."""
    if isinstance(layer, Attention):
        return [layer.heads]
    if isinstance(layer, nn.Linear):
        return [layer.in_features, layer.out_features]
    if isinstance(layer, (nn.Conv1d, nn.Conv2d)):
        return [layer.in_channels, layer.out_channels]
    if isinstance(layer, _BatchNorm):
        return [layer.num_features]
    return None


def sizes_of(module: nn.Module) -> Sizes:
    """The sizes of all layers."""
    found = {name: size_of(layer) for name, layer in module.named_modules()}
    return {name: size for name, size in found.items() if size is not None}


def changed_sizes(before: nn.Module, after: nn.Module) -> Sizes:
    """The sizes of those layers of `after` that differ in `before`."""
    old = sizes_of(before)
    return {name: size for name, size in sizes_of(after).items() if old.get(name) != size}


def resize(module: nn.Module, sizes: Mapping[str, Sequence[int]]) -> None:
    """Resize layers in place; their weights are re-initialised. Raises ValueError for an unknown
    layer or an impossible size."""
    layers = dict(module.named_modules())
    for name, size in sizes.items():
        old = size_of(layers[name]) if name in layers else None
        if old is None:
            raise ValueError(f'sizes: found {name}, which is no layer of this network')
        if len(size) != len(old) or not all(isinstance(n, int) and n > 0 for n in size):
            raise ValueError(f'sizes.{name}: found {list(size)}, wanted {len(old)} numbers from 1')
        _resize(layers[name], size)


def _resize(layer: nn.Module, size: Sequence[int]) -> None:
    if isinstance(layer, Attention):
        layer.heads = size[0]
        return
    if isinstance(layer, _BatchNorm):
        layer.num_features = size[0]
        for name in ('weight', 'bias', 'running_mean', 'running_var'):
            value = getattr(layer, name)
            if value is not None:
                _replace(layer, name, value.new_ones(size[0]))
        return
    before, after = size
    assert isinstance(layer, LAYERS)
    if isinstance(layer, nn.Linear):
        layer.in_features, layer.out_features = before, after
        shape = (after, before)
    else:
        layer.in_channels, layer.out_channels = before, after
        shape = (after, before, *layer.kernel_size)
    weight = layer.weight.new_empty(shape)
    nn.init.kaiming_uniform_(weight, a=5**0.5)
    _replace(layer, 'weight', weight)
    if layer.bias is not None:
        _replace(layer, 'bias', layer.bias.new_zeros(after))


def _replace(layer: nn.Module, name: str, value: torch.Tensor) -> None:
    old = getattr(layer, name)
    if isinstance(old, nn.Parameter):
        setattr(layer, name, nn.Parameter(value, requires_grad=old.requires_grad))
    else:
        setattr(layer, name, value)

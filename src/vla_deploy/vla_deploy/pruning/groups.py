# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What can be cut out whole: channels of convolutions, neurons of linear layers, attention heads.

Cutting a channel out of one layer means to cut its like out of all layers that it is coupled with;
which those are, Torch-Pruning finds from the autograd graph (Fang et al., "DepGraph", 2023). Where
it cannot follow a network as a whole, its parts are followed one by one, with the inputs that they
got. A group is taken only if to cut a channel out is the same as to silence it: it ends in layers
that read it by weights, without a norm over all channels on the way.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch_pruning
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch_pruning.ops import _ConcatOp, _ElementWiseOp, _ReshapeOp, _SplitOp

from vla_deploy.silence import silence
from vla_models.network.layers import Attention
from vla_models.network.sizes import LAYERS

_THROUGH = (_ElementWiseOp, _ConcatOp, _SplitOp, _ReshapeOp)


@dataclass(frozen=True)
class Slice:
    """Rows (`out`) or columns of a layer's parameters: those of unit i are `indices[i]`."""

    layer: str
    out: bool
    indices: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Group:
    """`units` of them can be cut out one by one. slices: everything that goes with each."""

    name: str
    kind: str  # channels, neurons or heads
    units: int
    slices: tuple[Slice, ...]

    def worth(self, module: nn.Module, scores: Mapping[str, Tensor]) -> Tensor:
        """(units,): the sum of the scores of all weights that go with each."""
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
        """The slices that read what the units say."""
        return [part for part in self.slices if not part.out]


def find_groups(
    module: nn.Module,
    inputs: Sequence[Tensor],
    wanted: Callable[[str], bool] = lambda name: True,
) -> list[Group]:
    """All whose names are `wanted`, each tried: silencing one unit gives the answer that cutting it
    out gives."""
    found: dict[str, Group] = {}
    seen = _inputs_of_parts(module, inputs)
    for prefix in _traceable(module, seen):
        part = module.get_submodule(prefix)
        for group in _channel_groups(part, prefix, seen[prefix], wanted):
            found.setdefault(group.name, group)
    for name, layer in module.named_modules():
        if isinstance(layer, Attention) and layer.heads > 1 and wanted(name):
            group = _heads(name, layer)
            found[group.name] = group
    return [group for group in found.values() if _is_sound(module, group, inputs)]


def _inputs_of_parts(module: nn.Module, inputs: Sequence[Tensor]) -> dict[str, tuple]:
    """What each submodule was given, for those that get tensors only."""
    seen: dict[str, tuple] = {}
    hooks = []
    for name, part in module.named_modules():

        def remember(_part, given, name=name) -> None:
            if given and all(isinstance(x, Tensor) for x in given):
                seen[name] = tuple(x.detach().clone() for x in given)

        hooks.append(part.register_forward_pre_hook(remember))
    try:
        with torch.no_grad():
            module(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def _traceable(module: nn.Module, seen: Mapping[str, tuple], prefix: str = '') -> Iterator[str]:
    """The largest parts that can be followed."""
    part = module.get_submodule(prefix)
    if not any(isinstance(layer, LAYERS) for layer in part.modules()) or isinstance(part, LAYERS):
        return
    if prefix in seen and not isinstance(part, Attention) and _follow(part, seen[prefix]):
        yield prefix
        return
    for name, _ in part.named_children():
        yield from _traceable(module, seen, f'{prefix}.{name}'.lstrip('.'))


def _follow(part: nn.Module, inputs: tuple) -> torch_pruning.DependencyGraph | None:
    """The graph of a part, None where it cannot be followed."""
    if any(isinstance(inner, Attention) for inner in part.modules()):
        return None  # its reshapes are misread
    for parameter in part.parameters():
        parameter.requires_grad_(True)
    with silence():
        try:
            return torch_pruning.DependencyGraph().build_dependency(part, example_inputs=inputs)
        except Exception:  # tracing someone's code raises whatever it likes
            return None


def _channel_groups(
    part: nn.Module, prefix: str, inputs: tuple, wanted: Callable[[str], bool]
) -> list[Group]:
    graph = _follow(part, inputs)
    assert graph is not None
    names = {id(layer): name for name, layer in part.named_modules()}
    found = []
    for raw in graph.get_all_groups(root_module_types=list(LAYERS)):
        root = raw[0].dep.target.module
        units = graph.get_out_channels(root)
        slices: dict[tuple[str, bool], list[list[int]]] = {}
        # Asked unit by unit, so that what goes with each is known where parts are joined or split.
        if not _admissible(raw) or not units or units < 2:
            continue
        if not wanted(f'{prefix}.{names[id(root)]}'.lstrip('.')):
            continue
        for unit in range(units):
            one = graph.get_pruning_group(root, graph.get_pruner_of_module(root).prune_out_channels,
                                          idxs=[unit])  # fmt: skip
            for dep, indices in one:
                layer = dep.target.module
                if isinstance(layer, (*LAYERS, _BatchNorm)):
                    out = graph.is_out_channel_pruning_fn(dep.handler)
                    key = (names[id(layer)], bool(out))
                    rows = slices.setdefault(key, [[] for _ in range(units)])
                    rows[unit] += [int(i) for i in indices]
        found.append(_group(f'{prefix}.'.lstrip('.'), names[id(root)], root, slices))
    return found


def _group(prefix: str, name: str, root: nn.Module, slices: dict) -> Group:
    # Where a layer's outputs are split (a gain and an offset), several units are one.
    together: dict[tuple, None] = {}
    for unit in range(len(next(iter(slices.values())))):
        together.setdefault(tuple(tuple(sorted(set(rows[unit]))) for rows in slices.values()))
    parts = tuple(
        Slice(f'{prefix}{layer}', out, tuple(unit[number] for unit in together))
        for number, (layer, out) in enumerate(slices)
    )
    kind = 'neurons' if isinstance(root, nn.Linear) else 'channels'
    return Group(f'{prefix}{name}', kind, len(together), parts)


def _admissible(raw) -> bool:
    """Cut = silenced, as far as the kinds of layers tell."""
    reads = False
    for dep, _ in raw:
        layer = dep.target.module
        if isinstance(layer, LAYERS):
            if getattr(layer, 'groups', 1) != 1:
                return False
            reads |= dep.handler.__name__.endswith('in_channels')
        elif not isinstance(layer, (_BatchNorm, *_THROUGH)):
            return False
    return reads


def _heads(name: str, layer: Attention) -> Group:
    inner = layer.output.in_features
    size = inner // layer.heads
    by_head = [tuple(range(h * size, (h + 1) * size)) for h in range(layer.heads)]
    rows = tuple(tuple(k * inner + i for k in range(3) for i in head) for head in by_head)
    return Group(
        name,
        'heads',
        layer.heads,
        (
            Slice(f'{name}.query_key_value', True, rows),
            Slice(f'{name}.output', False, tuple(by_head)),
        ),
    )


def _is_sound(module: nn.Module, group: Group, inputs: Sequence[Tensor]) -> bool:
    """Try it: unit 0 silenced (the weights that read it are zero) against unit 0 cut out."""
    from vla_deploy.pruning.removal import cut, silence

    silenced, smaller = copy.deepcopy(module), copy.deepcopy(module)
    try:
        silence(silenced, group, [0])
        cut(smaller, group, [0])
        with torch.no_grad():
            a, b = silenced(*inputs), smaller(*inputs)
    except Exception:  # shapes that do not fit, in someone's forward
        return False
    a, b = ((x[0] if isinstance(x, (tuple, list)) else x) for x in (a, b))
    return a.shape == b.shape and bool(torch.allclose(a, b, rtol=1e-4, atol=1e-5))

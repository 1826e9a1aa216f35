# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Groups of units that can be removed: channels of convolutions, neurons of linear layers,
attention heads.

A channel of one layer is coupled with channels of others. Torch-Pruning finds them in the autograd
graph (Fang et al., "DepGraph", 2023), part by part where it cannot trace the whole network. A group
is used only if removing a unit equals masking it: it ends in layers that read the unit by weights,
without a norm over all channels in between.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
import torch_pruning
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch_pruning.ops import _ConcatOp, _ElementWiseOp, _ReshapeOp, _SplitOp

from vla_deploy.pruning.removal import Group, Slice, mask_units, remove_units
from vla_deploy.reference_model import action_of, on_forward
from vla_deploy.silence import silence
from vla_models.network.layers import Attention
from vla_models.network.sizes import LAYERS

_THROUGH = (_ElementWiseOp, _ConcatOp, _SplitOp, _ReshapeOp)


def find_groups(
    module: nn.Module, inputs: Sequence[Tensor], wanted: Callable[[str], bool] = lambda name: True
) -> list[Group]:
    """All groups whose names are `wanted`. Each is tested: masking a unit gives the same answer as
    removing it."""
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
    """Inputs of each submodule, for those that get tensors only."""
    seen: dict[str, tuple] = {}

    def remember(name: str, given: tuple) -> None:
        if given and all(isinstance(x, Tensor) for x in given):
            seen[name] = tuple(x.detach().clone() for x in given)

    with torch.no_grad(), on_forward(module, remember):
        module(*inputs)
    return seen


def _traceable(module: nn.Module, seen: Mapping[str, tuple], prefix: str = '') -> Iterator[str]:
    """The largest parts that can be traced."""
    part = module.get_submodule(prefix)
    if not any(isinstance(layer, LAYERS) for layer in part.modules()) or isinstance(part, LAYERS):
        return
    if prefix in seen and not isinstance(part, Attention) and _follow(part, seen[prefix]):
        yield prefix
        return
    for name, _ in part.named_children():
        yield from _traceable(module, seen, f'{prefix}.{name}'.lstrip('.'))


def _follow(part: nn.Module, inputs: tuple) -> torch_pruning.DependencyGraph | None:
    """Dependency graph of a part; None where it cannot be traced."""
    if any(isinstance(inner, Attention) for inner in part.modules()):
        return None  # Torch-Pruning misreads its reshapes
    for parameter in part.parameters():
        parameter.requires_grad_(True)
    with silence():
        try:
            return torch_pruning.DependencyGraph().build_dependency(part, example_inputs=inputs)
        except Exception:  # tracing user code raises any type
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
        # Unit by unit, so that the coupling is known where parts are joined or split.
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
    # Where the outputs of a layer are split (a gain and an offset), several units are one.
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
    """Whether the kinds of layers allow removal to equal masking."""
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
    """Compare unit 0 masked with unit 0 removed."""
    masked, smaller = copy.deepcopy(module), copy.deepcopy(module)
    try:
        mask_units(masked, group, [0])
        remove_units(smaller, group, [0])
        with torch.no_grad():
            a, b = action_of(masked(*inputs)), action_of(smaller(*inputs))
    except Exception:  # shapes that do not fit, in a user's forward
        return False
    return a.shape == b.shape and bool(torch.allclose(a, b, rtol=1e-4, atol=1e-5))

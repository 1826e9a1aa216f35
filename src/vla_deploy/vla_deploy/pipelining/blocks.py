# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The blocks of a network in the order in which it runs them: between two, it can be cut."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from vla_deploy.partitioning import WHOLE
from vla_deploy.reference_model import ReferenceModel


@dataclass(frozen=True)
class Block:
    """A piece that begins where `name` is called. mb: of its weights. loop: times that its layers
    are called for one answer, where that is what keeps it whole; else 1."""

    name: str
    mb: float
    loop: int = 1


def blocks_of(original: ReferenceModel) -> list[Block]:
    """Found by watching one answer. A module that is called once begins a block, if it has weights
    and nothing around it is called again and again (heads that denoise, or that say one step after
    the other) or is one layer."""
    module = original.module
    names = {child: name for name, child in module.named_modules()}
    calls: list[str] = []
    watches = [
        child.register_forward_pre_hook(lambda child, _: calls.append(names[child]))
        for child in names
    ]
    try:
        with torch.inference_mode():
            module(*original.sample(1))
    finally:
        for watch in watches:
            watch.remove()
    kinds = {name: type(child).__name__ for child, name in names.items()}
    return _gather(calls, kinds, _own_mb(module, set(calls)))


def _gather(calls: list[str], kinds: dict[str, str], own: dict[str, float]) -> list[Block]:
    blocks = [Block('', 0.0)]
    for name in dict.fromkeys(calls):
        around = [name[:i] for i, letter in enumerate(name) if letter == '.']
        often = calls.count(name)
        begins = often == 1 and not any(kinds[outer] in WHOLE for outer in around)
        if begins and blocks[-1].mb > 0:
            blocks.append(Block(name, own[name]))
        else:
            last = blocks.pop()
            loop = often if own[name] else 1
            blocks.append(Block(last.name, last.mb + own[name], max(last.loop, loop)))
    return blocks if blocks[-1].mb > 0 or len(blocks) == 1 else blocks[:-1]


def _own_mb(module: nn.Module, called: set[str]) -> dict[str, float]:
    """By called module: its own weights, and those of what is inside it and never called."""
    found = dict.fromkeys(called, 0.0)
    for name, child in module.named_modules():
        owner = name
        while owner not in found:
            owner = owner.rpartition('.')[0]
        own = [*child.parameters(recurse=False), *child.buffers(recurse=False)]
        found[owner] += sum(t.numel() * t.element_size() for t in own) / 1e6
    return found

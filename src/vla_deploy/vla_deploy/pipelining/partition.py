# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Partition of a network into stages: its blocks in the order of execution, and where to cut."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn

from vla_common.errors import ConfigError
from vla_deploy.reference_model import ReferenceModel, on_forward
from vla_deploy.runners import WHOLE


@dataclass(frozen=True)
class Block:
    """A part of a network that begins with the submodule `name`. mb: of its weights. loop: number
    of calls of its layers for one answer, where that keeps it whole; else 1."""

    name: str
    mb: float
    loop: int = 1


def blocks_of(reference: ReferenceModel) -> list[Block]:
    """Blocks, found by tracing one answer. A submodule that is called once begins a block if it has
    weights, is not inside one layer, and nothing around it is called repeatedly (heads that
    denoise, or that are autoregressive)."""
    module = reference.module
    calls: list[str] = []
    with torch.inference_mode(), on_forward(module, lambda name, _: calls.append(name)):
        module(*reference.sample(1))
    kinds = {name: type(child).__name__ for name, child in module.named_modules()}
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
    """By called submodule: MB of its own weights and of submodules in it that are never called."""
    found = dict.fromkeys(called, 0.0)
    for name, child in module.named_modules():
        owner = name
        while owner not in found:
            owner = owner.rpartition('.')[0]
        own = [*child.parameters(recurse=False), *child.buffers(recurse=False)]
        found[owner] += sum(t.numel() * t.element_size() for t in own) / 1e6
    return found


def partition(sizes: Sequence[float], parts: int) -> list[int]:
    """Index of the first block of each of `parts` non-empty parts, so that the largest sum is
    minimal. Raises ValueError for fewer blocks than parts."""
    count = len(sizes)
    if not 1 <= parts <= count:
        raise ValueError(f'{parts} parts of {count} blocks')
    until = [0.0]
    for size in sizes:
        until.append(until[-1] + size)
    # largest[i]: largest sum of the best partition of blocks 0…i - 1, for each number of parts.
    largest = [math.inf, *until[1:]]
    begins: list[list[int]] = []
    for _ in range(parts - 1):
        rows = [_last_part(largest, until, end) for end in range(count + 1)]
        largest = [row[0] for row in rows]
        begins.append([row[1] for row in rows])
    found, end = [], count
    for row in reversed(begins):
        end = row[end]
        found.append(end)
    return [0, *reversed(found)]


def _last_part(largest: Sequence[float], until: Sequence[float], end: int) -> tuple[float, int]:
    """Largest sum, and best begin of the last part, for blocks 0…end - 1."""
    choices = [(max(largest[at], until[end] - until[at]), at) for at in range(1, end)]
    return min(choices, default=(math.inf, 0))


def part_sizes(sizes: Sequence[float], begins: Sequence[int]) -> list[float]:
    """Sum of each part."""
    ends = [*begins[1:], len(sizes)]
    return [sum(sizes[a:b]) for a, b in zip(begins, ends, strict=True)]


def fewest_parts(sizes: Sequence[float], limit: float) -> int | None:
    """Smallest number of parts within `limit` each; None if a single block exceeds it."""
    parts, held = 1, 0.0
    for size in sizes:
        if size > limit:
            return None
        if held + size > limit:
            parts, held = parts + 1, 0.0
        held += size
    return parts


def check_machine(stages: int, device: str) -> None:
    """Raises ConfigError: torch without its communication backend, or fewer GPUs than stages."""
    cuda = device == 'cuda'
    name = 'nccl' if cuda else 'gloo'
    able = dist.is_available() and (dist.is_nccl_available() if cuda else dist.is_gloo_available())
    if not able:
        raise ConfigError('--stages', '', f'PyTorch without {name}', f'one built with {name}')
    if cuda and torch.cuda.device_count() < stages:
        found = f'{torch.cuda.device_count()} GPU(s)'
        raise ConfigError('--device', device, found, f'one for each of {stages} stages')


def fewest_stages(blocks: Sequence[Block], budget_mb: float) -> int:
    """Smallest number of stages within the budget each. Raises ConfigError if a block exceeds
    it."""
    enough = fewest_parts([block.mb for block in blocks], budget_mb)
    if enough is None:
        block = max(blocks, key=lambda block: block.mb)
        wanted = f'{block.mb:.2f} MB for {_named(block)} alone, which stays whole{_why(block)}'
        raise ConfigError('--budget', '', f'{budget_mb:g} MB', wanted)
    return enough


def plan_stages(blocks: Sequence[Block], stages: int) -> list[str]:
    """The first block of each stage, so that the heaviest stage is as light as possible. Raises
    ConfigError for more stages than blocks."""
    if stages > len(blocks):
        wanted = f'at most {len(blocks)}, one for each block{_loops(blocks)}'
        raise ConfigError('--stages', '', stages, wanted)
    return [blocks[i].name for i in partition([block.mb for block in blocks], stages)]


def check_budget(blocks: Sequence[Block], held_mb: Sequence[float], budget_mb: float) -> None:
    """Raises ConfigError where a stage exceeds the budget, with a number of stages to try."""
    heaviest = max(held_mb)
    if heaviest <= budget_mb:
        return
    found = f'{heaviest:.2f} MB in stage {held_mb.index(heaviest)} of {len(held_mb)}'
    enough = max(fewest_stages(blocks, budget_mb), len(held_mb) + 1)
    wanted = f'at most {budget_mb:g} MB in each: try --stages {enough}'
    raise ConfigError('--stages', '', found, wanted)


def _named(block: Block) -> str:
    return block.name or 'the first block'


def _why(block: Block) -> str:
    return f': its layers are called {block.loop} times for one answer' if block.loop > 1 else ''


def _loops(blocks: Sequence[Block]) -> str:
    loops = [f'{_named(block)} stays whole{_why(block)}' for block in blocks if block.loop > 1]
    return f' ({"; ".join(loops)})' if loops else ''

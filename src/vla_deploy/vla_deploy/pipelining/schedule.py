# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""How many stages, and where each begins; what cannot be is refused before anything is run."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist

from vla_common.errors import ConfigError
from vla_deploy.pipelining.blocks import Block
from vla_deploy.pipelining.partition import cut, fewest


def check_machine(stages: int, device: str) -> None:
    """Raises ConfigError: torch without what stages talk through, or fewer GPUs than stages."""
    cuda = device == 'cuda'
    name = 'nccl' if cuda else 'gloo'
    able = dist.is_available() and (dist.is_nccl_available() if cuda else dist.is_gloo_available())
    if not able:
        raise ConfigError('--stages', '', f'PyTorch without {name}', f'one built with {name}')
    if cuda and torch.cuda.device_count() < stages:
        found = f'{torch.cuda.device_count()} GPU(s)'
        raise ConfigError('--device', device, found, f'one for each of {stages} stages')


def fewest_stages(blocks: Sequence[Block], budget_mb: float) -> int:
    """That are each within the budget. Raises ConfigError: a block alone is not."""
    enough = fewest([block.mb for block in blocks], budget_mb)
    if enough is None:
        block = max(blocks, key=lambda block: block.mb)
        wanted = f'{block.mb:.2f} MB for {_named(block)} alone, which stays whole{_why(block)}'
        raise ConfigError('--budget', '', f'{budget_mb:g} MB', wanted)
    return enough


def plan_stages(blocks: Sequence[Block], stages: int) -> list[str]:
    """The block that each stage begins with, the heaviest stage as light as can be. Raises
    ConfigError: more stages than blocks."""
    if stages > len(blocks):
        wanted = f'at most {len(blocks)}, one for each block{_loops(blocks)}'
        raise ConfigError('--stages', '', stages, wanted)
    return [blocks[i].name for i in cut([block.mb for block in blocks], stages)]


def check_budget(blocks: Sequence[Block], held_mb: Sequence[float], budget_mb: float) -> None:
    """Raises ConfigError where a stage holds more; it says how many stages might not."""
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

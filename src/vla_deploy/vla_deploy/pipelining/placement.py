# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A stage's weights on its device, each of them once."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def place(module: nn.Module, device: torch.device) -> nn.Module:
    """Moves `module`, in place. torch.export gives every call of a layer a module of its own with
    the same memory; `Module.to` alone would copy it for each."""
    placed: dict[tuple, Tensor] = {}
    for owner in module.modules():
        for table in (owner._parameters, owner._buffers):
            for name, tensor in table.items():
                if tensor is not None:
                    table[name] = _once(tensor, device, placed)
    return module.to(device)


def _once(tensor: Tensor, device: torch.device, placed: dict[tuple, Tensor]) -> Tensor:
    learnt = isinstance(tensor, nn.Parameter)
    memory = tensor.untyped_storage().data_ptr(), tensor.storage_offset()
    key = (learnt, *memory, tensor.shape, tensor.stride(), tensor.dtype)
    if key not in placed:
        moved = tensor.detach().to(device)
        placed[key] = nn.Parameter(moved, requires_grad=False) if learnt else moved
    return placed[key]


def held_mb(module: nn.Module) -> float:
    """Of memory behind parameters and buffers; what several of them share counts once."""
    storages = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for tensor in (*module.parameters(), *module.buffers())
    }
    return sum(storages.values()) / 1e6

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A model that is larger than the memory it may have: Accelerate lays its weights out over what
there is (GPUs, the CPU's memory, at last the disk) and fetches each layer's when it is its turn."""

from __future__ import annotations

import copy
import tempfile

import torch
from torch import nn

from vla_common.errors import ConfigError
from vla_deploy.reference_model import ReferenceModel
from vla_deploy.runners import EagerRunner
from vla_deploy.silence import silence

# Use weights of the layers within them themselves: fetched, and placed, as a whole.
WHOLE = ['TransformerLayer', 'TransformerEncoderLayer', 'TransformerDecoderLayer']
WHOLE += ['Attention', 'MultiheadAttention']


class PartitionedRunner(EagerRunner):
    """The original in eager PyTorch with at most `budget_mb` of weights in memory, the rest on
    disk. places: how many parts lie where ('cpu', 'disk'). resident_mb: weights in memory.

    Raises ConfigError: not even the largest part fits, or a network that uses weights outside of
    the layer whose they are."""

    def __init__(self, original: ReferenceModel, budget_mb: float) -> None:
        from accelerate import dispatch_model, infer_auto_device_map

        module = copy.deepcopy(original.module)
        super().__init__(original.with_module(module))
        self._folder = tempfile.TemporaryDirectory(prefix='weights.')
        with silence():
            memory = {'cpu': int(budget_mb * 1e6)}
            plan = infer_auto_device_map(module, memory, no_split_module_classes=WHOLE)
            if plan.get('') == 'disk':
                self.close()
                wanted = 'room for the largest part of the network and another'
                raise ConfigError('--budget', '', f'{budget_mb:g} MB', wanted)
            self._module = dispatch_model(
                module,
                plan,
                main_device='cpu',
                offload_dir=self._folder.name,
                preload_module_classes=WHOLE,
                force_hooks=True,
            )
        self.places = {where: list(plan.values()).count(where) for where in ('cpu', 'disk')}
        self.resident_mb = resident_mb(module)
        try:
            with torch.inference_mode():
                self._module(*original.sample(1))
        except (RuntimeError, NotImplementedError) as error:
            self.close()
            said = str(error).splitlines()[0]
            wanted = 'a network whose layers use their own weights only'
            raise ConfigError(original.factory, '--budget', said, wanted) from error

    def close(self) -> None:
        self._folder.cleanup()


def resident_mb(module: nn.Module) -> float:
    """Of weights that are in memory."""
    held = (p for p in module.parameters() if p.device.type != 'meta')
    return sum(p.numel() * p.element_size() for p in held) / 1e6

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Runners: the reference model in eager PyTorch, or a bundle as the inference node runs it."""

import copy
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from vla_common.errors import ConfigError, first_line
from vla_deploy.observations import Tensors
from vla_deploy.reference_model import ReferenceModel, action_of, outputs_of
from vla_deploy.silence import silence
from vla_policy.bundle.bundle import Bundle, load_bundle
from vla_policy.bundle.model_spec import ModelSpec
from vla_policy.runtimes import Runtime, load_runtime

# Layers that use the weights of their own submodules: placed, and loaded, as a whole.
WHOLE = ['TransformerLayer', 'TransformerEncoderLayer', 'TransformerDecoderLayer']
WHOLE += ['Attention', 'MultiheadAttention']


class EagerRunner(Runtime):
    """The module of a reference model, float32, on the CPU or a CUDA device, not compiled."""

    name = 'eager'

    def __init__(self, reference: ReferenceModel, device: str = 'cpu') -> None:
        self._module = reference.module.to(device)
        self._names, self._outputs = reference.inputs, reference.outputs
        self._device = device

    def run(self, inputs: Tensors) -> np.ndarray:
        with torch.inference_mode():
            tensors = [torch.from_numpy(inputs[name]).to(self._device) for name in self._names]
            return action_of(self._module(*tensors)).float().cpu().numpy()

    def run_all(self, inputs: Tensors) -> Tensors:
        with torch.inference_mode():
            tensors = [torch.from_numpy(inputs[name]).to(self._device) for name in self._names]
            found = outputs_of(self._module(*tensors), self._outputs)
            values = (tensor.float().cpu().numpy() for tensor in found)
            return dict(zip(self._outputs, values, strict=True))

    def close(self) -> None:
        """The module belongs to the reference model."""


class CompiledRunner(EagerRunner):
    """The reference model under torch.compile in one of its modes; the first call compiles."""

    def __init__(self, reference: ReferenceModel, mode: str, device: str = 'cpu') -> None:
        super().__init__(reference, device)
        self._module = torch.compile(self._module, mode=mode)


class PartitionedRunner(EagerRunner):
    """The reference model with at most `budget_mb` of weights in memory and the rest on disk.
    Accelerate loads the weights of each layer when it runs. places: number of parts in 'cpu' and
    on 'disk'. resident_mb: weights in memory.

    Raises ConfigError: the largest part does not fit, or a layer uses weights of another one."""

    def __init__(self, reference: ReferenceModel, budget_mb: float) -> None:
        from accelerate import dispatch_model, infer_auto_device_map  # takes seconds to import

        module = copy.deepcopy(reference.module)
        super().__init__(replace(reference, module=module))
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
                self._module(*reference.sample(1))
        except (RuntimeError, NotImplementedError) as error:
            self.close()
            wanted = 'a network whose layers use their own weights only'
            raise ConfigError(reference.factory, '--budget', first_line(error), wanted) from error

    def close(self) -> None:
        self._folder.cleanup()


def resident_mb(module: nn.Module) -> float:
    """Weights in memory, MB."""
    held = (p for p in module.parameters() if p.device.type != 'meta')
    return sum(p.numel() * p.element_size() for p in held) / 1e6


def check_device(option: str, device: str) -> None:
    """Raises ConfigError for a GPU where torch has none."""
    if device != 'cpu' and not torch.cuda.is_available():
        raise ConfigError(option, '', device, 'cpu: torch sees no CUDA device')


def check_units(bundle: Bundle) -> None:
    """Raise ConfigError for a bundle whose actions are no joint positions: its answers would be
    compared in rad."""
    action = bundle.model.action
    if action.kind not in ('joint_position', 'joint_delta') or action.space.ignore:
        key = 'ignore' if action.space.ignore else 'kind'
        found = list(action.space.ignore) if action.space.ignore else action.kind
        wanted = 'joint_position or joint_delta, of all columns: conversions are compared in rad'
        raise ConfigError(str(bundle.file), f'outputs.action.{key}', found, wanted)


def open_bundle(directory: Path, threads: int = 1, device: str = 'cpu') -> tuple[Bundle, Runtime]:
    """A bundle and its runtime. Raises ConfigError, also for a bundle without a model file."""
    bundle = load_bundle(directory, accept_failed=True)
    check_units(bundle)
    return bundle, load_runtime(bundle, threads, device)


def answers(runner: Runtime, inputs: Sequence[Tensors]) -> np.ndarray:
    """The outputs for each of `inputs`, stacked: (N, horizon, k)."""
    return np.concatenate([np.asarray(runner.run(tensors)).copy() for tensors in inputs])


def judged_answers(runner: Runtime, inputs: Sequence[Tensors], spec: ModelSpec) -> Tensors:
    """The probabilities (N, width) for each of `inputs`, by the name of the output in policy.yaml,
    and the next `memory`. Raises ValueError for an output that is no probability."""
    rows: dict[str, list[np.ndarray]] = {name: [] for name in spec.judged}
    memory = spec.inputs.memory
    if memory is not None:
        rows['memory'] = []
    for tensors in inputs if rows else ():
        answer = runner.run_all(tensors)
        for name, output in spec.judged.items():
            rows[name].append(output.read(answer[output.tensor]))
        if memory is not None:
            rows['memory'].append(np.array(answer[memory.following], np.float32).ravel())
    return {name: np.stack(found) for name, found in rows.items()}

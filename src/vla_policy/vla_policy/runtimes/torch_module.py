# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A torch module of any origin, called as a Runtime. With its siblings the only code here that
imports torch.

The module takes its inputs by position, in the order that policy.yaml gives them: image, state,
instruction, phase (those that are there). It returns the action tensor, or a dictionary or named
tuple that has it under its name, or a tuple that begins with it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vla_common.errors import ConfigError
from vla_policy.bundle.bundle import Bundle

WARM_UP_BEFORE_GRAPH = 3


def import_torch(bundle: Bundle) -> Any:
    """Raises ConfigError when torch is not installed."""
    try:
        import torch
    except ImportError as error:
        raise ConfigError(
            str(bundle.file), 'runtime', bundle.runtime, 'the Python package torch installed'
        ) from error
    return torch


def torch_device(torch: Any, device: str) -> Any:
    """Raises ConfigError for one that is not there; it is never replaced by another in silence."""
    key = 'device'
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise ConfigError('parameters', key, device, 'cpu or cuda:N') from error
    if found.type not in ('cpu', 'cuda'):
        raise ConfigError('parameters', key, device, 'cpu or cuda:N')
    if found.type == 'cuda':
        if not torch.cuda.is_available():
            raise ConfigError('parameters', key, device, 'cpu: torch sees no CUDA device')
        count = torch.cuda.device_count()
        if (found.index or 0) >= count:
            raise ConfigError('parameters', key, device, f'cuda:0 to cuda:{count - 1}')
    return found


class TorchModule:
    """module: on `device` and in its precision already. dtype: of the float inputs.

    On a CUDA device inputs go through pinned buffers into fixed tensors, and the call is recorded
    once as a CUDA graph and replayed; a module that cannot be recorded is called as it is, and
    `graph` says why.
    """

    def __init__(self, bundle: Bundle, name: str, module: Any, device: Any, dtype: Any) -> None:
        import torch

        assert bundle.action is not None
        self.name = name
        self.graph = 'none: no CUDA device'
        self._torch = torch
        self._module = module
        self._device = device
        self._dtype = dtype
        self._order = [part.tensor for part in bundle.inputs]
        self._output = bundle.action.tensor
        self._fixed: dict[str, Any] = {}
        self._recorded: Any = None
        self._answer: Any = None
        self._check(bundle)
        if device.type == 'cuda':
            self._record(bundle)

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        torch = self._torch
        with torch.inference_mode():
            if self._device.type == 'cuda':
                return self._run_there(inputs)
            tensors = []
            for name in self._order:
                tensor = torch.from_numpy(inputs[name])
                tensors.append(tensor.to(self._dtype) if tensor.is_floating_point() else tensor)
            return self._pick(self._module(*tensors)).float().numpy()

    def memory(self) -> int:
        """Bytes that torch holds on the device; 0 for the CPU."""
        if self._device.type != 'cuda':
            return 0
        return int(self._torch.cuda.memory_reserved(self._device))

    def close(self) -> None:
        self._module = self._recorded = self._answer = None
        self._fixed.clear()

    def _run_there(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        torch = self._torch
        for name in self._order:
            source = torch.from_numpy(inputs[name])
            if name not in self._fixed:
                kind = self._dtype if source.is_floating_point() else source.dtype
                pinned = torch.empty(source.shape, dtype=source.dtype, pin_memory=True)
                there = torch.empty(source.shape, dtype=kind, device=self._device)
                self._fixed[name] = (pinned, there)
            pinned, there = self._fixed[name]
            pinned.copy_(source)
            there.copy_(pinned, non_blocking=True)
        if self._recorded is not None:
            self._recorded.replay()
        else:
            self._answer = self._pick(self._module(*(self._fixed[n][1] for n in self._order)))
        return self._answer.float().cpu().numpy()

    def _record(self, bundle: Bundle) -> None:
        torch = self._torch
        try:
            stream = torch.cuda.Stream(self._device)
            with torch.inference_mode(), torch.cuda.stream(stream):
                for _ in range(WARM_UP_BEFORE_GRAPH):
                    self._run_there(zeros(bundle))
            stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.inference_mode(), torch.cuda.graph(graph):
                self._answer = self._pick(self._module(*(self._fixed[n][1] for n in self._order)))
        except RuntimeError as error:
            self.graph = f'none: {str(error).splitlines()[0]}'
            self._recorded = None
            return
        self._recorded, self.graph = graph, 'recorded'

    def _pick(self, answer: Any) -> Any:
        if isinstance(answer, dict):
            return answer[self._output]
        if isinstance(answer, (tuple, list)):
            return getattr(answer, self._output, answer[0])
        return answer

    def _check(self, bundle: Bundle) -> None:
        """Run once on zeros: a torch module carries no shapes that could be read."""
        action, file = bundle.action, str(bundle.directory / bundle.model)
        assert action is not None
        black = zeros(bundle)
        shapes = ', '.join(f'{name} {tensor.shape}' for name, tensor in black.items())
        wanted = f'output {action.tensor} {action.shape} for inputs {shapes}'
        try:
            found = self.run(black)
        except Exception as error:  # whatever the module raises for inputs that do not fit
            lines = [line for line in str(error).splitlines() if line.strip()]
            raise ConfigError(file, 'model', lines[-1] if lines else repr(error), wanted) from error
        if found.shape != action.shape:
            raise ConfigError(file, f'output {action.tensor}', found.shape, wanted)


def zeros(bundle: Bundle) -> dict[str, np.ndarray]:
    """Inputs of the right names, types and shapes."""
    return {
        part.tensor: np.zeros(part.shape, np.int64 if part is bundle.instruction else np.float32)
        for part in bundle.inputs
    }


def cast(torch: Any, module: Any, precision: str) -> tuple[Any, Any]:
    """The module in float32, float16 or bfloat16, and the dtype of its inputs; without a precision
    as it is, with inputs in float32."""
    if not precision:
        return module, torch.float32
    dtype = getattr(torch, precision)
    return module.to(dtype), dtype

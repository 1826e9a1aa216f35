# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""TorchScript. The only file of this package that imports torch.

A TorchScript module takes its inputs by position, in the order that policy.yaml gives them: image,
state, instruction, phase (those that are there). It returns the action tensor, or a dictionary or
named tuple that has it under its name, or a tuple that begins with it.
"""

from __future__ import annotations

import io

import numpy as np

from vla_common.errors import ConfigError
from vla_inference.bundle import Bundle


class TorchScriptRuntime:
    """A TorchScript file on the CPU or a CUDA device. Raises ConfigError for what it cannot use."""

    name = 'torchscript'

    def __init__(self, bundle: Bundle, threads: int = 1, device: str = 'cpu') -> None:
        file = str(bundle.directory / bundle.model)
        try:
            import torch
        except ImportError as error:
            raise ConfigError(
                str(bundle.file), 'runtime', 'torchscript', 'the Python package torch installed'
            ) from error
        self._torch = torch
        try:
            self._device = torch.device(device)
        except RuntimeError as error:
            raise ConfigError('parameters', 'device', device, 'cpu or cuda:N') from error
        if self._device.type == 'cuda' and not torch.cuda.is_available():
            raise ConfigError('parameters', 'device', device, 'cpu: torch sees no CUDA device')
        if self._device.type not in ('cpu', 'cuda'):
            raise ConfigError('parameters', 'device', device, 'cpu or cuda:N')
        torch.set_num_threads(threads)
        content = bundle.read(bundle.model)
        try:
            # Loaded to the CPU first: a module traced on a GPU must load where there is none.
            module = torch.jit.load(io.BytesIO(content), map_location='cpu')
        except Exception as error:  # torch raises RuntimeError, ValueError and others here
            text = str(error).strip().splitlines()
            raise ConfigError(
                file, 'model', text[0] if text else type(error).__name__, 'a TorchScript module'
            ) from error
        module.eval()
        self._module = module.to(self._device)
        self._order = [part.tensor for part in bundle.inputs]
        assert bundle.action is not None
        self._output = bundle.action.tensor
        self._check(bundle, file)

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        torch = self._torch
        with torch.inference_mode():
            tensors = [torch.from_numpy(inputs[name]).to(self._device) for name in self._order]
            answer = self._module(*tensors)
            if isinstance(answer, dict):
                answer = answer[self._output]
            elif isinstance(answer, tuple):
                answer = getattr(answer, self._output, answer[0])
            return answer.to('cpu').float().numpy()

    def close(self) -> None:
        self._module = None

    def _check(self, bundle: Bundle, file: str) -> None:
        """Run once on zeros: TorchScript carries no shapes that could be read."""
        action = bundle.action
        assert action is not None
        zeros = {
            part.tensor: np.zeros(
                part.shape, np.int64 if part is bundle.instruction else np.float32
            )
            for part in bundle.inputs
        }
        wanted = f'output {action.tensor} {action.shape} for inputs {_shapes(zeros)}'
        try:
            found = self.run(zeros)
        except Exception as error:  # whatever the module raises for inputs that do not fit
            lines = [line for line in str(error).splitlines() if line.strip()]
            raise ConfigError(file, 'model', lines[-1] if lines else repr(error), wanted) from error
        if found.shape != action.shape:
            raise ConfigError(file, f'output {action.tensor}', found.shape, wanted)


def _shapes(tensors: dict[str, np.ndarray]) -> str:
    return ', '.join(f'{name} {tensor.shape}' for name, tensor in tensors.items())

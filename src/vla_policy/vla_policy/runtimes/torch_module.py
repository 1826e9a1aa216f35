# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A torch module of any origin as a Runtime.

The module takes its inputs by position: images, depth images, state, instruction, phase, noise
(those in policy.yaml). It returns the action tensor, a dictionary or named tuple with the names of
the outputs, or a tuple in the order action, gripper, understood, possible, done.
"""

import io
from typing import Any

import numpy as np

from vla_common.errors import ConfigError, first_line
from vla_policy.bundle.bundle import Bundle
from vla_policy.runtimes import Runtime, last_line, require

WARM_UP_BEFORE_GRAPH = 3
OPENS_FILES = frozenset({'aten::from_file', 'aten::save'})


def open_torch(bundle: Bundle, threads: int, device: str) -> tuple[Any, Any]:
    """The module torch, and the device. Raises ConfigError when one of them is not there."""
    torch = require(bundle, 'torch')
    where = torch_device(torch, device)
    torch.set_num_threads(threads)
    return torch, where


def torch_device(torch: Any, device: str) -> Any:
    """Raises ConfigError for a device that is not there; there is no silent replacement."""
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


class TorchModule(Runtime):
    """module: on `device` and in its precision. dtype: of the float inputs.

    On a CUDA device inputs are copied through pinned buffers into fixed tensors, and the call is
    recorded once as a CUDA graph and replayed. A module that cannot be recorded is called directly,
    and `graph` has the reason.
    """

    def __init__(self, bundle: Bundle, name: str, module: Any, device: Any, dtype: Any) -> None:
        import torch

        self.name = name
        self.graph = 'none: no CUDA device'
        self._torch = torch
        self._module = module
        self._device = device
        self._dtype = dtype
        self._order = bundle.model.inputs.tensors
        self._outputs, self._wanted = bundle.model.outputs, bundle.model.answered
        self._fixed: dict[str, Any] = {}
        self._recorded: Any = None
        self._answer: Any = None
        self._check(bundle)
        if device.type == 'cuda':
            self._record(bundle)

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        return self._call(inputs)[0]

    def run_all(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return dict(zip(self._wanted, self._call(inputs), strict=True))

    def _call(self, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        """The wanted outputs, the action first."""
        torch = self._torch
        with torch.inference_mode():
            if self._device.type == 'cuda':
                return self._run_on_device(inputs)
            tensors = []
            for name in self._order:
                tensor = torch.from_numpy(inputs[name])
                tensors.append(tensor.to(self._dtype) if tensor.is_floating_point() else tensor)
            return [found.float().numpy() for found in self._pick(self._module(*tensors))]

    def memory(self) -> int:
        return reserved_memory(self._torch, self._device)

    def close(self) -> None:
        self._module = self._recorded = self._answer = None
        self._fixed.clear()

    def _run_on_device(self, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
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
        return [found.float().cpu().numpy() for found in self._answer]

    def _record(self, bundle: Bundle) -> None:
        torch = self._torch
        try:
            stream = torch.cuda.Stream(self._device)
            with torch.inference_mode(), torch.cuda.stream(stream):
                for _ in range(WARM_UP_BEFORE_GRAPH):
                    self._run_on_device(bundle.model.inputs.zeros())
            stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.inference_mode(), torch.cuda.graph(graph):
                self._answer = self._pick(self._module(*(self._fixed[n][1] for n in self._order)))
        except RuntimeError as error:
            self.graph = f'none: {first_line(error)}'
            self._recorded = None
            return
        self._recorded, self.graph = graph, 'recorded'

    def _pick(self, answer: Any) -> list[Any]:
        """The wanted outputs of an answer in any of the allowed forms."""
        if isinstance(answer, dict):
            return [answer[name] for name in self._wanted]
        if not isinstance(answer, (tuple, list)):
            answer = (answer,)
        if len(self._wanted) == 1:
            return [getattr(answer, self._wanted[0], answer[0])]
        names = getattr(answer, '_fields', self._outputs)
        if len(answer) != len(names):
            raise ValueError(f'{len(answer)} outputs, wanted {", ".join(names)}')
        named = dict(zip(names, answer, strict=True))
        return [named[name] for name in self._wanted]

    def _check(self, bundle: Bundle) -> None:
        """Run once on zeros: a torch module has no shapes that could be read."""
        spec, file = bundle.model, str(bundle.directory / bundle.model.file)
        black = spec.inputs.zeros()
        shapes = ', '.join(f'{name} {tensor.shape}' for name, tensor in black.items())
        allowed = {spec.action.tensor: (spec.action.shape,)}
        if (gripper := spec.followed_gripper) is not None:
            allowed[gripper.tensor] = ((1, spec.action.horizon, len(gripper.grippers)),)
        allowed |= {output.tensor: output.shapes for output in spec.judged.values()}
        if spec.inputs.memory is not None:
            allowed[spec.inputs.memory.following] = (spec.inputs.memory.shape,)
        texts = {name: ' or '.join(str(shape) for shape in allowed[name]) for name in allowed}
        each = ', '.join(f'output {name} {texts[name]}' for name in allowed)
        wanted = f'{each} for inputs {shapes}'
        try:
            found = self.run_all(black)
        except Exception as error:  # the type depends on the module
            raise ConfigError(file, 'model', last_line(error), wanted) from error
        for name, tensor in found.items():
            if tensor.shape not in allowed[name]:
                raise ConfigError(file, f'output {name}', tensor.shape, wanted)


def reserved_memory(torch: Any, device: Any) -> int:
    """Bytes that torch has reserved on the device; 0 for the CPU."""
    return int(torch.cuda.memory_reserved(device)) if device.type == 'cuda' else 0


def cast(torch: Any, module: Any, precision: str) -> tuple[Any, Any]:
    """The module in float32, float16 or bfloat16, and the dtype of its inputs; unchanged and with
    float32 inputs without a precision."""
    if not precision:
        return module, torch.float32
    dtype = getattr(torch, precision)
    return module.to(dtype), dtype


def load_torchscript(bundle: Bundle, threads: int = 1, device: str = 'cpu') -> TorchModule:
    """Raises ConfigError for a file that cannot be used."""
    torch, where = open_torch(bundle, threads, device)
    content = bundle.read(bundle.model.file)
    try:
        # To the CPU first: a module traced on a GPU must load on a machine without one.
        module = torch.jit.load(io.BytesIO(content), map_location='cpu')
    except Exception as error:  # torch raises RuntimeError, ValueError and others
        file = str(bundle.directory / bundle.model.file)
        raise ConfigError(file, 'model', first_line(error), 'a TorchScript module') from error
    for operator in sorted(OPENS_FILES.intersection(torch.jit.export_opnames(module))):
        file = str(bundle.directory / bundle.model.file)
        raise ConfigError(file, 'model', f'the operator {operator}', 'none that opens other files')
    module, dtype = cast(torch, module.eval(), bundle.model.precision)
    return TorchModule(bundle, 'torchscript', module.to(where), where, dtype)

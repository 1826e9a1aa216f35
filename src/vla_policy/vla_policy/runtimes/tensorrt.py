# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""TensorRT engines, with the API of TensorRT 10 and later: tensors by name, execute_async_v3 on a
stream of our own.

torch provides memory and streams. The tests use a double of the API
(`testing/tensorrt_double.py`); this file was never executed on a GPU.
"""

from typing import Any

import numpy as np

from vla_common.errors import ConfigError
from vla_policy.bundle.bundle import Bundle
from vla_policy.runtimes import Runtime, TensorInfo, check_tensors, fitting_shape, require

FLOATS = ('float32', 'float16', 'bfloat16')
INTEGERS = ('int64', 'int32')
TYPES = {
    'FLOAT': 'float32',
    'HALF': 'float16',
    'BF16': 'bfloat16',
    'INT64': 'int64',
    'INT32': 'int32',
    'BOOL': 'bool',
}


class TensorRtEngine(Runtime):
    """An engine runs on the kind of GPU and with the version of TensorRT that it was built for, and
    on no other. Raises ConfigError for one that cannot be used."""

    name = 'tensorrt'

    def __init__(self, bundle: Bundle, threads: int = 1, device: str = 'cuda:0') -> None:
        file = str(bundle.directory / bundle.model.file)
        tensorrt, torch = require(bundle, 'tensorrt'), require(bundle, 'torch')
        if int(str(tensorrt.__version__).split('.')[0]) < 10:
            raise ConfigError('tensorrt', 'version', tensorrt.__version__, '10 or later')
        if not device.startswith('cuda') or not torch.cuda.is_available():
            raise ConfigError('parameters', 'device', device, 'cuda:N, and a GPU that torch sees')
        self._torch = torch
        self._device = torch.device(device)
        gpu = torch.cuda.get_device_name(self._device)
        if bundle.model.engine is not None:
            major, minor = torch.cuda.get_device_capability(self._device)
            version = str(tensorrt.__version__)
            bundle.model.engine.check(str(bundle.file), gpu, f'{major}.{minor}', version)
        self._log = tensorrt.Logger(tensorrt.Logger.ERROR)
        self._runtime = tensorrt.Runtime(self._log)
        with torch.cuda.device(self._device):
            engine = self._runtime.deserialize_cuda_engine(bundle.read(bundle.model.file))
            if engine is None:
                raise ConfigError(
                    file,
                    'model',
                    'an engine that TensorRT rejects (its message is above)',
                    f'one built for this GPU ({gpu}) with TensorRT {tensorrt.__version__}',
                )
            self._engine = engine
            self._context = engine.create_execution_context()
            self._stream = torch.cuda.Stream(self._device)
        if self._context is None:
            raise ConfigError(file, 'model', 'no execution context', 'enough memory on the GPU')
        self._buffers: dict[str, Any] = {}
        self._pinned: dict[str, Any] = {}
        self._outputs = bundle.model.answered
        self._bind(tensorrt, bundle, file)

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        return self._call(self._outputs[:1], inputs)[0]

    def run_all(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return dict(zip(self._outputs, self._call(self._outputs, inputs), strict=True))

    def _call(self, outputs: tuple[str, ...], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        torch = self._torch
        with torch.cuda.device(self._device), torch.cuda.stream(self._stream):
            for name, pinned in self._pinned.items():
                pinned.copy_(torch.from_numpy(inputs[name]))
                self._buffers[name].copy_(pinned, non_blocking=True)
            if not self._context.execute_async_v3(self._stream.cuda_stream):
                raise RuntimeError('execute_async_v3 failed')
            answers = [self._buffers[name].float().cpu() for name in outputs]
        self._stream.synchronize()
        return [answer.numpy() for answer in answers]

    def memory(self) -> int:
        """Bytes on the device: the engine's workspace and the buffers."""
        own = sum(b.numel() * b.element_size() for b in self._buffers.values())
        return own + int(getattr(self._engine, 'device_memory_size_v2', 0))

    def close(self) -> None:
        # A context must not outlive its engine, an engine not its runtime.
        self._context = None
        self._engine = None
        self._runtime = None
        self._buffers.clear()
        self._pinned.clear()

    def _bind(self, tensorrt: Any, bundle: Bundle, file: str) -> None:
        torch, engine, spec = self._torch, self._engine, bundle.model
        inputs: dict[str, TensorInfo] = {}
        outputs: dict[str, TensorInfo] = {}
        for i in range(engine.num_io_tensors):
            name = engine.get_tensor_name(i)
            is_input = engine.get_tensor_mode(name) == tensorrt.TensorIOMode.INPUT
            kind = engine.get_tensor_dtype(name).name
            info = TensorInfo(TYPES.get(kind, kind), tuple(engine.get_tensor_shape(name)))
            (inputs if is_input else outputs)[name] = info
        check_tensors(file, spec, inputs, outputs, FLOATS, INTEGERS)
        shapes = {part.tensor: part.shape for part in spec.inputs}
        for name, (kind, shape) in inputs.items():
            if -1 in shape and not self._context.set_input_shape(name, shapes[name]):
                raise ConfigError(file, f'input {name}', shape, f'a profile with {shapes[name]}')
            self._pinned[name] = torch.zeros(
                shapes[name],
                dtype=getattr(torch, kind if kind in ('bool', *INTEGERS) else 'float32'),
                pin_memory=self._device.type == 'cuda',
            )
        shapes[spec.action.tensor] = spec.action.shape
        for output in spec.judged.values():
            shapes[output.tensor] = fitting_shape(outputs[output.tensor], output)
        if spec.inputs.memory is not None:
            shapes[spec.inputs.memory.following] = spec.inputs.memory.shape
        for name, (kind, shape) in (inputs | outputs).items():
            # An output that is not used still needs a buffer.
            if name not in shapes and (-1 in shape or kind not in TYPES.values()):
                raise ConfigError(file, f'output {name}', f'{kind} {shape}', 'a fixed shape')
            buffer = torch.zeros(
                shapes.get(name, shape), dtype=getattr(torch, kind), device=self._device
            )
            self._buffers[name] = buffer
            self._context.set_tensor_address(name, buffer.data_ptr())

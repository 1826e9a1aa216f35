# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""TensorRT engines, with the API of TensorRT 10 and later: tensors by name, execute_async_v3 on a
stream of our own.

TensorRT is imported when a bundle asks for it, and torch for memory and streams. What the tests run
is a double of that API (`test/tensorrt_double.py`); on a GPU this file was never executed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from vla_common.errors import ConfigError
from vla_policy.bundle.bundle import Bundle

TYPES = {'FLOAT': 'float32', 'HALF': 'float16', 'BF16': 'bfloat16', 'INT64': 'int64'}
FLOATS = ('float32', 'float16', 'bfloat16')


class TensorRtEngine:
    """Raises ConfigError for what it cannot use: an engine runs on the kind of GPU and with the
    version of TensorRT that it was built for, and on no other."""

    name = 'tensorrt'

    def __init__(self, bundle: Bundle, threads: int = 1, device: str = 'cuda:0') -> None:
        file = str(bundle.directory / bundle.model)
        try:
            import tensorrt
            import torch
        except ImportError as error:
            raise ConfigError(
                str(bundle.file), 'runtime', 'tensorrt', f'the Python package {error.name}'
            ) from error
        if int(str(tensorrt.__version__).split('.')[0]) < 10:
            raise ConfigError('tensorrt', 'version', tensorrt.__version__, '10 or later')
        if not device.startswith('cuda') or not torch.cuda.is_available():
            raise ConfigError('parameters', 'device', device, 'cuda:N, and a GPU that torch sees')
        self._torch = torch
        self._device = torch.device(device)
        gpu = torch.cuda.get_device_name(self._device)
        if bundle.engine is not None:
            major, minor = torch.cuda.get_device_capability(self._device)
            version = str(tensorrt.__version__)
            bundle.engine.check(str(bundle.file), gpu, f'{major}.{minor}', version)
        self._log = tensorrt.Logger(tensorrt.Logger.ERROR)
        self._runtime = tensorrt.Runtime(self._log)
        with torch.cuda.device(self._device):
            engine = self._runtime.deserialize_cuda_engine(bundle.read(bundle.model))
            if engine is None:
                raise ConfigError(
                    file,
                    'model',
                    'an engine that TensorRT refuses (its words are above)',
                    f'one built for this GPU ({gpu}) with TensorRT {tensorrt.__version__}',
                )
            self._engine = engine
            self._context = engine.create_execution_context()
            self._stream = torch.cuda.Stream(self._device)
        if self._context is None:
            raise ConfigError(file, 'model', 'no execution context', 'enough memory on the GPU')
        self._buffers: dict[str, Any] = {}
        self._pinned: dict[str, Any] = {}
        assert bundle.action is not None
        self._output = bundle.action.tensor
        self._bind(tensorrt, bundle, file)

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        torch = self._torch
        with torch.cuda.device(self._device), torch.cuda.stream(self._stream):
            for name, pinned in self._pinned.items():
                pinned.copy_(torch.from_numpy(inputs[name]))
                self._buffers[name].copy_(pinned, non_blocking=True)
            if not self._context.execute_async_v3(self._stream.cuda_stream):
                raise RuntimeError('execute_async_v3 failed')
            answer = self._buffers[self._output].float().cpu()
        self._stream.synchronize()
        return answer.numpy()

    def memory(self) -> int:
        """Bytes on the device: the engine's workspace and the buffers."""
        own = sum(b.numel() * b.element_size() for b in self._buffers.values())
        return own + int(getattr(self._engine, 'device_memory_size_v2', 0))

    def close(self) -> None:
        # In this order: a context must not outlive its engine, an engine not its runtime.
        self._context = None
        self._engine = None
        self._runtime = None
        self._buffers.clear()
        self._pinned.clear()

    def _bind(self, tensorrt: Any, bundle: Bundle, file: str) -> None:
        torch, engine = self._torch, self._engine
        wanted = {part.tensor: part for part in bundle.inputs}
        assert bundle.action is not None
        shapes = {name: part.shape for name, part in wanted.items()}
        shapes[self._output] = bundle.action.shape
        found: dict[str, str] = {}
        for i in range(engine.num_io_tensors):
            name = engine.get_tensor_name(i)
            is_input = engine.get_tensor_mode(name) == tensorrt.TensorIOMode.INPUT
            kind = TYPES.get(engine.get_tensor_dtype(name).name, '')
            found[name] = kind
            shape = tuple(engine.get_tensor_shape(name))
            key = f'{"input" if is_input else "output"} {name}'
            if is_input != (name in wanted):
                raise ConfigError(file, key, 'there', f'inputs {list(wanted)} only')
            if name not in shapes:
                # An output nobody asked for still needs somewhere to be written.
                shapes[name] = shape
                if -1 in shape:
                    raise ConfigError(file, key, shape, 'a fixed shape')
            fits = len(shape) == len(shapes[name]) and all(
                a in (-1, b) for a, b in zip(shape, shapes[name], strict=True)
            )
            number = 'int64' if name in wanted and wanted[name] is bundle.instruction else 'float'
            if not fits or not (kind in FLOATS if number == 'float' else kind == number):
                raise ConfigError(file, key, f'{kind} {shape}', f'{number} {shapes[name]}')
            if is_input and -1 in shape and not self._context.set_input_shape(name, shapes[name]):
                raise ConfigError(file, key, shape, f'a profile with {shapes[name]}')
        for name in (*wanted, self._output):
            if name not in found:
                raise ConfigError(file, name, f'only {", ".join(found)}', f'{shapes[name]}')
        for name, kind in found.items():
            buffer = torch.zeros(shapes[name], dtype=getattr(torch, kind), device=self._device)
            assert buffer.numel() == math.prod(shapes[name])
            self._buffers[name] = buffer
            self._context.set_tensor_address(name, buffer.data_ptr())
            if name in wanted:
                plain = torch.int64 if kind == 'int64' else torch.float32
                self._pinned[name] = torch.zeros(
                    shapes[name], dtype=plain, pin_memory=self._device.type == 'cuda'
                )

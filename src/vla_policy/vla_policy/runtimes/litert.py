# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""LiteRT (formerly TensorFlow Lite): .tflite files on Arm and x86 processors by XNNPACK, and on the
Edge TPU of a Coral by its delegate.

The package `ai-edge-litert` is optional (environment/edge.in). The delegates do not take int64
tensors, so token ids are converted to int32. Floats of a fully integer model are quantised here
with the scale and zero point in the file.
"""

from typing import Any

import numpy as np

from vla_common.errors import ConfigError, first_line
from vla_policy.bundle.bundle import Bundle
from vla_policy.runtimes import Runtime, TensorInfo, check_tensors, require

SIGNATURE = 'serving_default'
EDGE_TPU = 'libedgetpu.so.1'


class LiteRt(Runtime):
    """device: cpu, edgetpu or edgetpu:N. Raises ConfigError for a model that it cannot use."""

    name = 'litert'

    def __init__(self, bundle: Bundle, threads: int = 1, device: str = 'cpu') -> None:
        file = str(bundle.directory / bundle.model.file)
        package = 'ai-edge-litert (environment/edge.in)'
        litert = require(bundle, 'ai_edge_litert.interpreter', package)
        delegates = _delegates(litert, device)
        try:
            # XNNPACK is the default resolver.
            self._interpreter = litert.Interpreter(
                model_content=bundle.read(bundle.model.file),
                num_threads=threads,
                experimental_delegates=delegates,
            )
            self._interpreter.allocate_tensors()
            self._runner = self._interpreter.get_signature_runner(SIGNATURE)
        except (ValueError, RuntimeError) as error:
            wanted = f'a .tflite file for {device}'
            raise ConfigError(file, 'model', first_line(error), wanted) from error
        self._inputs = dict(self._runner.get_input_details())
        self._outputs = dict(self._runner.get_output_details())
        self._answered = bundle.model.answered
        check_tensors(
            file,
            bundle.model,
            _infos(self._inputs),
            _infos(self._outputs),
            ('float32', 'int8'),
            ('int32', 'int64'),
        )
        used = {f'input {name}': about for name, about in self._inputs.items()}
        used |= {f'output {name}': self._outputs[name] for name in self._answered}
        for key, about in used.items():
            if about['dtype'] is np.int8 and not about['quantization'][0] > 0:
                raise ConfigError(file, key, 'int8 without a scale', 'a scale above 0')

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        return self.run_all(inputs)[self._answered[0]]

    def run_all(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        fed = {name: _quantised(inputs[name], about) for name, about in self._inputs.items()}
        found = self._runner(**fed)
        return {name: _dequantised(found[name], self._outputs[name]) for name in self._answered}

    def close(self) -> None:
        # The runner refers to the interpreter's memory: it is released first.
        self._runner = None
        self._interpreter = None


def _delegates(litert: Any, device: str) -> list[Any]:
    kind, _, index = device.partition(':')
    if kind == 'cpu' and not index:
        return []
    if kind != 'edgetpu' or (index and not index.isdigit()):
        raise ConfigError('parameters', 'device', device, 'cpu, edgetpu or edgetpu:N')
    options = {'device': f'usb:{index}'} if index else {}
    try:
        return [litert.load_delegate(EDGE_TPU, options)]
    except (ValueError, OSError) as error:
        found = f'{device} ({first_line(error)})'
        wanted = f'cpu, or an Edge TPU and its runtime ({EDGE_TPU})'
        raise ConfigError('parameters', 'device', found, wanted) from error


def _infos(details: dict[str, Any]) -> dict[str, TensorInfo]:
    return {
        name: TensorInfo(np.dtype(about['dtype']).name, tuple(int(n) for n in about['shape']))
        for name, about in details.items()
    }


def _quantised(value: np.ndarray, about: dict[str, Any]) -> np.ndarray:
    if about['dtype'] is not np.int8 or value.dtype == np.int8:
        return value.astype(about['dtype'], copy=False)
    scale, zero = about['quantization']
    return np.clip(np.rint(value / scale) + zero, -128, 127).astype(np.int8)


def _dequantised(value: np.ndarray, about: dict[str, Any]) -> np.ndarray:
    if about['dtype'] is not np.int8:
        return value
    scale, zero = about['quantization']
    return (value.astype(np.float32) - zero) * np.float32(scale)

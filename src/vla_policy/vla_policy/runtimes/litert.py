# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""LiteRT (once TensorFlow Lite): .tflite files on Arm and x86 processors by XNNPACK, and on the
Edge TPU of a Coral through its delegate.

The package `ai-edge-litert` is imported when a bundle asks for it; it is none of the workspace's
own requirements (environment/edge.in). LiteRT has no int64 tensors that its delegates take, so
token ids go in as int32; a model that is integers throughout gets its floats scaled here, with the
scale and zero point that the file tells.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vla_common.errors import ConfigError
from vla_policy.bundle.bundle import Bundle

SIGNATURE = 'serving_default'
EDGE_TPU = 'libedgetpu.so.1'


class LiteRt:
    """device: cpu, edgetpu or edgetpu:N. Raises ConfigError for what it cannot use."""

    name = 'litert'

    def __init__(self, bundle: Bundle, threads: int = 1, device: str = 'cpu') -> None:
        file = str(bundle.directory / bundle.model)
        try:
            from ai_edge_litert import interpreter as litert
        except ImportError as error:
            raise ConfigError(
                str(bundle.file),
                'runtime',
                'litert',
                'the Python package ai-edge-litert installed (environment/edge.in)',
            ) from error
        delegates = _delegates(litert, device)
        try:
            # A resolver with XNNPACK is what it takes by itself.
            self._interpreter = litert.Interpreter(
                model_content=bundle.read(bundle.model),
                num_threads=threads,
                experimental_delegates=delegates,
            )
            self._interpreter.allocate_tensors()
            self._runner = self._interpreter.get_signature_runner(SIGNATURE)
        except (ValueError, RuntimeError) as error:
            text = str(error).strip().splitlines()
            raise ConfigError(
                file, 'model', text[0] if text else repr(error), f'a .tflite file for {device}'
            ) from error
        assert bundle.action is not None
        self._inputs = dict(self._runner.get_input_details())
        self._outputs = dict(self._runner.get_output_details())
        self._output = bundle.action.tensor
        self._check(bundle, file)

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        fed = {name: _into(inputs[name], about) for name, about in self._inputs.items()}
        return _out_of(self._runner(**fed)[self._output], self._outputs[self._output])

    def close(self) -> None:
        # The runner holds the interpreter's memory: it goes first.
        self._runner = None
        self._interpreter = None

    def _check(self, bundle: Bundle, file: str) -> None:
        wanted = {part.tensor: part for part in bundle.inputs}
        for name, part in wanted.items():
            if name not in self._inputs:
                raise ConfigError(
                    file, f'input {name}', f'only {", ".join(self._inputs)}', f'{part.shape}'
                )
            kinds = (np.int32, np.int64) if part is bundle.instruction else (np.float32, np.int8)
            _fits(file, f'input {name}', self._inputs[name], part.shape, kinds)
        for name in self._inputs:
            if name not in wanted:
                raise ConfigError(file, f'input {name}', 'there', f'inputs {list(wanted)} only')
        if self._output not in self._outputs:
            found = f'only {", ".join(self._outputs)}'
            raise ConfigError(file, f'output {self._output}', found, str(bundle.action.shape))
        about = self._outputs[self._output]
        kinds = (np.float32, np.int8)
        _fits(file, f'output {self._output}', about, bundle.action.shape, kinds)


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
        found = f'{device} ({str(error).strip() or type(error).__name__})'
        wanted = f'cpu, or an Edge TPU and its runtime ({EDGE_TPU})'
        raise ConfigError('parameters', 'device', found, wanted) from error


def _fits(
    file: str, key: str, about: dict[str, Any], shape: tuple[int, ...], kinds: tuple[Any, ...]
) -> None:
    found = tuple(int(n) for n in about['shape'])
    if found != shape or about['dtype'] not in kinds:
        names = ' or '.join(np.dtype(kind).name for kind in kinds)
        kind = np.dtype(about['dtype']).name
        raise ConfigError(file, key, f'{kind} {found}', f'{names} {shape}')
    if about['dtype'] is np.int8 and not about['quantization'][0] > 0:
        raise ConfigError(file, key, 'int8 without a scale', 'a scale above 0')


def _into(value: np.ndarray, about: dict[str, Any]) -> np.ndarray:
    if about['dtype'] is not np.int8 or value.dtype == np.int8:
        return value.astype(about['dtype'], copy=False)
    scale, zero = about['quantization']
    return np.clip(np.rint(value / scale) + zero, -128, 127).astype(np.int8)


def _out_of(value: np.ndarray, about: dict[str, Any]) -> np.ndarray:
    if about['dtype'] is not np.int8:
        return value
    scale, zero = about['quantization']
    return (value.astype(np.float32) - zero) * np.float32(scale)

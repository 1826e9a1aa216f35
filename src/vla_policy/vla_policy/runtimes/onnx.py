# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime: on the CPU, on CUDA, or with its TensorRT provider."""

from __future__ import annotations

from typing import Any

import numpy as np

from vla_common.errors import ConfigError
from vla_policy.bundle.bundle import Bundle

TYPES = {'tensor(float)': 'float32', 'tensor(float16)': 'float16', 'tensor(int64)': 'int64'}
PROVIDERS = {
    'cpu': ('CPUExecutionProvider',),
    'cuda': ('CUDAExecutionProvider', 'CPUExecutionProvider'),
    'tensorrt': ('TensorrtExecutionProvider', 'CUDAExecutionProvider', 'CPUExecutionProvider'),
}


def providers(ort: Any, device: str) -> list[Any]:
    """For cpu, cuda:N or tensorrt:N. Raises ConfigError for one that is not there: ONNX Runtime
    itself would take the CPU in silence."""
    kind, _, index = device.partition(':')
    if kind not in PROVIDERS or (index and not index.isdigit()) or (kind == 'cpu' and index):
        raise ConfigError('parameters', 'device', device, 'cpu, cuda:N or tensorrt:N')
    there = ort.get_available_providers()
    first = PROVIDERS[kind][0]
    if first not in there:
        known = [name for name, wanted in PROVIDERS.items() if wanted[0] in there]
        raise ConfigError(
            'parameters',
            'device',
            device,
            f'{" or ".join(known)}: this ONNX Runtime has no {first}',
        )
    options = {'device_id': index or '0'}
    return [
        name if name == 'CPUExecutionProvider' else (name, options)
        for name in PROVIDERS[kind]
        if name in there
    ]


class OnnxRuntime:
    """A single-file ONNX model, its inputs and outputs checked against policy.yaml at load."""

    name = 'onnx'

    def __init__(self, bundle: Bundle, threads: int = 1, device: str = 'cpu') -> None:
        file = str(bundle.directory / bundle.model)
        try:
            import onnxruntime as ort
        except ImportError as error:
            raise ConfigError(
                str(bundle.file), 'runtime', 'onnx', 'the Python package onnxruntime installed'
            ) from error
        wanted = providers(ort, device)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Spinning workers would take the cores that the control loops need.
        options.add_session_config_entry('session.intra_op.allow_spinning', '0')
        options.log_severity_level = 3
        content = bundle.read(bundle.model)
        try:
            self._session = ort.InferenceSession(content, options, providers=wanted)
        except Exception as error:  # onnxruntime raises several types without a common base
            raise ConfigError(file, 'model', _first_line(error), 'an ONNX model') from error
        used = self._session.get_providers()
        first = wanted[0] if isinstance(wanted[0], str) else wanted[0][0]
        if first not in used:
            raise ConfigError('parameters', 'device', device, f'one of {", ".join(used)}')
        self._halves: tuple[str, ...] = ()
        self._check(bundle, file)
        assert bundle.action is not None
        self._outputs = [bundle.action.tensor]

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        if self._halves:
            inputs = {
                name: value.astype(np.float16) if name in self._halves else value
                for name, value in inputs.items()
            }
        return self._session.run(self._outputs, inputs)[0]

    def close(self) -> None:
        self._session = None

    def _check(self, bundle: Bundle, file: str) -> None:
        found = {node.name: node for node in self._session.get_inputs()}
        wanted = {part.tensor: part for part in bundle.inputs}
        for tensor, part in wanted.items():
            kinds = ('int64',) if part is bundle.instruction else ('float32', 'float16')
            if tensor not in found:
                raise ConfigError(
                    file, f'input {tensor}', _names(found), f'{kinds[0]} {part.shape}'
                )
            kind = _check_tensor(file, f'input {tensor}', found[tensor], kinds, part.shape)
            if kind == 'float16':
                self._halves = (*self._halves, tensor)
        extra = [name for name in found if name not in wanted]
        if extra:
            raise ConfigError(
                file, f'input {extra[0]}', 'an input', f'only what policy.yaml has: {list(wanted)}'
            )
        outputs = {node.name: node for node in self._session.get_outputs()}
        action = bundle.action
        assert action is not None
        if action.tensor not in outputs:
            raise ConfigError(file, f'output {action.tensor}', _names(outputs), str(action.shape))
        key = f'output {action.tensor}'
        _check_tensor(file, key, outputs[action.tensor], ('float32', 'float16'), action.shape)


def _check_tensor(
    file: str, key: str, node: Any, kinds: tuple[str, ...], shape: tuple[int, ...]
) -> str:
    found_kind = TYPES.get(node.type, node.type)
    fits = len(node.shape) == len(shape) and all(
        not isinstance(found, int) or found == wanted  # a name or None is a free dimension
        for found, wanted in zip(node.shape, shape, strict=True)
    )
    if found_kind not in kinds or not fits:
        raise ConfigError(file, key, f'{found_kind} {tuple(node.shape)}', f'{kinds[0]} {shape}')
    return found_kind


def _names(nodes: dict) -> str:
    return 'only ' + ', '.join(nodes) if nodes else 'none'


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__

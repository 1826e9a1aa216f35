# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime: on the CPU, on CUDA, or with its TensorRT provider."""

from typing import Any

import numpy as np

from vla_common.errors import ConfigError, first_line
from vla_policy.bundle.bundle import Bundle
from vla_policy.runtimes import Runtime, TensorInfo, check_tensors, require
from vla_policy.runtimes.onnx_external import read_external

FLOATS = ('float32', 'float16')
INTEGERS = ('int64', 'int32')
TYPES = {
    'tensor(float)': 'float32',
    'tensor(float16)': 'float16',
    'tensor(int64)': 'int64',
    'tensor(int32)': 'int32',
    'tensor(bool)': 'bool',
    'tensor(uint8)': 'uint8',
}
PROVIDERS = {
    'cpu': ('CPUExecutionProvider',),
    'cuda': ('CUDAExecutionProvider', 'CPUExecutionProvider'),
    'tensorrt': ('TensorrtExecutionProvider', 'CUDAExecutionProvider', 'CPUExecutionProvider'),
}


def providers(ort: Any, device: str) -> list[Any]:
    """Execution providers for cpu, cuda:N or tensorrt:N. Raises ConfigError for one that is not
    available: ONNX Runtime itself would use the CPU without an error."""
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


class OnnxRuntime(Runtime):
    """An ONNX model, its inputs and outputs checked against policy.yaml at load. External data is
    taken from listed files, as bytes whose hash was checked."""

    name = 'onnx'

    def __init__(self, bundle: Bundle, threads: int = 1, device: str = 'cpu') -> None:
        file = str(bundle.directory / bundle.model.file)
        ort = require(bundle, 'onnxruntime')
        wanted = providers(ort, device)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Spinning workers would occupy the cores that the control loops need.
        options.add_session_config_entry('session.intra_op.allow_spinning', '0')
        options.log_severity_level = 3
        content = bundle.read(bundle.model.file)
        external = read_external(bundle, content)
        if external:
            names, buffers = list(external), list(external.values())
            sizes = [len(buffer) for buffer in buffers]
            options.add_external_initializers_from_files_in_memory(names, buffers, sizes)
        try:
            self._session = ort.InferenceSession(content, options, providers=wanted)
        except Exception as error:  # onnxruntime raises several types without a common base
            raise ConfigError(file, 'model', first_line(error), 'an ONNX model') from error
        used = self._session.get_providers()
        first = wanted[0] if isinstance(wanted[0], str) else wanted[0][0]
        if first not in used:
            raise ConfigError('parameters', 'device', device, f'one of {", ".join(used)}')
        found = {node.name: _info(node) for node in self._session.get_inputs()}
        outputs = {node.name: _info(node) for node in self._session.get_outputs()}
        check_tensors(file, bundle.model, found, outputs, FLOATS, INTEGERS, pixels=('uint8',))
        own = {part.tensor: np.dtype(part.dtype).name for part in bundle.model.inputs}
        self._casts = {n: np.dtype(i.kind) for n, i in found.items() if i.kind != own[n]}
        self._outputs = list(bundle.model.answered)

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        return self._call(self._outputs[:1], inputs)[0]

    def run_all(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return dict(zip(self._outputs, self._call(self._outputs, inputs), strict=True))

    def _call(self, outputs: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        if self._casts:
            inputs = inputs | {name: inputs[name].astype(to) for name, to in self._casts.items()}
        return self._session.run(outputs, inputs)

    def close(self) -> None:
        self._session = None


def _info(node: Any) -> TensorInfo:
    shape = (size if isinstance(size, int) else -1 for size in node.shape)
    return TensorInfo(TYPES.get(node.type, node.type), tuple(shape))

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What runs a model file: one file each, behind one small interface.

A runtime is imported only when a bundle asks for it: a machine that runs ONNX needs no torch.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from vla_policy.bundle.bundle import Bundle


class Runtime(Protocol):
    """A loaded model: named tensors in, the action tensor out."""

    name: str

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """The action tensor, float. Inputs are not kept and not changed."""
        ...

    def close(self) -> None: ...


def load_runtime(bundle: Bundle, threads: int = 1, device: str = 'cpu') -> Runtime:
    """Raises ConfigError: file, key, found, wanted."""
    if bundle.runtime == 'onnx':
        from vla_policy.runtimes.onnx import OnnxRuntime

        return OnnxRuntime(bundle, threads, device)
    if bundle.runtime == 'torchscript':
        from vla_policy.runtimes.torchscript import load_torchscript

        return load_torchscript(bundle, threads, device)
    if bundle.runtime == 'torch_export':
        from vla_policy.runtimes.torch_export import load_torch_export

        return load_torch_export(bundle, threads, device)
    if bundle.runtime == 'pytorch':
        from vla_policy.runtimes.pytorch import load_pytorch

        return load_pytorch(bundle, threads, device)
    if bundle.runtime == 'tensorrt':
        from vla_policy.runtimes.tensorrt import TensorRtEngine

        return TensorRtEngine(bundle, threads, device)
    if bundle.runtime == 'litert':
        from vla_policy.runtimes.litert import LiteRt

        return LiteRt(bundle, threads, device)
    raise ValueError(f'{bundle.runtime} runs no model file')

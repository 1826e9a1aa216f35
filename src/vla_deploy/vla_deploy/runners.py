# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What answers: the original in eager PyTorch, or a bundle as the inference node runs it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from vla_common.errors import ConfigError
from vla_deploy.observations import Tensors
from vla_deploy.reference_model import ReferenceModel
from vla_policy.bundle.bundle import Bundle, load_bundle
from vla_policy.runtimes import Runtime, load_runtime


class EagerRunner(Runtime):
    """The original's module, float32 or `dtype`, on the CPU or a CUDA device, not compiled."""

    name = 'eager'

    def __init__(self, original: ReferenceModel, device: str = 'cpu') -> None:
        self._module = original.module.to(device)
        self._names = original.inputs
        self._device = device

    def run(self, inputs: Tensors) -> np.ndarray:
        with torch.inference_mode():
            tensors = [torch.from_numpy(inputs[name]).to(self._device) for name in self._names]
            answer = self._module(*tensors)
            first = answer[0] if isinstance(answer, (tuple, list)) else answer
            return first.float().cpu().numpy()

    def close(self) -> None:
        """The module belongs to the original."""


def check_device(option: str, device: str) -> None:
    """Raises ConfigError for a GPU where torch sees none."""
    if device != 'cpu' and not torch.cuda.is_available():
        raise ConfigError(option, '', device, 'cpu: torch sees no CUDA device')


def open_bundle(
    directory: Path, threads: int = 1, device: str = 'cpu', *, accept_failed: bool = True
) -> tuple[Bundle, Runtime]:
    """A bundle and what runs it. Raises ConfigError, also for one without a model file."""
    bundle = load_bundle(directory, accept_failed=accept_failed)
    return bundle, load_runtime(bundle, threads, device)


def answers(runner: Runtime, inputs: Sequence[Tensors]) -> np.ndarray:
    """The outputs for each of `inputs`, stacked: (N, horizon, k)."""
    return np.concatenate([np.asarray(runner.run(tensors)).copy() for tensors in inputs])

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Which layers bear fewer bits: quantise one at a time, and see how wrong the policy becomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from vla_deploy.observations import Tensors
from vla_deploy.onnx_files import load_onnx
from vla_deploy.parity import Parity, compare
from vla_deploy.quantisation.schemes import QuantisationSettings, Scheme
from vla_policy.bundle.model_spec import ActionOutput


@dataclass(frozen=True)
class Layer:
    """A node, and what quantising it alone does."""

    name: str
    operator: str
    max_error_rad: float
    cosine: float


def run_file(path: Path, output: str, inputs: Sequence[Tensors]) -> np.ndarray:
    """The answers of an ONNX file, stacked."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    return np.concatenate([session.run([output], tensors)[0] for tensors in inputs])


def sensitivities(
    way: Scheme,
    source: Path,
    settings: QuantisationSettings,
    inputs: Sequence[Tensors],
    wanted: np.ndarray,
    action: ActionOutput,
    advance: Callable[[], None] = lambda: None,
) -> list[Layer]:
    """Every quantisable node, the one that hurts most first."""
    model = load_onnx(source)
    operators = {node.name: node.op_type for node in model.graph.node}
    names = way.quantisable(model, settings)
    target = source.with_name('one.onnx')
    layers = []
    for name in names:
        way.apply(source, target, settings, [other for other in names if other != name])
        parity = compare(wanted, run_file(target, action.tensor, inputs), action)
        layers.append(Layer(name, operators[name], parity.max_error_rad, parity.cosine))
        advance()
    return sorted(layers, key=lambda layer: (layer.cosine, -layer.max_error_rad))


def fewest_in_float(
    layers: Sequence[Layer],
    attempt: Callable[[list[str]], Parity],
    enough: Callable[[Parity], bool],
) -> list[str] | None:
    """The fewest of the most sensitive layers that have to stay in float, by bisection; None where
    not even all of them but one suffice."""
    low, high = 0, len(layers) - 1
    best: list[str] | None = None
    while low <= high:
        middle = (low + high) // 2
        keep = [layer.name for layer in layers[:middle]]
        if enough(attempt(keep)):
            best, high = keep, middle - 1
        else:
            low = middle + 1
    return best

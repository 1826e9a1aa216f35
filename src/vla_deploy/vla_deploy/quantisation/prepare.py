# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A graph made ready for quantising: batch of one, shapes known, constants folded, nodes named."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx
from onnxruntime.quantization.shape_inference import quant_pre_process

from vla_deploy.onnx_files import fetch_onnx, fix_batch, load_onnx, without_shapes
from vla_deploy.silence import silence


def prepare(directory: Path, target: Path, fold: bool = True) -> None:
    """Write the prepared ONNX of a bundle. fold: with ONNX Runtime's basic optimisations, which
    make Gemm out of MatMul and Add. Raises ConfigError."""
    with tempfile.TemporaryDirectory() as scratch:
        given, fixed = Path(scratch) / 'given.onnx', Path(scratch) / 'fixed.onnx'
        fetch_onnx(directory, given)
        onnx.save(fix_batch(without_shapes(load_onnx(given))), str(fixed))
        with silence():
            quant_pre_process(
                str(fixed), str(target), skip_symbolic_shape=True, skip_optimization=not fold
            )
    model = load_onnx(target)
    # Nodes are kept in float by name, so each needs one of its own.
    seen: set[str] = set()
    for number, node in enumerate(model.graph.node):
        if not node.name or node.name in seen:
            node.name = f'{node.op_type}_{number}'
        seen.add(node.name)
    onnx.save(model, str(target))

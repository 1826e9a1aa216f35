# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""ONNX files as the optimisers and quantisers want them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx
import onnxruntime

from vla_common.errors import ConfigError
from vla_deploy.convert.onnx_graph import write_onnx
from vla_deploy.reference_model import from_bundle
from vla_policy.bundle.bundle import load_bundle


def fetch_onnx(directory: Path, path: Path) -> None:
    """Write the ONNX form of the bundle's model to `path`: its own file, or made from its source.

    Raises ConfigError where there is neither.
    """
    bundle = load_bundle(directory, accept_failed=True)
    if bundle.runtime == 'onnx':
        path.write_bytes(bundle.read(bundle.model.file))
    elif bundle.source is not None:
        write_onnx(from_bundle(directory), path)
    else:
        raise ConfigError(
            str(bundle.file), 'runtime', bundle.runtime, 'onnx, or a source to export from'
        )


def load_onnx(path: Path) -> onnx.ModelProto:
    """Raises ConfigError for a file that is no ONNX model."""
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf and the checker have no common base
        text = str(error).strip().splitlines()
        raise ConfigError(str(path), 'model', text[0] if text else repr(error), 'ONNX') from error
    return model


def without_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without the inner shapes that torch's exporter wrote: ORT's tools trip over their symbols
    and infer them anew."""
    del model.graph.value_info[:]
    return model


def fix_batch(model: onnx.ModelProto, batch: int = 1) -> onnx.ModelProto:
    """Give every free dimension that an input begins with the size `batch`."""
    from onnxruntime.tools.onnx_model_utils import make_dim_param_fixed

    names = {
        node.type.tensor_type.shape.dim[0].dim_param
        for node in model.graph.input
        if len(node.type.tensor_type.shape.dim)
    }
    for name in sorted(names - {''}):
        make_dim_param_fixed(model.graph, name, batch)
    return model


LEVELS = {
    'basic': onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    'extended': onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    'all': onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}


def optimise_graph(source: Path, target: Path, level: str = 'basic') -> None:
    """ONNX Runtime's own optimiser, its result written down.

    basic: constants folded, what is not needed removed; runs anywhere. extended: fused operators
    of ONNX Runtime's CPU provider. all: also the memory layout of this processor, so the file is
    good for its like only.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = LEVELS[level]
    options.optimized_model_filepath = str(target)
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(str(source), options, providers=['CPUExecutionProvider'])
    except Exception as error:  # onnxruntime raises several types without a common base
        text = (str(error).strip().splitlines() or [repr(error)])[0]
        if 'serialization failed' in text:  # so it says of a disk that is full
            raise ConfigError(str(target), 'disk', text, 'room to write it') from error
        raise ConfigError(str(source), 'model', text, 'what ONNX Runtime can load') from error


def write_optimised(
    source: Path, target: Path, level: str = 'basic', *, batch_one: bool = True
) -> None:
    """`optimise_graph` of a graph as torch wrote it, for a batch of one unless told otherwise.
    Raises ConfigError."""
    model = without_shapes(load_onnx(source))
    with tempfile.TemporaryDirectory() as scratch:
        ready = Path(scratch) / 'ready.onnx'
        onnx.save(fix_batch(model) if batch_one else model, str(ready))
        optimise_graph(ready, target, level)

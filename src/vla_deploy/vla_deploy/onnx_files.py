# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""ONNX files: loading, running, optimising, and preparing them for quantisation."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.tools.onnx_model_utils import make_dim_param_fixed

from vla_common.errors import ConfigError, first_line
from vla_deploy.convert import write_onnx
from vla_deploy.observations import Tensors
from vla_deploy.reference_model import from_bundle
from vla_deploy.silence import silence
from vla_policy.bundle.bundle import load_bundle
from vla_policy.runtimes.onnx_external import read_external

LEVELS = {
    'basic': onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    'extended': onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    'all': onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}


def fetch_onnx(directory: Path, path: Path) -> None:
    """Write the ONNX form of the bundle's model to `path`: its own file, or an export of its
    source. Raises ConfigError where it has neither."""
    bundle = load_bundle(directory, accept_failed=True)
    if bundle.runtime == 'onnx':
        content = bundle.read(bundle.model.file)
        path.write_bytes(content)
        for location, weights in read_external(bundle, content).items():
            (path.parent / location).parent.mkdir(parents=True, exist_ok=True)
            (path.parent / location).write_bytes(weights)
    elif bundle.source is not None:
        write_onnx(from_bundle(directory), path)
    else:
        wanted = 'onnx, or a source to export from'
        raise ConfigError(str(bundle.file), 'runtime', bundle.runtime, wanted)


def load_onnx(path: Path) -> onnx.ModelProto:
    """Raises ConfigError for a file that is not an ONNX model."""
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf and the checker have no common base class
        raise ConfigError(str(path), 'model', first_line(error), 'ONNX') from error
    return model


def with_batch_one(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fix the batch to one. The inner shapes that torch's exporter wrote are removed: the tools of
    ONNX Runtime fail on their symbols, and infer them again."""
    del model.graph.value_info[:]
    shapes = [value.type.tensor_type.shape.dim for value in model.graph.input]
    for name in sorted({dims[0].dim_param for dims in shapes if len(dims)} - {''}):
        make_dim_param_fixed(model.graph, name, 1)
    return model


def session_options() -> onnxruntime.SessionOptions:
    """Session options with one thread and no log output."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return options


def run_onnx(
    path: Path, output: str, inputs: Sequence[Tensors], *, fused: bool = True
) -> np.ndarray:
    """The answers of an ONNX file, stacked. fused False: the graph as it is (ONNX Runtime on a CPU
    has no fused products of 8 bit floats). Raises ConfigError for a graph that it cannot run."""
    options = session_options()
    if not fused:
        disabled = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.graph_optimization_level = disabled
    providers = ['CPUExecutionProvider']
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        return np.concatenate([session.run([output], tensors)[0] for tensors in inputs])
    except Exception as error:  # onnxruntime's exceptions have no common base class
        wanted = 'a graph that ONNX Runtime can run'
        raise ConfigError(str(path), 'graph', first_line(error), wanted) from error


def optimise_graph(source: Path, target: Path, level: str = 'basic') -> None:
    """Write the result of ONNX Runtime's graph optimiser. Raises ConfigError.

    basic: constants folded, unused nodes removed; runs anywhere. extended: also fused operators of
    the CPU provider. all: also the memory layout of this processor.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = LEVELS[level]
    options.optimized_model_filepath = str(target)
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(str(source), options, providers=['CPUExecutionProvider'])
    except Exception as error:  # onnxruntime's exceptions have no common base class
        text = first_line(error)
        if 'serialization failed' in text:  # its message for a full disk
            raise ConfigError(str(target), 'disk', text, 'room to write it') from error
        raise ConfigError(str(source), 'model', text, 'a model ONNX Runtime can load') from error


def write_optimised(
    source: Path, target: Path, level: str = 'basic', *, batch_one: bool = True
) -> None:
    """`optimise_graph` of a graph as torch wrote it, by default for a batch of one. Raises
    ConfigError."""
    model = load_onnx(source)
    if batch_one:
        with_batch_one(model)
    del model.graph.value_info[:]
    with tempfile.TemporaryDirectory() as scratch:
        ready = Path(scratch) / 'ready.onnx'
        onnx.save(model, str(ready))
        optimise_graph(ready, target, level)


def prepare(directory: Path, target: Path, fold: bool = True) -> None:
    """Write a bundle's ONNX ready for quantisation: batch of one, shapes known, nodes named. fold:
    with ONNX Runtime's basic optimisations, which turn MatMul and Add into Gemm. Raises
    ConfigError."""
    with tempfile.TemporaryDirectory() as scratch:
        given, fixed = Path(scratch) / 'given.onnx', Path(scratch) / 'fixed.onnx'
        fetch_onnx(directory, given)
        onnx.save(with_batch_one(load_onnx(given)), str(fixed))
        skip = {'skip_symbolic_shape': True, 'skip_optimization': not fold}
        with silence():
            quant_pre_process(str(fixed), str(target), **skip)
    model = load_onnx(target)
    # Nodes stay in float by name, so each needs a unique one.
    seen: set[str] = set()
    for number, node in enumerate(model.graph.node):
        if not node.name or node.name in seen:
            node.name = f'{node.op_type}_{number}'
        seen.add(node.name)
    onnx.save(model, str(target))

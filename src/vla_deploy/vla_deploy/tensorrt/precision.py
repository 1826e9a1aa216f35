# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Typed ONNX graph of an engine: its precision is written into the graph.

TensorRT 11 has no precision flags and no calibrators (deprecated in 10.1 and 10.12): networks are
strongly typed. Half precision is the type of the graph's tensors; int8 and fp8 are explicit pairs
of QuantizeLinear and DequantizeLinear. The graph can be verified without a GPU.
"""

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

from vla_common.errors import ConfigError
from vla_deploy.convert import write_onnx
from vla_deploy.observations import Tensors
from vla_deploy.onnx_files import load_onnx, prepare, with_batch_one
from vla_deploy.optimising import ReducedPrecision
from vla_deploy.parity import LOSSY
from vla_deploy.publishing import VerificationOptions
from vla_deploy.quantisation.schemes import (
    METHODS,
    SCHEMES,
    CalibrationReader,
    QuantisationSettings,
    Scheme,
)
from vla_deploy.quantisation.sensitivity import kept_in_float, search_float_layers
from vla_deploy.reference_model import from_bundle
from vla_deploy.silence import silence
from vla_policy.bundle.bundle import load_bundle

PRECISIONS = ('fp32', 'fp16', 'bf16', 'int8', 'fp8')
CALIBRATED = ('int8', 'fp8')
_OPERATORS = ('Conv', 'MatMul', 'Gemm')
_E4M3_FOR_INT8 = 127 / 448  # the largest values of both


@dataclass(frozen=True)
class Ranges:
    """Calibration of int8 and fp8. keep: parts of names of nodes that stay in float."""

    calibration: Sequence[Tensors] = ()
    method: str = 'minmax'
    keep: tuple[str, ...] = ()


def write_typed(
    directory: Path,
    path: Path,
    precision: str,
    ranges: Ranges | None = None,
    search_by: VerificationOptions | None = None,
    free_batch: bool = False,
) -> tuple[str, ...]:
    """Write the typed graph of the bundle in `directory`, for a batch of one or a free one. Returns
    the names of the nodes left in float. With bf16 or a free batch there is no gripper output.

    search_by: int8 and fp8 leave the fewest nodes in float that are needed to be within its limits.
    Raises ConfigError: an unknown precision, missing calibration, bf16 without a source.
    """
    ranges = ranges or Ranges()
    if precision not in PRECISIONS:
        raise ConfigError('--precision', '', precision, 'one of ' + ', '.join(PRECISIONS))
    if precision in CALIBRATED and not ranges.calibration:
        wanted = 'observations to find ranges with'
        raise ConfigError('--calibration', '', 'no observation', wanted)
    kept: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / 'source.onnx'
        if precision == 'bf16':
            reference = from_bundle(directory)
            bfloat16 = ReducedPrecision(reference, torch.bfloat16)
            write_onnx(reference.with_module(bfloat16), path)
            if not free_batch:
                onnx.save(with_batch_one(load_onnx(path)), str(path))
            return ()
        prepare(directory, source)
        if precision == 'fp32':
            path.write_bytes(source.read_bytes())
        elif precision == 'fp16':
            SCHEMES['fp16'].apply(source, path, QuantisationSettings(), ())
        else:
            scheme = _INT8 if precision == 'int8' else _FP8
            cache = Path(scratch) / 'ranges'
            settings = QuantisationSettings(ranges.calibration, ranges.method, cache=cache)
            kept = kept_in_float(scheme.quantisable(load_onnx(source), settings), ranges.keep)
            if search_by is not None:
                action = load_bundle(directory, accept_failed=True).model.action
                assert action is not None and search_by.expected is not None
                # A layer that is sensitive to int8 is sensitive to fp8, and int8 runs faster.
                kept, _ = search_float_layers(
                    scheme, source, path, settings, kept, search_by.expected, action,
                    search_by.limits or LOSSY, ranked_by=_INT8, fused=scheme is _INT8,
                )  # fmt: skip
            scheme.apply(source, path, settings, kept)
    if free_batch:
        answered = load_bundle(directory, accept_failed=True).model.answered
        onnx.save(_with_free_batch(load_onnx(path), answered), str(path))
    return tuple(kept)


def _int8(source: Path, target: Path, settings: QuantisationSettings, keep: Sequence[str]) -> None:
    with silence():
        quantize_static(
            source,
            target,
            CalibrationReader(settings.calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(_OPERATORS),
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=METHODS[settings.method],
            nodes_to_exclude=list(keep),
            calibration_cache_path=settings.cache,
            extra_options={
                # TensorRT: zero points of zero, weights quantised in the graph, biases float.
                'ActivationSymmetric': True,
                'WeightSymmetric': True,
                'AddQDQPairToWeight': True,
                'QuantizeBias': False,
            },
        )


def _fp8(source: Path, target: Path, settings: QuantisationSettings, keep: Sequence[str]) -> None:
    """The pairs of int8 in e4m3, with the same largest values. ONNX Runtime's own scales for 8 bit
    floats follow the spread of the values and clip the rest: cosine 0.44 instead of 0.989, measured
    on humanoid_vla 0.2.0."""
    _int8(source, target, settings, keep)
    model = load_onnx(target)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    done: set[str] = set()
    for node in model.graph.node:
        if node.op_type not in ('QuantizeLinear', 'DequantizeLinear'):
            continue
        scale, zero = node.input[1], node.input[2]
        if scale not in done:
            wider = numpy_helper.to_array(tensors[scale]) * np.float32(_E4M3_FOR_INT8)
            tensors[scale].CopyFrom(numpy_helper.from_array(wider, scale))
        if zero not in done:
            dims = list(tensors[zero].dims)
            nothing = bytes(math.prod(dims))
            e4m3 = onnx.TensorProto.FLOAT8E4M3FN
            tensors[zero].CopyFrom(onnx.helper.make_tensor(zero, e4m3, dims, nothing, raw=True))
        done |= {scale, zero}
    del model.graph.value_info[:]
    onnx.save(model, str(target))


def _matrix_nodes(model: onnx.ModelProto, settings: QuantisationSettings) -> list[str]:
    return [node.name for node in model.graph.node if node.op_type in _OPERATORS]


_INT8 = Scheme('int8, symmetric, for TensorRT', _matrix_nodes, _int8, True)
_FP8 = Scheme('fp8 (e4m3)', _matrix_nodes, _fp8, True)


def _with_free_batch(model: onnx.ModelProto, answered: Sequence[str]) -> onnx.ModelProto:
    kept = [node for node in model.graph.output if node.name in answered]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    for node in (*model.graph.input, *model.graph.output):
        node.type.tensor_type.shape.dim[0].dim_param = 'batch'
    del model.graph.value_info[:]
    return model

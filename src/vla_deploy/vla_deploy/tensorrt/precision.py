# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The ONNX graph that an engine is built from, with its precision written into it.

TensorRT 11 has neither precision flags nor calibrators any more (both deprecated in 10.1 and
10.12): networks are strongly typed, so half precision is the graph's own types, and int8 and fp8
are explicit pairs of QuantizeLinear and DequantizeLinear with scales found here. All of it by ONNX
Runtime's tools and torch's exporter; the graph can be verified without a GPU.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from torch import Tensor, nn

from vla_common.errors import ConfigError
from vla_deploy.convert.onnx_graph import write_onnx
from vla_deploy.observations import Tensors
from vla_deploy.onnx_files import fix_batch, load_onnx, without_shapes
from vla_deploy.parity import LOSSY, Parity, ParityLimits, compare
from vla_deploy.quantisation.prepare import prepare
from vla_deploy.quantisation.quantising import kept_in_float
from vla_deploy.quantisation.schemes import METHODS, WAYS, QuantisationSettings, Scheme
from vla_deploy.quantisation.sensitivity import fewest_in_float, run_file, sensitivities
from vla_deploy.reference_model import from_bundle
from vla_deploy.silence import silence
from vla_deploy.verification import VerificationReference
from vla_policy.bundle.bundle import load_bundle

PRECISIONS = ('fp32', 'fp16', 'bf16', 'int8', 'fp8')
CALIBRATED = ('int8', 'fp8')
_OPERATORS = ('Conv', 'MatMul', 'Gemm')
_E4M3_FOR_INT8 = 127 / 448  # the largest values of both
_PROBES = 6  # observations for each layer's sensitivity


class _Bfloat16(nn.Module):
    """bfloat16 inside, float32 at the borders, the first output only if there are several."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module.to(torch.bfloat16)

    # torch's exporter wants each input by a name of its own.
    def forward(
        self,
        first: Tensor,
        second: Tensor | None = None,
        third: Tensor | None = None,
        fourth: Tensor | None = None,
    ) -> Tensor:
        given = [x for x in (first, second, third, fourth) if x is not None]
        halved = (x.to(torch.bfloat16) if x.is_floating_point() else x for x in given)
        answer = self.module(*halved)
        return (answer[0] if isinstance(answer, (tuple, list)) else answer).float()


@dataclass(frozen=True)
class Ranges:
    """What int8 and fp8 are calibrated with. keep: parts of names of nodes that stay in float."""

    calibration: Sequence[Tensors] = ()
    method: str = 'minmax'
    keep: tuple[str, ...] = ()


def write_typed(
    directory: Path,
    path: Path,
    precision: str,
    ranges: Ranges | None = None,
    judged: VerificationReference | None = None,
    limits: ParityLimits = LOSSY,
    free_batch: bool = False,
) -> tuple[str, ...]:
    """Write the graph of the bundle in `directory`, for a batch of one or a free one; return the
    names of the nodes left in float. bf16 and a free batch leave the action as the only output.

    judged: int8 and fp8 leave the fewest more nodes in float that bring them within `limits` of
    these answers. Raises ConfigError: an unknown precision, no calibration where one is needed,
    bf16 without a source.
    """
    ranges = ranges or Ranges()
    if precision not in PRECISIONS:
        raise ConfigError('--precision', '', precision, 'one of ' + ', '.join(PRECISIONS))
    if precision in CALIBRATED and not ranges.calibration:
        raise ConfigError('--calibration', '', 'no observation', 'some to find ranges with')
    if precision == 'bf16':
        _write_bfloat16(directory, path, free_batch)
        return ()
    kept: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / 'source.onnx'
        prepare(directory, source)
        if precision == 'fp32':
            path.write_bytes(source.read_bytes())
        elif precision == 'fp16':
            WAYS['fp16'].apply(source, path, QuantisationSettings(), ())
        else:
            way = _INT8 if precision == 'int8' else _FP8
            settings = QuantisationSettings(
                ranges.calibration, ranges.method, cache=Path(scratch) / 'ranges'
            )
            nodes = way.quantisable(load_onnx(source), settings)
            kept = kept_in_float(nodes, ranges.keep)
            if judged is not None:
                kept += _search(directory, way, source, path, settings, kept, judged, limits)
            way.apply(source, path, settings, kept)
    if free_batch:
        onnx.save(_with_free_batch(load_onnx(path)), str(path))
    return tuple(kept)


def _write_bfloat16(directory: Path, path: Path, free_batch: bool) -> None:
    original = from_bundle(directory)
    outputs = {'action': original.policy['outputs']['action']}
    changed = replace(
        original,
        module=_Bfloat16(original.module).eval(),
        policy={**original.policy, 'outputs': outputs},
    )
    write_onnx(changed, path)
    if not free_batch:
        onnx.save(fix_batch(without_shapes(load_onnx(path))), str(path))


def _search(
    directory: Path,
    way: Scheme,
    source: Path,
    target: Path,
    settings: QuantisationSettings,
    kept: list[str],
    judged: VerificationReference,
    limits: ParityLimits,
) -> list[str]:
    action = load_bundle(directory, accept_failed=True).model.action
    assert action is not None

    def attempt(more: list[str]) -> Parity:
        way.apply(source, target, settings, [*kept, *more])
        run = run_file if way is _INT8 else run_typed
        found = run(target, action.tensor, judged.inputs)
        return compare(judged.outputs, found, action)

    if not attempt([]).reason(limits):
        return []
    few = min(_PROBES, len(judged.inputs))
    # A layer that suffers from int8 suffers from fp8, and ONNX Runtime runs the first faster.
    inputs, wanted = judged.inputs[:few], judged.outputs[:few]
    layers = sensitivities(_INT8, source, settings, inputs, wanted, action)
    layers = [layer for layer in layers if layer.name not in kept]
    return fewest_in_float(layers, attempt, lambda parity: not parity.reason(limits)) or []


def _int8(source: Path, target: Path, settings: QuantisationSettings, keep: Sequence[str]) -> None:
    with silence():
        quantize_static(
            source,
            target,
            _Reader(settings.calibration),
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
    """The pairs of int8 with the same largest values, in e4m3. ONNX Runtime's own scales for 8 bit
    floats go by the spread of values and cut off what is beyond: measured on humanoid_vla 0.2.0,
    cosine 0.44 where these give 0.989."""
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


class _Reader(CalibrationDataReader):
    def __init__(self, inputs: Sequence[Tensors]) -> None:
        self._rest = iter(inputs)

    def get_next(self) -> Tensors | None:
        return next(self._rest, None)


def _matrix_nodes(model: onnx.ModelProto, settings: QuantisationSettings) -> list[str]:
    return [node.name for node in model.graph.node if node.op_type in _OPERATORS]


_INT8 = Scheme('int8, symmetric, for TensorRT', _matrix_nodes, _int8, True)
_FP8 = Scheme('fp8 (e4m3)', _matrix_nodes, _fp8, True)


def run_typed(path: Path, output: str, inputs: Sequence[Tensors]) -> np.ndarray:
    """The answers of the graph as it stands, unfused: ONNX Runtime on a CPU has no fused products
    of 8 bit floats. Raises ConfigError for what it cannot run at all (bfloat16)."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    providers = ['CPUExecutionProvider']
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        return np.concatenate([session.run([output], tensors)[0] for tensors in inputs])
    except Exception as error:  # onnxruntime raises several types without a common base
        text = str(error).strip().splitlines()
        found = text[0] if text else repr(error)
        raise ConfigError(str(path), 'graph', found, 'what this ONNX Runtime runs') from error


def _with_free_batch(model: onnx.ModelProto) -> onnx.ModelProto:
    del model.graph.output[1:]
    for node in (*model.graph.input, *model.graph.output):
        node.type.tensor_type.shape.dim[0].dim_param = 'batch'
    del model.graph.value_info[:]
    return model

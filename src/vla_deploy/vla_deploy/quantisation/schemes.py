# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Quantisation schemes: each turns a prepared ONNX file into a smaller or faster one, by the tools
of ONNX Runtime (onnxruntime.quantization, onnxruntime.transformers)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from vla_common.errors import ConfigError
from vla_deploy.observations import Tensors
from vla_deploy.onnx_files import load_onnx
from vla_deploy.silence import silence

MATRICES = ('MatMul', 'Gemm')
METHODS = {
    'minmax': CalibrationMethod.MinMax,
    'entropy': CalibrationMethod.Entropy,
    'percentile': CalibrationMethod.Percentile,
}


class CalibrationReader(CalibrationDataReader):
    """Calibration inputs, one by one."""

    def __init__(self, inputs: Sequence[Tensors]) -> None:
        self._rest = iter(inputs)

    def get_next(self) -> Tensors | None:
        return next(self._rest, None)


@dataclass(frozen=True)
class QuantisationSettings:
    """Settings of a scheme. calibration: input tensors, for static schemes. cache: file of the
    ranges that were found, for the next call with the same method."""

    calibration: Sequence[Tensors] = ()
    method: str = 'minmax'
    per_channel: bool = True
    operators: tuple[str, ...] = ('Conv', *MATRICES)
    cache: Path | None = None


Settings = QuantisationSettings


@dataclass(frozen=True)
class Scheme:
    """`quantisable(model)` names the nodes that it can change; `apply` writes `target` with the
    nodes `keep` in float."""

    title: str
    quantisable: Callable[[onnx.ModelProto, Settings], list[str]]
    apply: Callable[[Path, Path, Settings, Sequence[str]], None]
    calibrated: bool = False
    fold: bool = True


def _dynamic(source: Path, target: Path, settings: Settings, keep: Sequence[str]) -> None:
    with silence():
        quantize_dynamic(
            source,
            target,
            per_channel=settings.per_channel,
            op_types_to_quantize=list(MATRICES),
            nodes_to_exclude=list(keep),
            weight_type=QuantType.QInt8,
        )


def _static(source: Path, target: Path, settings: Settings, keep: Sequence[str]) -> None:
    if not settings.calibration:
        raise ConfigError('--calibration', '', 'no observation', 'observations to find ranges with')
    with silence():
        quantize_static(
            source,
            target,
            CalibrationReader(settings.calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(settings.operators),
            per_channel=settings.per_channel,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=METHODS[settings.method],
            nodes_to_exclude=list(keep),
            calibration_cache_path=settings.cache,
        )


def _float16(source: Path, target: Path, settings: Settings, keep: Sequence[str]) -> None:
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with silence():
        model = convert_float_to_float16(
            load_onnx(source), keep_io_types=True, node_block_list=list(keep)
        )
    onnx.save(model, str(target))


def _weights(bits: int) -> Callable[[Path, Path, Settings, Sequence[str]], None]:
    def apply(source: Path, target: Path, settings: Settings, keep: Sequence[str]) -> None:
        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

        with silence():
            quantiser = MatMulNBitsQuantizer(
                load_onnx(source), bits=bits, block_size=32, nodes_to_exclude=list(keep)
            )
            quantiser.process()
            onnx.save(quantiser.model.model, str(target))

    return apply


def _nodes(*operators: str) -> Callable[[onnx.ModelProto, Settings], list[str]]:
    def find(model: onnx.ModelProto, settings: Settings) -> list[str]:
        wanted = operators or settings.operators
        constants = {tensor.name for tensor in model.graph.initializer}
        return [
            node.name
            for node in model.graph.node
            if node.op_type in wanted and (not operators or node.input[1] in constants)
        ]

    return find


SCHEMES = {
    'int8-dynamic': Scheme('int8 weights, ranges found at run time', _nodes(*MATRICES), _dynamic),
    'int8-static': Scheme('int8, ranges from calibration', _nodes(), _static, calibrated=True),
    'fp16': Scheme('16 bit floats', lambda model, s: [n.name for n in model.graph.node], _float16),
    'int8-weights': Scheme(
        '8 bit weights, float arithmetic', _nodes('MatMul'), _weights(8), fold=False
    ),
    'int4-weights': Scheme(
        '4 bit weights, float arithmetic', _nodes('MatMul'), _weights(4), fold=False
    ),
}

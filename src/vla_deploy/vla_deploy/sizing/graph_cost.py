# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Cost of one call of an ONNX graph: arithmetic and bytes of each node, from its shapes.

A multiplication with its addition counts as two operations. Shapes come from onnx's shape inference
on the graph as ONNX Runtime folds it (batch of one).
"""

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from vla_common.errors import ConfigError
from vla_deploy.convert import write_onnx
from vla_deploy.onnx_files import fetch_onnx, load_onnx, optimise_graph, with_batch_one
from vla_deploy.reference_model import from_bundle
from vla_policy.bundle.bundle import load_bundle

# Kinds of work: `matrix` can run at a lower precision, the rest runs in the device's float type.
MATRIX, VECTOR, MOVE = 'matrix', 'vector', 'move'

_FREE = {'Reshape', 'Identity', 'Squeeze', 'Unsqueeze', 'Flatten', 'Shape', 'Constant', 'Dropout'}
_MOVES = {
    *('Transpose', 'Concat', 'Split', 'Slice', 'Gather', 'GatherElements', 'GatherND', 'Expand'),
    *('Pad', 'Tile', 'Cast', 'ConstantOfShape', 'Range', 'OneHot', 'ScatterND', 'DepthToSpace'),
    *('SpaceToDepth', 'Resize', 'Where', 'ScatterElements', 'Trilu', 'EyeLike', 'Size'),
}
# Operations per element of the output; roots and exponentials count as several.
_PER_ELEMENT = {
    **dict.fromkeys(('Add', 'Sub', 'Mul', 'Div', 'Neg', 'Abs', 'Max', 'Min', 'Relu', 'Clip'), 1),
    **dict.fromkeys(('Equal', 'Less', 'Greater', 'And', 'Or', 'Not', 'Floor', 'Ceil', 'Round'), 1),
    **dict.fromkeys(('LessOrEqual', 'GreaterOrEqual', 'IsNaN', 'Sign', 'LeakyRelu', 'Mod'), 1),
    **dict.fromkeys(('QuantizeLinear', 'DequantizeLinear', 'DynamicQuantizeLinear', 'PRelu'), 2),
    **dict.fromkeys(('Sqrt', 'Reciprocal', 'Pow', 'Exp', 'Log', 'Sin', 'Cos', 'CumSum'), 4),
    **dict.fromkeys(('Sigmoid', 'Tanh', 'Erf', 'Gelu', 'Softplus', 'Elu', 'HardSigmoid'), 8),
    **dict.fromkeys(('FastGelu', 'BiasGelu', 'QuickGelu', 'Swish', 'HardSwish', 'Mish'), 8),
    **dict.fromkeys(('Softmax', 'LogSoftmax'), 8),
    **dict.fromkeys(('LayerNormalization', 'GroupNormalization', 'InstanceNormalization'), 8),
    **dict.fromkeys(('SkipLayerNormalization', 'RMSNormalization', 'LpNormalization'), 8),
    'BatchNormalization': 2,
    'GridSample': 16,
}
_REDUCTIONS = ('Reduce', 'ArgMax', 'ArgMin', 'GlobalAveragePool', 'GlobalMaxPool', 'TopK')


@dataclass(frozen=True)
class NodeCost:
    """One node: operations, bytes of activations read and written (float32), bytes of weights, and
    elements of its result (its parallelism)."""

    name: str
    operator: str
    kind: str
    operations: float
    activation_bytes: float
    weight_bytes: float
    elements: int


@dataclass(frozen=True)
class GraphCost:
    """nodes: those with work. peak_bytes: most activations alive at once. io_bytes: inputs and
    outputs of the graph. unknown: operators whose arithmetic is unknown, counted as none."""

    nodes: tuple[NodeCost, ...]
    weight_bytes: float
    peak_bytes: float
    io_bytes: float
    unknown: tuple[str, ...]

    @property
    def operations(self) -> float:
        return sum(node.operations for node in self.nodes)

    @property
    def matrix_operations(self) -> float:
        return sum(node.operations for node in self.nodes if node.kind == MATRIX)

    @property
    def activation_bytes(self) -> float:
        return sum(node.activation_bytes for node in self.nodes)

    @property
    def intensity(self) -> float:
        """Operations per byte of weights, inputs and outputs."""
        return self.operations / max(1.0, self.weight_bytes + self.io_bytes)


def float_model(directory: Path, path: Path) -> None:
    """Write the bundle's ONNX in float32 with a batch of one, folded: its own file, or an export of
    its source where the file has a lower precision. Raises ConfigError."""
    with tempfile.TemporaryDirectory() as scratch:
        given, fixed = Path(scratch) / 'given.onnx', Path(scratch) / 'fixed.onnx'
        fetch_onnx(directory, given)
        if not _is_float32(load_onnx(given)):
            bundle = load_bundle(directory, accept_failed=True)
            if bundle.source is None:
                found, wanted = 'fewer bits than float32', 'float32, or a source to export from'
                raise ConfigError(str(bundle.file), 'model', found, wanted)
            write_onnx(from_bundle(directory), given)
        onnx.save(with_batch_one(load_onnx(given)), str(fixed))
        optimise_graph(fixed, path, 'basic')


def cost_of_bundle(directory: Path) -> GraphCost:
    """Cost of the bundle's model in float32. Raises ConfigError."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / 'model.onnx'
        float_model(directory, path)
        return cost_of(onnx.load(str(path)))


def _is_float32(model: onnx.ModelProto) -> bool:
    few = (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16, onnx.TensorProto.INT8)
    few += (onnx.TensorProto.UINT8, onnx.TensorProto.INT4, onnx.TensorProto.FLOAT8E4M3FN)
    return not any(tensor.data_type in few for tensor in model.graph.initializer)


def cost_of(model: onnx.ModelProto) -> GraphCost:
    """Cost of a graph without free dimensions."""
    model = onnx.shape_inference.infer_shapes(model, data_prop=True)
    graph = model.graph
    weights = {tensor.name: _bytes_of(tensor) for tensor in graph.initializer}
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    widths: dict[str, int] = {}
    for value in (*graph.input, *graph.output, *graph.value_info):
        kind = value.type.tensor_type
        shapes[value.name] = tuple(max(1, d.dim_value) for d in kind.shape.dim)
        widths[value.name] = _width(kind.elem_type)
    nodes, unknown = [], set()
    for node in graph.node:
        if node.op_type in _FREE:
            continue
        kind, operations = _arithmetic(node, shapes)
        if kind is None:
            kind = VECTOR
            unknown.add(node.op_type)
        read = [n for n in node.input if n and n not in weights]
        moved = sum(_size(shapes.get(n)) * widths.get(n, 4) for n in (*read, *node.output) if n)
        if node.op_type in ('Gather', 'GatherND'):
            # Only the fetched rows of a table are read.
            fetched = 0.0
            moved += _size(shapes.get(node.output[0])) * 4
        else:
            fetched = sum(weights[n] for n in node.input if n in weights)
        elements = int(_size(shapes.get(node.output[0])))
        name = node.name or node.output[0]
        nodes.append(NodeCost(name, node.op_type, kind, operations, moved, fetched, elements))
    ends = [v.name for v in (*graph.input, *graph.output) if v.name not in weights]
    io = sum(_size(shapes[n]) * widths.get(n, 4) for n in ends)
    peak = _peak(graph, shapes, widths, set(weights))
    return GraphCost(tuple(nodes), sum(weights.values()), peak, io, tuple(sorted(unknown)))


def _arithmetic(
    node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[str | None, float]:
    operator, out = node.op_type, shapes.get(node.output[0])
    elements = _size(out)
    if operator in ('Conv', 'FusedConv', 'QLinearConv', 'ConvInteger'):
        weight = shapes.get(node.input[3 if operator == 'QLinearConv' else 1], ())
        return MATRIX, 2 * elements * math.prod(weight[1:])
    if operator == 'ConvTranspose':
        weight = shapes.get(node.input[1], ())
        return MATRIX, 2 * _size(shapes.get(node.input[0])) * math.prod(weight[1:])
    if operator in ('MatMul', 'FusedMatMul', 'QLinearMatMul', 'MatMulInteger', 'Gemm', 'FusedGemm'):
        first = shapes.get(node.input[0], (1,))
        transposed = operator in ('Gemm', 'FusedGemm', 'FusedMatMul') and _attribute(
            node, 'transA', 0
        )
        inner = first[-2] if transposed else first[-1]
        return MATRIX, 2 * elements * inner
    if operator in ('MatMulNBits', 'DynamicQuantizeMatMul'):
        inner = _attribute(node, 'K', 0) or shapes.get(node.input[0], (1,))[-1]
        return MATRIX, 2 * elements * inner
    if operator == 'Einsum':
        return MATRIX, 2 * _einsum(node, shapes)
    if operator in ('AveragePool', 'MaxPool'):
        return VECTOR, elements * math.prod(_attribute(node, 'kernel_shape', [1]))
    if operator in _MOVES:
        return MOVE, 0.0
    if operator.startswith(_REDUCTIONS):
        return VECTOR, _size(shapes.get(node.input[0]))
    if operator in _PER_ELEMENT:
        return VECTOR, elements * _PER_ELEMENT[operator]
    return None, 0.0


def _einsum(node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> float:
    equation = _attribute(node, 'equation', b'').decode().replace(' ', '')
    sizes: dict[str, int] = {}
    for letters, name in zip(equation.split('->')[0].split(','), node.input, strict=True):
        sizes.update(zip(letters.replace('...', ''), shapes.get(name, ()), strict=False))
    return float(math.prod(sizes.values()))


def _peak(
    graph: onnx.GraphProto,
    shapes: Mapping[str, tuple[int, ...]],
    widths: Mapping[str, int],
    weights: set[str],
) -> float:
    """Most bytes of activations alive at once, each freed after its last use."""
    last: dict[str, int] = {}
    for number, node in enumerate(graph.node):
        last.update((name, number) for name in node.input if name and name not in weights)
    last.update((value.name, len(graph.node)) for value in graph.output)

    def size(name: str) -> float:
        return _size(shapes.get(name)) * widths.get(name, 4)

    alive = {value.name: size(value.name) for value in graph.input if value.name not in weights}
    peak = sum(alive.values())
    for number, node in enumerate(graph.node):
        alive.update((name, size(name)) for name in node.output if name)
        peak = max(peak, sum(alive.values()))
        for name in [n for n in alive if last.get(n, -1) <= number]:
            del alive[name]
    return peak


def _attribute(node: onnx.NodeProto, name: str, default):
    for attribute in node.attribute:
        if attribute.name == name:
            return onnx.helper.get_attribute_value(attribute)
    return default


def _size(shape: Sequence[int] | None) -> float:
    return float(math.prod(shape)) if shape is not None else 0.0


def _width(kind: int) -> int:
    try:
        return max(1, np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind)).itemsize)
    except (KeyError, TypeError):
        return 4


def _bytes_of(tensor: onnx.TensorProto) -> float:
    return _size(tensor.dims) * _width(tensor.data_type)

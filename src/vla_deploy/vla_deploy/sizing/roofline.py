# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Roofline estimate: least, expected and longest latency of a graph on a device, and what binds it.

The roofline (Williams, Waterman, Patterson 2009) is applied node by node: the longer of arithmetic
at the device's rate and bytes at its bandwidth, plus the overhead of starting the node. The share
of the peak rate that is reached was measured on one machine (`calibration`) and is applied to
others with a factor of SPREAD each way, which is most of the width of the range.
"""

import math
from dataclasses import dataclass

from vla_deploy.sizing.calibration import RooflineCalibration
from vla_deploy.sizing.graph_cost import MATRIX, MOVE, GraphCost, NodeCost
from vla_deploy.sizing.hardware import BYTES, Device

SPREAD = 2.0  # each way, of the efficiency on other machines
# Seconds to start a kernel, least, expected, longest: in a CUDA graph, in an engine's stream, one
# by one from Python. Assumed; `benchmark` on the GPU measures.
_LAUNCH = (1.5e-6, 3e-6, 8e-6)
_USB = (0.2e-3, 0.4e-3, 1.0e-3)  # a call across USB
_TILE = 64 * 64  # elements of a result per GPU block
_RUNTIME_BYTES = {'onnx': 120e6, 'tensorrt': 400e6, 'litert': 40e6}  # resident, without the model
# Operators of the Edge TPU, by ONNX's names (Coral, "TensorFlow models on the Edge TPU").
EDGE_TPU = {
    *('Conv', 'ConvTranspose', 'Gemm', 'Add', 'Sub', 'Mul', 'Max', 'Min', 'Relu', 'Clip', 'PRelu'),
    *('AveragePool', 'MaxPool', 'GlobalAveragePool', 'ReduceMean', 'ReduceSum', 'ReduceMax'),
    *('ReduceMin', 'Concat', 'Pad', 'Slice', 'Split', 'Softmax', 'Sigmoid', 'Tanh', 'Transpose'),
    *('Resize', 'SpaceToDepth'),
}


@dataclass(frozen=True)
class Estimate:
    """Milliseconds for one chunk. parts: of the expected time, by cause. memory_mb: weights,
    activations and runtime. remarks: limits of the estimate."""

    device: str
    precision: str
    low_ms: float
    expected_ms: float
    high_ms: float
    parts: dict[str, float]
    memory_mb: float
    fits_memory: bool
    remarks: tuple[str, ...] = ()

    @property
    def binds(self) -> str:
        """Cause of most of the expected time."""
        if not self.fits_memory:
            return 'memory size'
        return max(self.parts, key=lambda name: self.parts[name])


def estimate(
    cost: GraphCost,
    device: Device,
    precision: str,
    calibration: RooflineCalibration,
    host: Device | None = None,
    spread: float = SPREAD,
) -> Estimate:
    """host: of an Edge TPU, the computer that runs its unsupported operators."""
    weights = cost.weight_bytes * BYTES[precision] / 4
    activations = cost.peak_bytes * BYTES[precision] / 4
    memory = weights + activations + _RUNTIME_BYTES[device.runtime]
    remarks: list[str] = []
    if device.kind == 'edgetpu':
        assert host is not None
        low, expected, high, remarks = _edge_tpu(cost, device, calibration, host, spread)
    else:
        efficiency = calibration.efficiency
        best = (min(0.9, efficiency * spread), min(0.9, efficiency), efficiency / spread)
        low, expected, high = (
            _walk(cost.nodes, device, precision, share, calibration, step)
            for step, share in enumerate(best)
        )
    total = sum(expected.values())
    return Estimate(
        device.name,
        precision,
        1e3 * sum(low.values()),
        1e3 * total,
        1e3 * sum(high.values()),
        {name: 1e3 * value for name, value in expected.items()},
        memory / 1e6,
        memory <= device.free_bytes,
        tuple(remarks),
    )


def _walk(
    nodes: tuple[NodeCost, ...],
    device: Device,
    precision: str,
    efficiency: float,
    calibration: RooflineCalibration,
    step: int,
) -> dict[str, float]:
    """Seconds by cause. step: 0 least (activations stay in caches, all is fused), 1 expected,
    2 longest (nothing is fused, every activation goes to memory and back)."""
    width = BYTES[precision] / 4
    plain = next(name for name in ('fp32', 'fp16', 'int8') if name in device.tops)
    share = min(1.0, device.threads / device.units.value) if device.kind == 'cpu' else 1.0
    parts = {'compute': 0.0, 'memory bandwidth': 0.0, 'starting operators': 0.0}
    for node in nodes:
        # Matrix products run at the requested precision, the rest in plain floats.
        name = precision if node.kind == MATRIX else plain
        rate = 1e12 * device.tops[name].value * share * efficiency
        if device.kind == 'gpu':
            tiles = node.elements / (_TILE / 4 if step == 0 else _TILE)
            rate *= min(1.0, max(1.0, math.ceil(tiles)) / device.units.value)
        computing = node.operations / rate
        moved = node.weight_bytes * width
        if step == 2:
            moved += node.activation_bytes * width
        moving = moved / (1e9 * device.bandwidth_gbs.value * (0.9, 0.7, 0.5)[step])
        cause = 'compute' if computing >= moving else 'memory bandwidth'
        parts[cause] += max(computing, moving)
        if node.kind == MATRIX or step == 2 or (step == 1 and node.kind != MOVE):
            if device.kind == 'gpu':
                parts['starting operators'] += _LAUNCH[step]
            else:
                # The overhead grows on slower processors; a chain of additions of one number is
                # the least that an operator costs.
                slower = calibration.peak_gflops / _rate_of_unit(device)
                overhead = 1e-6 * calibration.overhead_us * max(1.0, slower)
                parts['starting operators'] += overhead * (0.5, 1.0, 4.0)[step]
    return parts


def _rate_of_unit(device: Device) -> float:
    """10^9 operations per second of one core, in its float type."""
    plain = device.tops.get('fp32') or next(iter(device.tops.values()))
    return 1e3 * plain.value / device.units.value


def _edge_tpu(
    cost: GraphCost, device: Device, calibration: RooflineCalibration, host: Device, spread: float
) -> tuple[dict[str, float], dict[str, float], dict[str, float], list[str]]:
    """The chip runs the graph up to the first unsupported operator, the host runs the rest."""
    first = next(
        (i for i, node in enumerate(cost.nodes) if node.operator not in EDGE_TPU), len(cost.nodes)
    )
    remarks = []
    if first < len(cost.nodes):
        node = cost.nodes[first]
        on_chip = sum(n.operations for n in cost.nodes[:first]) / max(1.0, cost.operations)
        remarks.append(
            f'{node.operator} ({node.name}) is no operator of the Edge TPU: it and the rest run '
            f'on the host, {100 * on_chip:.0f} % of the arithmetic on the chip'
        )
    cache = 1e6 * device.cache_mb.value if device.cache_mb else 0.0
    beyond = max(0.0, sum(n.weight_bytes for n in cost.nodes[:first]) / 4 - cache)
    found = []
    for step, share in enumerate(
        (min(0.9, calibration.efficiency * spread), 0.3, calibration.efficiency / spread / 4)
    ):
        chip = sum(n.operations for n in cost.nodes[:first])
        parts = _walk(
            cost.nodes[first:],
            host,
            'int8',
            min(0.9, calibration.efficiency * spread ** (1 - step)),
            calibration,
            step,
        )
        parts['compute'] += chip / (1e12 * device.tops['int8'].value * share)
        across = (cost.io_bytes / 4 + beyond) / (1e9 * device.bandwidth_gbs.value)
        parts['USB'] = _USB[step] + across
        found.append(parts)
    return found[0], found[1], found[2], remarks

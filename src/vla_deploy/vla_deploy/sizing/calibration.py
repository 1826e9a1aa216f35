# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Calibration of the roofline: the share of its peak that this machine reaches with a bundle.

Measured in processor time of one thread, which varies least on a busy machine: the rate of a large
matrix product, the rate of a large copy, the overhead of ONNX Runtime per operator (a chain of
additions of one number), and the bundle itself.
"""

import datetime
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import onnx
import onnxruntime
import torch

from vla_common.errors import ConfigError
from vla_deploy.atomic_io import write_whole
from vla_deploy.observations import Tensors
from vla_deploy.onnx_files import session_options
from vla_deploy.sizing.graph_cost import GraphCost, float_model
from vla_deploy.timing.platform import processor

_CHAIN = 200


@dataclass(frozen=True)
class RooflineCalibration:
    """peak_gflops, bandwidth_gbs: measured, one thread. overhead_us: per operator. latency_ms: of
    the bundle, float32. efficiency: share of `peak_gflops` that its matrix products reach in the
    time without the overhead."""

    machine: str
    date: str
    bundle: str
    peak_gflops: float
    bandwidth_gbs: float
    overhead_us: float
    latency_ms: float
    efficiency: float

    def save(self, path: Path) -> None:
        write_whole(path, json.dumps(asdict(self), indent=1) + '\n')

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises ConfigError."""
        try:
            content = json.loads(path.read_text())
            found = cls(**content)
            numbers = [v for k, v in content.items() if k not in ('machine', 'date', 'bundle')]
            good = all(isinstance(v, (int, float)) and 0 < v < 1e9 for v in numbers)
        except (OSError, ValueError, TypeError) as error:
            raise ConfigError(str(path), '', str(error), 'a file of size --calibrate') from error
        if not good:
            raise ConfigError(str(path), '', 'a figure that is not above 0', 'measured figures')
        return found


# Used where nothing was measured. Measured as below, with other load on the machine.
DEFAULT_CALIBRATION = RooflineCalibration(
    'AMD EPYC, AVX2, one thread', '2026-11-21', 'humanoid_vla 0.2.0', 61.4, 16.1, 1.07, 2.75, 0.552
)


def calibrate(
    directory: Path,
    cost: GraphCost,
    inputs: list[Tensors],
    rounds: int = 60,
    advance: Callable[[], None] = lambda: None,
) -> RooflineCalibration:
    """Measure this machine with the bundle. Raises ConfigError."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / 'model.onnx'
        float_model(directory, path)
        session = _session(path.read_bytes())
        names = {node.name for node in session.get_inputs()}
        feeds = [{k: v for k, v in tensors.items() if k in names} for tensors in inputs]
        for tensors in feeds[:5]:
            session.run(None, tensors)
        spent = []
        for turn in range(rounds):
            feed = feeds[turn % len(feeds)]
            spent.append(_cpu_seconds(partial(session.run, None, feed)))
            advance()
    peak, overhead = matrix_rate(), operator_overhead()
    latency = float(np.median(spent))
    left = max(latency - overhead * len(cost.nodes), 0.1 * latency)
    efficiency = min(1.0, cost.matrix_operations / peak / left)
    return RooflineCalibration(
        processor(),
        datetime.date.today().isoformat(),
        directory.resolve().name,
        round(peak / 1e9, 2),
        round(copy_rate() / 1e9, 2),
        round(1e6 * overhead, 3),
        round(1e3 * latency, 3),
        round(efficiency, 4),
    )


def matrix_rate() -> float:
    """Operations per second of a float32 matrix product, one thread, best of several."""
    side, threads = 768, torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        a, b = torch.rand(side, side), torch.rand(side, side)
        return 2 * side**3 / min(_cpu_seconds(lambda: torch.mm(a, b)) for _ in range(8))
    finally:
        torch.set_num_threads(threads)


def copy_rate() -> float:
    """Bytes per second read and written by a copy larger than any cache, one thread."""
    size = 1 << 24
    source, target = np.ones(size, np.float32), np.zeros(size, np.float32)
    return (
        2 * source.nbytes / min(_cpu_seconds(lambda: np.copyto(target, source)) for _ in range(4))
    )


def operator_overhead() -> float:
    """Seconds that ONNX Runtime spends on an operator with almost no arithmetic."""
    value = onnx.helper.make_tensor_value_info
    nodes = [onnx.helper.make_node('Add', [f'x{i}', f'x{i}'], [f'x{i + 1}']) for i in range(_CHAIN)]
    graph = onnx.helper.make_graph(
        nodes,
        'chain',
        [value('x0', onnx.TensorProto.FLOAT, [1])],
        [value(f'x{_CHAIN}', onnx.TensorProto.FLOAT, [1])],
    )
    opset = [onnx.helper.make_opsetid('', 18)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=9)
    session, feed = _session(model.SerializeToString()), {'x0': np.zeros(1, np.float32)}
    for _ in range(5):
        session.run(None, feed)
    return (
        float(np.median([_cpu_seconds(lambda: session.run(None, feed)) for _ in range(30)]))
        / _CHAIN
    )


def _session(content: bytes) -> onnxruntime.InferenceSession:
    providers = ['CPUExecutionProvider']
    return onnxruntime.InferenceSession(content, session_options(), providers=providers)


def _cpu_seconds(call: Callable[[], object]) -> float:
    began = time.thread_time()
    call()
    return max(1e-9, time.thread_time() - began)

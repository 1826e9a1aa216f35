# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What of a .tflite file the Edge TPU takes, and its compiler where that is installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from vla_common.errors import ConfigError

COMPILER = 'edgetpu_compiler'
# Coral, "TensorFlow models on the Edge TPU", in LiteRT's names.
_ON_CHIP = {
    *('ADD', 'AVERAGE_POOL_2D', 'CONCATENATION', 'CONV_2D', 'DEPTHWISE_CONV_2D', 'EXPAND_DIMS'),
    *('FULLY_CONNECTED', 'L2_NORMALIZATION', 'LOGISTIC', 'MAXIMUM', 'MAX_POOL_2D', 'MEAN'),
    *('MINIMUM', 'MUL', 'PACK', 'PAD', 'PRELU', 'QUANTIZE', 'REDUCE_MAX', 'REDUCE_MIN', 'RELU'),
    *('RELU6', 'RELU_N1_TO_1', 'RESHAPE', 'RESIZE_BILINEAR', 'RESIZE_NEAREST_NEIGHBOR', 'RSQRT'),
    *('SLICE', 'SOFTMAX', 'SPACE_TO_DEPTH', 'SPLIT', 'SQUEEZE', 'STRIDED_SLICE', 'SUB', 'SUM'),
    *('SQUARED_DIFFERENCE', 'TANH', 'TRANSPOSE', 'TRANSPOSE_CONV', 'UNIDIRECTIONAL_SEQUENCE_LSTM'),
}


def off_chip(operators: Mapping[str, int]) -> dict[str, int]:
    """Those that the Edge TPU lacks: they, and all that comes after the first of them, run on the
    host's processor."""
    return {name: n for name, n in sorted(operators.items()) if name not in _ON_CHIP}


def compile_for_edge_tpu(source: Path, target: Path) -> str:
    """Write the compiled model; what the compiler said of it. Raises ConfigError, also where the
    compiler is not installed."""
    program = shutil.which(COMPILER)
    if program is None:
        wanted = f'{COMPILER}, for x86-64 Linux from Coral; or without --compile'
        raise ConfigError('--compile', '', 'nothing', wanted)
    with tempfile.TemporaryDirectory() as scratch:
        arguments = [program, '--show_operations', '--out_dir', scratch, str(source)]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=600, check=False)
        made = list(Path(scratch).glob('*_edgetpu.tflite'))
        if done.returncode or not made:
            words = (done.stderr or done.stdout).strip().splitlines() or ['no word']
            raise ConfigError(str(source), COMPILER, words[-1], 'a model that it can compile')
        shutil.move(str(made[0]), target)
    return done.stdout

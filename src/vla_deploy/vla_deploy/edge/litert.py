# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""LiteRT: a bundle's source as a .tflite file, by litert-torch in a separate interpreter, and the
Edge TPU's compiler."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vla_common.errors import ConfigError, first_line
from vla_deploy.atomic_io import through_memory
from vla_deploy.convert import operator_in_module
from vla_deploy.observations import Tensors
from vla_deploy.reference_model import ReferenceModel, outputs_of

MODES = ('float', 'dynamic', 'int8')
INSTALL = (
    'litert-torch (environment/edge_converter.in) in a separate environment, given as '
    '--converter PYTHON'
)
LIMIT_S = 1800.0
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


class _Named(nn.Module):
    """Inputs and outputs by their names in policy.yaml."""

    def __init__(self, reference: ReferenceModel) -> None:
        super().__init__()
        self.module = reference.module
        self.inputs, self.outputs = reference.inputs, reference.outputs

    def forward(self, **given: Tensor) -> dict[str, Tensor]:
        answer = self.module(*(given[name] for name in self.inputs))
        return dict(zip(self.outputs, outputs_of(answer, self.outputs), strict=True))


def write_litert(
    reference: ReferenceModel,
    path: Path,
    mode: str,
    calibration: Sequence[Tensors] = (),
    python: str = sys.executable,
) -> dict[str, int]:
    """Write `path`. Returns the counts of its operators by LiteRT's names.

    mode: float; dynamic (int8 weights of fully connected layers); int8 (integers throughout, inputs
    and outputs too). Raises ConfigError: no converter, no calibration, an operator that cannot be
    converted, with the submodule that calls it."""
    if mode not in MODES:
        raise ConfigError('--mode', '', mode, 'one of ' + ', '.join(MODES))
    if mode == 'int8' and not calibration:
        raise ConfigError('--calibration', '', 'no observation', 'observations to find ranges with')
    sample = dict(zip(reference.inputs, reference.sample(1), strict=True))
    try:
        program = torch.export.export(_Named(reference).eval(), (), kwargs=sample)
    except Exception as error:  # tracing user code raises any type
        wanted = 'a module that torch.export can trace'
        raise ConfigError(reference.factory, 'torch.export', first_line(error), wanted) from error
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        through_memory(folder / 'program.pt2', lambda file: torch.export.save(program, file))
        np.savez(folder / 'sample.npz', **{k: v.numpy() for k, v in sample.items()})
        seen = []
        for number, tensors in enumerate(calibration if mode == 'int8' else ()):
            seen.append(str(folder / f'seen_{number}.npz'))
            np.savez(seen[-1], **tensors)
        job = {
            'program': str(folder / 'program.pt2'),
            'sample': str(folder / 'sample.npz'),
            'calibration': seen,
            'mode': mode,
            'out': str(path),
        }
        (folder / 'job.json').write_text(json.dumps(job))
        found = _convert(python, folder / 'job.json')
    if 'missing' in found:
        raise ConfigError(python, found['missing'], 'nothing', INSTALL)
    if 'error' in found:
        raise _lowering_error(reference, program, found['error'])
    return found['operators']


def _convert(python: str, job: Path) -> dict:
    script = Path(__file__).with_name('converter.py')
    try:
        done = subprocess.run(
            [python, str(script), str(job)],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    except OSError as error:
        raise ConfigError(python, '--converter', str(error.strerror), INSTALL) from error
    except subprocess.TimeoutExpired as error:
        found = f'nothing after {LIMIT_S:g} s'
        raise ConfigError(python, '--converter', found, 'a .tflite file') from error
    lines = done.stdout.strip().splitlines()
    try:
        return json.loads(lines[-1])
    except (IndexError, ValueError):
        words = (done.stderr.strip().splitlines() or [f'exit code {done.returncode}'])[-1]
        return {'error': words}


def _lowering_error(
    reference: ReferenceModel, program: torch.export.ExportedProgram, message: str
) -> ConfigError:
    match = re.search(r'(?:aten|torch\.ops\.aten)[.:]+(\w+)', message)
    if match is None:
        line = next((x for x in message.splitlines() if x.strip()), message)
        return ConfigError(reference.factory, 'LiteRT', line[:300], 'a module it can convert')
    found = operator_in_module(program, match[1]) or f'aten.{match[1]}'
    wanted = 'operators that litert-torch lowers'
    return ConfigError(reference.factory, 'LiteRT', f'the operator {found}', wanted)


def off_chip(operators: Mapping[str, int]) -> dict[str, int]:
    """Operators that the Edge TPU lacks: they, and everything after the first of them, run on the
    host's processor."""
    return {name: n for name, n in sorted(operators.items()) if name not in _ON_CHIP}


def compile_for_edge_tpu(source: Path, target: Path) -> str:
    """Write the compiled model; returns the compiler's output. Raises ConfigError, also where the
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
            words = (done.stderr or done.stdout).strip().splitlines() or ['no output']
            raise ConfigError(str(source), COMPILER, words[-1], 'a model that it can compile')
        shutil.move(str(made[0]), target)
    return done.stdout

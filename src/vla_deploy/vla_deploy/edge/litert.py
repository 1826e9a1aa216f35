# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A bundle's source as a .tflite file, by litert-torch in an interpreter of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vla_common.errors import ConfigError
from vla_deploy.observations import Tensors
from vla_deploy.reference_model import ReferenceModel
from vla_deploy.staging import through_memory

MODES = ('float', 'dynamic', 'int8')
HOW = (
    'litert-torch and its kin (environment/edge_converter.in), in an environment of their own: '
    '--converter PYTHON'
)
LIMIT_S = 1800.0


@dataclass(frozen=True)
class Converted:
    """operators: those of the file, by LiteRT's names, and how many. versions: of the converter."""

    operators: Mapping[str, int]
    versions: Mapping[str, str]


class _Named(nn.Module):
    """Tensors by their names in policy.yaml, in and out."""

    def __init__(self, original: ReferenceModel) -> None:
        super().__init__()
        self.module = original.module
        self.inputs, self.outputs = original.inputs, original.outputs

    def forward(self, **given: Tensor) -> dict[str, Tensor]:
        answer = self.module(*(given[name] for name in self.inputs))
        answers = answer if isinstance(answer, (tuple, list)) else (answer,)
        return dict(zip(self.outputs, answers, strict=True))


def write_litert(
    original: ReferenceModel,
    path: Path,
    mode: str,
    calibration: Sequence[Tensors] = (),
    python: str = sys.executable,
) -> Converted:
    """Write `path`. mode: float; dynamic (int8 weights of fully connected layers); int8 (integers
    throughout, inputs and outputs too). Raises ConfigError: no converter, no calibration, an
    operator that cannot be converted (named, with the module that it comes from)."""
    if mode not in MODES:
        raise ConfigError('--mode', '', mode, 'one of ' + ', '.join(MODES))
    if mode == 'int8' and not calibration:
        raise ConfigError('--calibration', '', 'no observation', 'some to find ranges with')
    sample = dict(zip(original.inputs, original.sample(1), strict=True))
    try:
        program = torch.export.export(_Named(original).eval(), (), kwargs=sample)
    except Exception as error:  # whatever tracing someone's code can raise
        line = (str(error).strip().splitlines() or [repr(error)])[0]
        wanted = 'a module that torch.export can trace'
        raise ConfigError(original.factory, 'torch.export', line, wanted) from error
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
        raise ConfigError(python, found['missing'], 'nothing', HOW)
    if 'error' in found:
        raise _refusal(original, program, found['error'])
    return Converted(found['operators'], found['versions'])


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
        raise ConfigError(python, '--converter', str(error.strerror), HOW) from error
    except subprocess.TimeoutExpired as error:
        found = f'nothing after {LIMIT_S:g} s'
        raise ConfigError(python, '--converter', found, 'a .tflite file') from error
    lines = done.stdout.strip().splitlines()
    try:
        return json.loads(lines[-1])
    except (IndexError, ValueError):
        words = (done.stderr.strip().splitlines() or [f'exit code {done.returncode}'])[-1]
        return {'error': words}


def _refusal(
    original: ReferenceModel, program: torch.export.ExportedProgram, said: str
) -> ConfigError:
    """The operator that has no lowering, and the submodule that calls it."""
    match = re.search(r'(?:aten|torch\.ops\.aten)[.:]+(\w+)', said)
    if match is None:
        line = next((x for x in said.splitlines() if x.strip()), said)
        return ConfigError(original.factory, 'LiteRT', line[:300], 'a module it can convert')
    found = f'aten.{match[1]}'
    for node in program.graph.nodes:
        stack = node.meta.get('nn_module_stack')
        if node.op == 'call_function' and match[1] in str(node.target) and stack:
            name, kind = list(stack.values())[-1]
            kind = kind if isinstance(kind, str) else kind.__name__
            inner = name.removeprefix("L['self'].").removeprefix('module.') or 'the module itself'
            found += f', from {inner} ({kind.rsplit(".", 1)[-1]})'
            break
    wanted = 'operators that litert-torch lowers'
    return ConfigError(original.factory, 'LiteRT', f'the operator {found}', wanted)

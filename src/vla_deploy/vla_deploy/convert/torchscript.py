# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""TorchScript, by tracing or by scripting, frozen and optimised for inference."""

from __future__ import annotations

import itertools
from pathlib import Path

import torch
from torch import Tensor, nn

from vla_common.errors import ConfigError
from vla_deploy.reference_model import ReferenceModel
from vla_deploy.silence import silence
from vla_deploy.staging import through_memory

METHODS = ('trace', 'script')


class _FirstOutput(nn.Module):
    """Of several outputs the action: TorchScript carries no names for the others."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.module(*inputs)[0]


def write_torchscript(original: ReferenceModel, path: Path, method: str = 'trace') -> None:
    """Raises ConfigError where TorchScript does not understand the module, with the line of its
    code that it stopped at."""
    module = original.module.eval()
    several = len(original.outputs) > 1
    with silence(), torch.no_grad():
        try:
            if method == 'trace':
                inner = _FirstOutput(module) if several else module
                # Its own check (the same sample again, most of the time that tracing takes) says
                # less than the verification of every bundle does.
                script = torch.jit.trace(inner, original.sample(1), check_trace=False)
            else:
                script = torch.jit.script(module)
            script = torch.jit.freeze(script.eval())
        except Exception as error:  # torch raises many types for code that it does not understand
            raise ConfigError(
                original.factory, f'--form torchscript-{method}', _said(error), _WANTED[method]
            ) from error
        through_memory(path, lambda file: torch.jit.save(script, file))


_WANTED = {
    'trace': 'a module that torch.jit.trace follows',
    'script': 'a module that torch.jit.script compiles; torchscript-trace asks for less',
}


def _said(error: Exception) -> str:
    """The first line of torch's report, and the line of code that it underlines."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    for before, line in itertools.pairwise(lines):
        if line.startswith('~') or line.endswith('<--- HERE'):
            code = before if line.startswith('~') else line.partition('~')[0]
            return f'{lines[0]} at: {code.strip()}'
    return lines[0]

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Writers of model files: ONNX, TorchScript and torch.export programs from a reference model.

Each raises ConfigError where its tool cannot follow the module, with the line of the module's code
or the operator and submodule where the tool reports them.
"""

import itertools
import re
from pathlib import Path

import torch
from torch import Tensor, nn

from vla_common.errors import ConfigError, first_line
from vla_deploy.atomic_io import through_memory
from vla_deploy.reference_model import ReferenceModel, action_of, outputs_of
from vla_deploy.silence import silence

OPSET = 20
OLDEST, NEWEST = 18, 23  # written by torch's exporter and read by ONNX Runtime


def _free_batch(sample: tuple[Tensor, ...]) -> tuple[dict, ...]:
    batch = torch.export.Dim('batch', min=1, max=1024)
    return tuple({0: batch} for _ in sample)


def write_onnx(reference: ReferenceModel, path: Path, opset: int = OPSET) -> None:
    """ONNX through torch's exporter: named inputs and outputs, dynamic batch."""
    if not OLDEST <= opset <= NEWEST:
        raise ConfigError('--opset', '', opset, f'{OLDEST} to {NEWEST}')
    sample = reference.sample(2)
    with silence(), torch.no_grad():
        try:
            torch.onnx.export(
                reference.module.eval(),
                sample,
                str(path),
                input_names=list(reference.inputs),
                output_names=list(reference.outputs),
                dynamic_shapes=_free_batch(sample),
                opset_version=opset,
                dynamo=True,
                external_data=False,
            )
        except OSError:  # a full disk is not the module's fault
            raise
        except Exception as error:  # tracing user code raises any type
            raise _onnx_error(reference, error) from error


def _onnx_error(reference: ReferenceModel, error: BaseException) -> ConfigError:
    text, root = str(error), error
    while root.__cause__ is not None:
        root = root.__cause__
        text += f'\n{root}'
    operator = re.search(r"No ONNX function found for <OpOverload\(op='([^']+)'", text)
    if operator:
        try:  # the exporter names what it decomposed the call into: export again to find the call
            program = torch.export.export(reference.module, reference.sample(2))
            name = operator_in_module(program, operator[1].replace('::', '.').split('.')[1])
        except Exception:
            name = None
        found = f'the operator {name or operator[1]}'
        return ConfigError(reference.factory, 'ONNX export', found, 'operators that ONNX has')
    places = re.findall(r'File "([^"]+)", line (\d+), in \w+\n\s*(.+)', str(root))
    places = [place for place in places if '/site-packages/' not in place[0]]
    found = first_line(root)
    if places:
        file, number, code = places[-1]
        found = f'{found} at: {code.strip()} ({file}:{number})'
    return ConfigError(reference.factory, 'ONNX export', found, 'a module that torch can export')


def operator_in_module(program: torch.export.ExportedProgram, operator: str) -> str | None:
    """`operator` as the module's code calls it, with the name and class of the submodule that
    does; None if the program has no such call."""
    for node in program.graph.nodes:
        stack = node.meta.get('nn_module_stack')
        if node.op == 'call_function' and operator in str(node.target) and stack:
            name, kind = list(stack.values())[-1]
            kind = kind if isinstance(kind, str) else kind.__name__
            inner = name.removeprefix("L['self'].").removeprefix('module.') or 'the module itself'
            return f'{str(node.target).rpartition(".")[0]}, from {inner} ({kind.split(".")[-1]})'
    return None


def write_program(reference: ReferenceModel, path: Path) -> None:
    """torch.export: a .pt2 file with graph and weights, dynamic batch."""
    sample = reference.sample(2)
    with silence():
        try:
            program = torch.export.export(
                reference.module.eval(), sample, dynamic_shapes=_free_batch(sample)
            )
        except Exception as error:  # tracing user code raises any type
            key, wanted = '--form torch_export', 'a module that torch.export can follow'
            raise ConfigError(reference.factory, key, first_line(error), wanted) from error
        through_memory(path, lambda file: torch.export.save(program, file))


class _Traced(nn.Module):
    """The action alone, or all outputs as a tuple in their order: traced TorchScript has no names
    for them."""

    def __init__(self, reference: ReferenceModel) -> None:
        super().__init__()
        self.module, self.names = reference.module, reference.outputs
        self.alone = len(reference.answered) == 1

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        answer = self.module(*inputs)
        return action_of(answer) if self.alone else outputs_of(answer, self.names)


def write_torchscript(reference: ReferenceModel, path: Path, method: str = 'trace') -> None:
    """TorchScript by `trace` or `script`, frozen."""
    module = reference.module.eval()
    with silence(), torch.no_grad():
        try:
            if method == 'trace':
                inner = _Traced(reference).eval() if len(reference.outputs) > 1 else module
                # The check of torch runs the same sample again, for most of the time that tracing
                # takes; every bundle is verified anyway.
                script = torch.jit.trace(inner, reference.sample(1), check_trace=False)
            else:
                script = torch.jit.script(module)
            script = torch.jit.freeze(script.eval())
        except Exception as error:  # torch raises many types for code that it cannot compile
            key, wanted = f'--form torchscript-{method}', 'a module that torch.jit.trace can follow'
            if method == 'script':
                wanted = 'a module that torch.jit.script compiles; or torchscript-trace'
            raise ConfigError(reference.factory, key, _underlined(error), wanted) from error
        through_memory(path, lambda file: torch.jit.save(script, file))


def _underlined(error: Exception) -> str:
    """First line of a report of torch.jit, and the line of code that it underlines."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    for before, line in itertools.pairwise(lines):
        if line.startswith('~') or line.endswith('<--- HERE'):
            code = before if line.startswith('~') else line.partition('~')[0]
            return f'{lines[0]} at: {code.strip()}'
    return first_line(error)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""ONNX through torch's exporter: named inputs and outputs, dynamic batch."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from vla_common.errors import ConfigError
from vla_deploy.reference_model import ReferenceModel
from vla_deploy.silence import silence

OPSET = 20
OLDEST, NEWEST = 18, 23  # what torch's exporter writes and ONNX Runtime reads


def write_onnx(original: ReferenceModel, path: Path, opset: int = OPSET) -> None:
    """Raises ConfigError: an opset out of range, an operator that ONNX does not have (named, with
    the module it comes from), or a module that cannot be traced."""
    if not OLDEST <= opset <= NEWEST:
        raise ConfigError('--opset', '', opset, f'{OLDEST} to {NEWEST}')
    batch = torch.export.Dim('batch', min=1, max=1024)
    sample = original.sample(2)
    with silence(), torch.no_grad():
        try:
            torch.onnx.export(
                original.module.eval(),
                sample,
                str(path),
                input_names=list(original.inputs),
                output_names=list(original.outputs),
                dynamic_shapes=tuple({0: batch} for _ in sample),
                opset_version=opset,
                dynamo=True,
                external_data=False,
            )
        except OSError:  # a full disk is none of the module's fault
            raise
        except Exception as error:  # whatever tracing someone's code can raise
            raise _refusal(original, error) from error


def _refusal(original: ReferenceModel, error: BaseException) -> ConfigError:
    """One line out of the exporter's report: the operator and its module, where it tells them."""
    text = ''
    cause: BaseException | None = error
    while cause is not None:
        text += f'\n{cause}'
        cause = cause.__cause__
    operator = re.search(r"No ONNX function found for <OpOverload\(op='([^']+)'", text)
    if operator:
        found = f'the operator {_origin(original, operator[1])}'
        return ConfigError(original.factory, 'ONNX export', found, 'operators that ONNX has')
    return ConfigError(
        original.factory, 'ONNX export', _said(error), 'a module that torch can export'
    )


def _said(error: BaseException) -> str:
    """The first line of what was raised first, and the line of the module's own code, where torch
    tells it."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error).strip()
    places = re.findall(r'File "([^"]+)", line (\d+), in \w+\n\s*(.+)', text)
    places = [place for place in places if '/site-packages/' not in place[0]]
    first = text.splitlines()[0] if text else repr(error)
    if not places:
        return first
    file, number, code = places[-1]
    return f'{first} at: {code.strip()} ({file}:{number})'


def _origin(original: ReferenceModel, operator: str) -> str:
    """`operator` as the module's code calls it, and the submodule (name and class) that does.

    The exporter names what it decomposed the call into; the call itself is found by exporting once
    more and reading where each node comes from.
    """
    try:
        program = torch.export.export(original.module, original.sample(2))
    except Exception:  # then the exporter's own word has to do
        return operator
    last = operator.replace('::', '.').split('.')[1]
    for node in program.graph.nodes:
        stack = node.meta.get('nn_module_stack')
        if node.op == 'call_function' and last in str(node.target) and stack:
            name, kind = list(stack.values())[-1]
            kind = kind if isinstance(kind, str) else kind.__name__
            place = f'{name or "the module itself"} ({kind.rsplit(".", 1)[-1]})'
            return f'{str(node.target).rpartition(".")[0]}, from {place}'
    return operator

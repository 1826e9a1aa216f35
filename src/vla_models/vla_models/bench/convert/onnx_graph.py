# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""ONNX through torch's exporter: named inputs and outputs, dynamic batch."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import warnings
from pathlib import Path

import torch

from vla_common.errors import ConfigError
from vla_models.bench.original import Original

OPSET = 20
OLDEST, NEWEST = 18, 23  # what torch's exporter writes and ONNX Runtime reads


def write_onnx(original: Original, path: Path, opset: int = OPSET) -> None:
    """Raises ConfigError: an opset out of range, an operator that ONNX does not have (named, with
    the module it comes from), or a module that cannot be traced."""
    if not OLDEST <= opset <= NEWEST:
        raise ConfigError('--opset', '', opset, f'{OLDEST} to {NEWEST}')
    batch = torch.export.Dim('batch', min=1, max=1024)
    sample = original.sample(2)
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        _silent(),
        torch.no_grad(),
    ):
        warnings.simplefilter('ignore')
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


@contextlib.contextmanager
def _silent():
    logger = logging.getLogger('torch.onnx')
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _refusal(original: Original, error: BaseException) -> ConfigError:
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
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = next((one for one in lines if 'Error' in one), lines[0] if lines else repr(error))
    return ConfigError(original.factory, 'ONNX export', line, 'a module that torch can export')


def _origin(original: Original, operator: str) -> str:
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

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""From an original to a verified bundle, in each form that the inference node runs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vla_deploy.convert.onnx_graph import OPSET, write_onnx
from vla_deploy.convert.program import write_program
from vla_deploy.convert.torchscript import write_torchscript
from vla_deploy.onnx_files import write_optimised
from vla_deploy.parity import EXACT, ParityLimits
from vla_deploy.publishing import Parts, VerificationOptions, publish
from vla_deploy.reference_model import ReferenceModel
from vla_deploy.verification import VerificationReference, VerificationResult


@dataclass(frozen=True)
class Form:
    """One way to write a model: the runtime that reads it, the file's name, what writes it."""

    runtime: str
    file: str
    write: Callable[[ReferenceModel, Path, int], None]


def write_laid_out(original: ReferenceModel, path: Path, opset: int = OPSET) -> None:
    """ONNX for a batch of one, optimised for the processor at hand, good for its like only: the
    fastest on it."""
    with tempfile.TemporaryDirectory() as scratch:
        plain = Path(scratch) / 'plain.onnx'
        write_onnx(original, plain, opset)
        write_optimised(plain, path, 'all')


FORMS = {
    'onnx': Form('onnx', 'model.onnx', write_onnx),
    'onnx-all': Form('onnx', 'model.onnx', write_laid_out),
    'torchscript-trace': Form(
        'torchscript', 'model.pt', lambda o, path, _: write_torchscript(o, path, 'trace')
    ),
    'torchscript-script': Form(
        'torchscript', 'model.pt', lambda o, path, _: write_torchscript(o, path, 'script')
    ),
    'torch_export': Form('torch_export', 'model.pt2', lambda o, path, _: write_program(o, path)),
}


def export(
    original: ReferenceModel,
    out: Path,
    form: str,
    proof: VerificationOptions,
    *,
    opset: int = OPSET,
    limits: ParityLimits = EXACT,
    reference: VerificationReference | None = None,
) -> VerificationResult | None:
    """Write the bundle `out` in `form`, verified against the original in eager PyTorch.

    Raises ConfigError (nothing is written then) and VerificationFailed.
    """
    chosen = FORMS[form]
    return publish(
        out,
        Parts.of_original(original),
        chosen.runtime,
        chosen.file,
        lambda path: chosen.write(original, path, opset),
        limits,
        proof,
        reference,
        original,
    )

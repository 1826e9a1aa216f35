# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Export: a verified bundle from a reference model, in each form that the inference node runs."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vla_deploy.convert import OPSET, write_onnx, write_program, write_torchscript
from vla_deploy.onnx_files import write_optimised
from vla_deploy.parity import EXACT
from vla_deploy.publishing import Parts, VerificationOptions, publish
from vla_deploy.reference_model import ReferenceModel, from_run
from vla_deploy.verification import VerificationResult
from vla_models.policy_description import load_checkpoint
from vla_models.training import checkpoint
from vla_robot import load_robot


@dataclass(frozen=True)
class Form:
    """A form of a model: the runtime that loads it, the name of its file, its writer."""

    runtime: str
    file: str
    write: Callable[..., None]  # (reference, path), of ONNX also opset


def write_laid_out(reference: ReferenceModel, path: Path, opset: int = OPSET) -> None:
    """ONNX for a batch of one in the memory layout of this processor: the fastest form on it, and
    valid for processors of the same kind only."""
    with tempfile.TemporaryDirectory() as scratch:
        plain = Path(scratch) / 'plain.onnx'
        write_onnx(reference, plain, opset)
        write_optimised(plain, path, 'all')


FORMS = {
    'onnx': Form('onnx', 'model.onnx', write_onnx),
    'onnx-all': Form('onnx', 'model.onnx', write_laid_out),
    'torchscript-trace': Form('torchscript', 'model.pt', write_torchscript),
    'torchscript-script': Form(
        'torchscript', 'model.pt', partial(write_torchscript, method='script')
    ),
    'torch_export': Form('torch_export', 'model.pt2', write_program),
}


def export(
    reference: ReferenceModel,
    out: Path,
    form: str,
    options: VerificationOptions,
    opset: int = OPSET,
) -> VerificationResult | None:
    """Write the bundle `out` in `form`, verified against the reference model in eager PyTorch.
    Raises ConfigError (nothing is written then) and VerificationFailed."""
    chosen, parts = FORMS[form], Parts.of_reference(reference)
    how = {'opset': opset} if chosen.runtime == 'onnx' else {}
    write = partial(chosen.write, reference, **how)
    return publish(out, parts, chosen.runtime, chosen.file, write, options, EXACT, reference)


def copy_training_record(run: Path, out: Path) -> None:
    """Copy the training run's loss curve and figures into the bundle."""
    for extra in ('loss.png', 'training.json'):
        if (run / extra).exists():
            shutil.copyfile(run / extra, out / extra)


def export_run(run: Path, out: Path) -> VerificationResult | None:
    """Write the bundle `out` (ONNX) from the best weights of the training run `run`, verified on
    simulated observations. Raises ConfigError and VerificationFailed."""
    robot = load_robot(load_checkpoint(run / checkpoint.BEST)[1]['robot'])
    result = export(from_run(run), out, 'onnx', VerificationOptions(robot))
    copy_training_record(run, out)
    return result

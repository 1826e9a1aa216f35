# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Export of a training run of HumanoidVLA as a verified bundle."""

from __future__ import annotations

import shutil
from pathlib import Path

from vla_deploy.exporting import export
from vla_deploy.publishing import VerificationOptions
from vla_deploy.reference_model import from_run
from vla_models.policy_description import load_checkpoint
from vla_models.training import checkpoint
from vla_robot import load_robot


def export_bundle(run: Path, out: Path, version: str = '0.1.0') -> tuple[Path, float]:
    """Bundle directory `out` (ONNX) from the best weights and tokenizer of the training run `run`,
    verified against PyTorch on simulated observations.

    Returns the path of policy.yaml and the largest difference in rad. Raises ConfigError, and
    VerificationFailed when ONNX Runtime gives another answer than PyTorch.
    """
    run, out = Path(run), Path(out)
    robot = load_robot(load_checkpoint(run / checkpoint.BEST)[1]['robot'])
    finding = export(
        from_run(run, version), out, 'onnx', VerificationOptions(robot, observations=8)
    )
    assert finding is not None
    for extra in ('loss.png', 'training.json'):
        if (run / extra).exists():
            shutil.copyfile(run / extra, out / extra)
    return out / 'policy.yaml', finding.parity.max_error_rad

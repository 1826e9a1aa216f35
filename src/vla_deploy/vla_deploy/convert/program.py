# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""torch.export: a .pt2 file with the program's graph and weights, dynamic batch."""

from __future__ import annotations

from pathlib import Path

import torch

from vla_common.errors import ConfigError
from vla_deploy.reference_model import ReferenceModel
from vla_deploy.silence import first_line, silence
from vla_deploy.staging import through_memory


def write_program(original: ReferenceModel, path: Path) -> None:
    """Raises ConfigError where torch.export cannot follow the module."""
    sample = original.sample(2)
    batch = torch.export.Dim('batch', min=1, max=1024)
    with silence():
        try:
            program = torch.export.export(
                original.module.eval(), sample, dynamic_shapes=tuple({0: batch} for _ in sample)
            )
        except Exception as error:  # whatever tracing someone's code can raise
            wanted = 'a module that torch.export follows'
            raise ConfigError(
                original.factory, '--form torch_export', first_line(error), wanted
            ) from error
        through_memory(path, lambda file: torch.export.save(program, file))

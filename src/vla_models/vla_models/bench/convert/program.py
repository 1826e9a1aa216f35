# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""torch.export: a .pt2 file with the program's graph and weights, dynamic batch."""

from __future__ import annotations

from pathlib import Path

import torch

from vla_common.errors import ConfigError
from vla_models.bench.original import Original
from vla_models.bench.quiet import first_line, quiet
from vla_models.bench.staging import through_memory


def write_program(original: Original, path: Path) -> None:
    """Raises ConfigError where torch.export cannot follow the module."""
    sample = original.sample(2)
    batch = torch.export.Dim('batch', min=1, max=1024)
    with quiet():
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

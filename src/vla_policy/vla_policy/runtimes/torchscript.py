# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""TorchScript files."""

from __future__ import annotations

import io

from vla_common.errors import ConfigError, first_line
from vla_policy.bundle.bundle import Bundle
from vla_policy.runtimes.torch_module import TorchModule, cast, open_torch


def load_torchscript(bundle: Bundle, threads: int = 1, device: str = 'cpu') -> TorchModule:
    """Raises ConfigError for a file that cannot be used."""
    torch, where = open_torch(bundle, threads, device)
    content = bundle.read(bundle.model.file)
    try:
        # To the CPU first: a module traced on a GPU must load on a machine without one.
        module = torch.jit.load(io.BytesIO(content), map_location='cpu')
    except Exception as error:  # torch raises RuntimeError, ValueError and others
        file = str(bundle.directory / bundle.model.file)
        raise ConfigError(file, 'model', first_line(error), 'a TorchScript module') from error
    module, dtype = cast(torch, module.eval(), bundle.model.precision)
    return TorchModule(bundle, 'torchscript', module.to(where), where, dtype)

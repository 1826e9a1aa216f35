# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""TorchScript files."""

from __future__ import annotations

import io

from vla_common.errors import ConfigError
from vla_policy.bundle.bundle import Bundle
from vla_policy.runtimes.torch_module import TorchModule, cast, import_torch, torch_device


def load_torchscript(bundle: Bundle, threads: int = 1, device: str = 'cpu') -> TorchModule:
    """Raises ConfigError for what cannot be used."""
    torch = import_torch(bundle)
    where = torch_device(torch, device)
    torch.set_num_threads(threads)
    content = bundle.read(bundle.model)
    try:
        # Loaded to the CPU first: a module traced on a GPU must load where there is none.
        module = torch.jit.load(io.BytesIO(content), map_location='cpu')
    except Exception as error:  # torch raises RuntimeError, ValueError and others here
        text = str(error).strip().splitlines()
        raise ConfigError(
            str(bundle.directory / bundle.model),
            'model',
            text[0] if text else type(error).__name__,
            'a TorchScript module',
        ) from error
    module, dtype = cast(torch, module.eval(), bundle.precision)
    return TorchModule(bundle, 'torchscript', module.to(where), where, dtype)

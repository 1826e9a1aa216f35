# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Programs that torch.export wrote (.pt2).

torch.export.load unpickles what an archive marks as pickled, and its sample inputs without bounds
when the bounded way fails. So an archive is looked through first: what is marked is refused, and
the sample inputs must load the bounded way (tensors and plain containers, no code).
"""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from typing import Any

from vla_common.errors import ConfigError
from vla_policy.bundle.bundle import Bundle
from vla_policy.runtimes.torch_module import TorchModule, import_torch, torch_device

CODE = ('custom_obj', 'opaque_obj')
MAX_UNPACKED = 64 * 2**30


def load_torch_export(bundle: Bundle, threads: int = 1, device: str = 'cpu') -> TorchModule:
    """Raises ConfigError for what cannot be used."""
    torch = import_torch(bundle)
    where = torch_device(torch, device)
    file = str(bundle.directory / bundle.model)
    if bundle.precision:
        raise ConfigError(
            str(bundle.file),
            'precision',
            bundle.precision,
            'none: a program has the precision in which it was exported',
        )
    torch.set_num_threads(threads)
    content = bundle.read(bundle.model)
    look_through(torch, content, file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            program = torch.export.load(io.BytesIO(content))
            if where.type != 'cpu':
                from torch.export.passes import move_to_device_pass

                program = move_to_device_pass(program, str(where))
            module = program.module()
    except Exception as error:  # torch raises many types here
        text = str(error).strip().splitlines()
        raise ConfigError(
            file, 'model', text[0] if text else type(error).__name__, 'a torch.export program'
        ) from error
    return TorchModule(bundle, 'torch_export', module, where, torch.float32)


def look_through(torch: Any, content: bytes, file: str) -> None:
    """Raise ConfigError unless nothing in the archive would run code when it is read."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except zipfile.BadZipFile as error:
        raise ConfigError(file, 'model', 'no archive', 'a torch.export program (.pt2)') from error
    with archive:
        entries = archive.infolist()
        names = [entry.filename for entry in entries]
        if sum(entry.file_size for entry in entries) > MAX_UNPACKED:
            raise ConfigError(file, 'model', 'an archive of over 64 GiB', 'a model')
        if not any(name.endswith('archive_format') for name in names):
            raise ConfigError(file, 'model', 'no PT2 archive', 'one of torch 2.8 or newer')
        for name in names:
            base = name.rsplit('/', 1)[-1]
            if base.startswith(CODE):
                raise ConfigError(file, 'model', f'{name}, a pickled object', 'tensors only')
            if name.endswith('.json') and '_config' in base and _marks_pickle(archive.read(name)):
                raise ConfigError(file, 'model', f'{name} marks pickled tensors', 'plain tensors')
            if '/sample_inputs/' in name:
                try:
                    torch.load(io.BytesIO(archive.read(name)), weights_only=True)
                except Exception as error:  # pickle's, torch's: whatever it says, it is refused
                    raise ConfigError(
                        file, 'model', f'{name}, which would run code', 'tensors only'
                    ) from error


def _marks_pickle(content: bytes) -> bool:
    try:
        config = json.loads(content).get('config', {})
        return any(entry.get('use_pickle') for entry in config.values())
    except (ValueError, AttributeError):
        return True

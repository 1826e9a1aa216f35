# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Programs written by torch.export (.pt2).

torch.export.load unpickles entries that an archive marks as pickled, and its sample inputs without
restriction when the restricted loader fails. So an archive is checked first: marked entries are
rejected, and the sample inputs must load with the restricted loader (tensors and plain containers,
no code).
"""

import io
import json
import warnings
import zipfile
from typing import Any

from vla_common.errors import ConfigError, first_line
from vla_policy.bundle.bundle import Bundle
from vla_policy.runtimes.torch_module import TorchModule, open_torch

CODE = ('custom_obj', 'opaque_obj')
MAX_UNPACKED = 64 * 2**30


def load_torch_export(bundle: Bundle, threads: int = 1, device: str = 'cpu') -> TorchModule:
    """Raises ConfigError for a file that cannot be used."""
    torch, where = open_torch(bundle, threads, device)
    spec, file = bundle.model, str(bundle.directory / bundle.model.file)
    if spec.precision:
        wanted = 'none: a program has the precision in which it was exported'
        raise ConfigError(str(bundle.file), 'precision', spec.precision, wanted)
    content = bundle.read(spec.file)
    check_archive(torch, content, file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            program = torch.export.load(io.BytesIO(content))
            if any('from_file' in str(node.target) for node in program.graph.nodes):
                raise ValueError('an operator that opens another file')
            if where.type != 'cpu':
                from torch.export.passes import move_to_device_pass

                program = move_to_device_pass(program, str(where))
            module = program.module()
    except Exception as error:  # torch raises many types
        raise ConfigError(file, 'model', first_line(error), 'a torch.export program') from error
    return TorchModule(bundle, 'torch_export', module, where, torch.float32)


def check_archive(torch: Any, content: bytes, file: str) -> None:
    """Raise ConfigError for an archive that would run code when it is read."""
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
            if '/aotinductor/' in name:
                raise ConfigError(file, 'model', f'{name}, compiled code', 'the program alone')
            if base.startswith(CODE):
                raise ConfigError(file, 'model', f'{name}, a pickled object', 'tensors only')
            if name.endswith('.json') and '_config' in base and _marks_pickle(archive.read(name)):
                raise ConfigError(file, 'model', f'{name} marks pickled tensors', 'plain tensors')
            if '/sample_inputs/' in name:
                try:
                    torch.load(io.BytesIO(archive.read(name)), weights_only=True)
                except Exception as error:  # of pickle or of torch
                    raise ConfigError(
                        file, 'model', f'{name}, which would run code', 'tensors only'
                    ) from error


def _marks_pickle(content: bytes) -> bool:
    try:
        config = json.loads(content).get('config', {})
        return any(entry.get('use_pickle') for entry in config.values())
    except (ValueError, AttributeError):
        return True

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The files of a session's directory."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

from vla_common.errors import ConfigError
from vla_deploy.atomic_io import write_whole
from vla_monitor.recording.json_lines import as_json

VERSION = 1
DESCRIPTION = 'session.json'
EVENTS = 'events.jsonl'
STEPS = 'steps.jsonl'
MACHINE = 'machine.jsonl'
SUMMARY = 'summary.json'
CONFIGURATION = 'configuration'
VIDEOS = 'video'
RESERVE = '.reserve'


def new_folder(directory: Path) -> Path:
    """A new directory for a session, named after the time. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    name = time.strftime('%Y-%m-%d_%H-%M-%S')
    for number in range(1, 1000):
        folder = directory / (name if number == 1 else f'{name}_{number}')
        try:
            folder.mkdir()
        except FileExistsError:  # two recorders in one second
            continue
        (folder / VIDEOS).mkdir()
        return folder
    raise FileExistsError(f'{directory}/{name}: a thousand sessions in one second')


def lock(folder: Path) -> int | None:
    """Mark a session as being recorded, until this process ends; None: another one records it.

    The kernel removes the mark with the process, whatever ends it. Returns what `unlock` takes.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def unlock(mark: int | None) -> None:
    """Remove the mark of `lock`."""
    if mark is not None:
        os.close(mark)


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file, completely or not at all. Raises OSError."""
    write_whole(path, as_json(content, indent=1) + '\n')


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON file's object; None where there is none, or half of one."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def copy_configuration(source: Path, folder: Path) -> None:
    """Copy the nodes' parameter files, without passwords in addresses. Raises OSError."""
    target = folder / CONFIGURATION
    target.mkdir(exist_ok=True)
    for path in sorted(source.glob('*.yaml')):
        text = path.read_text(encoding='utf-8')
        (target / path.name).write_text(re.sub(r'://[^/@\s"]+@', '://***@', text), encoding='utf-8')


def check_session(folder: Path) -> dict[str, Any]:
    """The description of a session; empty where it was not written completely.

    Raises ConfigError: the directory is no session, or one of a newer version.
    """
    if not folder.is_dir():
        raise ConfigError(folder, '', 'no directory', 'the directory of a session')
    bags = [*folder.glob('*.mcap'), *folder.glob('*.mcap.active')]
    description = read_json(folder / DESCRIPTION)
    if description is None:
        if not bags and not (folder / DESCRIPTION).exists():
            wanted = f'the directory of a session ({DESCRIPTION}, *.mcap)'
            raise ConfigError(folder, '', 'no session', wanted)
        return {}
    if description.get('version', 0) > VERSION:
        found = f'version {description["version"]}'
        raise ConfigError(folder / DESCRIPTION, 'version', found, f'{VERSION} or earlier')
    return description


class Reserve:
    """Disk space that is kept for the end of the files, where the disk becomes full."""

    LARGEST, SMALLEST = 4 << 20, 64 << 10

    def __init__(self, folder: Path) -> None:
        self._path = folder / RESERVE

    def take(self) -> None:
        """Reserve what there is; a disk with less has none."""
        size = self.LARGEST
        while size >= self.SMALLEST:
            try:
                if shutil.disk_usage(self._path.parent).free < 2 * size:
                    raise OSError
                with open(self._path, 'wb') as file:
                    os.posix_fallocate(file.fileno(), 0, size)
                return
            except OSError:
                self.free()
                size //= 2

    def free(self) -> None:
        """Give the space back."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Bundles are written beside their place and moved there whole: never half a bundle."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import yaml

from vla_common.errors import ConfigError
from vla_common.yaml_file import load_yaml
from vla_deploy.atomic_io import write_whole

SPARE = 1 << 20  # bytes that must be left on the disk


class _Plain(yaml.SafeDumper):
    """YAML without anchors: every list is written where it is read."""

    def ignore_aliases(self, data: object) -> bool:
        return True


@contextlib.contextmanager
def staged(out: Path, size: int = 0) -> Iterator[Path]:
    """A new directory that takes the place of `out` when the block ends well, and vanishes when
    it does not. Files at `out` that are not the old bundle's stay. `size`: bytes that will be
    needed. Raises ConfigError: no room, not writable, or `out` is something that is no bundle.
    """
    out = Path(out).absolute()
    check_place(out)
    parent = out.parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        room = shutil.disk_usage(parent).free
        if room < size + SPARE:
            raise _full(out, room, size + SPARE)
        draft = Path(tempfile.mkdtemp(prefix=f'.{out.name}.', dir=parent))
    except OSError as error:
        raise _refused(out, error) from error
    draft.chmod(0o755)
    try:
        yield draft
        _take_place(draft, out)
    except ConfigError as error:  # of a file in the draft, which nobody will find
        if str(draft) not in error.file:
            raise
        file = error.file.replace(str(draft), str(out))
        raise ConfigError(file, error.key, error.found, error.wanted) from error
    except OSError as error:
        raise _refused(out, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def check_place(out: Path) -> None:
    """That a bundle could be written there, before any work is done for it. Raises ConfigError."""
    out = Path(out).absolute()
    if out.exists() and not (out / 'policy.yaml').is_file() and not _empty(out):
        raise ConfigError(str(out), '--out', 'something that is no bundle', 'a bundle or nothing')
    above = next(parent for parent in out.parents if parent.exists())
    if not above.is_dir():
        raise ConfigError(str(out), '--out', f'a file at {above}', 'a directory to write in')
    if not os.access(above, os.W_OK | os.X_OK):
        raise ConfigError(str(out), '--out', f'{above}, not writable', 'a directory to write in')


def _take_place(draft: Path, out: Path) -> None:
    if not out.exists():
        os.replace(draft, out)
        return
    # Two renames: for an instant there is nothing at `out`, and never a mixture.
    old = Path(tempfile.mkdtemp(prefix=f'.{out.name}.old.', dir=out.parent))
    try:
        _carry_over(out, draft)
        os.replace(out, old / 'bundle')
        try:
            os.replace(draft, out)
        except OSError:
            os.replace(old / 'bundle', out)
            raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _carry_over(old: Path, draft: Path) -> None:
    """What a user laid beside a bundle's own files (a README, pictures) outlives it."""
    try:
        policy = load_yaml(old / 'policy.yaml')
        own = {'policy.yaml', *policy.get('files', {}), policy.get('model', '')}
    except ConfigError:  # a broken policy.yaml is about to be replaced by a good one
        own = {'policy.yaml'}
    for path in old.iterdir():
        if path.name in own or (draft / path.name).exists():
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, draft / path.name, symlinks=True)
        else:
            shutil.copy2(path, draft / path.name, follow_symlinks=False)


def _empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _full(out: Path, room: int, size: int = 0) -> ConfigError:
    wanted = f'{size / 1e6:.0f} MB for the bundle' if size else 'room for the bundle'
    return ConfigError(str(out), 'disk', f'{room / 1e6:.1f} MB free', wanted)


def _refused(out: Path, error: OSError) -> ConfigError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _full(out, 0)
    return ConfigError(str(out), '--out', error.strerror or str(error), 'a place to write a bundle')


def write_policy(directory: Path, policy: Mapping[str, Any], files: list[str]) -> None:
    """policy.yaml with the SHA-256 of each of `files`; replaced at once."""
    digests = {name: digest_of(directory / name) for name in files}
    write_yaml(directory / 'policy.yaml', {**policy, 'files': digests})


def write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    """Write beside, then rename."""
    text = yaml.dump(
        dict(content), Dumper=_Plain, sort_keys=False, default_flow_style=None, width=100
    )
    write_whole(path, text)


def digest_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def through_memory(path: Path, save: Callable[[IO[bytes]], None]) -> None:
    """Write `path` with a writer of torch's, which is given memory: on a full disk its own writing
    of files ends the whole process."""
    content = io.BytesIO()
    save(content)
    path.write_bytes(content.getbuffer())

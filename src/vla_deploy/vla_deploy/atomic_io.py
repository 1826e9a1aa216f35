# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Files and bundle directories that are written completely or not at all."""

import contextlib
import errno
import hashlib
import io
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from vla_common.errors import ConfigError
from vla_common.yaml_file import dump_yaml, load_yaml

SPARE = 1 << 20  # bytes that must stay free on the disk


def as_json(content: object) -> str:
    """JSON text. Numbers that are not finite become null: only Python reads `Infinity`."""
    return json.dumps(_finite(content), indent=1, allow_nan=False)


def _finite(content: object) -> object:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a temporary file, then rename it: a full disk never leaves half a file.
    Raises OSError, which names the file."""
    partial = path.with_name(f'.{path.name}.partial')
    try:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(partial, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise OSError(error.errno, error.strerror, str(path)) from error


def through_memory(path: Path, save: Callable[[IO[bytes]], None]) -> None:
    """Write `path` with a writer of torch by way of memory. On a full disk torch's own file writer
    ends the process."""
    content = io.BytesIO()
    save(content)
    path.write_bytes(content.getbuffer())


def write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as YAML, atomically."""
    write_whole(path, dump_yaml(content, default_flow_style=None, width=100))


def write_policy(directory: Path, policy: Mapping[str, Any], files: list[str]) -> None:
    """Write policy.yaml with the SHA-256 of each of `files`."""
    digests = {name: digest_of(directory / name) for name in files}
    write_yaml(directory / 'policy.yaml', {**policy, 'files': digests})


def digest_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextlib.contextmanager
def staged(out: Path, size: int = 0) -> Iterator[Path]:
    """A new directory that replaces `out` when the block succeeds and is removed when it fails.
    Files at `out` that do not belong to the old bundle are kept. size: bytes needed.

    Raises ConfigError: no room, not writable, or `out` is not a bundle.
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
        raise _not_writable(out, error) from error
    draft.chmod(0o755)
    try:
        yield draft
        _replace(draft, out)
    except ConfigError as error:  # the draft is removed: name the final path
        if str(draft) not in error.file:
            raise
        file = error.file.replace(str(draft), str(out))
        raise ConfigError(file, error.key, error.found, error.wanted) from error
    except OSError as error:
        raise _not_writable(out, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def check_place(out: Path) -> None:
    """Check that a bundle can be written to `out`, before any work starts. Raises ConfigError."""
    out = Path(out).absolute()
    empty = out.is_dir() and not any(out.iterdir())
    if out.exists() and not (out / 'policy.yaml').is_file() and not empty:
        raise ConfigError(str(out), '--out', 'something that is no bundle', 'a bundle or nothing')
    above = next(parent for parent in out.parents if parent.exists())
    if not above.is_dir():
        raise ConfigError(str(out), '--out', f'a file at {above}', 'a directory to write in')
    if not os.access(above, os.W_OK | os.X_OK):
        raise ConfigError(str(out), '--out', f'{above}, not writable', 'a directory to write in')


def _replace(draft: Path, out: Path) -> None:
    if not out.exists():
        os.replace(draft, out)
        return
    # Two renames: `out` is missing for an instant, but never a mixture.
    old = Path(tempfile.mkdtemp(prefix=f'.{out.name}.old.', dir=out.parent))
    try:
        _keep_user_files(out, draft)
        os.replace(out, old / 'bundle')
        try:
            os.replace(draft, out)
        except OSError:
            os.replace(old / 'bundle', out)
            raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _keep_user_files(old: Path, draft: Path) -> None:
    """Copy what the user stored beside the bundle's own files (a README, pictures)."""
    try:
        policy = load_yaml(old / 'policy.yaml')
        own = {'policy.yaml', *policy.get('files', {}), policy.get('model', '')}
    except ConfigError:  # a broken policy.yaml is about to be replaced
        own = {'policy.yaml'}
    for path in old.iterdir():
        if path.name in own or (draft / path.name).exists():
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, draft / path.name, symlinks=True)
        else:
            shutil.copy2(path, draft / path.name, follow_symlinks=False)


def _full(out: Path, room: int, size: int = 0) -> ConfigError:
    wanted = f'{size / 1e6:.0f} MB for the bundle' if size else 'room for the bundle'
    return ConfigError(str(out), 'disk', f'{room / 1e6:.1f} MB free', wanted)


def _not_writable(out: Path, error: OSError) -> ConfigError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _full(out, 0)
    return ConfigError(str(out), '--out', error.strerror or str(error), 'a place to write a bundle')

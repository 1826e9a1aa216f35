# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What `runtime` in policy.yaml can be. Another package adds a name by an entry point."""

import contextlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

from vla_common.errors import ConfigError
from vla_common.registry import Registry

RUNTIMES = Registry(
    'vla.runtimes',
    {
        'onnx': 'vla_policy.runtimes.onnx:OnnxRuntime',
        'torchscript': 'vla_policy.runtimes.torch_module:load_torchscript',
        'torch_export': 'vla_policy.runtimes.torch_export:load_torch_export',
        'pytorch': 'vla_policy.runtimes.pytorch:load_pytorch',
        'tensorrt': 'vla_policy.runtimes.tensorrt:TensorRtEngine',
        'litert': 'vla_policy.runtimes.litert:LiteRt',
    },
)
"""Runtimes of model files: called with (bundle, threads, device), return a `Runtime`."""

POLICIES = Registry(
    'vla.policies',
    {
        'scripted': 'vla_policy.scripted_policy:Scripted',
        'openpi': 'vla_policy.remote.load:OpenPi',
        'groot': 'vla_policy.remote.load:Groot',
    },
)
"""Policies without a model file: `read(top)` returns the bundle's spec, `load(bundle, robot,
timeout)` the policy."""


@contextlib.contextmanager
def installed_code(bundle: Path) -> Iterator[None]:
    """While it lasts, nothing is imported from the bundle, or by a relative path. No hash covers
    code, and a process started inside a bundle has that directory on sys.path (`python -m`, or an
    empty entry of PYTHONPATH)."""
    before, here = list(sys.path), bundle.resolve()
    sys.path[:] = [p for p in before if Path(p).is_absolute() and Path(p).resolve() != here]
    try:
        yield
    finally:
        added = [path for path in sys.path if path not in before]
        sys.path[:] = added + before


def check_installed(target: str, bundle: Path, file: str, key: str) -> None:
    """Raise ConfigError where 'package.module:name' lies in the bundle."""
    top = target.partition(':')[0].partition('.')[0]
    try:
        found = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return  # reported when it is loaded
    if found is None:
        return
    places = [found.origin] if found.has_location else found.submodule_search_locations or ()
    here = bundle.resolve()
    for place in (Path(place).resolve() for place in places if place):
        # Not everything below it: a virtual environment may be there.
        if place.parent == here or place.is_relative_to(here / top):
            wanted = 'a factory of an installed package: a bundle contains no code'
            raise ConfigError(file, key, f'{target} in the bundle ({place})', wanted)

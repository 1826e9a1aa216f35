# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What was running: SHA-256 of the code, the robot directory and the bundle."""

from __future__ import annotations

import pkgutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vla_common.digests import tree_digest
from vla_common.errors import ConfigError
from vla_policy.bundle.address import redacted
from vla_policy.bundle.resolve_bundle import installed_models, is_address, locate_bundle
from vla_robot.directory import robot_directory

_GIT_PATIENCE = 5.0  # s


def code_digests() -> dict[str, str]:
    """By package of the workspace: SHA-256 of its Python files."""
    found = {}
    for module in pkgutil.iter_modules():
        if module.ispkg and module.name.startswith('vla_'):
            spec = find_spec(module.name)
            if spec is not None and spec.submodule_search_locations:
                folder = Path(spec.submodule_search_locations[0]).resolve()
                found[module.name] = tree_digest(folder, '*.py')
    return found


def commit_of(folder: Path) -> dict[str, Any]:
    """The git commit of a source tree, and whether files differ from it; empty where unknown."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ['git', '-C', str(folder), *arguments],
            check=True,
            capture_output=True,
            text=True,
            timeout=_GIT_PATIENCE,
        ).stdout.strip()

    try:
        commit = git('rev-parse', 'HEAD')
        return {'commit': commit, 'changed': bool(git('status', '--porcelain', '-uno'))}
    except (OSError, subprocess.SubprocessError):
        return {}


def fingerprints(robot: str, policy: str) -> dict[str, Any]:
    """Hashes of code, robot directory and bundle; what cannot be hashed has its reason instead.

    policy: name, directory or address; empty: not known.
    """
    found: dict[str, Any] = {'code': code_digests(), **commit_of(Path(__file__).resolve().parent)}
    try:
        found['robot'] = {'name': robot, 'sha256': tree_digest(robot_directory(robot).resolve())}
    except (ConfigError, OSError) as error:
        found['robot'] = {'name': robot, 'error': str(error)}
    if is_address(policy):
        found['bundle'] = {'name': redacted(policy), 'error': 'a policy server: not hashed here'}
    elif policy and policy != 'scripted':
        try:
            folder = locate_bundle(policy, installed_models()).resolve()
            found['bundle'] = {'name': policy, 'sha256': tree_digest(folder)}
        except (ConfigError, OSError) as error:
            found['bundle'] = {'name': policy, 'error': str(error)}
    else:
        found['bundle'] = {'name': policy}
    return found

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Environments of the clients that judge the doubles: environment/*_client.in."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def client_python(name: str, distribution: str) -> str:
    """The interpreter of the environment build/<name>, or of the variable VLA_<NAME>; '' where
    there is none that has the distribution."""
    python = os.environ.get(f'VLA_{name.upper()}', str(ROOT / 'build' / name / 'bin' / 'python'))
    look = f'import importlib.metadata as m; m.version({distribution!r})'
    try:
        found = subprocess.run([python, '-c', look], capture_output=True, timeout=60.0)
    except OSError:
        return ''
    return python if found.returncode == 0 else ''

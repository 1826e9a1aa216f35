# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Results as files: whole or not at all, and JSON that every reader takes."""

from __future__ import annotations

import contextlib
import json
import math
import os
from pathlib import Path

import cv2
import numpy as np


def as_json(content: object) -> str:
    """JSON for machines: what is not finite (the error of an answer that is NaN) is null, which
    every reader takes; Python alone would read `Infinity`."""
    return json.dumps(_finite(content), indent=1, allow_nan=False)


def _finite(content: object) -> object:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def write_whole(path: Path, content: str | bytes) -> None:
    """Write beside, then rename: on a full disk there is the old file or none, never a half one.
    Raises OSError, which names the file."""
    partial = path.with_name(f'.{path.name}.partial')
    try:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(partial, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_picture(path: Path, image: np.ndarray) -> None:
    """As a PNG, like `write_whole`: OpenCV's own writing leaves half a file, and returns False."""
    write_whole(path, cv2.imencode('.png', image)[1].tobytes())

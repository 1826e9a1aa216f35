# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Robot directories, found and looked into without loading a robot (NumPy, Pinocchio).

The launch file decides from them which nodes a robot needs.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from vla_common.errors import ConfigError
from vla_common.yaml_file import ConfigReader, load_yaml

FEET = ('left_foot', 'right_foot')
HANDS = ('left_hand', 'right_hand', 'hand')
"""Frames of the hands; `hand` is that of a single arm."""
HEAD_CAMERA = 'head'
"""Name of the camera that robot.yaml has under `camera`; the others are under `cameras`."""


def has_feet(name_or_path: str | os.PathLike[str]) -> bool:
    """Whether it stands on feet; without them the robot is bolted to the ground. Raises ConfigError
    as `names_frame`."""
    return names_frame(name_or_path, *FEET)


def names_frame(name_or_path: str | os.PathLike[str], *wanted: str) -> bool:
    """Whether robot.yaml names one of these frames.

    Raises ConfigError: there is no such robot, or its robot.yaml cannot be read.
    """
    file = robot_directory(name_or_path) / 'robot.yaml'
    frames = ConfigReader(file, load_yaml(file)).section('frames')
    return any(frames.has(frame) for frame in wanted)


def camera_sources(name_or_path: str | os.PathLike[str]) -> dict[str, str]:
    """The cameras of a robot by name, each with the source in robot.yaml, or ''. Raises ConfigError
    as `names_frame`."""
    file = robot_directory(name_or_path) / 'robot.yaml'
    fields = ConfigReader(file, load_yaml(file))
    cameras = {HEAD_CAMERA: fields.section('camera'), **fields.sections('cameras', {})}
    return {name: section.text('source', '') for name, section in cameras.items()}


def robot_directory(name_or_path: str | os.PathLike[str]) -> Path:
    """The directory of a robot: a name in `share/vla_robot/robots`, or a path.

    Raises ConfigError: there is none.
    """
    text = os.fspath(name_or_path)
    if os.sep in text or text in ('.', '..'):
        directory = Path(text).expanduser().resolve()
        if not directory.is_dir():
            raise ConfigError(text, '', 'no such directory', 'a robot directory')
        return directory
    robots, known = _robots_directory(), robot_names()
    if text not in known:
        near = difflib.get_close_matches(text, known, n=1) or [', '.join(known)]
        raise ConfigError(robots, 'robot', text or 'nothing', f'{near[0]}, or a path with a slash')
    return robots / text


def robot_names() -> list[str]:
    """The robots in `share/vla_robot/robots`."""
    return sorted(p.name for p in _robots_directory().iterdir() if (p / 'robot.yaml').is_file())


def _robots_directory() -> Path:
    try:
        from ament_index_python.packages import get_package_share_directory

        share = Path(get_package_share_directory('vla_robot')) / 'robots'
        if share.is_dir():
            return share
    except (ImportError, LookupError):
        pass
    return Path(__file__).resolve().parent.parent / 'robots'  # a source tree without ROS

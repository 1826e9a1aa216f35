# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Which of a dataset's joints the policy feels, and which of those carry its camera."""

from __future__ import annotations

import numpy as np

from vla_common.errors import ConfigError
from vla_models.dataset.layout import DatasetLayout
from vla_robot import load_robot

ALL = 'all'


def chosen_joints(layout: DatasetLayout, group: str) -> np.ndarray:
    """Columns of the state that belong to a group of the robot's joints; `all` asks no robot."""
    if group == ALL:
        return np.arange(len(layout.state_joints))
    robot = load_robot(layout.robot)
    if group not in robot.groups:
        raise ConfigError('train', 'state', group, f'{ALL}, or one of {sorted(robot.groups)}')
    unknown = [name for name in layout.state_joints if name not in robot.index]
    if unknown:
        raise ConfigError('dataset', 'observation.state', unknown, f'joints of {robot.name}')
    inside = {robot.joint_names[i] for i in robot.groups[group]}
    return np.array([i for i, name in enumerate(layout.state_joints) if name in inside], np.int64)


def camera_joints(layout: DatasetLayout, names: tuple[str, ...]) -> tuple[int, ...]:
    """Places among `names` of the joints between the base and the head camera; all of them where
    the robot is not known here."""
    try:
        robot = load_robot(layout.robot)
    except ConfigError:
        return tuple(range(len(names)))
    parts = (robot.groups.get(part, ()) for part in ('head', 'torso'))
    carrying = {robot.joint_names[i] for part in parts for i in part}
    return tuple(i for i, name in enumerate(names) if name in carrying) or tuple(range(len(names)))

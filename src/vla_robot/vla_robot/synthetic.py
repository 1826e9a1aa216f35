# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Synthetic robots with any number of joints and collision pairs, for computation time tables.

A base with limbs of up to seven joints; each link is a capsule. The tips of the first two limbs are
hands; with four limbs or more, those of the third and fourth are feet.
"""

import math
import tempfile
from pathlib import Path

import numpy as np
import yaml

from vla_robot.loading import load_robot
from vla_robot.robot_model import RobotModel

LIMB = 7
LENGTH = 0.12
AXES = ('0 1 0', '1 0 0', '0 0 1', '0 1 0', '0 0 1', '0 1 0', '1 0 0')
INERTIA = '<inertia ixx="0.002" iyy="0.002" izz="0.002" ixy="0" ixz="0" iyz="0"/>'
NOMINAL = 0.2
"""rad, of every joint in the poses."""


def synthetic_robot(joints: int, pairs: int | None = None) -> RobotModel:
    """A robot of `joints` joints, with the `pairs` nearest pairs of its links checked (None: all).

    Raises ValueError: there are not as many pairs, or no joints.
    """
    if joints < 1:
        raise ValueError(f'{joints} joints, wanted at least 1')
    limbs = [min(LIMB, joints - first) for first in range(0, joints, LIMB)]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        (path / 'robot.urdf').write_text(_urdf(limbs))
        robot = _load(path, limbs, [])
        if pairs is None:
            return robot
        if pairs > len(robot.collision_pairs):
            raise ValueError(f'{pairs} pairs, this robot has {len(robot.collision_pairs)}')
        kinematics = robot.kinematics()
        kinematics.update(robot.poses['ready'])
        far = np.argsort(kinematics.distances(), kind='stable')[pairs:]
        return _load(path, limbs, [list(robot.collision_pairs[k]) for k in far])


def write_synthetic_robot(directory: Path, joints: int) -> None:
    """Write the directory of a robot of `joints` joints (robot.urdf, robot.yaml)."""
    limbs = [min(LIMB, joints - first) for first in range(0, joints, LIMB)]
    (directory / 'robot.urdf').write_text(_urdf(limbs))
    _load(directory, limbs, [])


def _link(name: str) -> str:
    return (
        f'<link name="{name}"><inertial><origin xyz="0 0 {-LENGTH / 2}"/><mass value="0.6"/>'
        f'{INERTIA}</inertial><collision name="{name}_0">'
        f'<origin xyz="0 0 {-LENGTH / 2}"/><geometry>'
        f'<capsule radius="0.03" length="{LENGTH - 0.06}"/></geometry></collision></link>'
    )


def _urdf(limbs: list[int]) -> str:
    parts = [
        '<?xml version="1.0"?><robot name="synthetic" version="1.1">',
        f'<link name="base_link"><inertial><mass value="10"/>{INERTIA}</inertial>'
        '<collision name="base_link_0"><geometry><box size="0.2 0.2 0.2"/></geometry></collision>'
        '</link><link name="imu"/><joint name="imu_mount" type="fixed"><parent link="base_link"/>'
        '<child link="imu"/></joint>',
    ]
    for limb, length in enumerate(limbs):
        angle = 2.0 * math.pi * limb / len(limbs)
        radius = max(0.2, 0.05 * len(limbs))
        place = f'{radius * math.cos(angle):.4f} {radius * math.sin(angle):.4f} 0'
        parent = 'base_link'
        for k in range(length):
            name = f'limb{limb}_{k}'
            parts.append(_link(name))
            parts.append(
                f'<joint name="joint{limb}_{k}" type="revolute"><parent link="{parent}"/>'
                f'<child link="{name}"/><origin xyz="{place}"/><axis xyz="{AXES[k]}"/>'
                '<limit lower="-1.5" upper="1.5" velocity="5" effort="60"/></joint>'
            )
            parent, place = name, f'0 0 {-LENGTH}'
        sole = ''
        if limb in (2, 3) and len(limbs) >= 4:
            sole = (
                f'<collision name="tip{limb}_0"><geometry><box size="0.2 0.1 0.02"/></geometry>'
                '</collision>'
            )
        parts.append(
            f'<link name="tip{limb}">{sole}</link><joint name="tip{limb}_mount" type="fixed">'
            f'<parent link="{parent}"/><child link="tip{limb}"/><origin xyz="{place}"/></joint>'
        )
    return ''.join([*parts, '</robot>'])


def _load(path: Path, limbs: list[int], allowed: list[list[str]]) -> RobotModel:
    names = [f'joint{limb}_{k}' for limb, length in enumerate(limbs) for k in range(length)]
    frames = {'base': 'base_link', 'imu': 'imu'}
    tips = ('left_hand', 'right_hand')
    if len(limbs) >= 4:
        tips += ('left_foot', 'right_foot')
    frames |= {frame: f'tip{limb}' for limb, frame in enumerate(tips) if limb < len(limbs)}
    legs = [name for name in names if len(limbs) >= 4 and name[5:6] in '23']
    pose = dict.fromkeys(names, NOMINAL)
    description = {
        'format': 1,
        'name': f'synthetic{len(names)}',
        'urdf': 'robot.urdf',
        'joints': names,
        'groups': {'legs': legs, 'upper_body': [name for name in names if name not in legs]},
        'frames': frames,
        'poses': {'standing': pose, 'ready': pose},
        'servos': {
            'all': {
                'joints': names,
                'kp': 150,
                'kv': 5,
                'acceleration': 15,
                'jerk': 300,
                'soft_margin': 0.02,
            }
        },
        'stops': {'supervisor_lost': 'hold', 'estop': 'damp', 'safe_stop_duration': 2.0},
        'camera': {'frame': 'imu', 'width': 64, 'height': 64, 'fovy': 1.0},
        'allowed_collisions': allowed,
        'simulation': {
            'armature': {'all': 0.01},
            'joint_damping': 0.3,
            'foot_friction': [0.9, 0.01, 0.0001],
            'foot_solref': [0.008, 1.0],
        },
    }
    (path / 'robot.yaml').write_text(yaml.safe_dump(description))
    return load_robot(str(path))

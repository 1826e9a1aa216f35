# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Files of pose pairs: where a link was when an image of the board was taken.

    robot: humanoid32            # with joints: name or directory, and the link
    link: left_hand              # a frame of robot.yaml or a link of the URDF
    pairs:
      - image: 000.png           # beside this file
        joints: {torso_yaw: 0.1, left_shoulder_pitch: -0.4, …}   # rad, as /joint_states has them
      - image: 001.png
        pose: {position: [0.41, 0.20, 0.33], orientation: [0.0, 0.0, 0.0, 1.0]}   # xyzw

`pose` is that of the link in the base (m), as the robot's own controller reports it; `joints` are
put through the kinematics of the robot directory.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vla_camera.calibration.board import Board
from vla_camera.calibration.hand_eye import inverse
from vla_camera.calibration.views import ViewSet, read_gray
from vla_camera.lens import board_pose
from vla_camera.source import Calibration
from vla_common.rotation import rotation_matrix
from vla_common.yaml_file import ConfigReader, load_yaml
from vla_robot import RobotModel, load_robot


@dataclass(frozen=True)
class PosePairs:
    """link: its name, '' where only poses are given. images: files. poses (4, 4): of the link in
    the base, m."""

    path: Path
    link: str
    images: tuple[Path, ...]
    poses: tuple[np.ndarray, ...]


def read_pairs(path: Path) -> PosePairs:
    """Raises ConfigError."""
    top = ConfigReader(path, load_yaml(path))
    link, name = top.text('link', ''), top.text('robot', '')
    robot = load_robot(name) if name else None
    if robot is not None and not robot.has_link(link):
        known = ', '.join(sorted(robot.frames))
        raise top.error('link', link or 'nothing', f'a link of {robot.name}, such as {known}')
    entries = top.raw('pairs', wanted='a list of images with joints or pose')
    if not isinstance(entries, list) or not entries:
        raise top.error('pairs', entries, 'a list of images with joints or pose')
    top.close()
    images, poses = [], []
    for index, entry in enumerate(entries):
        fields = ConfigReader(path, entry, f'pairs[{index}]')
        images.append(path.parent / fields.text('image'))
        if fields.has('pose') == fields.has('joints'):
            found = 'both' if fields.has('pose') else 'none of them'
            raise fields.error('pose, joints', found, 'one of them')
        if fields.has('pose'):
            poses.append(_pose(fields.section('pose')))
        elif robot is None:
            raise fields.error('joints', 'no robot above', 'the key robot, or pose instead')
        else:
            poses.append(_pose_of(robot, link, fields))
        fields.close()
    return PosePairs(path, link, tuple(images), tuple(poses))


def see_boards(
    pairs: PosePairs, board: Board, lens: Calibration, size: tuple[int, int]
) -> tuple[list[int], list[np.ndarray], dict[str, str]]:
    """Indices of the pairs whose image shows the board, its poses (4, 4) in the camera, and why
    the other images were not used. Raises ConfigError: see `ViewSet.take`."""
    found = ViewSet(str(pairs.path), size)
    indices, boards = [], []
    for index, image in enumerate(pairs.images):
        view = found.take(board, read_gray(image), image.name)
        if view is None:
            continue
        rvec, tvec, _ = board_pose(lens, board.points(view), view.pixels)
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = cv2.Rodrigues(rvec)[0], tvec
        indices.append(index)
        boards.append(pose)
    found.refuse_other_boards(board)
    return indices, boards, found.missed


def _pose(fields: ConfigReader) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, 3] = fields.numbers('position', length=3)
    xyzw = np.array(fields.numbers('orientation', length=4, lo=-1.0, hi=1.0))
    if abs(np.linalg.norm(xyzw) - 1.0) > 1e-3:
        raise fields.error('orientation', xyzw.tolist(), 'a quaternion x, y, z, w of length 1')
    pose[:3, :3] = rotation_matrix(np.roll(xyzw / np.linalg.norm(xyzw), 1))
    fields.close()
    return pose


def _pose_of(robot: RobotModel, link: str, fields: ConfigReader) -> np.ndarray:
    """Of the link in the base, from joint positions."""
    joints = fields.section('joints')
    q = np.zeros(robot.n)
    for name, index in robot.index.items():
        q[index] = joints.number(name, 0.0)
    joints.close()
    for index in robot.chain(link):
        name = robot.joint_names[index]
        if not joints.has(name):
            raise joints.error(name, 'nothing', f'the position of each joint up to {link}, rad')
    kinematics = robot.kinematics()
    kinematics.update(q)
    base, place = np.eye(4), np.eye(4)
    base[:3, :3], base[:3, 3] = kinematics.frame('base')
    place[:3, :3], place[:3, 3] = kinematics.frame(link)
    return inverse(base) @ place

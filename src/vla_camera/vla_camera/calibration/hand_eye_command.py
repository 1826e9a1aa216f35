# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_camera hand_eye`: where a camera sits on its link, or beside the robot."""

import json
import sys
from pathlib import Path

import numpy as np
import pinocchio as pin

from vla_camera.calibration.board import Board, add_board_options
from vla_camera.calibration.hand_eye import HandEye, hand_eye
from vla_camera.calibration.pose_pairs import read_pairs, see_boards
from vla_camera.calibration.views import lines_of
from vla_camera.calibration_file import read_lens
from vla_common import terminal
from vla_common.rotation import quaternion_xyzw
from vla_common.yaml_file import dump_yaml

EXAMPLES = """\
examples:
  ros2 run vla_camera hand_eye pairs.yaml --calibration left_wrist.yaml
  ros2 run vla_camera hand_eye pairs.yaml --calibration outside.yaml --to-hand

PAIRS is a file of images, each with the pose of the link (m, quaternion) or the joint positions:
  robot: humanoid32
  link: left_hand
  pairs:
    - {image: 000.png, joints: {torso_yaw: 0.1, left_elbow: -0.4, …}}
    - {image: 001.png, pose: {position: [x, y, z], orientation: [x, y, z, w]}}"""


def _command(arguments: list[str] | None) -> int:
    options = _parser().parse_args(arguments)
    board = Board.from_options(options)
    lens, size = read_lens(options.calibration)
    pairs = read_pairs(options.pairs)
    with terminal.working() as show:
        show('looking for the board')
        used, boards, missed = see_boards(pairs, board, lens, size)
        show(f'solving {len(used)} poses')
        links = [pairs.poses[index] for index in used]
        result = hand_eye(links, boards, options.to_hand, str(pairs.path))
    parent = 'base' if options.to_hand else pairs.link or 'link'
    content = _content(result, parent, len(used))
    if options.out:
        options.out.write_text(dump_yaml(content, default_flow_style=None), 'utf-8')
    if options.json:
        print(json.dumps(content | {'missed': missed}))
        return 0
    print('\n'.join([*lines_of(missed), *_lines(result, content)]))
    return 0


def _content(result: HandEye, parent: str, poses: int) -> dict:
    x = result.transform
    return {
        'parent': parent,
        'child': 'optical frame of the camera',
        'position': x[:3, 3].tolist(),
        'orientation_xyzw': list(quaternion_xyzw(x[:3, :3])),
        'rpy': pin.rpy.matrixToRpy(x[:3, :3]).tolist(),
        'poses': poses,
        'leave_one_out_mm': 1000.0 * result.rms_m,
        'leave_one_out_degrees': float(np.degrees(result.rms_rad)),
        'methods_apart_mm': 1000.0 * result.apart_m,
        'methods_apart_degrees': float(np.degrees(result.apart_rad)),
        'scale': result.scale,
    }


def _lines(result: HandEye, content: dict) -> list[str]:
    xyz = ' '.join(f'{value:.5f}' for value in content['position'])
    rpy = ' '.join(f'{value:.5f}' for value in content['rpy'])
    worst = int(np.argmax(result.left_out_m))
    return [
        f'camera in {content["parent"]}, from {content["poses"]} poses, for the URDF:',
        f'  <origin xyz="{xyz}" rpy="{rpy}"/>',
        f'each pose from the others: {content["leave_one_out_mm"]:.2f} mm, '
        f'{content["leave_one_out_degrees"]:.3f} degrees (RMS); most at the {worst + 1}. pose: '
        f'{1000.0 * result.left_out_m[worst]:.2f} mm',
        f'Park and Daniilidis: {content["methods_apart_mm"]:.2f} mm, '
        f'{content["methods_apart_degrees"]:.3f} degrees apart; lengths {result.scale:.4f} to 1',
    ]


def _parser():
    parser = terminal.parser(
        'vla_camera hand_eye',
        'Where a camera sits: on the link that carries it, or with --to-hand in the base.',
        EXAMPLES,
    )
    parser.add_argument('pairs', type=Path, metavar='PAIRS', help='YAML file')
    parser.add_argument('--calibration', type=Path, required=True, help='of vla_camera calibrate')
    parser.add_argument(
        '--to-hand', action='store_true', help='the camera is fixed, the board on the link'
    )
    parser.add_argument('--out', type=Path, help='write the transform as YAML')
    parser.add_argument('--json', action='store_true', help='the numbers as JSON')
    add_board_options(parser)
    return parser


def main(arguments: list[str] | None = None) -> int:
    return terminal.guarded(_command, arguments)


if __name__ == '__main__':
    sys.exit(main())

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_camera calibrate`: intrinsics from images of a ChArUco board, or live."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from vla_camera.calibration.board import Board, add_board_options
from vla_camera.calibration.intrinsics import FLAGS, calibrate
from vla_camera.calibration.report import draw, summary
from vla_camera.calibration.views import image_files, lines_of, read_views
from vla_camera.calibration_file import write_calibration
from vla_common import terminal
from vla_common.errors import ConfigError

EXAMPLES = """\
examples:
  ros2 run vla_camera board board.pdf
  ros2 run vla_camera calibrate --source v4l2 --device by-id/usb-046d_C920-video-index0
  ros2 run vla_camera calibrate --topic /camera/color/image_raw --out head.yaml
  ros2 run vla_camera calibrate head_images/ --out head.yaml"""


def _command(arguments: list[str] | None) -> int:
    options = _parser().parse_args(arguments)
    board = Board.from_options(options)
    out, name = options.out, options.name or options.out.stem
    if out.suffix not in ('.yaml', '.yml'):
        raise ConfigError('arguments', '--out', str(out), 'a name that ends in .yaml')
    if options.topic or options.source:
        if options.images:
            raise ConfigError('arguments', 'IMAGES', 'images and a camera', 'one of them')
        files = list(_collected(options, board, out.with_name(f'{out.stem}_images')))
    elif options.images:
        files = image_files(options.images)
    else:
        raise ConfigError('arguments', '', 'nothing to read', 'IMAGES, --source or --topic')
    with terminal.working() as show:
        show('looking for the board')
        found = read_views(files, board)
        show(f'fitting {len(found.views)} views')
        result = calibrate(found, board, options.model)
    write_calibration(out, name, result.calibration, *result.size)
    picture = out.with_suffix('.png')
    draw(picture, name, result)
    if options.json:
        numbers = asdict(result.calibration) | {
            'width': result.size[0], 'height': result.size[1], 'residual_px': result.residual,
            'held_out_px': result.held_out, 'focal_spread': result.focal_spread,
            'covered': result.covered, 'views': len(result.views),
            'left_out': list(result.left_out), 'missed': found.missed,
        }  # fmt: skip
        print(json.dumps(numbers))
        return 0
    print('\n'.join([*lines_of(found.missed), *summary(name, result)]))
    print(f'written: {out} (parameter calibration of the camera), {picture}')
    return 0


def _collected(options: argparse.Namespace, board: Board, folder: Path) -> Iterator[Path]:
    """Images of a camera, written to a folder; Ctrl-C ends collecting."""
    from vla_camera.calibration.live import collect, source_images, topic_images

    if options.topic:
        images = topic_images(options.topic)
    else:
        size = (options.width, options.height)
        images = source_images(options.source, options.device, size, options.rate)
    print(f'show {board}; Ctrl-C ends collecting. Images: {folder}', file=sys.stderr)
    with closing(images), terminal.working() as show:
        try:
            collect(images, board, folder, options.views, show)
        except KeyboardInterrupt:
            pass
    yield from image_files([folder])


def _parser() -> argparse.ArgumentParser:
    parser = terminal.parser(
        'vla_camera calibrate',
        'Intrinsics of a camera from images of a ChArUco board, as camera_calibration writes them.',
        EXAMPLES,
    )
    parser.add_argument('images', type=Path, nargs='*', metavar='IMAGES', help='files or folders')
    camera = parser.add_argument_group('live')
    camera.add_argument('--topic', default='', help='color images, raw or …/compressed')
    camera.add_argument('--source', default='', help='v4l2, realsense, rtsp, replay')
    camera.add_argument('--device', default='', help='as the parameter of the camera node')
    for name in ('width', 'height'):
        camera.add_argument(f'--{name}', type=terminal.not_negative, default=0, help='px')
    camera.add_argument('--rate', type=terminal.at_least_zero, default=0.0, help='Hz')
    camera.add_argument(
        '--views', type=terminal.positive, default=40, help='at most (default: %(default)s)'
    )
    parser.add_argument('--model', choices=FLAGS, default='plumb_bob', help='equidistant: fisheye')
    parser.add_argument('--out', type=Path, default=Path('camera.yaml'), help='(%(default)s)')
    parser.add_argument('--name', default='', help='of the camera (default: name of the file)')
    parser.add_argument('--json', action='store_true', help='the numbers as JSON')
    add_board_options(parser)
    return parser


def main(arguments: list[str] | None = None) -> int:
    return terminal.guarded(_command, arguments)


if __name__ == '__main__':
    sys.exit(main())

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_camera list`: which camera is plugged in where, and what it sees."""

import sys
from pathlib import Path

import cv2

from vla_camera.source import CameraError, DeviceMissingError
from vla_camera.sources.realsense import import_realsense
from vla_camera.sources.v4l2 import V4l2Source
from vla_camera.v4l2.device import System, VideoDevice
from vla_camera.v4l2.discovery import DEV, device_paths, links, offer
from vla_common import terminal


def video_lines(pictures: Path | None, dev: Path, system: System | None) -> list[str]:
    """Lines about the Video4Linux devices, each picture written to its folder."""
    lines = []
    names: dict[str, list[str]] = {}
    for name, path in links(dev).items():
        names.setdefault(path, []).append(name)
    for path in device_paths(dev):
        try:
            video = VideoDevice(path, system)
        except OSError as error:
            lines.append(f'{path}: {error.strerror}')
            continue
        try:
            if not video.captures:
                continue
            known = names.get(str(Path(path).resolve()), [path])
            lines += [f'{path}: {video.card}, {video.bus}', f'  offers {offer(video.modes())}']
            lines += [f'  cameras:=NAME:v4l2:{name}' for name in known]
            lines += [f'  control {name}: {c}' for name, c in video.controls().items()]
        except OSError as error:
            lines.append(f'  {error.strerror}')
            continue
        finally:
            video.close()
        if pictures is not None:
            lines.append(f'  {_picture(path, pictures, dev, system)}')
    return lines


def realsense_lines() -> list[str]:
    """Lines about the RealSense cameras, where librealsense is installed."""
    try:
        rs = import_realsense()
        devices = list(rs.context().query_devices())
    except (DeviceMissingError, RuntimeError) as error:
        return [f'RealSense: not listed, {error}']
    info = rs.camera_info
    if not devices:
        return ['no RealSense connected']
    return [
        f'{d.get_info(info.name)}: cameras:=NAME:realsense:{d.get_info(info.serial_number)}'
        for d in devices
    ]


def _picture(path: str, folder: Path, dev: Path, system: System | None) -> str:
    """Write one image of the device; where it is, or why there is none."""
    source = V4l2Source(path, 0, 0, 0.0, system, dev)
    try:
        source.open()
        frame = next((f for _ in range(20) if (f := source.grab(0.2)) is not None), None)
    except CameraError as error:
        return f'no picture: {error}'
    finally:
        source.close()
    if frame is None:
        return 'no picture: no frame came within 4 s'
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f'{Path(path).name}.jpg'
    cv2.imwrite(str(file), cv2.cvtColor(frame.color, cv2.COLOR_RGB2BGR))
    return f'picture {file}'


def _command(arguments: list[str] | None, dev: Path = DEV, system: System | None = None) -> int:
    parser = terminal.parser(
        'vla_camera list',
        'List the cameras of this machine, as the launch argument cameras names them.',
        'example:\n  ros2 run vla_camera list --pictures /tmp/cameras',
    )
    parser.add_argument('--pictures', type=Path, help='folder for one image of each (Video4Linux)')
    options = parser.parse_args(arguments)
    found = video_lines(options.pictures, dev, system)
    lines = [*(found or [f'no video device in {dev}']), *realsense_lines()]
    print('\n'.join(lines))
    return 0 if found else 1


def main(arguments: list[str] | None = None) -> int:
    return terminal.guarded(_command, arguments)


if __name__ == '__main__':
    sys.exit(main())

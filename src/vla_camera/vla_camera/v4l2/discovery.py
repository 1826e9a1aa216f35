# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Which device is meant, and which mode of it."""

import os
from collections.abc import Sequence
from pathlib import Path

from vla_camera.v4l2.device import Mode
from vla_camera.v4l2.pixels import GREY, PIXELS

DEV = Path('/dev')
ORDER = (*PIXELS, GREY)
USUAL_RATE = 30.0  # Hz, where none is requested


class NoDeviceError(LookupError):
    """No device, or several, for a name; the text says which there are."""


def links(dev: Path = DEV) -> dict[str, str]:
    """The permanent names, by-id/… first, each with the present device path."""
    found = {}
    for folder in ('by-id', 'by-path'):
        for link in sorted((dev / 'v4l' / folder).glob('*')):
            found[f'{folder}/{link.name}'] = str(link.resolve())
    return found


def device_paths(dev: Path = DEV) -> list[str]:
    """/dev/video*, by number."""
    numbered = [p for p in dev.glob('video*') if p.name.removeprefix('video').isdigit()]
    return [str(p) for p in sorted(numbered, key=lambda p: int(p.name.removeprefix('video')))]


def resolve(device: str, dev: Path = DEV) -> str:
    """Path of the device: an index, a path, by-id/…, by-path/…, or a part of one by-id name, as
    its serial number. '' is the first. Raises NoDeviceError."""
    paths, named = device_paths(dev), links(dev)
    if not device:
        if paths:
            return paths[0]
    elif device.isdigit():
        if (path := str(dev / f'video{device}')) in paths:
            return path
    elif device.startswith('/'):
        if os.path.exists(device):
            return os.path.realpath(device)
    elif device in named:
        return named[device]
    else:
        # Of the nodes of one camera the first has the pictures, the others metadata.
        fits = [name for name in named if name.startswith('by-id/') and device in name]
        first = [name for name in fits if name.endswith('-video-index0')] or fits
        if len(first) > 1:
            raise NoDeviceError(f'{device} fits {" and ".join(first)}')
        if first:
            return named[first[0]]
    known = [name for name in named if name.startswith('by-id/')] or paths
    raise NoDeviceError(f'no video device {device or ""}; connected: {", ".join(known) or "none"}')


def choose(
    modes: Sequence[Mode], present: Mode, width: int, height: int, rate: float
) -> Mode | None:
    """The offered mode that is nearest to the request, None if no format can be read.

    The size counts first, then the rate, then the cost of the format. 0: the present size; the
    rate up to `USUAL_RATE`.
    """
    width, height = width or present.width, height or present.height
    wanted = rate or USUAL_RATE
    readable = [mode for mode in modes if mode.pixels in PIXELS]
    readable = readable or [mode for mode in modes if mode.pixels == GREY]

    def cost(mode: Mode) -> tuple[float, float, int]:
        size = abs(mode.width - width) + abs(mode.height - height)
        return size, max(0.0, wanted - (mode.rate or wanted)), ORDER.index(mode.pixels)

    best = min(readable, key=cost, default=None)
    if best is None:
        return None
    return Mode(best.pixels, best.width, best.height, min(best.rate, wanted) if best.rate else rate)


def offer(modes: Sequence[Mode]) -> str:
    """The largest modes of a device, for the operator."""
    ordered = sorted(modes, key=lambda m: (-m.width * m.height, -m.rate))
    return ', '.join(str(mode) for mode in ordered[:6]) or 'nothing'

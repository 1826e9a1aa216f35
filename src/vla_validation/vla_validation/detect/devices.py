# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Devices of this computer, by the kernel's files below a root folder (`/`). Nothing is opened."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_VENDORS = {'0x10de': 'NVIDIA', '0x1002': 'AMD', '0x8086': 'Intel'}


@dataclass(frozen=True)
class UsbDevice:
    """port: where it is plugged in, as 1-2.3. vendor, product: four hexadecimal digits."""

    port: str
    vendor: str
    product: str
    name: str
    serial: str

    @property
    def kind(self) -> str:
        return f'{self.vendor}:{self.product}'


@dataclass(frozen=True)
class SerialPort:
    """names: permanent ones in /dev/serial, by-id before by-path. usb: None for a port on board."""

    path: str
    names: tuple[str, ...]
    usb: UsbDevice | None


@dataclass(frozen=True)
class VideoNode:
    """names: as `cameras:=NAME:v4l2:` takes them, by-id before by-path."""

    path: str
    card: str
    names: tuple[str, ...]
    usb: UsbDevice | None


@dataclass(frozen=True)
class Interface:
    """addresses: IPv4. up: with a carrier."""

    name: str
    up: bool
    wireless: bool
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Devices:
    """All of them. topics: on the ROS graph, with their types; None: not looked at."""

    usb: tuple[UsbDevice, ...] = ()
    serial: tuple[SerialPort, ...] = ()
    video: tuple[VideoNode, ...] = ()
    network: tuple[Interface, ...] = ()
    gpus: tuple[str, ...] = ()
    topics: Mapping[str, tuple[str, ...]] | None = None

    def to_dict(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)


def _text(path: Path) -> str:
    try:
        text = path.read_text(encoding='utf-8', errors='replace')
    except OSError:
        return ''
    return ''.join(c for c in text.strip() if c.isprintable())


def _usb(folder: Path) -> UsbDevice:
    read = lambda name: _text(folder / name)  # noqa: E731
    name = ' '.join(filter(None, (read('manufacturer'), read('product'))))
    return UsbDevice(folder.name, read('idVendor'), read('idProduct'), name, read('serial'))


def _usb_above(device: Path) -> UsbDevice | None:
    """The USB device that a class device belongs to."""
    try:
        real = device.resolve(strict=True)
    except OSError:
        return None
    return next((_usb(p) for p in (real, *real.parents) if (p / 'idVendor').is_file()), None)


def _links(root: Path, folder: str) -> dict[str, list[str]]:
    """Name of a device node -> its permanent names, as by-id/…, by-path/…."""
    found: dict[str, list[str]] = {}
    for kind in ('by-id', 'by-path'):
        for link in sorted((root / 'dev' / folder / kind).glob('*')):
            found.setdefault(link.resolve().name, []).append(f'{kind}/{link.name}')
    return found


def _children(folder: Path, pattern: str = '*') -> list[Path]:
    return sorted(folder.glob(pattern), key=lambda p: (len(p.name), p.name))


def read_devices(
    root: Path,
    addresses: Mapping[str, tuple[str, ...]] | None = None,
    topics: Mapping[str, tuple[str, ...]] | None = None,
) -> Devices:
    """addresses: IPv4 by interface, which the files do not have."""
    system = root / 'sys'
    ports, video = _links(root, 'serial'), _links(root, 'v4l')
    usb = [d for d in _children(system / 'bus/usb/devices') if (d / 'idVendor').is_file()]
    tty = _children(system / 'class/tty', 'ttyUSB*') + _children(system / 'class/tty', 'ttyACM*')
    return Devices(
        usb=tuple(_usb(d) for d in usb if not d.name.startswith('usb')),  # not the hubs on board
        serial=tuple(
            SerialPort(f'/dev/{d.name}', tuple(ports.get(d.name, ())), _usb_above(d / 'device'))
            for d in tty
        ),
        video=tuple(
            VideoNode(
                f'/dev/{d.name}',
                _text(d / 'name'),
                tuple(video.get(d.name, ())),
                _usb_above(d / 'device'),
            )
            for d in _children(system / 'class/video4linux', 'video*')
            if _text(d / 'index') in ('0', '')  # the others of a camera are metadata
        ),
        network=tuple(
            Interface(
                d.name,
                _text(d / 'carrier') == '1',
                (d / 'wireless').exists(),
                tuple((addresses or {}).get(d.name, ())),
            )
            for d in _children(system / 'class/net')
            if d.name != 'lo'
        ),
        gpus=_gpus(root),
        topics=topics,
    )


def _gpus(root: Path) -> tuple[str, ...]:
    found = [
        line.partition(':')[2].strip()
        for file in _children(root / 'proc/driver/nvidia/gpus', '*/information')
        for line in file.read_text(encoding='utf-8', errors='replace').splitlines()
        if line.startswith('Model:')
    ]
    if (root / 'etc/nv_tegra_release').exists():
        found.append(f'NVIDIA Jetson ({_text(root / "proc/device-tree/model")})')
    cards = {_text(d / 'device/vendor') for d in _children(root / 'sys/class/drm', 'card[0-9]')}
    named = {name for text in found for name in _VENDORS.values() if name in text}
    others = sorted(_VENDORS[v] for v in cards & _VENDORS.keys() if _VENDORS[v] not in named)
    return (*found, *others)

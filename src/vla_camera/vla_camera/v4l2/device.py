# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""One capture device: what it offers, and its stream of frames. Every wait is bounded."""

import errno
import fcntl
import mmap
import os
import re
import select
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vla_camera.v4l2 import abi

BUFFERS = 4
CONTROLS_LISTED = 256
SIZES_LISTED = 64  # a driver that enumerates without end is not followed further


class System:
    """The kernel's calls; tests replace it with a device that misbehaves."""

    def open(self, path: str) -> int:
        return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def close(self, fd: int) -> None:
        os.close(fd)

    def ioctl(self, fd: int, request: int, argument: Any) -> None:
        fcntl.ioctl(fd, request, argument, True)

    def map(self, fd: int, length: int, offset: int) -> Any:
        return mmap.mmap(fd, length, offset=offset)

    def wait(self, fd: int, timeout: float) -> bool:
        """Whether a frame can be taken, or the device has something to report."""
        readable, _, wrong = select.select([fd], [], [fd], timeout)
        return bool(readable or wrong)


@dataclass(frozen=True)
class Mode:
    """Pixel format, size (px) and rate (Hz, 0 unknown)."""

    pixels: str
    width: int
    height: int
    rate: float

    def __str__(self) -> str:
        return f'{self.pixels} {self.width} x {self.height} at {self.rate:.3g} Hz'


@dataclass(frozen=True)
class Control:
    """A setting of the device. inactive: another one, such as an automatic, has it in hand."""

    id: int
    lowest: int
    highest: int
    step: int
    usual: int
    inactive: bool

    def __str__(self) -> str:
        step = f' in steps of {self.step}' if self.step > 1 else ''
        return f'{self.lowest} to {self.highest}{step} (usual {self.usual})'


@dataclass(frozen=True)
class RawFrame:
    """stamp_ns: CLOCK_MONOTONIC at capture, None where the driver does not stamp with it. skipped:
    older frames that waited beside this one."""

    content: bytes
    sequence: int
    stamp_ns: int | None
    intact: bool
    skipped: int


class VideoDevice:
    """An open device. Raises OSError as the kernel does: ENODEV is an unplugged one."""

    def __init__(self, path: str, system: System | None = None) -> None:
        self._system = system or System()
        self._maps: list[Any] = []
        self._fd = self._system.open(path)
        try:
            capability = abi.Capability()
            self._call(abi.QUERYCAP, capability)
        except OSError:
            self.close()
            raise
        self.card = capability.card.decode('utf-8', 'replace')
        self.bus = capability.bus_info.decode('utf-8', 'replace')
        own = capability.capabilities & abi.HAS_DEVICE_CAPS
        can = capability.device_caps if own else capability.capabilities
        self.captures = can & abi.CAN_CAPTURE and can & abi.CAN_STREAM

    def modes(self) -> list[Mode]:
        """What the device offers, each size at its highest rate; of a range of sizes the limits and
        the present one."""
        return [
            Mode(abi.fourcc_text(pixels), width, height, self._highest_rate(pixels, width, height))
            for pixels in self._formats()
            for width, height in self._sizes(pixels)
        ]

    def present(self) -> Mode:
        """The format and rate that are set."""
        form = self._format(abi.G_FMT, abi.Format())
        parameters = abi.StreamParameters(type=abi.CAPTURE)
        rate = 0.0
        try:
            self._call(abi.G_PARM, parameters)
            if parameters.numerator:
                rate = parameters.denominator / parameters.numerator
        except OSError as error:
            if error.errno not in (errno.ENOTTY, errno.EINVAL):  # not every driver has it
                raise
        return Mode(abi.fourcc_text(form.pixelformat), form.width, form.height, rate)

    def start(self, wanted: Mode) -> Mode:
        """Set a mode, and stream. The mode that the device chose instead, where it did."""
        form = abi.Format()
        form.fmt.pix.width, form.fmt.pix.height = wanted.width, wanted.height
        form.fmt.pix.pixelformat = abi.fourcc(wanted.pixels.ljust(4))
        form.fmt.pix.field = 1  # V4L2_FIELD_NONE
        chosen = self._format(abi.S_FMT, form)
        self.bytes_per_line = chosen.bytesperline
        if wanted.rate:
            parameters = abi.StreamParameters(type=abi.CAPTURE, numerator=1000)
            parameters.denominator = round(1000 * wanted.rate)
            try:
                self._call(abi.S_PARM, parameters)
            except OSError as error:
                if error.errno not in (errno.ENOTTY, errno.EINVAL):
                    raise
        present = self.present()
        request = abi.RequestBuffers(count=BUFFERS, type=abi.CAPTURE, memory=abi.MMAP)
        self._call(abi.REQBUFS, request)
        for index in range(request.count):
            buffer = self._buffer(index)
            self._call(abi.QUERYBUF, buffer)
            self._maps.append(self._system.map(self._fd, buffer.length, buffer.m.offset))
            self._call(abi.QBUF, self._buffer(index))
        self._call(abi.STREAMON, abi.c_uint32(abi.CAPTURE))
        return present

    def controls(self) -> dict[str, Control]:
        """What can be set, by the names that v4l2-ctl uses."""
        found: dict[str, Control] = {}
        entry = abi.QueryControl(id=abi.NEXT_CONTROL)
        for _ in range(CONTROLS_LISTED):
            try:
                self._call(abi.QUERYCTRL, entry)
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.ENOTTY):  # the end; or it has none
                    raise
                break
            blocked = abi.CONTROL_DISABLED | abi.CONTROL_READ_ONLY
            if entry.type in abi.WHOLE_NUMBERS and not entry.flags & blocked:
                name = re.sub('[^a-z0-9]+', '_', entry.name.decode('utf-8', 'replace').lower())
                found[name.strip('_')] = Control(
                    entry.id, entry.minimum, entry.maximum, max(1, entry.step),
                    entry.default_value, bool(entry.flags & abi.CONTROL_INACTIVE),
                )  # fmt: skip
            entry = abi.QueryControl(id=entry.id | abi.NEXT_CONTROL)
        return found

    def set_control(self, control: Control, value: int) -> int:
        """The value that the device then has."""
        self._call(abi.S_CTRL, abi.Control(control.id, value))
        now = abi.Control(control.id)
        self._call(abi.G_CTRL, now)
        return now.value

    def take(self, timeout: float) -> RawFrame | None:
        """The newest frame, None if there is none within timeout s; older ones are dropped."""
        if not self._system.wait(self._fd, timeout):
            return None
        newest, skipped = self._dequeue(), 0
        while newest is not None and (later := self._dequeue()) is not None:
            self._call(abi.QBUF, self._buffer(newest.index))
            newest, skipped = later, skipped + 1
        if newest is None:
            return None
        content = bytes(self._maps[newest.index][: newest.bytesused])
        monotonic = newest.flags & abi.TIMESTAMP_MASK == abi.TIMESTAMP_MONOTONIC
        stamp_ns = newest.seconds * 10**9 + newest.microseconds * 1000
        intact = bool(content) and not newest.flags & abi.FLAG_ERROR
        self._call(abi.QBUF, self._buffer(newest.index))
        return RawFrame(content, newest.sequence, stamp_ns if monotonic else None, intact, skipped)

    def close(self) -> None:
        """Idempotent; a device that is gone is closed all the same."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        try:
            self._system.ioctl(fd, abi.STREAMOFF, abi.c_uint32(abi.CAPTURE))
        except OSError:
            pass  # unplugged, or never streamed
        while self._maps:
            self._maps.pop().close()
        self._system.close(fd)

    def _call(self, request: int, argument: Any) -> None:
        self._system.ioctl(self._fd, request, argument)

    def _dequeue(self) -> abi.Buffer | None:
        buffer = self._buffer(0)
        try:
            self._call(abi.DQBUF, buffer)
        except BlockingIOError:
            return None
        return buffer

    def _buffer(self, index: int) -> abi.Buffer:
        return abi.Buffer(index=index, type=abi.CAPTURE, memory=abi.MMAP)

    def _format(self, request: int, form: abi.Format) -> abi.PixelFormat:
        form.type = abi.CAPTURE
        self._call(request, form)
        return form.fmt.pix

    def _enumerate(self, request: int, kind: type, **given: int) -> Iterator[Any]:
        for index in range(SIZES_LISTED):
            entry = kind(index=index, **given)
            try:
                self._call(request, entry)
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.ENOTTY):  # the end; or it has no list
                    raise
                return
            yield entry

    def _formats(self) -> list[int]:
        found = self._enumerate(abi.ENUM_FMT, abi.FormatDescription, type=abi.CAPTURE)
        return [entry.pixelformat for entry in found]

    def _sizes(self, pixels: int) -> list[tuple[int, int]]:
        present = self.present()
        sizes = []
        for entry in self._enumerate(abi.ENUM_FRAMESIZES, abi.FrameSize, pixelformat=pixels):
            v = entry.values
            if entry.type == abi.DISCRETE:
                sizes.append((v[0], v[1]))
                continue
            sizes += [(v[0], v[3]), (v[1], v[4]), (present.width, present.height)]
            break
        return sizes or [(present.width, present.height)]

    def _highest_rate(self, pixels: int, width: int, height: int) -> float:
        size = {'pixelformat': pixels, 'width': width, 'height': height}
        rates = [
            entry.values[1] / entry.values[0]
            for entry in self._enumerate(abi.ENUM_FRAMEINTERVALS, abi.FrameInterval, **size)
            if entry.values[0]
        ]
        return max(rates, default=0.0)

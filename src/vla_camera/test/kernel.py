# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A double of the kernel's Video4Linux, with a camera that misbehaves.

It keeps to the protocol of the documentation (buffers are queued before they are filled, EAGAIN
without a frame, ENODEV once unplugged), so that a wrong order of calls fails here too.
"""

import errno
import os
import time

import cv2
import numpy as np

from vla_camera.v4l2 import abi

MODES = {
    'YUYV': {(64, 48): [100, 10], (128, 96): [10]},
    'MJPG': {(64, 48): [100], (128, 96): [100]},
}
BYTES = {'YUYV': 2, 'UYVY': 2, 'NV12': 1, 'RGB3': 3, 'BGR3': 3, 'GREY': 1}


class Mapping:
    def __init__(self, content: bytearray) -> None:
        self.content, self.closed = content, False

    def __getitem__(self, part):
        assert not self.closed
        return self.content[part]

    def close(self) -> None:
        self.closed = True


class Kernel:
    """dev: its /dev. rate: Hz at which frames really come, whatever is set. Faults: unplugged_in
    names the call ('open', 'wait', 'dequeue') in which the camera goes."""

    def __init__(self, dev, modes=MODES, card='Double', serial='SN1', rate=100.0) -> None:
        self.dev, self.modes, self.card, self.serial, self.rate = dev, modes, card, serial, rate
        self.number = 0
        self.unplugged_in = ''
        self.present = False
        self.busy = self.frozen = self.silent = self.cut_off = self.metadata = False
        self.same_sequence = False
        self.other_size = None
        self.monotonic = True
        self.late_ns = 0
        self.opened = self.closed = 0
        self.red = 0
        self.controls = {
            0x0098_0900: ('Brightness', 1, 0, 255, 1, 128),
            0x009A_0901: ('Auto Exposure', 3, 0, 3, 1, 3),
            0x009A_0902: ('Exposure Time, Absolute', 1, 50, 10000, 50, 150),
            0x009A_0999: ('Camera Controls', 6, 0, 0, 0, 0),
        }
        self.values = {number: control[5] for number, control in self.controls.items()}
        self.stubborn = False
        self.gap = 1
        (dev / 'v4l' / 'by-id').mkdir(parents=True, exist_ok=True)
        self.plug(0)

    # -- what a test does ------------------------------------------------------------------------

    def plug(self, number: int) -> None:
        self.number, self.present, self.unplugged_in = number, True, ''
        (self.dev / f'video{number}').touch()
        self.link.symlink_to(f'../../video{number}')

    def unplug(self) -> None:
        self.present = False
        (self.dev / f'video{self.number}').unlink()
        self.link.unlink()

    @property
    def link(self):
        return self.dev / 'v4l' / 'by-id' / f'usb-{self.card}_{self.serial}-video-index0'

    # -- System ----------------------------------------------------------------------------------

    def open(self, path: str) -> int:
        self._maybe_unplug('open')
        if not self.present or not path.endswith(f'video{self.number}'):
            self._raise(errno.ENOENT)
        if self.busy:
            self._raise(errno.EBUSY)
        self.opened += 1
        self.form, self.rate_set = ['YUYV', 64, 48], 10
        self.streaming, self.queued, self.filled, self.buffers = False, [], [], []
        self.sequence, self.next = 0, 0.0
        return 77

    def close(self, fd: int) -> None:
        assert fd == 77
        self.closed += 1

    def map(self, fd: int, length: int, offset: int) -> Mapping:
        mapping = Mapping(bytearray(length))
        self.buffers[offset // 4096] = mapping
        return mapping

    def wait(self, fd: int, timeout: float) -> bool:
        self._maybe_unplug('wait')
        deadline = time.monotonic() + timeout
        while True:
            self._fill()
            if self.filled or not self.present:
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(min(0.002, timeout))

    def ioctl(self, fd: int, request: int, argument) -> None:
        if request == abi.DQBUF:
            self._maybe_unplug('dequeue')
        if not self.present:
            self._raise(errno.ENODEV)
        {
            abi.QUERYCAP: self._querycap,
            abi.ENUM_FMT: self._enum_fmt,
            abi.ENUM_FRAMESIZES: self._enum_sizes,
            abi.ENUM_FRAMEINTERVALS: self._enum_intervals,
            abi.QUERYCTRL: self._query_control,
            abi.G_CTRL: self._get_control,
            abi.S_CTRL: self._set_control,
            abi.G_FMT: self._get_format,
            abi.S_FMT: self._set_format,
            abi.G_PARM: self._get_parameters,
            abi.S_PARM: self._set_parameters,
            abi.REQBUFS: self._request_buffers,
            abi.QUERYBUF: self._query_buffer,
            abi.QBUF: self._queue,
            abi.DQBUF: self._dequeue,
            abi.STREAMON: self._stream_on,
            abi.STREAMOFF: self._stream_off,
        }[request](argument)

    # -- inside ----------------------------------------------------------------------------------

    def _raise(self, number: int) -> None:
        raise OSError(number, os.strerror(number))

    def _maybe_unplug(self, where: str) -> None:
        if self.unplugged_in == where:
            self.unplug()
            self.unplugged_in = ''
            self._raise(errno.ENODEV)

    def _querycap(self, a) -> None:
        a.card, a.bus_info = self.card.encode(), b'usb-0000:00:14.0-1'
        a.capabilities = abi.CAN_CAPTURE | abi.CAN_STREAM | abi.HAS_DEVICE_CAPS
        a.device_caps = 0x0080_0000 if self.metadata else abi.CAN_CAPTURE | abi.CAN_STREAM

    def _nth(self, items, index: int):
        items = list(items)
        if index >= len(items):
            self._raise(errno.EINVAL)
        return items[index]

    def _enum_fmt(self, a) -> None:
        a.pixelformat = abi.fourcc(self._nth(self.modes, a.index))

    def _enum_sizes(self, a) -> None:
        sizes = self.modes[abi.fourcc_text(a.pixelformat)]
        a.type, (a.values[0], a.values[1]) = abi.DISCRETE, self._nth(sizes, a.index)

    def _enum_intervals(self, a) -> None:
        rates = self.modes[abi.fourcc_text(a.pixelformat)].get((a.width, a.height), [])
        a.type, (a.values[0], a.values[1]) = abi.DISCRETE, (1, self._nth(rates, a.index))

    def _query_control(self, a) -> None:
        assert a.id & abi.NEXT_CONTROL
        after = [n for n in sorted(self.controls) if n > a.id & ~abi.NEXT_CONTROL]
        a.id = self._nth(after, 0)
        name, a.type, a.minimum, a.maximum, a.step, a.default_value = self.controls[a.id]
        a.name = name.encode()
        automatic = self.values[0x009A_0901] == 3
        a.flags = abi.CONTROL_INACTIVE if a.id == 0x009A_0902 and automatic else 0

    def _get_control(self, a) -> None:
        a.value = self.values[a.id]

    def _set_control(self, a) -> None:
        if not self.stubborn:
            self.values[a.id] = a.value

    def _get_format(self, a) -> None:
        pix = a.fmt.pix
        pix.pixelformat, pix.width, pix.height = abi.fourcc(self.form[0]), *self.form[1:]
        pix.bytesperline = BYTES[self.form[0]] * pix.width + 8 if self.form[0] in BYTES else 0

    def _set_format(self, a) -> None:
        assert not self.buffers, 'S_FMT with buffers is EBUSY'
        pix = a.fmt.pix
        pixels, size = abi.fourcc_text(pix.pixelformat), (pix.width, pix.height)
        if pixels in self.modes:
            sizes = self.modes[pixels]
            self.form = [pixels, *(size if size in sizes else next(iter(sizes)))]
        self._get_format(a)

    def _get_parameters(self, a) -> None:
        a.numerator, a.denominator = 1, int(self.rate_set)

    def _set_parameters(self, a) -> None:
        wanted = a.denominator / a.numerator
        rates = self.modes[self.form[0]][tuple(self.form[1:])]
        self.rate_set = min(rates, key=lambda rate: abs(rate - wanted))
        self._get_parameters(a)

    def _request_buffers(self, a) -> None:
        self.buffers = [None] * a.count

    def _query_buffer(self, a) -> None:
        a.length, a.m.offset = 64 * 1024, 4096 * a.index

    def _queue(self, a) -> None:
        assert self.buffers[a.index] is not None and not self.buffers[a.index].closed
        assert a.index not in self.queued
        self.queued.append(a.index)

    def _stream_on(self, a) -> None:
        assert a.value == abi.CAPTURE and self.queued
        self.streaming, self.next = True, time.monotonic()

    def _stream_off(self, a) -> None:
        self.streaming, self.queued, self.filled = False, [], []

    def _dequeue(self, a) -> None:
        self._fill()
        if not self.filled:
            self._raise(errno.EAGAIN)
        a.index, a.bytesused, a.sequence, stamp = self.filled.pop(0)
        a.flags = abi.TIMESTAMP_MONOTONIC if self.monotonic else 0
        a.seconds, a.microseconds = stamp // 10**9, stamp % 10**9 // 1000

    def _fill(self) -> None:
        """The frames whose time has come, as long as there are buffers."""
        while self.streaming and not self.silent and time.monotonic() >= self.next:
            self.next += 1.0 / self.rate
            if not self.same_sequence:
                self.sequence += self.gap
            if not self.frozen:
                self.red = (self.red + 1) % 250
            if not self.queued:
                continue  # lost in the driver: the sequence goes on
            index, content = self.queued.pop(0), self._content()
            self.buffers[index].content[: len(content)] = content
            stamp = time.monotonic_ns() - self.late_ns
            self.filled.append((index, len(content), self.sequence, stamp))

    def _content(self) -> bytes:
        pixels, width, height = self.form
        if self.other_size:
            width, height = self.other_size
        rgb = np.zeros((height, width, 3), np.uint8)
        rgb[..., 0], rgb[: height // 2, :, 1] = 200, self.red
        if pixels == 'MJPG':
            jpeg = cv2.imencode('.jpg', rgb[..., ::-1])[1].tobytes()
            return jpeg[: len(jpeg) // 2] if self.cut_off else jpeg + bytes(7)
        y, v, u = np.moveaxis(cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb).astype(float), 2, 0)
        y, u, v = 16 + 219 / 255 * y, 128 + 224 / 255 * (u - 128), 128 + 224 / 255 * (v - 128)
        chroma = np.stack([u[:, ::2], v[:, ::2]], 2).reshape(height, width)
        rows = {
            'YUYV': lambda: np.stack([y, chroma], 2),
            'UYVY': lambda: np.stack([chroma, y], 2),
            'NV12': lambda: np.concatenate([y, chroma[::2]]),
            'RGB3': lambda: rgb,
            'BGR3': lambda: rgb[..., ::-1],
            'GREY': lambda: y,
        }[pixels]()
        rows = np.rint(rows).astype(np.uint8).reshape(rows.shape[0], -1)
        rows = np.pad(rows, ((0, 0), (0, 8)))
        return rows.tobytes()[: 200 if self.cut_off else None]

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Structures and request numbers of <linux/videodev2.h>, as far as streaming needs them."""

from ctypes import Structure, Union, c_char, c_int32, c_long, c_uint8, c_uint32, c_void_p, sizeof

CAPTURE = 1  # V4L2_BUF_TYPE_VIDEO_CAPTURE
MMAP = 1  # V4L2_MEMORY_MMAP
CAN_CAPTURE, CAN_STREAM, HAS_DEVICE_CAPS = 0x1, 0x0400_0000, 0x8000_0000
FLAG_ERROR, TIMESTAMP_MASK, TIMESTAMP_MONOTONIC = 0x40, 0xE000, 0x2000
NEXT_CONTROL = 0x8000_0000  # with an id: the one after it
CONTROL_DISABLED, CONTROL_READ_ONLY, CONTROL_INACTIVE = 0x1, 0x4, 0x10
WHOLE_NUMBERS = (1, 2, 3, 9)  # types of controls: integer, boolean, menu, menu of integers
DISCRETE = 1  # V4L2_FRMSIZE_TYPE_DISCRETE and V4L2_FRMIVAL_TYPE_DISCRETE


class Capability(Structure):
    _fields_ = [
        ('driver', c_char * 16),
        ('card', c_char * 32),
        ('bus_info', c_char * 32),
        ('version', c_uint32),
        ('capabilities', c_uint32),
        ('device_caps', c_uint32),
        ('reserved', c_uint32 * 3),
    ]


class FormatDescription(Structure):
    _fields_ = [
        ('index', c_uint32),
        ('type', c_uint32),
        ('flags', c_uint32),
        ('description', c_char * 32),
        ('pixelformat', c_uint32),
        ('mbus_code', c_uint32),
        ('reserved', c_uint32 * 3),
    ]


class PixelFormat(Structure):
    _fields_ = [
        (name, c_uint32)
        for name in (
            'width', 'height', 'pixelformat', 'field', 'bytesperline', 'sizeimage', 'colorspace',
            'priv', 'flags', 'ycbcr_enc', 'quantization', 'xfer_func',
        )
    ]  # fmt: skip


class _AnyFormat(Union):
    # Another member holds pointers, which set the alignment.
    _fields_ = [('pix', PixelFormat), ('raw', c_uint8 * 200), ('pointer', c_void_p)]


class Format(Structure):
    _fields_ = [('type', c_uint32), ('fmt', _AnyFormat)]


class RequestBuffers(Structure):
    _fields_ = [
        ('count', c_uint32),
        ('type', c_uint32),
        ('memory', c_uint32),
        ('capabilities', c_uint32),
        ('flags', c_uint8),
        ('reserved', c_uint8 * 3),
    ]


class _Memory(Union):
    _fields_ = [('offset', c_uint32), ('pointer', c_void_p)]


class Buffer(Structure):
    _fields_ = [
        ('index', c_uint32),
        ('type', c_uint32),
        ('bytesused', c_uint32),
        ('flags', c_uint32),
        ('field', c_uint32),
        ('seconds', c_long),
        ('microseconds', c_long),
        ('timecode', c_uint32 * 4),
        ('sequence', c_uint32),
        ('memory', c_uint32),
        ('m', _Memory),
        ('length', c_uint32),
        ('reserved2', c_uint32),
        ('request_fd', c_uint32),
    ]


class StreamParameters(Structure):
    _fields_ = [
        ('type', c_uint32),
        ('capability', c_uint32),
        ('capturemode', c_uint32),
        ('numerator', c_uint32),  # of the time per frame, s
        ('denominator', c_uint32),
        ('rest', c_uint8 * 184),
    ]


class FrameSize(Structure):
    """values: width and height where discrete, else min, max, step of the width, of the height."""

    _fields_ = [
        ('index', c_uint32),
        ('pixelformat', c_uint32),
        ('type', c_uint32),
        ('values', c_uint32 * 6),
        ('reserved', c_uint32 * 2),
    ]


class FrameInterval(Structure):
    """values: numerator and denominator (s), where not discrete of the shortest one first."""

    _fields_ = [
        ('index', c_uint32),
        ('pixelformat', c_uint32),
        ('width', c_uint32),
        ('height', c_uint32),
        ('type', c_uint32),
        ('values', c_uint32 * 6),
        ('reserved', c_uint32 * 2),
    ]


class QueryControl(Structure):
    _fields_ = [
        ('id', c_uint32),
        ('type', c_uint32),
        ('name', c_char * 32),
        ('minimum', c_int32),
        ('maximum', c_int32),
        ('step', c_int32),
        ('default_value', c_int32),
        ('flags', c_uint32),
        ('reserved', c_uint32 * 2),
    ]


class Control(Structure):
    _fields_ = [('id', c_uint32), ('value', c_int32)]


def _request(direction: int, number: int, kind: type) -> int:
    """As _IOC of <asm-generic/ioctl.h>: direction 1 writes, 2 reads."""
    return direction << 30 | sizeof(kind) << 16 | ord('V') << 8 | number


QUERYCAP = _request(2, 0, Capability)
ENUM_FMT = _request(3, 2, FormatDescription)
G_FMT = _request(3, 4, Format)
S_FMT = _request(3, 5, Format)
REQBUFS = _request(3, 8, RequestBuffers)
QUERYBUF = _request(3, 9, Buffer)
QBUF = _request(3, 15, Buffer)
DQBUF = _request(3, 17, Buffer)
STREAMON = _request(1, 18, c_uint32)
STREAMOFF = _request(1, 19, c_uint32)
G_PARM = _request(3, 21, StreamParameters)
S_PARM = _request(3, 22, StreamParameters)
G_CTRL = _request(3, 27, Control)
S_CTRL = _request(3, 28, Control)
QUERYCTRL = _request(3, 36, QueryControl)
ENUM_FRAMESIZES = _request(3, 74, FrameSize)
ENUM_FRAMEINTERVALS = _request(3, 75, FrameInterval)


def fourcc(text: str) -> int:
    """A pixel format's number: 'MJPG', 'YUYV'."""
    return int.from_bytes(text.encode('ascii'), 'little')


def fourcc_text(number: int) -> str:
    return number.to_bytes(4, 'little').decode('ascii', 'replace').rstrip()

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Video4Linux with a double of the kernel whose camera misbehaves."""

import ctypes
import shutil
import subprocess
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from kernel import Kernel

from vla_camera import list_cameras
from vla_camera.grabber import Grabber
from vla_camera.node import CameraNode
from vla_camera.source import DeviceLostError, DeviceMissingError
from vla_camera.sources.v4l2 import V4l2Source
from vla_camera.stream_monitor import Backoff
from vla_camera.v4l2 import abi
from vla_camera.v4l2.device import Mode
from vla_camera.v4l2.discovery import ORDER, NoDeviceError, choose, resolve
from vla_common.errors import ConfigError
from vla_common.states import Level
from vla_common.testing import wait_until
from vla_common.testing_refusals import documented

BY_ID = 'by-id/usb-Double_SN1-video-index0'


@pytest.fixture
def kernel(tmp_path):
    return Kernel(tmp_path / 'dev')


def source_of(kernel, device=BY_ID, width=0, height=0, rate=0.0):
    return V4l2Source(device, width, height, rate, kernel, kernel.dev)


def next_frame(source):
    for _ in range(50):
        frame = source.grab(0.1)
        if frame is not None:
            return frame
    raise AssertionError('no frame')


# -- the kernel's structures -----------------------------------------------------------------------

C_NAMES = {
    abi.Capability: 'v4l2_capability',
    abi.FormatDescription: 'v4l2_fmtdesc',
    abi.PixelFormat: 'v4l2_pix_format',
    abi.Format: 'v4l2_format',
    abi.RequestBuffers: 'v4l2_requestbuffers',
    abi.Buffer: 'v4l2_buffer',
    abi.StreamParameters: 'v4l2_streamparm',
    abi.FrameSize: 'v4l2_frmsizeenum',
    abi.FrameInterval: 'v4l2_frmivalenum',
    abi.QueryControl: 'v4l2_queryctrl',
    abi.Control: 'v4l2_control',
}
FIELDS = {
    'seconds': 'timestamp.tv_sec',
    'microseconds': 'timestamp.tv_usec',
    'numerator': 'parm.capture.timeperframe.numerator',
    'denominator': 'parm.capture.timeperframe.denominator',
    'capability': 'parm.capture.capability',
    'capturemode': 'parm.capture.capturemode',
}
OURS = ('rest', 'reserved', 'values', 'mbus_code', 'flags', 'pointer', 'capabilities')
REQUESTS = (
    'QUERYCAP', 'ENUM_FMT', 'G_FMT', 'S_FMT', 'REQBUFS', 'QUERYBUF', 'QBUF', 'DQBUF', 'STREAMON',
    'STREAMOFF', 'G_PARM', 'S_PARM', 'ENUM_FRAMESIZES', 'ENUM_FRAMEINTERVALS',
    'G_CTRL', 'S_CTRL', 'QUERYCTRL',
)  # fmt: skip


@pytest.mark.skipif(
    not (shutil.which('gcc') and Path('/usr/include/linux/videodev2.h').exists()),
    reason='no C compiler with the headers of the kernel',
)
def test_structures_and_requests_are_those_of_the_kernels_header(tmp_path):
    lines, wanted = [], []
    for kind, name in C_NAMES.items():
        lines.append(f'printf("%zu\\n", sizeof(struct {name}));')
        wanted.append(ctypes.sizeof(kind))
        for field, *_ in kind._fields_:
            if field not in OURS:
                c_field = {'pixelformat': 'pixel_format'}.get(field, field)
                if kind in (abi.PixelFormat, abi.FormatDescription):
                    c_field = field
                place = FIELDS.get(field, c_field)
                lines.append(f'printf("%zu\\n", offsetof(struct {name}, {place}));')
                wanted.append(getattr(kind, field).offset)
    for request in REQUESTS:
        lines.append(f'printf("%zu\\n", (size_t)VIDIOC_{request});')
        wanted.append(getattr(abi, request))
    lines.append('printf("%zu\\n", offsetof(struct v4l2_frmsizeenum, discrete));')
    lines.append('printf("%zu\\n", offsetof(struct v4l2_frmivalenum, discrete));')
    wanted += [abi.FrameSize.values.offset, abi.FrameInterval.values.offset]
    for text, value in (('MJPEG', 'MJPG'), ('YUYV', 'YUYV')):
        lines.append(f'printf("%zu\\n", (size_t)V4L2_PIX_FMT_{text});')
        wanted.append(abi.fourcc(value))
    program = tmp_path / 'sizes.c'
    program.write_text(
        '#include <stdio.h>\n#include <stddef.h>\n#include <linux/videodev2.h>\n'
        'int main(void) {\n' + '\n'.join(lines) + '\nreturn 0; }\n'
    )
    subprocess.run(['gcc', '-o', tmp_path / 'sizes', program], check=True)
    printed = subprocess.run([tmp_path / 'sizes'], capture_output=True, text=True, check=True)
    assert [int(line) for line in printed.stdout.split()] == wanted


# -- which device, which mode ----------------------------------------------------------------------


def test_a_device_is_found_by_its_permanent_name_its_serial_number_or_its_number(kernel):
    path = str(kernel.dev / 'video0')
    for device in ('', '0', path, BY_ID, 'SN1', 'Double'):
        assert resolve(device, kernel.dev) == path


def test_two_cameras_with_one_serial_number_are_named_and_none_is_taken(kernel):
    other = Kernel.__new__(Kernel)
    other.dev, other.card, other.serial = kernel.dev, 'Second', 'SN1'
    other.plug(2)
    with pytest.raises(
        NoDeviceError, match=r'SN1 fits by-id/usb-Double.* and by-id/usb-Second'
    ) as e:
        resolve('SN1', kernel.dev)
    documented('Cameras', 'a serial number of two cameras', e.value)
    with pytest.raises(NoDeviceError) as error:
        resolve('SN9', kernel.dev)
    documented('Cameras', 'a serial number of no camera', error.value)


OFFERED = [
    Mode('H264', 1280, 720, 60), Mode('YUYV', 640, 480, 30), Mode('YUYV', 1280, 720, 10),
    Mode('MJPG', 640, 480, 60), Mode('MJPG', 1280, 720, 30), Mode('MJPG', 1920, 1080, 30),
]  # fmt: skip


@pytest.mark.parametrize(
    ('request_', 'wanted'),
    [
        ((1280, 720, 30.0), Mode('MJPG', 1280, 720, 30)),  # YUYV of this size has 10 Hz
        ((1280, 720, 10.0), Mode('YUYV', 1280, 720, 10)),
        ((640, 480, 60.0), Mode('MJPG', 640, 480, 60)),
        ((640, 480, 0.0), Mode('YUYV', 640, 480, 30)),
        ((0, 0, 0.0), Mode('YUYV', 640, 480, 30)),
        ((1300, 700, 30.0), Mode('MJPG', 1280, 720, 30)),
        ((1280, 720, 120.0), Mode('MJPG', 1280, 720, 30)),
    ],
)
def test_the_mode_that_delivers_what_was_requested_is_chosen(request_, wanted):
    assert choose(OFFERED, Mode('YUYV', 640, 480, 30), *request_) == wanted
    assert choose(OFFERED[:1], Mode('H264', 640, 480, 30), *request_) is None


# -- the source ------------------------------------------------------------------------------------


@pytest.mark.parametrize(('rate', 'pixels'), [(10.0, 'YUYV'), (100.0, 'MJPG')])
def test_frames_have_the_colors_size_and_time_of_the_device(kernel, rate, pixels):
    source = source_of(kernel, width=128, height=96, rate=rate)
    facts = source.open()
    assert (facts.width, facts.height, facts.rate) == (128, 96, rate)
    assert pixels in facts.device
    kernel.late_ns = 40_000_000
    next_frame(source)
    now = time.time_ns()
    frame = next_frame(source)
    assert frame.color.shape == (96, 128, 3)
    red, green, blue = frame.color[80, 60]
    assert abs(int(red) - 200) < 8 and green < 8 and blue < 8
    assert now - 60_000_000 < frame.stamp_ns < time.time_ns() - 39_000_000, 'time of capture'
    source.close()
    assert kernel.opened == kernel.closed


@pytest.mark.parametrize('pixels', ORDER)
def test_red_stays_red_in_every_pixel_format(kernel, pixels):
    kernel.modes = {'H264': {(64, 48): [100]}, pixels: {(64, 48): [100]}}
    source = source_of(kernel)
    assert pixels in source.open().device
    color = next_frame(source).color
    assert color.shape == (48, 64, 3)
    wanted = [60, 60, 60] if pixels == 'GREY' else [200, 0, 0]
    assert np.abs(color[40, 30].astype(int) - wanted).max() < 10
    kernel.cut_off = True
    for _ in range(10):
        source.grab(0.05)
    assert source.grab(0.05) is None and source.corrupt >= 2
    source.close()


def test_grey_is_taken_only_where_nothing_has_color():
    grey, color = Mode('GREY', 640, 480, 60), Mode('MJPG', 320, 240, 30)
    assert choose([grey, color], grey, 640, 480, 60.0) == Mode('MJPG', 320, 240, 30)
    assert choose([grey], grey, 640, 480, 60.0) == grey


def test_a_device_without_the_requested_mode_says_what_it_offers(kernel):
    facts = source_of(kernel, width=640, height=480, rate=30.0).open()
    assert (facts.width, facts.height) == (128, 96)
    assert 'it offers YUYV 128 x 96 at 10 Hz' in facts.advice or 'MJPG 128 x 96' in facts.advice


def test_a_stamp_of_no_clock_or_of_the_future_is_replaced_by_the_arrival(kernel):
    source = source_of(kernel)
    source.open()
    for kernel.monotonic, kernel.late_ns in ((False, 10**15), (True, -3_600_000_000_000)):
        next_frame(source)
        before = time.time_ns()
        assert before - 50_000_000 <= next_frame(source).stamp_ns <= time.time_ns()


def test_what_waited_in_the_driver_is_not_shown_as_new(kernel):
    source = source_of(kernel)
    source.open()
    time.sleep(0.3)  # all buffers are filled, the driver drops the rest
    source.discard()
    began = time.time_ns()
    assert next_frame(source).stamp_ns > began
    kernel.late_ns = 2_000_000_000  # it waited elsewhere, and says so
    for _ in range(8):
        source.grab(0.05)
    assert source.grab(0.05) is None
    assert source.old > 0


def test_frames_lost_in_the_driver_and_repeated_ones_are_counted(kernel):
    source = source_of(kernel)
    source.open()
    next_frame(source)
    kernel.gap = 3
    for _ in range(6):
        next_frame(source)
    assert source.lost >= 8
    kernel.gap, kernel.same_sequence = 1, True
    for _ in range(5):
        source.grab(0.05)
    assert source.repeated >= 2
    assert source.grab(0.05) is None


@pytest.mark.parametrize('rate', [10.0, 100.0])
def test_a_frame_that_is_cut_off_is_dropped_and_counted(kernel, rate):
    source = source_of(kernel, width=128, height=96, rate=rate)
    source.open()
    next_frame(source)
    kernel.cut_off = True
    for _ in range(10):
        source.grab(0.05)
    assert source.grab(0.05) is None and source.corrupt >= 2
    kernel.cut_off = False
    assert next_frame(source).color.shape == (96, 128, 3)


@pytest.mark.parametrize('where', ['wait', 'dequeue'])
def test_an_unplugged_camera_is_lost_at_once(kernel, where):
    source = source_of(kernel)
    source.open()
    next_frame(source)
    kernel.unplugged_in = where
    kernel.silent = where == 'wait'
    began = time.monotonic()
    with pytest.raises(DeviceLostError, match=r'No such device \(it was unplugged\)') as error:
        next_frame(source)
    assert time.monotonic() - began < 0.5
    documented('Cameras', 'a camera that is unplugged', error.value)
    source.close()
    assert kernel.opened == kernel.closed


@pytest.mark.parametrize(
    ('case', 'fault', 'words'),
    [
        ('a camera that another program uses', {'busy': True}, 'another program uses it'),
        ('a device of metadata', {'metadata': True}, 'gives no pictures'),
        ('a camera that is gone while it is opened', {'unplugged_in': 'open'}, 'it was unplugged'),
        ('a camera of H.264 only', {'modes': {'H264': {(64, 48): [30]}}}, 'gives none of YUYV'),
        ('a camera that streams nothing', {'silent': True}, 'and no frame comes'),
    ],
)
def test_a_camera_that_cannot_be_used_is_refused(kernel, monkeypatch, case, fault, words):
    monkeypatch.setattr('vla_camera.sources.v4l2.FIRST_FRAME_WITHIN', 0.3)
    for name, value in fault.items():
        setattr(kernel, name, value)
    with pytest.raises(DeviceMissingError, match=words) as error:
        source_of(kernel).open()
    documented('Cameras', case, error.value, kernel.dev)
    assert kernel.opened == kernel.closed


# -- in the grabber --------------------------------------------------------------------------------


@pytest.fixture
def grabbing(kernel):
    """grabbing(**source): the grabber, and what it delivers."""
    started = []

    def make(**options):
        frames = []
        grabber = Grabber(
            source_of(kernel, **options),
            lambda frame, facts: frames.append((time.monotonic(), frame)),
            lambda text: None,
            frozen_after=0.2,
            stall_after=0.4,
            backoff=Backoff(0.05, 0.1),
        )
        grabber.open(10.0)
        started.append(grabber)
        grabber.run()
        wait_until(lambda: len(frames) > 3)
        return grabber, frames

    yield make
    for grabber in started:
        assert grabber.close()


def test_a_camera_that_comes_back_under_another_number_is_found_by_its_name(kernel, grabbing):
    grabber, frames = grabbing()
    kernel.unplugged_in = 'dequeue'
    wait_until(lambda: 'it was unplugged' in grabber.health().problem, 5.0)
    silent = len(frames)
    kernel.plug(4)
    wait_until(lambda: len(frames) > silent + 3)
    assert grabber.health().problem == '' and grabber.health().reopened == 1
    assert 'video4' in grabber.facts.device
    stamps = [frame.stamp_ns for _, frame in frames]
    assert stamps == sorted(set(stamps))


def test_identical_frames_with_rising_sequence_are_a_frozen_camera(kernel, grabbing):
    grabber, _ = grabbing()
    assert not grabber.health().frozen
    kernel.frozen = True
    wait_until(lambda: grabber.health().frozen)
    kernel.frozen = False
    wait_until(lambda: not grabber.health().frozen)


def test_a_size_that_changes_in_mid_stream_is_not_delivered(kernel, grabbing):
    grabber, frames = grabbing(width=128, height=96, rate=100.0)
    kernel.other_size = (64, 48)
    wait_until(lambda: 'a frame of 64 x 48' in grabber.health().problem)
    assert {frame.color.shape for _, frame in frames} == {(96, 128, 3)}


def test_a_driver_that_falls_silent_is_a_stall_and_opened_again(kernel, grabbing):
    grabber, frames = grabbing()
    kernel.silent = True
    wait_until(lambda: 'no frame for' in grabber.health().problem)
    wait_until(lambda: kernel.opened == 2)
    kernel.silent = False
    seen = len(frames)
    wait_until(lambda: len(frames) > seen + 3)


# -- in the node -----------------------------------------------------------------------------------


def test_a_slow_camera_is_a_warning_with_what_helps(ros, kernel):
    class Node(CameraNode):
        def __init__(self, **options):
            super().__init__(make_source=lambda params, robot: source_of(kernel), **options)

    kernel.modes = {'YUYV': {(64, 48): [10]}}
    kernel.rate = 3.0
    node = ros.active_node(Node, source='v4l2', width=64, rate=10.0)
    wait_until(lambda: 'Hz, 10 Hz are set: more light' in node.diagnose()[1], 30.0)
    assert node.diagnose()[0] is Level.WARNING
    kernel.rate = 30.0
    wait_until(lambda: node.diagnose()[0] is Level.SAFE, 30.0)


# -- controls --------------------------------------------------------------------------------------


def test_controls_are_set_in_their_order_and_again_after_a_reconnection(kernel):
    exposure = 0x009A_0902
    source = V4l2Source(
        'SN1', 64, 48, 100.0, kernel, kernel.dev,
        controls=['auto_exposure=1', 'exposure_time_absolute=300', '', 'brightness=0'],
    )  # fmt: skip
    source.open()
    assert [kernel.values[n] for n in sorted(kernel.values)][:3] == [0, 1, 300]
    source.close()
    kernel.values = {number: control[5] for number, control in kernel.controls.items()}
    source.open()
    assert kernel.values[exposure] == 300
    source.close()


@pytest.mark.parametrize(
    ('case', 'control'),
    [
        ('control without a value', 'brightness'),
        ('control with a fraction', 'brightness=0.5'),
        ('control that the camera has not', 'brightnes=10'),
        ('control out of its range', 'brightness=256'),
        ('control between its steps', 'exposure_time_absolute=120'),
        ('control in the hand of an automatic', 'exposure_time_absolute=150'),
        ('control that the camera does not take', 'brightness=5'),
    ],
)
def test_a_control_that_cannot_be_set_is_refused(kernel, case, control):
    kernel.stubborn = case == 'control that the camera does not take'
    if case == 'control between its steps':
        kernel.values[0x009A_0901] = 1
    with pytest.raises(ConfigError) as error:
        V4l2Source('SN1', 64, 48, 0.0, kernel, kernel.dev, controls=[control]).open()
    documented('Cameras', case, error.value)
    assert kernel.opened == kernel.closed


# -- the list --------------------------------------------------------------------------------------


def test_the_list_names_each_camera_as_the_launch_does_and_keeps_a_picture(
    kernel, tmp_path, capsys
):
    folder = tmp_path / 'pictures'
    assert list_cameras._command(['--pictures', str(folder)], kernel.dev, kernel) == 0
    printed = capsys.readouterr().out
    assert f'{kernel.dev}/video0: Double, usb-0000:00:14.0-1' in printed
    assert f'cameras:=NAME:v4l2:{BY_ID}' in printed
    assert 'MJPG 128 x 96 at 100 Hz' in printed
    assert 'control exposure_time_absolute: 50 to 10000 in steps of 50 (usual 150)' in printed
    picture = cv2.imread(str(folder / 'video0.jpg'))
    assert picture.shape == (48, 64, 3)
    assert np.abs(picture[40, 30].astype(int) - [0, 0, 200]).max() < 12
    kernel.busy = True
    assert list_cameras._command([], kernel.dev, kernel) == 0
    assert 'Device or resource busy' in capsys.readouterr().out
    kernel.unplug()
    assert list_cameras._command([], kernel.dev, kernel) == 1
    assert f'no video device in {kernel.dev}' in capsys.readouterr().out

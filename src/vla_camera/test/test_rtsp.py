# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The RTSP source against a server that misbehaves; FFmpeg is the real one."""

import contextlib
import os
import re
import sys
import time

import psutil
import pytest
from rtsp_server import RtspServer

from vla_camera.grabber import Grabber
from vla_camera.node import CameraNode
from vla_camera.source import DeviceLostError, DeviceMissingError
from vla_camera.sources.rtsp import RtspSource
from vla_camera.stream_monitor import Backoff
from vla_common.states import Level
from vla_common.testing import wait_until
from vla_common.testing_refusals import documented


@pytest.fixture
def server():
    server = RtspServer()
    yield server
    server.close()


@pytest.fixture
def opened(server):
    source = RtspSource(server.url, 60.0)
    source.open()
    yield source
    source.close()


@pytest.fixture
def grabbing(server):
    """A grabber that delivers from the server."""
    frames = []
    grabber = Grabber(
        RtspSource(server.url, 60.0), lambda frame, facts: frames.append(frame), lambda text: None,
        frozen_after=0.5, stall_after=1.5, backoff=Backoff(0.05, 0.2),
    )  # fmt: skip
    grabber.open(70.0)
    grabber.run()
    wait_until(lambda: len(frames) >= 3, what='frames')
    yield grabber, frames
    assert grabber.close(5.0)


def next_frame(source, within=10.0):
    end = time.monotonic() + within
    while time.monotonic() < end:
        if (frame := source.grab(0.2)) is not None:
            return frame
    raise AssertionError('no frame')


def drain(source):
    for _ in range(100):
        source.grab(0.2)


def children():
    """Processes of streams; not those that are just ending."""
    found = set()
    for process in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if 'rtsp_worker' in ' '.join(process.cmdline()):
                found.add(process.pid)
    return found


def test_frames_have_the_size_the_colors_and_the_time_of_their_arrival(server):
    source = RtspSource(server.url, 60.0)
    facts = source.open()
    assert (facts.width, facts.height) == (160, 120)
    assert facts.device == f'rtsp {server.url.replace("user:secret@", "")}'
    numbers, stamps = [], []
    for _ in range(8):
        frame = next_frame(source)
        red, green, blue = frame.color[60, 80].tolist()
        assert abs(red - 200) < 8 and blue < 8
        numbers.append(green)
        stamps.append(frame.stamp_ns)
        assert 0 <= time.time_ns() - frame.stamp_ns < 1e9
    assert stamps == sorted(set(stamps))
    assert numbers[-1] != numbers[0]
    (child,) = children()
    assert 'secret' not in ' '.join(psutil.Process(child).cmdline())
    source.close()
    assert not psutil.pid_exists(child) and children() == set()


def test_what_cannot_be_opened_is_refused_with_the_reason_and_leaves_no_process(server):
    port = re.compile(r':\d{4,5}')
    silent = RtspServer()
    silent.mute = True
    gone = RtspServer()
    gone.close()
    server.refuse = '404 Not Found'
    for case, url in (
        ('RTSP address that is none', 'http://127.0.0.1/live'),
        ('RTSP server that is not there', gone.url),
        ('RTSP server without this stream', server.url),
        ('RTSP server that says nothing', silent.url),
    ):
        source = RtspSource(url, 15.0 if url != silent.url else 4.0)
        began = time.monotonic()
        with pytest.raises(DeviceMissingError) as error:
            source.open()
        assert time.monotonic() - began < 30.0 and 'secret' not in str(error.value)
        if case == 'RTSP server that says nothing':
            words = str(error.value)
            assert 'sends nothing' in words or 'no stream opens' in words, words
        else:
            documented('Cameras', case, error.value, port, re.compile(r'port \d+'))
        assert children() == set()
    silent.close()


def test_a_server_that_ends_the_connection_is_a_lost_camera_at_once(server, opened):
    next_frame(opened)
    server.drop()
    began = time.monotonic()
    with pytest.raises(DeviceLostError, match='the stream ended'):
        drain(opened)
    assert time.monotonic() - began < 5.0


def test_a_process_that_dies_is_a_lost_camera(opened):
    next_frame(opened)
    (child,) = children()
    os.kill(child, 9)
    with pytest.raises(DeviceLostError, match='its process ended'):
        drain(opened)


def test_a_stream_that_stops_is_a_stall_and_opened_again_in_a_new_process(server, grabbing):
    grabber, frames = grabbing
    before = children()
    server.silent = True
    wait_until(lambda: 'no frame for' in grabber.health().problem, 10.0, what='the stall')
    wait_until(lambda: not children() & before, 10.0, what='the end of the process that hangs')
    server.silent = False
    count = len(frames)
    wait_until(lambda: len(frames) > count + 3, 30.0, what='frames again')
    assert grabber.health().reopened >= 1


def test_the_same_image_again_and_again_is_a_frozen_camera(server, grabbing):
    grabber, _ = grabbing
    server.frozen = True
    wait_until(lambda: grabber.health().frozen, 10.0, what='frozen')
    server.frozen = False
    wait_until(lambda: not grabber.health().frozen, 10.0, what='not frozen')


def test_another_size_in_mid_stream_never_leaves(server, grabbing):
    grabber, frames = grabbing
    server.size = (320, 240)
    wait_until(lambda: '320 x 240' in grabber.health().problem or grabber.health().reopened > 0,
               15.0, what='the other size')  # fmt: skip
    assert {frame.color.shape for frame in frames} <= {(120, 160, 3), (240, 320, 3)}
    wait_until(lambda: frames[-1].color.shape == (240, 320, 3), 30.0, what='opened again')


def test_what_came_during_a_pause_is_not_shown_as_new(opened):
    next_frame(opened)
    time.sleep(0.5)  # as of an inactive node; the process reads on
    opened.discard()
    now = time.time_ns()
    assert next_frame(opened).stamp_ns >= now and opened.old >= 1


def test_a_process_that_sends_what_is_no_frame_is_lost(server):
    script = 'import sys; sys.stdin.readline(); sys.stdout.buffer.write(b"x" * 4000)'
    source = RtspSource(server.url, 10.0, (sys.executable, '-c', script))
    with pytest.raises(DeviceMissingError, match='a frame of'):
        source.open()


def test_nine_images_a_second_where_thirty_are_announced_are_a_warning(ros, server):
    server.rate = 9.0
    node = ros.node(CameraNode, source='rtsp', device=server.url, open_timeout=60.0)
    ros.configure(node)
    ros.activate(node)
    wait_until(lambda: node.diagnose()[0] is Level.WARNING, 30.0, what='the warning')
    _, words, values = node.diagnose()
    assert 'Hz are set' in words and 'secret' not in str(values)

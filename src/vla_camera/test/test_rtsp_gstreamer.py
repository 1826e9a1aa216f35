# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The RTSP source against a server that nobody here wrote: GStreamer's, of Debian's packages."""

import socket
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from vla_camera.grabber import Grabber
from vla_camera.source import DeviceMissingError
from vla_camera.sources.rtsp import RtspSource
from vla_camera.stream_monitor import Backoff
from vla_common.testing import wait_until

PROGRAM = Path(__file__).with_name('gst_rtsp_server.py')
PYTHON = '/usr/bin/python3'  # that of gi
BARS = ((255, 255, 255), (255, 255, 0), (0, 255, 255), (0, 255, 0), (255, 0, 255), (255, 0, 0),
        (0, 0, 255))  # fmt: skip


def start(port: int) -> subprocess.Popen:
    """The server, once it is ready; skips the test where it is not installed."""
    process = subprocess.Popen(
        [PYTHON, str(PROGRAM), str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    if process.stdout.readline().strip() != 'ready':
        process.wait()
        why = process.stderr.read().strip().splitlines()[-1:]
        pytest.skip(f'no RTSP server of GStreamer here: {why}')
    return process


@pytest.fixture(scope='module')
def port():
    if not Path(PYTHON).exists():
        pytest.skip(f'no {PYTHON}')
    with socket.create_server(('127.0.0.1', 0)) as free:
        return free.getsockname()[1]


@pytest.fixture
def server(port):
    process = start(port)
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize('path', ['jpeg', 'h264', 'reordered'])
def test_frames_have_the_colors_of_the_bars_and_rising_times(server, port, path):
    source = RtspSource(f'rtsp://127.0.0.1:{port}/{path}', 60.0)
    facts = source.open()
    assert (facts.width, facts.height, facts.rate) == (320, 240, 30.0)
    frames = [frame for _ in range(200) if (frame := source.grab(0.2)) is not None][:20]
    assert len(frames) == 20
    stamps = [frame.stamp_ns for frame in frames]
    assert stamps == sorted(set(stamps)) and time.time_ns() - stamps[0] < 60e9
    middles = [round((k + 0.5) * 320 / 7) for k in range(7)]
    # GStreamer's jpegenc leaves the limited range of video as it is: white is 235.
    tolerance = 26 if path == 'jpeg' else 16
    assert np.abs(frames[-1].color[60, middles].astype(int) - BARS).max() < tolerance
    source.close()


def test_a_stream_that_the_server_does_not_have_is_refused(server, port):
    with pytest.raises(DeviceMissingError, match=f'127.0.0.1:{port}/none: the server accepts'):
        RtspSource(f'rtsp://127.0.0.1:{port}/none', 30.0).open()


def test_a_server_that_dies_and_comes_back_is_opened_again(server, port):
    frames = []
    grabber = Grabber(
        RtspSource(f'rtsp://127.0.0.1:{port}/h264', 30.0),
        lambda frame, facts: frames.append(frame), lambda text: None,
        frozen_after=5.0, stall_after=2.0, backoff=Backoff(0.1, 0.5),
    )  # fmt: skip
    grabber.open(40.0)
    grabber.run()
    wait_until(lambda: len(frames) > 5, 30.0)
    server.kill()
    server.wait()
    began = time.monotonic()
    wait_until(lambda: grabber.health().problem != '', 10.0)
    print(f'server killed -> reported: {1000 * (time.monotonic() - began):.0f} ms')
    again, seen = start(port), len(frames)
    try:
        wait_until(lambda: len(frames) > seen + 5, 60.0)
    finally:
        again.kill()
        again.wait()
        assert grabber.close(5.0)

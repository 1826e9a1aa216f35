# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The ZED source with a double of its SDK; neither the SDK nor a camera was ever here."""

import time

import numpy as np
import pytest
from zed_sdk import Sdk

from vla_camera.grabber import Grabber
from vla_camera.node import CameraNode
from vla_camera.source import DeviceLostError, DeviceMissingError, SourceEndedError
from vla_camera.sources.zed import ZedSource, import_zed
from vla_camera.stream_monitor import Backoff
from vla_common.states import Level
from vla_common.testing import wait_until
from vla_common.testing_refusals import documented


@pytest.fixture
def sdk():
    return Sdk()


def source_of(sdk, serial='1234', width=0, height=0, rate=0.0, **options):
    return ZedSource(serial, width, height, rate, sdk=sdk, **options)


def refusal(source) -> str:
    with pytest.raises(DeviceMissingError) as error:
        source.open()
    return str(error.value)


def next_frame(source):
    for _ in range(50):
        if (frame := source.grab(0.1)) is not None:
            return frame
    raise AssertionError('no frame')


def test_frames_are_rgb_and_metres_with_the_intrinsics_of_the_rectified_image(sdk):
    source = source_of(sdk, width=672, height=376, rate=100.0)
    facts = source.open()
    assert (facts.device, facts.width, facts.height, facts.rate) == ('ZED 2i 1234', 672, 376, 100)
    assert sdk.request.serial == 1234 and sdk.request.camera_fps == 100
    assert sdk.request.async_grab_camera_recovery
    c = facts.calibration
    assert (c.fx, c.fy, c.cx, c.cy, set(c.distortion)) == (260.0, 261.0, 336.0, 188.0, {0.0})
    frame = next_frame(source)
    assert frame.color[5, 5].tolist() == [200, 1, 0]
    assert frame.depth.dtype == np.float32 and frame.depth[5, 5] == 1.5
    nothing, far, near = frame.depth[0, :3]
    assert np.isnan(nothing) and np.isposinf(far) and np.isnan(near)
    assert 0 <= time.time_ns() - frame.stamp_ns < 1e9
    assert source.temperatures() == {'imu': 47.5, 'left': 51.0}
    source.close()
    assert sdk.opened == sdk.closed == 1


def test_without_depth_the_sdk_does_not_compute_it(sdk):
    source = source_of(sdk, depth=False)
    assert not source.open().depth
    assert sdk.request.depth_mode is Sdk.DEPTH_MODE.NONE
    assert next_frame(source).depth is None


@pytest.mark.parametrize(
    ('case', 'fault', 'options'),
    [
        ('a ZED that is not there', {'plugged': False}, {}),
        ('the first ZED where there is none', {'plugged': False}, {'serial': ''}),
        ('a serial number of two ZED cameras', {'serials': [1234, 1234]}, {}),
        ('a ZED that is unplugged while it is opened', {'gone_in_open': True}, {}),
        ('a size that a ZED does not have', {}, {'width': 640, 'height': 480}),
    ],
)
def test_a_camera_that_cannot_be_opened_is_refused(sdk, case, fault, options):
    for name, value in fault.items():
        setattr(sdk, name, value)
    documented('Cameras', case, refusal(source_of(sdk, **options)))
    assert sdk.opened == sdk.closed


def test_what_is_missing_to_use_a_zed_is_named(monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'pyzed', None)
    with pytest.raises(DeviceMissingError, match='ZED needs the ZED SDK and its Python API'):
        import_zed()


@pytest.mark.parametrize('fault', [{'plugged': False}, {'silent': True}])
def test_an_unplugged_camera_is_lost_at_once(sdk, fault):
    source = source_of(sdk)
    source.open()
    next_frame(source)
    for name, value in fault.items():
        setattr(sdk, name, value)
    began = time.monotonic()
    with pytest.raises(DeviceLostError, match='ZED 1234: camera'):
        next_frame(source)
    assert time.monotonic() - began < 0.5


def test_corrupt_repeated_and_old_images_are_dropped_and_counted(sdk):
    source = source_of(sdk)
    source.open()
    next_frame(source)
    for fault, count in (('corrupt', 'corrupt'), ('same_stamp', 'repeated')):
        setattr(sdk, fault, True)
        next(iter([source.grab(0.1)]))
        assert source.grab(0.1) is None and getattr(source, count) >= 1
        setattr(sdk, fault, False)
    sdk.late = 2.0
    assert source.grab(0.1) is None and source.old == 1


def test_what_waited_while_the_node_was_inactive_is_not_shown_as_new(sdk):
    source = source_of(sdk)
    source.open()
    next_frame(source)
    sdk.late = 0.2
    source.discard()
    began = time.time_ns()
    assert source.grab(0.1) is None and source.old == 1
    sdk.late = 0.0
    assert next_frame(source).stamp_ns >= began


def test_a_recording_ends(sdk):
    sdk.ends_after = 3
    source = source_of(sdk, serial='', recording='/data/run.svo2')
    source.open()
    assert sdk.request.svo == '/data/run.svo2'
    with pytest.raises(SourceEndedError, match='the recording is over'):
        [next_frame(source) for _ in range(5)]


@pytest.fixture
def grabbing(sdk):
    frames = []
    grabber = Grabber(
        source_of(sdk), lambda frame, facts: frames.append(frame), lambda text: None,
        frozen_after=0.3, stall_after=0.6, silent_after=0.2, backoff=Backoff(0.05, 0.1),
    )  # fmt: skip
    grabber.open(10.0)
    grabber.run()
    wait_until(lambda: len(frames) > 3)
    yield grabber, frames
    assert grabber.close(5.0)


def test_a_camera_that_is_plugged_in_again_is_opened_again(sdk, grabbing):
    grabber, frames = grabbing
    sdk.plugged = False
    wait_until(lambda: 'camera not detected' in grabber.health().problem)
    wait_until(lambda: 'opening again: ZED: no camera has' in grabber.health().problem)
    sdk.plugged, seen = True, len(frames)
    wait_until(lambda: len(frames) > seen + 3)
    assert grabber.health().problem == ''


def test_identical_images_with_rising_stamps_are_a_frozen_camera(sdk, grabbing):
    grabber, _ = grabbing
    sdk.frozen = True
    wait_until(lambda: grabber.health().frozen)


def test_another_size_in_mid_stream_is_not_delivered(sdk, grabbing):
    grabber, frames = grabbing
    before = len(frames)
    sdk.size = (1280, 720)
    wait_until(lambda: grabber.health().reopened or 'a frame of 1280' in grabber.health().problem)
    wait_until(lambda: frames[-1].color.shape == (720, 1280, 3))
    assert grabber.facts.width == 1280 and before  # opened again: the node refuses it


def test_nine_images_a_second_are_a_warning_with_what_helps(ros, sdk):
    class Node(CameraNode):
        def __init__(self, **options):
            super().__init__(make_source=lambda params, robot: source_of(sdk), **options)

    sdk.rate = 9.0
    node = ros.active_node(Node, source='zed', hot_above=50.0)
    wait_until(lambda: 'Hz, 100 Hz are set: a GPU' in node.diagnose()[1], 60.0)
    sdk.rate = 100.0
    wait_until(lambda: 'left has 51.0 deg C, the limit is 50' in node.diagnose()[1], 60.0)
    assert node.diagnose()[0] is Level.WARNING

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""With librealsense itself: a recording made here, played as a file or loaded as a camera."""

import builtins
import time

import numpy as np
import pytest

from vla_camera.grabber import Grabber
from vla_camera.node import CameraNode
from vla_camera.source import DeviceLostError, DeviceMissingError, SourceEndedError
from vla_camera.sources.realsense import MODELS, RealSenseSource
from vla_camera.stream_monitor import Backoff
from vla_common.states import Level
from vla_common.testing import wait_until
from vla_common.testing_refusals import documented

try:
    import pyrealsense2 as rs
except ImportError as error:
    pytest.skip(f'pyrealsense2 does not import here: {error}', allow_module_level=True)

from realsense_recording import FORCE, FRAMES, GYRO, HEIGHT, UNITS, WIDTH, Bus, record


@pytest.fixture(scope='module')
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp('realsense') / 'made.db3'
    record(path)
    return str(path)


@pytest.fixture
def connected(recording):
    """A context to which the recording is connected as if it were a camera."""
    bus = Bus(recording)
    yield bus.context
    bus.unplug(recording)


def frames_of(source, count):
    frames = []
    for _ in range(20 * count):
        frame = source.grab(0.2)
        if frame is not None:
            frames.append(frame)
        if len(frames) == count:
            return frames
    raise AssertionError(f'{len(frames)} of {count} frames')


def assert_distance(depth, wanted) -> None:
    """Where aligning rounds two rows into one, librealsense leaves a row without measurement."""
    measured = np.isfinite(depth)
    assert measured.mean() > 0.95
    np.testing.assert_allclose(depth[measured], wanted, atol=1e-6)


def refusal(source) -> str:
    with pytest.raises(DeviceMissingError) as error:
        source.open()
    return str(error.value)


def test_a_recording_gives_colour_depth_in_metres_and_its_intrinsics(recording):
    source = RealSenseSource('', 0, 0, 0.0, recording=recording)
    facts = source.open()
    assert (facts.device, facts.width, facts.height) == ('soft 123456', WIDTH, HEIGHT)
    assert facts.rate == 30.0 and facts.depth
    c = facts.calibration
    assert (c.fx, c.fy, c.cx, c.cy, c.model) == (50.0, 51.0, 31.0, 23.0, 'plumb_bob')
    for frame in frames_of(source, 5):
        k = int(frame.color[0, 0, 0]) // 10
        assert frame.color.shape == (HEIGHT, WIDTH, 3) and frame.color.dtype == np.uint8
        assert frame.depth.shape == (HEIGHT, WIDTH) and frame.depth.dtype == np.float32
        assert_distance(frame.depth, (2000 + k) * UNITS)
        assert np.isnan(frame.depth[0, 0]), '0 counts are not a distance'
    source.close()


def test_the_end_of_a_recording_is_reported_and_not_looped_silently(recording):
    source = RealSenseSource('', 0, 0, 0.0, recording=recording, loop=False)
    source.open()
    values = []

    def play() -> None:
        while len(values) <= FRAMES:
            frame = source.grab(0.3)
            if frame is not None:
                values.append(int(frame.color[0, 0, 0]))

    with pytest.raises(SourceEndedError, match='the recording is over'):
        play()
    assert values == sorted(set(values)), 'none twice'
    source.close()


def test_with_loop_a_recording_begins_again_with_new_and_increasing_times(recording):
    source = RealSenseSource('', 0, 0, 0.0, recording=recording, loop=True)
    source.open()
    frames = frames_of(source, FRAMES + 5)
    stamps = [frame.stamp_ns for frame in frames]
    assert stamps == sorted(set(stamps)) and abs(time.time_ns() - stamps[-1]) < 10e9
    assert min(np.diff([int(f.color[0, 0, 0]) for f in frames])) < 0, 'it began again'
    for frame in frames:
        # Where it begins again librealsense pairs a new colour with the last depth.
        if frame.depth is not None:
            k = int(frame.color[0, 0, 0]) // 10
            assert_distance(frame.depth, (2000 + k) * UNITS)
    source.close()


def test_without_depth_only_colour_comes(recording):
    source = RealSenseSource('', 0, 0, 0.0, recording=recording, depth=False)
    assert not source.open().depth
    assert all(frame.depth is None for frame in frames_of(source, 3))
    source.close()


def test_a_camera_is_chosen_by_its_serial_number_and_the_first_without_one(connected):
    for serial in ('123456', ''):
        source = RealSenseSource(serial, WIDTH, HEIGHT, 30.0, context=connected)
        assert source.open().device == 'soft 123456'
        assert len(frames_of(source, 2)) == 2
        source.close()


def test_a_serial_number_that_is_not_there_lists_what_is_connected(connected):
    message = refusal(RealSenseSource('999', 0, 0, 0.0, context=connected))
    assert message == 'no RealSense camera 999; connected: soft 123456'


def test_a_size_that_the_camera_does_not_have_is_refused_at_open(connected):
    message = refusal(RealSenseSource('', 640, 480, 30.0, context=connected))
    assert message.startswith('RealSense: ') and message.endswith('connected: soft 123456')


def test_no_camera_at_all_is_an_error():
    assert refusal(RealSenseSource('', 0, 0, 0.0)).startswith('no RealSense camera found: plug')


def test_an_unplugged_camera_is_lost_at_once_and_not_there_when_opened_again(recording):
    bus = Bus(recording)
    source = RealSenseSource('123456', 0, 0, 0.0, context=bus.context)
    source.open()
    frames_of(source, 2)
    bus.unplug(recording)
    began = time.monotonic()
    with pytest.raises(DeviceLostError, match='soft 123456 was unplugged'):
        frames_of(source, FRAMES)
    assert time.monotonic() - began < 0.5
    assert refusal(source).startswith('no RealSense camera found')
    with pytest.raises(DeviceLostError, match='not open'):
        source.grab(0.1)


def test_a_camera_that_goes_while_it_is_opened_is_refused(recording, monkeypatch):
    bus = Bus(recording)
    source = RealSenseSource('123456', 0, 0, 0.0, context=bus.context)
    facts = source._facts

    def unplugged(module, profile):
        bus.unplug(recording)
        raise RuntimeError('No device connected')

    monkeypatch.setattr(source, '_facts', unplugged)
    with pytest.raises((DeviceMissingError, RuntimeError)):
        source.open()
    monkeypatch.setattr(source, '_facts', facts)
    bus.plug(recording)
    source.open()
    assert len(frames_of(source, 2)) == 2
    source.close()


def test_of_several_cameras_the_one_of_the_serial_number_is_opened(tmp_path):
    bus = Bus()
    for serial, size in (('111', (64, 48)), ('222', (96, 64))):
        path = str(tmp_path / f'{serial}.db3')
        record(path, serial, size=size)
        bus.plug(path)
    sources = [RealSenseSource(serial, 0, 0, 0.0, context=bus.context) for serial in ('222', '111')]
    assert [source.open().width for source in sources] == [96, 64]
    for source, width in zip(sources, (96, 64), strict=True):
        assert frames_of(source, 2)[1].color.shape[1] == width
        source.close()


def test_two_cameras_with_one_serial_number_are_refused(tmp_path, recording):
    bus = Bus()
    second = str(tmp_path / 'second.db3')
    record(second)
    bus.plug(recording)
    bus.plug(second)
    message = refusal(RealSenseSource('123456', 0, 0, 0.0, context=bus.context))
    assert message == 'two RealSense cameras have the serial number 123456: unplug one of them'
    documented('Cameras', 'two RealSense cameras with one serial number', message)


def test_infrared_images_are_those_of_the_same_instant(tmp_path):
    path = str(tmp_path / 'infrared.db3')
    record(path, infrared=True, frames=20)
    bus = Bus(path)
    source = RealSenseSource('', 0, 0, 0.0, context=bus.context, infrared=True)
    assert source.open().infrared == 2
    for frame in frames_of(source, 5):
        left, right = (int(image[5, 5]) for image in frame.infrared)
        assert right == left + 100 and 10 * left % 250 == frame.color[5, 5, 0]
        assert frame.infrared[0].shape == (HEIGHT, WIDTH)
        assert frame.depth is not None
    source.close()


def test_infrared_of_a_camera_without_it_is_refused(connected):
    message = refusal(RealSenseSource('', 0, 0, 0.0, context=connected, infrared=True))
    assert message.startswith('RealSense: ') and message.endswith('connected: soft 123456')


def test_the_imu_is_turned_into_the_axes_of_the_color_image(tmp_path, monkeypatch):
    path = str(tmp_path / 'imu.db3')
    record(path, imu=True, frames=60)
    bus = Bus(path)
    source = RealSenseSource('', 0, 0, 0.0, context=bus.context, imu=True)
    # librealsense does not record how the IMU is turned.
    message = refusal(source)
    documented('Cameras', 'a RealSense whose IMU is not calibrated to its color', message)
    turned = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], float)
    monkeypatch.setattr('vla_camera.realsense_imu.rotation_to', lambda color, motion: turned)
    assert source.open().imu
    began = time.time_ns()
    samples = [sample for frame in frames_of(source, 30) for sample in frame.imu]
    assert len(samples) > 15, 'a playback skips some'
    for sample in samples:
        np.testing.assert_allclose(sample.angular_velocity, turned @ GYRO, atol=1e-6)
        np.testing.assert_allclose(sample.linear_acceleration, turned @ FORCE, atol=1e-6)
    stamps = [sample.stamp_ns for sample in samples]
    assert stamps == sorted(set(stamps))
    assert began - 1e9 < stamps[-1] < time.time_ns() + 1e8
    source.close()


def test_a_camera_without_an_imu_is_refused_where_one_is_requested(connected):
    message = refusal(RealSenseSource('', 0, 0, 0.0, context=connected, imu=True))
    assert message == 'RealSense: this one has no IMU; set imu: false'


def test_the_stamp_is_of_the_cameras_clock_and_temperatures_are_read(tmp_path):
    path = str(tmp_path / 'long.db3')
    record(path, frames=40)
    bus = Bus(path)
    source = RealSenseSource('', 0, 0, 0.0, context=bus.context)
    source.open()
    frames = frames_of(source, 30)
    # A playback is paced by the times of recording, not by the camera's: no steps are compared.
    stamps = [frame.stamp_ns for frame in frames]
    assert stamps == sorted(set(stamps)) and 0 <= time.time_ns() - stamps[-1] < 1e9
    assert source.arrivals == 0
    assert source.notes()['clock'] == 'hardware_clock'
    assert float(source.notes()['clock_offset_s']) != 0.0
    assert source.temperatures() == {'asic_temperature': pytest.approx(41.5)}
    source.close()


def test_what_waited_while_the_node_was_inactive_is_not_shown_as_new(tmp_path):
    path = str(tmp_path / 'long.db3')
    record(path, frames=60)
    bus = Bus(path)
    source = RealSenseSource('', 0, 0, 0.0, context=bus.context)
    source.open()
    before = frames_of(source, 2)[-1]
    time.sleep(0.5)
    source.discard()
    began = time.time_ns()
    after = next(frame for _ in range(20) if (frame := source.grab(0.2)) is not None)
    assert after.stamp_ns > began - 60_000_000
    assert after.stamp_ns - before.stamp_ns > 400_000_000
    source.close()


# -- in the grabber --------------------------------------------------------------------------------


@pytest.fixture
def grabbing(tmp_path):
    """grabbing(**recording): the grabber, what it delivered, the bus, the file."""
    started = []

    def make(**options):
        path = str(tmp_path / 'camera.db3')
        record(path, **{'frames': 90, 'pace': 0.01} | options)
        bus, frames = Bus(path), []
        grabber = Grabber(
            RealSenseSource('123456', 0, 0, 0.0, context=bus.context),
            lambda frame, facts: frames.append(frame),
            lambda text: None, frozen_after=0.5, stall_after=1.0, silent_after=0.3,
            backoff=Backoff(0.05, 0.1),
        )  # fmt: skip
        grabber.open(10.0)
        started.append(grabber)
        grabber.run()
        wait_until(lambda: len(frames) > 3)
        return grabber, frames, bus, path

    yield make
    for grabber in started:
        assert grabber.close(5.0)


def test_a_camera_that_comes_back_elsewhere_is_opened_again(grabbing, tmp_path):
    grabber, frames, bus, path = grabbing()
    bus.unplug(path)
    began = time.monotonic()
    wait_until(lambda: 'was unplugged' in grabber.health().problem, 5.0)
    assert time.monotonic() - began < 0.5
    silent = len(frames)
    elsewhere = str(tmp_path / 'elsewhere.db3')
    record(elsewhere, frames=60)
    bus.plug(elsewhere)
    wait_until(lambda: len(frames) > silent + 3)
    assert grabber.health().problem == '' and grabber.health().reopened == 1
    stamps = [frame.stamp_ns for frame in frames]
    assert stamps == sorted(set(stamps))


def test_a_camera_that_comes_back_with_another_size_is_not_delivered_with_the_old_facts(
    grabbing, tmp_path
):
    grabber, frames, bus, path = grabbing()
    bus.unplug(path)
    elsewhere = str(tmp_path / 'elsewhere.db3')
    record(elsewhere, frames=60, size=(96, 64))
    bus.plug(elsewhere)
    wait_until(lambda: frames[-1].color.shape == (64, 96, 3))
    assert (grabber.facts.width, grabber.facts.height) == (96, 64)  # the node refuses it


def test_a_camera_that_falls_silent_is_reported_before_it_is_opened_again(grabbing):
    grabber, *_ = grabbing(frames=15)  # and then no more
    wait_until(lambda: 'no frame for 0.3' in grabber.health().problem, what='silence')
    assert grabber.health().reopened == 0
    wait_until(lambda: grabber.health().reopened > 0 or 'again' in grabber.health().problem)


def test_identical_images_with_rising_numbers_are_a_frozen_camera(grabbing):
    grabber, _, _, _ = grabbing(frozen=True)
    wait_until(lambda: grabber.health().frozen)


def test_nine_images_a_second_instead_of_thirty_are_a_warning_with_what_helps(ros, tmp_path):
    path = str(tmp_path / 'slow.db3')
    record(path, frames=100, period=111.0, pace=0.01)
    bus = Bus(path)

    class Node(CameraNode):
        def __init__(self, **options):
            source = RealSenseSource('', 0, 0, 0.0, context=bus.context)
            super().__init__(make_source=lambda params, robot: source, **options)

    node = ros.active_node(Node, source='realsense', hot_above=40.0)
    wait_until(lambda: 'Hz, 30 Hz are set: a USB 3 port' in node.diagnose()[1], 30.0)
    assert node.diagnose()[0] is Level.WARNING
    assert node.diagnose()[2]['asic_temperature_deg_c'] == '41.5'


def test_recordings_that_cannot_be_played_are_named(tmp_path):
    bad = tmp_path / 'bad.db3'
    bad.write_text('hello')
    for path, words in (
        (bad, 'file is not a database'),
        (tmp_path / 'none.db3', 'No such file or directory'),
        (tmp_path / 'film.mp4', 'a recording is named *.db3'),
    ):
        message = refusal(RealSenseSource('', 0, 0, 0.0, recording=str(path)))
        assert message.startswith(f'{path}: ') and words in message


@pytest.mark.parametrize(
    ('raised', 'message'),
    [
        ("No module named 'pyrealsense2'", 'needs the Python package pyrealsense2'),
        ('libusb-1.0.so.0: cannot open shared object file', 'sudo apt install libusb-1.0-0'),
    ],
)
def test_what_is_missing_to_use_a_realsense_is_named(monkeypatch, raised, message):
    real_import = builtins.__import__

    def refuse(name, *arguments, **named):
        if name == 'pyrealsense2':
            raise ImportError(raised)
        return real_import(name, *arguments, **named)

    monkeypatch.setattr(builtins, '__import__', refuse)
    assert message in refusal(RealSenseSource('', 0, 0, 0.0))


def test_every_lens_model_of_librealsense_has_a_name_or_is_refused_by_name():
    lenses = {n for n in dir(rs.distortion) if n[0] != '_'} - {'name', 'value'}
    assert set(MODELS) <= lenses
    assert lenses - set(MODELS) == {'ftheta'}

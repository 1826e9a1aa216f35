# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""With librealsense itself: a recording made here, played as a file or loaded as a camera.

A software_device cannot be opened through a pipeline in librealsense 2.59, a loaded recording can.
"""

import builtins
import time

import numpy as np
import pytest

from vla_camera.source import DeviceLostError, DeviceMissingError, SourceEndedError
from vla_camera.sources.realsense import MODELS, RealSenseSource

try:
    import pyrealsense2 as rs
except ImportError as error:
    pytest.skip(f'pyrealsense2 does not import here: {error}', allow_module_level=True)

WIDTH, HEIGHT, FRAMES = 64, 48, 10
UNITS = 0.0005  # m per count


def record(path) -> None:
    """Ten pairs, 30 Hz: colour k is 10 k; depth counts 2000 + k, and 0 in its first pixel."""
    device = rs.software_device()
    device.register_info(rs.camera_info.serial_number, '123456')
    device.register_info(rs.camera_info.name, 'soft')
    profiles, sensors = [], []
    for name, stream, size, layout in (
        ('Color', rs.stream.color, 3, rs.format.rgb8),
        ('Depth', rs.stream.depth, 2, rs.format.z16),
    ):
        intrinsics = rs.intrinsics()
        intrinsics.width, intrinsics.height = WIDTH, HEIGHT
        intrinsics.ppx, intrinsics.ppy, intrinsics.fx, intrinsics.fy = 31.0, 23.0, 50.0, 51.0
        intrinsics.model = rs.distortion.inverse_brown_conrady
        intrinsics.coeffs = [0.0] * 5
        video = rs.video_stream()
        video.type, video.index, video.uid = stream, 0, len(profiles) + 1
        video.width, video.height, video.fps, video.bpp = WIDTH, HEIGHT, 30, size
        video.fmt, video.intrinsics = layout, intrinsics
        sensor = device.add_sensor(name)
        profiles.append(sensor.add_video_stream(video))
        sensors.append(sensor)
    sensors[1].add_read_only_option(rs.option.depth_units, UNITS)
    same = rs.extrinsics()
    same.rotation, same.translation = [1, 0, 0, 0, 1, 0, 0, 0, 1], [0, 0, 0]
    profiles[1].register_extrinsics_to(profiles[0], same)
    device.create_matcher(rs.matchers.default)
    recorder = rs.recorder(str(path), device)
    syncer = rs.syncer()
    recorded = recorder.query_sensors()
    for sensor in recorded:
        sensor.open(sensor.get_stream_profiles()[0])
        sensor.start(syncer)
    for k in range(FRAMES):
        counts = np.full((HEIGHT, WIDTH), 2000 + k, np.uint16)
        counts[0, 0] = 0
        pictures = (np.full((HEIGHT, WIDTH, 3), 10 * k, np.uint8), counts)
        for sensor, profile, pixels in zip(sensors, profiles, pictures, strict=True):
            frame = rs.software_video_frame()
            frame.pixels, frame.bpp = pixels, pixels.nbytes // (WIDTH * HEIGHT)
            frame.stride = frame.bpp * WIDTH
            frame.timestamp, frame.frame_number = 33.0 * k, k
            frame.domain = rs.timestamp_domain.hardware_clock
            frame.profile = profile.as_video_stream_profile()
            frame.depth_units = UNITS
            sensor.on_video_frame(frame)
        syncer.wait_for_frames(1000)
        time.sleep(0.02)
    for sensor in recorded:
        sensor.stop()
        sensor.close()


@pytest.fixture(scope='module')
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp('realsense') / 'made.db3'
    record(path)
    return str(path)


@pytest.fixture
def connected(recording):
    """A context to which the recording is connected as if it were a camera."""
    context = rs.context()
    device = context.load_device(recording)
    yield context
    del device


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


def test_a_camera_that_was_unplugged_gives_nothing_and_is_not_there_when_opened_again(recording):
    context = rs.context()
    device = context.load_device(recording)
    source = RealSenseSource('123456', 0, 0, 0.0, context=context)
    source.open()
    frames_of(source, 2)
    del device
    context.unload_device(recording)
    for _ in range(2 * FRAMES):  # what it had still sent
        frame = source.grab(0.2)
        if frame is None:
            break
    assert frame is None
    assert refusal(source).startswith('no RealSense camera found')
    with pytest.raises(DeviceLostError, match='not open'):
        source.grab(0.1)


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

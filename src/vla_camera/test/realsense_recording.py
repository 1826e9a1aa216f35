# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Recordings of a RealSense that never was, made by librealsense's software_device.

A software_device cannot be opened through a pipeline in librealsense 2.59, a recording that was
loaded into a context can, as a camera.
"""

import time

import numpy as np
import pyrealsense2 as rs

WIDTH, HEIGHT, FRAMES = 64, 48, 10
UNITS = 0.0005  # m per count
GYRO, FORCE = (0.1, 0.2, 0.3), (0.0, -9.8, 0.5)
SAME = ([1, 0, 0, 0, 1, 0, 0, 0, 1], [0, 0, 0])
COLOR, DEPTH, LEFT, RIGHT, ACCEL, ROTATION = range(1, 7)


def record(
    path, serial='123456', frames=FRAMES, period=33.0, infrared=False, imu=False, frozen=False,
    size=(WIDTH, HEIGHT), pace=0.02,
):  # fmt: skip
    """Pairs of 30 Hz by their profile, `period` ms apart in truth: color k is 10 k, depth counts
    2000 + k, 0 in the first pixel, infrared k and 100 + k. Six samples of the gyroscope an image,
    three of the accelerometer. frozen: each image as the first. pace: s of recording a frame."""
    device = rs.software_device()
    device.register_info(rs.camera_info.serial_number, serial)
    device.register_info(rs.camera_info.name, 'soft')
    stereo = [(DEPTH, rs.stream.depth, 0, 2, rs.format.z16)]
    if infrared:
        stereo += [(LEFT, rs.stream.infrared, 1, 1, rs.format.y8),
                   (RIGHT, rs.stream.infrared, 2, 1, rs.format.y8)]  # fmt: skip
    profiles = {}
    color = device.add_sensor('Color')
    profiles[COLOR] = (
        color,
        color.add_video_stream(_video(COLOR, rs.stream.color, 0, 3, rs.format.rgb8, size)),
    )
    module = device.add_sensor('Stereo Module')
    module.add_read_only_option(rs.option.depth_units, UNITS)
    module.add_read_only_option(rs.option.asic_temperature, 41.5)
    for stream in stereo:
        profiles[stream[0]] = module, module.add_video_stream(_video(*stream, size))
    if imu:
        motion = device.add_sensor('Motion Module')
        for uid, stream, rate in (
            (ACCEL, rs.stream.accel, 100), (ROTATION, rs.stream.gyro, 200),
        ):  # fmt: skip
            kind = rs.motion_stream()
            kind.type, kind.index, kind.uid, kind.fps = stream, 0, uid, rate
            kind.fmt = rs.format.motion_xyz32f
            profiles[uid] = motion, motion.add_motion_stream(kind)
    same = rs.extrinsics()
    same.rotation, same.translation = SAME
    for uid, (_, profile) in profiles.items():
        if uid != COLOR:
            profile.register_extrinsics_to(profiles[COLOR][1], same)
    device.create_matcher(rs.matchers.default)
    recorder = rs.recorder(str(path), device)
    syncer, queue = rs.syncer(), rs.frame_queue(100)
    recorded = recorder.query_sensors()
    for sensor in recorded:
        sensor.open(sensor.get_stream_profiles())
        sensor.start(queue if sensor.is_motion_sensor() else syncer)
    for k in range(frames):
        shown = 0 if frozen else k
        counts = np.full(size[::-1], 2000 + shown, np.uint16)
        counts[0, 0] = 0
        images = {
            COLOR: np.full((*size[::-1], 3), 10 * shown % 250, np.uint8),
            DEPTH: counts,
            LEFT: np.full(size[::-1], shown % 100, np.uint8),
            RIGHT: np.full(size[::-1], 100 + shown % 100, np.uint8),
        }
        for uid in images.keys() & profiles.keys():
            sensor, profile = profiles[uid]
            frame = rs.software_video_frame()
            frame.pixels, frame.bpp = images[uid], images[uid].nbytes // (size[0] * size[1])
            frame.stride = frame.bpp * size[0]
            frame.timestamp, frame.frame_number = period * k, k
            frame.domain = rs.timestamp_domain.hardware_clock
            frame.profile = profile.as_video_stream_profile()
            frame.depth_units = UNITS
            sensor.on_video_frame(frame)
        for j in range(6 if imu else 0):
            _motion(profiles[ROTATION], GYRO, period * (k + j / 6), 6 * k + j)
            if j % 2 == 0:
                _motion(profiles[ACCEL], FORCE, period * (k + j / 6), 3 * k + j // 2)
        time.sleep(pace)
    for sensor in recorded:
        sensor.stop()
        sensor.close()


def _video(uid, stream, index, size, layout, pixels):
    video, lens = rs.video_stream(), rs.intrinsics()
    lens.width, lens.height = pixels
    lens.ppx, lens.ppy, lens.fx, lens.fy = 31.0, 23.0, 50.0, 51.0
    lens.model, lens.coeffs = rs.distortion.inverse_brown_conrady, [0.0] * 5
    video.type, video.index, video.uid = stream, index, uid
    video.width, video.height, video.fps, video.bpp = *pixels, 30, size
    video.fmt, video.intrinsics = layout, lens
    return video


def _motion(where, value, stamp, number):
    sensor, profile = where
    frame, vector = rs.software_motion_frame(), rs.vector()
    vector.x, vector.y, vector.z = value
    frame.data, frame.timestamp, frame.frame_number = vector, stamp, number
    frame.domain = rs.timestamp_domain.hardware_clock
    frame.profile = profile.as_motion_stream_profile()
    sensor.on_motion_frame(frame)


class Bus:
    """A context to which recordings are connected as if they were cameras."""

    def __init__(self, *paths) -> None:
        self.context = rs.context()
        self._devices = {}
        for path in paths:
            self.plug(path)

    def plug(self, path) -> None:
        # librealsense forgets a device that nobody holds.
        self._devices[str(path)] = self.context.load_device(str(path))

    def unplug(self, path) -> None:
        del self._devices[str(path)]
        self.context.unload_device(str(path))

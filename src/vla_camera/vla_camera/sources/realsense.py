# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Intel RealSense: colour, depth aligned to colour, intrinsics; a camera or a recording (.db3).

pyrealsense2 is imported when the source is opened; it needs libusb-1.0 from the system.
"""

import time
from typing import Any, Self

import numpy as np

from vla_camera.source import (
    Calibration,
    CameraFacts,
    DeviceLostError,
    DeviceMissingError,
    Frame,
    Source,
    SourceEndedError,
)

# librealsense's model -> the ROS name; Brown-Conrady's five coefficients have the same order. The
# inverse model undistorts where plumb_bob distorts; cameras that report it have zeros there.
MODELS = {
    'none': 'plumb_bob',
    'brown_conrady': 'plumb_bob',
    'modified_brown_conrady': 'plumb_bob',
    'inverse_brown_conrady': 'plumb_bob',
    'kannala_brandt4': 'equidistant',
}
TIME_TOLERANCE_NS = 500_000_000
RECORDING = '.db3'


def import_realsense() -> Any:
    """The module; DeviceMissingError names what to install."""
    try:
        import pyrealsense2
    except ImportError as error:
        need = 'the Python package pyrealsense2'
        if 'libusb' in str(error):
            need = 'the system library libusb-1.0 (Debian, Ubuntu: sudo apt install libusb-1.0-0)'
        raise DeviceMissingError(f'RealSense needs {need}: {error}') from error
    return pyrealsense2


class RealSenseSource(Source):
    """serial: of the camera, empty for the first. recording: a file instead of a camera. width,
    height, rate: of both streams, 0 for the camera's own. loop: the recording restarts.
    context: an rs.context with other devices than those of USB, for tests.
    """

    def __init__(
        self,
        serial: str,
        width: int,
        height: int,
        rate: float,
        recording: str = '',
        loop: bool = False,
        depth: bool = True,
        context: Any = None,
    ) -> None:
        self._serial = serial
        self._requested = (width, height, round(rate))
        self._recording = recording
        self._loop = loop
        self._depth = depth
        self._context = context
        self._rs: Any = None
        self._last_ns = 0
        self._pipeline: Any = None
        self._align: Any = None
        self._last_number = -1
        self._period_ms = 0.0
        self._playback: Any = None

    @classmethod
    def from_parameters(cls, params: Any, robot: Any) -> Self:
        p = params
        recorded = p.device.endswith(RECORDING)
        return cls(
            '' if recorded else p.device,
            p.width,
            p.height,
            p.rate,
            recording=p.path or (p.device if recorded else ''),
            loop=p.loop,
            depth=p.depth,
        )

    @classmethod
    def device_parameter(cls, params: Any) -> tuple[str, str]:
        if params.path:
            return 'path', f'a recording ({RECORDING})'
        return 'device', f'serial number of a RealSense, or a recording ({RECORDING})'

    def open(self) -> CameraFacts:
        self.close()
        rs = self._rs = import_realsense()
        context = rs.context() if self._context is None else self._context
        config = rs.config()
        if self._recording:
            self._use_recording(rs, config)
        else:
            self._use_camera(rs, config, context)
        pipeline = rs.pipeline(context)
        try:
            profile = pipeline.start(config)
        except RuntimeError as error:
            if self._recording:
                # Nothing is listed: a context that met a broken file fails at everything after it.
                raise DeviceMissingError(f'{self._recording}: {error}') from error
            raise DeviceMissingError(f'RealSense: {error}; {_found(rs, context)}') from error
        self._pipeline = pipeline
        try:
            return self._facts(rs, profile)
        except (RuntimeError, DeviceMissingError):
            self.close()
            raise

    def grab(self, timeout: float) -> Frame | None:
        rs = self._rs
        if self._pipeline is None:
            raise DeviceLostError('RealSense is not open')
        try:
            ok, frames = self._pipeline.try_wait_for_frames(max(1, round(1000 * timeout)))
        except RuntimeError as error:
            raise DeviceLostError(f'RealSense: {error}') from error
        if not ok:
            if self._playback is not None and self._over(rs):
                raise SourceEndedError(f'{self._recording}: the recording is over')
            return None
        try:
            if self._align is not None:
                frames = self._align.process(frames)
            color = frames.get_color_frame()
            depth = frames.get_depth_frame() if self._depth else None
        except RuntimeError as error:
            raise DeviceLostError(f'RealSense: {error}') from error
        if not color:
            return None
        number = color.get_frame_number()
        if number == self._last_number:
            return None  # new depth, old color
        self._last_number = number
        meters = None
        if depth and abs(depth.get_timestamp() - color.get_timestamp()) < self._period_ms:
            # 16 bit counts; 0 means not measured.
            counts = np.asanyarray(depth.get_data())
            meters = counts.astype(np.float32) * np.float32(depth.get_units())
            meters[counts == 0] = np.nan
        # The memory belongs to librealsense's pool: copied before it is returned.
        return Frame(np.array(color.get_data(), np.uint8), meters, self._stamp(color))

    def discard(self) -> None:
        """Drop what librealsense has queued."""
        if self._pipeline is not None and self._playback is None:
            try:
                while self._pipeline.poll_for_frames():
                    pass
            except RuntimeError as error:
                raise DeviceLostError(f'RealSense: {error}') from error

    def close(self) -> None:
        if self._pipeline is not None:
            try:
                self._pipeline.stop()
            except RuntimeError:
                pass  # a lost device is stopped already
        self._pipeline = self._align = self._playback = None
        self._last_number = -1

    def _use_camera(self, rs: Any, config: Any, context: Any) -> None:
        devices = context.query_devices()
        serials = [d.get_info(rs.camera_info.serial_number) for d in devices]
        if not serials:
            raise DeviceMissingError(
                'no RealSense camera found: plug it into a USB 3 port (and install the udev rules '
                'of librealsense if it is there but may not be opened)'
            )
        if self._serial and self._serial not in serials:
            raise DeviceMissingError(f'no RealSense camera {self._serial}; {_found(rs, context)}')
        config.enable_device(self._serial or serials[0])
        width, height, rate = self._requested
        config.enable_stream(rs.stream.color, -1, width, height, rs.format.rgb8, rate)
        if self._depth:
            config.enable_stream(rs.stream.depth, -1, width, height, rs.format.z16, rate)

    def _use_recording(self, rs: Any, config: Any) -> None:
        # librealsense hangs on other files, or raises anything.
        if not self._recording.endswith(RECORDING):
            raise DeviceMissingError(f'{self._recording}: a recording is named *.db3')
        try:
            open(self._recording, 'rb').close()
        except OSError as error:
            raise DeviceMissingError(f'{self._recording}: {error.strerror}') from error
        try:
            config.enable_device_from_file(self._recording, self._loop)
        except RuntimeError as error:
            raise DeviceMissingError(f'{self._recording}: {error}') from error

    def _facts(self, rs: Any, profile: Any) -> CameraFacts:
        kinds = {stream.stream_type(): stream for stream in profile.get_streams()}
        if rs.stream.color not in kinds:
            raise DeviceMissingError('RealSense: no colour stream')
        color = kinds[rs.stream.color].as_video_stream_profile()
        if color.format() != rs.format.rgb8:
            raise DeviceMissingError(f'RealSense: colour is {color.format()}, wanted rgb8')
        has_depth = self._depth and rs.stream.depth in kinds
        if has_depth:
            self._align = rs.align(rs.stream.color)
        device = profile.get_device()
        if self._recording:
            self._playback = device.as_playback()
        name = device.get_info(rs.camera_info.name)
        serial = device.get_info(rs.camera_info.serial_number)
        # Depth is delivered only with a color frame of the same instant. librealsense pairs them
        # freely when one is missing, e.g. where a recording restarts.
        self._period_ms = 1000.0 / color.fps()
        i = color.get_intrinsics()
        lens = str(i.model).rsplit('.', 1)[-1]
        if lens not in MODELS:
            raise DeviceMissingError(f'RealSense: lens model {lens}; known: {", ".join(MODELS)}')
        coefficients = tuple(i.coeffs)[: 4 if MODELS[lens] == 'equidistant' else 5]
        calibration = Calibration(i.fx, i.fy, i.ppx, i.ppy, MODELS[lens], coefficients)
        return CameraFacts(
            f'{name} {serial}', i.width, i.height, float(color.fps()), calibration, depth=has_depth
        )

    def _stamp(self, frame: Any) -> int:
        """The camera's time where it is on the system clock, else the arrival time."""
        stamp = now = time.time_ns()
        if self._playback is None:
            domain = frame.get_frame_timestamp_domain()
            if domain in (
                self._rs.timestamp_domain.global_time,
                self._rs.timestamp_domain.system_time,
            ):
                reported = round(frame.get_timestamp() * 1e6)
                if 0 <= now - reported <= TIME_TOLERANCE_NS:
                    stamp = reported
        # The estimate of the camera's clock wanders; the frame is new by its number.
        self._last_ns = max(stamp, self._last_ns + 1)
        return self._last_ns

    def _over(self, rs: Any) -> bool:
        status = self._playback.current_status()
        return not self._loop and status == rs.playback_status.stopped


def _found(rs: Any, context: Any) -> str:
    """The connected devices, for error messages."""
    wanted = (rs.camera_info.name, rs.camera_info.serial_number)
    devices = [' '.join(d.get_info(i) for i in wanted) for d in context.query_devices()]
    return f'connected: {", ".join(devices) or "none"}'

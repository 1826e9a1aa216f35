# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Intel RealSense: color, depth aligned to it, intrinsics, infrared, IMU; a camera or a recording.

pyrealsense2 is imported when the source is opened; it needs libusb-1.0 from the system.
"""

import time
from collections import Counter
from typing import Any, Self

import numpy as np

from vla_camera.clock_offset import ClockOffset
from vla_camera.realsense_imu import RealSenseImu
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
OLDEST_NS = 1_000_000_000
"""Age of a frame above which it is dropped: it waited in librealsense or on the bus."""
TEMPERATURES = ('asic_temperature', 'projector_temperature', 'motion_module_temperature')
TEMPERATURE_PERIOD = 5.0
"""s: each one is a request on the bus."""
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
    height, rate: of all streams, 0 for the camera's own. loop: the recording restarts.
    context: an rs.context with other devices than those of USB, for tests.
    """

    slow_remedy = 'a USB 3 port and cable, more light, or a smaller picture'

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
        infrared: bool = False,
        imu: bool = False,
    ) -> None:
        self._serial = serial
        self._requested = (width, height, round(rate))
        self._recording = recording
        self._loop = loop
        self._depth, self._infrared, self._with_imu = depth, infrared, imu
        self._context = context
        self._watched: Any = None  # the context whose changes are followed
        self._device: Any = None
        self._name = ''
        self._unplugged = False
        self._imu: RealSenseImu | None = None
        self._clock = ClockOffset()
        self._domain = ''
        self._temperatures: dict[str, float] = {}
        self._temperatures_due = 0.0
        self.old = self.arrivals = self.lost = 0
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
            infrared=p.infrared,
            imu=p.imu,
        )

    @classmethod
    def device_parameter(cls, params: Any) -> tuple[str, str]:
        if params.path:
            return 'path', f'a recording ({RECORDING})'
        return 'device', f'serial number of a RealSense, or a recording ({RECORDING})'

    def open(self) -> CameraFacts:
        self.close()
        rs = self._rs = import_realsense()
        if self._recording:
            context = rs.context() if self._context is None else self._context
        else:
            context = self._watch(rs)
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
            facts = self._facts(rs, profile)
            self._device, self._name, self._unplugged = profile.get_device(), facts.device, False
            if self._with_imu:
                color = profile.get_stream(rs.stream.color)
                self._imu = RealSenseImu(rs, self._device, color, self._motion_stamp)
            return facts
        except (RuntimeError, DeviceMissingError):
            self.close()
            raise

    def grab(self, timeout: float) -> Frame | None:
        rs = self._rs
        if self._pipeline is None:
            raise DeviceLostError('RealSense is not open')
        if self._unplugged:
            raise DeviceLostError(f'{self._name} was unplugged')
        try:
            ok, frames = self._pipeline.try_wait_for_frames(max(1, round(1000 * timeout)))
        except RuntimeError as error:
            raise DeviceLostError(f'RealSense: {error}') from error
        if not ok:
            if self._playback is not None and self._over(rs):
                raise SourceEndedError(f'{self._recording}: the recording is over')
            if self._unplugged:
                raise DeviceLostError(f'{self._name} was unplugged')
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
        if 0 <= self._last_number < number < self._last_number + 1000:
            self.lost += number - self._last_number - 1
        self._last_number = number
        stamp_ns = self._stamp(color)
        if stamp_ns is None:
            self.old += 1
            return None
        self._measure_temperatures(rs)
        meters = None
        if depth and abs(depth.get_timestamp() - color.get_timestamp()) < self._period_ms:
            # 16 bit counts; 0 means not measured.
            counts = np.asanyarray(depth.get_data())
            meters = counts.astype(np.float32) * np.float32(depth.get_units())
            meters[counts == 0] = np.nan
        # The memory belongs to librealsense's pool: copied before it is returned.
        infrared = ()
        if self._infrared:
            found = [frames.get_infrared_frame(index) for index in (1, 2)]
            infrared = tuple(np.array(f.get_data(), np.uint8) for f in found if f)
        samples = self._imu.drain() if self._imu is not None else ()
        pixels = np.array(color.get_data(), np.uint8)
        return Frame(pixels, meters, stamp_ns, infrared, samples)

    def discard(self) -> None:
        """Drop what librealsense has queued."""
        if self._pipeline is not None and self._playback is None:
            try:
                while self._pipeline.poll_for_frames():
                    pass
            except RuntimeError as error:
                raise DeviceLostError(f'RealSense: {error}') from error

    def notes(self) -> dict[str, str]:
        notes = {
            'clock': self._domain,
            'frames_lost': str(self.lost),
            'frames_too_old': str(self.old),
            'stamps_of_arrival': str(self.arrivals),
            **self._clock.notes(),
        }
        if self._imu is not None:
            notes['imu_samples_dropped'] = str(self._imu.dropped)
        return notes

    def temperatures(self) -> dict[str, float]:
        return self._temperatures

    def close(self) -> None:
        if self._imu is not None:
            self._imu.close()
        if self._pipeline is not None:
            try:
                self._pipeline.stop()
            except RuntimeError:
                pass  # a lost device is stopped already
        self._pipeline = self._align = self._playback = self._imu = self._device = None
        self._last_number = -1
        self._clock.reset()

    def _watch(self, rs: Any) -> Any:
        """One context for all openings: librealsense reports in it that a camera was unplugged."""
        if self._watched is None:
            self._watched = rs.context() if self._context is None else self._context
            self._watched.set_devices_changed_callback(self._on_change)
        return self._watched

    def _on_change(self, change: Any) -> None:
        """Called in a thread of librealsense."""
        device = self._device
        if device is not None and change.was_removed(device):
            self._unplugged = True

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
        serial = self._serial or serials[0]
        if Counter(serials)[serial] > 1:
            raise DeviceMissingError(
                f'two RealSense cameras have the serial number {serial}: unplug one of them'
            )
        config.enable_device(serial)
        width, height, rate = self._requested
        config.enable_stream(rs.stream.color, -1, width, height, rs.format.rgb8, rate)
        if self._depth:
            config.enable_stream(rs.stream.depth, -1, width, height, rs.format.z16, rate)
        if self._infrared:
            for index in (1, 2):
                config.enable_stream(rs.stream.infrared, index, width, height, rs.format.y8, rate)

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
            f'{name} {serial}',
            i.width,
            i.height,
            float(color.fps()),
            calibration,
            depth=has_depth,
            infrared=2 if self._infrared else 0,
            imu=self._with_imu,
        )

    def _stamp(self, frame: Any) -> int | None:
        """System time of the exposure, or of the arrival; None for a frame that is too old."""
        stamp = now = time.time_ns()
        if self._playback is None:
            reported = self._system_time(frame, now)
            if reported is None:
                self.arrivals += 1
            elif now - reported > OLDEST_NS:
                return None
            else:
                stamp = reported
        # The estimate of the camera's clock wanders; the frame is new by its number.
        self._last_ns = max(stamp, self._last_ns + 1)
        return self._last_ns

    def _system_time(self, frame: Any, now: int) -> int | None:
        """Of the camera's own stamp; None where it is of no use."""
        domain, domains = frame.get_frame_timestamp_domain(), self._rs.timestamp_domain
        self._domain = str(domain).rpartition('.')[2]
        device_ns = round(frame.get_timestamp() * 1e6)
        if domain == domains.hardware_clock:
            return now - self._clock.age(device_ns, time.monotonic_ns())
        # librealsense has converted it; one of the future, or of another day, is not believed.
        self._clock.age(device_ns, now)
        return device_ns if 0 <= now - device_ns <= 60 * OLDEST_NS else None

    def _motion_stamp(self, frame: Any) -> int | None:
        """As of the images, by the offset that those gave; None before the first one."""
        if self._playback is not None:
            return time.time_ns()
        device_ns = round(frame.get_timestamp() * 1e6)
        if frame.get_frame_timestamp_domain() != self._rs.timestamp_domain.hardware_clock:
            return device_ns
        offset = self._clock.offset_ns
        return None if offset is None else device_ns + offset + time.time_ns() - time.monotonic_ns()

    def _measure_temperatures(self, rs: Any) -> None:
        """Now and then, in the grabbing thread."""
        if time.monotonic() < self._temperatures_due or self._device is None:
            return
        self._temperatures_due = time.monotonic() + TEMPERATURE_PERIOD
        found = {}
        for sensor in self._device.query_sensors():
            for name in TEMPERATURES:
                option = getattr(rs.option, name)
                try:
                    if sensor.supports(option):
                        found[name] = float(sensor.get_option(option))
                except RuntimeError:
                    pass  # some can be read only while they stream
        self._temperatures = found

    def _over(self, rs: Any) -> bool:
        status = self._playback.current_status()
        return not self._loop and status == rs.playback_status.stopped


def _found(rs: Any, context: Any) -> str:
    """The connected devices, for error messages."""
    wanted = (rs.camera_info.name, rs.camera_info.serial_number)
    devices = [' '.join(d.get_info(i) for i in wanted) for d in context.query_devices()]
    return f'connected: {", ".join(devices) or "none"}'

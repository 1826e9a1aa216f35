# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stereolabs ZED: rectified left image, depth aligned to it, intrinsics. Never seen with a camera.

Written against the Python API of ZED SDK 5.4 (`pyzed.sl`, of github.com/stereolabs/zed-python-api),
which comes with the SDK and needs an NVIDIA GPU; imported when the source is opened. The package
`pyzed` of the Python package index is not it. The monocular ZED X One has another class: not read.

Stamp: the SDK's, when the whole image was in memory, system clock: 2 or 3 frames after exposure.
"""

import time
from collections import Counter
from typing import Any, Self

import cv2
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

RECORDING = '.svo'
SIZES = {
    (2208, 1242): 'HD2K',
    (1920, 1080): 'HD1080',
    (1920, 1200): 'HD1200',
    (1280, 720): 'HD720',
    (960, 600): 'SVGA',
    (672, 376): 'VGA',
}
OLDEST_NS = 1_000_000_000
"""Age of a frame above which it is dropped: it waited in the SDK."""
TEMPERATURE_PERIOD = 5.0  # s
ABSENT = (-1.0, 0.0)
"""Temperatures that the SDK gives for a sensor that is not there."""


def import_zed() -> Any:
    """The module; DeviceMissingError names what to install."""
    try:
        import pyzed.sl as sl
    except ImportError as error:
        raise DeviceMissingError(
            f'ZED needs the ZED SDK and its Python API (get_python_api.py of the SDK): {error}'
        ) from error
    if not hasattr(sl, 'InitParameters'):
        raise DeviceMissingError(
            'this pyzed is not that of Stereolabs: uninstall it, and install the Python API with '
            'get_python_api.py of the ZED SDK'
        )
    return sl


class ZedSource(Source):
    """serial: of the camera, empty for the first. width, height, rate: 0 for the camera's own.
    recording: an SVO file instead of a camera. timeout: s for opening. sdk: for tests."""

    slow_remedy = 'a GPU with less other work, depth: false, or a smaller picture'

    def __init__(
        self,
        serial: str,
        width: int,
        height: int,
        rate: float,
        recording: str = '',
        loop: bool = False,
        depth: bool = True,
        timeout: float = 10.0,
        sdk: Any = None,
    ) -> None:
        self._serial, self._recording, self._loop = serial, recording, loop
        self._requested = (width, height, round(rate))
        self._depth, self._timeout = depth, timeout
        self._sl = sdk
        self._camera: Any = None
        self._image: Any = None
        self._measure: Any = None
        self._last_ns = 0
        self._not_before_ns = 0
        self._temperatures: dict[str, float] = {}
        self._temperatures_due = 0.0
        self._sensors: Any = None
        self.old = self.corrupt = self.repeated = 0

    @classmethod
    def from_parameters(cls, params: Any, robot: Any) -> Self:
        p = params
        recorded = RECORDING in p.device
        return cls(
            '' if recorded else p.device,
            p.width,
            p.height,
            p.rate,
            recording=p.path or (p.device if recorded else ''),
            loop=p.loop,
            depth=p.depth,
            timeout=cls.opening_time(p),
        )

    @classmethod
    def device_parameter(cls, params: Any) -> tuple[str, str]:
        return 'device', f'serial number of a ZED, or a recording ({RECORDING}, {RECORDING}2)'

    def open(self) -> CameraFacts:
        self.close()
        sl = self._sl = self._sl or import_zed()
        request = self._request(sl)
        camera = sl.Camera()
        status = camera.open(request)
        if not camera.is_opened():
            camera.close()
            what = self._recording or f'ZED {self._serial}'.strip()
            raise DeviceMissingError(f'{what}: {_name(status)}; {_found(sl)}')
        self._camera, self._image, self._measure = camera, sl.Mat(), sl.Mat()
        self._sensors = sl.SensorsData()
        information = camera.get_camera_information()
        setup = information.camera_configuration
        lens = setup.calibration_parameters.left_cam  # of the rectified image: no distortion
        return CameraFacts(
            f'{information.camera_model} {information.serial_number}',
            int(setup.resolution.width),
            int(setup.resolution.height),
            float(setup.fps),
            Calibration(float(lens.fx), float(lens.fy), float(lens.cx), float(lens.cy)),
            depth=self._depth,
        )

    def grab(self, timeout: float) -> Frame | None:
        # The SDK's own time-out ends the wait; the node's watch over silence does not need it.
        sl, camera = self._sl, self._camera
        if camera is None:
            raise DeviceLostError('ZED is not open')
        status, codes = camera.grab(), sl.ERROR_CODE
        if status == codes.END_OF_SVOFILE_REACHED:
            raise SourceEndedError(f'{self._recording}: the recording is over')
        if status == codes.CORRUPTED_FRAME:
            self.corrupt += 1
            return None
        if status != codes.SUCCESS:
            raise DeviceLostError(f'ZED {self._serial}: {_name(status)}'.replace(' :', ':'))
        stamp_ns = self._stamp()
        if stamp_ns is None:
            return None
        self._check(camera.retrieve_image(self._image, sl.VIEW.LEFT))
        pixels = self._image.get_data()
        if pixels.ndim != 3 or pixels.shape[2] != 4 or pixels.dtype != np.uint8:
            raise DeviceLostError(f'ZED: an image of {pixels.dtype} {pixels.shape}, wanted BGRA')
        color = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB)
        depth = None
        if self._depth:
            self._check(camera.retrieve_measure(self._measure, sl.MEASURE.DEPTH))
            depth = np.array(self._measure.get_data(), np.float32)
            depth[np.isneginf(depth) | (depth <= 0.0)] = np.nan  # -inf: too near to measure
        self._measure_temperatures()
        return Frame(color, depth, stamp_ns)

    def discard(self) -> None:
        """The SDK keeps one image; its stamp tells whether it is from before."""
        if not self._recording:
            self._not_before_ns = time.time_ns()

    def notes(self) -> dict[str, str]:
        return {
            'frames_corrupt': str(self.corrupt),
            'frames_repeated': str(self.repeated),
            'frames_too_old': str(self.old),
        }

    def temperatures(self) -> dict[str, float]:
        return self._temperatures

    def close(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()

    def _request(self, sl: Any) -> Any:
        """What the camera is asked for. Raises DeviceMissingError."""
        request = sl.InitParameters()
        width, height, rate = self._requested
        if width or height:
            name = SIZES.get((width, height))
            if name is None or not hasattr(sl.RESOLUTION, name):
                offered = ', '.join(f'{w} x {h}' for w, h in SIZES)
                raise DeviceMissingError(f'ZED: no size {width} x {height}; it offers {offered}')
            request.camera_resolution = getattr(sl.RESOLUTION, name)
        if rate:
            request.camera_fps = rate
        request.coordinate_units = sl.UNIT.METER
        if not self._depth:
            request.depth_mode = sl.DEPTH_MODE.NONE
        request.open_timeout_sec = self._timeout
        # Without it grab() blocks for as long as the camera is gone.
        request.async_grab_camera_recovery = True
        if self._recording:
            request.set_from_svo_file(self._recording)
            request.svo_real_time_mode = True
            return request
        serials = [str(device.serial_number) for device in sl.Camera.get_device_list()]
        if self._serial and Counter(serials)[self._serial] != 1:
            many = 'two cameras have' if self._serial in serials else 'no camera has'
            raise DeviceMissingError(f'ZED: {many} the serial number {self._serial}; {_found(sl)}')
        if self._serial:
            request.set_from_serial_number(int(self._serial))
        return request

    def _stamp(self) -> int | None:
        """System time of the image; None for one that is not new."""
        sl = self._sl
        now = time.time_ns()
        stamp_ns = int(self._camera.get_timestamp(sl.TIME_REFERENCE.IMAGE).get_nanoseconds())
        if self._recording or stamp_ns > now:
            return now
        if stamp_ns == self._last_ns:
            self.repeated += 1
            return None
        self._last_ns = stamp_ns
        if stamp_ns < self._not_before_ns or now - stamp_ns > OLDEST_NS:
            self.old += 1
            return None
        return stamp_ns

    def _check(self, status: Any) -> None:
        if status != self._sl.ERROR_CODE.SUCCESS:
            raise DeviceLostError(f'ZED: {_name(status)}')

    def _measure_temperatures(self) -> None:
        """Now and then; models without sensors have none."""
        if time.monotonic() < self._temperatures_due:
            return
        self._temperatures_due = time.monotonic() + TEMPERATURE_PERIOD
        sl = self._sl
        reference = sl.TIME_REFERENCE.CURRENT
        if self._camera.get_sensors_data(self._sensors, reference) != sl.ERROR_CODE.SUCCESS:
            return
        measured = self._sensors.get_temperature_data()
        places = {
            'imu': sl.SENSOR_LOCATION.IMU,
            'left': sl.SENSOR_LOCATION.ONBOARD_LEFT,
            'right': sl.SENSOR_LOCATION.ONBOARD_RIGHT,
        }
        found = {place: float(measured.get(which)) for place, which in places.items()}
        self._temperatures = {
            place: value
            for place, value in found.items()
            if np.isfinite(value) and value not in ABSENT
        }


def _name(status: Any) -> str:
    return str(getattr(status, 'name', status)).replace('_', ' ').lower()


def _found(sl: Any) -> str:
    """The connected cameras, for error messages."""
    listed = sl.Camera.get_device_list()
    found = ', '.join(f'{device.camera_model} {device.serial_number}' for device in listed)
    return f'connected: {found or "none"}'

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node of one camera: its source, the grabbing thread that publishes, and diagnostics."""

import sys
from typing import Any

from vla_camera.calibration_file import read_calibration
from vla_camera.grabber import Grabber, Health
from vla_camera.image_geometry import ImageGeometry
from vla_camera.image_messages import (
    color_message,
    depth_message,
    imu_message,
    info_message,
    infrared_message,
)
from vla_camera.source import Calibration, CameraError, CameraFacts, DeviceLostError, Frame, Source
from vla_camera.sources import SOURCES
from vla_common import topics
from vla_common.cameras import CAMERA, camera_node, camera_topic, check_camera_name
from vla_common.errors import ConfigError
from vla_common.lifecycle import VlaLifecycleNode
from vla_common.messages import ns_to_stamp
from vla_common.node_main import run
from vla_common.scheduling import Priority
from vla_common.states import Level
from vla_robot import RobotModel, load_robot

CHECK_PERIOD = 0.1
"""s between two looks for a change that diagnostics report at once."""

SLOW = 0.8
"""Share of the set rate below which a camera is reported as slow."""


def make_source(params: Any, robot: RobotModel) -> Source:
    """The source named by the parameters; its module, with its libraries, is imported only now."""
    return SOURCES.load(params.source, 'parameters', 'source').from_parameters(params, robot)


def _frame_of(name: str, robot: RobotModel) -> str:
    """Optical frame of a camera: a link of the robot, where robot.yaml has the camera."""
    camera = robot.cameras.get(name) if name else robot.camera
    return f'{name}_camera' if camera is None else camera.link


class CameraNode(VlaLifecycleNode):
    """make_source: creates the source; tests pass one that fails."""

    def __init__(self, make_source: Any = make_source, **node_options: Any) -> None:
        super().__init__(CAMERA, 'vla_camera', **node_options)
        self._make_source = make_source
        self._grabber: Grabber | None = None

    def setup(self) -> None:
        p = self.params
        place = f'parameters of {self.get_fully_qualified_name()}'
        self._check_name(place)
        robot = load_robot(p.robot)
        self._frame_id = p.frame_id or _frame_of(p.name, robot)
        self._source = self._make_source(p, robot)
        self._source.connect(self)
        grabber = Grabber(
            self._source,
            self._publish,
            self.get_logger().warning,
            p.frozen_after,
            p.stall_after,
            reopen_silent=self._source.reopen_silent,
            silent_after=p.silent_after,
        )
        self._grabber = grabber
        try:
            facts = grabber.open(p.open_timeout)
        except (CameraError, TimeoutError) as error:
            key, wanted = self._source.device_parameter(p)
            raise ConfigError(place, key, str(error), wanted) from error
        self._size = (facts.width, facts.height)
        self._check_facts(facts)
        self._calibration: Calibration | None = None
        if p.calibration:
            self._calibration = read_calibration(p.calibration, facts.width, facts.height)
        try:
            self._set_geometry(self._calibration_now(facts))
        except ValueError as error:
            raise ConfigError(place, *error.args) from error
        self._color_out = self.add_publisher(camera_topic(topics.COLOR_IMAGE, p.name))
        self._info_out = self.add_publisher(camera_topic(topics.CAMERA_INFO, p.name))
        self._depth_out = None
        if facts.depth:
            self._depth_out = self.add_publisher(camera_topic(topics.DEPTH_IMAGE, p.name))
        infrared = (topics.INFRA1_IMAGE, topics.INFRA2_IMAGE)[: facts.infrared]
        self._infrared_out = [self.add_publisher(camera_topic(t, p.name)) for t in infrared]
        self._imu_out = None
        if facts.imu:
            self._imu_out = self.add_publisher(camera_topic(topics.CAMERA_IMU, p.name))
        self._reported = Level.SAFE
        self.add_timer(CHECK_PERIOD, self._report_change)
        self.get_logger().info(
            f'{facts.device}: {facts.width} x {facts.height} at {facts.rate:g} Hz'
            + (', with depth' if facts.depth else '')
        )

    def _check_name(self, place: str) -> None:
        """The supervisor and the subscribers know a camera by its node's name."""
        name, node = self.params.name, self.get_name()
        if name:
            check_camera_name(name, place, 'name')
        if node != camera_node(name):
            wanted = f'the name of the node {node}, which is {CAMERA} or {CAMERA}_NAME'
            raise ConfigError(place, 'name', name, wanted)

    def _check_facts(self, facts: CameraFacts) -> None:
        """Warn where the device did not take a requested setting."""
        p = self.params
        for name, requested, actual in (
            ('width', p.width, facts.width),
            ('height', p.height, facts.height),
            ('rate', p.rate, facts.rate),
        ):
            if requested and actual and abs(requested - actual) > 0.5:
                self.get_logger().warning(
                    f'{name} {requested:g} was requested, the camera has {actual:g}'
                    + (f'; {facts.advice}' if facts.advice else '')
                )

    def start(self) -> None:
        self._grabber.run()

    def stop(self) -> None:
        self._grabber.pause()

    def teardown(self) -> None:
        grabber, self._grabber = self._grabber, None
        if grabber is not None and not grabber.close():
            self.get_logger().error('the device hangs in its driver; its thread is abandoned')

    def diagnose(self) -> tuple[Level, str, dict[str, str]]:
        health = self._grabber.health()
        facts = self._grabber.facts
        values = {
            'device': facts.device,
            'size': f'{facts.width} x {facts.height}',
            'rate_hz': f'{health.rate:.1f}',
            'frames': str(health.frames),
            'stalls': str(health.stalls),
            'reopened': str(health.reopened),
            'repeated': str(health.repeated),
            'silent_for_s': f'{health.silent_for:.2f}',
            'in_driver_for_s': f'{health.busy_for:.2f}',
            'delay_ms': f'{1000.0 * health.delay:.0f}',
            'identical_for_s': f'{health.same_for:.2f}',
            'calibrated': 'yes' if self._calibration_now(facts).fx > 0.0 else 'no',
        }
        values |= self._source.notes()
        hot = self._source.temperatures()
        values |= {f'{part}_deg_c': f'{value:.1f}' for part, value in hot.items()}
        if not self.active:
            return Level.WARNING, 'inactive', values
        if health.ended:
            return Level.DANGER, health.problem, values
        if self._source.waiting_for:
            return Level.DANGER, self._source.waiting_for, values
        if health.problem:
            return Level.DANGER, health.problem, values
        if health.frozen:
            return Level.DANGER, f'frozen: the same image for {health.same_for:.1f} s', values
        if slow := self._slow(health, facts):
            return Level.WARNING, slow, values
        if warning := self._source.warning or self._hot(hot):
            return Level.WARNING, warning, values
        return Level.SAFE, f'{health.rate:.1f} Hz', values

    def _report_change(self) -> None:
        level, message, _ = self.diagnose()
        if level is not self._reported:
            self._reported = level
            if level is Level.DANGER:
                self.get_logger().error(message)
            self.publish_diagnostics()

    def _hot(self, temperatures: dict[str, float]) -> str:
        limit = self.params.hot_above
        part = max(temperatures, key=lambda name: temperatures[name], default='')
        if not (part and 0.0 < limit < temperatures[part]):
            return ''
        return f'{part} has {temperatures[part]:.1f} deg C, the limit is {limit:g}: more air'

    def _slow(self, health: Health, facts: CameraFacts) -> str:
        """What is wrong with the rate, and what helps; '' for nothing."""
        remedy = self._source.slow_remedy
        if not remedy or health.rate >= SLOW * facts.rate or health.frames < 2.0 * facts.rate:
            return ''
        return f'{health.rate:.1f} Hz, {facts.rate:g} Hz are set: {remedy}'

    def _set_geometry(self, lens: Calibration) -> None:
        self._lens, p = lens, self.params
        self._geometry = ImageGeometry(lens, *self._size, p.rectify, p.crop)

    def _calibration_now(self, facts: CameraFacts) -> Calibration:
        return self._calibration or facts.calibration

    def _publish(self, frame: Frame, facts: CameraFacts) -> None:
        """Called in the grabbing thread. camera_info comes last: it is the heartbeat."""
        stamp = ns_to_stamp(frame.stamp_ns)
        height, width = frame.color.shape[:2]
        if (width, height) != self._size:
            raise DeviceLostError(
                f'{facts.device} came back with {width} x {height} px, '
                f'it was configured with {self._size[0]} x {self._size[1]}'
            )
        # A source may have another calibration, or none, after it was opened again.
        if (lens := self._calibration_now(facts)) != self._lens:
            try:
                self._set_geometry(lens)
            except ValueError as error:
                raise DeviceLostError(f'{error.args[0]}: {error.args[1]}') from error
        geometry, frame_id = self._geometry, self._frame_id
        self._color_out.publish(color_message(geometry.color(frame.color), stamp, frame_id))
        out = self._depth_out
        if frame.depth is not None and out is not None and out.get_subscription_count():
            depth = geometry.depth(frame.depth)
            out.publish(depth_message(depth, stamp, frame_id, self.params.depth_unit))
        for out, image in zip(self._infrared_out, frame.infrared, strict=False):
            if out.get_subscription_count():
                out.publish(infrared_message(image, stamp, frame_id))
        if self._imu_out is not None:
            for sample in frame.imu:
                self._imu_out.publish(imu_message(sample, frame_id))
        size = geometry.width, geometry.height
        self._info_out.publish(info_message(geometry.calibration, *size, stamp, frame_id))


def main() -> None:
    sys.exit(run(CameraNode, priority=Priority.CAMERA))


if __name__ == '__main__':
    main()

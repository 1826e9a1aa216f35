# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node balance_monitor: estimator and assessment with topics and timers."""

import math
from functools import partial
from typing import Any

import numpy as np
from geometry_msgs.msg import Point, Vector3
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from vla_balance.assessment import AssessmentParams, BalanceAssessment, BalanceVerdict
from vla_balance.estimator import BalanceEstimate, BalanceEstimator, EstimatorParams
from vla_balance.imu_check import ImuCheck
from vla_common import topics
from vla_common.cdr import Writer
from vla_common.clock import first_sequence, steady_now
from vla_common.errors import ConfigError
from vla_common.lifecycle import VlaLifecycleNode
from vla_common.messages import JointOrder, has_orientation
from vla_common.node_main import run
from vla_common.scheduling import Priority
from vla_common.states import Level
from vla_common.watchdog import Watchdog
from vla_interfaces.msg import BalanceState, Violation
from vla_robot import load_robot

INPUTS = (topics.JOINT_STATES, topics.IMU, topics.LEFT_FOOT_WRENCH, topics.RIGHT_FOOT_WRENCH)
JOINTS, IMU, LEFT, RIGHT = (topic.name for topic in INPUTS)
MARKER_PERIOD = 0.1

_JOINT_FIELDS = ('header.stamp', 'name', 'position', 'velocity')
_IMU_FIELDS = (
    'header.stamp', 'orientation', 'orientation_covariance', 'angular_velocity',
    'linear_acceleration',
)  # fmt: skip
_WRENCH_FIELDS = ('header.stamp', 'wrench')
_STATE_FIELDS = (
    'header.stamp', 'sequence', 'level', 'orientation', 'tilt', 'com', 'com_velocity',
    'capture_point', 'zmp', 'support_polygon', 'margin', 'base_height', 'left_contact',
    'right_contact', 'falling', 'fallen',
)  # fmt: skip


class BalanceMonitor(VlaLifecycleNode):
    """See README.md."""

    def __init__(self, **node_options: Any) -> None:
        super().__init__('balance_monitor', 'vla_balance', **node_options)
        self._verdict: BalanceVerdict | None = None

    def setup(self) -> None:
        p = self.params
        self._robot = robot = load_robot(p.robot)
        if not robot.foot_boxes:
            raise ConfigError(
                robot.directory / 'robot.yaml', 'frames', 'no feet', 'left_foot and right_foot'
            )
        rising = (p.tilt_warning, p.tilt_danger, p.tilt_emergency, p.fallen_tilt)
        if list(rising) != sorted(rising):
            raise ConfigError(
                'parameters of /balance_monitor', 'tilt_warning', str(rising),
                'tilt_warning <= tilt_danger <= tilt_emergency <= fallen_tilt',
            )  # fmt: skip
        self._estimator_params = p.select(EstimatorParams)
        self._assessment_params = p.select(AssessmentParams)
        self._order = JointOrder(robot.joint_names)
        self._q, self._v = np.zeros(robot.n), np.zeros(robot.n)
        self._orientation = np.array([1.0, 0.0, 0.0, 0.0])
        self._angular_velocity, self._acceleration = np.zeros(3), np.zeros(3)
        self._has_orientation = True
        self._wrenches = {name: np.zeros(6) for name in (LEFT, RIGHT)}
        self._writers: dict[tuple[str, int], Writer] = {}
        self._watchdogs = {
            name: Watchdog(name, p.input_timeout) for name in (JOINTS, IMU, LEFT, RIGHT)
        }
        self._rejected = dict.fromkeys((JOINTS, IMU, LEFT, RIGHT), 0)
        self._skipped_ticks = 0
        self._sequence = first_sequence()
        self._reset_state()

        self._state_out = self.add_publisher(topics.BALANCE_STATE)
        self._markers_out = self.add_publisher(topics.BALANCE_MARKERS)
        self._inputs = (
            (self.poll(topics.JOINT_STATES, _JOINT_FIELDS), self._on_joints),
            (self.poll(topics.IMU, _IMU_FIELDS), self._on_imu),
            *(
                (self.poll(topic, _WRENCH_FIELDS), partial(self._on_wrench, topic.name))
                for topic in INPUTS[2:]
            ),
        )
        self.add_timer(1.0 / p.rate, self._tick)
        self.add_timer(MARKER_PERIOD, self._publish_markers)

    def start(self) -> None:
        # What was received before a pause does not count after it.
        for watchdog in self._watchdogs.values():
            watchdog.reset()
        self._reset_state()

    def diagnose(self) -> tuple[Level, str, dict[str, str]]:
        values = {f'rejected {name}': str(n) for name, n in self._rejected.items() if n}
        for name, watchdog in self._watchdogs.items():
            if watchdog.replayed:
                values[f'not new {name}'] = str(watchdog.replayed)
        values['ticks without input'] = str(self._skipped_ticks)
        missing = self._missing(steady_now())
        if self.active and missing:
            return Level.DANGER, f'no fresh {", ".join(missing)}', values
        if self._imu_check.disagreement:
            values['imu'] = self._imu_check.disagreement
        if self._verdict is None or self._estimate is None:
            return Level.WARNING, 'no estimate yet', values
        values['margin'] = f'{self._estimate.margin:.4f} m'
        values['tilt'] = f'{self._estimate.tilt:.4f} rad'
        return self._verdict.level, self._verdict.cause or 'balanced', values

    # -- inputs ----------------------------------------------------------------------------

    def _read_inputs(self) -> None:
        for latest, callback in self._inputs:
            values = latest.newest()
            if values is not None:
                callback(latest.arrived, *values)

    def _on_joints(
        self, arrived: float, stamp: int, names: list[str], q: np.ndarray, v: np.ndarray
    ) -> None:
        try:
            self._order.read(names, q, self._q)
            self._order.read(names, v, self._v)
        except (KeyError, ValueError):
            self._rejected[JOINTS] += 1
            return
        self._accept(JOINTS, arrived, stamp, self._q, self._v)

    def _on_imu(
        self,
        arrived: float,
        stamp: int,
        xyzw: np.ndarray,
        covariance: np.ndarray,
        angular_velocity: np.ndarray,
        acceleration: np.ndarray,
    ) -> None:
        self._has_orientation = has_orientation(covariance)
        if self._has_orientation:
            self._orientation[0], self._orientation[1:] = xyzw[3], xyzw[:3]
        self._angular_velocity[:], self._acceleration[:] = angular_velocity, acceleration
        if not 0.9 <= float(self._orientation @ self._orientation) <= 1.1:
            self._rejected[IMU] += 1
            self._watchdogs[IMU].reset()
            return
        self._accept(IMU, arrived, stamp, self._angular_velocity, self._acceleration)

    def _on_wrench(self, name: str, arrived: float, stamp: int, wrench: np.ndarray) -> None:
        self._wrenches[name][:] = wrench
        self._accept(name, arrived, stamp, wrench)

    def _accept(self, name: str, arrived: float, stamp: int, *values: np.ndarray) -> None:
        """Feed the watchdog of the input; one with a value that is not finite counts as missing."""
        if all(np.isfinite(value).all() for value in values):
            self._watchdogs[name].beat(arrived, stamp, self.get_clock().now().nanoseconds)
        else:
            self._rejected[name] += 1
            self._watchdogs[name].reset()

    def _missing(self, now: float) -> list[str]:
        return [name for name, watchdog in self._watchdogs.items() if watchdog.expired(now)]

    # -- work ------------------------------------------------------------------------------

    def _reset_state(self) -> None:
        self._estimator = BalanceEstimator(self._robot, self._estimator_params)
        self._assessment = BalanceAssessment(self._assessment_params)
        self._imu_check = ImuCheck(self._robot, 1.0 / self.params.rate, latching=False)
        self._estimate: BalanceEstimate | None = None
        self._verdict = None

    def _tick(self) -> None:
        self._read_inputs()
        now = steady_now()
        if self._missing(now):
            # No estimate rather than an old one: the supervisor sees this node go stale.
            self._skipped_ticks += 1
            self._estimator.reset()
            self._estimate = None
            return
        imu, wrenches = self._imu_check, (self._wrenches[LEFT], self._wrenches[RIGHT])
        imu.update(
            now, self._q, self._v, self._orientation.copy(), self._angular_velocity.copy(),
            self._acceleration, *wrenches, self._has_orientation,
        )  # fmt: skip
        self._estimate = self._estimator.update(
            now, self._q, self._v, imu.orientation, imu.angular_velocity, *wrenches
        )
        disagreement = imu.angle if imu.disagreement else None
        self._verdict = self._assessment.update(self._estimate, now, disagreement)
        self._sequence += 1
        self._state_out.publish(self._serialize(self._estimate, self._verdict))

    def _serialize(self, e: BalanceEstimate, verdict: BalanceVerdict) -> BalanceState | bytes:
        """The message; one of a known kind as a serialised template with new numbers."""
        if verdict.findings or not len(e.polygon):
            return self._message(e, verdict)
        kind = verdict.cause, len(e.polygon)
        writer = self._writers.get(kind)
        if writer is None:
            writer = self._writers[kind] = Writer(self._message(e, verdict), *_STATE_FIELDS)
        x, y = e.capture_point
        w, *xyz = e.orientation
        corners = np.zeros((len(e.polygon), 3))
        corners[:, :2] = e.polygon
        return writer.write(
            self.get_clock().now().nanoseconds,
            self._sequence,
            int(verdict.level),
            (*xyz, w),
            e.tilt,
            e.com,
            e.com_velocity,
            (x, y, 0.0),
            (*e.zmp, 0.0),
            corners.ravel(),
            e.margin,
            e.base_height,
            e.left_contact,
            e.right_contact,
            verdict.falling,
            verdict.fallen,
        )

    def _message(self, e: BalanceEstimate, verdict: BalanceVerdict) -> BalanceState:
        message = BalanceState(
            sequence=self._sequence,
            level=int(verdict.level),
            cause=verdict.cause,
            tilt=e.tilt,
            com=point(e.com),
            com_velocity=Vector3(
                x=float(e.com_velocity[0]), y=float(e.com_velocity[1]), z=float(e.com_velocity[2])
            ),
            capture_point=point((*e.capture_point, 0.0)),
            zmp=point((*e.zmp, 0.0)),
            support_polygon=[point((x, y, 0.0)) for x, y in e.polygon.tolist()],
            margin=e.margin,
            base_height=e.base_height,
            left_contact=e.left_contact,
            right_contact=e.right_contact,
            falling=verdict.falling,
            fallen=verdict.fallen,
            violations=[
                Violation(kind=f.kind, value=f.value, limit=f.limit, level=int(f.level))
                for f in verdict.findings
            ],
        )
        message.header.stamp = self.stamp()
        message.header.frame_id = 'support'
        q = message.orientation
        q.w, q.x, q.y, q.z = e.orientation.tolist()
        return message

    def _publish_markers(self) -> None:
        estimate = self._estimate
        if estimate is None or self._markers_out.get_subscription_count() == 0:
            return
        stamp = self.stamp()

        def place(x: float, y: float, z: float) -> Point:
            """From "support" to the base, which is in the TF tree without localization."""
            return point(estimate.base_rotation.T @ (np.array([x, y, z]) - estimate.base_position))

        def marker(number: int, kind: int, size: float, color: tuple[float, ...]) -> Marker:
            result = Marker(ns='balance', id=number, type=kind, action=Marker.ADD)
            result.header.stamp = stamp
            result.header.frame_id = self._robot.frames['base']
            result.pose.orientation.w = 1.0
            result.scale = Vector3(x=size, y=size, z=size)
            result.color = ColorRGBA(r=color[0], g=color[1], b=color[2], a=1.0)
            return result

        inside = estimate.margin > 0.0
        border = marker(0, Marker.LINE_STRIP, 0.008, (0.1, 0.8, 0.2) if inside else (0.9, 0.1, 0.1))
        corners = estimate.polygon.tolist()
        border.points = [place(x, y, 0.0) for x, y in corners + corners[:1]]
        com = marker(1, Marker.SPHERE, 0.05, (0.95, 0.6, 0.1))
        com.pose.position = place(*estimate.com)
        capture = marker(2, Marker.SPHERE, 0.03, (0.1, 0.4, 0.95))
        capture.pose.position = place(*estimate.capture_point, 0.0)
        markers = [border, com, capture]
        zmp = marker(3, Marker.SPHERE, 0.03, (0.8, 0.2, 0.8))
        if math.isfinite(float(estimate.zmp[0])):
            zmp.pose.position = place(*estimate.zmp, 0.0)
        else:
            zmp.action = Marker.DELETE
        self._markers_out.publish(MarkerArray(markers=[*markers, zmp]))


def point(values: Any) -> Point:
    """Point message from three numbers."""
    x, y, z = values
    return Point(x=float(x), y=float(y), z=float(z))


def main() -> int:
    return run(BalanceMonitor, priority=Priority.MONITOR)

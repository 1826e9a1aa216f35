# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node balance_monitor: wires estimator and verdict to topics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from geometry_msgs.msg import Point, Vector3, WrenchStamped
from sensor_msgs.msg import Imu, JointState
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from vla_balance.estimator import BalanceEstimate, BalanceEstimator, EstimatorParams
from vla_balance.verdict import Judge, Verdict, VerdictParams
from vla_common import lifecycle, qos
from vla_common.clock import first_sequence, steady_now
from vla_common.errors import ConfigError
from vla_common.levels import Level
from vla_common.messages import JointOrder, stamp_to_ns
from vla_common.scheduling import Priority
from vla_common.watchdog import Watchdog
from vla_interfaces.msg import BalanceState, Violation
from vla_robot import load_robot

INPUTS = ('/joint_states', '/imu/data', '/foot_wrenches/left', '/foot_wrenches/right')
MARKER_PERIOD = 0.1


class BalanceMonitor(lifecycle.VlaLifecycleNode):
    """See README.md."""

    def __init__(self, **node_options: Any) -> None:
        super().__init__('balance_monitor', 'vla_balance', **node_options)
        self._verdict: Verdict | None = None

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
        self._estimator_params = EstimatorParams(p.contact_force, p.velocity_filter_time)
        self._judge_params = VerdictParams(
            tilt_warning=p.tilt_warning,
            tilt_danger=p.tilt_danger,
            tilt_emergency=p.tilt_emergency,
            low_com=p.low_com,
            margin_warning=p.margin_warning,
            margin_danger=p.margin_danger,
            fall_margin=p.fall_margin,
            fall_time=p.fall_time,
            fall_horizon=p.fall_horizon,
            fallen_tilt=p.fallen_tilt,
            fallen_height=p.fallen_height,
            no_contact_time=p.no_contact_time,
            level_fall_after=p.level_fall_after,
        )
        self._order = JointOrder(robot.joint_names)
        self._q, self._v = np.zeros(robot.n), np.zeros(robot.n)
        self._orientation = np.array([1.0, 0.0, 0.0, 0.0])
        self._angular_velocity = np.zeros(3)
        self._wrenches = {name: np.zeros(6) for name in INPUTS[2:]}
        self._watchdogs = {name: Watchdog(name, p.input_timeout) for name in INPUTS}
        self._rejected = dict.fromkeys(INPUTS, 0)
        self._blind_ticks = 0
        self._sequence = first_sequence()
        self._forget()

        self._state_out = self.advertise(BalanceState, '/balance/state', qos.STATE)
        self._markers_out = self.advertise(MarkerArray, '/balance/markers', qos.STATE)
        self.subscribe(JointState, INPUTS[0], self._on_joints, qos.STATE_SUB)
        self.subscribe(Imu, INPUTS[1], self._on_imu, qos.STATE_SUB)
        for name in INPUTS[2:]:
            self.subscribe(WrenchStamped, name, self._make_on_wrench(name), qos.STATE_SUB)
        self.every(1.0 / p.rate, self._tick)
        self.every(MARKER_PERIOD, self._publish_markers)

    def start(self) -> None:
        # What was heard before a pause is no knowledge after it.
        for watchdog in self._watchdogs.values():
            watchdog.reset()
        self._forget()

    def diagnose(self) -> tuple[Level, str, dict[str, str]]:
        values = {f'rejected {name}': str(n) for name, n in self._rejected.items() if n}
        values['ticks without input'] = str(self._blind_ticks)
        missing = self._missing(steady_now())
        if self.active and missing:
            return Level.DANGER, f'no fresh {", ".join(missing)}', values
        if self._verdict is None or self._estimate is None:
            return Level.WARNING, 'no estimate yet', values
        values['margin'] = f'{self._estimate.margin:.4f} m'
        values['tilt'] = f'{self._estimate.tilt:.4f} rad'
        return self._verdict.level, self._verdict.cause or 'balanced', values

    # -- inputs ----------------------------------------------------------------------------

    def _on_joints(self, message: JointState) -> None:
        try:
            self._order.read(message.name, message.position, self._q)
            self._order.read(message.name, message.velocity, self._v)
        except (KeyError, ValueError):
            self._rejected[INPUTS[0]] += 1
            return
        self._note(INPUTS[0], message.header.stamp, self._q, self._v)

    def _on_imu(self, message: Imu) -> None:
        q, w = message.orientation, message.angular_velocity
        self._orientation[:] = q.w, q.x, q.y, q.z
        self._angular_velocity[:] = w.x, w.y, w.z
        if not 0.9 <= float(self._orientation @ self._orientation) <= 1.1:
            self._rejected[INPUTS[1]] += 1
            self._watchdogs[INPUTS[1]].reset()
            return
        self._note(INPUTS[1], message.header.stamp, self._angular_velocity)

    def _make_on_wrench(self, name: str) -> Any:
        wrench = self._wrenches[name]

        def on_wrench(message: WrenchStamped) -> None:
            f, t = message.wrench.force, message.wrench.torque
            wrench[:] = f.x, f.y, f.z, t.x, t.y, t.z
            self._note(name, message.header.stamp, wrench)

        return on_wrench

    def _note(self, name: str, stamp: Any, *values: np.ndarray) -> None:
        """Feeds the input's watchdog, unless a value is not finite: then it is not there."""
        if all(np.isfinite(value).all() for value in values):
            self._watchdogs[name].beat(steady_now(), stamp_to_ns(stamp))
        else:
            self._rejected[name] += 1
            self._watchdogs[name].reset()

    def _missing(self, now: float) -> list[str]:
        return [name for name, watchdog in self._watchdogs.items() if watchdog.expired(now)]

    # -- work ------------------------------------------------------------------------------

    def _forget(self) -> None:
        self._estimator = BalanceEstimator(self._robot, self._estimator_params)
        self._judge = Judge(self._judge_params)
        self._estimate: BalanceEstimate | None = None
        self._verdict = None

    def _tick(self) -> None:
        now = steady_now()
        if self._missing(now):
            # Nothing is said rather than something old: the supervisor sees this node go stale.
            self._blind_ticks += 1
            self._estimator.reset()
            self._estimate = None
            return
        self._estimate = self._estimator.update(
            now, self._q, self._v, self._orientation, self._angular_velocity,
            self._wrenches[INPUTS[2]], self._wrenches[INPUTS[3]],
        )  # fmt: skip
        self._verdict = self._judge.update(self._estimate, now)
        self._sequence += 1
        self._state_out.publish(self._message(self._estimate, self._verdict))

    def _message(self, e: BalanceEstimate, verdict: Verdict) -> BalanceState:
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
            """From "support" to base_link, which is in the TF tree without a localisation."""
            return point(estimate.base_rotation.T @ (np.array([x, y, z]) - estimate.base_position))

        def marker(number: int, kind: int, size: float, color: tuple[float, ...]) -> Marker:
            result = Marker(ns='balance', id=number, type=kind, action=Marker.ADD)
            result.header.stamp = stamp
            result.header.frame_id = 'base_link'
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
    return lifecycle.run(BalanceMonitor, priority=Priority.MONITOR)

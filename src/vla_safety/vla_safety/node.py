# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The safety filter as a lifecycle node. All decisions are in `filter_runtime`."""

import sys
import time
from functools import partial

import numpy as np
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import JointState, Range
from trajectory_msgs.msg import JointTrajectory

from vla_common import topics
from vla_common.cdr import Writer, uint8_array
from vla_common.clock import Pacer, RateMeter, first_sequence, steady_now
from vla_common.lifecycle import VlaLifecycleNode
from vla_common.messages import JointOrder, duration_to_seconds, has_orientation, stamp_to_ns
from vla_common.node_main import run
from vla_common.scheduling import Priority
from vla_common.states import FilterState, Level, Mode
from vla_interfaces.msg import SafetyStatus
from vla_interfaces.msg import Violation as ViolationMessage
from vla_robot import load_robot
from vla_safety.compiled import not_compiled
from vla_safety.coupled.proximity import sensed_distance
from vla_safety.filter_runtime import Report, create_runtime
from vla_safety.gripper_input import GripperInput
from vla_safety.input_log import InputLog
from vla_safety.obstacle_input import ObstacleInput
from vla_safety.parameters import FilterParameters
from vla_safety.supervisor_command import SupervisorCommand
from vla_safety.tick_cost import check_tick
from vla_safety.violations import Violation, ViolationKind, violation

_SUPERVISOR_FIELDS = ('mode', 'motion_epoch', 'speed_scale', 'header.stamp', 'sequence')
_IMU_FIELDS = ('header.stamp', 'orientation', 'orientation_covariance')
_JOINT_FIELDS = ('header.stamp', 'name', 'position', 'velocity')
_CONTACT_FIELDS = ('sequence', 'left_contact', 'right_contact')
_STATUS_FIELDS = (
    'header.stamp', 'sequence', 'state', 'level', 'chunk_age', 'horizon_left', 'speed_scale',
    'chunk_stamp', 'playback_time', 'playback_rate',
    'tick_ms', 'ticks', 'chunks_accepted', 'chunks_rejected', 'interventions', 'counter_values',
    'slowed', 'held', 'held_for',
)  # fmt: skip

LISTED = 8
"""Violations in one status message; all are counted."""
LOOK = 50
"""Ticks between two looks for a recorder."""
STATUS_RATE = 50.0
"""Hz, of the status while nothing in it changes but numbers."""


class SafetyFilterNode(VlaLifecycleNode):
    """Publishes one command per tick, and the status at a lower rate and whenever it changes."""

    def __init__(self, **options: object) -> None:
        super().__init__('safety_filter', 'vla_safety', **options)

    def setup(self) -> None:
        p = self.params
        robot = load_robot(p.robot)
        parameters = FilterParameters.from_node(p)
        self._log = InputLog(robot.n)
        if not_compiled():
            self.get_logger().warning(
                'not compiled, ticks take many times as long: ' + ', '.join(not_compiled())
            )
        check_tick(robot, parameters, p.control_frequency)
        self._filter = create_runtime(robot, p, self._log.clock)
        self._interpolation = parameters.interpolation.value
        self._order = JointOrder(robot.joint_names)
        self._position, self._velocity = np.zeros(robot.n), np.zeros(robot.n)
        self._rate = RateMeter()
        self._unreadable = 0
        self._last_unreadable = ''
        self._report: Report | None = None
        self._tick_ms = 0.0

        zeros = [0.0] * robot.n
        self._command = Writer(
            JointState(name=list(robot.joint_names), position=zeros, velocity=zeros, effort=zeros),
            'header.stamp',
            'position',
            'velocity',
            'effort',
        )
        self._sequence = first_sequence()
        self._texts: tuple | None = None
        self._status_pacer = Pacer(STATUS_RATE)
        self._kinds = list(ViolationKind)
        self._command_publisher = self.add_publisher(topics.JOINT_COMMAND)
        self._status_publisher = self.add_publisher(topics.SAFETY_STATUS)
        self._log_publisher = self.add_publisher(topics.TICK_LOG)
        # Supervisor and sensors are received while inactive too, so that the first tick after
        # activation knows them.
        points, n = parameters.rules.max_points, robot.n
        self._longest_chunk = 4096 + 128 * n + points * (64 + 4 * 8 * n)
        self.subscribe(topics.ACTION_CHUNK, self._on_chunk, raw=True)
        if robot.grippers:
            grippers = GripperInput(self._filter, self._log, self._wall_ns, self._warn)
            self.subscribe(topics.GRIPPER_COMMAND, grippers.on_command)
        # Every command of the supervisor counts; of the sensors, the newest at each tick.
        self.subscribe_fields(
            topics.SUPERVISOR_STATE, _SUPERVISOR_FIELDS, self._on_supervisor, always=True
        )
        self._inputs = tuple(
            (self.poll(topic, fields, always=True), callback)
            for topic, fields, callback in (
                (topics.JOINT_STATES, _JOINT_FIELDS, partial(self._on_joints, False)),
                (topics.JOINT_REFERENCE, _JOINT_FIELDS, partial(self._on_joints, True)),
                (topics.IMU, _IMU_FIELDS, self._on_imu),
                (topics.BALANCE_STATE, _CONTACT_FIELDS, self._on_contacts),
            )
        )
        self._sensors = parameters.coupled.proximity_frames
        if self._sensors:
            self.subscribe(topics.PROXIMITY, self._on_range, always=True)
        obstacles = ObstacleInput(self._filter.world, self._log, self._wall_ns, self._warn)
        self.subscribe(topics.OBSTACLES, obstacles.on_obstacles, always=True, raw=True)
        self.subscribe(topics.CARRIED_OBJECTS, obstacles.on_carried, always=True, raw=True)
        self.add_timer(1.0 / p.control_frequency, self._tick)

    def start(self) -> None:
        self._log.enabled = self._log_publisher.get_subscription_count() > 0
        self._filter.restart()
        self._log.restart()
        self._log.known(*self._filter.world.snapshot())

    def secure(self) -> None:
        # The driver holds and the supervisor notices the silence. The motion must not continue when
        # the filter is activated again.
        if hasattr(self, '_filter'):
            self._filter.core.flush('deactivated')
            self._log.flush()

    # --- inputs ----------------------------------------------------------------------------

    def _on_supervisor(
        self, mode: int, motion_epoch: int, speed_scale: float, stamp: int, sequence: int
    ) -> None:
        try:
            known = Mode(mode)
        except ValueError:  # the silence that follows stops the motion
            self._reject(f'/supervisor/state: mode {mode}')
            return
        # RUNNING of the future would reject the chunks of all observations until then.
        stamp = min(stamp, self._wall_ns())
        command = SupervisorCommand(known, motion_epoch, speed_scale, stamp, sequence)
        now = steady_now()
        self._log.supervisor(command, now)
        self._filter.on_supervisor(command, now)

    def _wall_ns(self) -> int:
        return self.get_clock().now().nanoseconds

    def _update_inputs(self) -> None:
        """Take the newest reading of every sensor, with its arrival time."""
        for latest, callback in self._inputs:
            values = latest.newest()
            if values is not None:
                callback(latest.arrived, *values)

    def _on_joints(
        self,
        is_reference: bool,
        arrived: float,
        stamp: int,
        names: list[str],
        position: np.ndarray,
        velocity: np.ndarray,
    ) -> None:
        try:
            self._order.read(names, position, self._position)
            self._order.read(names, velocity, self._velocity)
        except (KeyError, ValueError) as error:
            # If no readable one follows, the age of the last stops the motion.
            self._reject(str(error))
            return
        readings = self._filter.reference if is_reference else self._filter.measured
        given = self._position, self._velocity, stamp, arrived, self._wall_ns()
        self._log.joints(is_reference, *given)
        readings.update(*given)

    def _on_imu(
        self, arrived: float, stamp: int, orientation: np.ndarray, covariance: np.ndarray
    ) -> None:
        # Without an orientation the filter takes the base to be upright.
        if has_orientation(covariance):
            x, y, z, w = orientation.tolist()
            given = (w, x, y, z), stamp, arrived, self._wall_ns()
            self._log.imu(*given)
            self._filter.on_imu(*given)

    def _on_contacts(self, arrived: float, sequence: int, left: bool, right: bool) -> None:
        self._log.contacts(left, right, sequence, arrived)
        self._filter.on_contacts(left, right, sequence, arrived)

    def _on_range(self, message: Range) -> None:
        frame = message.header.frame_id
        if frame not in self._sensors:
            self._reject(f'/proximity: frame {frame}')
            return
        distance = sensed_distance(message.range, message.min_range, message.max_range)
        stamp = stamp_to_ns(message.header.stamp)
        given = frame, distance, stamp, steady_now(), self._wall_ns()
        self._log.range(*given)
        self._filter.on_range(*given)

    def _reject(self, what: str) -> None:
        """Count a message that cannot be used."""
        self._unreadable += 1
        self._last_unreadable = what

    def _on_chunk(self, serialized: bytes) -> None:
        found = self._check_chunk(serialized)
        if found:
            self._warn('chunk rejected: ' + '; '.join(str(item) for item in found[:3]))

    def _warn(self, text: str) -> None:
        self.get_logger().warning(text, throttle_duration_sec=1.0)

    def _check_chunk(self, serialized: bytes) -> list[Violation]:
        """Why a chunk is rejected; empty if it is not, or if motion is not allowed now."""
        size, limit = len(serialized), self._longest_chunk
        if size > limit:
            # Reading 100 000 points takes 2 s, in which no command would be published.
            why = violation(ViolationKind.TOO_LONG, 'bytes', size, limit)
            return self._reject_chunk(why)
        try:
            message = deserialize_message(serialized, JointTrajectory)
        except Exception:
            why = violation(ViolationKind.WRONG_SHAPE, 'message', size, limit)
            return self._reject_chunk(why)
        self._update_inputs()  # a chunk is validated against the present joint positions
        stamp = stamp_to_ns(message.header.stamp)
        age = (self.get_clock().now().nanoseconds - stamp) * 1e-9
        points = message.points
        times = np.array([duration_to_seconds(point.time_from_start) for point in points])
        positions = _table([point.positions for point in points], len(message.joint_names))
        velocities = None
        if any(len(point.velocities) for point in points):
            velocities = _table([point.velocities for point in points], len(message.joint_names))
            if velocities is None:
                positions = None
        given = message.joint_names, times, positions, velocities, stamp, age, steady_now()
        self._log.chunk(*given)
        return self._filter.on_chunk(*given)

    def _reject_chunk(self, why: Violation) -> list[Violation]:
        now = steady_now()
        self._log.rejected(why, now)
        return self._filter.reject_chunk(why, now)

    # --- outputs ---------------------------------------------------------------------------

    def _tick(self) -> None:
        begin = time.perf_counter()
        self._update_inputs()
        now = steady_now()
        report = self._filter.tick(now)
        stamp = self.get_clock().now().nanoseconds
        command = report.command
        if command is not None:
            self._command_publisher.publish(
                self._command.write(stamp, command.position, command.velocity, command.effort)
            )
        self._rate.tick(now)
        self._log.tick(now, stamp, report)
        self._report = report
        self._tick_ms = (time.perf_counter() - begin) * 1e3
        state = (
            report.state,
            report.level,
            report.reason,
            None if command is None else command.chunk_sequence,
            tuple((item.kind, item.subject) for item in report.violations),
        )
        if self._status_pacer.due(now, state):
            self._status_publisher.publish(self._serialized(report, stamp))
        if self._log.due:
            self._log_publisher.publish(uint8_array(self._log.take()))
        if self._filter.ticks % LOOK == 0:
            # Without a recorder nothing is logged.
            before = self._log.enabled
            self._log.enabled = self._log_publisher.get_subscription_count() > 0
            if not self._log.enabled:
                self._log.drop()
            elif not before:
                self._log.known(*self._filter.world.snapshot())

    def _serialized(self, report: Report, stamp: int) -> bytes:
        """The tick's SafetyStatus."""
        core, command = self._filter, report.command
        hold = core.core.hold
        listed = report.violations[:LISTED]
        self._sequence += 1
        values = [
            stamp,
            self._sequence,
            int(report.state),
            int(report.level),
            -1.0 if command is None else command.chunk_age,
            0.0 if command is None else command.horizon_left,
            0.0 if command is None else command.speed_scale,
            0 if command is None else command.chunk_sequence,
            -1.0 if command is None else command.playback_time,
            0.0 if command is None else command.playback_rate,
            self._tick_ms,
            core.ticks,
            core.chunks_accepted,
            core.chunks_rejected,
            core.interventions,
            [core.counts[kind] for kind in self._kinds],
            hold.slowed,
            hold.held,
            hold.held_for,
        ]
        for item in listed:
            values += (item.value, item.limit, int(item.level))
        limited_by = hold.limited_by
        ended = core.motion_ended
        texts = report.reason, limited_by, ended, *((item.kind, item.subject) for item in listed)
        if texts != self._texts:
            # Mostly only the numbers change from one tick to the next.
            self._texts = texts
            fields = list(_STATUS_FIELDS)
            for i in range(len(listed)):
                fields += (f'violations.{i}.{name}' for name in ('value', 'limit', 'level'))
            template = SafetyStatus(
                reason=report.reason,
                interpolation=self._interpolation,
                violations=[_message(item) for item in listed],
                counter_names=[kind.value for kind in self._kinds],
                counter_values=[0] * len(self._kinds),
                limited_by=limited_by,
                motion_ended=ended,
            )
            self._status = Writer(template, *fields)
        return self._status.write(*values)

    def diagnose(self) -> tuple[Level, str, dict[str, str]]:
        report, core, now = self._report, self._filter, steady_now()
        values = {
            'tick_rate_hz': f'{self._rate.rate(now):.1f}',
            'tick_ms': f'{self._tick_ms:.3f}',
            'chunks_accepted': str(core.chunks_accepted),
            'chunks_rejected': str(core.chunks_rejected),
            'chunks_dropped': str(core.chunks_dropped),
            'interventions': str(core.interventions),
            **core.core.grippers.counts,
            'joint_states_age_s': f'{core.measured.age(now):.3f}',
            'supervisor_age_s': f'{core.gate.age(now):.3f}',
            'impossible_readings': str(core.measured.rejected + core.reference.rejected),
            'unreadable_readings': str(self._unreadable),
            'orientations_rejected': str(core.orientations_rejected),
            'ranges_rejected': str(core.ranges_rejected),
            **core.world.describe(now),
            **{f'not_new.{source}': str(n) for source, n in core.replayed.items() if n},
        }
        if not_compiled():
            values['not_compiled'] = ', '.join(not_compiled())
        if self._last_unreadable:
            values['last_unreadable'] = self._last_unreadable
        for kind, count in core.counts.items():
            values[f'violations.{kind.value}'] = str(count)
        if report is None:
            return Level.SAFE, 'not ticking yet', values
        text = FilterState(report.state).name + (f': {report.reason}' if report.reason else '')
        return report.level, text, values


def _table(rows: list[object], width: int) -> np.ndarray | None:
    """(h, k) from the points' arrays, or None where one has another length than the names."""
    if any(len(row) != width for row in rows):
        return None
    return np.array(rows, dtype=float).reshape(len(rows), width)


def _message(item: Violation) -> ViolationMessage:
    return ViolationMessage(
        kind=item.kind.value,
        subject=item.subject,
        value=item.value,
        limit=item.limit,
        level=int(item.level),
    )


def main() -> int:
    """Entry point of `ros2 run vla_safety safety_filter`."""
    return run(SafetyFilterNode, priority=Priority.FILTER)


if __name__ == '__main__':
    sys.exit(main())

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The driver's messages as serialised templates: only numbers change from one cycle to the next.

Each method returns what `publish` takes; stamp_ns is that of the header.
"""

import math
from typing import Any

import numpy as np
from geometry_msgs.msg import WrenchStamped
from sensor_msgs.msg import BatteryState, Imu, JointState
from std_msgs.msg import Header

from vla_common.cdr import Writer
from vla_common.clock import first_sequence
from vla_common.messages import ns_to_stamp
from vla_hardware.grip import GripperReading
from vla_hardware.servo_loop import ServoLoop
from vla_interfaces.msg import DriverStatus, GripperState, WorldState
from vla_robot import Reading

_STATUS_FIELDS = (
    'header.stamp', 'sequence', 'behaviour', 'behaviour_done', 'standing', 'at_rest',
    'max_joint_speed', 'command_age', 'supervisor_age', 'last_command_sequence',
    'commands_accepted', 'commands_rejected', 'clamped', 'read_errors', 'write_errors', 'fault',
    'real_time_factor', 'loop_ms', 'loop_period_ms',
)  # fmt: skip


class Sensors:
    """/joint_states, /imu/data and /foot_wrenches of a robot with these joints."""

    def __init__(self, joint_names: tuple[str, ...]) -> None:
        zeros = [0.0] * len(joint_names)
        self._joints = Writer(
            JointState(name=list(joint_names), position=zeros, velocity=zeros, effort=zeros),
            *('header.stamp', 'position', 'velocity', 'effort'),
        )
        # Element 0 of the covariance is -1 where there is no orientation (REP 145); 0: not known.
        self._imu = {
            has_orientation: Writer(
                Imu(header=Header(frame_id='imu'), orientation_covariance=[first] + [0.0] * 8),
                *('header.stamp', 'orientation', 'angular_velocity', 'linear_acceleration'),
            )
            for has_orientation, first in ((True, 0.0), (False, -1.0))
        }
        self._left, self._right = (
            Writer(WrenchStamped(header=Header(frame_id=foot)), 'header.stamp', 'wrench')
            for foot in ('left_foot', 'right_foot')
        )
        self._xyzw = np.zeros(4)

    def joints(self, stamp_ns: int, reading: Reading) -> bytes:
        return self._joints.write(stamp_ns, reading.position, reading.velocity, reading.effort)

    def imu(self, stamp_ns: int, reading: Reading) -> bytes:
        self._xyzw[:3], self._xyzw[3] = reading.orientation[1:], reading.orientation[0]
        return self._imu[reading.has_orientation].write(
            stamp_ns, self._xyzw, reading.angular_velocity, reading.linear_acceleration
        )

    def left(self, stamp_ns: int, reading: Reading) -> bytes:
        return self._left.write(stamp_ns, reading.left_wrench)

    def right(self, stamp_ns: int, reading: Reading) -> bytes:
        return self._right.write(stamp_ns, reading.right_wrench)


class Reference:
    """/hardware/joint_reference."""

    def __init__(self, joint_names: tuple[str, ...]) -> None:
        zeros = [0.0] * len(joint_names)
        self._writer = Writer(
            JointState(name=list(joint_names), position=zeros, velocity=zeros),
            *('header.stamp', 'position', 'velocity'),
        )

    def serialize(self, stamp_ns: int, position: np.ndarray, velocity: np.ndarray) -> bytes:
        return self._writer.write(stamp_ns, position, velocity)


class Grippers:
    """/gripper/state of a robot with grippers of these names."""

    def __init__(self, names: tuple[str, ...]) -> None:
        zeros, no = [0.0] * len(names), [False] * len(names)
        self._sequence = first_sequence()
        self._message = GripperState(
            name=list(names), opening=zeros, target=zeros, force=zeros, holding=no, kept=no
        )

    def message(self, stamp_ns: int, found: list[GripperReading]) -> GripperState:
        """found: of all grippers, in the order of their names."""
        self._sequence += 1
        message = self._message
        message.header.stamp = ns_to_stamp(stamp_ns)
        message.sequence = self._sequence
        for name in ('opening', 'target', 'force', 'holding', 'kept'):
            setattr(message, name, [getattr(one, name) for one in found])
        return message


class Status:
    """/hardware/status."""

    def __init__(self) -> None:
        self._sequence = first_sequence()
        self._texts: tuple[str | bool, ...] = ()
        self._writer: Writer | None = None

    def serialize(self, stamp_ns: int, loop: ServoLoop, now: float) -> bytes:
        """now: steady, s."""
        self._sequence += 1
        check = loop.cross_check
        texts = (
            loop.decision.reason,
            loop.gate.last_rejection,
            loop.fault,
            '' if check.found.refuses_only else str(check.found),
            check.detail,
            check.found.refuses_only,
        )
        if self._writer is None or texts != self._texts:
            reason, rejection, fault, found, detail, unconfirmed = self._texts = texts
            template = DriverStatus(
                behaviour_reason=reason, last_rejection=rejection, fault_detail=fault,
                sensor_disagreement=found, sensor_detail=detail, sensors_unconfirmed=unconfirmed,
            )  # fmt: skip
            self._writer = Writer(template, *_STATUS_FIELDS)
        gate = loop.gate
        return self._writer.write(
            stamp_ns,
            self._sequence,
            int(loop.motion.behaviour),
            loop.behaviour_done,
            loop.standing,
            loop.at_rest,
            loop.max_joint_speed,
            finite_or(gate.age(now), -1.0),
            finite_or(loop.watch.age(now), -1.0),
            gate.last_stamp_ns,
            gate.accepted,
            gate.rejections,
            loop.clamped,
            loop.read_errors.total,
            loop.write_errors.total,
            bool(loop.fault),
            loop.driver.real_time_factor,
            loop.duration * 1e3,
            loop.period * 1e3,
        )


class WorldReport:
    """/sim/world_state of a `vla_sim.World`."""

    def __init__(self, scene_digest: str, world: Any) -> None:
        self._world = world
        self._sequence = first_sequence()
        self._writer = Writer(
            WorldState(
                scene_digest=scene_digest,
                qpos=[0.0] * len(world.qpos),
                qvel=[0.0] * len(world.qvel),
            ),
            *('header.stamp', 'sequence', 'time', 'qpos', 'qvel', 'real_time_factor'),
        )

    def serialize(self, stamp_ns: int, real_time_factor: float) -> bytes:
        world = self._world
        self._sequence += 1
        return self._writer.write(
            stamp_ns, self._sequence, world.time, world.qpos, world.qvel, real_time_factor
        )


def battery() -> BatteryState:
    """A battery that is present and of which nothing else is known."""
    unknown = math.nan
    return BatteryState(
        voltage=unknown, temperature=unknown, current=unknown, charge=unknown,
        capacity=unknown, design_capacity=unknown, percentage=1.0, present=True,
        power_supply_status=BatteryState.POWER_SUPPLY_STATUS_DISCHARGING,
    )  # fmt: skip


def finite_or(value: float, otherwise: float) -> float:
    """The value if it is a number, else `otherwise`."""
    return value if math.isfinite(value) else otherwise

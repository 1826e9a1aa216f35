# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node hardware_driver: wires the servo loop to topics, services and the clock."""

from __future__ import annotations

import math
from array import array
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import WrenchStamped
from sensor_msgs.msg import BatteryState, Imu, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vla_balance.correction import BalanceCorrection
from vla_balance.gains import BalanceGains
from vla_common import lifecycle, qos
from vla_common.clock import first_sequence, steady_now
from vla_common.errors import ConfigError
from vla_common.levels import Level
from vla_common.messages import ns_to_stamp, stamp_to_ns
from vla_common.modes import Behaviour, Mode
from vla_common.scheduling import Priority
from vla_hardware.drivers.base import Driver, DriverError
from vla_hardware.drivers.mock import MockDriver
from vla_hardware.protective_stop import EStop, StopRules
from vla_hardware.servo_loop import Balance, LoopLimits, NoBalance, ServoLoop
from vla_interfaces.msg import DriverStatus, SupervisorState, WorldState
from vla_robot import Kinematics, RobotModel, load_robot

STOP_BEHAVIOURS = {
    'hold': Behaviour.HOLD,
    'stand': Behaviour.STAND,
    'damp': Behaviour.DAMP,
    'off': Behaviour.OFF,
}
ESTOPS = {e.value: e for e in EStop}
REFERENCE_RATE = 100.0
WORLD_RATE = 30.0
BATTERY_RATE = 1.0


class Pacer:
    """Says in which cycles of a faster loop something slower is due, without drift."""

    def __init__(self, rate: float) -> None:
        self._period = 1.0 / rate
        self._next = -math.inf

    def due(self, now: float) -> bool:
        # Half a millisecond early is on time: the loop's own jitter must not halve the rate.
        if now < self._next - 0.0005:
            return False
        self._next = max(self._next + self._period, now)
        return True


def stop_rules(robot: RobotModel) -> StopRules:
    """robot.yaml's `stops` as the servo loop reads them. Raises ConfigError."""
    lost, estop = robot.stops.supervisor_lost, robot.stops.estop
    place = str(robot.directory / 'robot.yaml')
    if lost not in STOP_BEHAVIOURS:
        raise ConfigError(place, 'stops.supervisor_lost', lost, ', '.join(STOP_BEHAVIOURS))
    if estop not in ESTOPS:
        raise ConfigError(place, 'stops.estop', estop, ', '.join(ESTOPS))
    return StopRules(STOP_BEHAVIOURS[lost], ESTOPS[estop])


class Gravity:
    """Feed-forward torque of the upper body, from kinematics of its own."""

    def __init__(self, kinematics: Kinematics) -> None:
        self._kinematics = kinematics

    def __call__(self, position: np.ndarray, orientation: np.ndarray) -> np.ndarray:
        return self._kinematics.gravity_torque(position, rotation(orientation))


class Hands:
    """Positions of the hands in the base's frame, flat: how near two poses are to each other."""

    def __init__(self, robot: RobotModel) -> None:
        self._kinematics = robot.kinematics()
        self._hands = [hand for hand in ('left_hand', 'right_hand') if hand in robot.frames]

    def __call__(self, position: np.ndarray) -> np.ndarray:
        if not self._hands:
            return position.copy()
        self._kinematics.update(position)
        return np.concatenate([self._kinematics.frame(hand)[1] for hand in self._hands])


def rotation(wxyz: np.ndarray) -> np.ndarray:
    """Rotation matrix (3, 3) of a unit quaternion wxyz."""
    w, x, y, z = wxyz
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


class HardwareDriver(lifecycle.VlaLifecycleNode):
    """The last node before the motors; see README.md."""

    def __init__(self, **node_options: Any) -> None:
        super().__init__('hardware_driver', 'vla_hardware', **node_options)
        self._loop: ServoLoop | None = None
        self._driver: Driver | None = None
        self._begun = False
        self._ending_since: float | None = None
        self._rested = False

    # -- lifecycle -------------------------------------------------------------------------

    def setup(self) -> None:
        p = self.params
        self._robot = robot = load_robot(p.robot)
        self._driver = self._make_driver(robot)
        limits = LoopLimits(
            command_timeout=p.command_timeout,
            supervisor_timeout=p.supervisor_timeout,
            max_command_step=p.max_command_step,
            rest_velocity=p.rest_velocity,
            standing_tolerance=p.standing_tolerance,
            errors_to_fault=p.errors_to_fault,
            fault_clear_time=p.fault_clear_time,
            read_deadline=p.read_deadline,
            damp_factor=p.damp_factor,
            lying_tilt=p.lying_tilt,
            max_balance_offset=p.max_balance_offset,
            stand_lead=p.stand_lead,
        )
        self._loop = ServoLoop(
            joint_names=robot.joint_names,
            lower=robot.limits.lower,
            upper=robot.limits.upper,
            velocity=robot.limits.velocity,
            acceleration=robot.limits.acceleration,
            effort=robot.limits.effort,
            kp=robot.servo.kp,
            kv=robot.servo.kv,
            standing=robot.poses['standing'],
            stand_duration=robot.stops.safe_stop_duration,
            paths=[robot.waypoints(pose) for pose in robot.paths],
            place=Hands(robot),
            upper_body=robot.groups['upper_body'],
            period=1.0 / p.rate,
            rules=stop_rules(robot),
            limits=limits,
            driver=self._driver,
            balance=self._make_balance(robot),
            gravity=Gravity(robot.kinematics()),
            clock=steady_now,
        )
        try:
            self._loop.connect()
        except DriverError as error:
            raise ConfigError(
                'parameters of /hardware_driver', 'driver', str(error), 'a robot that can be read'
            ) from error
        self._begun = False
        self._sequence = first_sequence()
        self._last_stamp_ns = 0
        self._told: tuple | None = None
        self._status_pacer = Pacer(p.status_rate)
        self._reference_pacer = Pacer(REFERENCE_RATE)
        self._world_pacer = Pacer(WORLD_RATE)
        self._battery_pacer = Pacer(BATTERY_RATE)
        self._make_messages(robot)
        self._make_entities(robot)

    def start(self) -> None:
        assert self._loop is not None
        self._loop.begin()
        self._ending_since = None
        self._begun = True

    def secure(self) -> None:
        """Begins the protective stop; the loop goes on until cleanup or the process's end."""
        if self._loop is None or not self._begun or self._loop.ending:
            return
        self._loop.ending = 'hardware_driver is being stopped or deactivated'
        self._ending_since = steady_now()
        self._rested = False

    def finish(self, elapsed: float) -> bool:
        if self._loop is None or not self._begun:
            return True
        return self._rested

    def teardown(self) -> None:
        if self._driver is not None:
            self._driver.close()
        self._loop = None
        self._driver = None
        self._begun = False

    def diagnose(self) -> tuple[Level, str, dict[str, str]]:
        loop = self._loop
        if loop is None:
            return Level.WARNING, 'not connected', {}
        gate = loop.gate
        values = {
            'behaviour': loop.motion.behaviour.name,
            'reason': loop.decision.reason,
            'real_time_factor': f'{loop.driver.real_time_factor:.3f}',
            'loop_ms': f'{loop.duration * 1e3:.2f}',
            'loop_period_ms': f'{loop.period * 1e3:.2f}',
            'read_errors': str(loop.read_errors),
            'write_errors': str(loop.write_errors),
            'last_error': loop.last_error,
            'commands_accepted': str(gate.accepted),
            'supervisor_messages_rejected': str(loop.watch.rejected),
            'clamped': str(loop.clamped),
        }
        values.update({f'rejected: {why.value}': str(n) for why, n in gate.rejected.items() if n})
        if loop.fault:
            return Level.EMERGENCY, loop.fault, values
        if loop.driver.real_time_factor < 0.95:
            return Level.WARNING, 'simulation is slower than real time', values
        return Level.SAFE, loop.decision.reason, values

    # -- wiring ----------------------------------------------------------------------------

    def _make_driver(self, robot: RobotModel) -> Driver:
        p = self.params
        if p.driver == 'mock':
            return MockDriver(robot.poses['standing'], robot.limits.velocity, robot.total_mass)
        # Imported here: a real robot's computer has no need of a simulator.
        from vla_hardware.drivers.mujoco import MujocoDriver
        from vla_sim import Scene, SensorNoise

        scene = Scene.load(p.sim.scene) if p.sim.scene else Scene.default()
        return MujocoDriver(
            robot,
            scene,
            seed=p.sim.seed,
            noise=SensorNoise.typical() if p.sim.sensor_noise else None,
            max_catch_up=p.sim.max_catch_up,
            clock=steady_now,
        )

    def _make_balance(self, robot: RobotModel) -> Balance:
        # The mock's base never tilts: a correction would only chase its joints' lag.
        if self.params.driver == 'mock' or not robot.foot_boxes:
            return NoBalance(robot.n)
        return BalanceCorrection(robot, BalanceGains.load(robot))

    def _make_messages(self, robot: RobotModel) -> None:
        # Filled anew in every cycle; publish() serialises at once, so reuse is safe.
        names = list(robot.joint_names)
        self._joints = JointState(name=names)
        self._reference = JointState(name=names)
        self._imu = Imu()
        self._imu.header.frame_id = 'imu'
        self._left, self._right = WrenchStamped(), WrenchStamped()
        self._left.header.frame_id, self._right.header.frame_id = 'left_foot', 'right_foot'
        self._status = DriverStatus()
        self._world = WorldState(sequence=first_sequence())
        self._battery = BatteryState(
            voltage=math.nan, temperature=math.nan, current=math.nan, charge=math.nan,
            capacity=math.nan, design_capacity=math.nan, percentage=1.0, present=True,
            power_supply_status=BatteryState.POWER_SUPPLY_STATUS_DISCHARGING,
        )  # fmt: skip

    def _make_entities(self, robot: RobotModel) -> None:
        # Always on: while the servo loop runs under a standing robot, it says what it does.
        def state(kind: type, topic: str) -> Any:
            return self.advertise(kind, topic, qos.STATE, always=True)

        self._joints_out = state(JointState, '/joint_states')
        self._imu_out = state(Imu, '/imu/data')
        self._left_out = state(WrenchStamped, '/foot_wrenches/left')
        self._right_out = state(WrenchStamped, '/foot_wrenches/right')
        self._status_out = state(DriverStatus, '/hardware/status')
        self._reference_out = state(JointState, '/hardware/joint_reference')
        self._battery_out = state(BatteryState, '/battery_state')
        description = self.advertise(String, '/robot_description', qos.LATCHED, always=True)
        description.publish(String(data=robot.urdf_text))
        self.subscribe(
            SupervisorState, '/supervisor/state', self._on_supervisor, qos.STATE_SUB, always=True
        )
        self.subscribe(JointState, '/joint_command', self._on_command, qos.COMMAND)
        if self.params.driver == 'mujoco':
            self._world_out = state(WorldState, '/sim/world_state')
            scene = self.advertise(String, '/sim/scene', qos.LATCHED, always=True)
            scene.publish(String(data=self._driver.scene.to_json()))
            self._world.scene_digest = self._driver.scene.digest
            self.subscribe(WrenchStamped, '/sim/push', self._on_push, qos.COMMAND)
            self.serve(Trigger, '/sim/reset', self._on_sim_reset)
        self.every(1.0 / self.params.rate, self._cycle, always=True)

    # -- callbacks -------------------------------------------------------------------------

    def _on_supervisor(self, message: SupervisorState) -> None:
        self._loop.hear_supervisor(
            message.mode,
            message.behaviour,
            message.motion_epoch,
            message.sequence,
            stamp_to_ns(message.header.stamp),
            self.get_clock().now().nanoseconds,
        )
        # A stop does not wait for the next tick: half a period is more than the rest of its way.
        if not self._begun:
            return
        if self._loop.limp_at_once():
            self._publish_status(self._next_stamp(), steady_now())
        elif self._loop.owes_a_stop:
            self._cycle()

    def _on_command(self, message: JointState) -> None:
        self._loop.offer_command(
            message.name,
            message.position,
            message.velocity,
            message.effort,
            stamp_to_ns(message.header.stamp),
            self.get_clock().now().nanoseconds,
        )

    def _on_push(self, message: WrenchStamped) -> None:
        force = np.array([message.wrench.force.x, message.wrench.force.y, message.wrench.force.z])
        if not np.isfinite(force).all():
            self.get_logger().warning('/sim/push: not finite, ignored')
            return
        link = message.header.frame_id or self.params.sim.push_link
        self._driver.push(force, self.params.sim.push_duration, link)

    def _on_sim_reset(
        self, request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        mode = self._loop.watch.mode
        if mode not in (None, Mode.INACTIVE, Mode.ESTOP):
            response.success = False
            response.message = f'refused in mode {mode.name}: only in INACTIVE or ESTOP'
            return response
        limp = self._loop.motion.behaviour in (Behaviour.DAMP, Behaviour.OFF)
        self._driver.reset(suspended=limp)
        self._loop.moved_elsewhere(standing=not limp)
        response.success = True
        response.message = 'standing, hung up until the servos are stiff' if limp else 'standing'
        return response

    def _cycle(self) -> None:
        if not self._begun:
            return
        loop = self._loop
        loop.cycle()
        now = steady_now()
        stamp = self._next_stamp()
        self._publish_sensors(stamp)
        if self._reference_pacer.due(now):
            self._reference.header.stamp = stamp
            self._reference.position = array('d', loop.motion.position.tobytes())
            self._reference.velocity = array('d', loop.motion.velocity.tobytes())
            self._reference_out.publish(self._reference)
        change = (
            loop.motion.behaviour,
            loop.fault,
            loop.standing,
            loop.at_rest,
            loop.behaviour_done,
        )
        if self._status_pacer.due(now) or change != self._told:
            self._told = change
            self._publish_status(stamp, now)
        if self.params.driver == 'mujoco' and self._world_pacer.due(now):
            self._publish_world(stamp)
        if self._battery_pacer.due(now):
            self._battery.header.stamp = stamp
            self._battery_out.publish(self._battery)
        if self._ending_since is not None and not self._rested and loop.stopped:
            self._rested = True
            print(
                f'at rest after {now - self._ending_since:.2f} s, '
                f'max joint speed {loop.max_joint_speed:.4f} rad/s',
                flush=True,
            )

    # -- what goes out ---------------------------------------------------------------------

    def _next_stamp(self) -> Time:
        """Strictly increasing, even if the system clock is set back: stamps are sequences."""
        self._last_stamp_ns = max(self.get_clock().now().nanoseconds, self._last_stamp_ns + 1)
        return ns_to_stamp(self._last_stamp_ns)

    def _publish_sensors(self, stamp: Time) -> None:
        loop, reading = self._loop, self._loop.reading
        if loop.flawed:
            return  # an old reading under a new stamp would be a lie
        joints, imu = self._joints, self._imu
        joints.header.stamp = stamp
        joints.position = array('d', reading.position.tobytes())
        joints.velocity = array('d', reading.velocity.tobytes())
        joints.effort = array('d', reading.effort.tobytes())
        self._joints_out.publish(joints)
        imu.header.stamp = stamp
        q, w, a = imu.orientation, imu.angular_velocity, imu.linear_acceleration
        q.w, q.x, q.y, q.z = reading.orientation.tolist()
        w.x, w.y, w.z = reading.angular_velocity.tolist()
        a.x, a.y, a.z = reading.linear_acceleration.tolist()
        self._imu_out.publish(imu)
        for message, wrench, out in (
            (self._left, reading.left_wrench, self._left_out),
            (self._right, reading.right_wrench, self._right_out),
        ):
            message.header.stamp = stamp
            f, t = message.wrench.force, message.wrench.torque
            f.x, f.y, f.z, t.x, t.y, t.z = wrench.tolist()
            out.publish(message)

    def _publish_status(self, stamp: Time, now: float) -> None:
        loop, status = self._loop, self._status
        self._sequence += 1
        status.header.stamp = stamp
        status.sequence = self._sequence
        status.behaviour = int(loop.motion.behaviour)
        status.behaviour_reason = loop.decision.reason
        status.behaviour_done = loop.behaviour_done
        status.standing = loop.standing
        status.at_rest = loop.at_rest
        status.max_joint_speed = loop.max_joint_speed
        status.command_age = finite_or(loop.gate.age(now), -1.0)
        status.supervisor_age = finite_or(loop.watch.age(now), -1.0)
        status.last_command_sequence = loop.gate.last_stamp_ns
        status.commands_accepted = loop.gate.accepted
        status.commands_rejected = loop.gate.rejections
        status.last_rejection = loop.gate.last_rejection
        status.clamped = loop.clamped
        status.read_errors = loop.read_errors
        status.write_errors = loop.write_errors
        status.fault = bool(loop.fault)
        status.fault_detail = loop.fault
        status.real_time_factor = loop.driver.real_time_factor
        status.loop_ms = loop.duration * 1e3
        status.loop_period_ms = loop.period * 1e3
        self._status_out.publish(status)

    def _publish_world(self, stamp: Time) -> None:
        world, message = self._driver.world, self._world
        message.header.stamp = stamp
        message.sequence += 1
        message.time = world.time
        message.qpos = array('d', world.qpos.tobytes())
        message.qvel = array('d', world.qvel.tobytes())
        message.real_time_factor = self._driver.real_time_factor
        self._world_out.publish(message)


def finite_or(value: float, otherwise: float) -> float:
    """The value if it is a number, else `otherwise`."""
    return value if math.isfinite(value) else otherwise


def main() -> int:
    return lifecycle.run(HardwareDriver, priority=Priority.DRIVER)

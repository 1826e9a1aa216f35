# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node hardware_driver: the servo loop with topics, services and timers."""

from typing import Any

import numpy as np
from geometry_msgs.msg import WrenchStamped
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vla_balance.correction import BalanceCorrection
from vla_balance.gains import BalanceGains
from vla_common import topics
from vla_common.clock import Pacer, steady_now
from vla_common.errors import ConfigError
from vla_common.lifecycle import VlaLifecycleNode
from vla_common.messages import ns_to_stamp
from vla_common.node_main import run
from vla_common.scheduling import Priority
from vla_common.stamps import MAX_AHEAD
from vla_common.states import Level, Mode
from vla_hardware import telemetry
from vla_hardware.drivers import DRIVERS, SIMULATED
from vla_hardware.drivers.base import Driver, DriverError, SimulatedDriver
from vla_hardware.drivers.faulty import INJECTED, FaultyDriver
from vla_hardware.graph_check import ROBOTS_OWN, SIMULATION, mixed_robots
from vla_hardware.limits import ServoLimits
from vla_hardware.servo_loop import ServoLoop
from vla_hardware.servo_output import NoBalance
from vla_robot import RobotModel, load_robot

MONITOR_RATE = 100.0
"""Hz, of what filter and balance monitor read once in each of their ticks."""
WORLD_RATE = 32.0  # twice the simulated camera's
BATTERY_RATE = 1.0


class HardwareDriver(VlaLifecycleNode):
    """The last node before the motors; see README.md."""

    def __init__(self, **node_options: Any) -> None:
        super().__init__('hardware_driver', 'vla_hardware', **node_options)
        self._loop: ServoLoop | None = None
        self._driver: Driver | None = None
        self._faulty: FaultyDriver | None = None
        self._simulated: SimulatedDriver | None = None
        self._started = False
        self._ending_since: float | None = None
        self._rested = False

    # -- lifecycle -------------------------------------------------------------------------

    def setup(self) -> None:
        p = self.params
        self._robot = robot = load_robot(p.robot)
        place = f'parameters of {self.get_fully_qualified_name()}'
        factory = DRIVERS.load(p.driver, place, 'driver')
        present = {name for name in (SIMULATION, *ROBOTS_OWN) if self.count_publishers(name)}
        if mixed := mixed_robots(p.driver in SIMULATED, present):
            raise ConfigError(place, 'driver', mixed, 'one robot: end the other, or another domain')
        self._driver = driver = factory.from_parameters(robot, p, steady_now)
        self._simulated = driver if isinstance(driver, SimulatedDriver) else None
        self._faulty = FaultyDriver(driver, robot.joint_names) if p.sim.faults else None
        balanced = driver.can_fall and robot.foot_boxes
        self._loop = ServoLoop(
            robot,
            period=1.0 / p.rate,
            limits=p.select(ServoLimits),
            driver=self._faulty or driver,
            balance=BalanceCorrection(robot, BalanceGains.load(robot))
            if balanced
            else NoBalance(robot.n),
            clock=steady_now,
        )
        try:
            self._loop.connect()
        except DriverError as error:
            raise ConfigError(place, 'driver', str(error), 'a robot that can be read') from error
        self._started = False
        self._last_stamp_ns = 0
        self._status_pacer = Pacer(p.status_rate)
        self._monitor_pacer = Pacer(MONITOR_RATE)
        self._world_pacer = Pacer(WORLD_RATE)
        self._battery_pacer = Pacer(BATTERY_RATE)
        self._sensors = telemetry.Sensors(robot.joint_names)
        self._reference = telemetry.Reference(robot.joint_names)
        self._grippers = telemetry.Grippers(tuple(robot.grippers))
        self._status = telemetry.Status()
        self._battery = telemetry.battery()
        self._create_entities(robot)

    def start(self) -> None:
        assert self._loop is not None
        self._loop.begin()
        self._ending_since = None
        self._started = True

    def secure(self) -> None:
        """Begin the protective stop; the loop runs until cleanup or the end of the process."""
        if self._loop is None or not self._started or self._loop.ending:
            return
        self._loop.ending = 'hardware_driver is being stopped or deactivated'
        self._ending_since = steady_now()
        self._rested = False

    def finish(self, elapsed: float) -> bool:
        if self._loop is None or not self._started:
            return True
        return self._rested

    def transition_veto(self) -> str:
        # Without the loop the servos keep the last command, be it in mid-motion.
        if self._loop is None or not self._started:
            return ''
        if self.active:
            return 'the robot is held by this node: deactivate it first'
        return (
            ''
            if self._loop.stopped
            else 'the robot still moves: wait for the end of its protective stop'
        )

    def teardown(self) -> None:
        if self._driver is not None:
            self._driver.close()
        self._loop = None
        self._driver = None
        self._started = False

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
            'read_errors': str(loop.read_errors.total),
            'write_errors': str(loop.write_errors.total),
            'last_error': loop.faults.last_error,
            'commands_accepted': str(gate.accepted),
            'supervisor_messages_rejected': str(loop.watch.rejected),
            'clamped': str(loop.clamped),
        }
        values.update({f'rejected: {why.value}': str(n) for why, n in gate.rejected.items() if n})
        if self._faulty is not None:
            values[INJECTED] = self._faulty.injected
        if loop.fault:
            return Level.EMERGENCY, loop.fault, values
        if loop.cross_check.found:
            level = Level.WARNING if loop.cross_check.found.refuses_only else Level.DANGER
            return level, f'{loop.cross_check.found}: {loop.cross_check.detail}', values
        if loop.driver.real_time_factor < 0.95:
            return Level.WARNING, 'simulation is slower than real time', values
        return Level.SAFE, loop.decision.reason, values

    # -- wiring ----------------------------------------------------------------------------

    def _create_entities(self, robot: RobotModel) -> None:
        # Also published while inactive: the servo loop still runs under a standing robot.
        def state(topic: topics.Topic) -> Any:
            return self.add_publisher(topic, always=True)

        sensors = self._sensors
        self._joints_out = state(topics.JOINT_STATES)
        self._sensor_topics = (
            (state(topics.IMU), sensors.imu),
            (state(topics.LEFT_FOOT_WRENCH), sensors.left),
            (state(topics.RIGHT_FOOT_WRENCH), sensors.right),
        )
        self._status_out = state(topics.HARDWARE_STATUS)
        self._reference_out = state(topics.JOINT_REFERENCE)
        self._battery_out = state(topics.BATTERY)
        self._grippers_out = state(topics.GRIPPER_STATE) if robot.grippers else None
        description = self.add_publisher(topics.ROBOT_DESCRIPTION, always=True)
        description.publish(String(data=robot.urdf_text))
        self.subscribe_fields(
            topics.SUPERVISOR_STATE,
            ('mode', 'behaviour', 'motion_epoch', 'sequence', 'header.stamp'),
            self._on_supervisor,
            always=True,
        )
        command = ('name', 'position', 'velocity', 'effort', 'header.stamp')
        self.subscribe_fields(topics.JOINT_COMMAND, command, self._on_command)
        self._world: telemetry.WorldReport | None = None
        if self._simulated is not None:
            world = self._simulated.world
            self._world_out = state(topics.WORLD_STATE)
            scene = self.add_publisher(topics.SCENE, always=True)
            scene.publish(String(data=world.scene.to_json()))
            self._world = telemetry.WorldReport(world.scene.digest, world)
            self.subscribe(topics.PUSH, self._on_push)
            self.add_service(Trigger, '/sim/reset', self._on_sim_reset)
        if self._faulty is not None:
            self.subscribe(topics.SIM_FAULT, self._on_fault, always=True)
        self.add_timer(1.0 / self.params.rate, self._cycle, always=True)

    # -- callbacks -------------------------------------------------------------------------

    def _on_supervisor(self, *state: int) -> None:
        self._loop.update_supervisor(*state, self.get_clock().now().nanoseconds)
        # A stop does not wait for the next tick: half a period is more than all of the rest.
        if not self._started:
            return
        if self._loop.apply_estop():
            self._publish_status(self._next_stamp_ns(), steady_now())
        elif self._loop.stop_pending:
            self._cycle()

    def _on_command(self, *command: Any) -> None:
        self._loop.offer_command(*command, self.get_clock().now().nanoseconds)

    def _on_fault(self, message: String) -> None:
        error = self._faulty.inject(message.data)
        self.get_logger().warning(f'/sim/fault: {error or message.data}')

    def _on_push(self, message: WrenchStamped) -> None:
        force = np.array([message.wrench.force.x, message.wrench.force.y, message.wrench.force.z])
        if not np.isfinite(force).all():
            self.get_logger().warning('/sim/push rejected: force not finite')
            return
        frames = self._robot.frames
        link = message.header.frame_id or self.params.sim.push_link
        link = link or frames.get('torso', frames['base'])
        try:
            self._simulated.push(force, self.params.sim.push_duration, link)
        except ValueError as error:
            self.get_logger().warning(f'/sim/push rejected: {error}')

    def _on_sim_reset(
        self, request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        mode = self._loop.watch.mode
        if mode not in (None, Mode.INACTIVE, Mode.ESTOP):
            response.success = False
            response.message = f'rejected in mode {mode.name}: wanted INACTIVE or ESTOP'
            return response
        passive = self._loop.motion.behaviour.passive
        self._simulated.reset(suspended=passive)
        self._loop.relocated(standing=not passive)
        response.success = True
        response.message = 'standing' + (
            ', suspended until the servos are stiff' if passive else ''
        )
        return response

    def _cycle(self) -> None:
        if not self._started:
            return
        loop = self._loop
        loop.cycle()
        now = steady_now()
        stamp_ns = self._next_stamp_ns()
        if loop.reading_valid:  # never an old reading under a new stamp
            self._joints_out.publish(self._sensors.joints(stamp_ns, loop.reading))
        if self._monitor_pacer.due(now):
            if loop.reading_valid:
                for publisher, serialize in self._sensor_topics:
                    publisher.publish(serialize(stamp_ns, loop.reading))
            if self._grippers_out is not None and loop.reading_valid:
                self._grippers_out.publish(self._grippers.message(stamp_ns, loop.grippers()))
            motion = loop.motion
            self._reference_out.publish(
                self._reference.serialize(stamp_ns, motion.position, motion.velocity)
            )
        change = (
            loop.motion.behaviour,
            loop.fault,
            loop.standing,
            loop.at_rest,
            loop.behaviour_done,
            loop.cross_check.found,
        )
        if self._status_pacer.due(now, change):
            self._publish_status(stamp_ns, now)
        if self._world is not None and self._world_pacer.due(now):
            factor = self._driver.real_time_factor
            self._world_out.publish(self._world.serialize(stamp_ns, factor))
        if self._battery_pacer.due(now):
            self._battery.header.stamp = ns_to_stamp(stamp_ns)
            self._battery_out.publish(self._battery)
        if self._ending_since is not None and not self._rested and loop.stopped:
            self._rested = True
            print(
                f'at rest after {now - self._ending_since:.2f} s, '
                f'max joint speed {loop.max_joint_speed:.4f} rad/s',
                flush=True,
            )

    def _next_stamp_ns(self) -> int:
        """Strictly increasing: stamps are sequences. Where the system clock was set back by more
        than subscribers accept as a stamp of the future, it begins again, as it does there."""
        now_ns = self.get_clock().now().nanoseconds
        set_back = self._last_stamp_ns - now_ns > MAX_AHEAD * 1e9
        self._last_stamp_ns = now_ns if set_back else max(now_ns, self._last_stamp_ns + 1)
        return self._last_stamp_ns

    def _publish_status(self, stamp_ns: int, now: float) -> None:
        self._status_out.publish(self._status.serialize(stamp_ns, self._loop, now))


def main() -> int:
    return run(HardwareDriver, priority=Priority.DRIVER)

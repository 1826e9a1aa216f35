# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node supervisor: topics, services and timers around `health_monitor` and `core`."""

import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from rclpy.serialization import deserialize_message
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vla_common import topics
from vla_common.cameras import camera_topic, single_publisher_topics
from vla_common.clock import steady_now
from vla_common.lifecycle import VlaLifecycleNode
from vla_common.node_main import run
from vla_common.process import LAUNCH, first_start
from vla_common.scheduling import Priority
from vla_common.scheduling_delay import SchedulingDelay
from vla_common.states import Level, Mode
from vla_interfaces.msg import SupervisorState
from vla_interfaces.srv import EndpointCheckin, RegisterEndpoint
from vla_robot import load_robot
from vla_supervisor.bring_up_log import BringUpLog
from vla_supervisor.conditions import Reaction
from vla_supervisor.core import Decision, DriverReport, OperatorStep, Supervisor, SupervisorInputs
from vla_supervisor.decision_log import DecisionLog
from vla_supervisor.endpoints import Endpoints
from vla_supervisor.health_monitor import HealthMonitor
from vla_supervisor.lifecycle_calls import LifecycleCalls
from vla_supervisor.lifecycle_manager import LifecycleManager
from vla_supervisor.local_stops import STOPS, LocalStops
from vla_supervisor.messages import REPORT_FIELDS, StateMessages, lifecycle_reports
from vla_supervisor.preflight import watch_preflight
from vla_supervisor.processes import StalePublishers
from vla_supervisor.settings import check_cameras, settings, supervised_nodes
from vla_supervisor.state_summary import summary

_RECOVERY_STEP = {Mode.SAFE_STOP: OperatorStep.RESUME, Mode.ESTOP: OperatorStep.RESET}
"""The operator's next step after a stop."""

_FINISH_LATEST = 4.3  # s; the base ends the process at 4.5, launch kills at 5
_FINISH_EARLIEST = 0.2  # s; until then the driver's status may be from before the stop
_RETRYING = (OperatorStep.ARM, OperatorStep.RESET, OperatorStep.RESUME)


class SupervisorNode(VlaLifecycleNode):
    """Decides at 50 Hz and at once on anything urgent; brings up the other nodes.

    Args:
        started_again: why this is not the first bring-up of the robot; empty: it is.
    """

    def __init__(self, started_again: str = '', **node_options: Any) -> None:
        super().__init__('supervisor', 'vla_supervisor', **node_options)
        self._core: Supervisor | None = None
        self._started_again = started_again
        self._closing = False
        self._local_stops: LocalStops | None = None
        self._local_stops_refused = False

    # -- hooks --------------------------------------------------------------------------------

    def setup(self) -> None:
        robot = load_robot(self.params.robot)
        place = f'parameters of {self.get_fully_qualified_name()}'
        cameras = self.params.cameras
        check_cameras(cameras, place)
        self._names = supervised_nodes(robot, cameras)
        self._single_publisher = single_publisher_topics(cameras)
        all_settings = settings(self.params, robot.stops, place, self._names)
        now = self._awake = steady_now()
        self._scheduling_delay = SchedulingDelay()
        self.track(self._scheduling_delay.close)
        self._nodes = LifecycleManager(self._names, all_settings.timing, now)
        endpoints = Endpoints(self.params.require_endpoint, self.params.longest_endpoint_timeout)
        preflight = watch_preflight(self.params, robot.directory, self.track)
        limits = all_settings.limits
        self._health = HealthMonitor(limits, endpoints, self._nodes, preflight=preflight)
        self._stale_publishers = StalePublishers()
        self._decision_log = DecisionLog()
        self._core = Supervisor(all_settings.core, self._decision_log)
        if self._started_again:
            self._forbid_auto_arm(self._started_again)
        self._decision = self._core.update(now, self._health.inputs(now))
        self._logged = self._decision.mode
        self._bring_up_log = BringUpLog(self._nodes)
        self._messages = StateMessages()
        self._calls = LifecycleCalls(self, self._names, self._nodes, steady_now)
        self.track(self._calls.close)

        # While this node is not active it publishes nothing but an e-stop; see _tick.
        self._state = self.add_publisher(topics.SUPERVISOR_STATE, always=True)
        self._log_publisher = self.add_publisher(topics.DECISION_LOG)
        for topic, callback in (
            (topics.HARDWARE_STATUS, self._on_driver),
            (topics.BALANCE_STATE, self._receive(self._health.on_balance)),
            (topics.SAFETY_STATUS, self._receive(self._health.on_filter)),
            (topics.INFERENCE_STATUS, self._receive(self._health.on_inference)),
        ):
            self.subscribe_fields(topic, REPORT_FIELDS[topic], callback)
        for name in cameras:
            info = camera_topic(topics.CAMERA_INFO, name)
            self.subscribe_fields(
                info, REPORT_FIELDS[topics.CAMERA_INFO], self._on_camera(info.publisher)
            )
        self.subscribe(topics.DIAGNOSTICS, self._on_diagnostics, raw=True)
        self._serve_step = {}
        for step in OperatorStep:
            # Stops are accepted also while this node is not active: they hold once it is.
            self._serve_step[step.value] = serve = self._step_service(step)
            self.add_service(
                Trigger, f'/supervisor/{step.value}', serve, always=step.value in STOPS
            )
        self.add_service(
            RegisterEndpoint, '/supervisor/register_endpoint', self._register, always=True
        )
        self.add_service(EndpointCheckin, '/supervisor/checkin', self._check_in, always=True)
        self.add_timer(1.0 / self.params.publish_rate, self._tick, always=True)
        self.add_timer(self.params.graph_period, self._check_graph)
        self.add_timer(1.0, self._publish_log)

    def secure(self) -> None:
        if self._core is None:
            return
        # SIGINT, SIGTERM or deactivation: the robot stands until the operator acts.
        self._core.forbid_auto_arm()
        now = steady_now()
        if self._core.mode in (Mode.READY, Mode.RUNNING):
            decision, _ = self._core.request(now, OperatorStep.SAFE_STOP, self._inputs(now))
            self._accept(decision)
        self._publish_state()
        self._log_change(leaving=True)

    def finish(self, elapsed: float) -> bool:
        if self._core is None or not self.active:
            return True
        self._closing = True
        self._core.close()
        if elapsed < _FINISH_EARLIEST:
            return False
        return elapsed > _FINISH_LATEST or self._health.driver_at_rest(steady_now())

    def teardown(self) -> None:
        self._core = None
        if self._local_stops is not None:
            self._local_stops.close()
            self._local_stops = None

    def diagnose(self) -> tuple[Level, str, dict[str, str]]:
        d, health, now = self._decision, self._health, steady_now()
        values = {
            'mode': d.mode.name,
            'behaviour': d.behaviour.name,
            'motion_epoch': str(d.motion_epoch),
            'speed_scale': f'{d.speed_scale:.2f}',
            'nodes_active': ', '.join(self._health.active(now)),
            'nodes_missing': '; '.join(self._health.missing(now)),
            'configuration': self.params.preflight_configuration,
            'endpoints': ', '.join(self._health.endpoints.names),
            'stalls': f'{health.stalls}, the last {health.last_stall}' if health.stalls else '0',
            **{f'not_new.{node}': str(n) for node, n in health.heartbeats.replayed.items() if n},
        }
        for c in d.causes:
            values[c.condition.name] = c.condition.detail + ('' if c.present else ' (gone)')
        names = ', '.join(c.condition.name for c in d.causes if c.present)
        line = f'{d.mode.name}: {names}' if names else d.mode.name
        return max(d.level, Level.WARNING if d.mode in _RECOVERY_STEP else Level.SAFE), line, values

    # -- deciding -----------------------------------------------------------------------------

    def _now(self) -> float:
        """Steady s, at the begin of every callback: detects stalls of this process."""
        now = steady_now()
        if not self.active:  # it receives no reports; that time is credited as one stall
            return now
        gap, self._awake = now - self._awake, now
        if gap > 2.5 / self.params.publish_rate:
            self._health.on_stall(gap, now, self._scheduling_delay.describe(gap))
        self._scheduling_delay.mark(now)
        return now

    def _inputs(self, now: float) -> SupervisorInputs:
        if not self.active:
            # Reports are not received: their silence is no cause of anything.
            return SupervisorInputs(conditions=tuple(self._health.endpoints.conditions(now)))
        inputs = self._health.inputs(now)
        if not self._closing:
            return inputs
        # All nodes are shutting down: their loss is expected, other dangers still count.
        kept = tuple(c for c in inputs.conditions if c.reaction is Reaction.HARD_STOP)
        return SupervisorInputs(conditions=kept, driver=inputs.driver)

    def _decide(self) -> None:
        """Decide now; publish at once if anything changed."""
        now = self._now()
        assert self._core is not None
        if self._nodes.found_active:
            self._forbid_auto_arm('nodes were active before this supervisor')
        if self._nodes.found_restarted:
            self._forbid_auto_arm('a node was started again')
        self._accept(self._core.update(now, self._inputs(now)))
        if self._decision.changed:
            self._publish()

    def _forbid_auto_arm(self, why: str) -> None:
        if self._core.forbid_auto_arm():
            arm = 'ros2 run vla_supervisor command arm'
            self.get_logger().warning(f'auto_arm does not apply: {why}. To arm: {arm}')

    def _accept(self, decision: Decision) -> None:
        self._decision = decision
        self._health.on_mode(decision.mode)

    def _log_change(self, leaving: bool = False) -> None:
        """After publishing: one log line takes longer than the whole stop path up to here."""
        d, before = self._decision, self._logged
        if d.mode is before:
            return
        self._logged = d.mode
        why = '; '.join(f'{c.condition.name} ({c.condition.detail})' for c in d.causes)
        text = f'{before.name} -> {d.mode.name}' + (f': {why}' if why else '')
        if step := _RECOVERY_STEP.get(d.mode):
            next_step = '' if leaving else f' (next: ros2 run vla_supervisor command {step.value})'
            self.get_logger().warning(text + next_step)
        else:
            self.get_logger().info(text)

    def _tick(self) -> None:
        self._serve_local_stops()
        if not self.active:
            # Deactivated by another client: the driver has made its protective stop, and stands.
            # An e-stop that is requested now is more than that, and must reach it.
            self._publish_state()
            return
        for name in self._health.processes.check(self._now()):
            self._mark_dead(name)
        self._calls.step()
        self._decide()
        if not self._decision.changed:
            self._publish()

    def _publish(self) -> None:
        self._publish_state()
        self._log_change()

    def _publish_state(self) -> None:
        if self.active or self._decision.mode is Mode.ESTOP:
            self._state.publish(self._state_message())

    def _state_message(self) -> SupervisorState | bytes:
        now = steady_now()
        if self.active:
            active, missing = tuple(self._health.active(now)), self._health.missing(now)
        else:
            active, missing = (), ['supervisor: not active, nodes are not monitored']
        wall_ns = self.get_clock().now().nanoseconds
        return self._messages.create(self._decision, active, missing, wall_ns, now)

    def _publish_log(self) -> None:
        wanted = self._log_publisher.get_subscription_count() > 0
        if (text := self._decision_log.take(self._core, wanted)) is not None:
            self._log_publisher.publish(String(data=text))

    def _check_graph(self) -> None:
        now = self._now()
        present = self._calls.present(lambda name: self._health.received(name, now))
        self._nodes.on_graph(now, present)
        counts = {topic: self._count_publishers(topic) for topic in self._single_publisher}
        if self._health.on_publishers(counts):
            self._decide()
        for line in self._bring_up_log.new_lines(self._decision.mode is Mode.INACTIVE):
            self.get_logger().warning(line)

    def _count_publishers(self, topic: str) -> int:
        listed = self.count_publishers(topic)
        if listed < 2:
            return listed
        return self._stale_publishers.alive(gid for _, gid in self._listed(topic))

    def _listed(self, topic: str) -> list[tuple[str, bytes]]:
        """Node name and GID of each publisher that discovery lists."""
        found = self.get_publishers_info_by_topic(topic)
        return [(info.node_name, bytes(info.endpoint_gid)) for info in found]

    def _mark_dead(self, name: str) -> None:
        """The process of a node is gone; discovery lists its publishers until their lease ends."""
        for topic in self._single_publisher:
            dead = [gid for node, gid in self._listed(topic) if node == name]
            self._stale_publishers.mark_dead(dead)

    # -- reports ------------------------------------------------------------------------------

    def _on_driver(
        self, sequence: int, behaviour: int, behaviour_done: bool, standing: bool, at_rest: bool,
        max_joint_speed: float, behaviour_reason: str, fault: bool, fault_detail: str,
        *sensors: Any,
    ) -> None:  # fmt: skip
        report = DriverReport(behaviour, behaviour_done, standing, at_rest, max_joint_speed)
        detail = fault_detail if fault else None
        if self._health.on_driver(self._now(), sequence, report, behaviour_reason, detail, sensors):
            self._decide()

    def _on_camera(self, node: str) -> Callable[[int], None]:
        clock = self.get_clock()
        return lambda stamp_ns: self._health.on_camera(
            self._now(), stamp_ns, clock.now().nanoseconds, node
        )

    def _receive(self, update: Callable[..., bool]) -> Callable[..., None]:
        """A subscription's callback: pass its fields on, and decide at once if it is urgent."""

        def receive(*fields: Any) -> None:
            if update(self._now(), *fields):
                self._decide()

        return receive

    def _on_diagnostics(self, serialized: bytes) -> None:
        for report in lifecycle_reports(serialized):
            if report.pid:
                self._nodes.on_process(self._now(), report.node, report.pid)
            if report.local_pid is not None and report.node in self._names:
                self._health.processes.on_process(report.node, report.local_pid)
            if report.error:
                self._calls.reason(report.node, report.error)

    # -- services -----------------------------------------------------------------------------

    def _step_service(self, step: OperatorStep) -> Callable[[Any, Any], Any]:
        def serve(request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            assert self._core is not None
            now = self._now()
            decision, answer = self._core.request(now, step, self._inputs(now))
            self._accept(decision)
            self._publish()  # before anything else: this is the stop path
            response.success, response.message = answer.success, answer.message
            if step in _RETRYING:
                self._nodes.retry(now)
            self.get_logger().info(f'{step.value}: {answer.message}')
            return response

        return serve

    def _serve_local_stops(self) -> None:
        """The stop requests of this machine, before everything else of a cycle."""
        if self._local_stops is None:
            try:
                self._local_stops = LocalStops(self.context.get_domain_id())
            except OSError as error:
                if not self._local_stops_refused:
                    self.get_logger().warning(
                        f'stops from this machine only by service, another process has the '
                        f'address of this ROS domain ({error.strerror}); end that process'
                    )
                self._local_stops_refused = True
                return
        for step, sender in self._local_stops.requests():
            response = self._serve_step[step](None, Trigger.Response())
            state = self._state_message()
            if isinstance(state, bytes):
                state = deserialize_message(state, SupervisorState)
            answer = {'success': response.success, 'message': response.message}
            self._local_stops.answer(sender, answer | summary(state))

    def _register(
        self, request: RegisterEndpoint.Request, response: RegisterEndpoint.Response
    ) -> RegisterEndpoint.Response:
        reply = self._health.endpoints.register(
            self._now(), request.name, request.soft_timeout, request.hard_timeout
        )
        response.accepted, response.reason = reply.accepted, reply.reason
        response.challenge = reply.challenge
        return response

    def _check_in(
        self, request: EndpointCheckin.Request, response: EndpointCheckin.Response
    ) -> EndpointCheckin.Response:
        reply = self._health.endpoints.check_in(
            self._now(),
            request.name,
            request.response,
            request.pressed,
            request.leaving,
            motion_allowed=self._decision.mode in (Mode.READY, Mode.RUNNING),
        )
        if request.pressed:
            self._decide()
        response.accepted, response.reason = reply.accepted, reply.reason
        response.challenge = reply.challenge
        response.mode = int(self._decision.mode)
        return response


def main() -> None:
    """Run the node; the process's exit status is returned to the shell."""
    node = partial(SupervisorNode, first_start('supervisor', os.environ.get(LAUNCH, '')))
    sys.exit(run(node, priority=Priority.SUPERVISOR, autostart=True))

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A scripted robot: five nodes that report, act and fail by the script.

It reports to the supervisor's own `HealthMonitor`, message by message at the real rates: every
timeout, debounce time and hysteresis of the configuration applies. There is no physics: a damped
robot hangs as from a gantry, and falls by the script.
"""

from dataclasses import dataclass

from vla_common.states import Behaviour, FilterState, InferenceState, Level, Mode
from vla_supervisor.core import Decision, DriverReport
from vla_supervisor.health_monitor import BALANCE, CAMERA, DRIVER, FILTER, INFERENCE, HealthMonitor
from vla_supervisor.lifecycle_manager import LifecycleManager, LifecycleRequest, LifecycleState

PERIOD = {DRIVER: 0.02, BALANCE: 0.01, CAMERA: 1.0 / 15.0, FILTER: 0.01, INFERENCE: 1.0 / 15.0}
"""s between two reports of each node, as the nodes send them."""

LEASE = 6.0
"""s that discovery still shows a dead process (config/fastdds.xml)."""

_MOVING, _SINKING = 0.6, 1.2  # rad/s of the fastest joint in motion, and passive
_BRAKES, _SINKS = 0.3, 1.0  # s until a hold, and a passive robot, rests


@dataclass
class _Node:
    state: LifecycleState = LifecycleState.UNCONFIGURED
    alive: bool = True
    frozen: bool = False
    sequence: int = 0
    next_report: float = 0.0
    died: float | None = None


class ScriptedRobot:
    """See the module.

    Args:
        monitor: receives the nodes' reports.
        plan: takes them through their lifecycles.
        stand_duration: s that the robot takes to its standing pose.
        graph_period: s between two looks at the graph.
    """

    def __init__(
        self,
        monitor: HealthMonitor,
        plan: LifecycleManager,
        stand_duration: float,
        graph_period: float,
    ) -> None:
        self._monitor, self._plan = monitor, plan
        self._graph_period, self._next_look = graph_period, 0.0
        self._stand_duration = stand_duration
        self.nodes = {name: _Node() for name in PERIOD}
        self.driver_fault: str | None = None
        self.driver_obeys = True
        self.driver_passive = False
        self.balance = Level.SAFE
        self.balance_cause = ''
        self.fallen = False
        self.filter_level = Level.SAFE
        self.filter_state: int | None = None  # None: the normal one
        self.policy = InferenceState.IDLE
        self.camera_frozen = False
        self.publishers: dict[str, int] = {}
        self._behaviour = Behaviour.HOLD
        self._since = 0.0
        self._standing = True
        self._mode = Mode.INACTIVE
        self._finished = 0

    # -- events of the script ---------------------------------------------------------------------

    def kill(self, now: float, name: str) -> None:
        """Its process is gone; discovery lists it for a while."""
        node = self.nodes[name]
        node.alive, node.frozen, node.died = False, False, now

    def restart(self, name: str) -> None:
        """A new process, unconfigured."""
        self.nodes[name] = _Node(sequence=self.nodes[name].sequence)

    def finish(self) -> None:
        """The instruction is done."""
        self._finished += 1
        self.policy = InferenceState.IDLE

    # -- the supervisor's decisions ---------------------------------------------------------------

    def obey(self, now: float, decision: Decision) -> None:
        """Take one /supervisor/state."""
        driver = self.nodes[DRIVER]
        receives = driver.alive and not driver.frozen and self.driver_obeys
        if receives and decision.behaviour is not self._behaviour:
            self._behaviour, self._since = decision.behaviour, now
        if decision.mode is Mode.RUNNING and self._mode is not Mode.RUNNING:
            self.policy = InferenceState.ACTIVE
        elif decision.mode is not Mode.RUNNING and self.policy == InferenceState.ACTIVE:
            self.finish()  # aborted
        self._mode = decision.mode

    # -- reports ----------------------------------------------------------------------------------

    def report(self, now: float) -> None:
        """Every message that is due by ``now``, and the answers to lifecycle calls."""
        if now >= self._next_look:
            self._next_look = now + self._graph_period
            self._plan.on_graph(now, self._on_graph(now))
            self._monitor.on_publishers(self.publishers)
        for call in self._plan.calls(now):
            node = self.nodes[call.node]
            if not node.alive or node.frozen:
                continue
            if call.request is LifecycleRequest.STATE:
                self._plan.on_state(now, call, node.state)
            else:
                node.state = (
                    LifecycleState.INACTIVE
                    if call.request is LifecycleRequest.CONFIGURE
                    else LifecycleState.ACTIVE
                )
                self._plan.on_transition(now, call, True)
        self._plan.abandoned()
        for name, node in self.nodes.items():
            if node.alive and not node.frozen and node.state is LifecycleState.ACTIVE:
                if now >= node.next_report:
                    node.next_report = max(node.next_report + PERIOD[name], now)
                    node.sequence += 1
                    self._publish(now, name, node.sequence)

    def _on_graph(self, now: float) -> list[str]:
        return [
            name
            for name, node in self.nodes.items()
            if node.alive or (node.died is not None and now - node.died < LEASE)
        ]

    def _publish(self, now: float, name: str, n: int) -> None:
        if name == DRIVER:
            self._monitor.on_driver(now, n, self._driver(now), 'scripted', self.driver_fault)
        elif name == BALANCE:
            level = Level.EMERGENCY if self.fallen else self.balance
            self._monitor.on_balance(now, n, int(level), self.balance_cause, self.fallen)
        elif name == CAMERA:
            self._monitor.on_camera(now, n)
        elif name == FILTER:
            usual = FilterState.TRACKING if self._mode is Mode.RUNNING else FilterState.GATED
            state = usual if self.filter_state is None else self.filter_state
            self._monitor.on_filter(now, n, state, int(self.filter_level), 'scripted')
        else:
            frozen = self.camera_frozen
            self._monitor.on_inference(now, n, self.policy, 'scripted', self._finished, frozen)

    def _driver(self, now: float) -> DriverReport:
        behaviour, lasted = self._behaviour, now - self._since
        if self.driver_passive:
            behaviour = Behaviour.DAMP
        if behaviour is Behaviour.TRACK:
            speed, self._standing = _MOVING, False
        elif behaviour is Behaviour.STAND:
            there = lasted >= self._stand_duration
            speed, self._standing = (0.0 if there else _MOVING), there
        elif behaviour is Behaviour.HOLD:
            speed = _MOVING * max(0.0, 1.0 - lasted / _BRAKES)
        else:
            speed, self._standing = (_SINKING if lasted < _SINKS else 0.0), False
        rest = speed <= 0.1
        return DriverReport(int(behaviour), rest, self._standing, rest, speed)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The supervisor's own core on a simulated clock: plays a script and records the decisions."""

from collections.abc import Iterable
from dataclasses import dataclass

from vla_common.states import FilterState, InferenceState, Level, Mode
from vla_common.topics import HEARTBEAT_TOPIC
from vla_supervisor.core import Decision, OperatorStep, Supervisor, SupervisorInputs
from vla_supervisor.endpoints import Endpoints, answer_to
from vla_supervisor.health_monitor import HealthMonitor
from vla_supervisor.lifecycle_manager import LifecycleManager
from vla_validation.what_if.configuration import Configuration
from vla_validation.what_if.robot import ScriptedRobot
from vla_validation.what_if.script import ScriptEvent

STEP = 0.005  # s; resolution of the simulated clock
_BRING_UP = 20.0  # s at most, before the script begins
_SOFT, _HARD, _CHECK_IN = 0.5, 1.0, 0.1  # s, of scripted endpoints
_STEPS = {step.value: step for step in OperatorStep}
_LEVELS = {level.name.lower(): level for level in Level}
_FILTER_STATES = {'ok': None, 'infeasible': FilterState.INFEASIBLE, 'starved': FilterState.NO_CHUNK}
_POLICY_STATES = {
    'loaded': InferenceState.IDLE,
    'unloaded': InferenceState.UNLOADED,
    'blocked': InferenceState.BLOCKED,
}


@dataclass(frozen=True)
class Moment:
    """An event, or a change of the decision. ``t``: s since the script began."""

    t: float
    event: str  # '' where the decision changed by itself
    answer: str  # of an operator's step or an endpoint
    decision: Decision


@dataclass
class _Endpoint:
    challenge: int
    pressed: bool = False
    lost: bool = False
    next_check_in: float = 0.0


class Simulation:
    """The supervisor as the node builds it, with a scripted robot and a clock of its own."""

    def __init__(self, configuration: Configuration, begin: Mode = Mode.READY) -> None:
        params, chosen = configuration.params, configuration.settings
        self._period = 1.0 / params.publish_rate
        self._now = self._next_tick = 0.0
        self._origin = 0.0
        plan = LifecycleManager(HEARTBEAT_TOPIC, chosen.timing, 0.0)
        numbers = iter(range(1, 1 << 62))
        self._endpoints = Endpoints(
            params.require_endpoint, params.longest_endpoint_timeout, lambda: next(numbers)
        )
        self._health = HealthMonitor(chosen.limits, self._endpoints, plan)
        self._core = Supervisor(chosen.core)
        self.robot = ScriptedRobot(
            self._health, plan, configuration.stand_duration, params.graph_period
        )
        self._states: dict[str, _Endpoint] = {}
        self._stalled_until = 0.0
        self._stall = 0.0
        self.moments: list[Moment] = []
        self._last: tuple[object, ...] | None = None
        self._bring_up(begin, params.require_endpoint)

    def _bring_up(self, begin: Mode, with_endpoint: bool) -> None:
        if with_endpoint and begin is not Mode.INACTIVE:
            self._endpoint('button', 'register')
        while not self._health.nodes.all_active and self._now < _BRING_UP:
            self._advance(self._now + STEP)
        self._advance(self._now + 0.2)  # every node has reported
        if begin is not Mode.INACTIVE and self._core.mode is Mode.INACTIVE:
            self._ask(OperatorStep.ARM)
        if begin is Mode.RUNNING:
            self._ask(OperatorStep.START)
            self._advance(self._now + 0.2)
        self._origin = self._now
        self.moments.clear()
        self._last = None
        self._note('', '')

    @property
    def mode(self) -> Mode:
        """The mode now."""
        return self._core.mode

    @property
    def now(self) -> float:
        """s since the script began."""
        return self._now - self._origin

    def run(self, script: Iterable[ScriptEvent], then: float) -> list[Moment]:
        """Play a script, and ``then`` s more; every moment since the begin."""
        for event in script:
            self.play(event)
        self.wait(then)
        return self.moments

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._advance(self._now + seconds)

    def play(self, event: ScriptEvent) -> None:
        """Let time pass until the event, and apply it."""
        self._advance(self._origin + event.at)
        answer = self._apply(event.kind, event.words)
        self._decide(event=event.text, answer=answer)

    # -- events -----------------------------------------------------------------------------------

    def _apply(self, kind: str, words: tuple[str, ...]) -> str:
        robot = self.robot
        if kind in _STEPS:
            return self._ask(_STEPS[kind])
        match (kind, *words):
            case ('finish',):
                robot.finish()
            case ('kill', node):
                robot.kill(self._now, node)
            case ('freeze' | 'thaw', node):
                robot.nodes[node].frozen = kind == 'freeze'
            case ('restart', node):
                robot.restart(node)
            case ('balance', level):
                robot.balance, robot.balance_cause = _LEVELS[level], 'scripted'
            case ('filter', state) if state in _FILTER_STATES:
                robot.filter_state, robot.filter_level = _FILTER_STATES[state], Level.SAFE
            case ('filter', level):
                robot.filter_level = _LEVELS[level]
            case ('fall' | 'get_up',):
                robot.fallen = kind == 'fall'
            case ('camera', images):
                robot.camera_frozen = images == 'frozen'
            case ('policy', state):
                robot.policy = _POLICY_STATES[state]
            case ('driver', 'ok' | 'fault' as state):
                robot.driver_fault = 'scripted' if state == 'fault' else None
            case ('driver', 'obeys' | 'disobeys' as state):
                robot.driver_obeys = state == 'obeys'
            case ('driver', state):
                robot.driver_passive = state == 'limp'
            case ('endpoint', name, what):
                return self._endpoint(name, what)
            case ('publishers', topic, count):
                robot.publishers[topic] = int(count)
            case ('stall', seconds):
                self._stall = float(seconds)
                self._stalled_until = self._now + self._stall
            case ('clock_back', seconds):
                self._take(self._core.update(self._now - float(seconds), self._inputs()))
                self._note('', '')
        return ''

    def _endpoint(self, name: str, what: str) -> str:
        if what == 'register':
            reply = self._endpoints.register(self._now, name, _SOFT, _HARD)
            if reply.accepted:
                self._states[name] = _Endpoint(reply.challenge)
            return reply.reason
        endpoint = self._states.get(name)
        if endpoint is None:
            return f'{name} is not registered'
        if what in ('lose', 'find'):
            endpoint.lost = what == 'lose'
        elif what == 'leave':
            reason = self._check_in(name, endpoint, leaving=True)
            if not reason:
                del self._states[name]
            return reason
        else:
            endpoint.pressed = what == 'press'
            return self._check_in(name, endpoint)
        return ''

    def _check_in(self, name: str, endpoint: _Endpoint, leaving: bool = False) -> str:
        reply = self._endpoints.check_in(
            self._now,
            name,
            answer_to(endpoint.challenge),
            endpoint.pressed,
            leaving,
            motion_allowed=self.mode in (Mode.READY, Mode.RUNNING),
        )
        if reply.accepted:
            endpoint.challenge = reply.challenge
        return reply.reason

    # -- time -------------------------------------------------------------------------------------

    def _advance(self, until: float) -> None:
        while self._now < until - 1e-9:
            self._now = min(self._now + STEP, until)
            for name, endpoint in self._states.items():
                if not endpoint.lost and self._now >= endpoint.next_check_in:
                    endpoint.next_check_in = self._now + _CHECK_IN
                    self._check_in(name, endpoint)
            if self._now < self._stalled_until:
                continue
            if self._stall:
                self._health.on_stall(self._stall, self._now)
                self._stall = 0.0
            self.robot.report(self._now)
            if self._now >= self._next_tick:
                self._next_tick = self._now + self._period
                self._decide()

    # -- deciding, as the node does ---------------------------------------------------------------

    def _inputs(self) -> SupervisorInputs:
        return self._health.inputs(self._now)

    def _decide(self, event: str = '', answer: str = '') -> None:
        if self._now >= self._stalled_until:
            self._take(self._core.update(self._now, self._inputs()))
        self._note(event, answer)

    def _ask(self, step: OperatorStep) -> str:
        decision, answer = self._core.request(self._now, step, self._inputs())
        self._take(decision)
        self._health.nodes.retry(self._now)
        return answer.message

    def _take(self, decision: Decision) -> None:
        self._decision = decision
        self._health.on_mode(decision.mode)
        self.robot.obey(self._now, decision)

    def _note(self, event: str, answer: str) -> None:
        d = self._decision
        causes = tuple((c.condition.name, c.present) for c in d.causes)
        essence = (d.mode, d.behaviour, d.motion_epoch, d.speed_scale, causes)
        if event or essence != self._last:
            self.moments.append(Moment(self.now, event, answer, d))
        self._last = essence

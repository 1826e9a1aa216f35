# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Plays a script to the supervisor's own core and notes what it decides."""

from __future__ import annotations

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

STEP = 0.005  # s; the pure parts take any time, this is how finely the play looks
_BRING_UP = 20.0  # s at most, before the play begins
_SOFT, _HARD, _CHECK_IN = 0.5, 1.0, 0.1  # s, of the endpoints in the play
_STEPS = {step.value: step for step in OperatorStep}
_LEVELS = {level.name.lower(): level for level in Level}


@dataclass(frozen=True)
class Moment:
    """Something happened, or the decision changed. ``t``: s since the play began."""

    t: float
    event: str  # '' where the decision changed by itself
    answer: str  # of an operator's step or an endpoint
    decision: Decision


@dataclass
class _Button:
    challenge: int
    pressed: bool = False
    lost: bool = False
    next_check_in: float = 0.0


class Simulation:
    """The supervisor as the node builds it, with a told robot and a clock of its own."""

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
        self._watch = HealthMonitor(chosen.limits, self._endpoints, plan)
        self._core = Supervisor(chosen.core)
        self.robot = ScriptedRobot(
            self._watch, plan, configuration.stand_duration, params.graph_period
        )
        self._buttons: dict[str, _Button] = {}
        self._stalled_until = 0.0
        self._stall = 0.0
        self.moments: list[Moment] = []
        self._last: tuple[object, ...] | None = None
        self._bring_up(begin, params.require_endpoint)

    def _bring_up(self, begin: Mode, with_endpoint: bool) -> None:
        if with_endpoint and begin is not Mode.INACTIVE:
            self._button('button', 'register')
        while not self._watch.nodes.all_active and self._now < _BRING_UP:
            self._advance(self._now + STEP)
        self._advance(self._now + 0.2)  # everybody is heard
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
        """s since the play began."""
        return self._now - self._origin

    def run(self, script: Iterable[ScriptEvent], then: float) -> list[Moment]:
        """Let all of it happen, and ``then`` s more; every moment since the begin."""
        for happening in script:
            self.happen(happening)
        self.wait(then)
        return self.moments

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._advance(self._now + seconds)

    def happen(self, happening: ScriptEvent) -> None:
        """Let time pass until the event, and let it happen."""
        self._advance(self._origin + happening.at)
        answer = self._do(happening.kind, happening.words)
        self._decide(event=happening.text, answer=answer)

    # -- events -----------------------------------------------------------------------------------

    def _do(self, kind: str, words: tuple[str, ...]) -> str:
        robot = self.robot
        if kind in _STEPS:
            return self._ask(_STEPS[kind])
        if kind == 'finish':
            robot.finish()
        elif kind == 'kill':
            robot.kill(self._now, words[0])
        elif kind in ('freeze', 'thaw'):
            robot.nodes[words[0]].frozen = kind == 'freeze'
        elif kind == 'restart':
            robot.restart(words[0])
        elif kind == 'balance':
            robot.balance, robot.balance_cause = _LEVELS[words[0]], 'as told'
        elif kind == 'filter':
            self._filter(words[0])
        elif kind in ('fall', 'get_up'):
            robot.fallen = kind == 'fall'
        elif kind == 'camera':
            robot.camera_frozen = words[0] == 'frozen'
        elif kind == 'policy':
            robot.policy = {
                'loaded': InferenceState.IDLE,
                'unloaded': InferenceState.UNLOADED,
                'blocked': InferenceState.BLOCKED,
            }[words[0]]
        elif kind == 'driver':
            self._driver(words[0])
        elif kind == 'endpoint':
            return self._button(words[0], words[1])
        elif kind == 'publishers':
            robot.publishers[words[0]] = int(words[1])
        elif kind == 'stall':
            self._stall = float(words[0])
            self._stalled_until = self._now + self._stall
        elif kind == 'clock_back':
            self._take(self._core.update(self._now - float(words[0]), self._inputs()))
            self._note('', '')
        return ''

    def _filter(self, word: str) -> None:
        states = {'ok': None, 'infeasible': FilterState.INFEASIBLE, 'starved': 0}
        if word in states:
            self.robot.filter_state, self.robot.filter_level = states[word], Level.SAFE
        else:
            self.robot.filter_level = _LEVELS[word]

    def _driver(self, word: str) -> None:
        robot = self.robot
        if word in ('ok', 'fault'):
            robot.driver_fault = 'as told' if word == 'fault' else None
        elif word in ('obeys', 'disobeys'):
            robot.driver_obeys = word == 'obeys'
        else:
            robot.driver_limp = word == 'limp'

    def _button(self, name: str, what: str) -> str:
        if what == 'register':
            reply = self._endpoints.register(self._now, name, _SOFT, _HARD)
            if reply.accepted:
                self._buttons[name] = _Button(reply.challenge)
            return reply.reason
        button = self._buttons.get(name)
        if button is None:
            return f'{name} is not registered'
        if what in ('lose', 'find'):
            button.lost = what == 'lose'
        elif what == 'leave':
            reason = self._check_in(name, button, leaving=True)
            if not reason:
                del self._buttons[name]
            return reason
        else:
            button.pressed = what == 'press'
            return self._check_in(name, button)
        return ''

    def _check_in(self, name: str, button: _Button, leaving: bool = False) -> str:
        reply = self._endpoints.check_in(
            self._now,
            name,
            answer_to(button.challenge),
            button.pressed,
            leaving,
            motion_allowed=self.mode in (Mode.READY, Mode.RUNNING),
        )
        if reply.accepted:
            button.challenge = reply.challenge
        return reply.reason

    # -- time -------------------------------------------------------------------------------------

    def _advance(self, until: float) -> None:
        while self._now < until - 1e-9:
            self._now = min(self._now + STEP, until)
            for name, button in self._buttons.items():
                if not button.lost and self._now >= button.next_check_in:
                    button.next_check_in = self._now + _CHECK_IN
                    self._check_in(name, button)
            if self._now < self._stalled_until:
                continue
            if self._stall:
                self._watch.on_stall(self._stall, self._now)
                self._stall = 0.0
            self.robot.report(self._now)
            if self._now >= self._next_tick:
                self._next_tick = self._now + self._period
                self._decide()

    # -- deciding, as the node does ---------------------------------------------------------------

    def _inputs(self) -> SupervisorInputs:
        return self._watch.inputs(self._now)

    def _decide(self, event: str = '', answer: str = '') -> None:
        if self._now >= self._stalled_until:
            self._take(self._core.update(self._now, self._inputs()))
        self._note(event, answer)

    def _ask(self, step: OperatorStep) -> str:
        decision, answer = self._core.request(self._now, step, self._inputs())
        self._take(decision)
        self._watch.nodes.retry(self._now)
        return answer.message

    def _take(self, decision: Decision) -> None:
        self._decision = decision
        self._watch.on_mode(decision.mode)
        self.robot.obey(self._now, decision)

    def _note(self, event: str, answer: str) -> None:
        d = self._decision
        causes = tuple((c.condition.name, c.present) for c in d.causes)
        essence = (d.mode, d.behaviour, d.motion_epoch, d.speed_scale, causes)
        if event or essence != self._last:
            self.moments.append(Moment(self.now, event, answer, d))
        self._last = essence

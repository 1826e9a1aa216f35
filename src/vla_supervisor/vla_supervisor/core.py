# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The supervisor's decision: conditions and operator steps in, mode and behaviour out.

No middleware and no clock: time is an argument (s on any steady clock). What moves between modes is
``transitions.TABLE``; this file defines when its events happen and its guards hold.

Each of these has a property test: motion only after arm and start since the last stop; ESTOP is
left only by a reset with every cause gone; a held or repeated step has no effect; a refused step is
forgotten, never served later; time that jumps or is not a number stops the robot.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol, Self

from vla_common.states import Behaviour, Level, Mode
from vla_supervisor.conditions import CauseList, Condition, Reaction, hard, soft
from vla_supervisor.decision import (
    Decision,
    DriverReport,
    OperatorAnswer,
    OperatorStep,
    SupervisorConfig,
    SupervisorInputs,
)
from vla_supervisor.stop_monitor import NOT_RESTING, NOT_SLOWING, StopMonitor
from vla_supervisor.transitions import BEHAVIOUR, Event, Guard, row

__all__ = ['Decision', 'DriverReport', 'OperatorStep', 'Supervisor', 'SupervisorInputs']

_STEP_EVENT = {
    OperatorStep.ESTOP: Event.HARD_STOP,
    OperatorStep.SAFE_STOP: Event.SOFT_STOP,
    OperatorStep.RESET: Event.RESET,
    OperatorStep.RESUME: Event.RESUME,
    OperatorStep.ARM: Event.ARM,
    OperatorStep.START: Event.START,
}

_STOPS = frozenset({OperatorStep.ESTOP, OperatorStep.SAFE_STOP})

_BLOCKING = {Event.START: Reaction.REFUSE_START, Event.RESET: Reaction.SOFT_STOP}
"""The mildest reaction that keeps an event from being granted, else REFUSE. INACTIVE is also where
nodes come up for the first time: what only refuses arming may be present at a reset."""

_NEXT_STEP = {
    Mode.INACTIVE: ' (next: arm)',
    Mode.READY: ' (next: start, by giving an instruction)',
    Mode.RUNNING: ' (an instruction is being carried out)',
    Mode.SAFE_STOP: ' (next: resume)',
    Mode.ESTOP: ' (next: reset)',
}


class Log(Protocol):
    """Takes what the decisions are made from; see `decision_log`."""

    def decided(
        self, now: float, inputs: SupervisorInputs, new: frozenset[OperatorStep], decision: Decision
    ) -> None: ...

    def called(self, name: str) -> None: ...


class Supervisor:
    """Latching interpreter of the transition table.

    Args:
        log: takes the inputs of each decision, for a replay.
    """

    def __init__(self, config: SupervisorConfig, log: Log | None = None) -> None:
        self._config, self._log = config, log
        self._mode = Mode.INACTIVE
        self._epoch = 0
        self._now: float | None = None
        self._auto_arm = config.auto_arm
        self._steps: frozenset[OperatorStep] = frozenset()
        self._causes = CauseList()
        self._stop_monitor = StopMonitor(config)
        self._off = False
        self._closed = False
        self._last: Decision | None = None

    @property
    def mode(self) -> Mode:
        """The mode of the last decision."""
        return self._mode

    def forbid_auto_arm(self) -> bool:
        """This is not the first bring-up (a node or this one was started again, or was stopped).

        Epoch 0 means that nothing has moved or stopped yet, and lets the inference node begin the
        launch file's instruction by itself: no longer from here on. Returns whether arming was
        still to come.
        """
        if self._log is not None:
            self._log.called('forbid_auto_arm')
        was_to_come, self._auto_arm = self._auto_arm, False
        self._epoch = max(self._epoch, 1)
        return was_to_come

    def request(
        self, now: float, step: OperatorStep, inputs: SupervisorInputs
    ) -> tuple[Decision, OperatorAnswer]:
        """One operator step, as an edge: requested at this instant and released after it."""
        new = (inputs.steps - self._steps) | {step}
        decision, answers = self._update(now, inputs, new)
        return decision, answers[step]

    def close(self) -> None:
        """The supervisor is shutting down: stops still work, nothing else is granted."""
        if self._log is not None:
            self._log.called('close')
        self._closed = True

    def keyframe(self) -> dict[str, Any] | None:
        """What `resume` takes; None during a stop, whose history is more than that."""
        if self._mode in (Mode.SAFE_STOP, Mode.ESTOP) or self._stop_monitor.monitoring:
            return None
        return {
            'mode': int(self._mode),
            'motion_epoch': self._epoch,
            'now': self._now,
            'auto_arm': self._auto_arm,
            'steps': [step.value for step in self._steps],
            'closed': self._closed,
        }

    @classmethod
    def resume(cls, config: SupervisorConfig, keyframe: Mapping[str, Any]) -> Self:
        """A supervisor for a replay, in the state of a keyframe."""
        made = cls(config)
        made._mode, made._epoch = Mode(keyframe['mode']), keyframe['motion_epoch']
        made._now, made._auto_arm = keyframe['now'], keyframe['auto_arm']
        made._steps = frozenset(map(OperatorStep, keyframe['steps']))
        made._closed = keyframe['closed']
        return made

    def update(self, now: float, inputs: SupervisorInputs) -> Decision:
        """Decide at ``now``. Call it at a steady rate and at once on anything urgent."""
        return self.decide(now, inputs, inputs.steps - self._steps)

    def decide(
        self, now: float, inputs: SupervisorInputs, new: frozenset[OperatorStep]
    ) -> Decision:
        """As `update`, with the steps that are new at this instant."""
        return self._update(now, inputs, new)[0]

    def _update(
        self, now: float, inputs: SupervisorInputs, new: frozenset[OperatorStep]
    ) -> tuple[Decision, dict[OperatorStep, OperatorAnswer]]:
        given = now
        now, clock_ok = self._checked(now)
        self._steps = inputs.steps
        conditions = list(inputs.conditions)
        if not clock_ok:
            conditions.append(
                soft(
                    'clock_invalid',
                    'supervisor',
                    'the steady clock went backwards or is not a number',
                    'once the clock advances again; if it does not, restart the supervisor',
                )
            )
        conditions += self._stop_monitor.update(now, inputs.driver)
        before = self._mode
        if new & _STOPS:
            self._auto_arm = False
        self._stop(now, conditions, new)
        self._causes.update(now, conditions)
        if OperatorStep.ESTOP in new:
            cause = hard('estop_request', 'operator', 'e-stop requested', 'reset')
            self._causes.add_momentary(now, cause)
        if OperatorStep.SAFE_STOP in new and before in (Mode.READY, Mode.RUNNING):
            cause = soft('operator_stop', 'operator', 'stop requested', 'resume')
            self._causes.add_momentary(now, cause)
        answers = {}
        for step in OperatorStep:  # the harder step first
            if step in new:
                stopping = bool(new & _STOPS) and step not in _STOPS
                answers[step] = self._answer(now, step, before, conditions, inputs, stopping)
        if inputs.instruction_ended and row(self._mode, Event.FINISHED):
            self._enter(now, Event.FINISHED)
        if self._auto_arm and self._missing(Event.ARM, conditions, inputs) == []:
            self._enter(now, Event.ARM)
        if self._mode not in (Mode.SAFE_STOP, Mode.ESTOP):
            # Only a stop keeps its causes listed; elsewhere the list is what is present now.
            self._causes.drop_gone()
        decision = self._decide(now, conditions, inputs)
        if self._log is not None:
            self._log.decided(given, inputs, new, decision)
        return decision, answers

    def _checked(self, now: float) -> tuple[float, bool]:
        """Time that never runs back, and whether the given one was valid."""
        ok = math.isfinite(now) and (self._now is None or now >= self._now)
        if ok:
            self._now = now
        return (self._now if self._now is not None else 0.0), ok

    def _stop(self, now: float, conditions: list[Condition], new: frozenset[OperatorStep]) -> None:
        """Make the hardest stop among what is present and requested."""
        worst = max((c.reaction for c in conditions), default=Reaction.REPORT)
        if worst is Reaction.HARD_STOP or OperatorStep.ESTOP in new:
            self._enter(now, Event.HARD_STOP)
        elif worst is Reaction.DRIVER_LOST and row(self._mode, Event.DRIVER_LOST):
            self._enter(now, Event.DRIVER_LOST)
        elif worst >= Reaction.SOFT_STOP or OperatorStep.SAFE_STOP in new:
            self._enter(now, Event.SOFT_STOP)

    def _enter(self, now: float, event: Event) -> None:
        """Take the row for ``event`` if there is one. A latched stop is not entered again."""
        taken = row(self._mode, event)
        if taken is None or taken.to is self._mode:
            return
        if self._mode is Mode.RUNNING or taken.to in (Mode.SAFE_STOP, Mode.ESTOP):
            self._epoch += 1
        # Armed once, or stopped once: from here on the operator decides.
        self._auto_arm = False
        self._stop_monitor.enter(now, taken.to, from_running=self._mode is Mode.RUNNING)
        self._mode = taken.to
        self._off = False

    # -- operator steps -----------------------------------------------------------------------

    def _missing(
        self, event: Event, conditions: list[Condition], inputs: SupervisorInputs
    ) -> list[str] | None:
        """What keeps ``event`` from being granted, as texts; None if the mode has no such row."""
        taken = row(self._mode, event)
        if taken is None:
            return None
        missing = ['the supervisor is shutting down'] if self._closed else []
        blocking = _BLOCKING.get(event, Reaction.REFUSE)
        for guard in taken.guards:
            if guard is Guard.CAUSES_GONE:
                missing += [
                    f'{c.name} ({c.detail}; clears when: {c.clears})'
                    for c in conditions
                    if c.reaction >= blocking
                ]
            elif guard is Guard.NODES_ACTIVE and not inputs.nodes_active:
                missing.append('not every node is active (see nodes_missing)')
            elif guard is Guard.STANDING and not (inputs.driver and inputs.driver.standing):
                missing.append('the standing pose is not reached yet')
            elif guard is Guard.POLICY_READY and not inputs.policy_ready:
                missing.append('the policy is not ready')
        return missing

    def _answer(
        self,
        now: float,
        step: OperatorStep,
        before: Mode,
        conditions: list[Condition],
        inputs: SupervisorInputs,
        stopping: bool,
    ) -> OperatorAnswer:
        if step is OperatorStep.ESTOP:
            already = ' (it was already)' if before is Mode.ESTOP else ''
            return OperatorAnswer(True, f'mode ESTOP{already}; reset, then arm, then start')
        if step is OperatorStep.SAFE_STOP:
            idle = before is Mode.INACTIVE and self._mode is Mode.INACTIVE
            note = ': motion is not allowed anyway' if idle else ''
            return OperatorAnswer(True, f'mode {self._mode.name}{note}')
        if stopping:
            reasons: list[str] | None = ['a stop was requested at the same time']
        else:
            reasons = self._missing(_STEP_EVENT[step], conditions, inputs)
            if reasons is None:
                reasons = [f'mode is {self._mode.name}{_NEXT_STEP[self._mode]}']
        if reasons:
            return OperatorAnswer(False, f'{step.value} refused: ' + '; '.join(reasons))
        self._enter(now, _STEP_EVENT[step])
        return OperatorAnswer(True, f'mode {self._mode.name}{_NEXT_STEP[self._mode]}')

    # -- the decision -------------------------------------------------------------------------

    def _behaviour(self, now: float, conditions: list[Condition]) -> Behaviour:
        if self._mode is not Mode.ESTOP:
            return BEHAVIOUR[self._mode]
        damping_over = (
            any(c.name in (NOT_SLOWING, NOT_RESTING) for c in conditions)
            or self._stop_monitor.elapsed(now) >= self._config.estop_off_after
        )
        if self._config.estop_behaviour.switches_off(damping_over):
            self._off = True  # motors never come back on within one e-stop
        return Behaviour.OFF if self._off else BEHAVIOUR[Mode.ESTOP]

    def _decide(
        self, now: float, conditions: list[Condition], inputs: SupervisorInputs
    ) -> Decision:
        decision = Decision(
            mode=self._mode,
            behaviour=self._behaviour(now, conditions),
            motion_epoch=self._epoch,
            speed_scale=self._config.danger_speed_scale if inputs.slow_down else 1.0,
            level=max((c.level for c in conditions), default=Level.SAFE),
            armed=self._mode in (Mode.READY, Mode.RUNNING, Mode.SAFE_STOP),
            causes=self._causes(),
            changed=False,
        )
        if self._last is None or _essence(decision) != _essence(self._last):
            decision = replace(decision, changed=True)
        self._last = decision
        return decision


def _essence(d: Decision) -> tuple[object, ...]:
    """What makes two decisions different; details of causes hold ages that change every tick."""
    causes = tuple((c.condition.name, c.condition.source, c.present) for c in d.causes)
    return (d.mode, d.behaviour, d.motion_epoch, d.speed_scale, d.level, causes)

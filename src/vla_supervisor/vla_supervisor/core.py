# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The supervisor's decision: conditions and operator steps in, mode and behaviour out.

No middleware and no clock in here: time is an argument (seconds on any steady clock). What moves
between modes is ``transitions.TABLE``; this file says when its events happen and its guards hold.

Promises (each a property test): motion only after arm and start since the last stop; ESTOP is left
only by a reset with every cause gone; a held or repeated step has no effect; a refused step is
forgotten, never served later; time that jumps or is not a number stops the robot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum

from vla_common.states import Behaviour, Level, Mode
from vla_supervisor.conditions import Condition, Reaction, hard, soft
from vla_supervisor.transitions import BEHAVIOUR, Event, Guard, row


class OperatorStep(Enum):
    """What a person (or the inference node, for START) may ask for."""

    ESTOP = 'estop'
    SAFE_STOP = 'safe_stop'
    RESET = 'reset'
    RESUME = 'resume'
    ARM = 'arm'
    START = 'start'


_STEP_EVENT = {
    OperatorStep.ESTOP: Event.HARD_STOP,
    OperatorStep.SAFE_STOP: Event.SOFT_STOP,
    OperatorStep.RESET: Event.RESET,
    OperatorStep.RESUME: Event.RESUME,
    OperatorStep.ARM: Event.ARM,
    OperatorStep.START: Event.START,
}


_STOPS = frozenset({OperatorStep.ESTOP, OperatorStep.SAFE_STOP})


class EstopBehaviour(Enum):
    """robot.yaml ``stops.estop``: what ESTOP does to the motors."""

    DAMP = 'damp'
    DAMP_THEN_OFF = 'damp_then_off'
    OFF = 'off'


@dataclass(frozen=True)
class StopLimits:
    """A commanded stop is watched, and made harder where it does not happen.

    The driver must have left TRACK by t0, joints be slower than ``slow_speed`` by t1 and at rest by
    t2. t0 finds a driver that does not listen; t1 must leave time for standing up, which is motion.
    Rest is judged by the measured speed alone, and not before t1: a motion to the standing pose
    begins at rest too.
    """

    obey_within: float  # s, t0
    slow_within: float  # s, t1
    slow_speed: float  # rad/s
    rest_within: float  # s, t2
    rest_speed: float  # rad/s; a balancing robot sways


@dataclass(frozen=True)
class SupervisorConfig:
    """What the decision depends on; all safety figures come from the parameter file."""

    safe_stop: StopLimits
    estop: StopLimits
    estop_behaviour: EstopBehaviour
    estop_off_after: float  # s in ESTOP until OFF, for DAMP_THEN_OFF
    danger_speed_scale: float  # 0..1
    auto_arm: bool


@dataclass(frozen=True)
class DriverReport:
    """What the driver said last, as far as stops need it."""

    behaviour: int
    behaviour_done: bool
    standing: bool
    at_rest: bool
    max_joint_speed: float  # rad/s


@dataclass(frozen=True)
class SupervisorInputs:
    """Everything the decision sees at one instant."""

    conditions: tuple[Condition, ...] = ()
    nodes_active: bool = False
    driver: DriverReport | None = None  # None: not heard from, or too old to be believed
    policy_ready: bool = False
    instruction_ended: bool = False
    slow_down: bool = False  # DANGER, with hysteresis: halve the speed
    steps: frozenset[OperatorStep] = frozenset()  # asked for now; only a newly asked one counts


@dataclass(frozen=True)
class LatchedCause:
    """A condition with its history: it stays listed through the stop it made, even when gone."""

    condition: Condition
    present: bool
    since: float  # s, when it appeared first in this stop


@dataclass(frozen=True)
class OperatorAnswer:
    """The reply to one operator step."""

    success: bool
    message: str


@dataclass(frozen=True)
class Decision:
    """What the robot has to do now, and why."""

    mode: Mode
    behaviour: Behaviour
    motion_epoch: int
    speed_scale: float
    level: Level
    armed: bool
    causes: tuple[LatchedCause, ...]
    changed: bool  # mode, behaviour, epoch, speed, level or causes differ from the decision before


class Supervisor:
    """Latching interpreter of the transition table."""

    def __init__(self, config: SupervisorConfig) -> None:
        self._config = config
        self._mode = Mode.INACTIVE
        self._epoch = 0
        self._now: float | None = None
        self._mode_since = 0.0
        self._auto_arm = config.auto_arm
        self._steps: frozenset[OperatorStep] = frozenset()
        self._causes: dict[tuple[str, str], LatchedCause] = {}
        self._slowed = False  # this stop was seen to slow by t1
        self._rested = False  # this stop was seen to come to rest
        self._motion_stop = False  # READY was entered out of RUNNING: the hold is a stop too
        self._off = False
        self._closed = False
        self._last: Decision | None = None

    @property
    def mode(self) -> Mode:
        """The mode of the last decision."""
        return self._mode

    def forbid_auto_arm(self) -> None:
        """This is not the first bring-up (nodes were found running, or someone stopped us).

        Epoch 0 says that nothing has moved or stopped yet, and lets the inference node begin the
        launch file's instruction by itself: over from here on.
        """
        self._auto_arm = False
        self._epoch = max(self._epoch, 1)

    def ask(
        self, now: float, step: OperatorStep, inputs: SupervisorInputs
    ) -> tuple[Decision, OperatorAnswer]:
        """One operator step, as an edge: asked for in this instant and let go of after it."""
        fresh = (inputs.steps - self._steps) | {step}
        decision, answers = self._update(now, inputs, fresh)
        return decision, answers[step]

    def close(self) -> None:
        """The supervisor is going down: stops still work, nothing else is granted any more."""
        self._closed = True

    def update(self, now: float, inputs: SupervisorInputs) -> Decision:
        """Decide at ``now``. Call it at a steady rate and at once on anything urgent."""
        return self._update(now, inputs, inputs.steps - self._steps)[0]

    def _update(
        self, now: float, inputs: SupervisorInputs, fresh: frozenset[OperatorStep]
    ) -> tuple[Decision, dict[OperatorStep, OperatorAnswer]]:
        now, clock_ok = self._checked(now)
        self._steps = inputs.steps
        conditions = list(inputs.conditions)
        if not clock_ok:
            conditions.append(
                soft(
                    'clock_invalid',
                    'supervisor',
                    'the steady clock went backwards or is not a number',
                    'goes by itself once the clock runs again; if not, restart the supervisor',
                )
            )
        conditions += self._watch_stop(now, inputs.driver)
        before = self._mode
        if fresh & _STOPS:
            self._auto_arm = False
        self._stops(now, conditions, fresh)
        self._latch(now, conditions, fresh, stopped_from=before)
        answers = {}
        for step in OperatorStep:  # the harder step first
            if step in fresh:
                stopping = bool(fresh & _STOPS) and step not in _STOPS
                answers[step] = self._answer(now, step, before, conditions, inputs, stopping)
        if inputs.instruction_ended and row(self._mode, Event.FINISHED):
            self._enter(now, Event.FINISHED)
        if self._auto_arm and self._missing(Event.ARM, conditions, inputs) == []:
            self._enter(now, Event.ARM)
        if self._mode not in (Mode.SAFE_STOP, Mode.ESTOP):
            # Only a stop keeps what made it in view; elsewhere the list says what is true now.
            self._causes = {k: c for k, c in self._causes.items() if c.present}
        return self._decide(now, conditions, inputs), answers

    # -- time ---------------------------------------------------------------------------------

    def _checked(self, now: float) -> tuple[float, bool]:
        """Time that never runs back, and whether the given one could be believed."""
        ok = math.isfinite(now) and (self._now is None or now >= self._now)
        if ok:
            self._now = now
        return (self._now if self._now is not None else 0.0), ok

    # -- stops --------------------------------------------------------------------------------

    def _watch_stop(self, now: float, driver: DriverReport | None) -> list[Condition]:
        """Conditions from a commanded stop that is not followed; ``[]`` when none is on."""
        hold = self._mode is Mode.READY and self._motion_stop
        if not hold and self._mode not in (Mode.SAFE_STOP, Mode.ESTOP):
            return []
        if driver is None:
            return []  # not heard: that is a cause of its own, and harder
        limits = self._config.estop if self._mode is Mode.ESTOP else self._config.safe_stop
        elapsed = now - self._mode_since
        obeys = driver.behaviour != Behaviour.TRACK
        # Written so that NaN is 'too fast'.
        slow = obeys and driver.max_joint_speed <= limits.slow_speed
        rest = obeys and driver.max_joint_speed <= limits.rest_speed
        self._rested = self._rested or (rest and elapsed >= limits.slow_within)
        speed = driver.max_joint_speed
        severity = soft if hold else hard
        due = limits.slow_within if obeys else limits.obey_within
        if elapsed >= due and not (self._slowed and obeys):
            if not slow:
                return [
                    severity(
                        'stop_not_slowing',
                        'hardware_driver',
                        f'{elapsed:.2f} s after the stop joints move at {speed:.2f} rad/s '
                        f'(limit {limits.slow_speed:.2f})'
                        + ('' if obeys else ', the driver does not follow the stop'),
                        'the joints come to rest',
                    )
                ]
            self._slowed = True
        # A hold after an instruction is only watched for slowing: nothing there has to end.
        if elapsed >= limits.rest_within and not self._rested and not hold:
            return [
                severity(
                    'stop_not_resting',
                    'hardware_driver',
                    f'{elapsed:.2f} s after the stop joints still move at {speed:.2f} rad/s '
                    f'(rest: {limits.rest_speed:.2f})',
                    'the joints come to rest',
                )
            ]
        return []

    def _stops(
        self, now: float, conditions: list[Condition], fresh: frozenset[OperatorStep]
    ) -> None:
        """Fire the hardest stop among what is present and asked for."""
        worst = max((c.reaction for c in conditions), default=Reaction.TELL)
        if worst is Reaction.HARD_STOP or OperatorStep.ESTOP in fresh:
            self._enter(now, Event.HARD_STOP)
        elif worst is Reaction.DRIVER_LOST and row(self._mode, Event.DRIVER_LOST):
            self._enter(now, Event.DRIVER_LOST)
        elif worst >= Reaction.SOFT_STOP or OperatorStep.SAFE_STOP in fresh:
            self._enter(now, Event.SOFT_STOP)

    def _enter(self, now: float, event: Event) -> None:
        """Take the row for ``event`` if there is one. A latched stop is not entered again."""
        taken = row(self._mode, event)
        if taken is None or taken.to is self._mode:
            return
        if self._mode is Mode.RUNNING or taken.to in (Mode.SAFE_STOP, Mode.ESTOP):
            self._epoch += 1
        # Armed once, or stopped once: coming back is a person's decision from here on.
        self._auto_arm = False
        self._motion_stop = self._mode is Mode.RUNNING
        self._mode = taken.to
        self._mode_since = now
        self._slowed = self._rested = self._off = False

    # -- causes -------------------------------------------------------------------------------

    def _latch(
        self,
        now: float,
        conditions: list[Condition],
        fresh: frozenset[OperatorStep],
        stopped_from: Mode,
    ) -> None:
        """Bring the list of causes up to date: new ones in, gone ones marked as gone."""
        seen = {(c.name, c.source): c for c in conditions}
        for key, cause in list(self._causes.items()):
            if key not in seen and cause.present:
                self._causes[key] = replace(cause, present=False)
        for key, condition in seen.items():
            old = self._causes.get(key)
            since = old.since if old is not None else now
            self._causes[key] = LatchedCause(condition, True, since)
        if OperatorStep.ESTOP in fresh:
            self._note(now, hard('estop_request', 'operator', 'e-stop asked for', 'reset'))
        if OperatorStep.SAFE_STOP in fresh and stopped_from in (Mode.READY, Mode.RUNNING):
            self._note(now, soft('operator_stop', 'operator', 'stop asked for', 'resume'))

    def _note(self, now: float, condition: Condition) -> None:
        """List a momentary cause: it happened, and is over."""
        key = (condition.name, condition.source)
        self._causes[key] = LatchedCause(condition, False, now)

    # -- operator steps -----------------------------------------------------------------------

    def _missing(
        self, event: Event, conditions: list[Condition], inputs: SupervisorInputs
    ) -> list[str] | None:
        """What keeps ``event`` from being granted, in words; None if the mode has no such row."""
        taken = row(self._mode, event)
        if taken is None:
            return None
        missing = ['the supervisor is shutting down'] if self._closed else []
        for guard in taken.guards:
            if guard is Guard.CAUSES_GONE:
                missing += [_in_words(c) for c in conditions if self._blocks(event, c)]
            elif guard is Guard.NODES_ACTIVE and not inputs.nodes_active:
                missing.append('not every node is active (see nodes_missing)')
            elif guard is Guard.STANDING and not (inputs.driver and inputs.driver.standing):
                missing.append('the standing pose is not reached yet')
            elif guard is Guard.POLICY_READY and not inputs.policy_ready:
                missing.append('the policy is not ready')
        return missing

    @staticmethod
    def _blocks(event: Event, condition: Condition) -> bool:
        if event is Event.START:
            return condition.reaction >= Reaction.REFUSE_START
        if event is Event.RESET:
            # INACTIVE is also where nodes come up for the first time: what merely refuses arming
            # may be there, whatever would be a stop may not.
            return condition.reaction >= Reaction.SOFT_STOP
        return condition.reaction >= Reaction.REFUSE

    def _answer(
        self,
        now: float,
        step: OperatorStep,
        before: Mode,
        conditions: list[Condition],
        inputs: SupervisorInputs,
        stopping: bool,
    ) -> OperatorAnswer:
        event = _STEP_EVENT[step]
        if step is OperatorStep.ESTOP:
            already = ' (it was already)' if before is Mode.ESTOP else ''
            return OperatorAnswer(True, f'mode ESTOP{already}; reset, then arm, then start')
        if step is OperatorStep.SAFE_STOP:
            if before is Mode.INACTIVE and self._mode is Mode.INACTIVE:
                return OperatorAnswer(
                    True, 'mode INACTIVE: the robot is not allowed to move anyway'
                )
            return OperatorAnswer(True, f'mode {self._mode.name}')
        if stopping:
            return OperatorAnswer(
                False, f'{step.value} refused: a stop was asked for at the same time'
            )
        missing = self._missing(event, conditions, inputs)
        if missing is None:
            return OperatorAnswer(
                False, f'{step.value} refused: mode is {self._mode.name}{_hint(self._mode)}'
            )
        if missing:
            return OperatorAnswer(False, f'{step.value} refused: ' + '; '.join(missing))
        self._enter(now, event)
        return OperatorAnswer(True, f'mode {self._mode.name}{_hint(self._mode)}')

    # -- the decision -------------------------------------------------------------------------

    def _behaviour(self, now: float, conditions: list[Condition]) -> Behaviour:
        if self._mode is not Mode.ESTOP:
            return BEHAVIOUR[self._mode]
        kind = self._config.estop_behaviour
        not_stopping = any(c.name in ('stop_not_slowing', 'stop_not_resting') for c in conditions)
        if kind is EstopBehaviour.OFF or (
            kind is EstopBehaviour.DAMP_THEN_OFF
            and (not_stopping or now - self._mode_since >= self._config.estop_off_after)
        ):
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
            causes=tuple(sorted(self._causes.values(), key=lambda c: c.since)),
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


def _in_words(c: Condition) -> str:
    return f'{c.name} ({c.detail}; clears when: {c.clears})'


def _hint(mode: Mode) -> str:
    return {
        Mode.INACTIVE: ' (next: arm)',
        Mode.READY: ' (next: start, by giving an instruction)',
        Mode.RUNNING: ' (an instruction is being carried out)',
        Mode.SAFE_STOP: ' (next: resume)',
        Mode.ESTOP: ' (next: reset)',
    }[mode]

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""From what the nodes report to the conditions that core decides on. Pure: time is an argument.

Every report goes in when it arrives (so that nothing that lasts for one message only is lost
between two looks); ``inputs`` says what is true at one instant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vla_common.states import Behaviour, FilterState, Hysteresis, InferenceState, Level, Mode
from vla_supervisor.conditions import Condition, Reaction, hard, refuse, soft
from vla_supervisor.core import DriverReport, OperatorStep, SupervisorInputs
from vla_supervisor.debounce import Debounce
from vla_supervisor.endpoints import Endpoints
from vla_supervisor.heartbeats import Heartbeats
from vla_supervisor.lifecycle_manager import LifecycleManager
from vla_supervisor.processes import Processes

DRIVER = 'hardware_driver'
FILTER = 'safety_filter'
BALANCE = 'balance_monitor'
INFERENCE = 'inference'
CAMERA = 'camera'


@dataclass(frozen=True)
class HealthLimits:
    """How long something may last; seconds unless said otherwise."""

    timeouts: Mapping[str, float]
    danger_stop_after: float
    danger_fall_after: float
    infeasible_stop_after: float
    not_tracking_stop_after: float
    starved_stop_after: float
    idle_end_after: float
    stall_stop_after: float
    flapping_leak: float  # s forgotten per s of being right


def level_of(value: int) -> Level:
    """A level from a message; one that does not exist is the worst."""
    return Level(value) if 0 <= value <= Level.EMERGENCY else Level.EMERGENCY


class _Severity:
    """A source's level: the hysteresis that slows the robot and the persistence that stops it."""

    def __init__(self, limits: HealthLimits) -> None:
        self.level = Level.SAFE
        self.cause = ''
        self._slow = Hysteresis(limits.danger_fall_after)
        self._lasting = Debounce(limits.danger_stop_after, limits.flapping_leak)
        self._emergency = ''  # what was said in an EMERGENCY message not yet told

    def report(self, now: float, level: Level, cause: str) -> None:
        self.level, self.cause = level, cause
        self._slow.update(level, now)
        self._lasting.update(level >= Level.DANGER, now)
        if level is Level.EMERGENCY:
            self._emergency = cause or 'no cause given'

    def slow(self, now: float) -> bool:
        return self._slow.update(self.level, now) >= Level.DANGER

    def conditions(self, now: float, kind: str, source: str) -> list[Condition]:
        told: list[Condition] = []
        emergency, self._emergency = self._emergency, ''
        if self.level is Level.EMERGENCY or emergency:
            told.append(
                hard(
                    f'{kind}_emergency',
                    source,
                    f'level EMERGENCY: {self.cause or emergency}',
                    f'{source} reports a lower level',
                )
            )
        lasting = self._lasting.update(self.level >= Level.DANGER, now)
        if not told and (lasting or self.slow(now)):
            reaction = Reaction.SOFT_STOP if lasting else Reaction.REFUSE
            told.append(
                Condition(
                    f'{kind}_danger',
                    source,
                    f'level {self.level.name} for {self._lasting.gathered:.2f} s'
                    + (f': {self.cause}' if self.cause else ''),
                    f'{source} reports a lower level for a while',
                    reaction,
                    Level.DANGER,
                )
            )
        return told

    def forget(self, now: float) -> None:
        """The source went away: its last word is not believed any longer (its silence is told)."""
        self.level, self.cause = Level.SAFE, ''
        self._lasting.update(False, now)


class HealthMonitor:
    """All that the supervisor knows about the rest of the robot."""

    def __init__(
        self,
        limits: HealthLimits,
        endpoints: Endpoints,
        nodes: LifecycleManager,
        processes: Processes | None = None,
    ) -> None:
        self._limits = limits
        self.processes = processes or Processes()
        self.endpoints = endpoints
        self.nodes = nodes
        self.hearts = Heartbeats(limits.timeouts)
        self._balance = _Severity(limits)
        self._filter = _Severity(limits)
        self._fallen = False
        self._fell = False  # said in a message not yet told
        self._infeasible = Debounce(limits.infeasible_stop_after, limits.flapping_leak)
        self._is_infeasible = False
        self._starved = Debounce(limits.starved_stop_after, limits.flapping_leak)
        self._filter_reason = ''
        self._not_tracking = Debounce(limits.not_tracking_stop_after, limits.flapping_leak)
        # The driver's own e-stop, kept from before this supervisor began, or a robot that lies.
        self._limp = Debounce(limits.not_tracking_stop_after, limits.flapping_leak)
        self._driver: DriverReport | None = None
        self._driver_reason = ''
        self._fault: str | None = None
        self._fault_seen: str | None = None
        self._camera_frozen = False
        self._inference_state = InferenceState.UNLOADED
        self._inference_reason = ''
        self._finished: int | None = None  # instructions, as heard last
        self._begun_with: int | None = None  # the same, as RUNNING began
        self._ended = False
        self._idle = Debounce(limits.idle_end_after, 0.0)
        self._duplicates: dict[str, int] = {}
        self._mode = Mode.INACTIVE
        self._stalled = (0.0, '')  # s, and in words; not yet told
        self.stalls, self.last_stall = 0, ''
        self._proven: set[str] = set()  # have been active and heard, at some time

    # -- reports: each returns True if it should be decided on at once ----------------------------

    def on_driver(
        self, now: float, sequence: int, report: DriverReport, reason: str, fault: str | None
    ) -> bool:
        """A DriverStatus; ``fault`` is its detail, or None."""
        if not self._beat(DRIVER, now, sequence):
            return False
        self._driver, self._driver_reason = report, reason
        news = fault is not None and self._fault is None
        self._fault = fault
        if fault is not None:
            self._fault_seen = fault
        self._track(now)
        self._is_limp(now)
        return news

    def on_balance(self, now: float, sequence: int, level: int, cause: str, fallen: bool) -> bool:
        """A BalanceState."""
        if not self._beat(BALANCE, now, sequence):
            return False
        news = (fallen and not self._fallen) or (
            level_of(level) is Level.EMERGENCY and self._balance.level < Level.EMERGENCY
        )
        self._fallen = fallen
        self._fell = self._fell or fallen
        self._balance.report(now, level_of(level), cause)
        return news

    def on_filter(self, now: float, sequence: int, state: int, level: int, reason: str) -> bool:
        """A SafetyStatus."""
        if not self._beat(FILTER, now, sequence):
            return False
        news = level_of(level) is Level.EMERGENCY and self._filter.level < Level.EMERGENCY
        self._filter.report(now, level_of(level), reason)
        self._is_infeasible = state == FilterState.INFEASIBLE
        self._infeasible.update(self._is_infeasible, now)
        self._filter_reason = reason
        # A policy that beats but sends nothing that the filter can follow: the filter rests by
        # itself, but RUNNING would wait for it to move again at any time.
        self._starved.update(
            self._mode is Mode.RUNNING
            and state not in (FilterState.TRACKING, FilterState.INFEASIBLE),
            now,
        )
        return news

    def on_camera(self, now: float, stamp_ns: int) -> bool:
        """A CameraInfo; its stamp is the sequence."""
        self._beat(CAMERA, now, stamp_ns)
        return False

    def on_inference(
        self, now: float, sequence: int, state: int, reason: str, finished: int, frozen: bool
    ) -> bool:
        """An InferenceStatus."""
        if not self._beat(INFERENCE, now, sequence):
            return False
        news = frozen and not self._camera_frozen
        self._camera_frozen = frozen
        self._inference_state, self._inference_reason = state, reason
        self._finished = finished
        if self._begun_with is None:
            self._begun_with = finished
        elif self._mode is Mode.RUNNING and state == InferenceState.IDLE:
            if finished > self._begun_with:
                self._ended = news = True
        self._idle.update(self._mode is Mode.RUNNING and state == InferenceState.IDLE, now)
        return news

    def _beat(self, source: str, now: float, sequence: int) -> bool:
        if not self.hearts.beat(source, now, sequence):
            return False
        self.processes.on_heartbeat(now, source)
        return True

    def on_publishers(self, counts: Mapping[str, int]) -> bool:
        """How many publishers each topic has that may have only one."""
        duplicates = {topic: n for topic, n in counts.items() if n > 1}
        news = duplicates.keys() - self._duplicates.keys()
        self._duplicates = duplicates
        return bool(news)

    def on_stall(self, duration: float, now: float, why: str = '') -> None:
        """Until ``now`` this process itself did not run for so long; ``why`` is for people."""
        self.hearts.was_deaf(duration, now)
        told = f'{1e3 * duration:.0f} ms' + (f' ({why})' if why else '')
        self.stalls, self.last_stall = self.stalls + 1, told
        self._stalled = max(self._stalled, (duration, told))

    def on_mode(self, mode: Mode) -> None:
        """The decision made on the last inputs."""
        if mode is Mode.RUNNING and self._mode is not Mode.RUNNING:
            self._not_tracking.reset()
            self._starved.reset()
            self._idle.reset()
            self._ended = False
            # READY may have been too short for a status: the one that ended the last instruction
            # must not end this one.
            self._begun_with = self._finished
        if self._mode is Mode.ESTOP and mode is not Mode.ESTOP:
            self._limp.reset()
        self._mode = mode

    # -- the picture ------------------------------------------------------------------------------

    def inputs(self, now: float, steps: frozenset[OperatorStep] = frozenset()) -> SupervisorInputs:
        """Everything that is true at ``now``."""
        driver_heard = self.hearts.heard(DRIVER, now)
        conditions = self._node_conditions(now)
        conditions += self._driver_conditions(now)
        conditions += self._verdicts(now)
        conditions += self._inference_conditions()
        conditions += self.endpoints.conditions(now)
        for topic, n in sorted(self._duplicates.items()):
            conditions.append(
                soft(
                    f'duplicate_publisher:{topic}',
                    topic,
                    f'{n} publishers on {topic}',
                    'all but one of them end',
                )
            )
        (stalled, told), self._stalled = self._stalled, (0.0, '')
        if stalled > self._limits.stall_stop_after and self._mode is Mode.RUNNING:
            # The driver has stopped by itself meanwhile; never let that motion go on.
            conditions.append(
                soft(
                    'supervisor_stalled',
                    'supervisor',
                    f'the supervisor did not run for {told}',
                    'by itself; give it more of the processor',
                )
            )
        idle = self._idle.fired and self._mode is Mode.RUNNING
        ended, self._ended = self._ended or idle, False
        ready = self._inference_state not in (InferenceState.UNLOADED, InferenceState.BLOCKED)
        return SupervisorInputs(
            conditions=tuple(conditions),
            nodes_active=self.nodes.all_active,
            driver=self._driver if driver_heard else None,
            policy_ready=ready and self.hearts.fresh(INFERENCE, now),
            instruction_ended=ended,
            slow_down=self._balance.slow(now) or self._filter.slow(now),
            steps=steps,
        )

    def _node_conditions(self, now: float) -> list[Condition]:
        told: list[Condition] = []
        for name in self.nodes.restarted():
            self.hearts.restarted(name)
        for name in self._limits.timeouts:
            if self.nodes.is_active(name) and self.hearts.fresh(name, now):
                self._proven.add(name)
            silence = self.hearts.silence(name, now)
            why_not = self.nodes.why_not(name)
            gone, stopped = self.processes.gone(name), self.processes.stopped(name)
            if silence is None and not (why_not or gone or stopped):
                continue
            if name not in self._proven:
                # On its way up for the first time: nothing is lost that ever was there.
                told.append(
                    refuse(
                        f'node_inactive:{name}',
                        name,
                        why_not or silence or gone or stopped,
                        'it becomes active; if it failed: mend what it names, then arm',
                    )
                )
                continue
            reaction = Reaction.DRIVER_LOST if name == DRIVER else Reaction.SOFT_STOP
            level = Level.EMERGENCY if name == DRIVER else Level.DANGER
            if gone:
                kind, detail = 'node_lost', gone
            elif stopped:
                kind, detail = 'node_stale', stopped
            elif not self.nodes.is_present(name):
                kind, detail = 'node_lost', silence or why_not
            elif silence is not None and self.nodes.is_active(name):
                kind, detail = 'node_stale', silence
                self.nodes.doubt(now, name)
            else:
                kind, detail = 'node_inactive', why_not
            clears = 'the node is back, active and heard'
            told.append(Condition(f'{kind}:{name}', name, detail, clears, reaction, level))
        return told

    def _driver_conditions(self, now: float) -> list[Condition]:
        told: list[Condition] = []
        fault, self._fault_seen = self._fault_seen, None
        if not self.hearts.fresh(DRIVER, now):
            self._fault = None  # it is silent, and that is told; a new process speaks for itself
        fault = self._fault if self._fault is not None else fault
        if fault is not None:
            told.append(
                hard('driver_fault', DRIVER, fault or 'no detail', 'the driver reports no fault')
            )
        if self.hearts.fresh(DRIVER, now) and self._is_limp(now):
            told.append(
                hard(
                    'driver_limp',
                    DRIVER,
                    f'the driver damps or is off unasked: {self._driver_reason or "no reason"}',
                    'by itself: mode ESTOP takes it over; reset then',
                )
            )
        if self._track(now):
            told.append(
                soft(
                    'command_stale',
                    DRIVER,
                    f'the driver does not track: {self._driver_reason or "no reason given"}',
                    'motion is over; look at the safety filter and its /joint_command',
                )
            )
        return told

    def _track(self, now: float) -> bool:
        """Whether the driver has not followed commands for too long, though it should."""
        wrong = (
            self._mode is Mode.RUNNING
            and self._driver is not None
            and self._driver.behaviour != Behaviour.TRACK
        )
        fired = self._not_tracking.update(wrong, now)
        return fired and self._mode is Mode.RUNNING

    def _is_limp(self, now: float) -> bool:
        """Whether the driver has been without stiffness for a while though no e-stop is on.

        So a supervisor that was restarted amid an e-stop finds it again, instead of ending it.
        """
        wrong = (
            self._mode is not Mode.ESTOP
            and self._driver is not None
            and self._driver.behaviour in (Behaviour.DAMP, Behaviour.OFF)
        )
        fired = self._limp.update(wrong, now)
        return fired and wrong

    def _verdicts(self, now: float) -> list[Condition]:
        told: list[Condition] = []
        fell, self._fell = self._fell or self._fallen, False
        if not self.hearts.fresh(BALANCE, now):
            self._fallen = False
            self._balance.forget(now)
        if fell:
            told.append(
                hard('fall', BALANCE, 'the robot has fallen', 'the robot is on its feet again')
            )
        told += self._balance.conditions(now, 'balance', BALANCE)
        if not self.hearts.fresh(FILTER, now):
            self._filter.forget(now)
            self._is_infeasible = False
        told += self._filter.conditions(now, 'filter', FILTER)
        if self._starved.fired and self._mode is Mode.RUNNING:
            told.append(
                soft(
                    'chunks_stopped',
                    FILTER,
                    f'the filter has nothing to follow: {self._filter_reason or "no reason given"}',
                    'motion is over; look at the inference node and its /vla/action_chunk',
                )
            )
        if self._infeasible.update(self._is_infeasible, now):
            told.append(
                soft(
                    'filter_infeasible',
                    FILTER,
                    f'no safe command for {self._infeasible.gathered:.2f} s',
                    'the filter finds a solution again',
                )
            )
        return told

    def _inference_conditions(self) -> list[Condition]:
        told: list[Condition] = []
        if self._camera_frozen:
            told.append(
                soft(
                    'camera_frozen',
                    CAMERA,
                    'images keep arriving and are all the same',
                    'the images change again',
                )
            )
        why = {InferenceState.UNLOADED: 'policy_unloaded', InferenceState.BLOCKED: 'policy_blocked'}
        name = why.get(self._inference_state)
        if name is not None and self.nodes.was_up(INFERENCE):
            told.append(
                Condition(
                    name,
                    INFERENCE,
                    self._inference_reason or 'no reason given',
                    'inference loads a policy and trusts its observations',
                    Reaction.REFUSE_START,
                    Level.WARNING,
                )
            )
        return told

    def active(self, now: float) -> list[str]:
        """Nodes that are active and heard."""
        return [n for n in self.nodes.active if self._here(n, now)]

    def missing(self, now: float) -> list[str]:
        """'<node>: <reason>' for every node that is not active, or not heard."""
        return [
            f'{name}: '
            + (
                self.processes.gone(name)
                or self.processes.stopped(name)
                or self.nodes.why_not(name)
                or self.hearts.silence(name, now)
                or ''
            )
            for name in self._limits.timeouts
            if self.nodes.why_not(name) or not self._here(name, now)
        ]

    def _here(self, name: str, now: float) -> bool:
        """Heard lately, and its process runs as far as we know."""
        lost = self.processes.gone(name) or self.processes.stopped(name)
        return not lost and self.hearts.fresh(name, now)

    def heard(self, name: str, now: float) -> bool:
        """Its process is not known to be gone, and something new came within its timeout."""
        return not self.processes.gone(name) and self.hearts.fresh(name, now)

    def driver_at_rest(self, now: float) -> bool:
        """The stop of this mode is finished, or the driver is not there any more to finish it."""
        report = self._driver
        if not self.hearts.fresh(DRIVER, now) or report is None:
            return True
        if self._mode is Mode.SAFE_STOP:
            return report.standing and report.at_rest
        return report.behaviour != Behaviour.TRACK and report.at_rest

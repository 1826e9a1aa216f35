# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What each supervised node reports, and the conditions that follow. Time is an argument.

`update` takes one message when it arrives, so that what lasts for one message only is not lost, and
returns whether to decide at once. `conditions` lists what is true at one instant; `fresh`: whether
the node is alive.
"""

from vla_common.cameras import CAMERA
from vla_common.states import Behaviour, FilterState, InferenceState, Level, Mode
from vla_supervisor.conditions import Condition, Reaction, hard, refuse, soft
from vla_supervisor.decision import DriverReport
from vla_supervisor.severity import Debounce, HealthLimits, Severity

DRIVER = 'hardware_driver'
FILTER = 'safety_filter'
BALANCE = 'balance_monitor'
INFERENCE = 'inference'

_NO_POLICY = {InferenceState.UNLOADED: 'policy_unloaded', InferenceState.BLOCKED: 'policy_blocked'}


class DriverReports:
    """DriverStatus: faults, sensors that disagree, commands that are not tracked, a robot that is
    passive unrequested.

    The last one is how a supervisor that was restarted during an e-stop finds it again, instead of
    ending it: the driver keeps its own e-stop, and a robot on the ground is damped.
    """

    def __init__(self, limits: HealthLimits) -> None:
        self.report: DriverReport | None = None
        self._reason = ''
        self._fault: str | None = None
        self._fault_seen: str | None = None  # in a message that is not yet a condition
        self._sensors = ('', '', False)  # disagreement, detail, unconfirmed
        self._not_tracking = Debounce(limits.not_tracking_stop_after, limits.flapping_leak)
        self._passive = Debounce(limits.not_tracking_stop_after, limits.flapping_leak)

    def update(
        self,
        now: float,
        mode: Mode,
        report: DriverReport,
        reason: str,
        fault: str | None,
        sensors: tuple[str, str, bool] = ('', '', False),
    ) -> bool:
        self.report, self._reason = report, reason
        urgent = (fault is not None and self._fault is None) or sensors[0] != self._sensors[0]
        self._fault, self._sensors = fault, sensors
        if fault is not None:
            self._fault_seen = fault
        self._is_not_tracking(now, mode)
        self._is_passive(now, mode)
        return urgent

    def on_mode(self, before: Mode, mode: Mode) -> None:
        if mode is Mode.RUNNING and before is not Mode.RUNNING:
            self._not_tracking.reset()
        if before is Mode.ESTOP and mode is not Mode.ESTOP:
            self._passive.reset()

    def conditions(self, now: float, mode: Mode, fresh: bool) -> list[Condition]:
        found: list[Condition] = []
        fault, self._fault_seen = self._fault_seen, None
        if not fresh:
            self._fault = None  # its silence is a condition; a new process reports its own faults
        fault = self._fault if self._fault is not None else fault
        if fault is not None:
            clears = 'the driver reports no fault'
            found.append(hard('driver_fault', DRIVER, fault or 'no detail', clears))
        if fresh:
            found += self._sensor_conditions()
        if fresh and self._is_passive(now, mode):
            found.append(
                hard(
                    'driver_limp',
                    DRIVER,
                    f'the driver is passive without a request: {self._reason or "no reason given"}',
                    'mode ESTOP takes it over; then reset',
                )
            )
        if self._is_not_tracking(now, mode):
            found.append(
                soft(
                    'command_stale',
                    DRIVER,
                    f'the driver does not track: {self._reason or "no reason given"}',
                    'motion is over; check the safety filter and its /joint_command',
                )
            )
        return found

    def _sensor_conditions(self) -> list[Condition]:
        name, detail, unconfirmed = self._sensors
        if name:
            # The servos work, and the driver balances with what can be trusted: no reason to damp.
            return [soft(name, DRIVER, detail, 'the sensors agree again; check what differs')]
        if unconfirmed:
            clears = 'the robot stands still, and its sensors agree'
            return [refuse('imu_unconfirmed', DRIVER, detail, clears)]
        return []

    def _is_not_tracking(self, now: float, mode: Mode) -> bool:
        """Whether the driver did not follow commands for too long in RUNNING."""
        running = mode is Mode.RUNNING and self.report is not None
        wrong = running and self.report.behaviour != Behaviour.TRACK
        return self._not_tracking.update(wrong, now) and mode is Mode.RUNNING

    def _is_passive(self, now: float, mode: Mode) -> bool:
        """Whether the driver was without stiffness for too long outside of ESTOP."""
        wrong = (
            mode is not Mode.ESTOP
            and self.report is not None
            and self.report.behaviour in (Behaviour.DAMP, Behaviour.OFF)
        )
        return self._passive.update(wrong, now) and wrong


class BalanceReports:
    """BalanceState: a level, and falls."""

    def __init__(self, limits: HealthLimits) -> None:
        self.severity = Severity('balance', BALANCE, limits)
        self._fallen = False
        self._fell = False  # in a message that is not yet a condition

    def update(self, now: float, level: int, cause: str, fallen: bool) -> bool:
        urgent = fallen and not self._fallen
        self._fallen = fallen
        self._fell = self._fell or fallen
        return self.severity.update(now, level, cause) or urgent

    def conditions(self, now: float, fresh: bool) -> list[Condition]:
        found: list[Condition] = []
        fell, self._fell = self._fell or self._fallen, False
        if not fresh:
            self._fallen = False
            self.severity.reset(now)
        if fell:
            clears = 'the robot is on its feet again'
            found.append(hard('fall', BALANCE, 'the robot has fallen', clears))
        return found + self.severity.conditions(now)


class FilterReports:
    """SafetyStatus: a level, no safe command, no chunk to follow."""

    def __init__(self, limits: HealthLimits) -> None:
        leak = limits.flapping_leak
        self.severity = Severity('filter', FILTER, limits)
        self._infeasible = Debounce(limits.infeasible_stop_after, leak)
        self._is_infeasible = False
        self._starved = Debounce(limits.starved_stop_after, leak)
        self._reason = ''

    def update(self, now: float, mode: Mode, state: int, level: int, reason: str) -> bool:
        urgent = self.severity.update(now, level, reason)
        self._is_infeasible = state == FilterState.INFEASIBLE
        self._infeasible.update(self._is_infeasible, now)
        self._reason = reason
        # A policy that is alive but sends nothing that the filter can follow: the filter rests by
        # itself, but RUNNING would wait for it to move again at any time.
        following = state in (FilterState.TRACKING, FilterState.INFEASIBLE)
        self._starved.update(mode is Mode.RUNNING and not following, now)
        return urgent

    def on_mode(self, before: Mode, mode: Mode) -> None:
        if mode is Mode.RUNNING and before is not Mode.RUNNING:
            self._starved.reset()

    def conditions(self, now: float, mode: Mode, fresh: bool) -> list[Condition]:
        if not fresh:
            self.severity.reset(now)
            self._is_infeasible = False
        found = self.severity.conditions(now)
        if self._starved.fired and mode is Mode.RUNNING:
            found.append(
                soft(
                    'chunks_stopped',
                    FILTER,
                    f'the filter has no chunk to follow: {self._reason or "no reason given"}',
                    'motion is over; check the inference node and its /vla/action_chunk',
                )
            )
        if self._infeasible.update(self._is_infeasible, now):
            found.append(
                soft(
                    'filter_infeasible',
                    FILTER,
                    f'no safe command for {self._infeasible.gathered:.2f} s',
                    'the filter finds a solution again',
                )
            )
        return found


class InferenceReports:
    """InferenceStatus: whether the policy is ready, when an instruction ended, a frozen camera."""

    def __init__(self, limits: HealthLimits) -> None:
        self._state = InferenceState.UNLOADED
        self._reason = ''
        self._frozen = False
        self._finished: int | None = None  # number of ended instructions, as received last
        self._finished_at_start: int | None = None  # the same, as RUNNING began
        self._ended = False
        self._idle = Debounce(limits.idle_end_after, 0.0)

    @property
    def policy_ready(self) -> bool:
        return self._state not in _NO_POLICY

    def update(
        self, now: float, mode: Mode, state: int, reason: str, finished: int, frozen: bool
    ) -> bool:
        urgent = frozen and not self._frozen
        self._frozen, self._state, self._reason, self._finished = frozen, state, reason, finished
        idle = mode is Mode.RUNNING and state == InferenceState.IDLE
        if self._finished_at_start is None:
            self._finished_at_start = finished
        elif idle and finished > self._finished_at_start:
            self._ended = urgent = True
        self._idle.update(idle, now)
        return urgent

    def on_mode(self, before: Mode, mode: Mode) -> None:
        if mode is Mode.RUNNING and before is not Mode.RUNNING:
            self._idle.reset()
            self._ended = False
            # READY may have been too short for a status: the one that ended the last instruction
            # must not end this one.
            self._finished_at_start = self._finished

    def take_ended(self, mode: Mode) -> bool:
        """Whether the instruction ended since the last call, or inference is idle for too long."""
        ended = self._ended or (self._idle.fired and mode is Mode.RUNNING)
        self._ended = False
        return ended

    def conditions(self, was_up: bool) -> list[Condition]:
        """was_up: the node has been active at some time."""
        found: list[Condition] = []
        if self._frozen:
            found.append(
                soft(
                    'camera_frozen',
                    CAMERA,
                    'images keep arriving and show nothing new',
                    'the images change again',
                )
            )
        name = _NO_POLICY.get(self._state)
        if name is not None and was_up:
            found.append(
                Condition(
                    name,
                    INFERENCE,
                    self._reason or 'no reason given',
                    'inference loads a policy and trusts its observations',
                    Reaction.REFUSE_START,
                    Level.WARNING,
                )
            )
        return found

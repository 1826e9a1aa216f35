# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the driver does when: the supervisor's word, and what rules without it.

`SupervisorWatch` hears the supervisor and its silence; `decide` is the one rule for which
behaviour is in force. The order of its rules is the point:

1. a fault (the robot cannot be read or written) and ESTOP let nothing pass, and both stay in
   force when the supervisor falls silent afterwards: a robot must not stand up by itself. Motors
   that an e-stop switched off stay off until it ends, also when a fault comes on top;
2. then the end of this node (signal or deactivation), then the supervisor's silence: the
   protective stop that the robot's file names;
3. only then the behaviour that the supervisor asks for; a robot that lies is never stood up.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from vla_common.errors import ConfigError
from vla_common.states import Behaviour, Mode
from vla_robot import RobotModel

LIMP = (Behaviour.DAMP, Behaviour.OFF)

STOP_BEHAVIOURS = {
    'hold': Behaviour.HOLD,
    'stand': Behaviour.STAND,
    'damp': Behaviour.DAMP,
    'off': Behaviour.OFF,
}
"""By their names in robot.yaml."""

SAME_SPEAKER = 10_000
"""Messages by which the sequence of one supervisor may advance between two that we hear: minutes of
them. Another one, or the same restarted, begins at the microseconds of its wall clock
(`vla_common.clock.first_sequence`), so 10 ms later at least is further away than this."""


@dataclass(frozen=True)
class StopDecision:
    """The behaviour in force and, for a person, why."""

    behaviour: Behaviour
    reason: str


class EStop(Enum):
    """What an e-stop does to the motors; damp_then_off: off once the damped robot is at rest."""

    DAMP = 'damp'
    DAMP_THEN_OFF = 'damp_then_off'
    OFF = 'off'


@dataclass(frozen=True)
class StopRules:
    """How this robot stops: robot.yaml's `stops`.

    supervisor_lost: behaviour without a supervisor and at the end of this node.
    """

    supervisor_lost: Behaviour
    estop: EStop

    @classmethod
    def of(cls, robot: RobotModel) -> StopRules:
        """robot.yaml's `stops`. Raises ConfigError."""
        lost, estop = robot.stops.supervisor_lost, robot.stops.estop
        place = str(robot.directory / 'robot.yaml')
        if lost not in STOP_BEHAVIOURS:
            raise ConfigError(place, 'stops.supervisor_lost', lost, ', '.join(STOP_BEHAVIOURS))
        estops = {e.value: e for e in EStop}
        if estop not in estops:
            raise ConfigError(place, 'stops.estop', estop, ', '.join(estops))
        return cls(STOP_BEHAVIOURS[lost], estops[estop])


class SupervisorWatch:
    """The supervisor as the driver hears it.

    A message feeds the watchdog only if it is young by its stamp and its sequence advances. After
    a silence a restarted supervisor may count from the beginning again, so there the stamp alone
    decides. RUNNING counts only when it begins while we listen: after a silence, or when this
    node comes up in the middle of it, another mode has to be heard first, else a supervisor that
    was frozen for a second would resume the old motion by waking up.

    An ESTOP is heard from any supervisor that speaks now, and taken back only by the one that said
    it last: one that was restarted knows nothing of the e-stop, and its INACTIVE is not a person's
    reset. It sees by our status that the robot is limp, and says ESTOP itself.

    An ESTOP that is new by its sequence is obeyed whatever its stamp says, though it counts for no
    life: where two clocks differ (one was set, or follows a simulation) a stop must still arrive.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._timeout_ns = int(timeout * 1e9)
        self._heard = -float('inf')
        self._sequence = -1
        self._stamp_ns = -1
        self._running = False
        self._needs_pause = True
        self.mode: Mode | None = None
        self.behaviour = Behaviour.HOLD
        self.motion_epoch = -1
        self.running_since_ns: int | None = None
        self.rejected = 0

    def age(self, now: float) -> float:
        """Seconds since the last good message; inf before the first."""
        return now - self._heard

    def silent(self, now: float) -> bool:
        """Whether the supervisor was heard once and is not any more."""
        if self.mode is None:
            return False
        silent = not self.age(now) <= self._timeout
        if silent:
            self._needs_pause = True
            self._running = False
            self.running_since_ns = None
        return silent

    def pause(self) -> None:
        """Something stopped the robot here: RUNNING has to begin anew before it is followed."""
        self._needs_pause = True
        self._running = False
        self.running_since_ns = None

    def hear(
        self,
        mode: int,
        behaviour: int,
        motion_epoch: int,
        sequence: int,
        stamp_ns: int,
        wall_ns: int,
        now: float,
    ) -> bool:
        """Takes one /supervisor/state; False if it did not count as life."""
        try:
            mode, behaviour = Mode(mode), Behaviour(behaviour)
        except ValueError:
            self.rejected += 1
            return False
        young = -self._timeout_ns <= wall_ns - stamp_ns <= self._timeout_ns
        if not young and mode is Mode.ESTOP and sequence > self._sequence:
            self._sequence = sequence
            self.pause()
            self.mode, self.behaviour, self.motion_epoch = mode, behaviour, motion_epoch
            self.rejected += 1
            return False
        in_order = sequence > self._sequence or not self.age(now) <= self._timeout
        # Two supervisors (a mistake) count from different numbers: the e-stop of either counts.
        in_order |= mode is Mode.ESTOP and stamp_ns > self._stamp_ns
        released = mode is Mode.ESTOP or self.mode is not Mode.ESTOP
        released |= 0 < sequence - self._sequence <= SAME_SPEAKER
        if not (young and in_order and released):
            self.rejected += 1
            return False
        # Whether there was a silence is for the loop to say (`silent`): after a stall of the loop
        # itself the time since the last message is its own, not the supervisor's.
        self._heard = now
        self._sequence = sequence
        self._stamp_ns = stamp_ns
        if mode is not Mode.RUNNING:
            self._needs_pause = False
            self._running = False
            self.running_since_ns = None
        elif not self._needs_pause and (not self._running or motion_epoch != self.motion_epoch):
            self._running = True
            self.running_since_ns = stamp_ns
        self.mode = mode
        self.behaviour = behaviour
        self.motion_epoch = motion_epoch
        return True


@dataclass(frozen=True)
class StopInputs:
    """All that the decision hangs on, at one instant. off: the motors are off already."""

    fault: str = ''
    ending: str = ''
    supervisor_age: float = float('inf')
    supervisor_silent: bool = False
    mode: Mode | None = None
    asked: Behaviour = Behaviour.HOLD
    running: bool = False
    command_there: bool = False
    command_fresh: bool = False
    limp_and_resting: bool = False
    lying: bool = False
    off: bool = False


def decide(seen: StopInputs, rules: StopRules) -> StopDecision:
    """The behaviour in force under these circumstances."""
    # Whether a robot with a fault rests is not known: its last reading may be an old one.
    rested = seen.limp_and_resting and not seen.fault
    off = seen.mode is Mode.ESTOP and (
        seen.off
        or seen.asked is Behaviour.OFF
        or rules.estop is EStop.OFF
        or (rules.estop is EStop.DAMP_THEN_OFF and rested)
    )
    if seen.fault:
        return StopDecision(Behaviour.OFF if off else Behaviour.DAMP, seen.fault)
    if seen.mode is Mode.ESTOP:
        silent = ', supervisor silent since' if seen.supervisor_silent else ''
        return StopDecision(Behaviour.OFF if off else Behaviour.DAMP, f'mode ESTOP{silent}')
    if seen.ending:
        return _protective(seen, rules, seen.ending)
    if seen.supervisor_silent:
        return _protective(seen, rules, f'supervisor silent {seen.supervisor_age * 1e3:.0f} ms')
    if seen.mode is None:
        return StopDecision(Behaviour.HOLD, 'no supervisor heard yet')
    reason = f'mode {seen.mode.name}'
    if seen.asked is Behaviour.STAND and seen.lying:
        return StopDecision(Behaviour.DAMP, f'{reason}, robot lies')
    if seen.mode is Mode.RUNNING:
        if seen.asked is not Behaviour.TRACK:
            return StopDecision(seen.asked, reason)
        if not seen.running:
            return _protective(seen, rules, 'mode RUNNING has to begin anew after a stop')
        if not seen.command_there:
            return StopDecision(Behaviour.HOLD, 'mode RUNNING, no command yet')
        if not seen.command_fresh:
            return StopDecision(Behaviour.HOLD, 'command stale')
        return StopDecision(Behaviour.TRACK, reason)
    if seen.asked is Behaviour.TRACK:
        return StopDecision(Behaviour.HOLD, f'{reason} does not allow motion')
    return StopDecision(seen.asked, reason)


def _protective(seen: StopInputs, rules: StopRules, reason: str) -> StopDecision:
    if seen.lying and rules.supervisor_lost not in LIMP:
        # Standing up from the floor by interpolating joint angles breaks things.
        return StopDecision(Behaviour.DAMP, f'{reason}, robot lies')
    return StopDecision(rules.supervisor_lost, reason)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Which behaviour is in force: one rule over all inputs.

The order of its parts matters:

1. a fault (the robot cannot be read or written), then ESTOP. Both stay in force when the
   supervisor falls silent afterwards: a robot must not stand up by itself. Motors that an e-stop
   switched off stay off until it ends, also when a fault is added;
2. the end of this node (signal or deactivation), then the silence of the supervisor: the
   protective stop named in robot.yaml;
3. the behaviour that the supervisor requests; a robot on the ground is never stood up.
"""

from dataclasses import dataclass
from typing import Self

from vla_common.errors import ConfigError
from vla_common.states import Behaviour, EstopBehaviour, Mode
from vla_robot import RobotModel

STOP_BEHAVIOURS = {
    'hold': Behaviour.HOLD,
    'stand': Behaviour.STAND,
    'damp': Behaviour.DAMP,
    'off': Behaviour.OFF,
}
"""By their names in robot.yaml."""


@dataclass(frozen=True)
class StopDecision:
    """The behaviour in force, and why (a text for the operator)."""

    behaviour: Behaviour
    reason: str


@dataclass(frozen=True)
class StopRules:
    """How this robot stops (`stops` in robot.yaml).

    supervisor_lost: behaviour without a supervisor, and at the end of this node.
    """

    supervisor_lost: Behaviour
    estop: EstopBehaviour

    @classmethod
    def of(cls, robot: RobotModel) -> Self:
        """From robot.yaml. Raises ConfigError."""
        lost, estop = robot.stops.supervisor_lost, robot.stops.estop
        place = str(robot.directory / 'robot.yaml')
        if lost not in STOP_BEHAVIOURS:
            raise ConfigError(place, 'stops.supervisor_lost', lost, ', '.join(STOP_BEHAVIOURS))
        estops = {e.value: e for e in EstopBehaviour}
        if estop not in estops:
            raise ConfigError(place, 'stops.estop', estop, ', '.join(estops))
        return cls(STOP_BEHAVIOURS[lost], estops[estop])


@dataclass(frozen=True)
class StopInputs:
    """Everything that the decision depends on, at one instant. off: the motors are off."""

    fault: str = ''
    ending: str = ''
    supervisor_age: float = float('inf')
    supervisor_silent: bool = False
    mode: Mode | None = None
    requested: Behaviour = Behaviour.HOLD
    running: bool = False
    command_received: bool = False
    command_fresh: bool = False
    passive_and_resting: bool = False
    lying: bool = False
    off: bool = False


def decide(inputs: StopInputs, rules: StopRules) -> StopDecision:
    """The behaviour in force for these inputs."""
    # Whether a robot with a fault rests is not known: its last reading may be an old one.
    rested = inputs.passive_and_resting and not inputs.fault
    off = inputs.mode is Mode.ESTOP and (
        inputs.off or inputs.requested is Behaviour.OFF or rules.estop.switches_off(rested)
    )
    if inputs.fault:
        return StopDecision(Behaviour.OFF if off else Behaviour.DAMP, inputs.fault)
    if inputs.mode is Mode.ESTOP:
        silent = ', supervisor silent since' if inputs.supervisor_silent else ''
        return StopDecision(Behaviour.OFF if off else Behaviour.DAMP, f'mode ESTOP{silent}')
    if inputs.ending:
        return _protective(inputs, rules, inputs.ending)
    if inputs.supervisor_silent:
        return _protective(inputs, rules, f'supervisor silent {inputs.supervisor_age * 1e3:.0f} ms')
    if inputs.mode is None:
        return StopDecision(Behaviour.HOLD, 'no supervisor message received yet')
    reason = f'mode {inputs.mode.name}'
    if inputs.requested is Behaviour.STAND and inputs.lying:
        return StopDecision(Behaviour.DAMP, f'{reason}, robot lies')
    if inputs.mode is Mode.RUNNING:
        if inputs.requested is not Behaviour.TRACK:
            return StopDecision(inputs.requested, reason)
        if not inputs.running:
            return _protective(inputs, rules, 'mode RUNNING has to begin again after a stop')
        if not inputs.command_received:
            return StopDecision(Behaviour.HOLD, 'mode RUNNING, no command received yet')
        if not inputs.command_fresh:
            return StopDecision(Behaviour.HOLD, 'command stale')
        return StopDecision(Behaviour.TRACK, reason)
    if inputs.requested is Behaviour.TRACK:
        return StopDecision(Behaviour.HOLD, f'{reason} does not allow motion')
    return StopDecision(inputs.requested, reason)


def _protective(inputs: StopInputs, rules: StopRules, reason: str) -> StopDecision:
    if inputs.lying and not rules.supervisor_lost.passive:
        # Standing up from the floor by interpolating joint angles breaks things.
        return StopDecision(Behaviour.DAMP, f'{reason}, robot lies')
    return StopDecision(rules.supervisor_lost, reason)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The values that the supervisor decides from, and the decision."""

from dataclasses import dataclass
from enum import Enum

from vla_common.states import Behaviour, EstopBehaviour, Level, Mode
from vla_supervisor.conditions import Condition, LatchedCause


class OperatorStep(Enum):
    """What the operator (for START: the inference node) may request."""

    ESTOP = 'estop'
    SAFE_STOP = 'safe_stop'
    RESET = 'reset'
    RESUME = 'resume'
    ARM = 'arm'
    START = 'start'


@dataclass(frozen=True)
class StopLimits:
    """By when a stop must happen, else it becomes harder (see `StopMonitor`).

    The driver must have left TRACK by t0, the joints be slower than ``slow_speed`` by t1 and at
    rest by t2. t0 finds a driver that ignores the stop; t1 leaves time for standing up, which is
    motion. Rest is decided by the measured speed alone, and not before t1: a motion to the standing
    pose begins at rest too.
    """

    obey_within: float  # s, t0
    slow_within: float  # s, t1
    slow_speed: float  # rad/s
    rest_within: float  # s, t2
    rest_speed: float  # rad/s; a balancing robot sways


@dataclass(frozen=True)
class SupervisorConfig:
    """What the decision depends on; all values come from the parameter file."""

    safe_stop: StopLimits
    estop: StopLimits
    estop_behaviour: EstopBehaviour
    estop_off_after: float  # s in ESTOP until OFF, for DAMP_THEN_OFF
    danger_speed_scale: float  # 0..1
    auto_arm: bool


@dataclass(frozen=True)
class DriverReport:
    """The part of the last DriverStatus that stops need."""

    behaviour: int
    behaviour_done: bool
    standing: bool
    at_rest: bool
    max_joint_speed: float  # rad/s


@dataclass(frozen=True)
class SupervisorInputs:
    """Everything that the decision depends on at one instant."""

    conditions: tuple[Condition, ...] = ()
    nodes_active: bool = False
    driver: DriverReport | None = None  # None: not received, or too old
    policy_ready: bool = False
    instruction_ended: bool = False
    slow_down: bool = False  # DANGER, with hysteresis
    steps: frozenset[OperatorStep] = frozenset()  # requested now; only a new one counts


@dataclass(frozen=True)
class OperatorAnswer:
    """The reply to one operator step."""

    success: bool
    message: str


@dataclass(frozen=True)
class Decision:
    """What the robot does now, and why."""

    mode: Mode
    behaviour: Behaviour
    motion_epoch: int
    speed_scale: float
    level: Level
    armed: bool
    causes: tuple[LatchedCause, ...]
    changed: bool  # mode, behaviour, epoch, speed, level or causes differ from the decision before

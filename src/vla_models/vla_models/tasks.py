# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The tasks, shared by grammar, expert, training and success criteria."""

from dataclasses import dataclass
from enum import Enum, IntEnum

COLOURS = ('red', 'green', 'blue', 'yellow', 'orange', 'purple')
HANDS = ('left', 'right')
REASONS = ('no such cube in view', 'out of reach of that hand')
"""Why a task about a cube is not possible, in the order of the policy's output."""


class Reason(IntEnum):
    """Why a task is not possible, as labels have it."""

    UNKNOWN = -1  # cannot be known from this view
    POSSIBLE = 0
    NO_SUCH_CUBE = 1
    OUT_OF_REACH = 2


class TaskKind(str, Enum):
    """A family of instructions with one success criterion (see `success`)."""

    STAND = 'stand'  # keep the posture: each arm stays at the nearer of standing and ready
    REST = 'rest'  # both arms down, as in the standing pose
    READY = 'ready'  # both hands above the table
    WAVE = 'wave'
    LOOK = 'look'
    POINT = 'point'
    REACH = 'reach'


@dataclass(frozen=True)
class Task:
    """One task; `hand` and `colour` only where the kind has them."""

    kind: TaskKind
    hand: str | None = None
    colour: str | None = None

    @property
    def name(self) -> str:
        """Stable identifier, e.g. ``reach_left_red``."""
        return '_'.join(part for part in (self.kind.value, self.hand, self.colour) if part)

    @property
    def has_target(self) -> bool:
        """Whether the task is about a cube."""
        return self.colour is not None


def _enumerate() -> tuple[Task, ...]:
    tasks = [Task(TaskKind.STAND), Task(TaskKind.REST), Task(TaskKind.READY)]
    tasks += [Task(TaskKind.WAVE, hand) for hand in HANDS]
    tasks += [Task(TaskKind.LOOK, None, colour) for colour in COLOURS]
    for kind in (TaskKind.POINT, TaskKind.REACH):
        tasks += [Task(kind, hand, colour) for hand in HANDS for colour in COLOURS]
    return tuple(tasks)


ALL_TASKS = _enumerate()
TASK_INDEX = {task: number for number, task in enumerate(ALL_TASKS)}

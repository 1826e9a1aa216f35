# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The table of modes; core, README, diagram and tests read it from here.

A row fires when its event happens in one of its modes and all its guards hold. Between two events
of one instant the earlier member of :class:`Event` wins, so the harder stop always comes first.
``python -m vla_supervisor.transitions`` prints the table and the diagram as Markdown.
"""

from dataclasses import dataclass
from enum import Enum

from vla_common.states import Behaviour, Mode


class Event(Enum):
    """What changes the mode, hardest first; the value is its text in the table."""

    HARD_STOP = (
        'level EMERGENCY of balance monitor or safety filter, e-stop button, service or endpoint, '
        'e-stop endpoint silent beyond its hard timeout, '
        'fall, driver fault, a stop that does not stop'
    )
    DRIVER_LOST = 'driver lost'
    SOFT_STOP = (
        'DANGER that persists; camera, inference, safety filter or balance lost, frozen or stale; '
        'filter infeasible for longer than a limit; operator stop'
    )
    FINISHED = 'instruction done, cancelled or timed out'
    RESET = 'operator resets'
    RESUME = 'operator resumes'
    ARM = 'operator arms (auto_arm: once, at first bring-up)'
    START = 'start (an instruction was accepted)'


class Guard(Enum):
    """What must hold for an operator step to be granted."""

    NODES_ACTIVE = 'every node active'
    CAUSES_GONE = 'every cause gone'
    STANDING = 'standing pose reached'
    POLICY_READY = 'policy loaded and trusted'


@dataclass(frozen=True)
class Row:
    """One transition: in any of ``modes``, on ``event``, if all ``guards`` hold, go ``to``."""

    modes: tuple[Mode, ...]
    event: Event
    guards: tuple[Guard, ...]
    to: Mode

    @property
    def behaviour(self) -> Behaviour:
        """What the driver does once there."""
        return BEHAVIOUR[self.to]


ALL = tuple(Mode)

TABLE: tuple[Row, ...] = (
    Row((Mode.INACTIVE,), Event.ARM, (Guard.NODES_ACTIVE, Guard.CAUSES_GONE), Mode.READY),
    Row(
        (Mode.READY,),
        Event.START,
        (Guard.NODES_ACTIVE, Guard.CAUSES_GONE, Guard.POLICY_READY),
        Mode.RUNNING,
    ),
    Row((Mode.RUNNING,), Event.FINISHED, (), Mode.READY),
    Row((Mode.READY, Mode.RUNNING), Event.SOFT_STOP, (), Mode.SAFE_STOP),
    Row(
        (Mode.SAFE_STOP,),
        Event.RESUME,
        (Guard.NODES_ACTIVE, Guard.CAUSES_GONE, Guard.STANDING),
        Mode.READY,
    ),
    Row(ALL, Event.HARD_STOP, (), Mode.ESTOP),
    # Not in INACTIVE: there the driver may still be starting, and motion is not allowed.
    Row((Mode.READY, Mode.RUNNING, Mode.SAFE_STOP, Mode.ESTOP), Event.DRIVER_LOST, (), Mode.ESTOP),
    Row((Mode.ESTOP,), Event.RESET, (Guard.CAUSES_GONE,), Mode.INACTIVE),
)

BEHAVIOUR: dict[Mode, Behaviour] = {
    Mode.INACTIVE: Behaviour.HOLD,
    Mode.READY: Behaviour.HOLD,
    Mode.RUNNING: Behaviour.TRACK,
    Mode.SAFE_STOP: Behaviour.STAND,
    Mode.ESTOP: Behaviour.DAMP,  # then OFF, by robot.yaml `stops.estop`
}


def row(mode: Mode, event: Event) -> Row | None:
    """The row for ``event`` in ``mode``; None where the event has no effect."""
    return next((r for r in TABLE if r.event is event and mode in r.modes), None)


def _behaviour_text(mode: Mode) -> str:
    return 'damp, then off by robot' if mode is Mode.ESTOP else BEHAVIOUR[mode].name.lower()


def _modes_text(modes: tuple[Mode, ...]) -> str:
    return 'any' if modes == ALL else ', '.join(m.name for m in modes)


def markdown_table() -> str:
    """The table as Markdown, one line per row."""
    lines = ['| from | event | if | to | behaviour |', '|---|---|---|---|---|']
    for r in TABLE:
        guards = '; '.join(g.value for g in r.guards) or '–'
        lines.append(
            f'| {_modes_text(r.modes)} | {r.event.value} | {guards} | {r.to.name} '
            f'| {_behaviour_text(r.to)} |'
        )
    return '\n'.join(lines)


def mermaid_diagram() -> str:
    """The table as a Mermaid state diagram; self-loops (a latched stop) are left out."""
    lines = ['```mermaid', 'stateDiagram-v2', '    [*] --> INACTIVE']
    for r in TABLE:
        for mode in r.modes:
            if mode is not r.to:
                lines.append(f'    {mode.name} --> {r.to.name}: {r.event.name.lower()}')
    lines.append('```')
    return '\n'.join(lines)


def markdown() -> str:
    """Table and diagram, as the README carries them."""
    return f'{markdown_table()}\n\n{mermaid_diagram()}\n'


if __name__ == '__main__':
    print(markdown(), end='')

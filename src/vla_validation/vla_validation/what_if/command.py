# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""``ros2 run vla_validation what_if``: which mode follows an event, and what the robot then does.

No ROS graph, no robot: the supervisor's own core runs here on a clock of its own.
"""

import pathlib
import sys
from typing import Any

from vla_common.errors import ConfigError
from vla_common.states import Mode
from vla_supervisor.core import Decision
from vla_validation import report
from vla_validation.what_if.configuration import configuration, shipped_file
from vla_validation.what_if.script import parse, parse_one, usage
from vla_validation.what_if.simulation import Moment, Simulation

EXAMPLES = """examples:
  ros2 run vla_validation what_if "kill camera" "+3 restart camera" "+2 resume"
  ros2 run vla_validation what_if --begin INACTIVE --params my.yaml "arm, start, 4 balance danger"
  ros2 run vla_validation what_if < script.txt     one event per line
  ros2 run vla_validation what_if                  in a terminal: one event after the other
"""


def plain(decision: Decision) -> dict[str, Any]:
    """A decision as plain values."""
    return {
        'mode': decision.mode.name,
        'behaviour': decision.behaviour.name,
        'motion_epoch': decision.motion_epoch,
        'speed_scale': decision.speed_scale,
        'armed': decision.armed,
        'level': decision.level.name,
        'causes': [
            {
                'name': c.condition.name,
                'detail': c.condition.detail,
                'clears': c.condition.clears,
                'present': c.present,
            }
            for c in decision.causes
        ],
    }


class Printer:
    """Moments as text: the event, and what is new in the decision."""

    def __init__(self) -> None:
        self._state: tuple[object, ...] = ()
        self._causes: dict[str, bool] = {}

    def lines(self, moment: Moment) -> list[str]:
        """One moment."""
        d = moment.decision
        lines = []
        clock = f'{moment.t:8.3f} s  '
        if moment.event:
            answer = f'  -> {moment.answer}' if moment.answer else ''
            lines.append(f'{clock}* {moment.event}{answer}')
        state = (d.mode, d.behaviour, d.speed_scale, d.motion_epoch)
        if state != self._state:
            speed = '' if d.speed_scale == 1.0 else f', speed {d.speed_scale:.0%}'
            lines.append(
                f'{clock}  {d.mode.name}, {d.behaviour.name.lower()}{speed}, epoch {d.motion_epoch}'
            )
        self._state = state
        causes = {c.condition.name: c.present for c in d.causes}
        for c in d.causes:
            name = c.condition.name
            if self._causes.get(name) != c.present:
                if c.present:
                    lines.append(f'{"":12}+ {name}: {c.condition.detail}')
                    lines.append(f'{"":14}clears when: {c.condition.clears}')
                elif name in self._causes:
                    lines.append(f'{clock}  - {name} is gone')
                else:
                    lines.append(f'{"":12}+ {name}: {c.condition.detail} (over)')
        self._causes = causes
        return lines


def _converse(simulation: Simulation, printer: Printer) -> None:
    """One event after the other from the operator; time stands still in between."""
    print('One event per line (help: all of them; end: Ctrl-D). "wait" lets a second pass.')
    shown = 0
    while True:
        for moment in simulation.moments[shown:]:
            print('\n'.join(printer.lines(moment)))
        shown = len(simulation.moments)
        try:
            words = input('what if? ').split()
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if words == ['help']:
            print(usage())
        elif words:
            try:
                simulation.play(parse_one(words, simulation.now, 'what if', 'event'))
            except ConfigError as error:
                print(error)


def main(argv: list[str] | None = None) -> int:
    parser = report.parser(
        'what_if',
        "Play events to the supervisor's own core: modes and behaviours out, from your own\n"
        'configuration. No ROS graph, no robot.',
        f'events (a time in s may precede: "2.5 kill camera", "+0.3 resume"):\n{usage()}\n\n'
        f'Exit status 0: played; 2: the configuration or the script cannot be used.\n\n{EXAMPLES}',
    )
    parser.add_argument('events', nargs='*', metavar='EVENT')
    parser.add_argument(
        '--params', action='append', type=pathlib.Path, metavar='FILE',
        help='a ROS parameter file; later ones override. Default: config/supervisor.yaml',
    )  # fmt: skip
    parser.add_argument('--robot', help='robot, by name or path, instead of the one in the file')
    parser.add_argument(
        '--begin', default='RUNNING', choices=('INACTIVE', 'READY', 'RUNNING'),
        help='mode at time 0, all nodes active (default RUNNING)',
    )  # fmt: skip
    parser.add_argument(
        '--then',
        type=float,
        default=8.0,
        metavar='S',
        help='simulated time after the last event (default 8)',
    )
    options = parser.parse_args(argv)

    def work() -> tuple[dict[str, Any], int]:
        chosen = configuration(options.params or [shipped_file()], options.robot)
        simulation = Simulation(chosen, Mode[options.begin])
        if not options.events and sys.stdin.isatty():
            _converse(simulation, Printer())
            moments = simulation.moments
        else:
            moments = simulation.run(parse(options.events or sys.stdin), options.then)
            if not options.json:
                printer = Printer()
                print('configuration: ' + ', '.join(str(file) for file in chosen.files))
                for moment in moments:
                    for line in printer.lines(moment):
                        print(line)
        found = [
            {'t': round(m.t, 4), 'event': m.event, 'answer': m.answer, **plain(m.decision)}
            for m in moments
        ]
        return {'moments': found, 'final': plain(moments[-1].decision)}, 0

    return report.run('what_if', work, options.json)

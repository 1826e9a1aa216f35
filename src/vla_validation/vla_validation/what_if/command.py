# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""``ros2 run vla_validation what_if``: which mode follows, and what the robot then does.

Events in, modes and behaviours out, from your own configuration. No ROS graph, no robot: the
supervisor's own core and watch run here on a clock of their own.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
from typing import Any

from vla_common.errors import ConfigError
from vla_common.states import Mode
from vla_supervisor.core import Decision
from vla_validation.what_if.configuration import configuration, shipped_file
from vla_validation.what_if.script import parse, parse_one, usage
from vla_validation.what_if.simulation import Moment, Simulation

EXAMPLE = """examples:
  what_if "kill camera" "+3 restart camera" "+2 resume"
  what_if --begin INACTIVE --params my_supervisor.yaml "arm, start, 4 balance danger"
  what_if < script.txt          one event per line
  what_if                       (in a terminal) asks for one event after the other
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='what_if',
        description=__doc__.split('\n\n', 1)[1],
        epilog=f'events (a time in s may stand before: "2.5 kill camera", "+0.3 resume"):\n'
        f'{usage()}\n\n{EXAMPLE}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('events', nargs='*', metavar='EVENT')
    parser.add_argument(
        '--params',
        action='append',
        type=pathlib.Path,
        metavar='FILE',
        help='a ROS parameter file; more than one: later ones win. Default: config/supervisor.yaml',
    )
    parser.add_argument('--robot', help='name or path, instead of the one in the file')
    parser.add_argument(
        '--begin',
        default='RUNNING',
        choices=('INACTIVE', 'READY', 'RUNNING'),
        help='mode at time 0, all nodes active (default RUNNING)',
    )
    parser.add_argument(
        '--then', type=float, default=8.0, metavar='S', help='s after the last event (default 8)'
    )
    parser.add_argument('--json', action='store_true', help='one object as the last line')
    return parser


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
    """Moments for a person: what happened, and what of the decision is new."""

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


def _converse(play: Simulation, printer: Printer) -> None:
    """One event after the other from a person; the time stands still in between."""
    print('One event per line (help: all of them; end: Ctrl-D). "wait" lets a second pass.')
    shown = 0
    while True:
        for moment in play.moments[shown:]:
            print('\n'.join(printer.lines(moment)))
        shown = len(play.moments)
        try:
            words = input('what if? ').split()
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if words == ['help']:
            print(usage())
        elif words:
            try:
                play.happen(parse_one(words, play.now, 'what if', 'event'))
            except ConfigError as error:
                print(error)


def main(argv: list[str] | None = None) -> None:
    """Play and exit: 0, or 2 where the configuration or the script cannot be used."""
    arguments = _parser().parse_args(sys.argv[1:] if argv is None else argv)
    try:
        chosen = configuration(arguments.params or [shipped_file()], arguments.robot)
        play = Simulation(chosen, Mode[arguments.begin])
        if not arguments.events and sys.stdin.isatty():
            _converse(play, Printer())
            return
        script = parse(arguments.events or sys.stdin)
    except ConfigError as error:
        print(f'what_if: {error}', file=sys.stderr)
        sys.exit(2)
    moments = play.run(script, arguments.then)
    if arguments.json:
        told = [{'t': round(m.t, 4), 'event': m.event, 'answer': m.answer, **plain(m.decision)}
                for m in moments]  # fmt: skip
        print(json.dumps({'moments': told, 'final': plain(moments[-1].decision)}))
        return
    printer = Printer()
    print('configuration: ' + ', '.join(str(file) for file in chosen.files))
    for moment in moments:
        for line in printer.lines(moment):
            print(line)


if __name__ == '__main__':
    main()

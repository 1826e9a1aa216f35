# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""``ros2 run vla_supervisor command <step>``: the operator's steps from a terminal.

A stop starts at once and keeps trying: the supervisor of this machine is requested directly
(`local_stops`); while there is none, also over the middleware, in a process of its own
(`operator_command`), which needs its time to start. Every other step is that program.

Exit status 0: the step was granted (`status`: alive, and READY or RUNNING); 1: refused, or another
mode; 2: no supervisor answered, or wrong arguments. With `--json` the last line of stdout is one
object.
"""

# Only what a stop needs before its request: argparse and json take as long as all the rest.
import math
import os
import signal
import sys
import time
from types import SimpleNamespace

from vla_common.scheduling import Priority, Scheduled
from vla_supervisor.local_stops import STOPS, LocalStopClient, domain_id

GRANTED, REFUSED, NO_SUPERVISOR = 0, 1, 2

DEFAULT_TIMEOUT = 5.0  # s, of every step but the stops

_HELP = {
    'estop': 'emergency stop: ESTOP, latched; keeps trying until it is granted',
    'safe_stop': 'stop and stand: SAFE_STOP; keeps trying until it is granted',
    'reset': 'leave ESTOP for INACTIVE, when every cause is gone',
    'resume': 'leave SAFE_STOP for READY, when standing and every cause is gone',
    'arm': 'leave INACTIVE for READY, when every node is active',
    'start': 'leave READY for RUNNING (the inference node does this for an accepted instruction)',
    'status': 'print mode, causes and what clears each (--any-mode: succeed in every mode)',
    'forget': 'deregister the lost e-stop endpoint --endpoint NAME',
}

_RETRY = 0.02  # s between two looks for a supervisor
_ANSWER_WITHIN = 0.25  # s; a supervisor serves requests every 20 ms
_PROGRESS = 3.0  # s between two lines about what is waited for
_MIDDLEWARE_RETRY = 3.0  # s until a middleware process that failed is started again


def arguments_of(words: list[str] | None = None) -> SimpleNamespace:
    """The command line, checked. Exits with one line and status 2 where it is wrong."""
    words = sys.argv[1:] if words is None else words
    if len(words) == 1 and words[0] in STOPS:
        plain = {'any_mode': False, 'endpoint': None, 'timeout': None, 'json': False}
        return SimpleNamespace(what=words[0], **plain)
    import argparse

    parser = argparse.ArgumentParser(
        prog='ros2 run vla_supervisor command',
        usage='%(prog)s STEP [options]',  # a wrong option is one line
        description="The operator's steps: reset, arm, start; and the stops.",
        epilog='\n'.join(f'{step:10} {text}' for step, text in _HELP.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.print_usage = lambda file=None: None
    parser.add_argument('what', metavar='STEP', choices=tuple(_HELP), help='one of those below')
    parser.add_argument('--any-mode', action='store_true', help='status: succeed in every mode')
    parser.add_argument('--endpoint', metavar='NAME', help='forget: the endpoint')
    parser.add_argument(
        '--timeout',
        type=_seconds,
        metavar='S',
        help=f'give up after S seconds (default: {DEFAULT_TIMEOUT:g}; a stop: never)',
    )
    parser.add_argument('--json', action='store_true', help='one object as the last line')
    if '--ros-args' in words:  # for nodes
        words = words[: words.index('--ros-args')]
    arguments = parser.parse_args(words, SimpleNamespace())
    if arguments.what == 'forget' and not arguments.endpoint:
        parser.error('forget needs --endpoint NAME')
    return arguments


def _seconds(word: str) -> float:
    import argparse

    try:
        seconds = float(word)
    except ValueError:
        seconds = math.nan
    if not 0.0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f'found {word}, wanted a number of seconds above 0')
    return seconds


def show(step: str, result: dict, as_json: bool) -> None:
    """Print the result of a step."""
    if as_json:
        import json

        print(json.dumps(result), flush=True)
        return
    if result.get('message'):
        print(f'{step}: {result["message"]}')
    if result.get('mode'):
        from vla_supervisor.state_summary import text

        print(text(result))
    sys.stdout.flush()


class _Middleware:
    """The same request over the middleware, repeated by `operator_command` in a process."""

    def __init__(self, words: list[str]) -> None:
        self._command = [sys.executable, '-m', 'vla_supervisor.operator_command', *words]
        self._process = None
        self._start_at = -math.inf

    def step(self) -> tuple[int, str] | None:
        """Start it where it does not run; the exit status and output of one that was answered."""
        if self._process is None:
            if time.monotonic() >= self._start_at:
                self._start()
            return None
        if self._process.poll() is None:
            return None
        output, status = self._process.communicate()[0], self._process.returncode
        self._process, self._start_at = None, time.monotonic() + _MIDDLEWARE_RETRY
        return (status, output) if output else None  # no output: it failed, and reported it

    def _start(self) -> None:
        import subprocess

        from vla_common.process import end_with_parent

        self._process = subprocess.Popen(
            self._command,
            stdout=subprocess.PIPE,
            text=True,
            # Left behind, it would stop the robot that is launched next.
            preexec_fn=lambda: end_with_parent(signal.SIGTERM),
        )

    def close(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()


def _stop(arguments: SimpleNamespace, words: list[str]) -> int:
    """Request a stop until it is granted; the exit status."""
    step, begin = arguments.what, time.monotonic()
    local = LocalStopClient(domain_id(), step)
    middleware = _Middleware(words)
    deadline = begin + (arguments.timeout or math.inf)
    note_at, refusal = begin + 1.0, ''
    try:
        while True:
            result = local.attempt(_ANSWER_WITHIN)
            if result is not None:
                if result['success']:
                    show(step, result, arguments.json)
                    return GRANTED
                refusal = f'refused: {result["message"]}'
            if answer := middleware.step():
                status, output = answer
                if status != REFUSED:
                    print(output, end='', flush=True)
                    return status
                refusal = output.strip()
            now = time.monotonic()
            if now > deadline:
                message = refusal or f'no supervisor answered in {arguments.timeout:g} s'
                show(step, {'success': False, 'message': message}, arguments.json)
                return REFUSED if refusal else NO_SUPERVISOR
            if now > note_at:
                note_at = now + _PROGRESS
                where = f'the supervisor of ROS domain {domain_id()}'
                state = refusal or ('does not answer' if local.connected else 'is not found')
                print(
                    f'{step}: {where} {state} yet; trying for {now - begin:.0f} s (Ctrl-C ends)',
                    file=sys.stderr,
                    flush=True,
                )
            time.sleep(_RETRY if not refusal else _ANSWER_WITHIN)
    except KeyboardInterrupt:
        print(f'{step}: interrupted; not granted', file=sys.stderr)
        return 128 + signal.SIGINT
    finally:
        local.close()
        middleware.close()


def main() -> None:
    """Run one command and exit."""
    words = sys.argv[1:]
    arguments = arguments_of(words)
    if arguments.what not in STOPS:
        command = [sys.executable, '-m', 'vla_supervisor.operator_command', *words]
        os.execv(sys.executable, command)
    # Also started from a script whose background jobs ignore them: the user can always end it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        domain_id()
    except ValueError:
        found = os.environ['ROS_DOMAIN_ID']
        sys.exit(f'environment: ROS_DOMAIN_ID: found {found}, wanted a number')
    with Scheduled(Priority.OPERATOR):
        status = _stop(arguments, words)
    sys.exit(status)


if __name__ == '__main__':
    main()

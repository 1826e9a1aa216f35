# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Options, output and exit codes that the verbs share."""

import argparse
import sys
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any

from vla_common.errors import ConfigError
from vla_common.terminal import (
    a_cosine,
    at_least_zero,
    console,
    guarded,
    not_negative,
    positive,
    progress,
    working,
)
from vla_deploy import closed_loop
from vla_deploy.atomic_io import as_json, check_place
from vla_deploy.parity import ParityLimits
from vla_deploy.publishing import VerificationOptions
from vla_deploy.verification import MINIMUM, VerificationFailed, VerificationResult
from vla_robot import load_robot

step_log: ContextVar[Callable[[str], None]] = ContextVar('step_log', default=lambda text: None)
"""Shows the current step on the terminal."""
FAILED = 3  # exit code of a conversion that is a different policy
REMEDIES = (
    'leave layers in float (quantise --search), fine-tune (prune --data, quantise --fine-tune), '
    'let the closed loop decide (--scenes N, verify --against ... --scenes N), or examine the '
    'worst input (--observations); --keep-failed writes a failed bundle'
)
Run = Callable[[list[str] | None], int]

COMMON: dict[str, dict[str, Any]] = {
    'bundle': {'type': Path, 'required': True, 'metavar': 'DIR', 'help': 'bundle to start from'},
    'out': {'type': Path, 'required': True, 'metavar': 'DIR', 'help': 'bundle directory to write'},
    'json': {'action': 'store_true', 'help': 'print the result as JSON on stdout'},
    'observations': {
        'type': Path,
        'metavar': 'FILE',
        'help': 'recording (.npz) to compare on (default: simulated scenes)',
    },
    'count': {'type': positive, 'default': MINIMUM, 'help': 'number of observations'},
    'robot': {'default': 'humanoid32', 'help': 'name or path of the robot'},
    'rounds': {'type': positive, 'default': 100, 'help': 'timed calls of each bundle'},
    'threads': {'type': positive, 'default': 1, 'help': 'threads'},
    'jobs': {'type': positive, 'default': 1, 'help': 'processes for --scenes'},
    'seed': {'type': int, 'default': 0, 'help': 'seed of simulated observations and scenes'},
    'device': {'default': 'cpu', 'help': 'cpu or cuda:N'},
    'calibration': {
        'type': Path,
        'metavar': 'FILE',
        'help': 'recording (.npz) for the ranges of int8 (default: simulated scenes)',
    },
    'minutes': {'type': float, 'default': 0.0, 'help': 'duration of training; 0: --epochs'},
    'epochs': {'type': positive, 'default': 3, 'help': 'training epochs, where --minutes is 0'},
    'learning-rate': {'type': float, 'default': 3e-4, 'help': 'learning rate of the training'},
}


def add_options(parser: argparse.ArgumentParser, *names: str, **defaults: Any) -> None:
    """Add options of COMMON, with other defaults if given by keyword."""
    for name in (*names, *(key.replace('_', '-') for key in defaults)):
        option = dict(COMMON[name])
        default = defaults.get(name.replace('-', '_'), option.get('default'))
        if default is not None:
            option.update(default=default, help=f'{option["help"]} (default {default})')
        parser.add_argument(f'--{name}', **option)


def add_verification_options(parser: argparse.ArgumentParser, limits: ParityLimits) -> None:
    """Add the verification options and --json; `limits` are those of the verb."""
    add_options(parser, 'json')
    parser.set_defaults(verb_limits=limits)
    group = parser.add_argument_group('verification (on unless --no-verify)')
    add_options(group, 'observations', 'count', 'seed', 'jobs', 'robot')
    group.add_argument(
        '--max-error',
        type=at_least_zero,
        metavar='RAD',
        help=f'largest error of any joint at any step (default {limits.max_error_rad:g})',
    )
    group.add_argument(
        '--cosine',
        type=a_cosine,
        help=f'smallest cosine of any observation (default {limits.cosine:g})',
    )
    group.add_argument(
        '--probability',
        type=at_least_zero,
        help=f'largest error of understood, possible and done (default {limits.probability:g})',
    )
    group.add_argument(
        '--scenes',
        type=not_negative,
        default=0,
        metavar='N',
        help='let N scenes in closed loop decide where the answers differ by more',
    )
    group.add_argument('--no-verify', action='store_true', help='write the bundle unverified')
    group.add_argument(
        '--keep-failed',
        action='store_true',
        help='write a bundle that failed too; the inference node rejects it',
    )


def options_of(a: argparse.Namespace, out: Path | None = None) -> VerificationOptions:
    """Verification options from parsed arguments. out: the bundle to write; its place is checked
    before any work. Raises ConfigError."""
    if out is not None:
        check_place(out)
    if a.count < MINIMUM and not a.no_verify:
        wanted = f'at least {MINIMUM}: with fewer the verdict depends on which were drawn'
        raise ConfigError('options', '--count', a.count, wanted)
    limits = None
    given = {'max_error_rad': a.max_error, 'cosine': a.cosine, 'probability': a.probability}
    given = {name: value for name, value in given.items() if value is not None}
    if given:
        limits = replace(a.verb_limits, **given)
    return VerificationOptions(
        load_robot(a.robot),
        a.observations,
        a.count,
        a.seed,
        a.keep_failed,
        a.no_verify,
        scenes=a.scenes,
        before=getattr(a, 'bundle', None),
        jobs=a.jobs,
        run_scenes=run_scenes_with_progress,
        log=step_log.get(),
        limits=limits,
    )


def run_scenes_with_progress(
    bundle: Path, robot: str, scenes: int, seed: int, jobs: int = 1
) -> list[bool]:
    """`closed_loop.successes` with a progress bar."""
    with progress('scenes') as bar:
        line = bar.add_task('closed loop', total=scenes)

        def step() -> None:
            bar.advance(line)

        return closed_loop.successes(bundle, robot, scenes, seed, jobs=jobs, advance=step)


def size_mb(directory: Path) -> float:
    """Size of all files of a bundle, MB."""
    return sum(file.stat().st_size for file in directory.rglob('*') if file.is_file()) / 1e6


def describe_result(result: VerificationResult | None) -> str:
    """A verification result as one line."""
    if result is None:
        return 'not verified'
    parity = result.parity
    return (
        f'within {parity.max_error_rad:.2g} rad (mean {parity.mean_error_rad:.2g}), '
        f'cosine {parity.cosine:.6f} over {parity.observations} observations'
        + ''.join(f', {name} within {error:.2g}' for name, error in parity.probabilities.items())
        + (f'; accepted by {result.judged}' if result.judged else '')
    )


def summary(out: Path, result: VerificationResult | None) -> dict:
    """Fields of `--json` of a written bundle."""
    found = {} if result is None else result.to_dict()
    return {'bundle': str(out), 'size_mb': round(size_mb(out), 3), **found}


def show(text: str) -> None:
    """Print a line on the console as it is, without wrapping."""
    console.print(text, soft_wrap=True, markup=False)


def print_result(a: argparse.Namespace, result: VerificationResult | None) -> None:
    """Print the line of a written bundle."""
    show(f'{a.out}: {size_mb(a.out):.2f} MB, {describe_result(result)}')


def print_json(a: argparse.Namespace, content: dict) -> None:
    """Print the result on stdout, with --json."""
    if a.json:
        print(as_json(content))


def finish(a: argparse.Namespace, result: VerificationResult | None) -> int:
    """Print line and JSON of a written bundle. Returns the exit code."""
    print_result(a, result)
    print_json(a, summary(a.out, result))
    return 0


def plain(run: Run) -> Run:
    """`main` of a verb: a configuration error is one line and exit code 2."""

    def main(arguments: list[str] | None = None) -> int:
        return guarded(run, arguments)

    return main


def verified(run: Run) -> Run:
    """`main` of a verb that verifies: like `plain`, and a failed verification is one line, the
    remedies, and exit code 3; with --json also an object on stdout."""

    def attempt(arguments: list[str] | None) -> int:
        try:
            with working() as log:
                token = step_log.set(log)
                try:
                    return run(arguments)
                finally:
                    step_log.reset(token)
        except VerificationFailed as error:
            print(f'verification failed: {error}', file=sys.stderr)
            print(f'what can be done: {REMEDIES}', file=sys.stderr)
            if '--json' in (sys.argv[1:] if arguments is None else arguments):
                print(as_json({**error.result.to_dict(), 'worst': str(error.worst or '')}))
            return FAILED

    return plain(attempt)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The options of every verb that makes a bundle: what it is verified with, and what may differ."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path

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
from vla_deploy.atomic_io import as_json
from vla_deploy.parity import ParityLimits
from vla_deploy.publishing import VerificationOptions
from vla_deploy.staging import check_place
from vla_deploy.verification import VerificationFailed, VerificationResult
from vla_robot import load_robot

# Tells the terminal what is being done.
doing: ContextVar[Callable[[str], None]] = ContextVar('doing', default=lambda text: None)
FAILED = 3  # exit code of a conversion that is another policy
REMEDIES = (
    'leave layers in float (quantise --search), train what was changed (prune --data, quantise '
    '--fine-tune), let the closed loop judge it (--scenes N, verify --against ... --scenes N), or '
    'look at the worst input (--observations); --keep-failed writes a failed one for that'
)


def add_proof(parser: argparse.ArgumentParser, limits: ParityLimits) -> None:
    """The options; `limits` are the defaults."""
    group = parser.add_argument_group('verification (on unless --no-verify)')
    group.add_argument(
        '--observations',
        type=Path,
        metavar='FILE',
        help='recording (.npz) to compare on (default: scenes of the simulator)',
    )
    group.add_argument(
        '--count', type=positive, default=24, help='observations to compare on (default 24)'
    )
    group.add_argument('--seed', type=int, default=0, help='of simulated observations (default 0)')
    group.add_argument(
        '--max-error',
        type=at_least_zero,
        default=limits.max_error_rad,
        metavar='RAD',
        help=f'of any joint at any step (default {limits.max_error_rad:g})',
    )
    group.add_argument(
        '--cosine',
        type=a_cosine,
        default=limits.cosine,
        help=f'smallest of any observation (default {limits.cosine:g})',
    )
    group.add_argument(
        '--scenes',
        type=not_negative,
        default=0,
        metavar='N',
        help='where the answers differ by more than that: closed loop in N scenes decides',
    )
    group.add_argument(
        '--jobs', type=positive, default=1, help='processes for --scenes (default 1)'
    )
    group.add_argument('--no-verify', action='store_true', help='write it unverified')
    group.add_argument(
        '--keep-failed',
        action='store_true',
        help='write a bundle that failed too; inference refuses it',
    )
    group.add_argument('--robot', default='humanoid32', help='name or path (default humanoid32)')


def proof_of(a: argparse.Namespace, out: Path | None = None) -> VerificationOptions:
    """From the options of `add_proof`. out: the bundle that will be written; that it can be is
    found out before any work is done. Raises ConfigError."""
    if out is not None:
        check_place(out)
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
        act=act_with_a_bar,
        say=doing.get(),
    )


def act_with_a_bar(bundle: Path, robot: str, scenes: int, seed: int, jobs: int = 1) -> list[bool]:
    """`closed_loop.successes` with a progress bar."""
    with progress('scenes') as bar:
        line = bar.add_task('closed loop', total=scenes)

        def step() -> None:
            bar.advance(line)

        return closed_loop.successes(bundle, robot, scenes, seed, jobs=jobs, advance=step)


def limits_of(a: argparse.Namespace) -> ParityLimits:
    """From the options of `add_proof`."""
    return ParityLimits(a.max_error, a.cosine)


def size_mb(directory: Path) -> float:
    """Of all files of a bundle."""
    return sum(file.stat().st_size for file in directory.rglob('*') if file.is_file()) / 1e6


def describe(finding: VerificationResult | None) -> str:
    """One line for people."""
    if finding is None:
        return 'not verified'
    parity = finding.parity
    return (
        f'within {parity.max_error_rad:.2g} rad (mean {parity.mean_error_rad:.2g}), '
        f'cosine {parity.cosine:.6f} over {parity.observations} observations'
        + (f'; judged by {finding.judged}' if finding.judged else '')
    )


def summary(out: Path, finding: VerificationResult | None) -> dict:
    """The same for machines."""
    found: dict = {'bundle': str(out), 'size_mb': round(size_mb(out), 3)}
    if finding is not None:
        found.update(found_in(finding))
    return found


def found_in(finding: VerificationResult) -> dict:
    """A finding for machines."""
    return {
        'passed': finding.passed,
        'reason': finding.reason,
        'max_error_rad': finding.parity.max_error_rad,
        'mean_error_rad': finding.parity.mean_error_rad,
        'cosine': finding.parity.cosine,
        'observations': finding.parity.observations,
        'joints': {name: error[0] for name, error in finding.parity.joints.items()},
    }


def verified(command: Callable[[list[str] | None], int], arguments: list[str] | None) -> int:
    """`guarded`, and a failed verification is one line, what can be done about it, and exit code 3;
    with --json also an object on stdout."""

    def run(given: list[str] | None) -> int:
        try:
            with working() as say:
                told = doing.set(say)
                try:
                    return command(given)
                finally:
                    doing.reset(told)
        except VerificationFailed as error:
            print(f'verification failed: {error}', file=sys.stderr)
            print(f'what can be done: {REMEDIES}', file=sys.stderr)
            if '--json' in (sys.argv[1:] if given is None else given):
                print(as_json({**found_in(error.finding), 'worst': str(error.worst or '')}))
            return FAILED

    return guarded(run, arguments)


def tell(out: Path, finding: VerificationResult | None) -> None:
    """One line on the console."""
    console.print(f'{out}: {size_mb(out):.2f} MB, {describe(finding)}', soft_wrap=True)

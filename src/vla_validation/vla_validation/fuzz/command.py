# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""``ros2 run vla_validation fuzz``: what becomes of random mistakes in files and messages."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from vla_common.terminal import not_negative, positive, progress
from vla_validation import report
from vla_validation.fuzz.outcome import CaseResult, Outcome
from vla_validation.fuzz.workers import Case, Workers

SUBJECTS = {
    'robot': 'vla_validation.fuzz.robots:RobotSubject',
    'bundle': 'vla_validation.fuzz.bundles:BundleSubject',
    'parameters': 'vla_validation.fuzz.parameters:ParametersSubject',
    'observation': 'vla_validation.fuzz.observations:ObservationSubject',
    'filter': 'vla_validation.fuzz.filter_messages:FilterSubject',
    'driver': 'vla_validation.fuzz.driver_messages:DriverSubject',
    'balance': 'vla_validation.fuzz.balance_messages:BalanceSubject',
    'supervisor': 'vla_validation.fuzz.supervisor_messages:SupervisorSubject',
}
"""'module:class' of each subject."""
LONGEST = 20.0
"""s of a case; a longer one hangs."""
COUNTS = {
    'silent': Outcome.SILENT,
    'tracebacks': Outcome.TRACEBACK,
    'hangs': Outcome.HANG,
    'unexpected_motion': Outcome.MOTION,
}
"""Findings, by their key in the result."""


def cases(number: int, seed: int, subjects: Sequence[str]) -> Iterator[Case]:
    """`number` cases, the subjects in turn: so each seed of one subject is a case of its own."""
    for i in range(number):
        yield Case(subjects[i % len(subjects)], seed + i // len(subjects))


class Findings:
    """Counts of the outcomes, and each finding as it comes.

    Args:
        out: where findings are printed.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self.counts: Counter[tuple[str, Outcome]] = Counter()
        self.found: list[dict[str, Any]] = []

    def add(self, case: Case, result: CaseResult) -> None:
        self.counts[case.subject, result.outcome] += 1
        if not result.outcome.is_finding:
            return
        self.found.append(
            {
                'subject': case.subject,
                'seed': case.seed,
                'outcome': result.outcome.value,
                'changed': result.changed,
                'detail': result.detail,
            }
        )
        print(
            f'{result.outcome.value}: --only {case.subject} --seed {case.seed} --cases 1: '
            f'{result.changed or "?"}: {result.detail}',
            file=self._out,
        )

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def result(self) -> dict[str, Any]:
        """What --json prints."""
        by_outcome: Counter[Outcome] = Counter()
        for (_, outcome), n in self.counts.items():
            by_outcome[outcome] += n
        return {
            'cases': self.total,
            **{key: by_outcome[outcome] for key, outcome in COUNTS.items()},
            'findings': sorted(self.found, key=lambda found: (found['subject'], found['seed'])),
        }

    def table(self) -> str:
        """Outcomes by subject, as Markdown."""
        subjects = list(dict.fromkeys(subject for subject, _ in self.counts))
        rows = [
            (subject, sum(n for (s, _), n in self.counts.items() if s == subject),
             *(self.counts[subject, outcome] for outcome in Outcome))
            for subject in sorted(subjects)
        ]  # fmt: skip
        return report.table(('subject', 'cases', *(o.value for o in Outcome)), rows)


def fuzz(
    number: int, seed: int, targets: Mapping[str, str], jobs: int, out: TextIO,
    longest: float = LONGEST,
) -> Findings:  # fmt: skip
    """Run `number` cases of the subjects `targets` ('module:class' by name).

    Raises NotMeasuredError: a subject cannot be prepared.
    """
    findings = Findings(out)
    with progress('cases') as bar, Workers(targets, min(jobs, number), longest) as workers:
        line = bar.add_task('fuzz', total=number)
        for case, result in workers.run(cases(number, seed, list(targets))):
            findings.add(case, result)
            bar.update(line, advance=1, description=f'{len(findings.found)} findings')
    return findings


def main(argv: list[str] | None = None) -> int:
    parser = report.parser(
        'fuzz',
        'Make random mistakes in what people and nodes bring, and count what becomes of them.\n\n'
        'Robot directories, policy bundles and parameter files are copied, broken and loaded as\n'
        'the nodes load them; messages with random fields are given to the cores of the nodes.\n'
        'Each must work or be refused in one line that names file and key (a message: be\n'
        'counted). Nothing is launched. The same seed makes the same cases.',
        'Exit status 0: every case works or was refused; 1: one was not; 2: not measured.\n\n'
        'examples:\n  ros2 run vla_validation fuzz --json\n'
        '  ros2 run vla_validation fuzz --only robot bundle --cases 2000 --seed 7\n'
        '  ros2 run vla_validation fuzz --only robot --seed 1234 --cases 1  # repeats a finding',
    )
    parser.add_argument(
        '--cases', type=positive, default=20_000, help='number of cases (default 20000)'
    )
    parser.add_argument(
        '--seed', type=not_negative, default=0, help='of the first case (default 0)'
    )
    parser.add_argument(
        '--only', nargs='+', choices=tuple(SUBJECTS), metavar='SUBJECT', default=list(SUBJECTS),
        help=f'subjects: {", ".join(SUBJECTS)} (default all)',
    )  # fmt: skip
    parser.add_argument('--jobs', type=positive, default=2, help='worker processes (default 2)')
    options = parser.parse_args(argv)

    def work() -> tuple[dict[str, Any], int]:
        return _run(options)

    return report.run('fuzz', work, options.json)


def _run(options: argparse.Namespace) -> tuple[dict[str, Any], int]:
    out = sys.stderr if options.json else sys.stdout
    targets = {name: SUBJECTS[name] for name in dict.fromkeys(options.only)}
    findings = fuzz(options.cases, options.seed, targets, options.jobs, out)
    print(findings.table(), file=out)
    return findings.result(), 1 if findings.found else 0

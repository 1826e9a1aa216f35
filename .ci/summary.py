# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Sum up what `colcon test` left in build/: durations, each failed test in two lines, one count.

The end of CI's output is all that is kept of it, so the failures come last, and short.
"""

import pathlib
import sys
from xml.etree import ElementTree

FAILURES_SHOWN = 8
MESSAGE_LENGTH = 160


def suites(build: pathlib.Path) -> dict[str, list[ElementTree.Element]]:
    """Return the result files of each package, without CTest's own, which count files as tests."""
    found: dict[str, list[ElementTree.Element]] = {}
    for package in sorted(path for path in build.iterdir() if path.is_dir()):
        files = [package / 'pytest.xml', *sorted(package.glob('test_results/**/*.xml'))]
        for file in files:
            try:
                root = ElementTree.parse(file).getroot()
            except (OSError, ElementTree.ParseError):
                continue
            if root.tag in ('testsuites', 'testsuite'):
                found.setdefault(package.name, []).append(root)
    return found


def outcome(case: ElementTree.Element) -> tuple[str, str]:
    """Return passed, failed or skipped, and for a failure what it says, in one line."""
    for kind in ('failure', 'error'):
        told = case.find(kind)
        if told is not None:
            return 'failed', message(told)
    return ('skipped' if case.find('skipped') is not None else 'passed'), ''


def message(told: ElementTree.Element) -> str:
    """Return the first line of what was raised, which pytest and CTest keep in `message`."""
    lines = (told.get('message') or told.text or '').strip().splitlines()
    # `AssertionError: ` alone: pytest's explanation is in the next line.
    line = ' '.join(' '.join(lines[:2]).split())
    return line if len(line) <= MESSAGE_LENGTH else line[: MESSAGE_LENGTH - 1] + '…'


def main() -> int:
    """Print the summary; return 0 only if there were tests, and none failed."""
    count = {'passed': 0, 'failed': 0, 'skipped': 0}
    durations, failures = [], []
    for package, roots in suites(pathlib.Path('build')).items():
        seconds, cases = 0.0, 0
        for root in roots:
            for case in root.iter('testcase'):
                cases += 1
                seconds += float(case.get('time') or 0.0)
                kind, told = outcome(case)
                count[kind] += 1
                if kind == 'failed':
                    module = (case.get('classname') or '').rpartition('.')[2]
                    failures.append(f'FAILED {package} {module}::{case.get("name")}\n    {told}')
        durations.append((seconds, f'{package} {seconds:.0f} s ({cases})'))
    print('durations: ' + ', '.join(text for _, text in sorted(durations, reverse=True)))
    for failure in failures[:FAILURES_SHOWN]:
        print(failure)
    if len(failures) > FAILURES_SHOWN:
        print(f'… and {len(failures) - FAILURES_SHOWN} more')
    print(', '.join(f'{number} {kind}' for kind, number in count.items()))
    return 1 if count['failed'] or not count['passed'] else 0


if __name__ == '__main__':
    sys.exit(main())

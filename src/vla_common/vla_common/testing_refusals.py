# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""docs/refusals.md: what is refused, and in which words. Tests write this page and check it.

    with pytest.raises(ConfigError) as error:
        load_robot(directory)
    documented('Robot directories', 'axis zero', error.value, directory)

The test fails where the page has another text. After a change of texts or cases, write it again:

    VLA_WRITE_REFUSALS=1 colcon test && git diff docs/refusals.md

A case is a literal of its test file (`axis_zero` is read as `axis zero`): that is how
`unnamed_rows` finds rows which no test produces any more.
"""

import ast
import fcntl
import os
import re
import sys
from functools import cache
from pathlib import Path

HEADER = """\
# Refusals

What the workspace refuses, and the line that it prints: file or topic, key, found, wanted. Tests
write this page and check it: each row names its test. `…` stands for what differs between machines
or runs: a folder, a measured number, a version. After a change of texts or cases:

    VLA_WRITE_REFUSALS=1 colcon test && git diff docs/refusals.md
"""

COLUMNS = '| what was brought | refusal | test |\n|---|---|---|'

Rows = dict[tuple[str, str], str]
"""Line of the page by (section, case)."""


def documented(
    section: str, case: str, refusal: object, *varying: str | os.PathLike[str] | re.Pattern[str]
) -> None:
    """Check that the page has this refusal, word for word; or write it there.

    section, case: what a user brought, in a few words. refusal: the error or its text. varying:
    parts of the text, or patterns, that differ between machines or runs.

    Raises AssertionError: the page has no such row or another text, or the text is not one line.
    """
    test = Path(sys._getframe(1).f_code.co_filename).resolve()
    page = _root(test) / 'docs' / 'refusals.md'
    case = _spaced(case)
    text = _fixed(str(refusal), (*varying, _root(test)))
    row = f'| {case} | {_code(text)} | `{test.relative_to(_root(test))}` |'
    if os.environ.get('VLA_WRITE_REFUSALS'):
        _write(page, test, {(section, case): row})
        return
    found = read_rows(page).get((section, case))
    assert found == row, (
        f'{page.name}, {section}: found {found}, wanted {row}: '
        'run the test with VLA_WRITE_REFUSALS=1 if the new text is the better one'
    )


def read_rows(page: Path) -> Rows:
    """The rows of the page; none where it does not exist."""
    rows: Rows = {}
    section = ''
    for line in page.read_text('utf-8').splitlines() if page.exists() else ():
        if line.startswith('## '):
            section = line.removeprefix('## ')
        elif line.startswith('| ') and line not in COLUMNS:
            rows[section, line.split(' | ')[0].removeprefix('| ')] = line
    return rows


def unnamed_rows(page: Path) -> list[str]:
    """The rows whose test file is gone, or names their case no more: no test produces them."""
    root = _root(page)
    return [
        row
        for (_, case), row in read_rows(page).items()
        if not (root / _test_of(row)).exists() or case not in _literals(root / _test_of(row))
    ]


def _root(inside: Path) -> Path:
    return next(p for p in inside.parents if (p / 'docs').is_dir() and (p / 'src').is_dir())


def _test_of(row: str) -> str:
    return row.rpartition(' | ')[2].strip('`| ')


def _fixed(text: str, varying: tuple[str | os.PathLike[str] | re.Pattern[str], ...]) -> str:
    for part in varying:
        if isinstance(part, re.Pattern):
            text = part.sub('…', text)
        else:
            text = text.replace(os.fspath(part), '…')
    assert '\n' not in text, f'more than one line: {text}'
    return text


def _code(text: str) -> str:
    mark, space = ('``', ' ') if '`' in text else ('`', '')
    return f'{mark}{space}{text.replace("|", chr(92) + "|")}{space}{mark}'


@cache
def _literals(test: Path) -> frozenset[str]:
    nodes = ast.walk(ast.parse(test.read_text('utf-8')))
    texts = (node.value for node in nodes if isinstance(node, ast.Constant))
    return frozenset(_spaced(text) for text in texts if isinstance(text, str))


def _spaced(case: str) -> str:
    return case.replace('_', ' ') if case.isidentifier() else case


def _write(page: Path, test: Path, new: Rows) -> None:
    """Put rows into the page, and drop those that `test` names no more."""
    page.touch()
    with page.open('rb') as file:  # `colcon test` runs packages beside each other
        fcntl.flock(file, fcntl.LOCK_EX)
        name = str(test.relative_to(_root(page)))
        rows = {
            key: row
            for key, row in read_rows(page).items()
            if _test_of(row) != name or key[1] in _literals(test)
        } | new
        lines = [HEADER]
        for section in sorted({section for section, _ in rows}):
            lines += [f'## {section}', '', COLUMNS]
            lines += [rows[key] for key in sorted(rows) if key[0] == section]
            lines += ['']
        page.write_text('\n'.join(lines).rstrip('\n') + '\n', 'utf-8')

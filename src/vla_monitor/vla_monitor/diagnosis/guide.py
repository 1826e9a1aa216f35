# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""docs/troubleshooting.md from the table.

    python -m vla_monitor.diagnosis.guide docs/troubleshooting.md

What stands between the two comments is written; the rest of the page is by hand.
"""

from __future__ import annotations

import sys
from pathlib import Path

from vla_common.errors import ConfigError
from vla_monitor.diagnosis.rows import Symptom
from vla_monitor.diagnosis.table import TABLE

BEGIN, END = '<!-- causes: begin -->', '<!-- causes: end -->'


def tables() -> str:
    """A heading and a table for each symptom, as Markdown."""
    parts = []
    for symptom in Symptom:
        rows = [
            f'| {row.cause} | {row.shown_at} | {row.remedy} | `{row.key}` |'
            for row in TABLE
            if row.symptom is symptom
        ]
        head = '| cause | where a session shows it | what to do | in `--json` |\n|---|---|---|---|'
        parts.append('\n'.join([f'### {symptom.value}', '', head, *rows]))
    return '\n\n'.join(parts)


def with_tables(page: Path) -> str:
    """The text of the page with its tables as they are now.

    Raises ConfigError: it has no place for them.
    """
    text = page.read_text(encoding='utf-8')
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ConfigError(page, '', 'no markers', f'{BEGIN} and {END}')
    return f'{before}{BEGIN}\n{tables()}\n{END}{after}'


if __name__ == '__main__':
    guide = Path(sys.argv[1])
    guide.write_text(with_tables(guide), encoding='utf-8')

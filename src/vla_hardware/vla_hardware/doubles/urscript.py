# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Runs the part of URScript that the driver's program is written in, one control step at a time.

So that the program itself is tested, not a copy of what it should do. Its lines are Python's but
for `end`, `local` and `elif … :`; a call that takes a control step becomes a `yield`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

WAITS = ('servoj', 'stopj', 'sync')
"""Calls that take time: they return a number of control steps, or an iterator over them."""
_OPENS = re.compile(r'(def|while|if|elif|else)\b.*:$')


class UrScriptError(ValueError):
    """The text is not of the part that is known here."""


def compile_program(text: str, functions: Mapping[str, Callable[..., Any]]) -> Iterator[None]:
    """The program as an iterator; each item is a control step. Raises UrScriptError.

    functions: by name, all that the program may call.
    """
    lines, depth = [], 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.split('#')[0].strip()
        if not line:
            continue
        if line == 'end':
            depth -= 1
            if depth < 0:
                raise UrScriptError(f'line {number}: an end too many')
            continue
        line = re.sub(r'^(local|global)\s+', '', line)
        opens = _OPENS.match(line)
        if opens and opens[1] in ('elif', 'else'):
            depth -= 1
        if line.endswith(':') and not opens:
            raise UrScriptError(f'line {number}: {line!r} is not known')
        name = re.match(r'(\w+)\(', line)
        if name and name[1] in WAITS:
            line = f'yield from {line}'
        lines.append('  ' * depth + line)
        depth += bool(opens)
    if depth:
        raise UrScriptError(f'{depth} blocks without an end')
    first = re.match(r'def (\w+)\(\):', lines[0]) if lines else None
    if first is None:
        raise UrScriptError('no def at the beginning')
    scope: dict[str, Any] = {'__builtins__': {}, 'True': True, 'False': False, **functions}
    try:
        exec(compile('\n'.join(lines), '<URScript>', 'exec'), scope)
    except SyntaxError as error:
        raise UrScriptError(f'{error.msg}: {error.text}') from error
    return iter(scope[first[1]]())

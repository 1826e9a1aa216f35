# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Changing numbers of a robot.yaml in place: comments and layout stay."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml

from vla_common.errors import ConfigError

Values = Mapping[tuple[str, ...], float | tuple[float, ...]]
"""Numbers, or lists of numbers, by their path of keys."""


def replaced(text: str, values: Values, file: Path) -> str:
    """The text of a YAML file with these values; a top-level section that is missing is appended.

    Raises ConfigError: a value cannot be replaced where it is (an alias, a list of another length).
    """
    if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
        raise ConfigError(file, '', 'an alias (*name)', 'numbers written out, to change each')
    root = yaml.compose(text, yaml.SafeLoader)
    wanted = copy.deepcopy(yaml.safe_load(text))
    edits: list[tuple[int, int, str]] = []
    added: dict[str, list[str]] = {}
    for path, value in values.items():
        numbers = value if isinstance(value, tuple) else (value,)
        node = _find(root, path)
        if node is None and len(path) == 2 and _find(root, path[:1]) is None:
            shown = ', '.join(map(_text, numbers))
            shown = f'[{shown}]' if isinstance(value, tuple) else shown
            added.setdefault(path[0], []).append(f'  {path[1]}: {shown}')
        else:
            nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
            scalar = all(isinstance(one, yaml.ScalarNode) for one in nodes)
            if not scalar or len(nodes) != len(numbers):
                raise ConfigError(file, '.'.join(path), 'another kind of value', 'numbers')
            edits += [
                (one.start_mark.index, one.end_mark.index, _text(number))
                for one, number in zip(nodes, numbers, strict=True)
            ]
        content = wanted
        for key in path[:-1]:
            content = content.setdefault(key, {})
        content[path[-1]] = [float(n) for n in numbers] if isinstance(value, tuple) else value
    for start, end, shown in sorted(edits, reverse=True):
        text = text[:start] + shown + text[end:]
    newline = '\r\n' if '\r\n' in text else '\n'
    for section, lines in added.items():
        text = newline.join([text.rstrip('\r\n'), '', f'{section}:', *lines, ''])
    if yaml.safe_load(text) != wanted:  # a layout that this does not foresee
        raise ConfigError(file, '', 'a layout in which numbers cannot be replaced', 'plain YAML')
    return text


def _find(node: yaml.Node | None, path: Sequence[str]) -> yaml.Node | None:
    for key in path:
        if not isinstance(node, yaml.MappingNode):
            return None
        node = next((value for name, value in node.value if name.value == key), None)
    return node


def _text(number: float) -> str:
    """Without an exponent: YAML 1.1 reads `1e-05` as a text."""
    return np.format_float_positional(number, trim='-')

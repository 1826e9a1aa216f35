# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Reading diagnostic_aggregator's parameter file.

    analyzers:                       # the node's name upstream
      ros__parameters:
        path: Robot
        cameras:
          type: diagnostic_aggregator/GenericAnalyzer
          path: Cameras
          startswith: ['camera']

Upstream logs what it cannot use and goes on; here it is an error that names file and key.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from vla_common.errors import ConfigError
from vla_common.yaml_file import load_yaml
from vla_monitor.aggregation.analyzers import (
    DEFAULT_TIMEOUT,
    Aggregator,
    Analyzer,
    AnalyzerGroup,
    GenericAnalyzer,
    SilentAnalyzer,
)

NODE = 'analyzers'
VALUES = 'ros__parameters'
PLUGINS = 'diagnostic_aggregator/'
TYPES = ('GenericAnalyzer', 'AnalyzerGroup', 'DiscardAnalyzer', 'IgnoreAnalyzer')
LISTS = ('startswith', 'contains', 'regex', 'expected', 'remove_prefix', 'find_and_remove_prefix')
MATCHERS = ('startswith', 'contains', 'regex', 'find_and_remove_prefix')
KEYS = (*LISTS, 'type', 'path', 'timeout', 'num_items', 'discard_stale')
ROOT_KEYS = {
    'path': str,
    'pub_rate': float,
    'other_as_errors': bool,
    'history_depth': int,
    'critical': bool,
}


class AggregatorFile:
    """One file, read and checked.

    pub_rate: Hz. critical: the top level rises at once with a status of level ERROR.

    Raises ConfigError: unreadable, an unknown key or type, an analyzer that matches nothing.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        content = load_yaml(file)
        section = content.get(NODE, content.get(f'/{NODE}')) if isinstance(content, dict) else None
        values = section.get(VALUES) if isinstance(section, dict) else None
        if not isinstance(values, dict):
            raise ConfigError(file, NODE, 'nothing', f'{NODE}: {VALUES}: the analyzers')
        root = {key: values[key] for key in ROOT_KEYS if key in values}
        for key, value in root.items():
            self._check(key, value, ROOT_KEYS[key])
        self.pub_rate = float(root.get('pub_rate', 1.0))
        if not 0.01 <= self.pub_rate <= 100.0:
            raise ConfigError(file, 'pub_rate', self.pub_rate, '0.01 to 100 Hz')
        self.critical = bool(root.get('critical', False))
        path = str(root.get('path', ''))
        self._path = f'/{path}' if path else ''
        self._values = {key: value for key, value in values.items() if key not in ROOT_KEYS}
        self._other_as_errors = bool(root.get('other_as_errors', False))
        self.aggregator()

    def aggregator(self) -> Aggregator:
        """A new aggregator, which has received nothing."""
        root = AnalyzerGroup('', self._path, self._members(self._values, self._path, ''))
        return Aggregator(root, self._other_as_errors)

    def _members(self, values: dict[str, Any], path: str, key: str) -> list[Analyzer]:
        # Upstream reads parameters in alphabetical order.
        found = [
            self._analyzer(values[name], path, f'{key}.{name}' if key else str(name))
            for name in sorted(values, key=str)
        ]
        if not found:
            wanted = f'an analyzer: type: {PLUGINS}GenericAnalyzer, path, startswith'
            raise ConfigError(self._file, key or VALUES, 'no analyzer', wanted)
        return found

    def _analyzer(self, values: Any, path: str, key: str) -> Analyzer:
        if not isinstance(values, dict):
            raise ConfigError(self._file, key, values, 'an analyzer, with type and path')
        for needed in ('type', 'path'):
            if not isinstance(values.get(needed), str) or not values[needed]:
                found = values.get(needed, 'nothing')
                raise ConfigError(self._file, f'{key}.{needed}', found, 'a text')
        kind = values['type'].removeprefix(PLUGINS)
        if kind not in TYPES or not values['type'].startswith(PLUGINS):
            known = ', '.join(PLUGINS + name for name in TYPES)
            raise ConfigError(self._file, f'{key}.type', values['type'], f'one of {known}')
        name, whole = values['path'], f'{path}/{values["path"]}'
        if kind == 'AnalyzerGroup':
            inner = {k: v for k, v in values.items() if k not in ('type', 'path')}
            members = inner.pop('analyzers', {})
            if not isinstance(members, dict) or inner.keys() & members.keys():
                raise ConfigError(self._file, f'{key}.analyzers', members, 'analyzers by name')
            return AnalyzerGroup(name, whole, self._members({**inner, **members}, whole, key))
        if kind == 'IgnoreAnalyzer':
            return SilentAnalyzer(name, whole)
        generic = self._generic(values, name, whole, key)
        return SilentAnalyzer(name, whole, generic) if kind == 'DiscardAnalyzer' else generic

    def _generic(self, values: dict[str, Any], name: str, path: str, key: str) -> GenericAnalyzer:
        for unknown in sorted(values.keys() - set(KEYS), key=str):
            wanted = 'one of ' + ', '.join(KEYS)
            if unknown == 'name':
                wanted = 'regex: diagnostic_aggregator of Jazzy does not read name'
            raise ConfigError(self._file, f'{key}.{unknown}', values[unknown], wanted)
        lists = {option: self._texts(values, option, key) for option in LISTS}
        if not any(lists[matcher] for matcher in MATCHERS):
            wanted = 'what it matches: ' + ', '.join(MATCHERS)
            raise ConfigError(self._file, key, 'an analyzer that matches nothing', wanted)
        for expression in lists['regex']:
            try:
                re.compile(expression)
            except re.error as error:
                wanted = f'a regular expression ({error})'
                raise ConfigError(self._file, f'{key}.regex', expression, wanted) from None
        timeout = values.get('timeout', DEFAULT_TIMEOUT)
        self._check(f'{key}.timeout', timeout, float)
        self._check(f'{key}.num_items', values.get('num_items', -1), int)
        self._check(f'{key}.discard_stale', values.get('discard_stale', False), bool)
        both = lists['find_and_remove_prefix']
        generic = GenericAnalyzer(
            name,
            path,
            startswith=lists['startswith'] or both,
            contains=lists['contains'],
            regex=lists['regex'],
            expected=lists['expected'],
            remove_prefix=lists['remove_prefix'] or both,
            timeout=timeout,
            num_items=values.get('num_items', -1),
            discard_stale=values.get('discard_stale', False),
        )
        for expected in lists['expected']:
            if not generic.match(expected):
                wanted = 'a name that its ' + ', '.join(MATCHERS) + ' match'
                raise ConfigError(self._file, f'{key}.expected', expected, wanted)
        return generic

    def _texts(self, values: dict[str, Any], option: str, key: str) -> list[str]:
        found = values.get(option, [])
        if not (isinstance(found, list) and all(isinstance(text, str) for text in found)):
            raise ConfigError(self._file, f'{key}.{option}', found, 'a list of texts')
        return found

    def _check(self, key: str, value: Any, kind: type) -> None:
        """rclcpp refuses a whole number for a double and the reverse; so does this."""
        if type(value) is not kind:
            names = {str: 'a text', float: 'a number with a point, 5.0', bool: 'true or false'}
            raise ConfigError(self._file, key, value, names.get(kind, 'a whole number'))

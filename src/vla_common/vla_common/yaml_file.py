# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Reading YAML files: every error is one `ConfigError` with file, key, found and wanted."""

import difflib
import math
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from vla_common.errors import ConfigError

REQUIRED: Any = object()


class _Loader(yaml.SafeLoader):
    """YAML as PyYAML reads it, with the floats of YAML 1.2: `1e-06` is a number, as for rcl."""


class _Dumper(yaml.SafeDumper):
    """Quotes texts that `_Loader` would read as floats; writes no anchors."""

    def ignore_aliases(self, data: object) -> bool:
        return True


_FLOAT = re.compile(r'[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+\Z')
for _kind in (_Loader, _Dumper):
    _kind.add_implicit_resolver('tag:yaml.org,2002:float', _FLOAT, list('-+.0123456789'))

Lines = dict[tuple[str, ...], int]
"""Line (from 1) of each key, by its path in the file."""


def load_yaml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Raises ConfigError: the file is missing, unreadable, not YAML, or not a mapping, or a key occurs
    twice in one mapping (PyYAML would keep the last one).
    """
    return load_yaml_lines(path)[0]


def load_yaml_lines(path: str | os.PathLike[str]) -> tuple[dict[str, Any], Lines]:
    """As `load_yaml`, with the line of each key."""
    path = os.fspath(path)
    try:
        with open(path, encoding='utf-8') as stream:
            loader = _Loader(stream.read())
        root = loader.get_single_node()
        lines = _index(path, loader, root)
        content = None if root is None else loader.construct_document(root)
    except FileNotFoundError:
        raise ConfigError(path, '', 'no such file', 'a YAML file') from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(path, '', str(error), 'a readable YAML file') from None
    except RecursionError:
        raise ConfigError(path, '', 'too many nested values', 'a readable YAML file') from None
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        mark = getattr(error, 'problem_mark', None)
        where = f'line {mark.line + 1}' if mark is not None else ''
        problem = getattr(error, 'problem', None) or str(error)
        found = f'what no YAML parser reads ({problem.removeprefix("found ")})'
        raise ConfigError(path, where, found, 'valid YAML') from None
    if not isinstance(content, dict):
        raise ConfigError(path, '', f'a {type(content).__name__}', 'a mapping of keys to values')
    return content, lines


def dump_yaml(content: Mapping[str, Any], **layout: Any) -> str:
    """YAML text that `load_yaml` reads as `content`. layout: of `yaml.dump`."""
    return yaml.dump(dict(content), Dumper=_Dumper, **{'sort_keys': False, **layout})


def _index(path: str, loader: _Loader, root: yaml.Node | None) -> Lines:
    """The lines of all keys.

    Raises ConfigError: a key occurs twice in one mapping, or a value contains itself.
    """
    lines: Lines = {}
    done: set[int] = set()  # an anchor's content is walked once

    def walk(node: yaml.Node | None, keys: tuple[str, ...], above: tuple[int, ...]) -> None:
        if id(node) in above:
            raise ConfigError(path, _dotted(keys), 'a value that contains itself', 'another value')
        if id(node) in done or not isinstance(node, yaml.CollectionNode):
            return
        done.add(id(node))
        above = (*above, id(node))
        if isinstance(node, yaml.SequenceNode):
            for number, item in enumerate(node.value):
                walk(item, (*keys, f'[{number}]'), above)
            return
        seen: dict[object, int] = {}
        for name, value in node.value:
            if not isinstance(name, yaml.ScalarNode):
                continue  # refused as a key when the document is constructed
            key = '<<' if name.tag == 'tag:yaml.org,2002:merge' else loader.construct_object(name)
            line = name.start_mark.line + 1
            inner = (*keys, str(key))
            if key in seen:
                found = f'the key in line {seen[key]} and again in line {line}'
                raise ConfigError(path, _dotted(inner), found, 'each key once')
            seen[key] = lines[inner] = line
            walk(value, inner, above)

    walk(root, (), ())
    return lines


def _dotted(keys: tuple[str, ...]) -> str:
    return '.'.join(keys).replace('.[', '[')


class ConfigReader:
    """Typed access to one mapping of a file. It records the keys read, to report unknown ones.

    Args:
        file: shown in errors.
        mapping: the content.
        prefix: dotted path of `mapping` inside the file, shown in errors.
    """

    def __init__(self, file: str | os.PathLike[str], mapping: object, prefix: str = '') -> None:
        self.file = os.fspath(file)
        self.prefix = prefix
        if not isinstance(mapping, Mapping):
            raise ConfigError(file, prefix, mapping, 'a mapping of keys to values')
        self._mapping = mapping
        self._read: set[str] = set()

    def path(self, key: str) -> str:
        return f'{self.prefix}.{key}' if self.prefix else key

    def error(self, key: str, found: object, wanted: str) -> ConfigError:
        return ConfigError(self.file, self.path(key), found, wanted)

    def has(self, key: str) -> bool:
        return key in self._mapping

    def keys(self) -> list[str]:
        return [str(key) for key in self._mapping]

    def raw(self, key: str, default: Any = REQUIRED, wanted: str = 'a value') -> Any:
        self._read.add(key)
        if key in self._mapping:
            return self._mapping[key]
        if default is REQUIRED:
            raise self.error(key, 'nothing', wanted)
        return default

    def number(
        self, key: str, default: Any = REQUIRED, lo: float | None = None, hi: float | None = None
    ) -> float:
        wanted = 'a finite number' + _range(lo, hi)
        value = self.raw(key, default, wanted)
        return self._number(key, value, lo, hi, wanted) if self.has(key) else value

    def integer(
        self, key: str, default: Any = REQUIRED, lo: int | None = None, hi: int | None = None
    ) -> int:
        wanted = 'a whole number' + _range(lo, hi)
        value = self.raw(key, default, wanted)
        if key not in self._mapping:
            return value
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.error(key, value, wanted)
        return int(self._number(key, value, lo, hi, wanted))

    def text(self, key: str, default: Any = REQUIRED, choices: Sequence[str] | None = None) -> str:
        wanted = 'one of ' + ', '.join(choices) if choices else 'a text'
        value = self.raw(key, default, wanted)
        if key not in self._mapping:
            return value
        if not isinstance(value, str) or (choices is not None and value not in choices):
            raise self.error(key, value, wanted)
        return value

    def flag(self, key: str, default: Any = REQUIRED) -> bool:
        value = self.raw(key, default, 'true or false')
        if key not in self._mapping:
            return value
        if not isinstance(value, bool):
            raise self.error(key, value, 'true or false')
        return value

    def numbers(
        self,
        key: str,
        default: Any = REQUIRED,
        length: int | None = None,
        lo: float | None = None,
        hi: float | None = None,
    ) -> list[float]:
        count = '' if length is None else f'{length} '
        wanted = f'a list of {count}finite numbers' + _range(lo, hi)
        value = self.raw(key, default, wanted)
        if key not in self._mapping:
            return value
        if not isinstance(value, list):
            raise self.error(key, value, wanted)
        if length is not None and len(value) != length:
            raise self.error(key, f'{len(value)} values', wanted)
        return [
            self._number(f'{key}[{index}]', item, lo, hi, 'a finite number' + _range(lo, hi))
            for index, item in enumerate(value)
        ]

    def texts(
        self, key: str, default: Any = REQUIRED, choices: Sequence[str] | None = None
    ) -> list[str]:
        wanted = 'a list of texts'
        value = self.raw(key, default, wanted)
        if key not in self._mapping:
            return value
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(key, value, wanted)
        if choices is not None:
            for index, item in enumerate(value):
                if item not in choices:
                    raise self.error(f'{key}[{index}]', item, 'one of ' + ', '.join(choices))
        return list(value)

    def section(self, key: str, default: Any = REQUIRED) -> 'ConfigReader':
        value = self.raw(key, default, 'a mapping of keys to values')
        return ConfigReader(self.file, value, self.path(key))

    def sections(self, key: str, default: Any = REQUIRED) -> dict[str, 'ConfigReader']:
        """A mapping whose values are mappings, e.g. one per joint."""
        outer = self.section(key, default)
        return {name: outer.section(name) for name in outer.keys()}  # noqa: SIM118

    def close(self) -> None:
        """Raise for the first key that was not read: a misspelt key is never ignored."""
        for key in self._mapping:
            if key not in self._read:
                near = difflib.get_close_matches(str(key), sorted(self._read), n=1)
                known = f"'{near[0]}'" if near else 'one of ' + ', '.join(sorted(self._read))
                raise self.error(str(key), 'an unknown key', known)

    def _number(
        self, key: str, value: object, lo: float | None, hi: float | None, wanted: str
    ) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.error(key, value, wanted)
        if not math.isfinite(value):
            raise self.error(key, value, wanted)
        if (lo is not None and not value >= lo) or (hi is not None and not value <= hi):
            raise self.error(key, value, wanted)
        return float(value)


def _range(lo: float | None, hi: float | None) -> str:
    if lo is not None and hi is not None:
        return f' from {lo:g} to {hi:g}'
    if lo is not None:
        return f' of at least {lo:g}'
    if hi is not None:
        return f' of at most {hi:g}'
    return ''

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Random mistakes in YAML files, and which of them must be refused."""

import copy
import fnmatch
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import yaml

from vla_robot.mutations import VALUES

NEW_KEY = 'fuzz'
NUMBERS = ('tag:yaml.org,2002:int', 'tag:yaml.org,2002:float')
BOOLEAN, TEXT = 'tag:yaml.org,2002:bool', 'tag:yaml.org,2002:str'


@dataclass(frozen=True)
class Mistake:
    """text: what was changed. must_refuse: False where it may do no harm."""

    text: str
    must_refuse: bool = False


@dataclass(frozen=True)
class _Place:
    """A value in a mapping or a list; `key` is its path."""

    holder: yaml.CollectionNode
    index: int
    key: str

    @property
    def value(self) -> yaml.Node:
        item = self.holder.value[self.index]
        return item[1] if isinstance(self.holder, yaml.MappingNode) else item

    def replace(self, value: yaml.Node) -> None:
        items = self.holder.value
        if isinstance(self.holder, yaml.MappingNode):
            items[self.index] = (items[self.index][0], value)
        else:
            items[self.index] = value


def make_mistake(
    content: str, chance: random.Random, free: Sequence[str] = (), unions: Sequence[str] = ()
) -> tuple[str, Mistake]:
    """YAML text with one mistake in it.

    Args:
        content: YAML, a mapping.
        free: patterns of paths whose content may be anything that is YAML.
        unions: patterns of paths that take values of several types.
    """
    root = yaml.compose(content, Loader=yaml.SafeLoader)
    places = list(_places(root, ''))
    bound = [place for place in places if not _matches(place.key, free)]
    kind = chance.choice(_KINDS)
    mistake = kind(root, places, bound, chance, unions)
    return yaml.serialize(root, Dumper=yaml.SafeDumper, allow_unicode=True), mistake


def break_bytes(content: bytes, chance: random.Random) -> tuple[bytes, str]:
    """The content cut off somewhere, or with one byte changed."""
    place = chance.randrange(len(content))
    if chance.random() < 0.3:
        return content[:place], f'cut at byte {place} of {len(content)}'
    changed = bytearray(content)
    changed[place] ^= chance.randrange(1, 256)
    return bytes(changed), f'byte {place} of {len(content)} changed'


def _places(node: yaml.Node, key: str) -> Iterator[_Place]:
    if isinstance(node, yaml.MappingNode):
        for i, (name, value) in enumerate(node.value):
            inner = f'{key}.{name.value}' if key else str(name.value)
            yield _Place(node, i, inner)
            yield from _places(value, inner)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            yield _Place(node, i, f'{key}[{i}]')
            yield from _places(value, f'{key}[{i}]')


def _matches(key: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(key, p) or key.startswith(f'{p}.') for p in patterns)


def _mappings(root: yaml.Node, places: Sequence[_Place]) -> list[tuple[yaml.MappingNode, str]]:
    found = [(place.value, place.key) for place in places]
    return [(root, '')] + [(n, key) for n, key in found if isinstance(n, yaml.MappingNode)]


def _scalar(value: str, tag: str) -> yaml.ScalarNode:
    return yaml.ScalarNode(tag, value)


def _mapping() -> yaml.MappingNode:
    inner = [(_scalar(NEW_KEY, TEXT), _scalar('1', NUMBERS[0]))]
    return yaml.MappingNode('tag:yaml.org,2002:map', inner)


def _unknown_key(root, places, bound, chance, unions) -> Mistake:
    node, key = chance.choice(_mappings(root, bound))
    # No section takes it under any name: not a number, a text, or a section.
    node.value.append((_scalar(NEW_KEY, TEXT), _scalar('.nan', NUMBERS[1])))
    return Mistake(f'unknown key {key}.{NEW_KEY}'.replace(' .', ' '), True)


def _duplicate_key(root, places, bound, chance, unions) -> Mistake:
    mappings = [(node, key) for node, key in _mappings(root, places) if node.value]
    node, key = chance.choice(mappings)
    name, value = chance.choice(node.value)
    node.value.insert(chance.randrange(len(node.value) + 1), copy.deepcopy((name, value)))
    return Mistake(f'{f"{key}." if key else ""}{name.value} twice', True)


def _wrong_type(root, places, bound, chance, unions) -> Mistake:
    place = chance.choice(bound)
    value, union = place.value, _matches(place.key, unions)
    number, text = _scalar('7', NUMBERS[0]), _scalar('much', TEXT)
    if isinstance(value, yaml.MappingNode):
        wrong = [number, text]
    elif isinstance(value, yaml.SequenceNode):
        wrong = [number, _mapping()]
    elif value.tag in NUMBERS:
        wrong = [text, _scalar('true', BOOLEAN), _mapping()]
    elif value.tag == BOOLEAN:
        wrong = [text, number, _mapping()]
    else:
        wrong = [number, _scalar('true', BOOLEAN), _mapping()]
    new = _mapping() if union else chance.choice(wrong)
    place.replace(new)
    return Mistake(f'{place.key}: {new.tag.rpartition(":")[2]}', True)


def _not_finite(root, places, bound, chance, unions) -> Mistake:
    numbers = [place for place in bound if place.value.tag in NUMBERS]
    if not numbers:
        return _unknown_key(root, places, bound, chance, unions)
    place, value = chance.choice(numbers), chance.choice(('.nan', '.inf', '-.inf'))
    place.replace(_scalar(value, NUMBERS[1]))
    return Mistake(f'{place.key}: {value}', True)


def _any_value(root, places, bound, chance, unions) -> Mistake:
    place, value = chance.choice(places), chance.choice(VALUES)
    place.replace(yaml.compose(yaml.safe_dump(value), Loader=yaml.SafeLoader))
    return Mistake(f'{place.key}: {value!r}')


def _missing(root, places, bound, chance, unions) -> Mistake:
    place = chance.choice(places)
    del place.holder.value[place.index]
    return Mistake(f'{place.key}: removed')


def _renamed(root, places, bound, chance, unions) -> Mistake:
    node, key = chance.choice([(n, k) for n, k in _mappings(root, places) if n.value])
    i = chance.randrange(len(node.value))
    name, value = node.value[i]
    new = chance.choice((f'{name.value}s', name.value[:-1], name.value.upper(), '/**', ''))
    node.value[i] = (_scalar(new, TEXT), value)
    return Mistake(f'{key}.{name.value} renamed to {new!r}')


_Kind = Callable[[yaml.Node, list[_Place], list[_Place], random.Random, Sequence[str]], Mistake]
_KINDS: tuple[_Kind, ...] = (
    _unknown_key, _duplicate_key, _wrong_type, _wrong_type, _not_finite, _any_value, _any_value,
    _missing, _renamed,
)  # fmt: skip

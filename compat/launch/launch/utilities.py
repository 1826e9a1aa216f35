# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Substitutions and entities, and the forms in which actions take and keep them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml


class Substitution:
    """Text that is known only while launching; `describe` returns its unexpanded form."""

    def describe(self) -> str:
        return repr(self)

    def perform(self, context) -> str:
        raise NotImplementedError(f'{type(self).__name__}.perform')


class SubstitutionFailure(RuntimeError):
    """A substitution has no value."""


class TextSubstitution(Substitution):
    """A fixed text."""

    def __init__(self, *, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f'TextSubstitution: expected str, got {type(text).__name__}: {text!r}')
        self.text = text

    def describe(self) -> str:
        return f"'{self.text}'"

    def perform(self, context) -> str:
        return self.text


class LaunchDescriptionEntity:
    """A part of a launch description."""

    condition = None
    #: Whether what it contains depends on an event, or on what is known only while launching.
    defers = False

    def describe_sub_entities(self) -> list['LaunchDescriptionEntity']:
        """The entities in it that are known without launching."""
        return []

    def visit(self, context) -> 'list[LaunchDescriptionEntity] | None':
        """Do the work and return the entities to visit next."""

    def get_asyncio_future(self):
        """A future that is done when this entity's work is done, or None."""


def normalize(subs: Any) -> 'list[Substitution] | None':
    """Text, a path, a substitution, or an iterable of these as a list; None stays None."""
    if subs is None or isinstance(subs, Substitution):
        return subs and [subs]
    if isinstance(subs, (str, Path)):
        return [TextSubstitution(text=str(subs))]
    if isinstance(subs, Iterable):
        parts = list(subs)
        if all(isinstance(part, (str, Path, Substitution)) for part in parts):
            return [sub for part in parts for sub in normalize(part)]
    raise TypeError(f'expected str, a path, a Substitution or a list of these, got {subs!r}')


def perform(context, subs: Iterable[Substitution]) -> str:
    return ''.join(sub.perform(context) for sub in subs)


def describe(subs: Iterable[Substitution]) -> str:
    return ' + '.join(sub.describe() for sub in subs)


def coerce(text: str, data_type: type) -> Any:
    """Text as a str, int, float or bool (YAML's, and 1 and 0); else ValueError."""
    if data_type is not bool:
        return data_type(text)
    value = {'1': True, '0': False}.get(text, yaml.safe_load(text))
    if not isinstance(value, bool):
        raise ValueError(f'expected bool, got {text!r}')
    return value


def perform_typed(context, value: Any, data_type: type) -> Any:
    """A value of the type as it is, text and substitutions coerced; else ValueError."""
    if not isinstance(value, (bool, int, float)):
        return coerce(perform(context, normalize(value)), data_type)
    if data_type is float and type(value) is int:
        return float(value)
    if type(value) is not data_type:
        raise ValueError(f'expected {data_type.__name__}, got {value!r}')
    return value


def to_entity_list(entities: Any) -> list[LaunchDescriptionEntity]:
    """One entity, several or None as a list; anything else is a TypeError."""
    if entities is None or isinstance(entities, LaunchDescriptionEntity):
        entities = [entities]
    found = [entity for entity in entities if entity is not None]
    for entity in found:
        if not isinstance(entity, LaunchDescriptionEntity):
            raise TypeError(f'expected a LaunchDescriptionEntity, got {entity!r}')
    return found

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Substitutions and entities in the forms that actions take and keep."""

import collections.abc
from pathlib import Path
from typing import Any

from .._subset import refusing_getattr
from ..launch_description_entity import LaunchDescriptionEntity
from ..substitution import Substitution


def is_a(obj: Any, entity_type: type) -> bool:
    return isinstance(obj, entity_type)


def is_a_subclass(obj: Any, entity_type: type) -> bool:
    """True if `obj` is an instance or a subclass of `entity_type`."""
    return isinstance(obj, entity_type) or (isinstance(obj, type) and issubclass(obj, entity_type))


def ensure_argument_type(argument: Any, types: Any, argument_name: str, caller: str = '') -> None:
    types = tuple(types) if isinstance(types, collections.abc.Iterable) else (types,)
    if not isinstance(argument, types):
        names = ', '.join(expected.__name__ for expected in types)
        where = f' of {caller}' if caller else ''
        raise TypeError(
            f"'{argument_name}'{where}: expected {names}, got {type(argument).__name__}: {argument}"
        )


def normalize_to_list_of_substitutions(subs: Any) -> list[Substitution]:
    """Text, a path, a substitution, or an iterable of these as a list of substitutions."""
    from ..substitutions.text_substitution import TextSubstitution

    def one(sub: Any) -> Substitution:
        if isinstance(sub, Substitution):
            return sub
        if isinstance(sub, (str, Path)):
            return TextSubstitution(text=str(sub))
        raise TypeError(
            f"Failed to normalize given item of type '{type(sub).__name__}', when only 'str' or "
            "'launch.Substitution' were expected."
        )

    if isinstance(subs, collections.abc.Iterable) and not isinstance(subs, (str, Path)):
        return [one(sub) for sub in subs]
    return [one(subs)]


def perform_substitutions(context, subs: collections.abc.Iterable[Substitution]) -> str:
    return ''.join(context.perform_substitution(sub) for sub in subs)


def describe_substitutions(subs: collections.abc.Iterable[Substitution]) -> str:
    return ' + '.join(sub.describe() for sub in subs)


def to_entity_list(entities: Any) -> list[LaunchDescriptionEntity]:
    """One entity, several or None as a list; anything else is a TypeError."""
    if entities is None:
        return []
    if isinstance(entities, LaunchDescriptionEntity):
        return [entities]
    if not isinstance(entities, collections.abc.Iterable):
        raise TypeError(f'expected a LaunchDescriptionEntity or several, got {entities!r}')
    found = [entity for entity in entities if entity is not None]
    for entity in found:
        if not isinstance(entity, LaunchDescriptionEntity):
            raise TypeError(f'expected a LaunchDescriptionEntity, got {entity!r}')
    return found


def visit_all_entities_and_collect_futures(
    entity: LaunchDescriptionEntity, context, pairs: 'list | None' = None
) -> list:
    """Visit an entity and, depth first, what it yields; (entity, future) of those that go on.

    With `pairs` they are added there at once, so that none is lost when a later visit raises.
    """
    pairs = [] if pairs is None else pairs
    sub_entities = entity.visit(context)
    future = entity.get_asyncio_future()
    if future is not None:
        pairs.append((entity, future))
    for sub_entity in sub_entities or ():
        visit_all_entities_and_collect_futures(sub_entity, context, pairs)
    return pairs


from . import type_utils  # noqa: E402  (needs the functions above)

__all__ = [
    'describe_substitutions',
    'ensure_argument_type',
    'is_a',
    'is_a_subclass',
    'normalize_to_list_of_substitutions',
    'perform_substitutions',
    'to_entity_list',
    'type_utils',
    'visit_all_entities_and_collect_futures',
]

__getattr__ = refusing_getattr(__name__)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Paths put together."""

import os
from collections.abc import Iterable

from ..substitution import Substitution
from ..utilities import describe_substitutions, normalize_to_list_of_substitutions


class PathJoinSubstitution(Substitution):
    """Joins its parts as os.path.join does."""

    def __init__(self, substitutions: Iterable[str | Substitution]) -> None:
        self._substitutions = normalize_to_list_of_substitutions(substitutions)

    @property
    def substitutions(self) -> list[Substitution]:
        return self._substitutions

    def describe(self) -> str:
        return f"PathJoin('{describe_substitutions(self._substitutions)}')"

    def perform(self, context) -> str:
        return os.path.join(*(sub.perform(context) for sub in self._substitutions))

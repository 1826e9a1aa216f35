# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What is taken wherever text may contain substitutions."""

import collections.abc
from collections.abc import Iterable
from pathlib import Path
from typing import Union

from .substitution import Substitution

SomeSubstitutionsType = Union[str, Path, Substitution, Iterable[str | Path | Substitution]]
SomeSubstitutionsType_types_tuple = (str, Path, Substitution, collections.abc.Iterable)

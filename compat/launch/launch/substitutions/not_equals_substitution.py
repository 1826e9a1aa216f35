# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Whether two texts do not mean the same."""

from .equals_substitution import EqualsSubstitution


class NotEqualsSubstitution(EqualsSubstitution):
    """'true' or 'false'."""

    _negated = True

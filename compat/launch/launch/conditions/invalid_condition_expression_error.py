# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The error of a condition that is neither true nor false."""


class InvalidConditionExpressionError(ValueError):
    """Says what the expression expanded to and what would have been valid."""

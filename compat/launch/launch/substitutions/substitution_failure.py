# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The error of a substitution that cannot be performed."""


class SubstitutionFailure(RuntimeError):
    """Says which substitution found nothing to put in its place."""

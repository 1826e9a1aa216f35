# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Diagnostics by group, with the files and the semantics of diagnostic_aggregator (Jazzy)."""

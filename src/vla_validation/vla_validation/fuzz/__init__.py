# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Random mistakes in files and messages: each must be refused by name, or do no harm."""

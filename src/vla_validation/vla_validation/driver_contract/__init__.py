# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The driver contract: what every robot driver does, as tests that a user's own driver runs."""

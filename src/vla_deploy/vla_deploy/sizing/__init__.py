# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Which computer can run a bundle, how fast, and in which precision: a roofline by device."""

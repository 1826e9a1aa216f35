# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The supervisor for operators to try: its own core and watch, on a robot that is only told."""

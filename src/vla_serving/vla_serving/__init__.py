# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""One inference server for many robots. One robot needs none of it."""

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Video4Linux: the kernel's cameras (USB, GMSL, CSI with a bridge), without a library."""

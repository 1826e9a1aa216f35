# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The bench: from a trained module to a bundle that fits a computer and is proven the same."""

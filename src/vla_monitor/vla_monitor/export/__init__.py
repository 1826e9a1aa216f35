# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`export`: recorded sessions as a dataset for training."""

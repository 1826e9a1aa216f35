# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Fewer bits, by ONNX Runtime's own tools: one file for each way, and what stays in float."""

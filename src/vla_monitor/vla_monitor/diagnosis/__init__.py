# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Symptoms, their causes, the evidence for them in a session, and what to do."""

#!/usr/bin/env bash
# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
# Healthy: a supervisor answers and its mode is READY or RUNNING. Prints mode and causes.
cd "$(dirname "$0")/.." || exit 1
export VLA_NO_BUILD=1
# shellcheck disable=SC1091
source setup.bash >/dev/null || exit 1
exec ros2 run vla_supervisor command status

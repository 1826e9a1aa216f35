#!/usr/bin/env bash
# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
# The environment, then the command in this shell's place, so that it gets the container's signals.
cd "$(dirname "$0")/.." || exit 1
# shellcheck disable=SC1091
source setup.bash || exit 1
exec "$@"

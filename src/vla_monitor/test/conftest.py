# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from vla_common.testing import ros  # noqa: F401

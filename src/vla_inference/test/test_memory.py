# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The memory budget."""

import pytest

from vla_common.errors import ConfigError
from vla_inference.configure import MEGABYTE, MemoryBudget, MemoryMonitor


def test_memory_beyond_its_budget_is_reported_by_name():
    used = [100 * MEGABYTE, 50 * MEGABYTE]
    watch = MemoryMonitor(MemoryBudget(200.0, 80.0), [lambda: used[1]], lambda: used[0])
    watch.check()
    assert watch.beyond() is None
    used[1] = 90 * MEGABYTE
    with pytest.raises(ConfigError, match='memory.device: found 90 MB in use, wanted at most 80'):
        watch.check()
    used[0] = 300 * MEGABYTE
    assert watch.beyond() == ('memory.host', 300.0, 200.0)


def test_without_a_budget_anything_goes_and_is_measured():
    watch = MemoryMonitor(MemoryBudget(), [])
    watch.check()
    assert watch.used()[0] > 1.0

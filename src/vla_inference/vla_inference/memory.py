# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""How much memory inference may take, checked at configure and watched at run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import psutil

from vla_common.errors import ConfigError

MEGABYTE = 2**20


@dataclass(frozen=True)
class MemoryBudget:
    """MB of this process (resident) and of the models on their device; 0 for any."""

    host: float = 0.0
    device: float = 0.0


class MemoryWatch:
    """on_device: bytes that each policy holds on its device."""

    def __init__(
        self,
        budget: MemoryBudget,
        on_device: Iterable[Callable[[], int]],
        resident: Callable[[], int] = lambda: psutil.Process().memory_info().rss,
    ) -> None:
        self._budget = budget
        self._on_device = tuple(on_device)
        self._resident = resident

    def used(self) -> tuple[float, float]:
        """MB of the process and on devices."""
        there = sum(measure() for measure in self._on_device)
        return self._resident() / MEGABYTE, there / MEGABYTE

    def beyond(self) -> tuple[str, float, float] | None:
        """(which, MB found, MB allowed) of what is over its budget."""
        host, device = self.used()
        for name, found, allowed in (
            ('memory.host', host, self._budget.host),
            ('memory.device', device, self._budget.device),
        ):
            if allowed > 0.0 and not found <= allowed:
                return name, found, allowed
        return None

    def check(self) -> None:
        """Raise ConfigError when a budget does not suffice."""
        found = self.beyond()
        if found is not None:
            name, used, allowed = found
            raise ConfigError(
                'parameters', name, f'{used:.0f} MB in use', f'at most {allowed:.0f} MB'
            )

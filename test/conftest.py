# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Repeats a failed test of the whole robot if, and only if, the machine stalled meanwhile.

A robot whose processes do not get a processor for 100 ms stops, as it must; a test about another
fault then fails, and has shown nothing. A stall is found by processes that observe the machine, or
reported by the supervisor (unless the test froze it); pytest's summary names each repeated test.
"""

import time

import pytest
from whole_robot import supervisor_stalls

from vla_common.domains import release_domains
from vla_validation.system_harness.machine import SchedulingObserver

REPEATS = 2
STALL = 0.06
"""s of lateness that count. The driver stops the robot after 0.1 s without its supervisor."""
STARVATION = 0.05
"""s that a process of ordinary priority waits for 10 ms of processor time, as camera and policy
would. Robot processes that start, at their real-time priority, take two cores for as long."""


class StallPlugin:
    """Stalls of the machine by test, and the repeated tests."""

    def __init__(self, observer: SchedulingObserver) -> None:
        self.observer = observer
        self._stalls: list[tuple[float, str]] = []
        self._begin: dict[str, float] = {}
        self._reasons: dict[str, str] = {}
        self.repeated: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        release_domains()  # a test that launched in this process has ended, its robot too
        self._begin[item.name] = time.monotonic()

    def stalled(self, test: str) -> bool:
        """The condition of the marker below; evaluated after a test, whether it failed or not."""
        self._stalls += [
            (begin + late, f'a process waited {1e3 * late:.0f} ms for a processor')
            for begin, late in self.observer.records()
        ]
        begin = self._begin.get(test, 0.0)
        texts = [text for end, text in [*self._stalls, *supervisor_stalls] if end >= begin]
        if texts:
            self._reasons[test] = f'{texts[0]} ({len(texts)} times in all)'
        return bool(texts)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.outcome == 'rerun':
            test = report.nodeid.rpartition('::')[2]
            crash = getattr(report.longrepr, 'reprcrash', None)
            failure = crash.message.partition('\n')[0][:200] if crash is not None else ''
            self.repeated.append(
                f'{test}: {self._reasons.get(test, "")}; it failed with: {failure}'
            )

    def pytest_terminal_summary(self, terminalreporter) -> None:
        for line in self.repeated:
            terminalreporter.write_line(f'repeated because the machine stalled: {line}')


def pytest_configure(config: pytest.Config) -> None:
    config.stalls = StallPlugin(SchedulingObserver(0.01, STALL, STARVATION).__enter__())
    config.pluginmanager.register(config.stalls)


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stalls.observer.__exit__()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        condition = f'config.stalls.stalled({item.name!r})'
        item.add_marker(pytest.mark.flaky(reruns=REPEATS, condition=condition))

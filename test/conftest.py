# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Repeat a failed test of the whole robot if, and only if, the machine stood still meanwhile."""

from __future__ import annotations

import time

import pytest
from stall_witness import StallWitness

from vla_common.domains import release_domains

REPEATS = 2
_told = pytest.StashKey[dict]()
_repeated = pytest.StashKey[list]()


def pytest_configure(config: pytest.Config) -> None:
    config.stall_witness = StallWitness()
    config.stash[_told] = {}
    config.stash[_repeated] = []
    begin = {}

    def machine_stalled(test: str) -> bool:
        """The condition of the marker below; evaluated after a test, whether it failed or not."""
        stalls = config.stall_witness.since(begin.get(test, 0.0))
        if stalls:
            config.stash[_told][test] = f'{stalls[0]} ({len(stalls)} times in all)'
        return bool(stalls)

    config.machine_stalled = machine_stalled
    config.pluginmanager.register(_Repeats(config))
    config.test_begins = lambda test: begin.__setitem__(test, time.monotonic())


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stall_witness.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        condition = f'config.machine_stalled({item.name!r})'
        item.add_marker(pytest.mark.flaky(reruns=REPEATS, condition=condition))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    release_domains()  # a test that launched in this process has ended, its robot too
    item.config.test_begins(item.name)


class _Repeats:
    """Notes which tests really were repeated."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.outcome == 'rerun':
            test = report.nodeid.rpartition('::')[2]
            why = self._config.stash[_told].get(test, '')
            crash = getattr(report.longrepr, 'reprcrash', None)
            said = crash.message.partition('\n')[0][:200] if crash is not None else ''
            self._config.stash[_repeated].append(f'{test}: {why}; it had said: {said}')


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    for line in config.stash[_repeated]:
        terminalreporter.write_line(f'failed while the machine was at fault: {line}')

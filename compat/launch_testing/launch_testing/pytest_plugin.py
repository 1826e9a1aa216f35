# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""pytest collects a module whose generate_test_description has the mark launch_test as one item.

As in the real plugin: the item runs all launches of the module with all their tests, and its
failure shows each failed test.
"""

import unittest
from pathlib import Path

import pytest
from _pytest._code.code import ReprFileLocation, TerminalRepr
from _pytest.pathlib import import_path

_ENTRY_POINT = 'generate_test_description'


class LaunchTestFailure(Exception):
    """(test name, text) of each failure, as the only argument."""


class LaunchTestFailureRepr(TerminalRepr):
    """The failures, in full for the terminal and for JUnit XML, and in one line each."""

    def __init__(self, path: str, failures: list[tuple[str, str]]) -> None:
        self._failures = failures
        names = '\n'.join(f'{name} failed' for name, _ in failures)
        self.reprcrash = ReprFileLocation(path=path, lineno=0, message=names)

    def __str__(self) -> str:
        return '\n\n'.join(f'FAIL: {name}\n{"-" * 70}\n{text}' for name, text in self._failures)

    def toterminal(self, tw) -> None:
        tw.line(str(self))


class LaunchTestItem(pytest.Item):
    """All launches of one module."""

    def __init__(self, *, module, **kwargs) -> None:
        super().__init__(**kwargs)
        self._module = module

    def runtest(self) -> None:
        # Here: every pytest loads this plugin, and few of them run a launch.
        from .runner import LaunchDied, LaunchRun

        run = LaunchRun(self._module)
        failures: list[tuple[str, str]] = []
        try:
            results = run.run(debug=self.config.getoption('verbose') > 0)
        except unittest.SkipTest as skip:
            pytest.skip(str(skip))
        except LaunchDied as death:
            names = [case.id() for case in run.cases()] or [self.name]
            failures = [(name, str(death)) for name in names]
        else:
            for result in results:
                failures += [(case.id(), text) for case, text in _failed(result)]
        if failures:
            raise LaunchTestFailure(failures)

    def repr_failure(self, excinfo, style=None):
        if isinstance(excinfo.value, LaunchTestFailure):
            return LaunchTestFailureRepr(str(self.path), excinfo.value.args[0])
        return super().repr_failure(excinfo, style)

    def reportinfo(self):
        return self.path, 0, f'launch tests: {self.name}'


def _failed(result: unittest.TestResult) -> list[tuple]:
    unexpected = [(case, 'unexpected success') for case in result.unexpectedSuccesses]
    return [*result.errors, *result.failures, *unexpected]


class LaunchTestModule(pytest.File):
    """A test module with a marked generate_test_description."""

    def collect(self):
        module = _import(self.path, self.config)
        yield LaunchTestItem.from_parent(self, name=module.__name__, module=module)


def _import(path: Path, config: pytest.Config):
    return import_path(
        path,
        mode=config.getoption('importmode'),
        root=config.rootpath,
        consider_namespace_packages=config.getini('consider_namespace_packages'),
    )


def pytest_pycollect_makemodule(module_path: Path, parent):
    # Other test modules are not imported here, nor are their errors ours to report.
    if _ENTRY_POINT not in module_path.read_text(encoding='utf-8', errors='replace'):
        return None
    try:
        module = _import(module_path, parent.config)
    except BaseException:  # pytest's own collector imports it again and reports the error
        return None
    marks = getattr(getattr(module, _ENTRY_POINT, None), 'pytestmark', [])
    if not any(mark.name == 'launch_test' for mark in marks):
        return None
    collector = LaunchTestModule.from_parent(parent, path=module_path)
    for mark in marks:
        collector.add_marker(getattr(pytest.mark, mark.name).with_args(*mark.args, **mark.kwargs))
    return collector


def pytest_configure(config) -> None:
    config.addinivalue_line(
        'markers', 'launch_test: the function generate_test_description of a module of launch tests'
    )

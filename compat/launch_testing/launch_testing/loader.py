# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""From a test module to its launches and their tests."""

import functools
import inspect
import unittest
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any

from launch import LaunchDescription

from .actions import ReadyToTest

_DEFAULT_READY_TIMEOUT = 15.0  # s


class _PhaseLoader(unittest.TestLoader):
    """Takes the test cases of one phase, as fresh classes: what a run injects stays in it."""

    def __init__(self, post_shutdown: bool) -> None:
        super().__init__()
        self._post_shutdown = post_shutdown

    def loadTestsFromTestCase(self, testCaseClass: type) -> unittest.TestSuite:
        if getattr(testCaseClass, '__post_shutdown_test__', False) != self._post_shutdown:
            return self.suiteClass()
        fresh = type(
            testCaseClass.__name__, (testCaseClass,), {'__module__': testCaseClass.__module__}
        )
        return super().loadTestsFromTestCase(fresh)


class TestRun:
    """One launch with the tests during it and after it."""

    __test__ = False  # for pytest, which looks at names

    def __init__(
        self, module: ModuleType, name: str, description: Callable, param_args: dict[str, Any]
    ) -> None:
        self.name = name
        self.param_args = param_args
        self.pre_shutdown_tests = _PhaseLoader(False).loadTestsFromModule(module)
        self.post_shutdown_tests = _PhaseLoader(True).loadTestsFromModule(module)
        self.markers = getattr(description, '__markers__', {})
        self.timeout = getattr(
            description, '__ready_to_test_action_timeout__', _DEFAULT_READY_TIMEOUT
        )
        self._description = description
        self._check_signature()

    def __str__(self) -> str:
        if not self.param_args:
            return self.name
        return f'{self.name}[{", ".join(map(str, self.param_args.values()))}]'

    def _check_signature(self) -> None:
        taken = set(inspect.signature(inspect.unwrap(self._description)).parameters)
        for name in set(self.param_args) - taken:
            raise Exception(
                'Could not find an argument in generate_test_description matching '
                f"prametrized argument '{name}'"
            )
        for name in taken - set(self.param_args):
            raise Exception(f"generate_test_description has unexpected extra argument '{name}'")

    def describe(self, ready_fn: Callable[[], None]) -> tuple[LaunchDescription, dict[str, Any]]:
        """The launch description, and what it gives the tests by name."""
        result = self._description()
        description, given = result if isinstance(result, tuple) else (result, {})
        ready = next(_ready_actions(description.entities), None)
        if ready is None:
            raise Exception(
                'generate_test_description functions must return '
                'a LaunchDescription containing a ReadyToTest action'
            )
        ready._add_callback(ready_fn)
        return description, given

    def all_cases(self) -> Iterator[unittest.TestCase]:
        yield from iterate_tests(self.pre_shutdown_tests)
        yield from iterate_tests(self.post_shutdown_tests)


def _ready_actions(entities: Iterable[Any]) -> Iterator[ReadyToTest]:
    for entity in entities:
        if isinstance(entity, ReadyToTest):
            yield entity
        yield from _ready_actions(entity.describe_sub_entities())
        for _, sub_entities in entity.describe_conditional_sub_entities():
            yield from _ready_actions(sub_entities)


def iterate_tests(suite: Any) -> Iterator[unittest.TestCase]:
    if isinstance(suite, unittest.TestSuite):
        for part in suite:
            yield from iterate_tests(part)
    else:
        yield suite


def bind(suite: unittest.TestSuite, attributes: dict[str, Any], arguments: dict[str, Any]) -> None:
    """Give tests what they name as arguments (setUpClass and the like, too) and as self.<name>."""
    classes = []
    for test in iterate_tests(suite):
        if type(test) not in classes:
            classes.append(type(test))
        for name in (test._testMethodName, 'setUp', 'tearDown'):
            setattr(test, name, _with_named_arguments(getattr(test, name), arguments))
    for test_class in classes:
        for name, value in attributes.items():
            setattr(test_class, name, value)
        for name in ('setUpClass', 'tearDownClass'):
            setattr(test_class, name, _with_named_arguments(getattr(test_class, name), arguments))


def _with_named_arguments(function: Callable, arguments: dict[str, Any]) -> Callable:
    wanted = inspect.signature(function).parameters
    return functools.partial(
        function, **{name: value for name, value in arguments.items() if name in wanted}
    )


def LoadTestsFromPythonModule(module: ModuleType, *, name: str = 'launch_tests') -> list[TestRun]:
    """One run, or one for each set of parameters."""
    function = module.generate_test_description
    if getattr(function, '__parametrized__', False):
        descriptions = list(function())
    else:
        descriptions = [(function, {})]
    return [TestRun(module, name, description, args) for description, args in descriptions]

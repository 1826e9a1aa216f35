# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""From a test module to its launches and their tests.

The launch has the main thread (signals and child processes need it), the tests during it have
another one; those after the shutdown have the main thread.
"""

import functools
import inspect
import threading
import unittest
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

from launch.actions import RegisterEventHandler
from launch.event_handlers import OnProcessExit, OnProcessIO, OnProcessStart
from launch.events.process import ProcessExited

from launch import LaunchDescription, LaunchService

from .actions import ReadyToTest
from .handlers import IoHandler, ProcInfoHandler

_DEFAULT_READY_TIMEOUT = 15.0  # s


class LaunchDied(Exception):
    """The launch ended before its tests did; the text shows what the processes have written."""


class _PhaseLoader(unittest.TestLoader):
    """Takes the test cases of one phase, as fresh classes: what a run injects stays in it."""

    def __init__(self, post_shutdown: bool) -> None:
        super().__init__()
        self._post_shutdown = post_shutdown

    def loadTestsFromTestCase(self, testCaseClass: type) -> unittest.TestSuite:
        if getattr(testCaseClass, '__post_shutdown_test__', False) != self._post_shutdown:
            return self.suiteClass()
        content = {'__module__': testCaseClass.__module__}
        fresh = type(testCaseClass.__name__, (testCaseClass,), content)
        return super().loadTestsFromTestCase(fresh)


class LaunchRun:
    """One launch with the tests during it and after it."""

    def __init__(self, module: ModuleType) -> None:
        self._description = module.generate_test_description
        self._active_tests = _PhaseLoader(False).loadTestsFromModule(module)
        self._post_shutdown_tests = _PhaseLoader(True).loadTestsFromModule(module)

    def cases(self) -> list[unittest.TestCase]:
        return [*_cases(self._active_tests), *_cases(self._post_shutdown_tests)]

    def run(self, debug: bool = False) -> list[unittest.TestResult]:
        """Launch, test, shut down, test again; the results of both phases.

        Raises LaunchDied, or unittest.SkipTest if the description was skipped.
        """
        service = LaunchService(debug=debug)
        proc_info, proc_output = ProcInfoHandler(), IoHandler()
        ready, finished = threading.Event(), threading.Event()
        results: list[unittest.TestResult] = []
        described = self._description()
        description, given = described if isinstance(described, tuple) else (described, {})
        action = next(_ready_actions(description.entities), None)
        if action is None:
            raise Exception(
                'generate_test_description functions must return '
                'a LaunchDescription containing a ReadyToTest action'
            )
        action.callbacks.append(ready.set)
        attributes = {'proc_info': proc_info, 'proc_output': proc_output}
        _bind(self._post_shutdown_tests, attributes, given)
        _bind(self._active_tests, attributes | {'launch_service': service}, given)
        timeout = getattr(
            self._description, '__ready_to_test_action_timeout__', _DEFAULT_READY_TIMEOUT
        )

        def run_active_tests() -> None:
            try:
                if ready.wait(timeout):
                    results.append(_run_suite(self._active_tests))
                    finished.set()
            finally:
                service.shutdown()

        recorders = _recorders(proc_info, proc_output)
        service.include_launch_description(LaunchDescription([*recorders, description]))
        threading.Thread(target=run_active_tests, name='test_runner_thread', daemon=True).start()
        service.run()
        if not finished.is_set():
            why = (
                'Launch stopped before the active tests finished.'
                if ready.is_set()
                else f'No ReadyToTest within {timeout:g} s of the start.'
            )
            raise LaunchDied(f'{why}\n{_last_words(proc_info, proc_output)}')
        return [*results, _run_suite(self._post_shutdown_tests)]


def _ready_actions(entities: Iterable[Any]) -> Iterator[ReadyToTest]:
    for entity in entities:
        if isinstance(entity, ReadyToTest):
            yield entity
        yield from _ready_actions(entity.describe_sub_entities())


def _cases(suite: Any) -> Iterator[unittest.TestCase]:
    if isinstance(suite, unittest.TestSuite):
        for part in suite:
            yield from _cases(part)
    else:
        yield suite


def _bind(suite: unittest.TestSuite, attributes: dict[str, Any], given: dict[str, Any]) -> None:
    """Give tests what they name as arguments (setUpClass and the like too) and as self.<name>."""

    def bind(owner: Any, name: str) -> None:
        function = getattr(owner, name)
        wanted = inspect.signature(function).parameters
        arguments = {k: v for k, v in (given | attributes).items() if k in wanted}
        setattr(owner, name, functools.partial(function, **arguments))

    for test_class in {type(test) for test in _cases(suite)}:
        for name, value in attributes.items():
            setattr(test_class, name, value)
        for name in ('setUpClass', 'tearDownClass'):
            bind(test_class, name)
    for test in _cases(suite):
        for name in (test._testMethodName, 'setUp', 'tearDown'):
            bind(test, name)


def _run_suite(suite: unittest.TestSuite) -> unittest.TestResult:
    return unittest.TextTestRunner(verbosity=2).run(suite)


def _recorders(proc_info: ProcInfoHandler, proc_output: IoHandler) -> list[RegisterEventHandler]:
    handlers = (
        OnProcessStart(on_start=lambda event, context: proc_info.append(event)),
        OnProcessExit(on_exit=lambda event, context: proc_info.append(event)),
        OnProcessIO(on_stdout=proc_output.append, on_stderr=proc_output.append),
    )
    return [RegisterEventHandler(handler) for handler in handlers]


def _last_words(proc_info: ProcInfoHandler, proc_output: IoHandler) -> str:
    lines = []
    for event in proc_info:
        if isinstance(event, ProcessExited) and event.returncode != 0:
            output = b''.join(io.text for io in proc_output if io.action is event.action)
            lines.append(f"Process '{event.process_name}' exited with {event.returncode}")
            lines.append(f"##### '{event.process_name}' output #####")
            lines.append(output.decode(errors='replace'))
    return '\n'.join(lines)

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

from launch.actions import IncludeLaunchDescription, RegisterEventHandler
from launch.event_handlers import OnProcessExit, OnProcessIO, OnProcessStart
from launch.events.process import ProcessExited

from launch import LaunchDescription, LaunchDescriptionSource, LaunchService

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

    def __init__(self, module, name, description, param_args) -> None:
        self._name = name
        self._description = description
        self._param_args = param_args
        self._active_tests = _PhaseLoader(False).loadTestsFromModule(module)
        self._post_shutdown_tests = _PhaseLoader(True).loadTestsFromModule(module)
        taken = set(inspect.signature(inspect.unwrap(description)).parameters)
        if taken != set(param_args):
            raise Exception(
                f'generate_test_description takes {sorted(taken)}, but is parametrized with '
                f'{sorted(param_args)}'
            )

    def label(self, case: 'unittest.TestCase | None' = None) -> str:
        name = self._name if case is None else case.id()
        values = ', '.join(map(str, self._param_args.values()))
        return f'{name}[{values}]' if self._param_args else name

    def cases(self) -> list[unittest.TestCase]:
        return [*_cases(self._active_tests), *_cases(self._post_shutdown_tests)]

    def run(self, words: Iterable[str] = (), debug: bool = False) -> list[unittest.TestResult]:
        """Launch, test, shut down, test again; the results of both phases.

        Raises LaunchDied, or unittest.SkipTest if the description was skipped.
        """
        service = LaunchService(debug=debug)
        proc_info, proc_output = ProcInfoHandler(), IoHandler()
        ready, finished = threading.Event(), threading.Event()
        results: list[unittest.TestResult] = []
        arguments = _parse_launch_arguments(words)
        described = self._description()
        description, given = described if isinstance(described, tuple) else (described, {})
        action = next(_ready_actions(description.entities), None)
        if action is None:
            raise Exception(
                'generate_test_description functions must return '
                'a LaunchDescription containing a ReadyToTest action'
            )
        action.callbacks.append(ready.set)
        attributes = {
            'test_args': arguments,
            'proc_info': proc_info,
            'proc_output': proc_output,
        }
        _bind(self._post_shutdown_tests, attributes, given | self._param_args)
        attributes = attributes | {'launch_service': service}
        _bind(self._active_tests, attributes, given | self._param_args)
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

        source = LaunchDescriptionSource(launch_description=description)
        included = IncludeLaunchDescription(source, launch_arguments=arguments.items())
        recorders = _recorders(proc_info, proc_output)
        service.include_launch_description(LaunchDescription([*recorders, included]))
        threading.Thread(target=run_active_tests, name='test_runner_thread', daemon=True).start()
        service.run(shutdown_when_idle=not hasattr(self._description, '__keep_alive__'))
        if not finished.is_set():
            why = (
                'Launch stopped before the active tests finished.'
                if ready.is_set()
                else f'No ReadyToTest within {timeout:g} s of the start.'
            )
            raise LaunchDied(f'{why}\n{_last_words(proc_info, proc_output)}')
        return [*results, _run_suite(self._post_shutdown_tests)]


def load_runs(module: ModuleType, name: str) -> list[LaunchRun]:
    """One run, or one for each set of parameters."""
    function = module.generate_test_description
    rows = function() if hasattr(function, '__parametrized__') else [(function, {})]
    return [LaunchRun(module, name, description, arguments) for description, arguments in rows]


def _parse_launch_arguments(words: Iterable[str]) -> dict[str, str]:
    parsed = {}
    for word in words:
        name, separator, value = word.partition(':=')
        if not name or not separator or not value:
            raise RuntimeError(
                f"malformed launch argument '{word}', expected format '<name>:=<value>'"
            )
        parsed[name] = value
    return parsed


def _ready_actions(entities: Iterable[Any]) -> Iterator[ReadyToTest]:
    for entity in entities:
        if isinstance(entity, ReadyToTest):
            yield entity
        yield from _ready_actions(entity.describe_sub_entities())
        for _, sub_entities in entity.describe_conditional_sub_entities():
            yield from _ready_actions(sub_entities)


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
    def on_start(event: Any, context: Any) -> None:
        proc_info.append(event)
        proc_output.track(event)

    handlers = (
        OnProcessStart(on_start=on_start),
        OnProcessExit(on_exit=lambda event, context: proc_info.append(event)),
        OnProcessIO(on_stdout=proc_output.append, on_stderr=proc_output.append),
    )
    return [RegisterEventHandler(handler) for handler in handlers]


def _last_words(proc_info: ProcInfoHandler, proc_output: IoHandler) -> str:
    lines = []
    for event in proc_info:
        if isinstance(event, ProcessExited) and event.returncode != 0:
            output = b''.join(io.text for io in proc_output[event.action])
            lines.append(f"Process '{event.process_name}' exited with {event.returncode}")
            lines.append(f"##### '{event.process_name}' output #####")
            lines.append(output.decode(errors='replace'))
    return '\n'.join(lines)

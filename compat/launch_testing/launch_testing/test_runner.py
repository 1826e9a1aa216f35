# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Running launches with their tests.

The launch has the main thread (signals and child processes want it), the tests during it have
another one; those after the shutdown have the main thread.
"""

import threading
import unittest
from collections.abc import Iterable
from typing import Any

from launch.actions import IncludeLaunchDescription, RegisterEventHandler
from launch.event_handlers import OnProcessExit, OnProcessIO, OnProcessStart
from launch.events.process import ProcessExited

import launch
from launch import LaunchDescription, LaunchDescriptionSource, LaunchService

from .io_handler import ActiveIoHandler
from .loader import TestRun, bind
from .proc_info_handler import ActiveProcInfoHandler


class LaunchDied(Exception):
    """The launch ended before its tests did; the text tells what processes left behind."""


def parse_launch_arguments(words: Iterable[str]) -> list[tuple[str, str]]:
    parsed = {}
    for word in words:
        name, separator, value = word.partition(':=')
        if not name or not separator or not value:
            raise RuntimeError(
                f"malformed launch argument '{word}', expected format '<name>:=<value>'"
            )
        parsed[name] = value
    return list(parsed.items())


def run_tests(
    test_run: TestRun, launch_arguments: Iterable[str] = (), debug: bool = False
) -> list[unittest.TestResult]:
    """Launch, test, shut down, test again; the results of both phases.

    Raises LaunchDied, or unittest.SkipTest if the description was skipped.
    """
    service = LaunchService(debug=debug)
    proc_info, proc_output = ActiveProcInfoHandler(), ActiveIoHandler()
    ready, finished = threading.Event(), threading.Event()
    results: list[unittest.TestResult] = []
    arguments = parse_launch_arguments(launch_arguments)
    description, given = test_run.describe(ready.set)

    def bind_phase(suite: unittest.TestSuite, **records: Any) -> None:
        attributes = {'test_args': dict(arguments), **records}
        bind(suite, attributes, {**given, **test_run.param_args, **attributes})

    bind_phase(
        test_run.pre_shutdown_tests,
        launch_service=service,
        proc_info=proc_info,
        proc_output=proc_output,
    )
    bind_phase(
        test_run.post_shutdown_tests,
        proc_info=proc_info._proc_info_handler,
        proc_output=proc_output._io_handler,
    )

    def run_active_tests() -> None:
        try:
            if ready.wait(test_run.timeout):
                results.append(_run_suite(test_run.pre_shutdown_tests))
                finished.set()
        finally:
            service.shutdown()

    service.include_launch_description(
        LaunchDescription(
            [
                *_recorders(proc_info, proc_output),
                IncludeLaunchDescription(
                    LaunchDescriptionSource(launch_description=description),
                    launch_arguments=arguments,
                ),
            ]
        )
    )
    threading.Thread(target=run_active_tests, name='test_runner_thread', daemon=True).start()
    service.run(shutdown_when_idle=not test_run.markers.get('keep_alive', False))
    if not finished.is_set():
        why = (
            'Launch stopped before the active tests finished.'
            if ready.is_set()
            else f'No ReadyToTest within {test_run.timeout:g} s of the start.'
        )
        raise LaunchDied(f'{why}\n{_what_processes_left(proc_info, proc_output)}')
    results.append(_run_suite(test_run.post_shutdown_tests))
    return results


def _run_suite(suite: unittest.TestSuite) -> unittest.TestResult:
    return unittest.TextTestRunner(verbosity=2).run(suite)


def _recorders(proc_info: ActiveProcInfoHandler, proc_output: ActiveIoHandler) -> list[Any]:
    def on_start(event: Any, context: launch.LaunchContext) -> None:
        proc_info.append(event)
        proc_output.track(event.process_name)

    return [
        RegisterEventHandler(OnProcessStart(on_start=on_start)),
        RegisterEventHandler(OnProcessExit(on_exit=lambda event, context: proc_info.append(event))),
        RegisterEventHandler(
            OnProcessIO(on_stdout=proc_output.append, on_stderr=proc_output.append)
        ),
    ]


def _what_processes_left(proc_info: ActiveProcInfoHandler, proc_output: ActiveIoHandler) -> str:
    lines = []
    for event in proc_info:
        if isinstance(event, ProcessExited) and event.returncode != 0:
            lines.append(f"Process '{event.process_name}' exited with {event.returncode}")
            lines.append(f"##### '{event.process_name}' output #####")
            output = b''.join(io.text for io in proc_output[event.process_name])
            lines.append(output.decode(errors='replace'))
    return '\n'.join(lines)

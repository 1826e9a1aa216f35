# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""LaunchService from Python: threads, loops, and several runs."""

import asyncio
import signal
import sys
import threading

import pytest
from launch.actions import ExecuteProcess, OpaqueFunction, RegisterEventHandler
from launch.event_handlers import OnProcessStart
from launch.events import Shutdown

import launch
from launch import LaunchDescription, LaunchService


@pytest.fixture(autouse=True)
def own_log_directory(tmp_path, monkeypatch):
    monkeypatch.setenv('ROS_LOG_DIR', str(tmp_path))
    launch.logging.reset()


def sleeping() -> ExecuteProcess:
    return ExecuteProcess(cmd=['sleep', '1000'])


def test_run_returns_0_when_nothing_is_left_and_can_be_called_again():
    calls = []
    service = LaunchService()
    for _ in range(2):
        service.include_launch_description(
            LaunchDescription([OpaqueFunction(function=lambda context: calls.append(1))])
        )
        assert service.run() == 0
    assert len(calls) == 2


@pytest.mark.parametrize('way', ['shutdown', 'emit_event'])
def test_another_thread_may_end_the_launch(way):
    service, started = LaunchService(), threading.Event()
    process = sleeping()
    service.include_launch_description(
        LaunchDescription(
            [RegisterEventHandler(OnProcessStart(on_start=lambda *_: started.set())), process]
        )
    )

    def end():
        assert started.wait(30)
        if way == 'shutdown':
            service.shutdown()
        else:
            service.emit_event(Shutdown(reason='asked'))

    thread = threading.Thread(target=end)
    thread.start()
    assert service.run(shutdown_when_idle=False) == 0
    thread.join()
    assert process.return_code == -signal.SIGINT


def test_another_thread_may_not_run_it():
    errors = []

    def run():
        try:
            LaunchService().run()
        except RuntimeError as error:
            errors.append(str(error))
        except ValueError as error:  # the real one: signals only work in main thread
            errors.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert errors and 'main thread' in errors[0]


def test_signal_handlers_are_given_back():
    def handler(number, frame):
        pass

    former = signal.signal(signal.SIGTERM, handler)
    try:
        service = LaunchService()
        service.include_launch_description(LaunchDescription([]))
        service.run()
        assert signal.getsignal(signal.SIGTERM) is handler
    finally:
        signal.signal(signal.SIGTERM, former)


def test_an_action_is_executed_only_once():
    process = ExecuteProcess(cmd=['true'])
    service = LaunchService()
    service.include_launch_description(LaunchDescription([process, process]))
    assert service.run() == 1


# The last one: the real package needs the loop that asyncio.run takes away.
def test_it_runs_inside_a_loop_of_the_caller():
    service = LaunchService()
    process = ExecuteProcess(cmd=[sys.executable, '-c', 'exit(5)'])
    service.include_launch_description(LaunchDescription([process]))
    assert asyncio.run(service.run_async()) == 0
    assert process.return_code == 5

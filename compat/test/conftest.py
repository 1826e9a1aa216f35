# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Launch files as text, launched in a process of their own, judged by what can be seen outside.

The tests run against whichever `launch` is importable, stand-in or real package, and use nothing
private of either.
"""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import launch

# Under nohup, or in the background of a script, this process ignores SIGHUP or SIGINT, and so would
# every process that a test starts: a handler is not inherited, unlike being ignored.
for _number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda number, frame: None)

IS_STAND_IN = 'compat' in Path(launch.__file__).parts
PATIENCE = 30.0  # s, far beyond anything expected

_RUNNER = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
path, mode, *words = sys.argv[1:]
service = LaunchService(noninteractive=mode == 'noninteractive')
arguments = [tuple(word.split(':=', 1)) for word in words]
service.include_launch_description(LaunchDescription([
    IncludeLaunchDescription(PythonLaunchDescriptionSource(path), launch_arguments=arguments)]))
sys.exit(service.run())
"""

_HEADER = """
import os, signal, sys
from launch import LaunchDescription
from launch.actions import *
from launch.conditions import *
from launch.event_handlers import *
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import *


def py(code, **kwargs):
    kwargs.setdefault('output', 'screen')
    return ExecuteProcess(cmd=[sys.executable, '-uc', code], **kwargs)


def say(*msg, **kwargs):
    return LogInfo(msg=list(msg), **kwargs)
"""


class Launch:
    """A launch that runs; its output goes to a file, so that nothing can block on a pipe."""

    def __init__(self, command: list[str], output: Path, environment: dict[str, str]) -> None:
        self._output = output
        with output.open('wb') as file:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )

    @property
    def text(self) -> str:
        return self._output.read_text(encoding='utf-8', errors='replace')

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    def said(self) -> list[str]:
        """What LogInfo actions have logged."""
        prefix = '[INFO] [launch.user]: '
        return [line[len(prefix) :] for line in self.lines if line.startswith(prefix)]

    def wait_for(self, text: str, count: int = 1) -> None:
        end = time.monotonic() + PATIENCE
        while self.text.count(text) < count:
            assert time.monotonic() < end, f'no {text!r} in:\n{self.text}'
            assert self._process.poll() is None, f'ended without {text!r}:\n{self.text}'
            time.sleep(0.02)

    def signal(self, number: int, group: bool = False) -> None:
        if group:
            os.killpg(self._process.pid, number)
        else:
            self._process.send_signal(number)

    def wait(self) -> int:
        """The return code; then no process of this launch may be left, not even a zombie."""
        try:
            return self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            pytest.fail(f'the launch hangs:\n{self.text}')

    def survivors(self) -> list[int]:
        """Processes of the session other than the launch itself."""
        found = []
        for entry in Path('/proc').iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / 'stat').read_text().rpartition(')')[2].split()
                except OSError:
                    continue
                if int(fields[3]) == self._process.pid and int(entry.name) != self._process.pid:
                    found.append(int(entry.name))
        return found

    def clean_up(self) -> None:
        for pid in [self._process.pid, *self.survivors()]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._process.wait()


@pytest.fixture
def environment(tmp_path):
    """This process's, with log directory and ROS domain of the test's own."""
    result = dict(os.environ, ROS_LOG_DIR=str(tmp_path / 'log'))
    result['ROS_DOMAIN_ID'] = str(1 + (os.getpid() * 31 + hash(tmp_path.name)) % 100)
    result['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    result.pop('OVERRIDE_LAUNCH_PROCESS_OUTPUT', None)
    return result


@pytest.fixture
def write_launch_file(tmp_path):
    def write(body: str, name: str = 'tested.launch.py', header: str = '') -> Path:
        """`body` is what generate_launch_description does."""
        path = tmp_path / name
        function = 'def generate_launch_description():\n' + textwrap.indent(
            textwrap.dedent(body), '    '
        )
        path.write_text(_HEADER + textwrap.dedent(header) + '\n\n' + function)
        return path

    return write


@pytest.fixture
def start(tmp_path, write_launch_file, environment):
    """Launch the body of a launch file and go on; what is left of it is killed at the end."""
    launches = []

    def begin(body: str, *words: str, mode: str = 'noninteractive', header: str = '') -> Launch:
        path = write_launch_file(body, header=header)
        command = [sys.executable, '-c', _RUNNER, str(path), mode, *words]
        output = tmp_path / f'output{len(launches)}.txt'
        launches.append(Launch(command, output, environment))
        return launches[-1]

    yield begin
    for launched in launches:
        launched.clean_up()


@pytest.fixture
def run(start):
    """Launch to the end: (return code, Launch)."""

    def complete(body: str, *words: str, **options) -> tuple[int, Launch]:
        launched = start(body, *words, **options)
        return launched.wait(), launched

    return complete

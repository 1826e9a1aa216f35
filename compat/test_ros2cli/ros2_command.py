# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 ...` in a process of its own, forked from one that has imported what every command imports.

A process with its own streams, signals and exit status is what the contract is about; starting
Python and importing rclpy eighty times is not, and takes longer than most commands.
"""

import multiprocessing
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

# Under nohup, or in the background of a script, this process ignores SIGHUP or SIGINT, and so would
# every command that a test starts: a handler is not inherited, unlike being ignored.
for _number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda number, frame: None)

_PRELOADED = (
    'ros2cli.cli',
    'ros2cli.node',
    'rclpy.action',
    'rclpy.executors',
    'yaml',
    'lifecycle_msgs.srv',
    'rcl_interfaces.srv',
    'sensor_msgs.msg',
    'std_msgs.msg',
)
_fork_server = multiprocessing.get_context('forkserver')
_fork_server.set_forkserver_preload(list(_PRELOADED))


class Result:
    """What a finished command left."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def __repr__(self) -> str:
        return f'exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}'


def _become(words: tuple[str, ...], environment: dict[str, str], folder: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for number, name in ((1, 'out'), (2, 'err')):
        file = os.open(f'{folder}/{name}', os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, number)
    sys.argv = ['ros2', *words]
    from ros2cli.cli import main

    sys.exit(main())


def run_all(
    commands: list[tuple[str, ...]], environment: dict[str, str], timeout: float = 60.0
) -> list[Result]:
    """Run `ros2` with each of these arguments, all at the same time, to the end.

    Raises TimeoutError with what was said until then; nothing is left running.
    """
    with tempfile.TemporaryDirectory() as folder:
        running = []
        for number, words in enumerate(commands):
            place = Path(folder, str(number))
            place.mkdir()
            process = _fork_server.Process(target=_become, args=(words, environment, str(place)))
            process.start()
            running.append((process, place))
        deadline = time.monotonic() + timeout
        for process, _ in running:
            process.join(max(0.0, deadline - time.monotonic()))
        late = [process for process, _ in running if process.exitcode is None]
        for process in late:
            process.kill()
            process.join()
        results = [
            Result(process.exitcode, *(_read(place / name) for name in ('out', 'err')))
            for process, place in running
        ]
    if late:
        raise TimeoutError(f'ros2 {commands} did not end in {timeout} s: {results}')
    return results


def _read(file: Path) -> str:
    return file.read_text(encoding='utf-8', errors='replace') if file.exists() else ''

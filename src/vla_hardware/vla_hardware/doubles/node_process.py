# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A robot that is a process: JSON lines in, one JSON line back for each; and its double."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vla_hardware.drivers.base import Driver


class NodeProcess:
    """module: run with -m. given: its first line. env: of the process; this one's by default."""

    def __init__(self, module: str, given: Any, env: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, '-m', module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )
        self.ask(given)

    def ask(self, what: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(what) + '\n')
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class ProcessDouble:
    """The part of a `DriverDouble` that is the same for every robot in a process of its own.

    process: answers with position, stiff and commands. places: of the robot's joints in its
    position.
    """

    has_wire = True

    def __init__(self, process: NodeProcess, places: Sequence[int]) -> None:
        self._process, self._places = process, list(places)

    def ask(self, what: str) -> dict[str, Any]:
        """Have it do something; its state."""
        return self._process.ask(what)

    def attach(self, driver: Driver) -> Driver:
        return driver

    def position(self) -> np.ndarray:
        return np.array(self.ask('')['position'])[self._places]

    def stiff(self) -> bool:
        return self.ask('')['stiff']

    def commands(self) -> int:
        return self.ask('')['commands']

    def pull_cable(self) -> None:
        self.ask('pull')

    def plug_cable(self) -> None:
        self.ask('plug')

    def freeze(self, frozen: bool) -> None:
        self.ask('freeze' if frozen else 'thaw')

    def enter(self, state: str) -> None:
        self.ask(state or 'end')

    def close(self) -> None:
        self._process.close()

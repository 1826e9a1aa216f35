# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A preflight as a condition of motion, where the configuration requires one.

Arm, resume and start are refused while the record is missing, not passed, expired, or made for
another robot directory, bundle or configuration than the ones of this launch.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from vla_common.clock import steady_now
from vla_common.errors import ConfigError, first_line
from vla_common.parameters import Parameters
from vla_common.preflight_record import Moment, PreflightRecord, digests_of, record_file
from vla_common.scheduling import NormalPriority
from vla_supervisor.conditions import Condition, refuse

REQUIRED = 'required'
PERIOD = 1.0  # s between two looks at the files
STALE = 5.0  # s; a look that takes longer (a disk that hangs) permits nothing
_CLEARS = 'ros2 run vla_bringup preflight passes, with the arguments of this launch'


@dataclass(frozen=True)
class Launched:
    """What the robot runs, as the launch gives it: robot directory, place of the bundle (a
    directory, an address, or empty: not known), digest of the configuration."""

    robot: Path
    bundle: str
    configuration: str

    def digests(self) -> dict[str, str]:
        """Of the files as they are now; empty where one cannot be read."""
        return digests_of(self.robot, self.bundle, self.configuration)


def why_not(path: Path, digests: Mapping[str, str], now: Moment) -> str:
    """Why the record in `path` does not permit motion; empty where it does."""
    try:
        record = PreflightRecord.read(path)
    except ConfigError as error:
        return f'{error.file}: {error.found}'
    return record.why_not(digests, now)


class Preflight:
    """The answer to "is there a valid preflight?", and its condition. Time is an argument.

    `update` is called with each answer; without a recent one the answer is no.
    """

    def __init__(self, required: bool) -> None:
        self.required = required
        self._answer: tuple[float, str] | None = None  # s, why not

    def update(self, now: float, why: str) -> None:
        """why: not; empty: a valid record is there."""
        self._answer = (now, why)

    def why_not(self, now: float) -> str:
        """Why motion is not permitted; empty where it is, or no preflight is required."""
        if not self.required:
            return ''
        if self._answer is None:
            return 'the record was not read yet'
        at, why = self._answer
        if not 0.0 <= now - at <= STALE:
            return f'the record was read {now - at:.0f} s ago: the disk does not answer'
        return why

    def conditions(self, now: float) -> list[Condition]:
        why = self.why_not(now)
        return [refuse('preflight_required', 'supervisor', why, _CLEARS)] if why else []


class PreflightWatch:
    """Reads the record again and again, in a thread: the thread that stops the robot waits for no
    disk."""

    def __init__(
        self, preflight: Preflight, launched: Launched, path: Path, period: float = PERIOD
    ) -> None:
        self._preflight, self._launched, self._path = preflight, launched, path
        self._period = period
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name='preflight', daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with NormalPriority():
            while True:
                try:
                    why = why_not(self._path, self._launched.digests(), Moment.now())
                except Exception as error:  # whatever it is, it permits nothing
                    why = f'{type(error).__name__}: {first_line(error)}'
                self._preflight.update(steady_now(), why)
                if self._ended.wait(self._period):
                    return

    def close(self) -> None:
        """End the thread, which may hang with its disk."""
        self._ended.set()
        self._thread.join(0.2)


def watch_preflight(
    params: Parameters, robot: Path, track: Callable[[Callable[[], object]], None]
) -> Preflight:
    """As the parameters of the node require; `track` ends its thread with the node. robot: its
    directory."""
    preflight = Preflight(params.preflight == REQUIRED)
    if preflight.required:
        launched = Launched(robot, params.preflight_bundle, params.preflight_configuration)
        named = params.preflight_record
        record = Path(named).expanduser() if named else record_file(params.robot)
        track(PreflightWatch(preflight, launched, record).close)
    return preflight

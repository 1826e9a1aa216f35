# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""One fault: what is done, and in which modes the robot may end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from vla_validation.faults.harness import FaultHarness

RUNNING, READY, INACTIVE = 'RUNNING', 'READY', 'INACTIVE'
SAFE_STOP, ESTOP = 'SAFE_STOP', 'ESTOP'
ALONE = 'STAND by the driver alone'
"""The supervisor says nothing any more; the driver has stopped by itself."""

STOPS = (SAFE_STOP, ESTOP, ALONE)


class WentWrongError(AssertionError):
    """Something on the way went otherwise than it must; the text says what."""


@dataclass(frozen=True)
class Fault:
    """See the module.

    Args:
        name: stable, for programs and `--only`.
        expected: outcomes that are right: a mode, or `ALONE`.
        do: makes the fault while its context lasts, and mends it after.
        moving: whether the robot carries out an instruction when it begins.
        watched: s that it is watched where no stop has to follow.
        short: part of the short form, for CI.
        relayed: needs the relay in the middle of the topics; the others do without, because it
            costs time on their way.
    """

    name: str
    expected: tuple[str, ...]
    do: Callable[[FaultHarness], AbstractContextManager[None]]
    moving: bool = True
    watched: float = 2.5
    short: bool = False
    relayed: bool = False


@dataclass(frozen=True)
class FaultOutcome:
    """What came of one fault; `note` says why it is not ok, `before` why the tries before were
    not."""

    name: str
    expected: str
    observed: str
    behaviour: str
    ok: bool
    detection_ms: float | None
    rest_ms: float | None
    worst_excess_rad: float
    fell: bool
    sank: bool
    causes: tuple[str, ...]
    note: str
    tries: int = 1
    before: tuple[str, ...] = ()

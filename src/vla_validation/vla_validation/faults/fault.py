# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A fault: how it is injected, and in which modes the robot may end."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from vla_common.topics import Topic
from vla_validation.faults.harness import FaultHarness

RUNNING, READY, INACTIVE = 'RUNNING', 'READY', 'INACTIVE'
SAFE_STOP, ESTOP = 'SAFE_STOP', 'ESTOP'
ALONE = 'STAND by the driver alone'
"""The supervisor is silent; the driver has stopped by itself."""

STOPS = (SAFE_STOP, ESTOP, ALONE)


class UnexpectedError(AssertionError):
    """The robot did not react to a step of the injection as it must; the text names it."""


@dataclass(frozen=True)
class Fault:
    """See the module.

    Args:
        name: stable, for programs and `--only`.
        expected: outcomes that are right: a mode, or `ALONE`.
        inject: the fault lasts as long as its context.
        moving: whether the robot carries out an instruction when it begins.
        observed_for: s, where no stop has to follow.
        short: part of the short form, for CI.
        relayed: the topic that passes through the relay, which costs latency and processor time.
    """

    name: str
    expected: tuple[str, ...]
    inject: Callable[[FaultHarness], AbstractContextManager[None]]
    moving: bool = True
    observed_for: float = 2.5
    short: bool = False
    relayed: Topic | None = None


@dataclass(frozen=True)
class FaultOutcome:
    """The outcome of one fault. `note`: why it is not ok; `before`: why earlier tries were not."""

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

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The clauses of the driver contract, in the order of a test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vla_validation.driver_contract import faults, grip, operation
from vla_validation.driver_contract.rig import Broken, Rig

ATTEMPTS = 3  # of the clauses that measure time


@dataclass(frozen=True)
class Clause:
    """name: for --only. promise: what the driver does."""

    name: str
    promise: str
    check: Callable[[Rig], str]


def _at_best(check: Callable[[Rig], str]) -> Callable[[Rig], str]:
    """The best of `ATTEMPTS`: a busy computer spoils one now and then, a bad driver each."""

    def best(rig: Rig) -> str:
        for _ in range(ATTEMPTS - 1):
            try:
                return check(rig)
            except Broken:
                pass
        return check(rig)

    return best


CLAUSES = (
    Clause(
        'connect', 'It connects, disconnects, and says when it cannot, in time.', operation.connect
    ),
    Clause(
        'joints',
        'Joints are compared with the robot directory by name, unit, limit.',
        operation.joints,
    ),
    Clause('read', 'Readings are complete, true and in time.', _at_best(operation.read)),
    Clause('write', 'The robot does what is written, in time.', _at_best(operation.write)),
    Clause(
        'first_command',
        'The first command is the measured position; stiffness rises.',
        operation.first_command,
    ),
    Clause('activation', 'Nothing moves when it is connected and activated.', operation.activation),
    Clause('stale', 'A stale state is an error, never the last value again.', faults.stale),
    Clause('stop', 'It stops in time from every state.', faults.stop),
    Clause('gripper', 'A grip outlasts every stop, and ends by command.', grip.gripper),
    Clause('not_finite', 'What is not finite never reaches the robot.', faults.not_finite),
    Clause(
        'reconnect', 'A cut connection damps, and its return resumes nothing.', faults.reconnect
    ),
    Clause('errors', 'Each error of the robot has a cause and what to do.', faults.errors),
    Clause('hung_loop', 'A hung or killed process commands nothing more.', faults.hung_loop),
    Clause('cost', 'Reading and writing at 200 Hz cost little.', _at_best(faults.cost)),
)

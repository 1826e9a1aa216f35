# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Late chunks reach the filter as the node would join them, and what that does is counted."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from vla_safety.pipeline import Chunk
from vla_validation.blending.policy_episodes import MODES, JoiningPipeline

TIMES = 0.1 * np.arange(1, 17)
JOINTS = np.array([0, 2])


@dataclass
class Output:
    velocity: np.ndarray


@dataclass
class Body:
    """As much of a robot and of a filter as is looked at."""

    joint_names: tuple[str, ...] = ('a', 'b', 'c')
    accepted: list = field(default_factory=list)
    ticks: int = 0

    def reset(self, position):
        self.accepted.clear()

    def accept(self, chunk, now):
        self.accepted.append(chunk)
        return []

    def tick(self, now, period, position, velocity):
        self.ticks += 1
        return Output(np.array([0.5 * self.ticks**2, 100.0, 0.0]))


def flat(position, stamp):
    return Chunk(JOINTS, TIMES, np.full((16, 2), position), stamp)


@pytest.mark.parametrize('mode', MODES)
def test_a_chunk_that_contradicts_the_one_before_steps_unless_it_is_blended(mode):
    body = Body()
    joining = JoiningPipeline(body, body, mode)
    joining.reset(np.zeros(3))
    for i in range(5):
        joining.accept(flat(0.0, 0.1 * i), 0.1 * i + 0.04)
    joining.accept(flat(0.3, 0.5), 0.54)
    steps = [border[0] for border in joining.borders]
    assert len(steps) == 5 and steps[:4] == pytest.approx([0.0] * 4)
    wanted = {'replace': (0.29, 0.31), 'ensemble': (0.01, 0.15), 'rtc': (0.0, 0.01)}[mode]
    assert wanted[0] <= steps[4] <= wanted[1]
    assert len(body.accepted) == 6
    # What only the new chunk speaks of is as it says.
    assert body.accepted[-1].positions[-1] == pytest.approx(0.3)


def test_a_chunk_that_is_past_is_dropped_and_jerk_is_that_of_the_moved_joints():
    body = Body()
    joining = JoiningPipeline(body, body, 'rtc')
    joining.reset(np.zeros(3))
    assert joining.jerk == 0.0
    assert joining.accept(flat(0.0, 0.0), 1.7) == [] and not body.accepted
    for i in range(20):
        joining.tick(0.01 * i, 0.01, np.zeros(3), np.zeros(3))
    # Velocities 0.5 n^2 of one joint and 0 of the other: 1 / 0.01^2 and 0, RMS.
    assert joining.jerk == pytest.approx(1e4 / np.sqrt(2.0))

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Random places, each with the answer to "is this possible here" from inverse kinematics.

Few cubes of a dataset lie at the border of what a hand reaches, and all tasks of a scene share its
few cubes. Without images an answer costs a few milliseconds, so the border is sampled densely.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vla_models.dataset.frames import Frames
from vla_models.goals import Goals, Target
from vla_models.tasks import ALL_TASKS, Reason, Task, TaskKind
from vla_models.training.options import TrainingOptions
from vla_robot import load_robot

KINDS = {TaskKind.REACH: 0.7, TaskKind.POINT: 0.2, TaskKind.LOOK: 0.1}  # shares
BEYOND = 0.02  # m, by which places exceed those of the cubes in the data
SIZES = (0.038, 0.055)  # m, edges of the cubes in `Scene.sample`


@dataclass(frozen=True)
class LabelledPlaces:
    """place (N, 3) m in the base frame; frame (N,): number of the frame whose posture is meant;
    tasks (N,); reason (N,): Reason.POSSIBLE or Reason.OUT_OF_REACH."""

    place: np.ndarray
    frame: np.ndarray
    tasks: tuple[Task, ...]
    reason: np.ndarray

    def __len__(self) -> int:
        return len(self.reason)


def label_places(
    frames: Frames,
    chosen: np.ndarray,
    options: TrainingOptions,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> LabelledPlaces | None:
    """`options.places` of them over the region of the cubes, at the height of one, in the postures
    of random frames among `chosen`; None where none are wanted. Raises ConfigError where the data's
    robot is not known here."""
    count = options.places
    if not count:
        return None
    robot = load_robot(frames.layout.robot)
    goals, rng = Goals(robot), np.random.default_rng((options.seed, 2))
    columns = [robot.index[name] for name in frames.layout.state_joints]
    cubes = np.array(frames.cubes[chosen])
    there = np.isfinite(cubes).all(-1)
    low = cubes[there].min(0)[:2] - BEYOND
    high = cubes[there].max(0)[:2] + BEYOND
    rows = rng.choice(np.flatnonzero(there.any(1)), count)
    tasks_of = {kind: [t for t in ALL_TASKS if t.kind is kind] for kind in KINDS}
    kinds = rng.choice(len(KINDS), count, p=list(KINDS.values()))
    place, tasks, reason = np.empty((count, 3)), [], np.empty(count, np.int64)
    for i, row in enumerate(rows):
        heights = cubes[row][there[row]][:, 2]
        place[i] = (*rng.uniform(low, high), rng.choice(heights))
        candidates = tasks_of[tuple(KINDS)[kinds[i]]]
        task = candidates[rng.integers(len(candidates))]
        posture = robot.poses['standing'].copy()
        posture[columns] = frames.state[chosen[row]]
        target = goals.upright(posture, Target(place[i], float(rng.uniform(*SIZES))))
        feasible = goals.feasible(task, target)
        reason[i] = Reason.POSSIBLE if feasible else Reason.OUT_OF_REACH
        tasks.append(task)
        progress(i + 1, count)
    return LabelledPlaces(place, chosen[rows], tuple(tasks), reason)

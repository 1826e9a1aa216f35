# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Recording of frames with their labels: the expert's chunks for several instructions, and what the
policy's other answers should be (possible here, done)."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from vla_models.dataset import DatasetLayout, Episode, Labels
from vla_models.dataset.images import Squarer
from vla_models.expert import PERIOD, Expert
from vla_models.goals import Target
from vla_models.scenes import named_colours, target_of
from vla_models.success import momentary_error, tolerance_of
from vla_models.tasks import ALL_TASKS, COLOURS, HANDS, TASK_INDEX, Reason, Task, TaskKind
from vla_robot import RobotModel
from vla_sim import Renderer, World

IMPOSSIBLE = 0.15  # share of the labels whose task is not possible in the scene
NEAR = (0.02, 0.15)  # rad, deviation of a posture about a goal
LOOKING_DOWN, LOOKING_AHEAD = 0.6, 0.35  # rad of head pitch: on the table; above it
SIDEWAYS = 0.35  # rad of head yaw with which the whole table is still in view
# How often a kind is a label; most often those that need the image.
LABELLED = {
    TaskKind.REACH: 3.0,
    TaskKind.POINT: 2.2,
    TaskKind.LOOK: 2.0,
    TaskKind.WAVE: 1.2,
    TaskKind.REST: 0.6,
    TaskKind.READY: 0.6,
    TaskKind.STAND: 0.6,
}


@dataclass(frozen=True)
class SceneTasks:
    """Tasks of one scene: possible ones, and those that are about a cube that is not there or out
    of reach."""

    possible: tuple[Task, ...]
    impossible: tuple[Task, ...] = ()


class Judge:
    """Whether a task is achieved in a posture, given the cubes in the base frame."""

    def __init__(self, robot: RobotModel) -> None:
        self._kinematics = robot.kinematics()
        self._arms = [robot.groups[f'{hand}_arm'] for hand in HANDS]
        self._poses = {
            name: [robot.poses[name][arm] for arm in self._arms] for name in ('standing', 'ready')
        }

    def done(self, task: Task, q: np.ndarray, cubes: dict[str, np.ndarray]) -> bool:
        """q (n,) rad; cubes: colour to centre, m."""
        if task.has_target and task.colour not in cubes:
            return False
        names = {TaskKind.REST: ('standing',), TaskKind.READY: ('ready',)}
        poses = [self._poses[name] for name in names.get(task.kind, ('standing', 'ready'))]
        self._kinematics.update(q)
        arms = [q[arm] for arm in self._arms]
        error = momentary_error(task, self._kinematics.frame, cubes, task.colour, arms, poses)
        return bool(error < tolerance_of(task.kind))


class FrameRecorder:
    """Records frames of one scene: image, joint positions, and labels as in `layout`."""

    def __init__(
        self,
        expert: Expert,
        renderer: Renderer,
        square: Squarer,
        tasks: SceneTasks,
        rng: np.random.Generator,
        layout: DatasetLayout,
    ) -> None:
        self.expert, self.renderer, self.rng = expert, renderer, rng
        self.labels, self._judged = layout.labels, list(layout.judged)
        self._square, self._tasks = square, tasks
        self._judge = Judge(expert.robot)
        self._head = expert.robot.groups['head']
        weights = np.array([LABELLED[task.kind] for task in tasks.possible])
        self._weights = weights / weights.sum()
        self._columns: dict[str, list] = defaultdict(list)

    def targets(self, world: World) -> dict[str, tuple[Target, np.ndarray]]:
        """By colour: each cube in the base frame, and its pixel."""
        return {
            colour: target_of(world, self.renderer, name, world.scene.cube(name).size)
            for colour, name in named_colours(world.scene).items()
        }

    def _draw(self, count: int) -> list[Task]:
        possible, impossible = self._tasks.possible, self._tasks.impossible
        bad = int(self.rng.binomial(count, IMPOSSIBLE)) if impossible else 0
        bad = min(bad, len(impossible))
        good = self.rng.choice(len(possible), count - bad, replace=False, p=self._weights)
        wrong = self.rng.choice(len(impossible), bad, replace=False) if bad else ()
        return [possible[i] for i in good] + [impossible[i] for i in wrong]

    def record(
        self, world: World, position: np.ndarray, first: tuple[Task, float] | None = None
    ) -> None:
        """One frame; `position` (n,) rad is measured. Labelled for the task `first`, at its time in
        s since the instruction began, and for others; without it, for others only."""
        count = self.labels - (first is not None)
        labelled = [(task, self.rng.uniform(0.0, PERIOD)) for task in self._draw(count)]
        if first is not None:
            labelled.insert(0, first)
        targets = self.targets(world)
        rows: dict[str, list] = defaultdict(list)
        for task, elapsed in labelled:
            for key, value in self._label(task, elapsed, position, targets).items():
                rows[key].append(value)
        image, _ = self.renderer.render(world.qpos)
        rows['image'] = self._square(image)
        rows['state'] = position
        rows['task'] = [TASK_INDEX[task] for task, _ in labelled]
        cubes, pixels = np.full((len(COLOURS), 3), np.nan), np.full((len(COLOURS), 2), np.nan)
        for colour, (target, pixel) in targets.items():
            if colour in COLOURS:
                place = COLOURS.index(colour)
                cubes[place], pixels[place] = target.position, pixel
        rows['cubes'], rows['cube_pixels'] = cubes, pixels
        for key, row in rows.items():
            self._columns[key].append(row)

    def _label(
        self,
        task: Task,
        elapsed: float,
        position: np.ndarray,
        targets: dict[str, tuple[Target, np.ndarray]],
    ) -> dict[str, object]:
        """Everything about one task in one frame."""
        target, pixel = targets.get(task.colour, (None, None)) if task.has_target else (None, None)
        known = target is not None and target.in_view
        possible = task not in self._tasks.impossible
        angle = 2 * np.pi * elapsed / PERIOD
        # What is impossible is not attempted: the arms wait above the table.
        chunk = self.expert.chunk(task, position, elapsed, target if possible else None)
        cubes = {colour: target.position for colour, (target, _) in targets.items()}
        moved = self.expert.joints
        near = chunk[-1] + self.rng.normal(0.0, self.rng.uniform(*NEAR), len(moved))
        q = np.repeat(position[None], len(self._judged) + 2, axis=0)
        q[1:-1, moved], q[-1, moved] = chunk[self._judged], near
        return {
            'action': chunk,
            'phase': (np.sin(angle), np.cos(angle)),
            'target': target.position if known else np.full(3, np.nan),
            'pixel': pixel if known else np.full(2, np.nan),
            'reason': self._reason(task, possible, target, position),
            'near': near,
            'done': [float(self._judge.done(task, posture, cubes)) for posture in q],
        }

    def _reason(
        self, task: Task, possible: bool, target: Target | None, position: np.ndarray
    ) -> int:
        if target is not None:
            # The scene was judged in another posture; how the torso leans moves the border.
            goals = self.expert.goals
            if possible != goals.feasible(task, goals.upright(position, target)):
                return Reason.UNKNOWN
        if possible:
            return Reason.POSSIBLE
        if target is not None:
            return Reason.OUT_OF_REACH if target.in_view else Reason.UNKNOWN
        yaw, pitch, _ = position[self._head]
        if pitch < LOOKING_AHEAD:  # it will look down first
            return Reason.POSSIBLE
        down = pitch > LOOKING_DOWN and abs(yaw) < SIDEWAYS
        return Reason.NO_SUCH_CUBE if down else Reason.UNKNOWN

    def episode(self, task: Task) -> Episode:
        """All frames, as an episode of `task`."""
        columns = {key: np.array(value) for key, value in self._columns.items()}
        image, state = columns.pop('image'), columns.pop('state')
        return Episode(
            task=task,
            image=image,
            state=state,
            action=columns['action'][:, 0, 0],
            labels=Labels(**columns),
        )


def absent(scene_colours: dict[str, str]) -> list[Task]:
    """The tasks about colours that the scene has not."""
    return [task for task in ALL_TASKS if task.has_target and task.colour not in scene_colours]

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Success criteria in metres and radians, from the ground truth of the simulator.

A criterion must hold over the last part of an episode.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from vla_models.inverse_kinematics import FINGERS
from vla_models.tasks import HANDS, Task, TaskKind
from vla_sim import World

HOLD = 0.5  # s at the end, without interruption
WAVE_WINDOW = 4.0  # s at the end, for a wave
REACH = 0.08  # m between finger tips and the cube's centre (3 cm above its top is 5 to 6 cm)
POINT = 0.20  # rad between the fingers' direction and the line from finger tips to the cube
LOOK = 0.12  # rad between the camera's axis and the line to the cube
POSTURE = 0.15  # rad, the largest joint error of a posture
WAVE_HEIGHT = 0.45  # m above the base (the shoulder is at 0.50)
WAVE_SWING = 0.10  # m, peak to peak, sideways
WAVE_TURNS = 2  # changes of direction


def _angle(a: np.ndarray, b: np.ndarray) -> float:
    cosine = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.arccos(np.clip(cosine, -1.0, 1.0)))


Pose = tuple[np.ndarray, np.ndarray]
"""Rotation (3, 3) and position (3,) m of a frame."""


def momentary_error(
    task: Task,
    frame: Callable[[str], Pose],
    cubes: Mapping[str, np.ndarray],
    wanted: str | None,
    arms: Sequence[np.ndarray],
    poses: Sequence[Sequence[np.ndarray]],
) -> float:
    """The error of one instant: m (reach) or rad; infinite where another cube is nearer; of a wave
    0 while the right hand is up and the other down, else 1.

    frame: poses of frames, in the frame of `cubes` (name to centre, m), of which `wanted` is meant.
    arms: angles of the arms; poses: those of the postures that are right, the nearest counts.
    """

    def nearest(measure: dict[str, float]) -> float:
        best = min(measure, key=measure.__getitem__)
        return measure[wanted] if best == wanted else float('inf')

    if task.kind is TaskKind.LOOK:
        rotation, position = frame('head_camera')
        return nearest({n: _angle(rotation[:, 2], at - position) for n, at in cubes.items()})
    if task.kind in (TaskKind.REACH, TaskKind.POINT):
        rotation, tip = frame(f'{task.hand}_hand')
        if task.kind is TaskKind.REACH:
            return nearest({n: float(np.linalg.norm(at - tip)) for n, at in cubes.items()})
        fingers = rotation @ FINGERS
        return nearest({n: _angle(fingers, at - tip) for n, at in cubes.items()})
    if task.kind is TaskKind.WAVE:
        other = HANDS[1 - HANDS.index(task.hand)]
        rotation, origin = frame('base')
        height, idle = (
            (rotation.T @ (frame(f'{hand}_hand')[1] - origin))[2] for hand in (task.hand, other)
        )
        return 0.0 if height > WAVE_HEIGHT > idle else 1.0
    return min(
        max(float(np.abs(q - goal).max()) for q, goal in zip(arms, pose, strict=True))
        for pose in poses
    )


def tolerance_of(kind: TaskKind) -> float:
    """The upper bound of the error: m, rad, or 1/2 for the posture of a wave."""
    kinds = {TaskKind.REACH: REACH, TaskKind.POINT: POINT, TaskKind.LOOK: LOOK, TaskKind.WAVE: 0.5}
    return kinds.get(kind, POSTURE)


class SuccessCriterion:
    """The criterion of one episode: `update` at a constant rate, then `success`.

    start: name of the initial pose, '' for one without a name. path: m of motion of the finger tips
    in the base frame, of the named hand, or the left.
    """

    def __init__(self, world: World, task: Task, cube: str | None, start: str) -> None:
        self.world, self.task, self.cube = world, task, cube
        self._arms = {hand: world.robot.groups[f'{hand}_arm'] for hand in HANDS}
        # stand keeps the initial pose; rest and ready are poses.
        pose = {TaskKind.REST: 'standing', TaskKind.READY: 'ready'}.get(task.kind, start or 'ready')
        self._pose = [world.robot.poses[pose][arm] for arm in self._arms.values()]
        self._times: list[float] = []
        self._errors: list[float] = []
        self._tips: list[np.ndarray] = []
        self.path = 0.0
        self.fallen = False

    def _base(self, point: np.ndarray) -> np.ndarray:
        rotation, position = self.world.frame_pose('base')
        return rotation.T @ (point - position)

    def momentary(self) -> float:
        """The error now."""
        world = self.world
        cubes = {cube.name: world.cube_position(cube.name) for cube in world.scene.cubes}
        q = world.joint_position
        arms = [q[arm] for arm in self._arms.values()]
        return momentary_error(self.task, world.frame_pose, cubes, self.cube, arms, [self._pose])

    def update(self, time: float) -> None:
        """Measure the world at `time` s of the episode."""
        self.fallen = self.fallen or self.world.fallen
        self._times.append(time)
        self._errors.append(self.momentary())
        hand = self.task.hand or 'left'
        self._tips.append(self._base(self.world.frame_pose(f'{hand}_hand')[1]))
        if len(self._tips) > 1:
            self.path += float(np.linalg.norm(self._tips[-1] - self._tips[-2]))

    def settled(self) -> float | None:
        """s from which the error stayed below the tolerance, or None."""
        bad = [t for t, e in zip(self._times, self._errors, strict=True) if not e < self.tolerance]
        if not bad:
            return self._times[0]
        return next((t for t in self._times if t > bad[-1]), None)

    def held_at(self) -> float | None:
        """s at which the error had stayed below the tolerance for HOLD the first time, or None."""
        since = None
        for time, error in zip(self._times, self._errors, strict=True):
            if not error < self.tolerance:
                since = None
            elif since is None:
                since = time
            elif time - since >= HOLD - 1e-9:
                return time
        return None

    @property
    def tolerance(self) -> float:
        """As `tolerance_of`."""
        return tolerance_of(self.task.kind)

    def error(self) -> float:
        """The largest error in the final window."""
        window = WAVE_WINDOW if self.task.kind is TaskKind.WAVE else HOLD
        since = self._times[-1] - window
        return max(e for t, e in zip(self._times, self._errors, strict=True) if t >= since)

    def success(self) -> bool:
        """Reached, held, and without a fall."""
        if self.fallen or not self.error() < self.tolerance:
            return False
        if self.task.kind is not TaskKind.WAVE:
            return True
        times, tips = np.array(self._times), np.array(self._tips)
        side = tips[times >= times[-1] - WAVE_WINDOW, 1]
        middle = (side.max() + side.min()) / 2
        swing = side.max() - side.min()
        # Crossings of the middle band, so that tremor does not count.
        state = np.where(side > middle + swing / 4, 1, np.where(side < middle - swing / 4, -1, 0))
        state = state[state != 0]
        turns = int((np.diff(state) != 0).sum())
        return bool(swing > WAVE_SWING and turns >= WAVE_TURNS)


FIRST_HELD = 0.15  # s for which the first step of two must be achieved


class TwoStepCriterion(SuccessCriterion):
    """The second step at the end, after the first was achieved for FIRST_HELD."""

    def __init__(self, world: World, tasks: Sequence[Task], cubes: Sequence[str | None]) -> None:
        super().__init__(world, tasks[1], cubes[1], '')
        self._first = SuccessCriterion(world, tasks[0], cubes[0], '')
        self._since: float | None = None
        self.first_at: float | None = None

    def update(self, time: float) -> None:
        super().update(time)
        if not self._first.momentary() < self._first.tolerance:
            self._since = None
        elif self._since is None:
            self._since = time
        elif self.first_at is None and time - self._since >= FIRST_HELD:
            self.first_at = time

    def held_at(self) -> float | None:
        found = super().held_at()
        return None if self.first_at is None or found is None else max(found, self.first_at)

    def success(self) -> bool:
        """Both, in this order."""
        return self.first_at is not None and super().success()

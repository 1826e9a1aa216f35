# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Success criteria in metres and radians, from the ground truth of the simulator.

A criterion must hold over the last part of an episode.
"""

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
        self._pose = world.robot.poses[pose]
        self._times: list[float] = []
        self._errors: list[float] = []
        self._tips: list[np.ndarray] = []
        self.path = 0.0
        self.fallen = False

    def _base(self, point: np.ndarray) -> np.ndarray:
        rotation, position = self.world.frame_pose('base')
        return rotation.T @ (point - position)

    def _nearest(self, measure: dict[str, float]) -> float:
        """The measure of the right cube; infinite where another cube is nearer."""
        best = min(measure, key=measure.__getitem__)
        return measure[self.cube] if best == self.cube else float('inf')

    def _error(self) -> float:
        world, kind = self.world, self.task.kind
        cubes = {cube.name: world.cube_position(cube.name) for cube in world.scene.cubes}
        if kind is TaskKind.LOOK:
            rotation, position = world.frame_pose('head_camera')
            rays = {name: _angle(rotation[:, 2], at - position) for name, at in cubes.items()}
            return self._nearest(rays)
        if kind in (TaskKind.REACH, TaskKind.POINT):
            rotation, tip = world.frame_pose(f'{self.task.hand}_hand')
            if kind is TaskKind.REACH:
                far = {name: float(np.linalg.norm(at - tip)) for name, at in cubes.items()}
                return self._nearest(far)
            fingers = rotation @ FINGERS
            return self._nearest({n: _angle(fingers, at - tip) for n, at in cubes.items()})
        q = world.joint_position
        if kind is TaskKind.WAVE:
            other = HANDS[1 - HANDS.index(self.task.hand)]
            height = self._base(world.frame_pose(f'{self.task.hand}_hand')[1])[2]
            idle = self._base(world.frame_pose(f'{other}_hand')[1])[2]
            return 0.0 if height > WAVE_HEIGHT > idle else 1.0
        return max(float(np.abs(q[a] - self._pose[a]).max()) for a in self._arms.values())

    def update(self, time: float) -> None:
        """Measure the world at `time` s of the episode."""
        self.fallen = self.fallen or self.world.fallen
        self._times.append(time)
        self._errors.append(self._error())
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

    @property
    def tolerance(self) -> float:
        """The upper bound of the error: m, rad, or 1/2 for the posture of a wave."""
        kinds = {
            TaskKind.REACH: REACH,
            TaskKind.POINT: POINT,
            TaskKind.LOOK: LOOK,
            TaskKind.WAVE: 0.5,
        }
        return kinds.get(self.task.kind, POSTURE)

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

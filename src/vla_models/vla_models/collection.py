# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Collection: scenes, postures and images are sampled; the expert says what to do from each.

Kinematic: nothing is stepped. That is cheap, covers states that no successful run visits (a policy
that strays has been shown the way back), and start postures cannot betray the goal. That the
motion is executable is what `evaluate` proves in physics.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vla_inference.bundle import ImageInput
from vla_inference.preprocess import ImagePreprocessor
from vla_models.dataset import DatasetInfo
from vla_models.expert import HORIZON, PERIOD, STEP, Expert, Target
from vla_models.seeing import named_colours, target_of
from vla_models.tasks import ALL_TASKS, HANDS, TASK_INDEX, Kind, Task
from vla_robot import RobotModel
from vla_sim import Renderer, Scene, World

IMAGE_SIZE = 112
LABELS = 6  # instructions per image
FRAMES_PER_EPISODE = 8
# How often a kind is asked of an image; what needs eyes is asked most.
WEIGHTS = {
    Kind.STAND: 0.6,
    Kind.REST: 0.6,
    Kind.READY: 0.6,
    Kind.WAVE: 1.2,
    Kind.LOOK: 2.0,
    Kind.POINT: 2.0,
    Kind.REACH: 3.0,
}


@dataclass(frozen=True)
class _Seen:
    target: Target
    pixel: np.ndarray


class PostureSampler:
    """Postures that a policy may meet, drawn without regard to what it will be asked."""

    def __init__(self, expert: Expert) -> None:
        self.expert = expert
        self.robot = expert.robot
        self._poses = self.robot.poses

    def _arm(self, hand: str, rng: np.random.Generator) -> np.ndarray:
        joints = self.robot.groups[f'{hand}_arm']
        standing, tucked, ready = (self._poses[p][joints] for p in ('standing', 'tucked', 'ready'))
        share = rng.random()
        kind = rng.choice(6, p=(0.36, 0.12, 0.16, 0.08, 0.12, 0.16))
        if kind == 0:  # on the way to a place over the table that has nothing to do with the scene
            side = 1.0 if hand == 'left' else -1.0
            place = np.array(
                [rng.uniform(0.29, 0.47), side * rng.uniform(-0.1, 0.27), rng.uniform(0.03, 0.13)]
            )
            target = Target(place, rng.uniform(0.038, 0.055))
            way = self.expert.reach if rng.random() < 0.6 else self.expert.point
            goal = way(hand, target)[0]
            end = goal.joints
            if goal.transit is not None and rng.random() < 0.4:
                end = goal.transit
            # Most time is spent near the end, where a motion is slow.
            arm = ready + np.sqrt(share) * (end - ready)
        elif kind == 1:
            arm = ready
        elif kind == 2:
            arm = standing + share * (tucked - standing)
        elif kind == 3:
            arm = tucked + share * (ready - tucked)
        elif kind == 4:
            arm = standing
        else:
            wave = self.expert.wave_posture(hand, rng.uniform(0, 2 * np.pi))
            arm = ready + np.sqrt(share) * (wave - ready)
        return arm + rng.normal(0.0, rng.choice((0.015, 0.06)), len(joints))

    def _head(self, rng: np.random.Generator) -> np.ndarray:
        table = self._poses['ready'][self.robot.groups['head']]
        kind = rng.choice(4, p=(0.5, 0.25, 0.13, 0.12))
        if kind == 0:
            head = table
        elif kind == 1:  # looking somewhere at the table
            head = np.array([rng.uniform(-0.9, 0.9), rng.uniform(0.7, 1.1), 0.0])
        elif kind == 2:
            head = table * rng.random()
        else:
            head = np.zeros(3)
        return head + rng.normal(0.0, rng.choice((0.01, 0.05)), 3)

    def sample(self, torso: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A whole posture (n,) rad inside the joint limits; legs stand, the torso is given."""
        q = self._poses['standing'].copy()
        q[self.robot.groups['torso']] = torso
        q[self.robot.groups['head']] = self._head(rng)
        self.expert.at(q)
        for hand in HANDS:
            q[self.robot.groups[f'{hand}_arm']] = self._arm(hand, rng)
        limits = self.robot.limits
        return np.clip(q, limits.lower + 0.01, limits.upper - 0.01)


def _sway(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """How the base of a balancing robot strays: (3,) m and a small rotation vector (3,) rad."""
    return rng.normal(0, (0.01, 0.01, 0.003)), rng.normal(0, (0.01, 0.015, 0.015))


def _rotated(quaternion: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Quaternion (w, x, y, z) turned by a small rotation vector."""
    w, x, y, z = quaternion
    a, b, c = vector / 2
    turned = np.array(
        [
            w - a * x - b * y - c * z,
            x + a * w + b * z - c * y,
            y + b * w + c * x - a * z,
            z + c * w + a * y - b * x,
        ]
    )
    return turned / np.linalg.norm(turned)


class Collector:
    """Makes the arrays of episodes. Deterministic: episode number and seed decide everything."""

    def __init__(self, robot: RobotModel, seed: int, backend: str = 'auto') -> None:
        self.robot = robot
        self.seed = seed
        self.backend = backend
        self.expert = Expert(robot)
        self.postures = PostureSampler(self.expert)
        # The very code that the robot's images go through, without the normalisation.
        spec = ImageInput(
            'image', 'head', IMAGE_SIZE, IMAGE_SIZE, 'nhwc', (0, 255), (0,) * 3, (1,) * 3, 'stretch'
        )
        self._preprocess = ImagePreprocessor(spec)

    def info(self) -> DatasetInfo:
        """What to write into `dataset.json`."""
        return DatasetInfo(
            robot=self.robot.name,
            joints=self.expert.names,
            horizon=HORIZON,
            step=STEP,
            period=PERIOD,
            image_size=IMAGE_SIZE,
            labels=LABELS,
            seed=self.seed,
        )

    def _pixels(self, image: np.ndarray) -> np.ndarray:
        return np.rint(self._preprocess(image)[0]).astype(np.uint8)

    def _possible(self, world: World) -> list[Task]:
        """Tasks that can be done in a scene, from where the robot stands."""
        self.expert.at(world.joint_position)
        rotation, position = world.frame_pose('base')
        targets = {}
        for colour, name in named_colours(world.scene).items():
            place = rotation.T @ (world.cube_position(name) - position)
            targets[colour] = Target(place, world.scene.cube(name).size)
        return [
            task
            for task in ALL_TASKS
            if task.colour is None
            or (task.colour in targets and self.expert.feasible(task, targets[task.colour]))
        ]

    def _choose(self, possible: list[Task], rng: np.random.Generator) -> list[Task]:
        """LABELS of them, different ones where there are enough."""
        counts = {kind: sum(t.kind is kind for t in possible) for kind in Kind}
        weights = np.array([WEIGHTS[task.kind] / counts[task.kind] for task in possible])
        twice = len(possible) < LABELS  # a scene of other colours: tasks without a cube are left
        chosen = rng.choice(len(possible), LABELS, replace=twice, p=weights / weights.sum())
        return [possible[i] for i in chosen]

    def episode(self, number: int) -> dict[str, np.ndarray]:
        """Arrays of one scene seen from FRAMES_PER_EPISODE postures (see `dataset`)."""
        rng = np.random.default_rng((self.seed, number))
        scene = Scene.sample(int(rng.integers(2**31)), cubes=(3, 5))
        world = World(self.robot, scene)
        world.reset('standing')
        camera = self.robot.camera
        renderer = Renderer(self.robot, scene, camera.width, camera.height, backend=self.backend)
        sizes = {cube.name: cube.size for cube in scene.cubes}
        base = world.qpos
        shift, turn = _sway(rng)
        base[:3] += shift
        base[3:7] = _rotated(base[3:7], turn)
        world.set_state(base)
        torso = self.robot.groups['torso']
        lean = world.joint_position[torso].copy()
        possible = self._possible(world)
        addresses = [int(world.model.joint(name).qposadr[0]) for name in self.robot.joint_names]
        columns: dict[str, list] = {key: [] for key in ('image', 'state', 'task', 'phase')}
        columns |= {key: [] for key in ('action', 'target', 'pixel')}
        for _ in range(FRAMES_PER_EPISODE):
            q = self.postures.sample(lean, rng)
            qpos = base.copy()
            qpos[addresses] = q
            world.set_state(qpos, np.zeros_like(world.qvel))
            image, _ = renderer.render(qpos)
            seen = {
                colour: _Seen(*target_of(world, renderer, name, sizes[name]))
                for colour, name in named_colours(scene).items()
            }
            tasks = self._choose(possible, rng)
            rows: dict[str, list] = {key: [] for key in ('phase', 'action', 'target', 'pixel')}
            for task in tasks:
                elapsed = rng.uniform(0.0, PERIOD)
                look = seen.get(task.colour) if task.has_target else None
                rows['action'].append(
                    self.expert.chunk(task, q, elapsed, look.target if look else None)
                )
                angle = 2 * np.pi * elapsed / PERIOD
                rows['phase'].append((np.sin(angle), np.cos(angle)))
                known = look is not None and look.target.in_view
                rows['target'].append(look.target.position if known else np.full(3, np.nan))
                rows['pixel'].append(look.pixel if known else np.full(2, np.nan))
            columns['image'].append(self._pixels(image))
            columns['state'].append(q[self.expert.joints])
            columns['task'].append([TASK_INDEX[task] for task in tasks])
            for key, value in rows.items():
                columns[key].append(value)
        renderer.close()
        arrays = {key: np.array(value) for key, value in columns.items()}
        arrays['episode'] = np.full(FRAMES_PER_EPISODE, number)
        return arrays


def shard_arrays(collector: Collector, episodes: range) -> dict[str, np.ndarray]:
    """The arrays of a whole shard."""
    parts = [collector.episode(number) for number in episodes]
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

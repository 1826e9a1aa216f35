# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Collection: the expert does tasks in physics, through the safety filter; successes are kept.

An episode is one scene, one start posture and one instruction that is carried out. In part of them
the robot is led astray on its way, so that the way back is shown too (Laskey et al., "DART: Noise
injection for robust imitation learning", 2017). Every frame is labelled besides with what the
expert, which has no memory, would do from it for other instructions: one image, several words, and
only the words tell them apart.

Glimpses are cheaper: a scene seen from a few postures that nobody moved to, with the same labels.
They show many more scenes and postures that have nothing to do with any goal. They teach what a
cube looks like from where; that the motions succeed is what the demonstrations stand for.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice

import mujoco
import numpy as np

from vla_models.dataset import DatasetLayout, Episode, Labels
from vla_models.expert import HORIZON, PERIOD, STEP, Expert
from vla_models.goals import Target
from vla_models.postures import PostureSampler
from vla_models.rollout import TIMESTEP, Body, run
from vla_models.scene_truth import named_colours, target_of
from vla_models.scenes import possible, sample_scene, sample_task
from vla_models.success import SuccessCriterion
from vla_models.tasks import ALL_TASKS, TASK_INDEX, Task, TaskKind
from vla_policy.bundle.model_inputs import ImageInput
from vla_policy.preprocess import ImagePreprocessor
from vla_policy.types import Observation
from vla_robot import RobotModel
from vla_safety.parameters import FilterParameters
from vla_sim import Renderer, Scene, SensorNoise, World

IMAGE_SIZE = 112
LABELS = 6  # instructions per frame; the first is the one that is carried out
POOL = 6  # reaching and pointing tasks of a scene from which labels are drawn
GLIMPSES = 1_000_000  # attempts from this number on are glimpses
GLIMPSE_FRAMES = 12
DURATION = 9.0  # s at most
SPACING = (0.1, 0.3)  # s between frames
IDLE = 3.0  # times as long while no cube is in view: there is nothing to learn to see
DWELL = 0.4  # s that an episode goes on after success
LED_ASTRAY = 0.4  # share of the episodes
# How often a kind is carried out.
EXECUTED = {
    TaskKind.REACH: 0.34,
    TaskKind.POINT: 0.24,
    TaskKind.LOOK: 0.20,
    TaskKind.REST: 0.07,
    TaskKind.WAVE: 0.05,
    TaskKind.READY: 0.06,
    TaskKind.STAND: 0.04,
}
# How often a kind is a label; what needs eyes is asked most.
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
class Perturbation:
    """For a while, targets that are `offset` (k,) rad off; from `begin` to `end` s."""

    begin: float
    end: float
    offset: np.ndarray

    @classmethod
    def sample(cls, count: int, rng: np.random.Generator) -> Perturbation | None:
        """One for an episode, or none."""
        if rng.random() >= LED_ASTRAY:
            return None
        begin = rng.uniform(0.2, 2.2)
        offset = rng.normal(0.0, 0.15, count) * (rng.random(count) < 0.5)
        return cls(begin, begin + rng.uniform(0.3, 0.7), np.clip(offset, -0.35, 0.35))


@dataclass
class EpisodeFrames:
    """What has been written down so far."""

    image: list = field(default_factory=list)
    state: list = field(default_factory=list)
    task: list = field(default_factory=list)
    action: list = field(default_factory=list)
    phase: list = field(default_factory=list)
    target: list = field(default_factory=list)
    pixel: list = field(default_factory=list)


class Scribe:
    """Writes down frames of one scene: what is seen, felt, and what the expert would do."""

    def __init__(
        self,
        expert: Expert,
        renderer: Renderer,
        preprocess: ImagePreprocessor,
        tasks: list[Task],
        rng: np.random.Generator,
    ) -> None:
        """`tasks` are those that can be asked here."""
        self.expert, self.renderer, self.rng = expert, renderer, rng
        self._preprocess, self._tasks = preprocess, tasks
        weights = np.array([LABELLED[task.kind] for task in tasks])
        self._weights = weights / weights.sum()
        self._frames = EpisodeFrames()

    def targets(self, world: World) -> dict[str, tuple[Target, np.ndarray]]:
        """By colour: each cube in the base frame and in the image."""
        return {
            colour: target_of(world, self.renderer, name, world.scene.cube(name).size)
            for colour, name in named_colours(world.scene).items()
        }

    def write(
        self, world: World, position: np.ndarray, first: tuple[Task, float] | None = None
    ) -> None:
        """A frame of the world now, `position` (n,) measured; labelled for the `first` task, at
        its time since the instruction began, s, and for others; without it, for others only."""
        count = min(LABELS - (first is not None), len(self._tasks))
        chosen = self.rng.choice(len(self._tasks), count, replace=False, p=self._weights)
        asked = [(self._tasks[i], self.rng.uniform(0.0, PERIOD)) for i in chosen]
        if first is not None:
            asked.insert(0, first)
        targets = self.targets(world)
        rows: dict[str, list] = {key: [] for key in ('action', 'phase', 'target', 'pixel')}
        for task, elapsed in asked:
            target, pixel = targets[task.colour] if task.has_target else (None, None)
            known = target is not None and target.in_view
            angle = 2 * np.pi * elapsed / PERIOD
            rows['action'].append(self.expert.chunk(task, position, elapsed, target))
            rows['phase'].append((np.sin(angle), np.cos(angle)))
            rows['target'].append(target.position if known else np.full(3, np.nan))
            rows['pixel'].append(pixel if known else np.full(2, np.nan))
        image, _ = self.renderer.render(world.qpos)
        self._frames.image.append(np.rint(self._preprocess(image)[0]).astype(np.uint8))
        self._frames.state.append(position)
        self._frames.task.append([TASK_INDEX[task] for task, _ in asked])
        for key, row in rows.items():
            getattr(self._frames, key).append(row)

    def episode(self, task: Task) -> Episode:
        """All frames, as an episode of `task`."""
        columns = {key: np.array(value) for key, value in vars(self._frames).items()}
        image, state = columns.pop('image'), columns.pop('state')
        return Episode(
            task=task,
            image=image,
            state=state,
            action=columns['action'][:, 0, 0],
            labels=Labels(**columns),
        )


class Demonstrator:
    """The expert at work (a `rollout.Brain`), and written down."""

    def __init__(self, scribe: Scribe, task: Task, detour: Perturbation | None) -> None:
        self.scribe, self.task, self.detour = scribe, task, detour
        self.joints = scribe.expert.joints
        self._next = 0.0

    def propose(self, world: World, observation: Observation) -> np.ndarray:
        """See `rollout.Brain`."""
        now, scribe = observation.elapsed, self.scribe
        targets = scribe.targets(world)
        target = targets[self.task.colour][0] if self.task.has_target else None
        if now >= self._next:
            seen = any(each.in_view for each, _ in targets.values())
            self._next = now + scribe.rng.uniform(*SPACING) * (1.0 if seen else IDLE)
            scribe.write(world, observation.position, (self.task, now))
        chunk = scribe.expert.chunk(self.task, observation.position, now, target)
        if self.detour is not None and self.detour.begin <= now < self.detour.end:
            return chunk + self.detour.offset
        return chunk


class Collector:
    """Makes episodes. Deterministic: an attempt's number and the seed decide everything."""

    def __init__(
        self, robot: RobotModel, seed: int, parameters: FilterParameters, backend: str = 'auto'
    ) -> None:
        self.robot, self.seed, self.backend = robot, seed, backend
        self.expert = Expert(robot)
        self.body = Body(robot, parameters)
        self.postures = PostureSampler(self.expert)
        # The very code that the robot's images go through, without the normalisation.
        spec = ImageInput(
            'image', 'head', IMAGE_SIZE, IMAGE_SIZE, 'nhwc', (0, 255), (0,) * 3, (1,) * 3, 'stretch'
        )
        self._preprocess = ImagePreprocessor(spec)

    @staticmethod
    def layout(robot: RobotModel, seed: int) -> DatasetLayout:
        """What the dataset is made of."""
        return DatasetLayout(
            robot=robot.name,
            state_joints=tuple(robot.joint_names),
            action_joints=Expert(robot).names,
            fps=1.0 / STEP,
            image_size=IMAGE_SIZE,
            horizon=HORIZON,
            step=STEP,
            period=PERIOD,
            labels=LABELS,
            seed=seed,
        )

    def attempt(self, number: int) -> Episode | str:
        """Glimpses from `GLIMPSES` on, demonstrations below; or why there is none."""
        rng = np.random.default_rng((self.seed, number))
        return self._glimpses(rng) if number >= GLIMPSES else self._demonstration(rng)

    def _glimpses(self, rng: np.random.Generator) -> Episode:
        """One scene from GLIMPSE_FRAMES postures that have nothing to do with one another."""
        scene = sample_scene(rng)
        world = World(self.robot, scene, seed=int(rng.integers(2**31)))
        world.reset('standing')
        tasks = self._askable(world, rng)
        renderer = self._renderer(scene)
        scribe = Scribe(self.expert, renderer, self._preprocess, tasks, rng)
        shift, turn = sway(rng)  # one for all: what the expert has solved for a cube stays good
        for _ in range(GLIMPSE_FRAMES):
            world.reset(self.postures.sample(rng))
            displace(world, shift, turn)
            scribe.write(world, world.read().position)
        renderer.close()
        episode = scribe.episode(tasks[0])
        return replace(episode, task=ALL_TASKS[int(episode.labels.task[0, 0])])

    def _renderer(self, scene: Scene) -> Renderer:
        camera = self.robot.camera
        size = (camera.width, camera.height)
        seed = int(scene.digest, 16)  # of the pixels' noise
        return Renderer(self.robot, scene, *size, backend=self.backend, seed=seed)

    def _demonstration(self, rng: np.random.Generator) -> Episode | str:
        kind = TaskKind(rng.choice([kind.value for kind in EXECUTED], p=list(EXECUTED.values())))
        scene, task = sample_task(self.robot, self.expert.goals, rng, kind)
        world = World(
            self.robot,
            scene,
            timestep=TIMESTEP,
            seed=int(rng.integers(2**31)),
            sensor_noise=SensorNoise.typical(),
        )
        start = self._start(world, kind, rng)
        others = [other for other in self._askable(world, rng) if other != task]
        renderer = self._renderer(scene)
        detour = (
            None if kind is TaskKind.STAND else Perturbation.sample(len(self.expert.joints), rng)
        )
        scribe = Scribe(self.expert, renderer, self._preprocess, others, rng)
        brain = Demonstrator(scribe, task, detour)
        cube = named_colours(scene)[task.colour] if task.has_target else None
        judge = SuccessCriterion(world, task, cube, start)
        quiet_from = detour.end if detour else 0.0
        since: list[float] = []

        def finished(now: float) -> bool:
            if now < quiet_from or not judge.success():
                since.clear()
                return False
            since.append(now)
            return now - since[0] >= DWELL

        try:
            outcome = run(world, self.body, brain, judge, task.name, DURATION, finished=finished)
        finally:
            renderer.close()
        if outcome.fallen:
            return f'{task.name}: the robot fell'
        if outcome.violations:
            return f'{task.name}: {outcome.violations} commands outside of limits'
        if not judge.success():
            return f'{task.name}: not done after {outcome.seconds:.1f} s'
        return scribe.episode(task)

    def _start(self, world: World, kind: TaskKind, rng: np.random.Generator) -> str:
        """Reset `world` to a start posture; its name ('' for one that has none)."""
        share = rng.random()
        if kind is TaskKind.STAND or share < 0.4:
            name = 'standing' if rng.random() < 0.5 else 'ready'
            name = {TaskKind.READY: 'standing', TaskKind.REST: 'ready'}.get(kind, name)
            world.reset(name)
            return name
        for _ in range(20):
            world.reset(self.postures.sample(rng))
            if not touching(world):
                return ''
        world.reset('ready')
        return 'ready'

    def _askable(self, world: World, rng: np.random.Generator) -> list[Task]:
        """What can be asked here: all that costs nothing to check, and POOL of what does."""
        arms = [task for task in ALL_TASKS if task.kind in (TaskKind.REACH, TaskKind.POINT)]
        rest = [task for task in ALL_TASKS if task not in arms]
        order = (arms[i] for i in rng.permutation(len(arms)))
        goals = self.expert.goals
        return [*possible(world, goals, rest), *islice(possible(world, goals, order), POOL)]


def sway(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """How the base of a balancing robot strays: (3,) m, and a rotation vector (3,) rad."""
    return rng.normal(0.0, (0.01, 0.01, 0.003)), rng.normal(0.0, (0.01, 0.015, 0.015))


def displace(world: World, shift: np.ndarray, turn: np.ndarray) -> None:
    """Move the base of the robot."""
    qpos = world.qpos
    qpos[:3] += shift
    turned = qpos[3:7].copy()
    mujoco.mju_quatIntegrate(turned, turn, 1.0)
    qpos[3:7] = turned
    world.set_state(qpos)


def touching(world: World) -> bool:
    """Whether the robot touches anything but the floor with its feet."""
    for contact in world.contacts:
        pair = {contact.first, contact.second}
        cubes = {cube.name for cube in world.scene.cubes}
        if pair & cubes and pair <= cubes | {'table', 'world'}:
            continue
        if not any('foot' in name for name in pair):
            return True
    return False

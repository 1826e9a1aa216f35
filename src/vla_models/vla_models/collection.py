# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Collection of demonstrations: the expert acts in physics on the path of the robot (`rollout`).

An episode is one scene, one start posture and one instruction; only successes are kept. A part of
the episodes is perturbed, so that the way back is demonstrated too (Laskey et al., "DART: Noise
injection for robust imitation learning", 2017). Each frame is also labelled with the expert's
chunks for other instructions, so that only the words tell the samples of one image apart.

Static views are cheaper: one scene from a few postures that nothing moved to, with the same labels.
They show many more scenes and postures, unrelated to any goal.
"""

from dataclasses import dataclass, replace
from typing import Self

import mujoco
import numpy as np

from vla_models.agents import ExpertPolicy
from vla_models.dataset import DatasetLayout, Episode
from vla_models.dataset.images import Squarer
from vla_models.expert import HORIZON, PERIOD, STEP, Expert
from vla_models.postures import PostureSampler
from vla_models.recording import FrameRecorder, SceneTasks, absent
from vla_models.robot_stack import RobotStack
from vla_models.rollout import TIMESTEP, Rollout
from vla_models.scenes import named_colours, possible, sample_scene, sample_task
from vla_models.success import SuccessCriterion
from vla_models.tasks import ALL_TASKS, COLOURS, Task, TaskKind
from vla_policy.types import ActionChunk, Observation
from vla_robot import RobotModel
from vla_sim import Renderer, Scene, SensorNoise, World

IMAGE_SIZE = 112
LABELS = 6  # instructions per frame; the first is the demonstrated one
POOL = 6  # reaching and pointing tasks of a scene from which labels are drawn
FIRST_STATIC = 1_000_000  # attempts from this number on are static views
STATIC_FRAMES = 12
DURATION = 9.0  # s at most
SPACING = (0.1, 0.3)  # s between frames
IDLE = 3.0  # times as long while no cube is in view: such images teach nothing
DWELL = 0.4  # s of the episode after success
PERTURBED = 0.4  # share of the episodes
# How often a kind is demonstrated.
EXECUTED = {
    TaskKind.REACH: 0.34,
    TaskKind.POINT: 0.24,
    TaskKind.LOOK: 0.20,
    TaskKind.REST: 0.07,
    TaskKind.WAVE: 0.05,
    TaskKind.READY: 0.06,
    TaskKind.STAND: 0.04,
}


@dataclass(frozen=True)
class Perturbation:
    """An offset (k,) rad on the targets from `begin` to `end` s."""

    begin: float
    end: float
    offset: np.ndarray

    @classmethod
    def sample(cls, count: int, rng: np.random.Generator) -> Self | None:
        """That of an episode, or None."""
        if rng.random() >= PERTURBED:
            return None
        begin = rng.uniform(0.2, 2.2)
        offset = rng.normal(0.0, 0.15, count) * (rng.random(count) < 0.5)
        return cls(begin, begin + rng.uniform(0.3, 0.7), np.clip(offset, -0.35, 0.35))


class Demonstrator(ExpertPolicy):
    """The expert with an optional perturbation; its frames are recorded."""

    def __init__(
        self, recorder: FrameRecorder, world: World, task: Task, perturbation: Perturbation | None
    ) -> None:
        super().__init__(recorder.expert, world, recorder.renderer, task)
        self._recorder, self._perturbation = recorder, perturbation
        self._next = 0.0

    def predict(self, observation: Observation) -> ActionChunk:
        now, recorder = observation.elapsed, self._recorder
        targets = recorder.targets(self.world)
        if now >= self._next:
            in_view = any(each.in_view for each, _ in targets.values())
            self._next = now + recorder.rng.uniform(*SPACING) * (1.0 if in_view else IDLE)
            recorder.record(self.world, observation.position, (self.task, now))
        target = targets[self.task.colour][0] if self.task.has_target else None
        chunk = self.chunk(observation, target)
        offset = self._perturbation
        if offset is not None and offset.begin <= now < offset.end:
            return replace(chunk, positions=chunk.positions + offset.offset)
        return chunk


class Collector:
    """Makes episodes. Deterministic: each follows from the seed and the number of the attempt.

    filter_file: parameters of the safety filter, None for the installed ones.
    """

    def __init__(
        self, robot: RobotModel, seed: int, filter_file: str | None = None, backend: str = 'auto'
    ) -> None:
        self.robot, self.seed, self.backend = robot, seed, backend
        self.expert = Expert(robot)
        self.stack = RobotStack(robot, filter_file)
        self.postures = PostureSampler(self.expert)
        self._square = Squarer(IMAGE_SIZE)
        self._layout = self.layout(robot, seed)

    @staticmethod
    def layout(robot: RobotModel, seed: int) -> DatasetLayout:
        """The layout of the dataset."""
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
            cubes=len(COLOURS),
        )

    def attempt(self, number: int) -> Episode | str:
        """Static views from `FIRST_STATIC` on, demonstrations below; or the reason for none."""
        rng = np.random.default_rng((self.seed, number))
        return self._static_views(rng) if number >= FIRST_STATIC else self._demonstration(rng)

    def _static_views(self, rng: np.random.Generator) -> Episode:
        """One scene from STATIC_FRAMES unrelated postures."""
        scene = sample_scene(rng)
        world = World(self.robot, scene, seed=int(rng.integers(2**31)))
        world.reset('standing')
        tasks = self._tasks(world, rng)
        renderer = self._renderer(scene)
        recorder = FrameRecorder(self.expert, renderer, self._square, tasks, rng, self._layout)
        shift, turn = sway(rng)  # one for all frames: the expert's cached goals stay valid
        for _ in range(STATIC_FRAMES):
            world.reset(self.postures.sample(rng))
            displace(world, shift, turn)
            recorder.record(world, world.read().position)
        renderer.close()
        episode = recorder.episode(tasks.possible[0])
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
        others = self._tasks(world, rng, task)
        renderer = self._renderer(scene)
        perturbation = None
        if kind is not TaskKind.STAND:
            perturbation = Perturbation.sample(len(self.expert.joints), rng)
        recorder = FrameRecorder(self.expert, renderer, self._square, others, rng, self._layout)
        cube = named_colours(scene)[task.colour] if task.has_target else None
        criterion = SuccessCriterion(world, task, cube, start)
        undisturbed_from = perturbation.end if perturbation else 0.0
        since: list[float] = []

        def finished(now: float) -> bool:
            if now < undisturbed_from or not criterion.success():
                since.clear()
                return False
            since.append(now)
            return now - since[0] >= DWELL

        with renderer:
            demonstrator = Demonstrator(recorder, world, task, perturbation)
            rollout = Rollout(self.stack, world, demonstrator)
            outcome = rollout.run(task.name, criterion, DURATION, finished)
        if outcome.fallen:
            return f'{task.name}: the robot fell'
        if outcome.violations:
            return f'{task.name}: {outcome.violations} commands outside of the limits'
        if not criterion.success():
            return f'{task.name}: no success after {outcome.seconds:.1f} s'
        return recorder.episode(task)

    def _start(self, world: World, kind: TaskKind, rng: np.random.Generator) -> str:
        """Reset `world` to a start posture; its name, '' for one without a name."""
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

    def _tasks(
        self, world: World, rng: np.random.Generator, without: Task | None = None
    ) -> SceneTasks:
        """Tasks of this scene, except `without`: all that cost nothing to check, POOL of the
        others, and impossible ones."""
        arms = [task for task in ALL_TASKS if task.kind in (TaskKind.REACH, TaskKind.POINT)]
        missing = absent(named_colours(world.scene))
        rest = [task for task in ALL_TASKS if task not in arms and task not in missing]
        goals = self.expert.goals
        good = list(possible(world, goals, rest))
        bad = [task for task in rest if task not in good]
        order = [arms[i] for i in rng.permutation(len(arms)) if arms[i] not in missing]
        found: list[Task] = []
        for task in order:
            if len(found) == POOL:
                break
            (found if task in possible(world, goals, (task,)) else bad).append(task)
        chosen = [missing[i] for i in rng.permutation(len(missing))[: POOL // 2 + 1]]
        kept = [task for task in (*good, *found) if task != without]
        return SceneTasks(tuple(kept), (*bad, *chosen))


def sway(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The sway of a balancing base: (3,) m, and a rotation vector (3,) rad."""
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
    """Whether the robot touches anything other than the floor with its feet."""
    for contact in world.contacts:
        pair = {contact.first, contact.second}
        cubes = {cube.name for cube in world.scene.cubes}
        if pair & cubes and pair <= cubes | {'table', 'world'}:
            continue
        if not any('foot' in name for name in pair):
            return True
    return False

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Obstacles at the edge of what a task needs.

The scripted policy's own path, without physics, is the reference: an obstacle is moved towards it
until the arms' least distance on the whole path is the wanted clearance (by MuJoCo). So a free path
of a known width exists for every obstacle.

    beside       a box on the table beside the cube (or the hand)
    above        a bar over the cube
    second_arm   a bar across the table in front of the hand: what another arm's path sweeps
    table_edge   the table itself, known to the filter; its place is the task's
    workspace    the hands' workspace ends at the clearance around their path
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import coal
import numpy as np

from vla_models.expert import STEP, Expert
from vla_models.goals import Target
from vla_models.scenarios import Scenario
from vla_models.scenes import named_colours
from vla_models.tasks import HANDS, TaskKind
from vla_robot import RobotModel
from vla_robot.collision import Obstacle
from vla_safety.coupled.limits import CoupledSettings
from vla_sim import Scene, World
from vla_sim.scene import Solid
from vla_validation.filter_cost.clearance import SEEN, Clearance, arm_links

KINDS = ('beside', 'above', 'second_arm', 'table_edge', 'workspace')
CLEARANCES = (0.005, 0.015, 0.03, 0.05, 0.08)
"""m, of which each episode draws one."""
NAME = 'obstacle'
PATH_SECONDS = 9.0
BISECTIONS = 12
GAP = 0.005  # m between an obstacle and the cubes


@dataclass(frozen=True)
class Course:
    """A scene, and what the filter knows about it.

    Attributes:
        kind: one of KINDS; '' without an obstacle.
        clearance: m, the least on the scripted policy's path; SEEN where it is more.
        names: bodies of the scene that count as obstacles.
        workspace: (lower, upper) (3,) m of the hands, or None for that of the settings.
    """

    scene: Scene
    kind: str = ''
    clearance: float = SEEN
    names: tuple[str, ...] = ()
    known: tuple[Obstacle, ...] = ()
    workspace: tuple[tuple[float, ...], tuple[float, ...]] | None = None

    def settings(self, coupled: CoupledSettings) -> CoupledSettings:
        """Those of the filter in this scene."""
        if self.workspace is None:
            return coupled
        return replace(coupled, lower=self.workspace[0], upper=self.workspace[1])


def scripted_path(expert: Expert, scenario: Scenario, target: Target | None) -> np.ndarray:
    """(m, n) rad at intervals of STEP: the scripted policy, followed exactly."""
    q = expert.robot.poses[scenario.start].copy()
    path = [q.copy()]
    for k in range(round(PATH_SECONDS / STEP)):
        q[expert.joints] = expert.chunk(scenario.task, q, k * STEP, target)[0]
        path.append(q.copy())
    return np.array(path)


def make_course(
    robot: RobotModel, expert: Expert, scenario: Scenario, coupled: CoupledSettings, seed: int
) -> Course:
    """The course of one episode, drawn from `seed` and the scenario's number."""
    rng = np.random.default_rng((9_000_011, seed, scenario.number))
    kind = str(rng.choice(KINDS))
    wanted = float(rng.choice(CLEARANCES))
    scene, task = scenario.scene, scenario.task
    world = World(robot, scene)
    world.reset(robot.poses[scenario.start])
    cube = scene.cube(named_colours(scene)[task.colour]) if task.has_target else None
    target = None
    if cube is not None:
        rotation, origin = world.frame_pose('base')
        target = Target(rotation.T @ (np.array(cube.position) - origin), cube.size)
    path = scripted_path(expert, scenario, target)
    if kind == 'workspace':
        return _narrow(world, path, wanted, coupled)
    if kind == 'table_edge':
        table = scene.table
        height = table.height - table.thickness / 2
        solid = Solid('table', (*table.size, table.thickness), (*table.position, height))
        return replace(
            _measured(world, path, scene, 'table'), kind=kind, known=(_known(world, solid),)
        )
    return _slide(robot, world, path, scenario, kind, wanted, rng, cube)


def _narrow(world: World, path: np.ndarray, wanted: float, coupled: CoupledSettings) -> Course:
    clearance = Clearance(world, ())
    points = []
    for q in path:
        clearance.place(q)
        points += [clearance.hand(f'{hand}_hand') for hand in HANDS]
    lower = np.maximum(np.min(points, axis=0) - wanted, coupled.lower)
    upper = np.minimum(np.max(points, axis=0) + wanted, coupled.upper)
    ends = tuple(lower.tolist()), tuple(upper.tolist())
    return Course(world.scene, 'workspace', wanted, workspace=ends)


def _measured(world: World, path: np.ndarray, scene: Scene, name: str) -> Course:
    least = _least(Clearance(world, (name,)), path)
    return Course(scene, clearance=least, names=(name,))


def _least(clearance: Clearance, path: np.ndarray) -> float:
    least = SEEN
    for q in path:
        clearance.place(q)
        least = min(least, clearance.to_obstacles())
    return least


def _slide(
    robot: RobotModel,
    world: World,
    path: np.ndarray,
    scenario: Scenario,
    kind: str,
    wanted: float,
    rng: np.random.Generator,
    cube: object,
) -> Course:
    """Move an obstacle from far away to near, until its distance is the wanted one."""
    scene, hand = scenario.scene, scenario.task.hand or str(rng.choice(HANDS))
    top = scene.table.height
    if cube is not None and scenario.task.kind is not TaskKind.LOOK:
        x, y, edge = cube.position[0], cube.position[1], cube.size
    else:
        clearance = Clearance(world, ())
        clearance.place(path[-1])
        rotation, origin = world.frame_pose('base')
        x, y = (origin + rotation @ clearance.hand(f'{hand}_hand'))[:2]
        edge = 0.0
    if kind == 'beside':
        size, side = (0.06, 0.06, 0.16), float(rng.choice((-1.0, 1.0)))
        near = 0.03 + 0.75 * edge + GAP

        def at(share: float) -> tuple[float, float, float]:
            return x, y + side * (near + share * 0.5), top + size[2] / 2 + 1e-4
    elif kind == 'above':
        size = (0.04, 0.40, 0.04)

        def at(share: float) -> tuple[float, float, float]:
            return x, y, top + edge + 0.05 + share * 0.6
    else:
        size = (0.06, 0.50, 0.06)

        def at(share: float) -> tuple[float, float, float]:
            return x + 0.03 + edge + share * 0.5, y, top + 0.15

    trial = World(robot, _with(scene, Solid(NAME, size, at(1.0)), cube))
    trial.reset(robot.poses[scenario.start])
    clearance = Clearance(trial, (NAME,))
    body = clearance.model.body(NAME)

    def distance(share: float) -> float:
        body.pos[:] = at(share)
        return _least(clearance, path)

    share = _bisect(distance, wanted)
    solid = Solid(NAME, size, tuple(float(v) for v in at(share)))
    return Course(
        _with(scene, solid, cube), kind, distance(share), (NAME,), (_known(world, solid),)
    )


def _bisect(distance: Callable[[float], float], wanted: float) -> float:
    """The least share of the way out, from 0, at which the distance is the wanted one or more."""
    low, high = 0.0, 1.0
    if distance(low) >= wanted:
        return low
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if distance(middle) >= wanted else (middle, high)
    return high


def _with(scene: Scene, solid: Solid, target: object) -> Scene:
    """The scene with a solid, without the cubes in its place."""
    half, place = np.array(solid.size) / 2, np.array(solid.position)

    def free(cube) -> bool:
        reach = half + np.array([0.75, 0.75, 0.5]) * cube.size + GAP
        return cube is target or bool((np.abs(np.array(cube.position) - place) > reach).any())

    return replace(scene, cubes=tuple(c for c in scene.cubes if free(c)), solids=(solid,))


def _known(world: World, solid: Solid) -> Obstacle:
    """A solid as the filter has it: fixed to a foot that stands, or to the base."""
    robot = world.robot
    anchor = next(iter(robot.foot_boxes), 'base')
    rotation, origin = world.frame_pose(anchor)
    place = rotation.T @ (np.array(solid.position) - origin)
    shapes = ((coal.Box(*solid.size), rotation.T, place),)
    return Obstacle(solid.name, anchor, shapes, arm_links(robot))

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Surroundings: read from files, and avoided."""

import pathlib

import numpy as np
import pytest
import trimesh
from test_barriers import ROBOT, Arm

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_robot.collision import CollisionModel, wrench
from vla_safety.coupled.surroundings import load_surroundings
from vla_safety.violations import ViolationKind

GOOD = """format: 1
anchor: left_foot
links: [left_palm, right_palm]
solids:
  table: {box: [0.5, 1.2, 0.04], position: [0.55, -0.1, 0.78]}
  shelf: {mesh: shelf.stl, scale: 0.001, position: [0.0, -0.1, 0.0], rpy: [0, 0, 0.1]}
"""

WRONG = {
    'flat_hull': ('mesh: shelf.stl', 'mesh: flat.stl, convex: true', 'solids.shelf.mesh'),
    'convex': ('mesh: shelf.stl', 'mesh: shelf.stl, convex: maybe', 'solids.shelf.convex'),
    'format': ('format: 1', 'format: 2', 'format: found 2'),
    'anchor': ('left_foot', 'left_hoof', 'anchor: found left_hoof'),
    'link': ('[left_palm,', '[left_paw,', 'links[0]: found left_paw'),
    'two_shapes': ('{box: [0.5, 1.2, 0.04]', '{sphere: 0.1, box: [1, 1, 1]', 'solids.table'),
    'capsule': ('box: [0.5, 1.2, 0.04]', 'capsule: [0.1]', 'solids.table.capsule'),
    'sphere': ('box: [0.5, 1.2, 0.04]', 'sphere: -1', 'solids.table.sphere'),
    'both': ('{box: [0.5, 1.2, 0.04]', '{mesh: a.stl, box: [1, 1, 1]', 'solids.table'),
    'neither': ('{box: [0.5, 1.2, 0.04], ', '{', 'solids.table'),
    'flat': ('[0.5, 1.2, 0.04]', '[0.5, 1.2, 0]', 'solids.table.box'),
    'missing_mesh': ('shelf.stl', 'nowhere.stl', 'solids.shelf.mesh'),
    'no_mesh': ('shelf.stl', 'text.stl', 'solids.shelf.mesh'),
    'place': ('[0.55, -0.1, 0.78]', '[0.55, -0.1]', 'solids.table.position'),
    'misspelt': ('scale: 0.001', 'scales: 0.001', 'solids.shelf.scales'),
    'a_link': ('table:', 'left_palm:', 'solids.left_palm'),
}


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """A shelf of two boards, in mm, as one mesh."""
    boards = []
    for height in (500.0, 900.0):
        board = trimesh.creation.box((400.0, 800.0, 20.0))
        board.apply_translation((600.0, 0.0, height))
        boards.append(board)
    trimesh.util.concatenate(boards).export(tmp_path / 'shelf.stl')
    flat = trimesh.Trimesh([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [(0, 1, 2)])
    flat.export(tmp_path / 'flat.stl')
    (tmp_path / 'text.stl').write_text('this is no mesh')
    (tmp_path / 'good.yaml').write_text(GOOD)
    return tmp_path


def test_a_mesh_is_as_far_away_as_the_box_that_it_describes(folder):
    text = GOOD.replace('box: [0.5, 1.2, 0.04]', 'box: [0.4, 0.8, 0.02]')
    text = text.replace('[0.55, -0.1, 0.78]', '[0.6, -0.1, 0.9]').replace('rpy: [0, 0, 0.1]', '')
    (folder / 'same.yaml').write_text(text.replace('-0.1, 0.0], }', '-0.1, 0.0]}'))
    solids = load_surroundings(folder / 'same.yaml', ROBOT)
    assert [(o.name, o.anchor, o.links) for o in solids] == [
        ('table', 'left_foot', ('left_palm', 'right_palm')),
        ('shelf', 'left_foot', ('left_palm', 'right_palm')),
    ]
    model = CollisionModel(ROBOT, solids)
    rng = np.random.default_rng(0)
    for _ in range(5):
        model.place(ROBOT.poses['ready'] + rng.normal(0.0, 0.1, ROBOT.n))
        box, mesh = (
            model.measure(model.pairs.index((name, 'left_palm'))) for name in ('table', 'shelf')
        )
        # The shelf's upper board is where the table is.
        assert mesh.min_distance == pytest.approx(box.min_distance, abs=1e-6)
        assert np.allclose(wrench(mesh), wrench(box), atol=1e-4)


def test_a_convex_mesh_is_its_hull(folder):
    text = GOOD.replace('shelf.stl,', 'shelf.stl, convex: true,').replace(
        '[0, 0, 0.1]', '[0, 0, 0]'
    )
    (folder / 'hull.yaml').write_text(text)
    # The hull of two boards, at 0.5 and 0.9 m, is the box around both.
    hull = next(o for o in load_surroundings(folder / 'hull.yaml', ROBOT) if o.name == 'shelf')
    box = 'box: [0.4, 0.8, 0.42], position: [0.6, -0.1, 0.7]'
    (folder / 'box.yaml').write_text(
        GOOD.replace('box: [0.5, 1.2, 0.04], position: [0.55, -0.1, 0.78]', box)
    )
    around = next(o for o in load_surroundings(folder / 'box.yaml', ROBOT) if o.name == 'table')
    model = CollisionModel(ROBOT, (hull, around))
    model.place(ROBOT.poses['standing'])
    mesh, solid = (
        model.measure(model.pairs.index((name, 'left_palm'))) for name in ('shelf', 'table')
    )
    assert mesh.min_distance == pytest.approx(solid.min_distance, abs=1e-5)


def test_a_sphere_and_a_capsule_around_it_are_as_far_away(folder):
    ball = GOOD.replace('box: [0.5, 1.2, 0.04]', 'sphere: 0.1')
    post = GOOD.replace('box: [0.5, 1.2, 0.04]', 'capsule: [0.1, 0.0002]')
    distances = []
    for name, text in (('ball', ball), ('post', post)):
        file = folder / f'{name}.yaml'
        file.write_text('\n'.join(line for line in text.splitlines() if 'shelf' not in line))
        model = CollisionModel(ROBOT, load_surroundings(file, ROBOT))
        model.place(ROBOT.poses['standing'])
        pair = model.pairs.index(('table', 'left_palm'))
        distances.append(model.measure(pair).min_distance)
    assert distances[0] == pytest.approx(distances[1], abs=1e-3)


@pytest.mark.parametrize('case', WRONG)
def test_a_malformed_file_is_one_clear_error(folder, case):
    was, now, message = WRONG[case]
    assert was in GOOD
    file = folder / f'{case}.yaml'
    file.write_text(GOOD.replace(was, now))
    with pytest.raises(ConfigError) as caught:
        load_surroundings(file, ROBOT)
    assert str(file) in str(caught.value)
    assert message in str(caught.value)
    documented('Surroundings', case, caught.value, folder)


def test_hands_stop_above_a_table(folder):
    text = '\n'.join(line for line in GOOD.splitlines() if 'shelf' not in line)
    (folder / 'table.yaml').write_text(text)
    table = load_surroundings(folder / 'table.yaml', ROBOT)
    lowest, seen = {}, {}
    for name, obstacles in (('free', ()), ('kept', table)):
        arm = Arm('ready', obstacles=obstacles)
        goal = ROBOT.poses['ready'].copy()
        for side in ('left', 'right'):
            goal[ROBOT.index[f'{side}_shoulder_pitch']] = -0.2
            goal[ROBOT.index[f'{side}_elbow']] = -0.6
        lowest[name] = np.inf
        for _ in range(250):
            arm.step(np.clip(5.0 * (goal - arm.box.position), -4.0, 4.0))
            lowest[name] = min(lowest[name], height_above_table(arm))
        seen[name] = arm.seen
    assert lowest['free'] < -0.02
    assert lowest['kept'] > 0.0
    assert any(
        kind is ViolationKind.COLLISION and 'table' in subject for kind, subject in seen['kept']
    )


def height_above_table(arm) -> float:
    """m of the lowest finger tip over the table's top, in the foot's frame; 1 beside the table."""
    arm.kinematics.update(arm.box.position)
    rotation, place = arm.kinematics.frame('left_foot')
    heights = []
    for side in ('left', 'right'):
        x, y, z = rotation.T @ (arm.kinematics.frame(f'{side}_hand')[1] - place)
        above = 0.3 < x < 0.8 and -0.7 < y < 0.5
        heights.append(z - 0.80 if above else 1.0)
    return min(heights)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_validation filter_cost`: its parts, and a short form of the whole."""

import json
import pathlib
from dataclasses import replace

import numpy as np
import pytest

from vla_models.expert import Expert
from vla_models.goals import Target
from vla_models.scenarios import Scenario, make_scenario
from vla_models.scenes import named_colours
from vla_robot import load_robot
from vla_robot.collision import CollisionModel
from vla_safety.parameters import load_parameters
from vla_sim import World
from vla_sim.scene import Solid
from vla_validation.filter_cost import command
from vla_validation.filter_cost.clearance import SEEN, Clearance, arm_links
from vla_validation.filter_cost.episodes import AGENTS, FREE, MODES, OFF, WORLDS, settings, work
from vla_validation.filter_cost.obstacles import KINDS, make_course, scripted_path
from vla_validation.filter_cost.plot import draw
from vla_validation.filter_cost.summary import LIMITS, judged, paired_difference, summarise

WORKSPACE = pathlib.Path(__file__).resolve().parents[3]
CONFIG = WORKSPACE / 'config' / 'safety_filter.yaml'
BUNDLE = WORKSPACE / 'models' / 'humanoid_vla'
ROBOT = load_robot('humanoid32')
EXPERT = Expert(ROBOT)
COUPLED = load_parameters(CONFIG).coupled


def record(number: int, mode: str, success: bool, **changes) -> dict:
    """An episode's record, with nothing found."""
    empty = {
        'agent': 'policy', 'mode': mode, 'scale': 1.0, 'world': FREE, 'seed': 1, 'number': number,
        'task': 'look_red', 'kind': 'look', 'obstacle': '', 'clearance_m': SEEN, 'success': success,
        'fallen': False, 'beyond_limits': 0, 'slowed_s': 0.0, 'held_s': 0.0, 'ended': '',
        'deadlock': False, 'ticks': 900, 'changed': 0, 'by_kind': {}, 'deviation_mean': 0.0,
        'deviation_max': 0.0, 'contact_ticks': 0, 'least_command_m': SEEN, 'stops': [],
        'tick_us': [100, 200],
    }  # fmt: skip
    return empty | changes


def test_the_interval_of_a_paired_difference_holds_the_difference():
    pairs = [(True, True)] * 90 + [(True, False)] * 2 + [(False, True)] * 6 + [(False, False)] * 2
    difference, low, high = paired_difference(pairs)
    assert difference == pytest.approx(-0.04)
    # Agresti and Min: (2.5 - 6.5) / 102 ± 1.96 √(9 - 16/102) / 102
    assert (low, high) == pytest.approx((-0.0963, 0.0179), abs=2e-4)
    assert paired_difference([]) == (0.0, -1.0, 1.0)
    assert paired_difference([(True, True)] * 200)[1] > -0.015


def test_every_setting_has_the_same_scenarios():
    chosen = settings(list(AGENTS), list(MODES), [1.0, 0.5], list(WORLDS))
    assert sum(setting.mode == OFF for setting in chosen) == len(AGENTS) * len(WORLDS)
    items = work(chosen, 7, [1, 2, 3])
    places = {(seed, number) for _, seed, number in items}
    assert len(items) == 7 * len(chosen) == len(set(items))
    assert len(places) == 7
    assert {seed for seed, _ in places} == {1, 2, 3}


def test_a_nuisance_a_deadlock_and_a_lost_task_are_outside_the_limits():
    stop = {'second': 1.0, 'by': 'collision a-b', 'clearance': 0.02, 'ahead': 0.03}
    on = [record(n, 'qp', n != 3) for n in range(20)]
    on[0]['stops'] = [{**stop, 'nuisance': True}, {**stop, 'ahead': 0.0, 'nuisance': False}]
    on[1] |= {'deadlock': True}
    result = summarise([*on, *(record(n, OFF, True) for n in range(20))], 'qp', 0.02)
    assert result['success'] | {'on': 0.95, 'off': 1.0, 'n': 20} == result['success']
    assert result['stops']['nuisance_share'] == 0.5
    assert result['stops']['nuisances_per_100_tasks'] == 5.0
    assert result['stops']['nuisances_per_hour'] == pytest.approx(20.0)
    assert result['deadlocks'] == 1
    failures = command.report.outside(judged(result), LIMITS)
    named = ('success lost, no', 'share of nuisance', 'deadlocks')
    assert len(failures) == 3
    assert all(any(name in failure for failure in failures) for name in named)


def test_the_true_distance_is_that_of_a_box_beside_a_hand():
    world = World(ROBOT)
    world.reset('ready')
    _, origin = world.frame_pose('left_hand')
    solid = Solid('pillar', (0.04, 0.04, 0.4), (origin[0], origin[1] + 0.12, origin[2]))
    world = World(ROBOT, replace(world.scene, solids=(solid,)))
    world.reset('ready')
    clearance = Clearance(world, ('pillar',))
    q = world.joint_position.copy()
    clearance.place(q)
    least = clearance.to_obstacles()
    assert 0.0 < least < 0.1
    assert clearance.nearest()[0] <= least
    q[ROBOT.index['left_shoulder_roll']] += 0.6
    clearance.place(q)
    assert clearance.to_obstacles() < least
    assert not clearance.touching()
    assert 'left_palm' in arm_links(ROBOT)
    assert not any('ankle' in link or 'hip' in link for link in arm_links(ROBOT))


def target_in(world: World, scenario: Scenario) -> Target | None:
    """The cube of the task in the base's frame."""
    if not scenario.task.has_target:
        return None
    cube = scenario.scene.cube(named_colours(scenario.scene)[scenario.task.colour])
    rotation, origin = world.frame_pose('base')
    return Target(rotation.T @ (np.array(cube.position) - origin), cube.size)


def test_an_obstacle_leaves_the_clearance_that_it_reports():
    found = {}
    for number in range(40):
        scenario = make_scenario(ROBOT, EXPERT.goals, 1, number)
        course = make_course(ROBOT, EXPERT, scenario, COUPLED, 1)
        if course.kind not in found:
            found[course.kind] = scenario, course
        if len(found) == len(KINDS):
            break
    assert set(found) == set(KINDS)
    for kind, (scenario, course) in found.items():
        assert course.clearance > 0.0, kind
        if kind == 'workspace':
            assert all(a < b for a, b in zip(*course.workspace, strict=True))
            assert not course.known
            continue
        assert [obstacle.name for obstacle in course.known] == list(course.names)
        world = World(ROBOT, course.scene)
        world.reset(ROBOT.poses[scenario.start])
        true, model = Clearance(world, course.names), CollisionModel(ROBOT, course.known)
        pairs = [k for k, pair in enumerate(model.pairs) if pair[0] in course.names]
        least = SEEN
        for q in scripted_path(EXPERT, scenario, target_in(world, scenario)):
            true.place(q)
            least = min(least, true.to_obstacles())
            model.place(q)
            known = min(model.measure(k).min_distance for k in pairs)
            if kind != 'table_edge':  # whose legs the filter does not know
                assert min(known, SEEN) == pytest.approx(true.to_obstacles(), abs=1e-4), kind
        assert least == pytest.approx(course.clearance, abs=1e-4), kind
        if kind == 'table_edge':
            continue
        solid = course.scene.solids[0]
        for cube in course.scene.cubes:
            apart = np.abs(np.array(cube.position) - solid.position) - np.array(solid.size) / 2
            assert apart.max() > cube.size / 2, kind
        if scenario.task.has_target:
            assert scenario.task.colour in {cube.color for cube in course.scene.cubes}


def test_the_scripted_path_begins_at_the_pose_and_comes_to_rest():
    scenario = make_scenario(ROBOT, EXPERT.goals, 1, 14)  # ready
    path = scripted_path(EXPERT, scenario, None)
    assert np.array_equal(path[0], ROBOT.poses[scenario.start])
    assert np.abs(path[-1] - path[-5]).max() < 1e-3


def test_an_interrupted_campaign_continues_and_another_configuration_does_not_count(tmp_path):
    file = tmp_path / 'episodes.jsonl'
    item = work(settings(['scripted'], ['qp'], [1.0], [FREE]), 1, [1])[0]
    command.Results(file, 'a').add(item, record(0, 'qp', True, agent='scripted'))
    with file.open('a') as out:
        out.write('{"agent": "scripted", "mo')
    assert list(command.Results(file, 'a').found) == [item]
    assert not command.Results(file, 'b').found


def test_the_plot_is_drawn(tmp_path):
    records = [record(n, mode, True) for n in range(3) for mode in ('qp', OFF)]
    records += [record(n, 'qp', n > 0, world='obstacles', clearance_m=0.03) for n in range(3)]
    draw(summarise(records, 'qp', 0.02), tmp_path / 'cost.png')
    assert (tmp_path / 'cost.png').stat().st_size > 5000


def test_the_command_measures_pairs_and_prints_json_as_its_last_line(tmp_path, capsys):
    arguments = ['--bundle', str(BUNDLE), '--agents', 'scripted', '--scales', '1', '--episodes']
    arguments += ['1', '--seeds', '1', '--duration', '1.5', '--filter', str(CONFIG), '--json']
    arguments += ['--out', str(tmp_path)]
    command.main(arguments)
    result = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert result.keys() >= {'success', 'obstacles', 'stops', 'deadlocks', 'tick_ms'}
    assert result['success'].keys() >= {'on', 'off', 'ci95_difference'}
    assert result['obstacles'].keys() >= {'on', 'off', 'contacts_on'}
    assert set(result['settings']) == {
        f'scripted {mode} 1 {world}' for mode in MODES for world in WORLDS
    }
    assert result['tick_ms']['p50'] > 0.0
    # The scripted policy's commands are shaped by the box; its own curve is not.
    free = result['settings']['scripted qp 1 free']
    assert free['beyond_limits'] == 0
    lines = (tmp_path / 'episodes.jsonl').read_text().splitlines()
    assert len(lines) == 6
    command.main(arguments)  # nothing is run again
    assert (tmp_path / 'episodes.jsonl').read_text().splitlines() == lines

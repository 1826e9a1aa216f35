# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Short form of `ros2 run vla_validation adversary --hours 1`, and a proof that it can fail."""

import dataclasses
import json
import pathlib

import coal
import numpy as np
import pytest

from vla_robot import load_robot
from vla_robot.collision import CollisionModel
from vla_safety.coupled.braking_barriers import BrakingBarriers
from vla_safety.coupled.limits import CoupledMode
from vla_safety.parameters import load_parameters
from vla_validation.filter import adversary, collision_attack, obstacle_attack
from vla_validation.filter.collision_attack import attack_self
from vla_validation.filter.mujoco_oracle import MujocoOracle
from vla_validation.filter.obstacle_attack import attack_obstacles

CONFIG = pathlib.Path(__file__).resolve().parents[3] / 'config' / 'safety_filter.yaml'
ROBOT = load_robot('humanoid32')
PARAMETERS = load_parameters(CONFIG)


@pytest.mark.parametrize('physics', [False, True], ids=['kinematic', 'with servos and gravity'])
def test_chunks_that_drive_the_robot_into_itself_do_not_get_there(physics):
    summary = attack_self(ROBOT, PARAMETERS, 6.0, seed=20261121, physics=physics)
    assert summary['violations'] == 0, summary
    assert summary['chunks_accepted'] > 20
    assert summary['counts'].get('collision', 0) > 0


@pytest.mark.parametrize('mode', CoupledMode)
def test_nor_into_boxes_within_reach_in_either_mode(mode):
    coupled = dataclasses.replace(PARAMETERS.coupled, mode=mode)
    parameters = dataclasses.replace(PARAMETERS, coupled=coupled)
    summary = attack_self(ROBOT, parameters, 6.0, seed=5, physics=False, boxes=4)
    assert summary['violations'] == 0, summary
    assert summary['chunks_accepted'] > 20
    assert summary['near_share'] > 0.005


def test_the_attack_finds_a_filter_that_does_not_know_the_boxes(monkeypatch):
    build = collision_attack.braking_barriers
    monkeypatch.setattr(
        collision_attack, 'braking_barriers', lambda robot, parameters, clock, known: build(
            robot, parameters, clock
        )
    )  # fmt: skip
    summary = attack_self(ROBOT, PARAMETERS, 10.0, seed=5, physics=False, boxes=4)
    assert any(pair.startswith('box_') for pair in summary['pairs'])


def test_nor_into_obstacles_that_come_and_move_with_and_without_objects_in_the_hands():
    summary = attack_obstacles(ROBOT, PARAMETERS, 8.0, seed=3, boxes=4)
    assert summary['violations'] == 0, summary
    assert summary['events']['chunks'] > 20 and summary['events']['appeared'] >= 3
    assert summary['near_share'] > 0.1 and summary['moving_share'] > 0.2


def test_a_pair_is_excused_only_while_it_is_near_and_if_it_came_nearer_without_the_robot():
    oracle = MujocoOracle(ROBOT, hands=ROBOT.hands)
    rng = np.random.default_rng(0)
    episode = obstacle_attack._Episode(ROBOT, PARAMETERS, rng, 0, (oracle, oracle, oracle))
    floor = PARAMETERS.coupled.floor

    def excused(after, now):
        episode._after = {} if after is None else {'pair': floor + after}
        episode._distances = lambda *_: {} if now is None else {'pair': floor + now}
        episode.excuse()
        return 'pair' in episode.excused

    assert not excused(-5e-4, -5e-4)  # by the robot's own motion
    assert not excused(-5e-3, -6e-3)  # it was too near before, by the robot's own motion
    assert excused(-5e-4, -6e-4)
    assert excused(-6e-4, -1e-4)  # not free yet
    assert not excused(-1e-4, 2e-3)
    assert not excused(-5e-4, -5e-4)  # nor when the robot goes back
    assert excused(None, -5e-3)  # gripped there
    assert not excused(-5e-3, None)  # released


def test_the_attack_finds_a_filter_that_is_not_told_of_the_obstacles(monkeypatch):
    monkeypatch.setattr(BrakingBarriers, 'set_known', lambda self, world, now: None)
    summary = attack_obstacles(ROBOT, PARAMETERS, 20.0, seed=2)
    assert summary['contacts_by_command'] > 2
    assert summary['first']


def test_the_attack_finds_a_filter_without_collision_limits(monkeypatch):
    monkeypatch.setattr(BrakingBarriers, 'restrict', lambda self, wanted, low, high, state: wanted)
    summary = attack_self(ROBOT, PARAMETERS, 4.0, seed=2, physics=False)
    assert summary['self_collisions'] > 0
    assert summary['first']


def test_the_oracle_and_the_filter_compute_the_same_distances():
    oracle, kinematics = MujocoOracle(ROBOT), ROBOT.kinematics()
    rng = np.random.default_rng(3)
    agreed = 0
    for _ in range(30):
        q = rng.uniform(ROBOT.limits.lower, ROBOT.limits.upper)
        oracle.place(q)
        kinematics.update(q)
        least = kinematics.distances().min()
        distance, pair = oracle.nearest()
        if 0.0 < least < 0.05:
            agreed += 1
            assert distance == pytest.approx(least, abs=1e-6)
            assert pair
        elif least <= 0.0:
            assert distance <= 1e-9
    assert agreed >= 1


def test_the_oracle_carries_an_object_where_the_filter_does():
    size, place, q = (0.09, 0.21, 0.16), (-0.058, -0.026, 0.1), ROBOT.poses['ready']
    oracle = MujocoOracle(ROBOT, hands=ROBOT.hands)
    model = CollisionModel(ROBOT)
    solids = {body.name for body in model.solids}
    for hand in ROBOT.hands:
        oracle.carry(hand, np.array(size), np.array(place))
        held = model.rigid_shape('held', hand, coal.Box(*size), np.eye(3), np.array(place))
        oracle.place(q)
        model.place(q)
        compared = 0
        for pair in oracle.all_pairs():
            link = pair[2].partition('-')[2]
            if not pair[2].startswith(f'object in {hand}-') or link not in solids:
                continue
            found = [
                coal.distance(
                    held.geometry,
                    model.transform(held),
                    body.geometry,
                    model.transform(body),
                    coal.DistanceRequest(),
                    coal.DistanceResult(),
                )
                for body in model.solids
                if body.name == link
            ]
            if len(found) == 1 and found[0] > 0.0:
                assert oracle.distance(pair, 5.0) == pytest.approx(found[0], abs=1e-6), pair
                compared += 1
        assert compared >= 5


def test_the_command_runs_by_hours_and_prints_json_as_its_last_line(capsys, monkeypatch):
    monkeypatch.setattr(collision_attack, 'EPISODE', 0.5)
    arguments = ['--hours', '0.0003', '--seed', '1', '--json', '--parameters', str(CONFIG)]
    assert adversary.main(arguments) == 0
    summary = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert summary['violations'] == 0
    assert summary['robot_seconds'] >= 1.0

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The history that a policy gets: padded at the start, of one instruction, through dropped frames.

Every picture has its own number, twenty a second; a chunk needs those of now, 0.1 and 0.2 s before.
"""

import threading

import numpy as np
import pytest

from vla_common.clock import ManualClock
from vla_common.states import InferenceState, Mode
from vla_inference.fallback import FallbackChain, PolicySlot
from vla_inference.inference_step import InferenceStep, StepLimits
from vla_inference.observation import ObservationAssembler, ObservationBounds
from vla_inference.session import Session
from vla_policy.bundle.bundle import load_bundle
from vla_policy.bundle.model_inputs import History
from vla_policy.load import load_policy
from vla_policy.model_policy import ModelPolicy
from vla_policy.scripted_policy import HoldPolicy
from vla_policy.testing.bundles import edit, write_bundle
from vla_policy.testing.judged_bundle import RED, write_judged_bundle

T0 = 10**12
STEP = 0.05
HISTORY = History(3, 0.1)


class Bench:
    """One policy behind the step, and the numbers of the pictures that it was given."""

    def __init__(self, robot, policy, judges=False, **bounds):
        self.robot, self.policy, self.clock = robot, policy, ManualClock()
        self.given: list[list[int]] = []
        predict = policy.predict

        def recorded(observation):
            frames = observation.last(HISTORY.frames)
            self.given.append([int(one.images['head'][0, 0, 0]) for one in frames])
            return predict(observation)

        policy.predict = recorded
        self.assembler = ObservationAssembler(
            robot.joint_names, ('head',), ObservationBounds(**bounds), (), HISTORY
        )
        self.session = Session(60.0, 5.0, judges)
        self.step_ = InferenceStep(
            FallbackChain([PolicySlot.inline(policy, self.clock)]),
            HoldPolicy(robot),
            self.assembler,
            self.session,
            StepLimits(policy_timeout=1e9),
            robot.joint_names,
            threading.RLock(),
            self.clock,
            self.wall,
        )
        self.number = 0

    def wall(self) -> int:
        return T0 + round(1e9 * self.clock())

    def step(self, dropped=False):
        """The next picture, which is numbered also if it is dropped, and a step."""
        self.clock.advance(STEP)
        self.number += 1
        now, zeros = self.clock(), np.zeros(self.robot.n)
        standing = self.robot.poses['standing']
        self.assembler.add_joints(self.wall(), now, self.robot.joint_names, standing, zeros)
        self.assembler.add_imu(self.wall(), now, (1.0, 0.0, 0.0, 0.0))
        if not dropped:
            content = np.full((2, 2, 3), self.number, np.uint8).tobytes()
            self.assembler.add_image('head', self.wall(), now, 2, 2, 6, 'rgb8', content)
        return self.step_.run()

    def start(self, text='wave'):
        self.session.accept(text, self.clock())
        self.session.on_mode(Mode.READY, '', self.wall(), self.clock())
        self.session.wants_start()
        self.session.on_mode(Mode.RUNNING, '', self.wall(), self.clock())


@pytest.fixture
def bench(robot, tmp_path):
    write_bundle(tmp_path)
    return Bench(robot, load_policy(tmp_path, robot))


def test_the_first_observations_are_padded_with_the_first_one(bench):
    for _ in range(10):
        bench.step()
    bench.start()
    for _ in range(6):
        assert bench.step().state is InferenceState.ACTIVE
    assert bench.given == [
        [11, 11, 11],  # nothing of before the instruction
        [11, 11, 12],
        [11, 11, 13],
        [11, 12, 14],
        [11, 13, 15],
        [12, 14, 16],
    ]


def test_the_history_begins_again_with_each_instruction(bench):
    bench.start()
    for _ in range(6):
        bench.step()
    assert bench.given[-1] == [2, 4, 6]
    bench.session.on_mode(Mode.READY, '', bench.wall(), bench.clock())
    bench.session.cancel(bench.session.id, bench.clock())
    bench.step()
    bench.start('wave left')
    bench.step()
    bench.step()
    assert bench.given[-2:] == [[8, 8, 8], [8, 8, 9]]


def test_a_dropped_frame_is_replaced_by_its_neighbour(bench):
    bench.start()
    for number in range(1, 13):
        bench.step(dropped=number == 8)
    assert bench.given[-4:] == [[5, 7, 9], [6, 7, 10], [7, 9, 11], [7, 10, 12]]


def test_a_hole_is_reported_and_nothing_is_made_up(robot, tmp_path):
    write_bundle(tmp_path)
    bench = Bench(robot, load_policy(tmp_path, robot), max_skew=0.06)
    bench.start()
    for _ in range(8):
        bench.step()
    given = len(bench.given)
    for _ in range(4):
        bench.step(dropped=True)
    assert len(bench.given) == given
    blocked = [bench.step() for _ in range(3)]
    assert {one.state for one in blocked} == {InferenceState.BLOCKED}
    reason = 'camera head has nothing of 0.20 s before: 0.100 s off, limit 0.06'
    assert blocked[-1].reason == reason
    for _ in range(5):
        result = bench.step()
    assert result.state is InferenceState.ACTIVE
    assert bench.given[-1] == [16, 18, 20]


def test_it_reaches_into_the_time_of_judging_and_no_chunk_of_that_is_used(robot, tmp_path):
    write_judged_bundle(tmp_path)
    bench = Bench(robot, load_policy(tmp_path, robot), judges=True)
    bench.session.accept('wave', 0.0)
    bench.session.on_mode(Mode.READY, '', bench.wall(), 0.0)
    results = [bench.step() for _ in range(3)]
    assert [one.chunk for one in results] == [None] * 3
    assert {one.state for one in results} == {InferenceState.IDLE}
    assert bench.session.wants_start() == 1
    assert bench.step().chunk is None and len(bench.given) == 3
    bench.session.on_mode(Mode.RUNNING, '', bench.wall(), bench.clock())
    assert bench.step().chunk is not None
    assert bench.given[-1] == [1, 3, 5]


def test_a_refusal_in_a_step_has_the_reason_and_no_chunk(robot, tmp_path):
    write_judged_bundle(tmp_path)
    bench = Bench(robot, load_policy(tmp_path, robot), judges=True)
    predict = bench.policy.predict

    def red(observation):
        observation.images['head'] = np.full((2, 2, 3), RED, np.uint8)
        return predict(observation)

    bench.policy.predict = red
    bench.session.accept('wave', 0.0)
    bench.session.on_mode(Mode.READY, '', bench.wall(), 0.0)
    results = [bench.step() for _ in range(5)]
    assert [one.chunk for one in results] == [None] * 5
    assert bench.session.results[0].reason == 'no such cube in view'
    assert len(bench.given) == 3


def test_observations_that_cannot_be_trusted_are_not_judged(robot, tmp_path):
    write_judged_bundle(tmp_path)
    bench = Bench(robot, load_policy(tmp_path, robot), judges=True)
    bench.session.accept('wave', 0.0)
    bench.session.on_mode(Mode.READY, '', bench.wall(), 0.0)
    results = [bench.step(dropped=True) for _ in range(25)]
    # The supervisor would refuse a start while the policy is blocked.
    assert {one.state for one in results} == {InferenceState.IDLE}
    assert bench.session.results[0].reason == 'observation: no image of camera head'


def test_a_policy_that_fails_while_it_judges_ends_the_instruction_without_motion(robot, tmp_path):
    write_judged_bundle(tmp_path)
    policy = load_policy(tmp_path, robot)

    def fails(observation):
        raise RuntimeError('a policy that raises')

    policy.predict = fails
    bench = Bench(robot, policy, judges=True)
    bench.session.accept('wave', 0.0)
    bench.session.on_mode(Mode.READY, '', bench.wall(), 0.0)
    results = [bench.step() for _ in range(6)]
    assert [one.chunk for one in results] == [None] * 6
    assert bench.session.results[0].reason.startswith('policy failed: RuntimeError')
    assert bench.session.wants_start() is None


def test_frames_of_one_input_alone(robot, tmp_path, observe):
    changes = {'inputs history': {'frames': 3, 'step': 0.1}, 'inputs image frames': 1}
    write_bundle(tmp_path, lambda c: edit(c, changes))
    bundle = load_bundle(tmp_path, robot)
    shapes = {part.tensor: part.shape for part in bundle.model.inputs}
    assert shapes['image'] == (1, 3, 8, 8) and shapes['proprioception'] == (1, 3, 3)

    class Nothing:
        name, graph = 'nothing', ''

    policy = ModelPolicy(bundle, robot, Nothing())
    tensors = policy.inputs(observe(past=(observe(), observe())))
    assert {name: tensors[name].shape for name in shapes} == shapes

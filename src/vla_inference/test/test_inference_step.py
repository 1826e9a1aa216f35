# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""One step after the other, with policies that fail on purpose and a clock moved by hand."""

import dataclasses
import threading
from pathlib import Path

import numpy as np
import pytest

from vla_common.clock import ManualClock
from vla_common.states import InferenceState, Mode
from vla_inference.fallback import FallbackChain, PolicySlot
from vla_inference.inference_step import InferenceStep, StepLimits
from vla_inference.observation import ObservationAssembler, ObservationBounds
from vla_inference.session import InstructionOutcome, Session
from vla_policy.load import load_policy
from vla_policy.scripted_policy import HoldPolicy
from vla_policy.testing.faulty_policy import FaultyPolicy

SCRIPTED = Path(__file__).parents[3] / 'models' / 'scripted'
PERIOD = 0.1
T0 = 10**12


class Bench:
    """A robot in its standing pose, 10 Hz, started on 'wave with the left hand'."""

    def __init__(self, robot, text='wave with the left hand', second=None, **limits):
        self.robot = robot
        self.clock = ManualClock()
        self.policy = FaultyPolicy(load_policy(SCRIPTED, robot))
        self.assembler = ObservationAssembler(robot.joint_names, (), ObservationBounds())
        self.session = Session(60.0, 5.0)
        self.lock = threading.RLock()
        self.position = robot.poses['standing'].copy()
        slots = [PolicySlot.inline(self.policy, self.clock)]
        self.second = second
        if second is not None:
            slots.append(PolicySlot.inline(second, self.clock))
        self.chain = FallbackChain(slots)
        self.core = InferenceStep(
            self.chain,
            HoldPolicy(robot),
            self.assembler,
            self.session,
            StepLimits(**limits),
            robot.joint_names,
            self.lock,
            self.clock,
            self.wall,
        )
        self.id = self.session.accept(text, 0.0)
        self.session.on_mode(Mode.READY, '', self.wall(), 0.0)
        self.session.wants_start()
        self.session.on_mode(Mode.RUNNING, '', self.wall(), 0.0)

    def wall(self) -> int:
        return T0 + round(self.clock() * 1e9)

    def step(self, observe=True):
        self.clock.advance(PERIOD)
        if observe:
            now = self.clock()
            zeros = np.zeros(self.robot.n)
            self.assembler.add_joints(
                self.wall(), now, self.robot.joint_names, self.position, zeros
            )
            self.assembler.add_imu(self.wall(), now, (1.0, 0.0, 0.0, 0.0))
        return self.core.run()

    @property
    def result(self):
        return self.session.results[0] if self.session.results else None


def test_good_policy_gives_a_chunk_stamped_with_the_observation(robot):
    bench = Bench(robot)
    result = bench.step()
    assert result.state is InferenceState.ACTIVE
    assert result.chunk is not None
    assert result.stamp_ns == bench.wall()


def test_the_same_observation_is_used_once(robot):
    bench = Bench(robot)
    first = bench.step()
    again = bench.step(observe=False)
    assert again.stamp_ns == first.stamp_ns
    assert again.chunk is None
    assert again.state is InferenceState.ACTIVE
    assert bench.policy.calls == 1
    assert bench.step().chunk is not None


def test_observation_from_before_the_start_is_not_acted_on(robot):
    bench = Bench(robot)
    bench.session.abandon('again', 0.0)
    bench.assembler.add_joints(
        bench.wall(), 0.0, robot.joint_names, bench.position, np.zeros(robot.n)
    )
    bench.assembler.add_imu(bench.wall(), 0.0, (1.0, 0.0, 0.0, 0.0))
    bench.clock.advance(0.01)
    bench.session.accept('wave', bench.clock())
    bench.session.on_mode(Mode.READY, '', bench.wall(), bench.clock())
    bench.session.wants_start()
    bench.session.on_mode(Mode.RUNNING, '', bench.wall(), bench.clock())
    result = bench.core.run()
    assert result.chunk is None
    assert result.reason == 'waiting for an observation since the start'
    assert bench.policy.calls == 0


@pytest.mark.parametrize('fault', ['raise', 'nan', 'shape', 'unknown', 'empty', 'far'])
def test_unusable_answer_is_dropped_counted_then_held_then_aborted(robot, fault):
    bench = Bench(robot)
    bench.step()
    bench.policy.fault = fault
    for errors in (1, 2):
        result = bench.step()
        assert result.state is InferenceState.BLOCKED
        assert result.chunk is None
        assert result.reason
        assert bench.core.policy_errors == errors
    result = bench.step()
    assert result.state is InferenceState.FALLBACK
    index = [robot.index[name] for name in result.chunk.joints]
    np.testing.assert_array_equal(result.chunk.positions[0], bench.position[index])
    bench.policy.fault = ''  # recovered: that alone must not bring it back
    calls = bench.policy.calls
    while bench.result is None:
        assert bench.step().state in (InferenceState.FALLBACK, InferenceState.IDLE)
    assert bench.policy.calls == calls
    assert bench.result.outcome is InstructionOutcome.ABORTED
    assert bench.result.reason.startswith('policy failed: ')
    assert bench.step().state is InferenceState.IDLE


def test_single_error_is_survived(robot):
    bench = Bench(robot)
    for k in range(9):
        bench.policy.fault = 'nan' if k % 3 == 2 else ''
        state = bench.step().state
        assert state is (InferenceState.BLOCKED if k % 3 == 2 else InferenceState.ACTIVE)
    assert bench.result is None


def test_late_answer_is_dropped(robot):
    bench = Bench(robot, policy_timeout=0.05)
    predict = bench.policy.predict

    def slow(observation):
        bench.clock.advance(0.06)
        return predict(observation)

    bench.policy.predict = slow
    result = bench.step()
    assert result.chunk is None
    assert result.reason == 'answered after 0.060 s, limit 0.05'


def test_without_observations_it_is_blocked_by_name_and_then_aborted(robot):
    bench = Bench(robot)
    bench.step()
    states = []
    while bench.result is None:
        result = bench.step(observe=False)
        states.append(result.state)
        assert len(states) < 50
    assert InferenceState.BLOCKED in states
    assert 'observation: joint_states is' in bench.result.reason
    assert bench.core.observations_rejected > 0


def test_done_of_the_policy_ends_it_as_success(robot):
    bench = Bench(robot)
    for _ in range(150):
        result = bench.step()
        if result.chunk is not None:
            index = [robot.index[name] for name in result.chunk.joints]
            bench.position[index] = result.chunk.positions[0]
    assert bench.result.success
    assert bench.result.reason == 'done'
    assert result.state is InferenceState.IDLE


@pytest.mark.parametrize('text', ['wave with the left hand', 'hold still'])
def test_done_is_not_said_while_the_robot_cannot_follow(robot, text):
    """Neither on the policy's word, nor because the joints have settled."""
    bench = Bench(robot, text=text)
    bench.policy.bundle = dataclasses.replace(bench.policy.bundle, goal_like=text == 'hold still')
    bench.policy.fault = 'unreachable'
    chunks = 0
    for _ in range(150):
        result = bench.step()
        if result.chunk is not None:
            chunks += 1
            index = [robot.index[name] for name in result.chunk.joints]
            bench.position[index] = result.chunk.positions[0]
    assert bench.result is None
    assert bench.core.chunks_not_followed == chunks == 150
    assert bench.core.cannot_follow == 'cannot follow: hand stays 0.300 m short'
    bench.policy.fault = ''
    for _ in range(15):
        bench.step()
    assert bench.result.success
    assert bench.core.chunks_not_followed == chunks


def test_what_the_robot_cannot_follow_is_the_reason_at_the_time_limit(robot):
    bench = Bench(robot)
    bench.policy.fault = 'unreachable'
    for _ in range(620):
        result = bench.step()
        if result.chunk is not None:
            index = [robot.index[name] for name in result.chunk.joints]
            bench.position[index] = result.chunk.positions[0]
    assert bench.result.outcome is InstructionOutcome.TIME_LIMIT
    assert 'cannot follow: hand stays 0.300 m short' in bench.result.reason


@pytest.mark.parametrize('goal_like', [True, False])
def test_settled_joints_end_a_goal_like_instruction_only(robot, goal_like):
    bench = Bench(robot, text='hold still')
    bench.policy.bundle = dataclasses.replace(bench.policy.bundle, goal_like=goal_like)
    for _ in range(15):
        bench.step()
    assert (bench.result is not None and bench.result.success) == goal_like


def test_answer_for_an_instruction_that_ended_meanwhile_is_dropped(robot):
    bench = Bench(robot)
    predict = bench.policy.predict

    def stopped(observation):
        bench.session.on_mode(Mode.SAFE_STOP, 'fall', bench.wall(), bench.clock())
        return predict(observation)

    bench.policy.predict = stopped
    result = bench.step()
    assert result.chunk is None
    assert result.state is InferenceState.IDLE


def test_hung_policy_holds_no_lock(robot):
    bench = Bench(robot)
    bench.policy.fault = 'hang'
    worker = threading.Thread(target=bench.step, daemon=True)
    worker.start()
    while bench.policy.calls == 0:
        worker.join(0.005)
    assert bench.lock.acquire(timeout=5.0)
    bench.session.cancel(bench.id, bench.clock())
    bench.lock.release()
    assert bench.core.calling_since is not None
    bench.policy.release.set()
    worker.join(5.0)
    assert not worker.is_alive()
    assert bench.core.calling_since is None

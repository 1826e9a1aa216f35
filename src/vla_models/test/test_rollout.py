# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Episodes take the path of the robot: blending, chunk check, filter, gate, servo loop."""

from dataclasses import replace

import numpy as np
import pytest

from vla_inference.blender import Blending
from vla_inference.session import InstructionOutcome
from vla_models.agents import TIMES, ExpertBundle
from vla_models.robot_stack import USUAL, RobotStack, Timing
from vla_models.rollout import TIMESTEP, Rollout, rms_jerk
from vla_models.success import SuccessCriterion
from vla_models.tasks import Task, TaskKind
from vla_policy.bundle.judged_outputs import Acceptance
from vla_policy.types import ActionChunk, Assessment, Policy, PolicyError
from vla_robot import load_robot
from vla_sim import Renderer, Scene, SensorNoise, World

ROBOT = load_robot('humanoid32')
JOINTS = ('head_yaw', 'left_wrist_yaw')


class FlatPolicy(Policy):
    """Answers with constant chunks; the answer of each call is `offset(call)` rad from ready."""

    bundle = ExpertBundle(blending='')

    def __init__(self, offset=lambda call: 0.0, done=None) -> None:
        self.offset, self.done, self.calls = offset, done, 0
        self.ready = ROBOT.poses['ready'][[ROBOT.index[name] for name in JOINTS]]

    def predict(self, observation):
        self.calls += 1
        positions = np.tile(self.ready + self.offset(self.calls), (len(TIMES), 1))
        return ActionChunk(JOINTS, positions, TIMES, done=self.done)


class JudgingPolicy(FlatPolicy):
    """Says what it understood, and done once the head is where it sends it."""

    bundle = ExpertBundle(blending='', acceptance=Acceptance(understood=0.5, done=0.5))

    def __init__(self, understood: float) -> None:
        super().__init__(lambda call: 0.2)
        self.understood = understood

    def predict(self, observation):
        chunk = super().predict(observation)
        yaw = chunk.positions[0, 0] - observation.position[ROBOT.index['head_yaw']]
        found = Assessment(understood=self.understood, done=float(abs(yaw) < 0.05))
        return replace(chunk, assessment=found)


class FailingPolicy(FlatPolicy):
    def predict(self, observation):
        raise PolicyError('no answer')


@pytest.fixture(scope='module')
def stack() -> RobotStack:
    return RobotStack(ROBOT)


def run(stack, policy, seconds=0.6, timing=USUAL, mode=''):
    """A robot that stands at ready; the run, and the chunks that the filter received."""
    world = World(ROBOT, Scene.default(), TIMESTEP, seed=3, sensor_noise=SensorNoise.typical())
    world.reset('ready')
    criterion = SuccessCriterion(world, Task(TaskKind.STAND), None, 'ready')
    rollout = Rollout(stack, world, policy, None, timing, mode)
    chunks, receive = [], rollout.filter.on_chunk
    rollout.filter.on_chunk = lambda *chunk: chunks.append(chunk) or receive(*chunk)
    return rollout.run('stand still', criterion, seconds), chunks, rollout


@pytest.mark.parametrize('mode', [mode.value for mode in Blending])
def test_a_chunk_that_contradicts_the_one_before_steps_unless_it_is_blended(stack, mode):
    policy = FlatPolicy(lambda call: 0.3 if call == 6 else 0.0)
    found, chunks, _ = run(stack, policy, 6 / 16, mode=mode)
    steps = found.borders[:, 0]
    assert len(steps) == 5 and steps[:4] == pytest.approx([0.0] * 4)
    wanted = {'replace': (0.29, 0.31), 'ensemble': (0.01, 0.15), 'rtc': (0.0, 0.01)}[mode]
    assert wanted[0] <= steps[4] <= wanted[1]
    assert len(chunks) == 6
    # The part that only the new chunk covers is unchanged.
    assert chunks[-1][2][-1] == pytest.approx(policy.ready + 0.3)


def test_a_chunk_that_is_too_late_is_dropped(stack):
    found, chunks, _ = run(stack, FlatPolicy(), 2.0, Timing(0.0, 1.7))
    assert found.rejected and not len(found.borders) and found.jerk == 0.0
    assert not [chunk for chunk in chunks if chunk[0] == JOINTS]


def test_jerk_is_that_of_the_moved_joints():
    velocities = [np.array([0.5 * n**2, 100.0 * n**2, 0.0]) for n in range(1, 21)]
    assert rms_jerk(velocities, [0, 2]) == pytest.approx(1e4 / np.sqrt(2.0))
    assert rms_jerk(velocities, []) == 0.0


def test_an_episode_follows_from_its_seed_whatever_ran_before(stack):
    def wave(call):
        return 0.2 * np.sin(call)

    first = run(stack, FlatPolicy(wave))[0]
    run(stack, FlatPolicy(lambda call: 0.25), 0.3)
    again = run(stack, FlatPolicy(wave))[0]
    assert np.array_equal(first.borders, again.borders)
    assert (first.jerk, first.interventions) == (again.jerk, again.interventions)


def test_commands_pass_the_gate_and_the_servos_follow(stack):
    found, _, rollout = run(stack, FlatPolicy(lambda call: 0.2), 1.5)
    assert (found.rejected, found.violations, found.fallen) == (0, 0, False)
    assert rollout.loop.gate.accepted == 150
    yaw = ROBOT.index['head_yaw']
    assert rollout.loop.reading.position[yaw] == pytest.approx(
        ROBOT.poses['ready'][yaw] + 0.2, abs=0.03
    )


def test_an_instruction_that_is_done_ends_and_the_robot_holds(stack):
    policy = FlatPolicy(done=True)
    found, chunks, rollout = run(stack, policy, 0.5)
    assert policy.calls == 1 and not chunks
    assert rollout.loop.decision.reason == 'mode READY'
    assert not found.fallen


def test_an_instruction_that_is_admitted_moves_the_robot_and_is_done(stack):
    found, _, rollout = run(stack, JudgingPolicy(1.0), 3.0)
    assert found.ending.outcome is InstructionOutcome.DONE
    assert 0.5 < found.ending.at < 2.5
    yaw = ROBOT.index['head_yaw']
    assert rollout.loop.reading.position[yaw] == pytest.approx(
        ROBOT.poses['ready'][yaw] + 0.2, abs=0.03
    )


def test_an_instruction_that_is_refused_moves_nothing(stack):
    found, chunks, _ = run(stack, JudgingPolicy(0.2), 3.0)
    assert found.ending.outcome is InstructionOutcome.REFUSED
    assert found.ending.at < 0.5 and not chunks


def test_a_policy_that_fails_ends_in_the_scripted_hold(stack):
    found, chunks, _ = run(stack, FailingPolicy(), 0.8)
    assert found.rejected == 3
    assert chunks and all(len(chunk[0]) > len(JOINTS) for chunk in chunks)
    assert not found.fallen


def test_a_delay_is_split_into_camera_and_inference():
    assert Timing.of(0.2) == Timing(0.02, pytest.approx(0.18))
    assert Timing.of(0.01) == Timing(0.01, 0.0)


class LookingPolicy(FlatPolicy):
    """Turns the head to and fro, and takes images."""

    bundle = ExpertBundle(blending='', cameras=('head',))

    def __init__(self) -> None:
        super().__init__(lambda call: 0.4 * np.sin(0.2 * call))


class FrozenRenderer(Renderer):
    """From 1 s on repeats its image, with new noise."""

    def render(self, qpos):
        color, depth = super().render(qpos)
        self.frames = getattr(self, 'frames', 0) + 1
        if self.frames <= 16:
            self.kept = color
        noise = self._random.integers(-3, 4, color.shape)
        return np.clip(self.kept + noise, 0, 255).astype(np.uint8), depth


@pytest.mark.parametrize('kind', [Renderer, FrozenRenderer])
def test_images_that_do_not_show_the_motion_of_the_head_end_the_episode(stack, kind):
    scene = Scene.default()
    world = World(ROBOT, scene, TIMESTEP, seed=3, sensor_noise=SensorNoise.typical())
    world.reset('ready')
    criterion = SuccessCriterion(world, Task(TaskKind.STAND), None, 'ready')
    with kind(ROBOT, scene, 160, 120, seed=4) as renderer:
        rollout = Rollout(stack, world, LookingPolicy(), renderer)
        found = rollout.run('look around', criterion, 5.0)
    stale = rollout._assembler.stale_images
    if kind is Renderer:
        assert (found.rejected, stale) == (0, 0)
    else:
        assert stale > 0
        assert 'stale: the same image' in rollout._session.last_result

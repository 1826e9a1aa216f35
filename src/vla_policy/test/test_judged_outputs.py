# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The outputs understood, possible and done: from policy.yaml and a model to an assessment."""

import numpy as np
import pytest

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_policy.bundle.bundle import load_bundle
from vla_policy.bundle.judged_outputs import Acceptance, JudgedOutput
from vla_policy.load import load_policy
from vla_policy.model_policy import ModelPolicy
from vla_policy.runtimes import Runtime
from vla_policy.testing.bundles import HORIZON, LENGTH, edit, write_bundle
from vla_policy.testing.judged_bundle import (
    ACHIEVED,
    BEFORE,
    REASONS,
    RED,
    TURNED,
    write_judged_bundle,
)
from vla_policy.types import ActionChunk, Assessment, ChunkCheck, PolicyError


@pytest.fixture(params=['onnx', 'torchscript'])
def policy(request, robot, tmp_path):
    write_judged_bundle(tmp_path, runtime=request.param)
    return load_policy(tmp_path, robot)


def posture(robot, **joints):
    position = robot.poses['standing'].copy()
    for name, value in joints.items():
        position[robot.index[name]] = value
    return position


def test_each_output_follows_its_input(policy, robot, observe):
    clear = policy.predict(observe(instruction='wave left hand')).assessment
    assert clear.understood == 1.0
    assert (clear.possible, clear.reasons) == (1.0, (0.0, 0.0))
    assert clear.done == 0.0
    assert clear.words == (('wave', 1.0), ('left', 1.0), ('hand', 1.0))
    odd = policy.predict(observe(instruction='Wave, elephant!')).assessment
    assert odd.understood == 0.0
    assert odd.words == (('Wave', 1.0), ('elephant', 0.0))
    assert odd.unknown == ('elephant',)
    red = {'head': np.full((48, 64, 3), RED, np.uint8)}
    assert policy.predict(observe(images=red)).assessment.reasons == (1.0, 0.0)
    turned = posture(robot, head_yaw=TURNED)
    found = policy.predict(observe(position=turned)).assessment
    assert (found.possible, found.reasons) == (0.0, (0.0, 1.0))
    for angle, done in ((ACHIEVED, 1.0), (BEFORE, 0.0)):
        there = posture(robot, left_shoulder_pitch=angle)
        assert policy.predict(observe(position=there)).assessment.done == done


def test_bundle_without_them_has_no_thresholds_and_no_assessment(robot, tmp_path, observe):
    write_bundle(tmp_path)
    policy = load_policy(tmp_path, robot)
    assert policy.bundle.acceptance == Acceptance()
    assert not policy.bundle.acceptance.judges
    assert policy.predict(observe(instruction='wave')).assessment == Assessment()


def test_each_output_is_optional(robot, tmp_path, observe):
    for name in ('understood', 'possible', 'done'):
        others = {'understood', 'possible', 'done'} - {name}
        write_judged_bundle(
            tmp_path / name,
            lambda c, others=others: edit(c, {f'outputs {o}': None for o in others}),
        )
        policy = load_policy(tmp_path / name, robot)
        accepted = policy.bundle.acceptance
        assert getattr(accepted, name) == 0.5
        assert accepted.judges == (name != 'done')
        found = policy.predict(observe(instruction='wave')).assessment
        assert {n for n in ('understood', 'possible', 'done') if getattr(found, n) >= 0} == {name}


def test_one_probability_for_all_words(robot, tmp_path, observe):
    write_judged_bundle(tmp_path, per_word=False)
    found = load_policy(tmp_path, robot).predict(observe(instruction='wave it')).assessment
    assert (found.understood, found.words, found.unknown) == (0.0, (), ('it',))


MALFORMED = {
    'threshold beyond 1': ({'outputs done accept': 1.5}, 'outputs.done.accept: found 1.5'),
    'no threshold': ({'outputs done accept': None}, 'outputs.done.accept: found nothing'),
    'no reasons': ({'outputs possible reasons': []}, 'outputs.possible.reasons: found none'),
    'another placeholder': (
        {'outputs possible reasons': ['no {colour} cube', 'b']},
        'only {words} is replaced',
    ),
    'a reason too many': (
        {'outputs possible reasons': ['a', 'b', 'c']},
        'output possible: found float32 (1, 3), wanted float32 or float16 (4,) or (1, 4)',
    ),
    'a tensor twice': ({'outputs done tensor': 'possible'}, 'tensor possible used twice'),
    'no such tensor': ({'outputs done tensor': 'finished'}, 'output finished: found only'),
    'unknown key': ({'outputs done hold': 1.0}, 'outputs.done.hold'),
}


@pytest.mark.parametrize('name', MALFORMED)
def test_malformed_outputs_are_refused_by_key(robot, tmp_path, name):
    changes, wanted = MALFORMED[name]
    write_judged_bundle(tmp_path, lambda c: edit(c, changes))
    with pytest.raises(ConfigError) as error:
        load_policy(tmp_path, robot)
    assert wanted in str(error.value)
    documented('What a policy says about an instruction', name, error.value, tmp_path)


def test_understood_needs_an_instruction(robot, tmp_path):
    write_judged_bundle(tmp_path, lambda c: edit(c, {'inputs instruction': None}))
    with pytest.raises(ConfigError, match=r'outputs.understood: found one, wanted inputs.instruct'):
        load_bundle(tmp_path, robot)


class Says(Runtime):
    """A runtime whose answers are given."""

    name = 'says'

    def __init__(self, **changed) -> None:
        self.answer = {
            'joint_targets': np.zeros((1, HORIZON, 3), np.float32),
            'understood': np.ones((1, 1 + LENGTH), np.float32),
            'possible': np.float32([[1.0, 0.0, 0.0]]),
            'done': np.float32([0.0]),
        } | changed

    def run_all(self, inputs):
        return self.answer


INVALID = {
    'not finite': ({'done': np.float32([np.nan])}, 'done has nan, wanted 0 to 1'),
    'beyond 1': ({'done': np.float32([1.1])}, 'done has 1.1, wanted 0 to 1'),
    'below 0': ({'possible': np.float32([[1.2, -0.2, 0]])}, 'possible has 1.2, wanted 0 to 1'),
    'no distribution': ({'possible': np.float32([[0.5, 0, 0]])}, 'possible sums to 0.5, wanted 1'),
    'another shape': ({'understood': np.ones((1, 4), np.float32)}, 'understood has shape (1, 4)'),
}


@pytest.mark.parametrize('name', INVALID)
def test_answer_that_is_no_probability_gives_no_chunk(robot, tmp_path, observe, name):
    changed, wanted = INVALID[name]
    write_judged_bundle(tmp_path)
    policy = ModelPolicy(load_bundle(tmp_path), robot, Says(**changed))
    with pytest.raises(PolicyError) as error:
        policy.predict(observe())
    assert wanted in str(error.value)
    documented('What a policy says about an instruction', name, error.value)


def test_rounding_of_half_precision_is_no_error():
    output = JudgedOutput('p', 0.5, (3,), REASONS)
    found = output.read(np.float32([[1.0004, -0.0004, 0.0]]))
    np.testing.assert_array_equal(found, [1.0, 0.0, 0.0])


@pytest.mark.parametrize(
    'wrong',
    [
        Assessment(understood=1.5),
        Assessment(done=float('nan')),
        Assessment(possible=-0.5),
        Assessment(possible=0.5, reasons=(0.5, float('inf'))),
        Assessment(understood=0.5, words=(('wave', 2.0),)),
    ],
)
def test_node_checks_the_assessment_of_any_policy(wrong):
    chunk = ActionChunk(('a',), np.zeros((1, 1)), np.array([0.1]), assessment=wrong)
    with pytest.raises(PolicyError):
        ChunkCheck(('a',))(chunk)

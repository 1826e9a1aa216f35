# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A batch of requests through one model."""

import numpy as np
import onnx
import pytest
import yaml

from vla_common.testing_refusals import documented
from vla_policy.load import load_policy
from vla_policy.remote.wire import WireError
from vla_policy.testing.bundles import PLUS_JOINTS as JOINTS
from vla_policy.testing.bundles import SIZE, write_bundle, write_policy
from vla_serving.served_policy import POSITION, VELOCITY, ServedPolicy
from vla_serving.worker import REFUSED, Worker


def joint_request(robot, shift=0.0):
    return {
        POSITION: robot.poses['standing'] + shift,
        VELOCITY: np.zeros(robot.n),
        'prompt': 'wave',
    }


@pytest.mark.parametrize('kind', ['bundle', 'fixed_bundle'])
def test_each_request_of_a_batch_gets_its_own_answer(kind, robot, request):
    worker = Worker(request.getfixturevalue(kind))
    assert worker.batches == (kind == 'bundle')
    shifts = [0.0, 0.2, -0.1]
    answers = worker.answer([joint_request(robot, shift) for shift in shifts])
    indices = [robot.index[name] for name in JOINTS]
    for shift, answer in zip(shifts, answers, strict=True):
        wanted = robot.poses['standing'][indices] + shift + 0.1
        np.testing.assert_allclose(answer['actions'], np.tile(wanted, (6, 1)), atol=1e-5)
        assert answer['server_timing']['batch'] == (3 if worker.batches else 1)


@pytest.mark.parametrize('kind', ['bundle', 'fixed_bundle'])
def test_request_that_is_none_costs_its_own_answer_only(kind, robot, request):
    bundle = request.getfixturevalue(kind)
    bad = joint_request(robot) | {POSITION: np.full(robot.n, np.nan)}
    far = joint_request(robot, 100.0)
    answers = Worker(bundle).answer([bad, joint_request(robot), {}, far])
    assert 'not finite' in answers[0][REFUSED]
    assert answers[1]['actions'].shape == (6, 2)
    assert 'found nothing' in answers[2][REFUSED]
    assert 'beyond' in answers[3][REFUSED]


@pytest.fixture
def served(tmp_path, robot):
    """A policy that reads words and a phase."""

    def change(content):
        content['inputs']['phase'] = {'tensor': 'phase', 'period': 2.0}

    write_bundle(tmp_path)
    model = onnx.load(str(tmp_path / 'model.onnx'))
    model.graph.input.append(onnx.helper.make_tensor_value_info('phase', 1, [1, 2]))
    onnx.save(model, str(tmp_path / 'model.onnx'))
    content = yaml.safe_load((tmp_path / 'policy.yaml').read_text())
    write_policy(tmp_path, content, 'model.onnx', 'tokenizer.json', change=change)
    return ServedPolicy(load_policy(tmp_path, robot), robot)


def whole_request(robot):
    return joint_request(robot) | {
        'observation/head': np.zeros((SIZE, SIZE, 3), np.uint8),
        'elapsed': 0.5,
    }


def test_declared_inputs_are_answered_and_each_that_is_missing_is_rejected(served, robot):
    inputs = served.metadata['vla']['inputs']
    assert (inputs['instruction'], inputs['elapsed']) == ('prompt', 'elapsed')
    assert served.answer(whole_request(robot))['actions'].shape == (5, 3)
    for key in whole_request(robot):
        request = whole_request(robot)
        del request[key]
        with pytest.raises(WireError, match=f'^{key}: found nothing, wanted ') as error:
            served.answer(request)
        if key == 'prompt':
            documented('Requests to our servers', 'no prompt', error.value)


@pytest.mark.parametrize(
    ('case', 'changes', 'reason'),
    [
        ('an empty prompt', {'prompt': ''}, 'prompt: the instruction is empty'),
        ('a number for the prompt', {'prompt': 7}, 'prompt: found int, wanted a text'),
        (
            'a prompt of 2001 characters',
            {'prompt': 'x' * 2001},
            'prompt: found 2001 characters, wanted a text of at most 2000',
        ),
        (
            'more words than the policy takes',
            {'prompt': 'wave wave wave with your left hand'},
            'prompt: the instruction has 7 tokens, the policy takes 5: "left hand" would be lost',
        ),
        ('a time that is not finite', {'elapsed': float('nan')}, 'elapsed: found nan, wanted s'),
        ('true for a time', {'elapsed': True}, 'elapsed: found bool, wanted s'),
    ],
)
def test_words_that_cannot_be_carried_out_are_rejected(served, robot, case, changes, reason):
    with pytest.raises(WireError, match=f'^{reason}') as error:
        served.answer(whole_request(robot) | changes)
    documented('Requests to our servers', case, error.value)


def test_a_policy_without_words_declares_none_and_needs_none(bundle, robot):
    worker = Worker(bundle)
    assert 'instruction' not in worker.metadata['vla']['inputs']
    request = joint_request(robot)
    del request['prompt']
    assert worker.answer([request])[0]['actions'].shape == (6, 2)

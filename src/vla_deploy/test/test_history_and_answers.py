# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A network with a history and with outputs beside the action, exported, verified and run."""

import json
import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
import yaml
from conftest import HORIZON, LENGTH, SIDE, WORDS, policy_of
from onnx import numpy_helper

from vla_common.errors import ConfigError
from vla_common.yaml_file import load_yaml
from vla_deploy.atomic_io import write_policy
from vla_deploy.exporting import export
from vla_deploy.observations import observations_of
from vla_deploy.optimising import optimise_torchscript
from vla_deploy.parity import EXACT, LOSSY, Parity
from vla_deploy.publishing import expected_answers
from vla_deploy.quantisation.quantising import quantise
from vla_deploy.reference_model import from_module
from vla_deploy.verification import verify_policy
from vla_policy.load import load_policy
from vla_policy.types import Observation

RECURRENT = 'vla_deploy.examples.recurrent:make'
REASONS = ['no such cube in view', 'out of reach']
FRAMES = 3
FORMS = ('onnx', 'torchscript-trace', 'torch_export')


def write(directory, robot, encoder='lstm', change=None):
    """The reference model of a tiny policy with a memory."""
    directory.mkdir(parents=True, exist_ok=True)
    policy = policy_of(robot, 'act') | {'name': f'tiny_{encoder}'}
    del policy['outputs']['gripper']
    policy['inputs']['history'] = {'frames': FRAMES, 'step': 0.1}
    policy['outputs'] |= {
        'understood': {'tensor': 'understood', 'accept': 0.1},
        'possible': {'tensor': 'possible', 'accept': 0.1, 'reasons': REASONS},
        'done': {'tensor': 'done', 'accept': 0.9},
    }
    if change is not None:
        change(policy)
    path = directory / 'policy.yaml'
    path.write_text(yaml.safe_dump(policy, sort_keys=False))
    vocabulary = {word: i for i, word in enumerate(WORDS)}
    model = {'type': 'WordLevel', 'vocab': vocabulary, 'unk_token': '[UNK]'}
    tokenizer = {'version': '1.0', 'pre_tokenizer': {'type': 'Whitespace'}, 'model': model}
    (directory / 'tokenizer.json').write_text(json.dumps(tokenizer))
    config = {
        'encoder': encoder,
        'frames': FRAMES,
        'joints': len(robot.groups['arms']),
        'horizon': HORIZON,
        'side': SIDE,
    }
    return from_module(RECURRENT, config, None, path)


@pytest.fixture(scope='module', params=['lstm', 'transformer'])
def exported(request, tmp_path_factory, robot, options):
    """(reference, ONNX bundle)."""
    home = tmp_path_factory.mktemp(request.param)
    reference = write(home / 'given', robot, request.param)
    result = export(reference, home / 'bundle', 'onnx', options)
    assert result.passed
    assert set(result.parity.probabilities) == {'understood', 'possible', 'done'}
    assert max(result.parity.probabilities.values()) < 1e-5
    return reference, home / 'bundle'


def past_of(observations, at) -> Observation:
    """Observation `at`, with the two before it as its history."""
    return replace(observations[at], past=tuple(observations[at - FRAMES + 1 : at]))


@pytest.mark.parametrize('form', FORMS)
def test_every_form_gives_the_same_answers_from_the_same_past(
    exported, tmp_path, robot, options, recording, form
):
    reference, bundle = exported
    out = bundle
    if form != 'onnx':
        out = tmp_path / form
        assert export(reference, out, form, options).passed
    seen = observations_of(recording, robot)
    policy = load_policy(out, robot)
    chunk = policy.predict(past_of(seen, 5))
    expected = load_policy(bundle, robot).predict(past_of(seen, 5))
    np.testing.assert_allclose(chunk.positions, expected.positions, atol=1e-4)
    for name in ('understood', 'possible', 'done'):
        found = getattr(chunk.assessment, name)
        assert 0.0 < found < 1.0
        assert abs(found - getattr(expected.assessment, name)) < 1e-4
    assert len(chunk.assessment.reasons) == len(REASONS)
    assert [word for word, _ in chunk.assessment.words] == seen[5].instruction.split()


def test_the_past_and_its_order_matter_and_a_missing_one_is_padded(exported, robot, recording):
    policy = load_policy(exported[1], robot)
    seen = observations_of(recording, robot)
    now = past_of(seen, 5)
    forward = policy.predict(now).positions
    backward = policy.predict(replace(now, past=now.past[::-1])).positions
    assert np.abs(forward - backward).max() > 1e-4
    alone = policy.predict(replace(now, past=())).positions
    padded = policy.predict(replace(now, past=(seen[5], seen[5]))).positions
    np.testing.assert_array_equal(alone, padded)
    assert np.abs(forward - alone).max() > 1e-4


def test_an_image_of_the_present_beside_a_history_of_states(tmp_path, robot):
    reference = write(tmp_path, robot)
    policy = {**reference.policy, 'inputs': {**reference.policy['inputs']}}
    policy['inputs']['image'] = {**policy['inputs']['image'], 'frames': 1}
    image, state, words = replace(reference, policy=policy).sample(2)
    assert image.shape == (2, 3, SIDE, SIDE)
    assert state.shape == (2, FRAMES, len(robot.groups['arms']))
    assert words.shape == (2, LENGTH)


def test_lower_precision_and_quantisation_keep_the_answers(exported, tmp_path, robot, options):
    _, bundle = exported
    wide = replace(options, limits=replace(LOSSY, max_error_rad=0.5, cosine=0.9))
    low = tmp_path / 'bf16'
    optimise_torchscript(bundle, low, wide, dtype=torch.bfloat16)
    small = tmp_path / 'int8'
    assert quantise(bundle, small, 'int8-weights', wide).result.passed
    for directory in (low, small):
        assert load_policy(directory, robot).bundle.acceptance.possible == 0.1
        recorded = load_yaml(directory / 'policy.yaml')['verification']['details']
        assert set(recorded['probabilities_max_error']) == {'understood', 'possible', 'done'}


def spoil(bundle, out):
    """A copy whose `done` is another function, with hashes that agree."""
    shutil.copytree(bundle, out)
    model = onnx.load(out / 'model.onnx')
    weight = next(w for w in model.graph.initializer if w.name == 'done.bias')
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) + 2.0, weight.name))
    onnx.save(model, out / 'model.onnx')
    content = load_yaml(out / 'policy.yaml')
    del content['verification']
    write_policy(out, content, list(content['files']))


def test_a_model_that_says_done_otherwise_fails_its_verification(exported, tmp_path, options):
    _, bundle = exported
    spoil(bundle, tmp_path / 'other')
    result = verify_policy(tmp_path / 'other', expected_answers(bundle, options), EXACT)
    assert not result.passed
    assert result.reason.startswith('done is ') and 'wanted at most 0.001' in result.reason
    assert result.parity.max_error_rad < 1e-4


def test_no_closed_loop_excuses_other_probabilities():
    parity = Parity(0.0, 0.0, 1.0, {}, 0, 24, {'understood': 0.01, 'possible': 0.3})
    assert parity.reason(LOSSY) == 'possible is 0.3 off, wanted at most 0.1'
    assert parity.judged_otherwise(LOSSY) == parity.reason(LOSSY)
    missing = parity.with_probabilities({'done': np.zeros((2, 1))}, {})
    assert missing.probabilities == {'done': np.inf}


def test_outputs_that_the_module_does_not_return_are_refused_by_name(tmp_path, robot):
    with pytest.raises(ConfigError, match='output_names: found joint_targets, understood, pos'):
        write(tmp_path / 'a', robot, change=lambda p: p['outputs'].pop('done'))

    def reordered(policy):
        outputs = policy['outputs']
        outputs['possible'], outputs['done'] = (
            {'tensor': 'done', 'accept': 0.5, 'reasons': REASONS},
            {'tensor': 'possible', 'accept': 0.5},
        )

    with pytest.raises(ConfigError, match='output_names'):
        write(tmp_path / 'b', robot, change=reordered)

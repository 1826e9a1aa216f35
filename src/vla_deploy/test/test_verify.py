# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Comparison, its record in the bundle, and bundles that fail."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_common.yaml_file import load_yaml
from vla_deploy.atomic_io import write_policy
from vla_deploy.commands import optimise, verify
from vla_deploy.observations import Recording, simulated, tensors_of
from vla_deploy.optimising import optimise_onnx
from vla_deploy.parity import EXACT, LOSSY, compare
from vla_deploy.publishing import expected_answers
from vla_policy.bundle.action_space import ActionSpace
from vla_policy.bundle.bundle import load_bundle
from vla_policy.bundle.model_spec import ActionOutput
from vla_policy.testing.bundles import hand_deltas, write_bundle

STD = np.array([0.5, 2.0])
ACTION = ActionOutput('a', ActionSpace('joint_position', ('one', 'two')), 3, 0.1, np.zeros(2), STD)


def ignored_column(content):
    content['outputs']['action'] |= {'joints': ['left_elbow', 'head_yaw'], 'ignore': [2]}


def chunks(seed=0):
    return np.random.default_rng(seed).normal(0, 1, (5, 3, 2)).astype(np.float32)


def test_errors_are_in_radians_of_the_joint_that_has_them():
    wanted, found = chunks(), chunks()
    found[3, 1, 1] += 0.1
    parity = compare(wanted, found, ACTION)
    assert parity.worst == 3
    assert parity.max_error_rad == pytest.approx(0.2, rel=1e-4)
    assert parity.joints['one'] == (0.0, 0.0)
    assert 'two is 0.2 rad off in observation 3' in parity.reason(LOSSY)


def test_the_same_answers_pass_and_turned_ones_do_not():
    assert compare(chunks(), chunks(), ACTION).reason(EXACT) == ''
    assert compare(np.zeros((1, 3, 2)), np.zeros((1, 3, 2)), ACTION).cosine == 1.0
    parity = compare(chunks(), 1e-3 * chunks(1), ACTION)
    assert parity.cosine < 0.999


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_an_answer_that_is_not_finite_never_passes(bad):
    found = chunks()
    found[2, 0, 0] = bad
    parity = compare(chunks(), found, ACTION)
    assert parity.worst == 2 and parity.max_error_rad == np.inf
    assert parity.reason(LOSSY)


@given(st.floats(1e-6, 10.0), st.integers(0, 4), st.integers(0, 2), st.integers(0, 1))
def test_one_wrong_number_is_never_overlooked(size, i, j, k):
    found = chunks().astype(np.float64)
    found[i, j, k] += size
    parity = compare(chunks(), found, ACTION)
    assert parity.worst == i
    assert parity.max_error_rad == pytest.approx(size * STD[k], rel=1e-6)
    assert bool(parity.reason(EXACT)) == (size * STD[k] > 1e-3) or parity.cosine < EXACT.cosine


def test_a_failed_verification_is_reported_recorded_and_blocks_loading(
    spoiled, robot, observed, capsys
):
    arguments = ['--bundle', str(spoiled), *observed]
    assert load_bundle(spoiled, robot).verification is None
    assert verify.main([*arguments, '--json']) == 3
    text = capsys.readouterr()
    output = ' '.join(text.err.split())
    assert 'verification failed' in output and 'spoiled.worst.npz' in output
    assert 'what can be done' in output and '--scenes' in output
    machine = json.loads(text.out)
    assert not machine['passed'] and machine['worst'].endswith('spoiled.worst.npz')
    with pytest.raises(ConfigError, match='verification.passed'):
        load_bundle(spoiled, robot)
    found = load_bundle(spoiled, robot, accept_failed=True).verification
    assert not found.passed and found.max_error_rad > LOSSY.max_error_rad
    # The worst input is a recording of one: looking at it again fails as well.
    worst = spoiled.parent / 'spoiled.worst.npz'
    assert len(Recording.load(worst)) == 1
    assert verify.main(['--bundle', str(spoiled), '--observations', str(worst)]) == 3


@pytest.mark.parametrize(
    ('case', 'change', 'key'),
    [
        ('deltas of a hand', hand_deltas, 'outputs.action.kind: found end_effector_delta'),
        ('an ignored column', ignored_column, 'outputs.action.ignore: found [2]'),
    ],
)
def test_a_bundle_whose_answers_are_not_all_in_rad_is_not_verified(
    tmp_path, capsys, case, change, key
):
    write_bundle(tmp_path / 'hand', change=change)
    assert (
        verify.main(['--bundle', str(tmp_path / 'hand'), '--against', str(tmp_path / 'hand')]) == 2
    )
    error = capsys.readouterr().err
    assert key in ' '.join(error.split())
    documented('Verification', case, error.strip(), tmp_path / 'hand')


def test_a_good_bundle_passes_against_another_form_of_itself(bundles, tmp_path, observed):
    shutil.copytree(bundles['act'], tmp_path / 'copy')
    arguments = ['--bundle', str(tmp_path / 'copy'), '--against', str(bundles['act'])]
    assert verify.main([*arguments, *observed]) == 0


def test_a_bundle_without_a_source_is_not_compared_with_itself(bundles, tmp_path, observed, capsys):
    alone = tmp_path / 'alone'
    shutil.copytree(bundles['diffusion'], alone)
    content = load_yaml(alone / 'policy.yaml')
    for key in ('source', 'verification'):
        del content[key]
    write_policy(alone, content, [n for n in content['files'] if n != 'source.safetensors'])
    before = (alone / 'policy.yaml').read_bytes()
    assert verify.main(['--bundle', str(alone), *observed]) == 2
    error = capsys.readouterr().err
    documented('Verification', 'a bundle without a reference', error.strip(), alone)
    assert 'source: found nothing, so there is nothing to compare the model with' in error
    assert '--against' in error
    assert verify.main(['--bundle', str(alone), '--against', str(alone), *observed]) == 2
    error = capsys.readouterr().err
    assert '--against: found tiny_diffusion 0.1.0, onnx, the same model' in error
    documented('Verification', 'a bundle against itself', error.strip(), alone)
    assert (alone / 'policy.yaml').read_bytes() == before
    # Beside the bundle that it was made from it is verified, and the record says against what.
    arguments = ['--bundle', str(alone), '--against', str(bundles['diffusion']), *observed]
    assert verify.main(arguments) == 0
    record = load_bundle(alone).verification
    assert record.passed and record.observations == 24
    weights = (bundles['diffusion'] / 'source.safetensors').read_bytes()
    assert record.rest['reference_sha256'] == hashlib.sha256(weights).hexdigest()
    assert record.rest['recording'] == 'recording.npz'
    assert record.rest['recording_sha256'] == Recording.load(Path(observed[1])).sha256
    assert record.rest['limits'] == {'max_error_rad': 0.1, 'cosine': 0.999}


EXACTLY = ('--max-error', '0.001', '--cosine', '0.99999')


def test_a_passed_record_is_replaced_on_request_and_a_stronger_one_by_force_only(
    bundles, tmp_path, observed, json_of, capsys
):
    out = tmp_path / 'copy'
    shutil.copytree(bundles['act'], out)
    file = out / 'policy.yaml'
    before = file.read_bytes()
    limits = load_bundle(out).verification.rest['limits']
    assert limits == {'max_error_rad': 0.001, 'cosine': 0.99999}
    assert not json_of(verify.main, '--bundle', out, *observed)['recorded']
    assert file.read_bytes() == before
    assert verify.main(['--bundle', str(out), *observed, '--write']) == 2
    error = capsys.readouterr().err
    assert 'found a limit of 0.1 rad, not 0.001' in error
    refusal = error.strip().splitlines()[-1]
    documented('Verification', 'looser limits than those of the record', refusal, out)
    assert file.read_bytes() == before
    assert json_of(verify.main, '--bundle', out, *observed, '--write', *EXACTLY)['recorded']
    assert load_bundle(out).verification.rest['limits'] == limits
    assert json_of(verify.main, '--bundle', out, *observed, '--force')['recorded']
    assert load_bundle(out).verification.rest['limits']['max_error_rad'] == 0.1


def test_a_verdict_takes_the_same_number_of_observations_in_every_verb(
    bundles, options, recording, tmp_path, capsys
):
    few = recording.pick(range(23))
    few.save(tmp_path / 'few.npz')
    arguments = ['--bundle', str(bundles['act']), '--observations', str(tmp_path / 'few.npz')]
    assert verify.main([*arguments, '--write']) == 2
    error = capsys.readouterr().err
    assert 'few.npz: observations: found 23, wanted at least 24' in error
    documented('Verification', 'a recording with few observations', error.strip(), tmp_path)
    assert verify.main(arguments) == 0  # a look, not a record
    for main in (optimise.main, verify.main):
        more = [] if main is verify.main else ['--out', str(tmp_path / 'b')]
        assert main(['--bundle', str(bundles['act']), '--count', '6', *more]) == 2
        error = capsys.readouterr().err
        assert '--count: found 6, wanted at least 24' in error
        documented('Verification', 'a verdict on few observations', error.strip().splitlines()[-1])
    with pytest.raises(ConfigError, match='observations: found 23, wanted at least 24'):
        optimise_onnx(bundles['act'], tmp_path / 'b', replace(options, recording=few))
    assert not (tmp_path / 'b').exists()


@pytest.fixture
def loops(monkeypatch):
    """The bundles that were run in closed loop, and their results in order."""
    ran, results = [], []

    def successes(bundle, *_, **__):
        load_bundle(bundle)  # would refuse one that failed
        ran.append(bundle)
        return results.pop(0)

    monkeypatch.setattr('vla_deploy.closed_loop.successes', successes)
    return ran, results


def test_a_policy_with_other_answers_can_pass_in_closed_loop_beside_the_bundle_that_it_names(
    spoiled, bundles, observed, loops, capsys
):
    before = bundles['diffusion']
    common = ['--bundle', str(spoiled), *observed, '--scenes', '60']
    assert verify.main(common) == 2
    assert 'the bundle to run beside' in capsys.readouterr().err
    ran, results = loops
    results += [[True] * 60, [False] * 2 + [True] * 58, [True] * 60, [False] + [True] * 59]
    assert verify.main([*common, '--against', str(before)]) == 3
    output = ' '.join(capsys.readouterr().err.split())
    assert '60 scenes in closed loop, seed 0: 100% before, 97% after, 2 lost, 0 won' in output
    assert verify.main([*common, '--against', str(before)]) == 0  # the failure did not hinder it
    assert ran[::2] == [before, before]
    found = load_bundle(spoiled).verification
    assert found.passed and found.success == (1.0, pytest.approx(59 / 60, abs=1e-4))
    assert found.rest['judged_against'] == load_bundle(before).files['model.onnx']


def test_a_recording_comes_back_as_it_was_saved(recording, tmp_path):
    recording.save(tmp_path / 'r.npz')
    again = Recording.load(tmp_path / 'r.npz')
    assert again.instruction == recording.instruction
    np.testing.assert_array_equal(again.images['head'], recording.images['head'])


SPOIL = {
    'position': (lambda a: a[:, :3], r'position: found \(24, 3\)'),
    'elapsed': (
        lambda a: a.astype('U8'),
        r'elapsed: found <U8 \(24,\), wanted an array of numbers',
    ),
    'joints': (lambda a: np.arange(len(a)), r'joints: found int64 .*, wanted an array of texts'),
    'velocity': (lambda a: np.where(np.arange(24)[:, None] == 7, np.nan, a), r'velocity\[7\]'),
    'image_head': (lambda a: a.astype(np.float32), 'image_head: found float32'),
    'instruction': (None, 'instruction: found nothing'),
}


@pytest.mark.parametrize('name', SPOIL)
def test_a_malformed_recording_is_refused_by_array(recording, tmp_path, name):
    recording.save(tmp_path / 'r.npz')
    with np.load(tmp_path / 'r.npz') as content:
        arrays = dict(content)
    change, message = SPOIL[name]
    if change is None:
        del arrays[name]
    else:
        arrays[name] = change(arrays[name])
    np.savez(tmp_path / 'r.npz', **arrays)
    with pytest.raises(ConfigError, match=message) as error:
        Recording.load(tmp_path / 'r.npz')
    documented('Recordings', name, error.value, tmp_path)


def test_a_truncated_recording_and_a_pickle_are_refused(recording, tmp_path):
    path = tmp_path / 'r.npz'
    recording.save(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ConfigError, match=r'a recording \(.npz\)'):
        Recording.load(path)
    np.savez(path, joints=np.array([object()], dtype=object))
    with pytest.raises(ConfigError, match=r'a recording \(.npz\)'):
        Recording.load(path)


def test_a_camera_that_was_not_recorded_is_named(bundles, robot, recording):
    blind = Recording(*[*vars(recording).values()][:5], {}, 'dark')
    with pytest.raises(ConfigError, match='dark: observation 0: found no image of camera head'):
        tensors_of(blind, load_bundle(bundles['act']), robot)


def test_simulated_observations_follow_from_their_seed(robot):
    one, again, other = (simulated(robot, ['wave', 'look'], 2, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.images['head'], again.images['head'])
    np.testing.assert_array_equal(one.position, again.position)
    assert not np.array_equal(one.position, other.position)
    assert one.instruction == ('wave', 'look')
    assert one.images['head'].std() > 5


def test_a_reference_model_that_answers_nan_is_reported(bundles, options, monkeypatch):
    monkeypatch.setattr('vla_deploy.publishing.answers', lambda *_: np.array([[[0.0]], [[np.nan]]]))
    with pytest.raises(
        ConfigError, match='answers of the reference model: found nan for observation 1'
    ):
        expected_answers(bundles['diffusion'], options)

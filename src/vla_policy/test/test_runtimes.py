# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Whole policies on tiny models whose answers can be computed by hand."""

import hashlib
import sys

import numpy as np
import pytest
import yaml

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_policy.load import load_policy, warm_up
from vla_policy.testing.bundles import JOINTS, WORDS, expected, write_bundle
from vla_policy.types import PolicyError

RUNTIMES = ['onnx', 'torchscript']


def rewrite(directory, change):
    """Change policy.yaml, hashes brought up to date."""
    content = yaml.safe_load((directory / 'policy.yaml').read_text())
    for name in content['files']:
        content['files'][name] = hashlib.sha256((directory / name).read_bytes()).hexdigest()
    change(content)
    (directory / 'policy.yaml').write_text(yaml.safe_dump(content))


@pytest.mark.parametrize('runtime', RUNTIMES)
@pytest.mark.parametrize('kind', ['joint_position', 'joint_delta'])
def test_answer_is_the_models_in_radians_of_named_joints(tmp_path, robot, observe, runtime, kind):
    def change(content):
        content['outputs']['action']['kind'] = kind

    content = write_bundle(tmp_path, change, runtime)
    policy = load_policy(tmp_path, robot)
    observation = observe(position=np.linspace(-0.4, 0.4, robot.n))
    chunk = policy.predict(observation)
    position = dict(zip(robot.joint_names, observation.position, strict=True))
    brightness = (128 / 255 - 0.5) / 0.5
    want = expected(content, position, brightness, WORDS['wave'])
    if kind == 'joint_delta':
        want = want + np.array([position[joint] for joint in JOINTS])
    np.testing.assert_allclose(chunk.positions, want, atol=1e-5)
    np.testing.assert_allclose(chunk.times, 0.1 * np.arange(1, 6))
    assert chunk.joints == tuple(JOINTS)
    assert (chunk.confidence, chunk.done) == (-1.0, None)
    policy.close()


@pytest.mark.parametrize('runtime', RUNTIMES)
def test_words_and_picture_both_matter(tmp_path, robot, observe, runtime):
    write_bundle(tmp_path, None, runtime)
    policy = load_policy(tmp_path, robot)
    first = policy.predict(observe()).positions.copy()
    words = policy.predict(observe(instruction='left hand')).positions.copy()
    dark = {'head': np.zeros((48, 64, 3), np.uint8)}
    picture = policy.predict(observe(images=dark)).positions.copy()
    again = policy.predict(observe()).positions
    assert not np.allclose(first, words)
    assert not np.allclose(first, picture)
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize('runtime', RUNTIMES)
def test_model_of_another_shape_is_refused_at_load(tmp_path, robot, runtime):
    write_bundle(tmp_path, None, runtime, horizon=7)
    with pytest.raises(
        ConfigError, match=r'output joint_targets.*\(1, 7, 3\).*\(1, 5, 3\)'
    ) as error:
        load_policy(tmp_path, robot)
    if runtime == 'onnx':
        documented('Tensors of models', 'another horizon', error.value, tmp_path)


@pytest.mark.parametrize('runtime', RUNTIMES)
def test_file_that_is_no_model_is_refused_at_load(tmp_path, robot, runtime):
    content = write_bundle(tmp_path, None, runtime)
    (tmp_path / content['model']).write_bytes(b'not a model at all')
    rewrite(tmp_path, lambda content: None)
    with pytest.raises(ConfigError, match='model: found'):
        load_policy(tmp_path, robot)


def test_missing_and_surplus_inputs_are_named(tmp_path, robot):
    write_bundle(tmp_path)
    rewrite(tmp_path, lambda c: c['inputs']['state'].update(tensor='qpos'))
    with pytest.raises(ConfigError, match=r'input qpos: found only image, proprioception') as error:
        load_policy(tmp_path, robot)
    documented('Tensors of models', 'an input that the model has not', error.value, tmp_path)
    rewrite(tmp_path, lambda c: c['inputs'].pop('state'))
    with pytest.raises(
        ConfigError, match=r'input proprioception: found an input, wanted only'
    ) as error:
        load_policy(tmp_path, robot)
    documented('Tensors of models', 'an input that is left out', error.value, tmp_path)


def test_image_of_another_size_than_the_model_is_refused(tmp_path, robot):
    write_bundle(tmp_path)
    rewrite(tmp_path, lambda c: c['inputs']['image'].update(width=9))
    with pytest.raises(ConfigError, match=r'input image: found float32 \(1, 3, 8, 8\)') as error:
        load_policy(tmp_path, robot)
    documented('Tensors of models', 'an image of another size', error.value, tmp_path)


def test_broken_tokenizer_is_refused(tmp_path, robot):
    write_bundle(tmp_path)
    (tmp_path / 'tokenizer.json').write_text('{}')
    rewrite(tmp_path, lambda content: None)
    with pytest.raises(ConfigError, match=r'tokenizer.json: inputs.instruction.tokenizer: found'):
        load_policy(tmp_path, robot)


def test_missing_tokenizer_is_refused_by_name(tmp_path, robot):
    write_bundle(tmp_path)
    (tmp_path / 'tokenizer.json').unlink()
    with pytest.raises(ConfigError, match=r'files.tokenizer.json: found No such file') as error:
        load_policy(tmp_path, robot)
    documented('Policy bundles', 'a missing tokenizer', error.value, tmp_path)


def test_precision_is_taken_from_the_parameter_or_refused(tmp_path, robot, observe):
    write_bundle(tmp_path / 'script', runtime='torchscript')
    observation = observe(position=robot.poses['ready'].copy())
    full = load_policy(tmp_path / 'script', robot).predict(observation).positions
    half = load_policy(tmp_path / 'script', robot, precision='bfloat16')
    assert half.graph == 'none: no CUDA device'
    found = half.predict(observation).positions
    np.testing.assert_allclose(found, full, atol=2e-2)
    assert np.abs(found - full).max() > 1e-6
    write_bundle(tmp_path / 'onnx')
    with pytest.raises(
        ConfigError, match='precision: found bfloat16 for a bundle of runtime onnx'
    ) as error:
        load_policy(tmp_path / 'onnx', robot, precision='bfloat16')
    documented('Tensors of models', 'a precision for an ONNX model', error.value, tmp_path)
    with pytest.raises(ConfigError, match='precision: found float16, wanted none: the server'):
        load_policy('ws://127.0.0.1:1', robot, precision='float16')


def test_nan_from_the_model_is_a_policy_error_naming_the_joint(tmp_path, robot, observe):
    write_bundle(tmp_path, nan=True)
    policy = load_policy(tmp_path, robot)
    with pytest.raises(PolicyError, match='not finite: left_elbow') as error:
        policy.predict(observe())
    documented('Tensors of models', 'an answer that is not finite', error.value)


def test_missing_camera_is_a_policy_error(tmp_path, robot, observe):
    write_bundle(tmp_path)
    policy = load_policy(tmp_path, robot)
    with pytest.raises(PolicyError, match='no image of camera head') as error:
        policy.predict(observe(images={}))
    documented('Tensors of models', 'no image of a camera', error.value)


@pytest.mark.parametrize('runtime', RUNTIMES)
def test_device_that_is_not_there_is_refused(tmp_path, robot, runtime):
    import torch

    write_bundle(tmp_path, None, runtime)
    device = 'tpu' if torch.cuda.is_available() else 'cuda:0'
    with pytest.raises(ConfigError, match=f'device: found {device}'):
        load_policy(tmp_path, robot, device=device)


def test_torchscript_without_torch_reports_what_is_missing(tmp_path, robot, monkeypatch):
    write_bundle(tmp_path, None, 'torchscript')
    monkeypatch.setitem(sys.modules, 'torch', None)
    with pytest.raises(ConfigError, match='wanted the Python package torch installed') as error:
        load_policy(tmp_path, robot)
    documented('Policy bundles', 'a TorchScript model without torch', error.value, tmp_path)


def test_onnx_and_scripted_need_no_torch(tmp_path):
    import subprocess

    write_bundle(tmp_path)
    code = (
        'import sys; sys.modules["torch"] = None\n'
        'from vla_robot import load_robot\n'
        'from vla_policy.load import load_policy\n'
        'import vla_inference.node\n'
        f'load_policy({str(tmp_path)!r}, load_robot("humanoid32"))\n'
    )
    subprocess.run([sys.executable, '-c', code], check=True, timeout=120)


def test_warm_up_times_every_call(tmp_path, robot, observe):
    write_bundle(tmp_path)
    durations = warm_up(load_policy(tmp_path, robot), observe(), 4)
    assert len(durations) == 4
    assert all(d > 0.0 for d in durations)

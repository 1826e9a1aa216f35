# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""policy.yaml is read whole; every mistake is an error with file, key, found and wanted."""

import re
from pathlib import Path

import numpy as np
import pytest

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_policy.bundle.bundle import load_bundle
from vla_policy.bundle.resolve_bundle import locate_bundle
from vla_policy.testing.bundles import JOINTS, edit, write_bundle, write_policy

SHA256 = re.compile('[0-9a-f]{64}')
SCRIPTED = Path(__file__).parents[3] / 'models' / 'scripted'


def test_good_bundle_is_read_whole(tmp_path, robot):
    write_bundle(tmp_path)
    bundle = load_bundle(tmp_path, robot)
    assert bundle.title == 'tiny 0.1.0'
    assert bundle.model.inputs.images[0].shape == (1, 3, 8, 8)
    assert bundle.model.inputs.state.joints == tuple(JOINTS)
    assert bundle.model.action.shape == (1, 5, 3)
    assert bundle.cameras == ('head',)
    np.testing.assert_allclose(bundle.model.action.std, [1.0, 0.5, 0.25])


def put(*path_and_value):
    *path, value = path_and_value
    return lambda content: edit(content, {' '.join(path): value})


def drop(*path):
    return put(*path, None)


MALFORMED = {
    'another format': (put('format', 2), 'format: found 2, wanted 1'),
    'no name': (drop('name'), 'name: found nothing, wanted a text'),
    'unknown runtime': (
        put('runtime', 'pickle'),
        'runtime: found pickle, wanted one of onnx, torchscript, torch_export, pytorch',
    ),
    'misspelt key': (put('modle', 'x'), "modle: found an unknown key, wanted 'model'"),
    'no model': (drop('model'), 'model: found nothing'),
    'pickled model': (put('model', 'model.pkl'), 'model: found model.pkl, wanted a model that is'),
    'model outside': (
        put('model', '../model.onnx'),
        'model: found ../model.onnx, wanted a path inside the bundle',
    ),
    'absolute model': (put('model', '/etc/passwd'), 'model: found /etc/passwd, wanted a path'),
    'listed file outside': (
        put('files', '../../x.onnx', '0' * 64),
        'files.../../x.onnx: found ../../x.onnx, wanted a path inside the bundle',
    ),
    'model not listed': (
        drop('files', 'model.onnx'),
        'files.model.onnx: found nothing, wanted the SHA-256 of the model',
    ),
    'no digest': (
        put('files', 'model.onnx', 'abc'),
        'files.model.onnx: found abc, wanted a SHA-256: 64 hexadecimal digits',
    ),
    'another file': (put('files', 'model.onnx', '0' * 64), 'wanted SHA-256 ' + '0' * 64),
    'missing file': (
        put('files', 'gone.txt', '0' * 64),
        'files.gone.txt: found No such file or directory, wanted a readable file gone.txt',
    ),
    'nothing observed': (
        put('inputs', {}),
        'inputs: found neither image nor state, wanted at least one thing that is observed',
    ),
    'image without size': (drop('inputs', 'image', 'width'), 'inputs.image.width: found nothing'),
    'image of no size': (put('inputs', 'image', 'width', 0), 'inputs.image.width: found 0'),
    'range backwards': (
        put('inputs', 'image', 'range', [1, 0]),
        'inputs.image.range: found [1.0, 0.0], wanted low < high',
    ),
    'zero std': (
        put('inputs', 'image', 'std', [1, 0, 1]),
        'inputs.image.std: found 0.0, wanted every number > 0',
    ),
    'unknown layout': (put('inputs', 'image', 'layout', 'chw'), 'inputs.image.layout: found chw'),
    'unknown resize': (put('inputs', 'image', 'resize', 'zoom'), 'inputs.image.resize: found zoom'),
    'short mean': (
        put('inputs', 'state', 'mean', [0.0]),
        'inputs.state.mean: found 1 values, wanted a list of 3 finite numbers',
    ),
    'unknown joint': (
        put('inputs', 'state', 'joints', ['left_elbo', 'left_elbow', 'head_yaw']),
        'inputs.state.joints: found left_elbo, wanted joints of the robot humanoid32 '
        '(nearest to left_elbo: left_elbow)',
    ),
    'another robot of that maker': (
        put('robot', 'humanoid31'),
        'robot: found humanoid31, wanted humanoid32, or none here if the policy is meant for '
        'robots of several names',
    ),
    'joint twice': (
        put('outputs', 'action', 'joints', ['head_yaw', 'head_yaw', 'left_elbow']),
        'outputs.action.joints: found head_yaw twice, wanted each once',
    ),
    'no joints': (put('outputs', 'action', 'joints', []), 'outputs.action.joints: found no joint'),
    'unknown kind': (
        put('outputs', 'action', 'kind', 'torque'),
        'outputs.action.kind: found torque, wanted one of joint_position, joint_delta, '
        'joint_velocity, end_effector_pose, end_effector_delta',
    ),
    'no horizon': (put('outputs', 'action', 'horizon', 0), 'outputs.action.horizon: found 0'),
    'infinite step': (
        put('outputs', 'action', 'step', float('inf')),
        'outputs.action.step: found inf, wanted a finite number',
    ),
    'tensor twice': (
        put('inputs', 'state', 'tensor', 'image'),
        'inputs: found tensor image used twice, wanted one input per tensor',
    ),
    'tokenizer not listed': (
        put('inputs', 'instruction', 'tokenizer', 'other.json'),
        'files.other.json: found nothing, wanted the SHA-256 of the tokenizer',
    ),
    'text for a number': (
        put('inputs', 'instruction', 'length', 'long'),
        'inputs.instruction.length: found long',
    ),
}


@pytest.mark.parametrize('name', MALFORMED)
def test_malformed_bundle_is_refused_by_key(tmp_path, robot, name):
    change, message = MALFORMED[name]
    write_bundle(tmp_path, change)
    with pytest.raises(ConfigError) as error:
        load_bundle(tmp_path, robot)
    assert message in str(error.value)
    assert str(error.value).startswith(str(tmp_path / 'policy.yaml'))
    documented('Policy bundles', name, error.value, tmp_path, SHA256)


def test_missing_directory_and_missing_file_are_distinguished(tmp_path):
    with pytest.raises(ConfigError, match='no such directory') as error:
        load_bundle(tmp_path / 'nowhere')
    documented('Policy bundles', 'no such directory', error.value, tmp_path)
    with pytest.raises(ConfigError, match='no such file') as error:
        load_bundle(tmp_path)
    documented('Policy bundles', 'no policy.yaml', error.value, tmp_path)


def test_bytes_read_are_the_bytes_checked(tmp_path):
    write_bundle(tmp_path)
    bundle = load_bundle(tmp_path)
    (tmp_path / 'model.onnx').write_bytes(b'swapped after the check')
    with pytest.raises(ConfigError, match='files.model.onnx') as error:
        bundle.read('model.onnx')
    documented('Policy bundles', 'a model that changed', error.value, tmp_path, SHA256)


def test_symlinked_files_are_allowed_because_their_hash_holds(tmp_path):
    write_bundle(tmp_path / 'real')
    linked = tmp_path / 'linked'
    linked.mkdir()
    for file in (tmp_path / 'real').iterdir():
        (linked / file.name).symlink_to(file)
    assert load_bundle(linked).name == 'tiny'


SCRIPTED_ERRORS = {
    'no motions': ({'motions': {}}, 'motions: found none, wanted at least one motion'),
    'no words': (
        {'motions': {'a': {'words': [], 'duration': 1, 'pose': {'head_yaw': 0}}}},
        'motions.a.words: found none, wanted at least one word',
    ),
    'no joints': (
        {'motions': {'a': {'words': ['a'], 'duration': 1}}},
        'motions.a.pose: found no joint in pose, swing or hold',
    ),
    'unknown joint': (
        {'motions': {'a': {'words': ['a'], 'duration': 1, 'pose': {'tail': 0}}}},
        'motions.a: found tail, wanted joints of the robot humanoid32',
    ),
    'pose beyond a turn': (
        {'motions': {'a': {'words': ['a'], 'duration': 1, 'pose': {'head_yaw': 9}}}},
        'motions.a.pose.head_yaw: found 9',
    ),
}


@pytest.mark.parametrize('name', SCRIPTED_ERRORS)
def test_malformed_motion_is_refused_by_key(tmp_path, robot, name):
    change, message = SCRIPTED_ERRORS[name]
    content = {'format': 1, 'name': 's', 'version': '1', 'runtime': 'scripted', **change}
    write_policy(tmp_path, content)
    with pytest.raises(ConfigError, match=re.escape(message)) as error:
        load_bundle(tmp_path, robot)
    documented('Scripted policies', name, error.value, tmp_path)


def test_shipped_scripted_bundle_fits_the_robot(robot):
    assert set(load_bundle(SCRIPTED, robot).spec.motions) == {
        'hold',
        'wave_left',
        'wave_right',
        'look_around',
    }


def test_bundle_is_found_by_name_or_directory_and_unknown_names_list_what_there_is(tmp_path):
    write_bundle(tmp_path / 'tiny')
    assert locate_bundle('tiny', tmp_path) == tmp_path / 'tiny'
    assert locate_bundle(str(tmp_path / 'tiny'), Path('/nowhere')) == tmp_path / 'tiny'
    with pytest.raises(ConfigError, match=r'policy: found other .*: tiny') as error:
        locate_bundle('other', tmp_path)
    documented('Policy bundles', 'a policy that is not there', error.value, tmp_path)
    with pytest.raises(ConfigError, match='policy: found nothing') as error:
        locate_bundle(' ', tmp_path)
    documented('Policy bundles', 'no policy', error.value, tmp_path)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The server for LeRobot directories, run as its user runs it: a script, with a double of LeRobot
on its path and nothing of this workspace."""

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from vla_common.testing_refusals import documented
from vla_policy.load import load_policy
from vla_policy.remote.openpi_client import OpenPiClient, RemoteError
from vla_policy.testing.bundles import JOINTS
from vla_policy.types import PolicyError

HERE = Path(__file__).parent
SERVER = HERE.parent / 'servers' / 'lerobot_server.py'
SOON = 60.0


def directory(path, kind='act', **changes):
    path.mkdir()
    config = {
        'type': kind,
        'chunk_size': 6,
        'n_obs_steps': 1,
        'input_features': {
            'observation.state': {'shape': [3]},
            'observation.images.front': {'shape': [3, 24, 32]},
        },
        'output_features': {'action': {'shape': [3]}},
    } | changes
    (path / 'config.json').write_text(json.dumps(config))
    for name in ('policy_preprocessor.json', 'policy_postprocessor.json'):
        (path / name).write_text('{}')
    return path


def command(path, *more):
    return [
        sys.executable,
        str(SERVER),
        *('--policy', str(path), '--joints', ','.join(JOINTS), '--fps', '10', '--port', '0'),
        *(more or ('--camera', 'observation.images.front=head')),
    ]


def environment():
    """Without this workspace: the script has to stand alone."""
    values = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
    return values | {'PYTHONPATH': str(HERE / 'lerobot_double')}


@contextlib.contextmanager
def running(path):
    server = subprocess.Popen(
        command(path), stdout=subprocess.PIPE, text=True, env=environment(), cwd='/'
    )
    try:
        line = server.stdout.readline()
        assert ' at ws://127.0.0.1:' in line
        yield line.split(' at ')[1].strip()
    finally:
        server.terminate()
        assert server.wait(SOON) == 0


def test_policy_directory_is_used_by_its_address_alone(tmp_path, robot, observe):
    with running(directory(tmp_path / 'act')) as url:
        policy = load_policy(url, robot, timeout=SOON)
        observation = observe()
        chunk = policy.predict(observation)
        assert policy.bundle.title == 'act lerobot'
        assert policy.bundle.cameras == ('head',)
        state = observation.position[[robot.index[name] for name in JOINTS]]
        wanted = state + 0.1 * np.arange(1, 7)[:, None]
        np.testing.assert_allclose(chunk.positions, wanted, atol=1e-5)
        np.testing.assert_allclose(chunk.times, 0.1 * np.arange(1, 7))
        with pytest.raises(PolicyError, match='RuntimeError: a policy that fails'):
            policy.predict(observe(instruction='fail'))
        assert policy.predict(observation).positions.shape == (6, 3)  # reconnected
        with urllib.request.urlopen(url.replace('ws', 'http') + '/healthz') as answer:
            assert answer.status == 200
        client = OpenPiClient(url)
        with pytest.raises(RemoteError, match='wanted a uint8 image'):
            client.infer({'observation.images.front': np.zeros((24, 32, 3))}, SOON)
        with pytest.raises(RemoteError, match='observation.state: not finite'):
            client.infer(
                {
                    'observation.images.front': np.zeros((24, 32, 3), np.uint8),
                    'observation.state': np.full(3, np.nan),
                },
                SOON,
            )
        policy.close()


def test_policy_that_looks_back_sees_its_last_observations_and_one_client(tmp_path, robot, observe):
    with running(directory(tmp_path / 'diffusion', 'diffusion', n_obs_steps=2)) as url:
        policy = load_policy(url, robot, timeout=SOON)
        indices = [robot.index[name] for name in JOINTS]
        first, second = observe(), observe()
        second.position[indices] += 0.2
        policy.predict(first)
        chunk = policy.predict(second)
        mean = 0.5 * (first.position[indices] + second.position[indices])
        np.testing.assert_allclose(chunk.positions[0], mean + 0.1, atol=1e-5)
        with pytest.raises(RemoteError, match='503'):
            OpenPiClient(url).connect(SOON)
        policy.close()


@pytest.fixture
def server(monkeypatch):
    """The script as a module."""
    monkeypatch.syspath_prepend(str(HERE / 'lerobot_double'))
    spec = importlib.util.spec_from_file_location('lerobot_server', SERVER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    for name in [n for n in sys.modules if n.partition('.')[0] == 'lerobot']:
        del sys.modules[name]


EMPTY = 'observation.images.empty_camera_0'


@pytest.mark.parametrize(
    ('kind', 'camera', 'more'),
    [
        ('act', 'observation.images.front', {EMPTY: {'shape': [3, 24, 32]}}),
        ('diffusion', 'observation.images.front', {}),
        ('tdmpc', 'observation.image', {}),
    ],
)
def test_policies_of_every_lerobot_shape_are_called_as_lerobot_calls_them(
    tmp_path, server, kind, camera, more
):
    features = {'observation.state': {'shape': [3]}, camera: {'shape': [3, 24, 32]}} | more
    path = directory(tmp_path / kind, kind, input_features=features)
    served = server.Served(
        *server.load(str(path), 'cpu'), JOINTS, JOINTS, {camera: 'head'}, 10.0, 0
    )
    assert not served.looks_back  # one step: several clients are allowed
    served.begin()
    for start in (0.0, 0.5):
        request = {
            'observation.state': np.full(3, start, np.float32),
            camera: np.zeros((24, 32, 3), np.uint8),
            'task': 'wave',
        }
        actions = served.answer(request)['actions']
        np.testing.assert_allclose(
            actions, np.full((6, 3), start) + 0.1 * np.arange(1, 7)[:, None], atol=1e-5
        )


def test_policy_that_wants_what_no_robot_sends_is_refused(tmp_path, server):
    features = {'observation.environment_state': {'shape': [2]}}
    path = directory(tmp_path / 'act', input_features=features)
    with pytest.raises(SystemExit, match='it wants observation.environment_state') as ended:
        server.main(command(path)[2:])
    documented('LeRobot policies', 'inputs that no robot has', ended.value, tmp_path)


def test_directory_that_does_not_fit_ends_with_the_reason(tmp_path, server, capsys):
    path = directory(tmp_path / 'act')
    for case, more, expected in (
        (
            'a camera that the policy has not',
            ('--camera', 'observation.images.top=head'),
            'wanted observation.images.front',
        ),
        (
            'another number of joints',
            ('--joints', 'head_yaw', '--camera', 'observation.images.front=head'),
            'wanted 3',
        ),
        ('a camera without a key', ('--camera', 'front'), 'wanted KEY=CAMERA'),
    ):
        with pytest.raises(SystemExit) as ended:
            server.main(command(path, *more)[2:])
        printed = capsys.readouterr().err.splitlines()
        text = str(ended.value) if str(ended.value) != '2' else printed[-1]
        assert expected in text
        documented('LeRobot policies', case, text, tmp_path)


def test_a_circle_stays_round_for_a_policy_that_pads_its_images(tmp_path, robot, observe):
    """SmolVLA: declared 24 x 24, pads to 48 x 48 itself. Stretched, the circle was 0.75 wide."""
    path = directory(
        tmp_path / 'smolvla',
        'smolvla',
        resize_imgs_with_padding=[48, 48],
        input_features={
            'observation.state': {'shape': [3]},
            'observation.images.front': {'shape': [3, 24, 24]},
        },
    )
    y, x = np.mgrid[:96, :128]
    circle = np.where((y - 48) ** 2 + (x - 64) ** 2 < 30**2, 255, 0).astype(np.uint8)
    with running(path) as url:
        policy = load_policy(url, robot, timeout=SOON)
        (image,) = policy.bundle.spec.images
        assert (image.width, image.height, image.resize) == (48, 48, 'fit')
        picture = np.repeat(circle[:, :, None], 3, axis=2)
        chunk = policy.predict(observe(images={'head': picture}))
        np.testing.assert_allclose(chunk.positions, 1.0, atol=0.05)
        policy.close()


def test_words_beyond_the_policys_tokenizer_are_rejected_and_never_cut(tmp_path, server):
    path = directory(tmp_path / 'act', tokenizer_max_length=4)
    cameras = {'observation.images.front': 'head'}
    served = server.Served(*server.load(str(path), 'cpu'), JOINTS, JOINTS, cameras, 10.0, 0)
    request = {
        'observation.state': np.zeros(3, np.float32),
        'observation.images.front': np.zeros((24, 32, 3), np.uint8),
    }
    assert served.answer(request | {'task': 'touch the red cube'})['actions'].shape == (6, 3)
    with pytest.raises(server.RefusedError, match='task: 6 tokens, the policy takes 4') as refused:
        served.answer(request | {'task': 'reach with your own left hand'})
    documented('LeRobot policies', 'more words than the policy takes', refused.value)
    for more in ({}, {'task': ' '}, {'task': None}):
        with pytest.raises(server.RefusedError, match='task: wanted a text') as refused:
            served.answer(request | more)
    documented('LeRobot policies', 'no task', refused.value)


def test_a_directory_of_another_version_ends_with_file_key_found_and_wanted(tmp_path, server):
    def ends(case, path, *parts):
        with pytest.raises(SystemExit) as ended:
            server.load(str(path), 'cpu')
        text = str(ended.value)
        assert '\n' not in text
        for part in parts:
            assert part in text
        documented('LeRobot policies', case, text, tmp_path)

    path = directory(tmp_path / 'old')
    (path / 'policy_preprocessor.json').unlink()
    ends(
        'no preprocessor',
        path,
        'policy_preprocessor.json: found nothing',
        'migrate_policy_normalization',
    )
    (path / 'policy_preprocessor.json').write_text('no json')
    ends(
        'an unreadable preprocessor',
        path,
        'policy_preprocessor.json',
        'their steps: found',
        'another version',
    )
    path = directory(tmp_path / 'new', 'pi9')
    ends('a policy of a later version', path, 'config.json: type pi9: found', 'a policy of LeRobot')
    path = directory(tmp_path / 'fields')
    (path / 'config.json').write_text('{"type": "act"}')
    ends(
        'fields of another version',
        path,
        'config.json: its fields: found',
        'input_features',
        'another version',
    )
    (path / 'config.json').write_text('{}')
    ends('no type', path, 'config.json: type: found nothing')
    ends('no config.json', tmp_path, 'config.json: found No such file')

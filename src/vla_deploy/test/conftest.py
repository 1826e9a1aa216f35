# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A tiny ACT-like and a tiny diffusion policy, as a user would bring them, exported once."""

import gc
import json
import logging
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import yaml
from onnx import numpy_helper

from vla_common.testing import ros  # noqa: F401  a fixture
from vla_common.yaml_file import load_yaml
from vla_deploy.architectures import humanoid_vla
from vla_deploy.atomic_io import write_policy
from vla_deploy.exporting import export
from vla_deploy.observations import Recording
from vla_deploy.publishing import VerificationOptions
from vla_deploy.reference_model import HUMANOID_VLA, ReferenceModel, from_module
from vla_models.network.humanoid_vla import HumanoidVLAConfig
from vla_models.testing import layout, noise_dataset  # noqa: F401
from vla_robot import load_robot

gc.set_threshold(100_000, 20, 50)
logging.getLogger('torch.__trace').setLevel(logging.CRITICAL)

SIDE, HORIZON, LENGTH = 32, 8, 6
WORDS = ('[PAD]', '[UNK]', 'wave', 'left', 'right', 'hand', 'your', 'with')
ACT = 'vla_deploy.examples.act:make'
DIFFUSION = 'vla_deploy.examples.diffusion:make'


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope='session')
def robot():
    return load_robot('humanoid32')


@pytest.fixture(scope='session')
def recording(robot) -> Recording:
    """Twenty-four observations without a simulator: coloured noise, arms near the ready pose."""
    rng = np.random.default_rng(5)
    position = robot.poses['ready'] + rng.normal(0, 0.2, (24, robot.n))
    coarse = rng.integers(0, 256, (24, 6, 8, 3), np.uint8)
    return Recording(
        tuple(robot.joint_names),
        np.clip(position, robot.limits.lower, robot.limits.upper),
        np.zeros((24, robot.n)),
        ('wave with your left hand', 'wave right') * 12,
        rng.uniform(0, 4, 24),
        {'head': coarse.repeat(8, axis=1).repeat(8, axis=2)},
        'noise',
    )


@pytest.fixture(scope='session')
def observed(recording, tmp_path_factory) -> list[str]:
    """The recording as options of a verb."""
    path = tmp_path_factory.mktemp('observed') / 'recording.npz'
    recording.save(path)
    return ['--observations', str(path)]


@pytest.fixture
def json_of(capsys):
    """Run a verb that has to succeed; its JSON, which is all of stdout."""

    def run(main, *arguments, code=0):
        assert main([str(argument) for argument in (*arguments, '--json')]) == code
        return json.loads(capsys.readouterr().out)

    return run


def humanoid_reference(**settings) -> ReferenceModel:
    """A HumanoidVLA with initial weights."""
    config = HumanoidVLAConfig(**settings)
    side = config.image_size
    inputs = {
        'image': {'tensor': 'image', 'width': side, 'height': side},
        'state': {'tensor': 'state', 'mean': [0.0] * 32},
        'instruction': {'tensor': 'words', 'length': config.tokens},
        'phase': {'tensor': 'phase'},
    }
    policy = {'inputs': inputs, 'outputs': {'action': {'tensor': 'targets'}}}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = humanoid_vla(**config.to_dict()).eval()
    return ReferenceModel(module, policy, HUMANOID_VLA, config.to_dict())


@pytest.fixture(scope='session')
def options(robot, recording) -> VerificationOptions:
    return VerificationOptions(robot, recording)


def policy_of(robot, kind: str) -> dict:
    """policy.yaml of a policy of `kind`: act or diffusion."""
    joints = [robot.joint_names[i] for i in robot.groups['arms']]
    normal = {'mean': [0.0] * len(joints), 'std': [0.5] * len(joints)}
    image = {'tensor': 'image', 'camera': 'head', 'width': SIDE, 'height': SIDE}
    policy = {
        'format': 1,
        'name': f'tiny_{kind}',
        'version': '0.1.0',
        'robot': robot.name,
        'inputs': {
            'image': {**image, 'range': [0, 1], 'mean': [0.5] * 3, 'std': [0.5] * 3},
            'state': {'tensor': 'proprioception', 'joints': joints, **normal},
        },
        'outputs': {
            'action': {
                'tensor': 'joint_targets',
                'kind': 'joint_position',
                'joints': joints,
                'horizon': HORIZON,
                'step': 0.1,
                **normal,
            }
        },
        'tasks': ['wave with your left hand'],
    }
    if kind == 'act':
        words = {'tensor': 'language_features', 'tokenizer': 'tokenizer.json', 'length': LENGTH}
        policy['inputs']['instruction'] = words
        policy['outputs']['gripper'] = {
            'tensor': 'gripper_actions',
            'grippers': ['left', 'right'],
            'ignored': True,
        }
    return policy


def describe(directory: Path, robot, kind: str) -> Path:
    """Write policy.yaml and tokenizer of a module of a user."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / 'policy.yaml'
    path.write_text(yaml.safe_dump(policy_of(robot, kind), sort_keys=False))
    model = {
        'type': 'WordLevel',
        'vocab': {w: i for i, w in enumerate(WORDS)},
        'unk_token': '[UNK]',
    }
    tokenizer = {'version': '1.0', 'pre_tokenizer': {'type': 'Whitespace'}, 'model': model}
    (directory / 'tokenizer.json').write_text(json.dumps(tokenizer))
    return path


def tiny(directory: Path, robot, kind: str):
    """The reference model of a tiny policy."""
    factory = {'act': ACT, 'diffusion': DIFFUSION}[kind]
    config = {'joints': len(robot.groups['arms']), 'horizon': HORIZON}
    if kind == 'diffusion':
        config['steps'] = 2  # each step is exported
    return from_module(factory, config, None, describe(directory, robot, kind))


@pytest.fixture(scope='session')
def references(tmp_path_factory, robot):
    return {kind: tiny(tmp_path_factory.mktemp(kind), robot, kind) for kind in ('act', 'diffusion')}


@pytest.fixture(scope='session')
def bundles(tmp_path_factory, references, options):
    """ONNX bundles of both, exported and verified once."""
    out = tmp_path_factory.mktemp('bundles')
    for kind, reference in references.items():
        export(reference, out / kind, 'onnx', options)
    return {kind: out / kind for kind in references}


@pytest.fixture
def spoiled(bundles, tmp_path):
    """A copy of the diffusion bundle with other weights, and hashes that agree."""
    out = tmp_path / 'spoiled'
    shutil.copytree(bundles['diffusion'], out)
    model = onnx.load(out / 'model.onnx')
    for weight in model.graph.initializer:
        if weight.data_type == onnx.TensorProto.FLOAT and len(weight.dims) == 3:
            changed = 1.5 * numpy_helper.to_array(weight)
            weight.CopyFrom(numpy_helper.from_array(changed, weight.name))
    onnx.save(model, out / 'model.onnx')
    content = load_yaml(out / 'policy.yaml')
    del content['verification']
    write_policy(out, content, list(content['files']))
    return out

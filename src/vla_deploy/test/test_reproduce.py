# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The whole pipeline, tiny: collect, train, export, load as the robot does, evaluate."""

import json
from pathlib import Path

import numpy as np
import pytest

from vla_deploy.commands.reproduce import reproduce
from vla_models.collection import STATIC_FRAMES
from vla_models.commands import collect as collect_command
from vla_models.commands import evaluate as evaluate_command
from vla_models.commands.collect import STATIC_EACH
from vla_models.dataset import count_episodes, open_dataset
from vla_models.testing import SMALL_NETWORK
from vla_models.training import TrainingOptions
from vla_policy.load import load_policy
from vla_policy.types import Observation
from vla_robot import load_robot

FILTER = next(
    path
    for parent in Path(__file__).resolve().parents
    if (path := parent / 'config' / 'safety_filter.yaml').exists()
)


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """One tiny run of everything; its directory and its evaluation."""
    out = tmp_path_factory.mktemp('vla')
    network = {**SMALL_NETWORK, 'text_layers': 0, 'vision_layers': 0}  # exported for seconds
    options = TrainingOptions(
        epochs=1, batch=8, imagined=8, threads=1, validation=0.4, network=network
    )
    result = reproduce(
        out, episodes=1, options=options, scenes=2, parameters=str(FILTER), duration=0.5
    )
    return out, result


@pytest.mark.timeout(1200)  # 40 s of CPU; a busy machine takes its time
def test_the_evaluation_has_the_promised_shape(made):
    out, result = made
    assert json.loads((out / 'evaluation.json').read_text()) == json.loads(json.dumps(result))
    assert set(result) >= {'success', 'tasks', 'falls', 'violations', 'controls'}
    assert set(result['controls']) == {'expert', 'blind', 'deaf'}
    assert set(result['tasks']) == {'reach', 'point'}
    for part in result['tasks'].values():
        assert set(part) == {'success', 'n', 'ci95'}
    assert result['details']['policy']['n'] == 2
    assert result['violations'] == 0
    assert '| task | policy |' in (out / 'evaluation.md').read_text()


def test_the_bundle_answers_the_inference_node(made):
    out, _ = made
    robot = load_robot('humanoid32')
    policy = load_policy(out / 'bundle', robot)
    image = np.full((robot.camera.height, robot.camera.width, 3), 90, np.uint8)
    seen = Observation(
        images={'head': image},
        position=robot.poses['ready'],
        velocity=np.zeros(robot.n),
        orientation=np.array([1.0, 0, 0, 0]),
        instruction='wave with your left hand',
        stamp_ns=0,
        elapsed=0.0,
    )
    chunk = policy.predict(seen)
    assert chunk.positions.shape == (16, 17)
    assert not set(chunk.joints) & {robot.joint_names[i] for i in robot.groups['legs']}
    policy.close()
    assert sum(f.stat().st_size for f in (out / 'bundle').iterdir()) < 30e6


def test_collection_resumes_and_rejects_another_seed(made):
    out, _ = made
    arguments = ['--episodes', '1', '--out', str(out / 'data'), '--filter', str(FILTER)]
    file = out / 'data' / 'data' / 'chunk-000' / 'file-000.parquet'
    before = file.stat().st_mtime_ns
    assert collect_command.main(arguments) == 0
    assert file.stat().st_mtime_ns == before
    assert collect_command.main([*arguments, '--seed', '9']) == 2


def test_what_was_collected_is_what_training_reads(made):
    out, _ = made
    data = open_dataset(out / 'data')
    assert count_episodes(out / 'data') == 1 + STATIC_EACH  # a demonstration, and static views
    assert len(data) > STATIC_EACH * STATIC_FRAMES
    seen = np.isfinite(data.pixel).all(-1)
    assert seen.any()
    assert (np.isfinite(data.target).all(-1) == seen).all()
    assert np.asarray(data.image).std() > 10


def test_a_directory_that_is_no_bundle_is_one_line_and_exit_code_2(tmp_path, capsys):
    code = evaluate_command.main(['--bundle', str(tmp_path), '--scenes', '1'])
    assert code == 2
    assert 'policy.yaml' in capsys.readouterr().err

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Labels, batches, losses and calibration of the three answers, on a tiny dataset of noise."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vla_models.goals import Goals, Target
from vla_models.network.answering import AnsweringVLA
from vla_models.policy_description import describe, load_checkpoint
from vla_models.tasks import COLOURS, Reason
from vla_models.testing import SMALL_NETWORK, write_noise
from vla_models.tokenizer import UNKNOWN_ID
from vla_models.training import BEST, Trainer, TrainingOptions
from vla_models.training.answer_batches import IGNORED, NONE, PLACES
from vla_models.training.calibration import platt, threshold
from vla_models.training.places import SIZES, label_places
from vla_robot import load_robot

OPTIONS = TrainingOptions(
    epochs=2,
    batch=4,
    threads=1,
    validation=0.25,
    warmup=0,
    imagined=16,
    places=12,
    learning_rate=5e-3,
    network={**SMALL_NETWORK, 'history': 3, 'text_layers': 1},
)


@pytest.fixture
def data(tmp_path, layout):
    return write_noise(tmp_path / 'data', replace(layout, cubes=len(COLOURS)), 8)


@pytest.fixture
def trainer(data, tmp_path):
    return Trainer(data, tmp_path / 'run', OPTIONS)


def test_a_dataset_with_cubes_trains_the_network_with_answers(trainer):
    assert isinstance(trainer.model, AnsweringVLA)
    before = trainer.validate()
    trainer.run()
    after = trainer.validate()
    assert after['error'] < before['error'] and after['sense'] < before['sense']
    assert {'done_right', 'order_right', 'reason_right'} <= set(after)


def test_labelled_places_teach_what_is_out_of_reach(trainer, data, tmp_path):
    batch = trainer._batch_of(0)
    assert batch['place_target'].shape == (PLACES, 3)
    assert set(batch['place_reason'].tolist()) <= {Reason.POSSIBLE, Reason.OUT_OF_REACH}
    assert (batch['place_step'] <= 1).all()
    parts = trainer.learner(batch)
    assert torch.isfinite(parts['border']) and parts['border'] > 0
    without = Trainer(data, tmp_path / 'other', replace(OPTIONS, places=0))
    assert 'place_target' not in without._batch_of(0)


def test_places_are_labelled_by_inverse_kinematics(trainer):
    frames, robot = trainer.frames, load_robot(trainer.frames.layout.robot)
    options = replace(OPTIONS, places=30)
    found = label_places(frames, trainer.train_frames, options)
    again = label_places(frames, trainer.train_frames, options)
    np.testing.assert_array_equal(found.place, again.place)
    goals = Goals(robot)
    columns = [robot.index[name] for name in frames.layout.state_joints]
    sure = 0
    for place, frame, task, reason in zip(
        found.place, found.frame, found.tasks, found.reason, strict=True
    ):
        posture = robot.poses['standing'].copy()
        posture[columns] = frames.state[frame]
        # A place that both the smallest and the largest cube decide alike.
        sizes = (goals.upright(posture, Target(place, size)) for size in SIZES)
        answers = {goals.feasible(task, target) for target in sizes}
        if len(answers) == 1:
            sure += 1
            assert (reason == Reason.POSSIBLE) == answers.pop()
    assert sure > 15


def test_its_checkpoint_has_thresholds_and_describes_the_outputs(trainer, tmp_path):
    trainer.run()
    model, about = load_checkpoint(tmp_path / 'run' / BEST)
    assert isinstance(model, AnsweringVLA)
    policy = describe(model.config, about, '1.0.0')
    outputs = policy['outputs']
    assert list(outputs) == ['action', 'understood', 'possible', 'done']
    assert outputs['possible']['reasons'] == ['no such cube in view', 'out of reach of that hand']
    for name in ('understood', 'possible', 'done'):
        assert outputs[name]['accept'] == about['accept'][name]
        assert 0.1 <= outputs[name]['accept'] <= 0.95
    assert policy['inputs']['history'] == {'frames': 3, 'step': 0.2}
    assert policy['inputs']['image']['frames'] == 1


def test_batches_are_the_same_every_time_and_sentences_have_their_labels(trainer):
    first, second = trainer._batch_of(3), trainer._batch_of(3)
    for name, value in first.items():
        assert torch.equal(value.nan_to_num(7), second[name].nan_to_num(7)), name
    sense = first['sense'] > 0.5
    unknown = (first['ids'] == UNKNOWN_ID).any(1)
    assert not unknown[sense].any() and unknown[~sense].any()
    assert torch.isfinite(first['two'][sense]).all() and first['two'][~sense].isnan().all()
    assert (first['step'] <= first['two'][first['phrase']]).all()


def test_a_reason_is_learned_of_every_sentence_that_means_the_cube_of_the_label(
    trainer, monkeypatch
):
    plain = trainer._batch_of(3)['reason'] != IGNORED
    monkeypatch.setattr('vla_models.training.answer_batches.RELATIONS', 1.0)
    trainer.frames.reason[:] = 0
    batches = [trainer._batch_of(step) for step in range(6)]
    known, meant, wanted = (
        torch.cat([batch[name] for batch in batches]) for name in ('reason', 'meant', 'referent')
    )
    known = known != IGNORED
    assert plain.any() and known[meant == wanted].all()
    # By its place, a sentence may mean another cube: nothing is known of that one.
    assert (~known).any() and (meant != wanted)[~known].all()


def test_the_pointer_learns_the_cube_in_view_or_none(trainer):
    batch = trainer._batch_of(0)
    frames = trainer.frames
    visible = torch.isfinite(batch['cube_pixels']).all(-1)
    meant = batch['meant'].reshape(-1, frames.labels)
    for image, row in zip(visible, meant, strict=True):
        for choice in row[(row != IGNORED) & (row != NONE)]:
            assert image[choice]
    given = batch['order_seen'] > 0.5
    for seen, choice in zip(given, batch['order_meant'], strict=True):
        assert choice in (IGNORED, NONE) or seen[choice]


def test_platt_scaling_finds_the_slope_and_the_offset_of_its_data():
    torch.manual_seed(0)
    true = torch.rand(20_000) < 0.5
    logits = torch.where(true, 1.0, -1.0) * 0.5 + torch.randn(20_000) * 0.5
    # Two normal densities at ±m with deviation s: the logit of the truth is 2 m x / s².
    slope, offset = platt(logits * 3 + 2, true)
    assert slope == pytest.approx(4.0 / 3, rel=0.05)
    assert offset == pytest.approx(-4.0 / 3 * 2, rel=0.08)


def test_a_threshold_lets_at_most_the_allowed_share_of_false_cases_pass():
    chance = np.linspace(0, 1, 101)
    true = np.zeros(101, bool)
    assert threshold(chance, true, 0.10) == pytest.approx(0.90, abs=0.011)
    assert threshold(chance, true, 0.99) == 0.1  # not below
    assert threshold(chance, ~true, 0.1) == 0.5  # nothing is known

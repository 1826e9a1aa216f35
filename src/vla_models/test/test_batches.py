# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Batches: augmentation, phrases, targets."""

import numpy as np
import pytest
from tokenizers import Tokenizer

from vla_models.dataset import Frames, open_dataset
from vla_models.tokenizer import build_tokenizer
from vla_models.training import TrainingOptions
from vla_models.training.batches import Batcher, Normalisation, augment

NOTHING = np.zeros(0, np.int64)


@pytest.fixture(scope='module')
def tokenizer() -> Tokenizer:
    return build_tokenizer()


def plain(frames: Frames) -> Normalisation:
    """Radians as they are, all joints."""
    names = frames.layout.state_joints
    moved = np.array([names.index(name) for name in frames.layout.action_joints])
    count = len(names)
    return Normalisation(
        np.zeros(count, np.float32), np.ones(count, np.float32), np.arange(count), moved
    )


def test_augmentation_changes_light_but_never_moves_a_pixel():
    image = np.zeros((4, 8, 8, 3), np.uint8)
    image[:, 3, 5] = 200
    out = augment(image, np.random.default_rng(0))
    assert out.min() >= 0 and out.max() <= 1
    assert (out.reshape(4, -1, 3).sum(-1).argmax(1) == 3 * 8 + 5).all()


def test_each_sample_has_a_phrase_of_its_instruction(noise_dataset, tokenizer):
    frames = open_dataset(noise_dataset)
    batcher = Batcher(frames, plain(frames), tokenizer, TrainingOptions(phrases=2, typos=0.0))
    batch = batcher.batch(np.arange(8), np.array([5, 70]), np.random.default_rng(0), vary=True)
    decoded = [tokenizer.decode(ids.tolist()).replace(' ', '') for ids in batch['ids']]
    tasks = [*frames.task[:8].ravel(), frames.task[1, 2], frames.task[23, 1]]
    phrases = [*batch['phrase'].tolist(), *batch['imagined_phrase'].tolist()]
    for row, phrase in zip(tasks, phrases, strict=True):
        task = frames.instructions[row].task
        assert (task.colour or '') in decoded[phrase] and (task.hand or '') in decoded[phrase]


def test_imagined_samples_have_the_target_with_a_little_noise(noise_dataset, tokenizer):
    frames = open_dataset(noise_dataset)
    batcher = Batcher(frames, plain(frames), tokenizer, TrainingOptions(target_noise=0.001))
    numbers = np.arange(24)
    batch = batcher.batch(np.arange(4), numbers, np.random.default_rng(0), vary=True)
    given = frames.target.reshape(-1, 3)[numbers]
    found = batch['imagined_target'].numpy()
    assert (np.isfinite(found) == np.isfinite(given)).all()
    assert 0 < np.nanmax(np.abs(found - given)) < 0.01
    assert np.allclose(batch['target'].numpy(), frames.target[:4].reshape(-1, 3), equal_nan=True)


def test_a_history_is_the_previous_frames_of_the_episode(noise_dataset, tokenizer):
    """Episodes of four frames: before frame 4, the first of its episode, there is nothing."""
    frames = open_dataset(noise_dataset)
    options = TrainingOptions(network={'history': 3})
    batcher = Batcher(frames, plain(frames), tokenizer, options)
    chosen = np.array([4, 5, 7])
    batch = batcher.batch(chosen, NOTHING, np.random.default_rng(0), vary=False)
    found = batch['state'].numpy()[::3].reshape(3, 3, -1)
    for row, past in zip(found, ([4, 4, 4], [5, 4, 4], [7, 6, 5]), strict=True):
        assert np.allclose(row, frames.state[past], atol=1e-6)


def test_validation_batches_are_not_augmented(noise_dataset, tokenizer):
    frames = open_dataset(noise_dataset)
    batcher = Batcher(frames, plain(frames), tokenizer, TrainingOptions())
    batch = batcher.batch(np.arange(4), NOTHING, np.random.default_rng(0), vary=False)
    assert np.allclose(batch['state'].numpy()[::3], frames.state[:4], atol=1e-6)
    pixels = batch['image'].permute(0, 2, 3, 1).numpy() * 0.5 + 0.5
    assert np.allclose(pixels * 255, frames.image[:4], atol=1e-3)
    assert not any(name.startswith('imagined') for name in batch)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What a batch holds: light that varies, words, and samples that are later on their way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tokenizers import Tokenizer

from vla_models.dataset import Frames, open_dataset
from vla_models.language import build_tokenizer
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


def moving(frames: Frames, steps: int) -> Frames:
    """Chunks that go on by 0.1 rad a step for `steps` steps, and rest then."""
    way = 0.1 * np.minimum(np.arange(1, frames.layout.horizon + 1), steps)
    start = frames.action[:, :, :1]
    return replace(frames, action=(start + way[:, None]).astype(np.float32))


def test_augmentation_changes_light_but_never_moves_a_pixel():
    image = np.zeros((4, 8, 8, 3), np.uint8)
    image[:, 3, 5] = 200
    out = augment(image, np.random.default_rng(0))
    assert out.min() >= 0 and out.max() <= 1
    assert (out.reshape(4, -1, 3).sum(-1).argmax(1) == 3 * 8 + 5).all()


def test_each_sample_hears_a_phrase_of_what_it_is_asked(noise_dataset, tokenizer):
    frames = open_dataset(noise_dataset)
    batcher = Batcher(frames, plain(frames), tokenizer, TrainingOptions(phrases=2, typos=0.0))
    batch = batcher.batch(np.arange(8), np.array([5, 70]), np.random.default_rng(0), vary=True)
    said = [tokenizer.decode(ids.tolist()).replace(' ', '') for ids in batch['ids']]
    asked = [*frames.task[:8].ravel(), frames.task[1, 2], frames.task[23, 1]]
    heard = [*batch['phrase'].tolist(), *batch['imagined_phrase'].tolist()]
    for row, phrase in zip(asked, heard, strict=True):
        task = frames.instructions[row].task
        assert (task.colour or '') in said[phrase] and (task.hand or '') in said[phrase]


def test_a_sample_that_is_later_on_its_way_has_the_rest_of_the_chunk_before_it(
    noise_dataset, tokenizer
):
    """posture = a point of the demonstrated chunk; answer = the points after it, then rest."""
    frames = moving(open_dataset(noise_dataset), 4)
    options = TrainingOptions(later=1.0, state_noise=0.0, target_noise=0.0)
    batcher = Batcher(frames, plain(frames), tokenizer, options)
    numbers = np.arange(96)
    batch = batcher.batch(np.arange(4), numbers, np.random.default_rng(1), vary=True)
    moved = batcher.by.moved
    state, answer = batch['imagined_state'].numpy(), batch['imagined_action'].numpy()
    chunk = frames.action.reshape(96, *frames.action.shape[2:])
    for n in range(96):
        passed = [i for i in range(1, 8) if np.allclose(chunk[n, i - 1], state[n, moved])]
        assert passed, 'the posture is no point of the chunk'
        ways = [np.r_[chunk[n, i:], chunk[n, -1:].repeat(i, 0)] for i in passed]
        assert any(np.allclose(answer[n], way, atol=1e-6) for way in ways)
    assert batch['imagined_weight'].min() == 1.0  # it had come to rest: the rest is known


def test_what_follows_a_chunk_that_is_still_moving_has_no_weight(noise_dataset, tokenizer):
    frames = moving(open_dataset(noise_dataset), 99)
    options = TrainingOptions(later=1.0, state_noise=0.0)
    batcher = Batcher(frames, plain(frames), tokenizer, options)
    batch = batcher.batch(np.arange(4), np.arange(96), np.random.default_rng(1), vary=True)
    weight = batch['imagined_weight'].numpy()[..., 0]
    answer = batch['imagined_action'].numpy()
    for row, chunk in zip(weight, answer, strict=True):
        known = int(row.sum())
        assert 0 < known < 8 and (row == (np.arange(8) < known)).all()
        assert np.allclose(np.diff(chunk[:known], axis=0), 0.1, atol=1e-5)


def test_the_phase_goes_on_while_a_sample_is_on_its_way(noise_dataset, tokenizer):
    frames = moving(open_dataset(noise_dataset), 99)
    angle = np.linspace(0, 6, frames.phase[..., 0].size).reshape(frames.phase.shape[:2])
    frames = replace(frames, phase=np.stack([np.sin(angle), np.cos(angle)], -1))
    batcher = Batcher(frames, plain(frames), tokenizer, TrainingOptions(later=1.0))
    batch = batcher.batch(np.arange(4), np.arange(96), np.random.default_rng(1), vary=True)
    weight = batch['imagined_weight'].numpy()[..., 0]
    passed = 8 - weight.sum(1)
    later = angle.ravel() + 2 * np.pi * passed * 0.1 / 2.0
    wanted = np.stack([np.sin(later), np.cos(later)], -1)
    assert np.allclose(batch['imagined_phase'].numpy(), wanted, atol=1e-5)


def test_nothing_is_varied_where_it_is_judged(noise_dataset, tokenizer):
    frames = open_dataset(noise_dataset)
    batcher = Batcher(frames, plain(frames), tokenizer, TrainingOptions())
    batch = batcher.batch(np.arange(4), NOTHING, np.random.default_rng(0), vary=False)
    assert np.allclose(batch['state'].numpy()[::3], frames.state[:4], atol=1e-6)
    pixels = batch['image'].permute(0, 2, 3, 1).numpy() * 0.5 + 0.5
    assert np.allclose(pixels * 255, frames.image[:4], atol=1e-3)
    assert not any(name.startswith('imagined') for name in batch)

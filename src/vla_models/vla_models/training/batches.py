# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Batches for training, and the joints that the policy reads."""

import random
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from vla_common.errors import ConfigError
from vla_models.dataset.frames import Frames
from vla_models.dataset.layout import DatasetLayout
from vla_models.language import misspell, phrase
from vla_models.tokenizer import TOKENS, encode
from vla_models.training.options import TrainingOptions
from vla_robot import load_robot

ALL = 'all'


def chosen_joints(layout: DatasetLayout, group: str) -> np.ndarray:
    """Columns of the state in a group of joints of the robot; `all` needs no robot."""
    if group == ALL:
        return np.arange(len(layout.state_joints))
    robot = load_robot(layout.robot)
    if group not in robot.groups:
        raise ConfigError('train', 'state', group, f'{ALL}, or one of {sorted(robot.groups)}')
    unknown = [name for name in layout.state_joints if name not in robot.index]
    if unknown:
        raise ConfigError('dataset', 'observation.state', unknown, f'joints of {robot.name}')
    inside = {robot.joint_names[i] for i in robot.groups[group]}
    return np.array([i for i, name in enumerate(layout.state_joints) if name in inside], np.int64)


def camera_joints(layout: DatasetLayout, names: tuple[str, ...]) -> tuple[int, ...]:
    """Places among `names` of the joints between the base and the head camera; all of them where
    the robot is not known here."""
    try:
        robot = load_robot(layout.robot)
    except ConfigError:
        return tuple(range(len(names)))
    parts = (robot.groups.get(part, ()) for part in ('head', 'torso'))
    carrying = {robot.joint_names[i] for part in parts for i in part}
    return tuple(i for i, name in enumerate(names) if name in carrying) or tuple(range(len(names)))


IMAGE_MEAN, IMAGE_STD = 0.5, 0.5


@dataclass(frozen=True)
class Normalisation:
    """Mean and deviation (ks,) rad of the chosen joints."""

    mean: np.ndarray
    std: np.ndarray
    chosen: np.ndarray  # columns of the dataset's state
    moved: np.ndarray  # places of the action's joints among the chosen


def augment(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Brightness, contrast and tint, (B, S, S, 3) in [0, 1]. No shifts: those would move the cube
    but not the target."""
    count = len(images)
    out = images.astype(np.float32) / 255.0
    gain = rng.uniform(0.8, 1.2, (count, 1, 1, 1)) * rng.uniform(0.93, 1.07, (count, 1, 1, 3))
    offset = rng.uniform(-0.06, 0.06, (count, 1, 1, 1))
    return np.clip(out * gain.astype(np.float32) + offset.astype(np.float32), 0.0, 1.0)


class Batcher:
    """Makes batches of frames; all randomness comes from the given generator."""

    def __init__(
        self, frames: Frames, by: Normalisation, tokenizer: Tokenizer, options: TrainingOptions
    ) -> None:
        self.frames, self.by, self.tokenizer, self.options = frames, by, tokenizer, options
        encode(tokenizer, [known.text for known in frames.instructions])  # raises before training
        self._history = options.network.get('history', 1)
        self._first = np.searchsorted(frames.episode, frames.episode)  # of each frame's episode
        self.has_targets = bool(np.isfinite(frames.target).all(-1).any())

    def batch(
        self, frames: np.ndarray, imagined: np.ndarray, rng: np.random.Generator, *, vary: bool
    ) -> dict[str, Tensor]:
        """Tensors of `frames`, and of `imagined` samples (numbers of frame times labels).

        image (B, 3, S, S); ids (P, L), the phrases in this batch; per sample, of which there are
        B·M: phrase, state, phase, action, target, pixel; the same with the prefix `imagined_` for
        the samples without an image.
        """
        labels = self.frames.labels
        samples = (frames[:, None] * labels + np.arange(labels)).ravel()
        images = self.frames.image[frames]
        pixels = augment(images, rng) if vary else images.astype(np.float32) / 255.0
        ids, phrase_of = self._phrases(np.concatenate([samples, imagined]), rng, vary)
        content = {
            'image': tensor_of((pixels - IMAGE_MEAN) / IMAGE_STD).permute(0, 3, 1, 2),
            'ids': ids,
            'phrase': phrase_of[: len(samples)],
            **self._samples(samples, rng, vary, 0.0),
        }
        if len(imagined):
            more = self._samples(imagined, rng, vary, self.options.target_noise)
            more['phrase'] = phrase_of[len(samples) :]
            content |= {f'imagined_{name}': value for name, value in more.items()}
        return content

    def _samples(
        self, samples: np.ndarray, rng: np.random.Generator, vary: bool, doubt: float
    ) -> dict[str, Tensor]:
        frames, by = self.frames, self.by
        frame, label = samples // frames.labels, samples % frames.labels
        # (N, T, ks), the newest first; the first frame of an episode is repeated.
        past = np.maximum(frame[:, None] - np.arange(self._history), self._first[frame][:, None])
        state = frames.state[past][:, :, by.chosen]
        target = frames.target[frame, label]
        if vary:  # noise on the posture: encoders are exact, but the commands lag
            state = state + rng.normal(0.0, self.options.state_noise, state.shape)
            target = target + rng.normal(0.0, 1.0, target.shape) * doubt
        mean, std = by.mean[by.moved], by.std[by.moved]
        return {
            'state': tensor_of((state - by.mean) / by.std).flatten(1),
            'phase': tensor_of(frames.phase[frame, label]),
            'action': tensor_of((frames.action[frame, label] - mean) / std),
            'target': tensor_of(target),
            'pixel': tensor_of(frames.pixel[frame, label]),
        }

    def encoded(self, texts: list[str]) -> np.ndarray:
        """Token ids (P, L)."""
        return encode(self.tokenizer, texts)

    def _phrases(
        self, samples: np.ndarray, rng: np.random.Generator, vary: bool
    ) -> tuple[Tensor, Tensor]:
        """A few phrases of each instruction in the batch, and the phrase of each sample: far fewer
        texts to encode than one for each sample."""
        frames, count = self.frames, self.options.phrases
        tasks = frames.task[samples // frames.labels, samples % frames.labels]
        rows, place = np.unique(tasks, return_inverse=True)
        words = random.Random(int(rng.integers(2**31)))
        texts = [self._text_of(row, words, vary) for row in rows for _ in range(count)]
        chosen = place * count + rng.integers(0, count, len(tasks))
        return torch.from_numpy(encode(self.tokenizer, texts)), torch.from_numpy(chosen)

    def _text_of(self, row: int, words: random.Random, vary: bool) -> str:
        instruction = self.frames.instructions[row]
        typos = self.options.typos if vary else 0.0
        if instruction.task is not None:
            return phrase(instruction.task, words, typos=typos)
        misspelt = misspell(instruction.text, words) if words.random() < typos else instruction.text
        # A word with a typo is spelled, and takes more tokens.
        fits = len(self.tokenizer.encode(misspelt).ids) <= TOKENS
        return misspelt if fits else instruction.text


def tensor_of(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))

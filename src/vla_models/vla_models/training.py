# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Behaviour cloning: deterministic by seed, validated, stopped early, resumable after a kill.

The image goes through the vision encoder once per frame and is asked several instructions, which
is both cheaper and a better teacher than one instruction per image: only the words differ.

A checkpoint (`checkpoint.pt`) holds network, optimiser, epoch, loss curves and the configuration;
it is read with `weights_only=True`, so no code in it ever runs. `best.pt` is the network at its
lowest validation loss.
"""

from __future__ import annotations

import json
import math
import os
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from vla_common.errors import ConfigError
from vla_models.dataset import Dataset, batches
from vla_models.language import TOKENS, build_tokenizer, encode, phrase
from vla_models.network.humanoid_vla import HumanoidVLA, HumanoidVLAConfig
from vla_models.plot import draw_losses
from vla_models.tasks import ALL_TASKS

IMAGE_MEAN, IMAGE_STD = 0.5, 0.5


@dataclass(frozen=True)
class TrainingOptions:
    """What `train` can be told."""

    epochs: int = 20
    batch: int = 32  # frames; each carries several instructions
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    validation: float = 0.05
    patience: int = 6  # epochs without a better validation loss
    seed: int = 0
    threads: int = 2
    minutes: float = 0.0  # stop after so long; 0: no limit. The learning rate follows it
    target_weight: float = 1.0  # auxiliary loss: where the cube is, in the base frame
    pixel_weight: float = 0.5  # auxiliary loss: where the cube is, in the image
    typos: float = 0.1
    init: str = ''  # a checkpoint whose weights to begin with, where names and shapes agree
    freeze_vision: bool = False


def _augment(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Brightness, contrast and tint; no shifts, which would move the cube but not the target."""
    count = len(images)
    out = images.astype(np.float32) / 255.0
    gain = rng.uniform(0.8, 1.2, (count, 1, 1, 1)) * rng.uniform(0.93, 1.07, (count, 1, 1, 3))
    offset = rng.uniform(-0.06, 0.06, (count, 1, 1, 1))
    return np.clip(out * gain.astype(np.float32) + offset.astype(np.float32), 0.0, 1.0)


def _masked_mean(error: Tensor) -> Tensor:
    """Mean over what is not NaN; 0 where nothing is left."""
    known = torch.isfinite(error)
    return torch.where(known, error, 0.0).sum() / known.sum().clamp(min=1)


class Trainer:
    """One training run in `out`; `run` goes on where a checkpoint ends."""

    def __init__(self, data: Path, out: Path, options: TrainingOptions) -> None:
        self.options = options
        self.out = Path(out)
        self.out.mkdir(parents=True, exist_ok=True)
        torch.set_num_threads(options.threads)
        torch.manual_seed(options.seed)
        self.dataset = Dataset(data)
        self.train_frames, self.validation_frames = self.dataset.split(
            options.validation, options.seed
        )
        if not len(self.train_frames):
            raise ConfigError(data, '(episodes)', 'too few to hold some out', 'at least two')
        info = self.dataset.info
        self.mean, self.std = self.dataset.normalisation()
        self.tokenizer: Tokenizer = build_tokenizer()
        self.config = HumanoidVLAConfig(
            image_size=info.image_size,
            vocabulary=self.tokenizer.get_vocab_size(),
            tokens=TOKENS,
            joints=len(info.joints),
            horizon=info.horizon,
        )
        self.model = HumanoidVLA(self.config)
        self.initialised = self._initialise(options.init) if options.init else 0
        if options.freeze_vision:
            self.model.vision.requires_grad_(False)
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), options.learning_rate, weight_decay=options.weight_decay
        )
        self.curves: dict[str, list[float]] = {'train': [], 'validation': []}
        self.epoch = 0
        self.seconds = 0.0
        self.best = float('inf')
        self.resumed = self._resume()

    def _initialise(self, path: str) -> int:
        """Take over the weights of a checkpoint that fit; returns how many tensors did."""
        if not Path(path).is_file():
            raise ConfigError(path, '(file)', 'nothing', 'a checkpoint that train wrote')
        given = torch.load(path, weights_only=True)['model']
        own = self.model.state_dict()
        fitting = {k: v for k, v in given.items() if k in own and v.shape == own[k].shape}
        self.model.load_state_dict({**own, **fitting})
        return len(fitting)

    # --- batches -----------------------------------------------------------------------------

    def _batch(self, frames: np.ndarray, rng: np.random.Generator, augment: bool) -> dict:
        data = self.dataset
        images = data.images(frames)
        pixels = _augment(images, rng) if augment else images.astype(np.float32) / 255.0
        words = random.Random(int(rng.integers(2**31)))
        tasks = data.task[frames]
        texts = [
            phrase(ALL_TASKS[i], words, typos=self.options.typos if augment else 0.0)
            for i in tasks.ravel()
        ]
        labels = tasks.shape[1]
        state = (data.state[frames] - self.mean) / self.std
        if augment:  # encoders are good, the filter's lag is not: a little doubt about the posture
            state = state + rng.normal(0.0, 0.01, state.shape) / self.std
        action = (data.action[frames] - self.mean) / self.std
        return {
            'image': torch.from_numpy((pixels - IMAGE_MEAN) / IMAGE_STD).permute(0, 3, 1, 2),
            'ids': torch.from_numpy(encode(self.tokenizer, texts)),
            'state': torch.from_numpy(state.astype(np.float32)).repeat_interleave(labels, 0),
            'phase': torch.from_numpy(data.phase[frames]).flatten(0, 1),
            'action': torch.from_numpy(action.astype(np.float32)).flatten(0, 1),
            'target': torch.from_numpy(data.target[frames]).flatten(0, 1),
            'pixel': torch.from_numpy(data.pixel[frames]).flatten(0, 1),
        }

    def _losses(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """What is minimised, and its first part: the mean error of the chunk in rad."""
        features = self.model.vision(batch['image'].contiguous())
        chunk, target, place = self.model.understand(
            features, batch['ids'], batch['state'], batch['phase']
        )
        scale = torch.from_numpy(self.std).to(chunk)
        radians = ((chunk - batch['action']).abs() * scale).mean()
        aside = _masked_mean((target - batch['target']).abs())
        pixel = _masked_mean((place - batch['pixel']).abs())
        options = self.options
        total = radians + options.target_weight * aside + options.pixel_weight * pixel
        return total, radians

    # --- the loop ----------------------------------------------------------------------------

    def _progress(self) -> float:
        """Share of the run that is over, in [0, 1]."""
        done = self.epoch / self.options.epochs
        if self.options.minutes > 0:
            done = max(done, self.seconds / (60 * self.options.minutes))
        return min(1.0, done)

    def _set_learning_rate(self, step: int) -> None:
        warm = min(1.0, (step + 1) / 200) if self.epoch == 0 else 1.0
        cosine = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self._progress()))
        for group in self.optimiser.param_groups:
            group['lr'] = self.options.learning_rate * warm * cosine

    def _train_epoch(self, advance: Callable[[int, float], None]) -> float:
        self.model.train()
        torch.manual_seed(self.options.seed * 1000 + self.epoch)
        rng = np.random.default_rng((self.options.seed, self.epoch))
        losses = []
        before, begin = self.seconds, time.monotonic()
        for step, frames in enumerate(batches(self.train_frames, self.options.batch, rng)):
            self._set_learning_rate(step)
            total, radians = self._losses(self._batch(frames, rng, augment=True))
            self.optimiser.zero_grad()
            total.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimiser.step()
            losses.append(float(radians.detach()))
            self.seconds = before + time.monotonic() - begin
            advance(len(frames), losses[-1])
            if self.options.minutes > 0 and self.seconds > 60 * self.options.minutes:
                break
        return float(np.mean(losses))

    def validate(self) -> float:
        """Mean error of the chunk over the held-out scenes, rad."""
        self.model.eval()
        rng = np.random.default_rng(self.options.seed)
        errors = []
        with torch.no_grad():
            for start in range(0, len(self.validation_frames), 64):
                frames = self.validation_frames[start : start + 64]
                _, radians = self._losses(self._batch(frames, rng, augment=False))
                errors.append((float(radians), len(frames)))
        return float(np.average([e for e, _ in errors], weights=[n for _, n in errors]))

    def run(
        self,
        advance: Callable[[int, float], None] = lambda frames, loss: None,
        epoch_done: Callable[[int, float, float], None] = lambda epoch, train, validation: None,
    ) -> float:
        """Train to the end, or until validation has not improved for `patience` epochs.

        Returns the best validation error in rad.
        """
        since_best = 0
        while self.epoch < self.options.epochs and self._progress() < 1.0:
            self.curves['train'].append(self._train_epoch(advance))
            self.curves['validation'].append(self.validate())
            self.epoch += 1
            if self.curves['validation'][-1] < self.best:
                self.best, since_best = self.curves['validation'][-1], 0
                self._save('best.pt')
            else:
                since_best += 1
            self._save('checkpoint.pt')
            draw_losses(self.out / 'loss.png', self.curves)
            epoch_done(self.epoch, self.curves['train'][-1], self.curves['validation'][-1])
            if since_best >= self.options.patience:
                break
        self._describe()
        return self.best

    # --- files -------------------------------------------------------------------------------

    def _save(self, name: str) -> None:
        content = {
            'model': self.model.state_dict(),
            'optimiser': self.optimiser.state_dict(),
            'config': self.config.to_dict(),
            'options': asdict(self.options),
            'epoch': self.epoch,
            'seconds': self.seconds,
            'best': self.best,
            'curves': self.curves,
            'mean': torch.from_numpy(self.mean),
            'std': torch.from_numpy(self.std),
            'dataset': {**asdict(self.dataset.info), 'frames': self.dataset.size},
        }
        # A kill while writing must leave the last good checkpoint.
        partial = self.out / f'{name}.partial'
        torch.save(content, partial)
        os.replace(partial, self.out / name)
        self.tokenizer.save(str(self.out / 'tokenizer.json'))

    def _resume(self) -> bool:
        path = self.out / 'checkpoint.pt'
        if not path.exists():
            return False
        content = torch.load(path, weights_only=True)
        if content['config'] != self.config.to_dict():
            raise ConfigError(path, 'config', content['config'], self.config.to_dict())
        self.model.load_state_dict(content['model'])
        self.optimiser.load_state_dict(content['optimiser'])
        self.epoch, self.best = content['epoch'], content['best']
        self.seconds, self.curves = content['seconds'], content['curves']
        return True

    def _describe(self) -> None:
        summary = {
            'epochs': self.epoch,
            'training_seconds': round(self.seconds),
            'frames': self.dataset.size,
            'instructions': self.dataset.size * self.dataset.info.labels,
            'parameters': sum(p.numel() for p in self.model.parameters()),
            'best_validation_rad': round(self.best, 5),
            'options': asdict(self.options),
        }
        (self.out / 'training.json').write_text(json.dumps(summary, indent=1) + '\n')

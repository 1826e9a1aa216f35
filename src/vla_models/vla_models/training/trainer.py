# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""One training run: start, steps, validation, checkpoints.

Accelerate places the model, averages gradients over GPUs and does mixed precision; started with
`torchrun --nproc_per_node N` each process takes its share of every batch.
"""

import copy
import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from tokenizers import Tokenizer
from torch import Tensor

from vla_common.errors import ConfigError
from vla_models.dataset.frames import Frames, open_dataset
from vla_models.network.answering import AnsweringVLA, build_network
from vla_models.network.humanoid_vla import HumanoidVLAConfig
from vla_models.network.layers import checkpoint_activations
from vla_models.tokenizer import build_tokenizer
from vla_models.training import checkpoint
from vla_models.training.answer_batches import AnswerBatcher
from vla_models.training.answer_losses import learner_of
from vla_models.training.batches import Batcher, Normalisation, chosen_joints
from vla_models.training.calibration import calibrate_checkpoint
from vla_models.training.configuration import configuration_of
from vla_models.training.curves import draw_losses
from vla_models.training.interrupt import deferred_interrupt
from vla_models.training.options import TrainingOptions
from vla_models.training.places import label_places

NO_PROGRESS = lambda done, total: None  # noqa: E731


class Trainer:
    """One training run in `out`; resumed from its checkpoint where there is one."""

    def __init__(
        self,
        data: Path,
        out: Path,
        options: TrainingOptions,
        reading: Callable[[int, int], None] = NO_PROGRESS,
        labelling: Callable[[int, int], None] = NO_PROGRESS,
    ) -> None:
        """Reads and checks the data first. Raises ConfigError.

        reading(done, total): frames while the cache of the dataset is made; labelling: places.
        """
        self.options, self.out = options, Path(out)
        torch.set_num_threads(options.threads)
        torch.manual_seed(options.seed)
        small = HumanoidVLAConfig.small(**options.network)
        self.accelerator = Accelerator(
            mixed_precision=options.precision, cpu=not torch.cuda.is_available()
        )
        with self.accelerator.main_process_first():  # makes the cache
            self.frames: Frames = open_dataset(data, image_size=small.image_size, progress=reading)
        self.train_frames, self.validation_frames = self.frames.split(
            options.validation, options.seed
        )
        if not len(self.train_frames):
            raise ConfigError(data, 'episodes', 'too few to hold some out', 'at least two')
        self.out.mkdir(parents=True, exist_ok=True)
        given, about, source = ({}, {}, None)
        begun = self.out / checkpoint.CHECKPOINT
        if begun.exists():
            about = checkpoint.load(begun)[1]
        elif options.init:
            given, about, source = checkpoint.weights_in(Path(options.init))
        own = (source or self.out) / checkpoint.TOKENIZER
        self.tokenizer = Tokenizer.from_file(str(own)) if own.is_file() else build_tokenizer()
        self.by = self._normalisation(about)
        self.config = configuration_of(
            self.frames.layout, self.by, self.tokenizer.get_vocab_size(), options.network
        )
        self.model = build_network(self.config)
        self._place_targets()
        self.model.settling.unit.copy_(torch.from_numpy(self.by.std[self.by.moved]))
        self.initialised = self._take_over(given)
        for part in options.freeze:
            if not hasattr(self.model, part):
                raise ConfigError('train', 'freeze', part, 'a part of the network of these data')
            getattr(self.model, part).requires_grad_(False)
        self.average = copy.deepcopy(self.model).eval()
        if options.recompute:
            checkpoint_activations(self.model)
        given = self.frames, self.by, self.tokenizer, options
        if isinstance(self.model, AnsweringVLA):
            places = label_places(self.frames, self.train_frames, options, labelling)
            self.batcher = AnswerBatcher(*given, places)
        else:
            self.batcher = Batcher(*given)
        std = torch.from_numpy(self.by.std[self.by.moved])
        optimiser = self._optimiser()
        self.learner, self.optimiser = self.accelerator.prepare(
            learner_of(self.model, std, options).to(memory_format=torch.channels_last), optimiser
        )
        self.validation_learner = (
            learner_of(self.average, std, options).to(self.accelerator.device).eval()
        )
        self.curves: dict[str, list[float]] = {'train': [], 'validation': []}
        self.figures: dict[str, float] = {}
        self.calibration: dict[str, dict[str, float]] = {}
        self.step, self.seconds = 0, 0.0
        self.best, self.best_total, self.since_best = float('inf'), float('inf'), 0
        self.resumed = self._resume()

    # --- start ---------------------------------------------------------------------------------

    def _normalisation(self, about: dict) -> Normalisation:
        layout = self.frames.layout
        chosen = chosen_joints(layout, self.options.state)
        names = [layout.state_joints[i] for i in chosen]
        missing = [name for name in layout.action_joints if name not in names]
        if missing:
            raise ConfigError('train', 'state', names, f'all joints of the action: {missing}')
        moved = np.array([names.index(name) for name in layout.action_joints])
        mean, std = (values[chosen] for values in self.frames.state_statistics())
        # Weights are valid only with their own normalisation.
        if about.get('state_joints') == names:
            mean, std = (np.array(about[key], np.float32) for key in ('mean', 'std'))
        return Normalisation(mean, std, chosen, moved)

    def _place_targets(self) -> None:
        target = self.frames.target[self.train_frames].reshape(-1, 3)
        target = target[np.isfinite(target).all(-1)]
        answering = isinstance(self.model, AnsweringVLA)
        locator = self.model.finder if answering else self.model.locator
        if len(target) > 1:
            locator.mean.copy_(torch.from_numpy(target.mean(0)))
            locator.scale.copy_(torch.from_numpy(np.maximum(target.std(0), 0.01)))

    def _take_over(self, given: dict[str, Tensor]) -> int:
        """Take over the weights that fit by name and shape. Returns the number of tensors."""
        own = self.model.state_dict()
        fitting = {k: v for k, v in given.items() if k in own and v.shape == own[k].shape}
        if given and not fitting:
            raise ConfigError(self.options.init, 'weights', sorted(given)[:3], sorted(own)[:3])
        self.model.load_state_dict({**own, **fitting})
        return len(fitting)

    def _optimiser(self) -> torch.optim.Optimizer:
        """AdamW; no weight decay for vectors (norms, biases)."""
        trained = [p for p in self.model.parameters() if p.requires_grad]
        groups = [
            {
                'params': [p for p in trained if p.ndim > 1],
                'weight_decay': self.options.weight_decay,
            },
            {'params': [p for p in trained if p.ndim <= 1], 'weight_decay': 0.0},
        ]
        return torch.optim.AdamW(groups, self.options.learning_rate, betas=(0.9, 0.98))

    # --- steps ---------------------------------------------------------------------------------

    @property
    def steps_per_epoch(self) -> int:
        return max(1, len(self.train_frames) // self.options.batch)

    @property
    def steps(self) -> int:
        """Of the whole run, unless the time limit ends it earlier."""
        return self.options.epochs * self.steps_per_epoch

    @property
    def progress(self) -> float:
        """Completed share of the run, in [0, 1]."""
        done = self.step / self.steps
        if self.options.minutes > 0:
            done = max(done, self.seconds / (60 * self.options.minutes))
        return min(1.0, done)

    def _frames_of(self, step: int) -> np.ndarray:
        """This process's share of the frames of a step."""
        epoch, place = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng((self.options.seed, epoch)).permutation(self.train_frames)
        whole = order[place * self.options.batch : (place + 1) * self.options.batch]
        return whole[self.accelerator.process_index :: self.accelerator.num_processes]

    def _batch_of(self, step: int) -> dict[str, Tensor]:
        options, process = self.options, self.accelerator.process_index
        rng = np.random.default_rng((options.seed, 1, step, process))
        imagined = np.zeros(0, np.int64)
        if self.batcher.has_targets and options.imagined:
            labels = self.frames.labels
            share = max(1, options.imagined // self.accelerator.num_processes)
            imagined = rng.choice(self.train_frames, share) * labels + rng.integers(
                0, labels, share
            )
        return self.batcher.batch(self._frames_of(step), imagined, rng, vary=True)

    def _to_device(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: value.to(self.accelerator.device) for name, value in batch.items()}

    def _one_step(self) -> dict[str, float]:
        options = self.options
        warm = min(1.0, (self.step + 1) / options.warmup) if options.warmup else 1.0
        cosine = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * self.progress))
        for group in self.optimiser.param_groups:
            group['lr'] = options.learning_rate * warm * cosine
        # The random numbers of the loss depend on seed and step only.
        torch.manual_seed(options.seed * 1_000_003 + self.step)
        parts = self.learner(self._to_device(self._batch_of(self.step)))
        self.optimiser.zero_grad()
        self.accelerator.backward(parts['total'])
        self.accelerator.clip_grad_norm_(self.learner.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        self._average()
        return {name: float(value.detach()) for name, value in parts.items()}

    @torch.no_grad()
    def _average(self) -> None:
        """Exponential average of the weights, shorter at the beginning."""
        keep = min(self.options.averaging, self.step / (self.step + 20))
        mine = list(self.average.state_dict().values())
        new = list(self.model.state_dict().values())
        real = [i for i, value in enumerate(mine) if value.dtype.is_floating_point]
        torch._foreach_lerp_([mine[i] for i in real], [new[i] for i in real], 1 - keep)
        for old, value in zip(mine, new, strict=True):
            if not old.dtype.is_floating_point:
                old.copy_(value)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Means over the held-out episodes, of the averaged weights: `error` rad and the losses."""
        rng = np.random.default_rng(self.options.seed)
        none = np.zeros(0, np.int64)
        sums: dict[str, float] = {}
        for start in range(0, len(self.validation_frames), 64):
            frames = self.validation_frames[start : start + 64]
            batch = self.batcher.batch(frames, none, rng, vary=False)
            for name, value in self.validation_learner(self._to_device(batch)).items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(frames)
        return {name: value / len(self.validation_frames) for name, value in sums.items()}

    def run(
        self,
        advance: Callable[[int, float], None] = lambda frames, loss: None,
        validated: Callable[[dict[str, float]], None] = lambda figures: None,
    ) -> float:
        """Train to the end, or until `patience` validations in a row did not improve.

        Returns the best validation error in rad. Ctrl-C raises KeyboardInterrupt after the step
        in progress, with a checkpoint of it; a second one at once, without.
        """
        with deferred_interrupt() as interrupted:
            return self._run(advance, validated, interrupted)

    def _run(
        self,
        advance: Callable[[int, float], None],
        validated: Callable[[dict[str, float]], None],
        interrupted: list[int],
    ) -> float:
        every = min(self.options.validate_every, self.steps_per_epoch)
        losses: list[float] = []
        self.learner.train()
        for part in self.options.freeze:
            getattr(self.model, part).eval()  # keeps the running averages of its norms
        while self.progress < 1.0 and self.since_best < self.options.patience:
            begin = time.monotonic()
            parts = self._one_step()
            losses.append(parts['chunk'])
            advance(self.options.batch, parts['chunk'])
            if self.step % every == 0 or self.step >= self.steps:
                self._validate_and_save(float(np.mean(losses)), begin)
                validated(self.figures)
                losses = []
            else:
                self.seconds += time.monotonic() - begin
            self._agree_on_time()
            if interrupted:
                if losses and self.accelerator.is_main_process:
                    self._save(False)
                raise KeyboardInterrupt
        if losses:  # the time limit came between two validations
            self._validate_and_save(float(np.mean(losses)), time.monotonic())
            validated(self.figures)
        if self.accelerator.is_main_process:
            if isinstance(self.model, AnsweringVLA):
                self.calibration = calibrate_checkpoint(
                    self.out / checkpoint.BEST,
                    self.batcher,
                    self.validation_frames,
                    self.options.seed,
                )
            self._describe()
        return self.best

    def _agree_on_time(self) -> None:
        """One clock for all processes: they must end after the same step."""
        if self.accelerator.num_processes > 1:
            clock = torch.tensor([self.seconds], device=self.accelerator.device)
            self.seconds = float(broadcast(clock))
            self.since_best = int(broadcast(clock.new_tensor([self.since_best])))

    def _validate_and_save(self, train: float, begin: float) -> None:
        """Validate and save; a later kill resumes here."""
        self.figures = self.validate()
        self.curves['train'].append(train)
        self.curves['validation'].append(self.figures['error'])
        self.seconds += time.monotonic() - begin
        error, total = self.figures['error'], self.figures['total']
        # The loss decides between equal chunks: where what makes them is frozen.
        better = (error, total) < (self.best, self.best_total)
        if better:
            self.best, self.best_total = error, total
        self.since_best = 0 if better else self.since_best + 1
        if self.accelerator.is_main_process:
            self._save(better)
            draw_losses(self.out / 'loss.png', self.curves)

    # --- files ---------------------------------------------------------------------------------

    def about(self) -> dict:
        """The metadata of a checkpoint."""
        layout = self.frames.layout
        return {
            'config': self.config.to_dict(),
            'robot': layout.robot,
            'state_joints': [layout.state_joints[i] for i in self.by.chosen],
            'action_joints': list(layout.action_joints),
            'mean': self.by.mean.tolist(),
            'std': self.by.std.tolist(),
            'horizon': layout.horizon,
            'step': layout.step,
            'period': layout.period,
            'frames': len(self.frames),
            'samples': len(self.frames) * self.frames.labels,
            'options': self.options.to_dict(),
        }

    def _save(self, better: bool) -> None:
        average = dict(self.average.state_dict())
        if better:
            checkpoint.save(self.out / checkpoint.BEST, average, self.about())
        so_far = {
            'at_step': self.step,
            'seconds': self.seconds,
            'best': self.best,
            'best_total': self.best_total,
            'since_best': self.since_best,
            'curves': self.curves,
        }
        tensors = {f'model.{name}': value for name, value in self.model.state_dict().items()}
        tensors |= {f'average.{name}': value for name, value in average.items()}
        tensors |= checkpoint.optimiser_tensors(self.optimiser)
        checkpoint.save(self.out / checkpoint.CHECKPOINT, tensors, {**self.about(), **so_far})
        self.tokenizer.save(str(self.out / checkpoint.TOKENIZER))

    def _resume(self) -> bool:
        path = self.out / checkpoint.CHECKPOINT
        if not path.exists():
            return False
        tensors, about = checkpoint.load(path)
        if about['config'] != self.config.to_dict():
            raise ConfigError(path, 'config', about['config'], self.config.to_dict())
        self.model.load_state_dict(checkpoint.under(tensors, 'model.'))
        self.average.load_state_dict(checkpoint.under(tensors, 'average.'))
        checkpoint.restore_optimiser(self.optimiser, tensors)
        self.step, self.seconds = about['at_step'], about['seconds']
        if about['frames'] == len(self.frames):  # more data means other validation episodes
            names = ('best', 'best_total', 'since_best')
            self.best, self.best_total, self.since_best = (about[name] for name in names)
        self.curves = about['curves']
        return True

    def _describe(self) -> None:
        summary = {
            'steps': self.step,
            'training_seconds': round(self.seconds),
            'frames': len(self.frames),
            'samples': len(self.frames) * self.frames.labels,
            'parameters': sum(p.numel() for p in self.model.parameters()),
            'best_validation_rad': round(self.best, 5),
            'last_validation': {k: round(v, 5) for k, v in self.figures.items()},
            'initialised_tensors': self.initialised,
            'calibration': self.calibration,
            'options': self.options.to_dict(),
        }
        (self.out / 'training.json').write_text(json.dumps(summary, indent=1) + '\n')

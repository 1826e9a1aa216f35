# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Fine-tuning of a changed network by the trainer of `train`, with the reference model as teacher.

Distillation (Hinton et al., 2015) on the images, instructions and postures of a dataset.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vla_common.errors import ConfigError
from vla_deploy.architectures import PREFIX, in_bundle_order
from vla_deploy.reference_model import HUMANOID_VLA, ReferenceModel
from vla_models.network.answering import AnsweringVLA, build_network
from vla_models.network.humanoid_vla import HumanoidVLA, HumanoidVLAConfig
from vla_models.training import checkpoint
from vla_models.training.answer_losses import learner_of
from vla_models.training.batches import Batcher
from vla_models.training.losses import Learner
from vla_models.training.options import TrainingOptions
from vla_models.training.trainer import Trainer

Prepare = Callable[[Trainer], None]
_SET_BY_DATA = ('image_size', 'vocabulary', 'tokens', 'joints', 'action_dim', 'horizon',
                    'moved', 'camera', 'objects')  # fmt: skip


@dataclass(frozen=True)
class FineTuning:
    """Dataset and duration. minutes 0: `epochs` decide."""

    data: Path
    minutes: float = 0.0
    epochs: int = 3
    learning_rate: float = 3e-4
    batch: int = 32
    threads: int = 2
    seed: int = 0


class DistillationBatcher:
    """A batcher whose chunks are the teacher's answers instead of the demonstrations."""

    def __init__(self, batcher: Batcher, teacher: Learner) -> None:
        self._batcher, self._teacher = batcher, teacher
        self.has_targets = batcher.has_targets

    def batch(
        self, frames: np.ndarray, imagined: np.ndarray, rng: np.random.Generator, *, vary: bool
    ) -> dict[str, Tensor]:
        content = self._batcher.batch(frames, imagined, rng, vary=vary)
        return content | self._teacher.chunks(content)

    def __getattr__(self, name: str):
        """What else the batcher has: calibration encodes sentences with it."""
        return getattr(self._batcher, name)


def fine_tune(
    changed: ReferenceModel,
    teacher: ReferenceModel,
    tuning: FineTuning,
    prepare: Prepare = lambda trainer: None,
    advance: Callable[[int, float], None] = lambda frames, loss: None,
) -> tuple[ReferenceModel, float]:
    """`changed` after training, and its error against the teacher on held-out episodes, rad.

    `prepare` receives the trainer before its first step. Raises ConfigError: a module other than
    HumanoidVLA, or a dataset that does not fit.
    """
    student, teacher_network = (_network(model) for model in (changed, teacher))
    config = {k: v for k, v in student.config.to_dict().items() if k not in _SET_BY_DATA}
    with tempfile.TemporaryDirectory() as scratch:
        init, out = Path(scratch) / 'init', Path(scratch) / 'run'
        init.mkdir()
        _write_init(init, changed, student)
        options = TrainingOptions(
            epochs=tuning.epochs if not tuning.minutes else 1000,
            minutes=tuning.minutes,
            batch=tuning.batch,
            learning_rate=tuning.learning_rate,
            threads=tuning.threads,
            seed=tuning.seed,
            warmup=20,
            averaging=0.99,
            places=0,
            init=str(init),
            network=config,
        )
        trainer = Trainer(tuning.data, out, options)
        for key in ('joints', 'objects'):
            found, wanted = getattr(trainer.config, key), getattr(student.config, key)
            if found != wanted:
                raise ConfigError(str(tuning.data), key, found, str(wanted))
        std = torch.from_numpy(trainer.by.std[trainer.by.moved])
        learner = learner_of(teacher_network, std, trainer.options).eval()
        trainer.batcher = DistillationBatcher(trainer.batcher, learner)  # type: ignore[assignment]
        prepare(trainer)
        error = trainer.run(advance)
        tensors, _ = checkpoint.load(out / checkpoint.BEST)
        config_after = HumanoidVLAConfig(**changed.config)
        module = in_bundle_order(build_network(config_after))
        module.policy.load_state_dict(tensors)
    return replace(changed, module=module.float().eval()), error


def _network(reference: ReferenceModel) -> HumanoidVLA | AnsweringVLA:
    module = getattr(reference.module, PREFIX.rstrip('.'), None)
    if reference.factory != HUMANOID_VLA or not isinstance(module, (HumanoidVLA, AnsweringVLA)):
        wanted = 'HumanoidVLA: the trainer trains no other network'
        raise ConfigError('--data', 'source.factory', reference.factory, wanted)
    return module


def _write_init(directory: Path, changed: ReferenceModel, student: torch.nn.Module) -> None:
    """Write what the trainer's `init` reads: weights, normalisation, tokenizer."""
    state = changed.policy['inputs']['state']
    about = {'state_joints': state['joints'], 'mean': state['mean'], 'std': state['std']}
    checkpoint.save(directory / checkpoint.BEST, student.state_dict(), about)
    words = changed.policy['inputs']['instruction']['tokenizer']
    (directory / checkpoint.TOKENIZER).write_bytes(changed.attachments[words])

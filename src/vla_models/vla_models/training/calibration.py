# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Calibration of the three answers on episodes and phrasings that were not trained on.

Each answer is a logit; Platt scaling (Platt, 1999) fits a slope and an offset, so that of the cases
with probability p a share of p is true. The threshold of each answer, `accept`, then follows from
how many wrong answers of one kind are allowed.
"""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vla_models.language import Step
from vla_models.network.answering import OUTPUTS, AnsweringVLA
from vla_models.network.humanoid_vla import HumanoidVLAConfig
from vla_models.nonsense import nonsense
from vla_models.references import by_colour, sample_relation
from vla_models.tasks import ALL_TASKS
from vla_models.tokenizer import fitting_instruction
from vla_models.training import checkpoint
from vla_models.training.answer_batches import IGNORED, AnswerBatcher
from vla_models.training.places import label_places

SENTENCES = 2000  # of each kind
BATCH = 64  # frames
PLACES = 2000
STEEPEST = 20.0
# Of the false cases, the share that may be accepted: nonsense; an impossible task; not yet done.
# Places at the border of what a hand reaches cannot be told apart within the error of a place,
# 1 cm; with 0.05 the border cost 2 % of the two-step scenes that are possible.
ALLOWED = {'understood': 0.02, 'possible': 0.1, 'done': 0.01}
LOWEST, HIGHEST = 0.1, 0.95  # of a threshold


def platt(logits: Tensor, true: Tensor) -> tuple[float, float]:
    """Slope and offset that minimise the cross entropy; both kinds count the same."""
    slope, offset = torch.ones(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    share = true.float().mean().clamp(1e-3, 1 - 1e-3)
    weight = torch.where(true, 0.5 / share, 0.5 / (1 - share))
    solver = torch.optim.LBFGS([slope, offset], max_iter=100, line_search_fn='strong_wolfe')

    def loss() -> Tensor:
        solver.zero_grad()
        scaled = slope.clamp(0.05, STEEPEST) * logits + offset
        value = functional.binary_cross_entropy_with_logits(scaled, true.float(), weight=weight)
        value.backward()
        return value

    solver.step(loss)
    return float(slope.detach().clamp(0.05, STEEPEST)), float(offset.detach())


def threshold(chance: np.ndarray, true: np.ndarray, allowed: float) -> float:
    """The lowest probability above which at most `allowed` of the false cases are."""
    wrong = chance[~true]
    found = float(np.quantile(wrong, 1.0 - allowed)) if len(wrong) else 0.5
    return round(min(max(found, LOWEST), HIGHEST), 3)


def calibrate(
    network: AnsweringVLA, batcher: AnswerBatcher, frames: np.ndarray, seed: int
) -> dict[str, dict[str, float]]:
    """Sets the network's slopes and offsets. Returns for each answer its threshold and, of the
    calibration set: accepted_true, accepted_false (shares), n."""
    network.slope.fill_(1.0)
    network.offset.zero_()
    with torch.no_grad():
        cases = {
            'understood': _sentences(network, batcher, seed),
            **_frames(network, batcher, frames, seed),
        }
    out = {}
    for i, name in enumerate(OUTPUTS[1:]):
        logits, true = cases[name]
        if len(torch.unique(true)) < 2:  # too little data to know
            out[name] = {'accept': 0.5, 'accepted_true': 0.0, 'accepted_false': 0.0, 'n': len(true)}
            continue
        slope, offset = platt(logits, true)
        network.slope[i], network.offset[i] = slope, offset
        chance, right = torch.sigmoid(slope * logits + offset).numpy(), true.numpy()
        accept = threshold(chance, right, ALLOWED[name])
        out[name] = {
            'accept': accept,
            'accepted_true': round(float((chance[right] >= accept).mean()), 4),
            'accepted_false': round(float((chance[~right] >= accept).mean()), 4),
            'n': len(right),
        }
    return out


def calibrate_checkpoint(
    path: Path, batcher: AnswerBatcher, frames: np.ndarray, seed: int
) -> dict[str, dict[str, float]]:
    """As `calibrate`, of the network of a checkpoint, in place, with the thresholds in its
    metadata (`accept`). Without a checkpoint: nothing."""
    if not path.exists():
        return {}
    tensors, about = checkpoint.load(path)
    network = AnsweringVLA(HumanoidVLAConfig(**about['config']))
    network.load_state_dict(tensors)
    found = calibrate(network.eval(), batcher, frames, seed)
    about['accept'] = {name: figures['accept'] for name, figures in found.items()}
    checkpoint.save(path, dict(network.state_dict()), about)
    return found


def _sentences(network: AnsweringVLA, batcher: AnswerBatcher, seed: int) -> tuple[Tensor, Tensor]:
    """Held-out phrasings, and nonsense."""
    words = random.Random(seed)
    texts = []
    for _ in range(SENTENCES):
        task = words.choice(ALL_TASKS)
        reference = None
        if task.has_target:
            reference = words.choice((by_colour(task.colour), sample_relation(words)))
        steps = (Step(task, reference),)
        if task.has_target and words.random() < 0.3:
            other = words.choice([t for t in ALL_TASKS if t.has_target])
            steps = (*steps, Step.plain(other))
        texts.append(fitting_instruction(steps, words, held_out=True))
    texts += [nonsense(words) for _ in range(SENTENCES)]
    ids = torch.from_numpy(batcher.encoded(texts))
    sense = torch.cat([network.words(part).sense for part in ids.split(500)])
    return sense, torch.arange(len(texts)) < SENTENCES


def _frames(
    network: AnsweringVLA, batcher: AnswerBatcher, frames: np.ndarray, seed: int
) -> dict[str, tuple[Tensor, Tensor]]:
    """Held-out episodes, with what the pointer chooses; and places labelled for them."""
    rng = np.random.default_rng(seed)
    none = np.zeros(0, np.int64)
    can, could, done, ended = [], [], [], []
    wanted = replace(batcher.options, places=min(batcher.options.places, PLACES), seed=seed + 1)
    places = label_places(batcher.frames, frames, wanted)
    if places is not None:
        batch = batcher.of_places(places, rng)
        steps = torch.cat([network.words(part).steps for part in batch['ids'].split(500)])
        text = steps[batch['place_phrase'], batch['place_step']]
        where = network.where(batch['place_target'], torch.ones(len(places)))
        logits = network.possible_logits(text, batch['place_state'], where)
        can.append(_first(logits))
        could.append(batch['place_reason'] == 0)
    for start in range(0, len(frames), BATCH):
        chosen = frames[start : start + BATCH]
        batch = batcher.batch(chosen, none, rng, vary=False)
        words = network.words(batch['ids'])
        per_image = len(batch['phrase']) // len(chosen)
        found = network.find(network.vision(batch['image']), batch['state'][::per_image])
        found = type(found)(*(value.repeat_interleave(per_image, dim=0) for value in found))
        text = words.steps[batch['phrase'], batch['step']]
        where = network.meant(text, found.place, found.seen)
        logits = network.possible_logits(text, batch['state'], where)
        known = batch['reason'] != IGNORED
        can.append(_first(logits)[known])
        could.append((batch['reason'] == 0)[known])
        right = batch['meant'] == batch['referent']
        done.append(network.done_logit(text, batch['state'], where)[right])
        ended.append((batch['done'] > 0.5)[right])
    return {
        'possible': (torch.cat(can), torch.cat(could)),
        'done': (torch.cat(done), torch.cat(ended)),
    }


def _first(logits: Tensor) -> Tensor:
    """The logit of the first class (N,): for a slope on all logits (N, k) and an offset on the
    first, its calibration is a logistic regression."""
    return logits[:, 0] - torch.logsumexp(logits[:, 1:], 1)

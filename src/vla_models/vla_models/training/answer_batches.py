# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Batches for AnsweringVLA: as `batches`, with cubes named by their places, two steps, sentences
that cannot be followed, and the labels of the three answers."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from vla_models.dataset.frames import Frames
from vla_models.language import Step
from vla_models.nonsense import nonsense
from vla_models.references import AMBIGUOUS, by_colour, natural_hand, sample_relation
from vla_models.tasks import ALL_TASKS, COLOURS, HANDS, Task, TaskKind
from vla_models.tokenizer import fitting_instruction
from vla_models.training.batches import (
    IMAGE_MEAN,
    IMAGE_STD,
    Batcher,
    Normalisation,
    augment,
    tensor_of,
)
from vla_models.training.options import TrainingOptions
from vla_models.training.places import LabelledPlaces

IGNORED = -100  # of a label, as PyTorch's cross entropy has it
NONE = len(COLOURS)  # the class of no object
TWO_STEPS, RELATIONS, UNSAID = 0.35, 0.3, 0.4  # shares of the phrasings
HIDDEN = 0.25  # share of the imagined samples of which some cubes are hidden
NONSENSE, ORDERS = 36, 48  # sentences in a batch; samples of order among cubes alone
PLACES = 96  # labelled places in a batch
_LATER = (TaskKind.LOOK, TaskKind.POINT, TaskKind.REACH)  # kinds that are a step of two
_STEPS = tuple(task for task in ALL_TASKS if task.kind in _LATER)


@dataclass(frozen=True)
class Phrase:
    """A sentence; `place` is that of the task of interest among its steps."""

    text: str
    steps: tuple[Step, ...]
    place: int = 0

    @property
    def step(self) -> Step:
        return self.steps[self.place]


def step_for(task: Task, words: random.Random) -> Step:
    """The task with a random reference, and its hand said or not."""
    reference = None
    if task.has_target:
        by_place = words.random() < RELATIONS
        reference = sample_relation(words) if by_place else by_colour(task.colour)
    named = not task.has_target or words.random() >= UNSAID
    return Step(task, reference, named)


def phrases_for(task: Task, count: int, words: random.Random) -> list[Phrase]:
    """`count` phrasings; the first is by colour and hand."""
    found = [_phrase((Step.plain(task),), 0, words)]
    while len(found) < count:
        step = step_for(task, words)
        if task.kind in _LATER and words.random() < TWO_STEPS:
            other = words.choice(_STEPS)
            if words.random() < 0.4:  # of the same kind, as in "the red one, then the blue one"
                other = Task(task.kind, task.hand, words.choice(COLOURS))
            second = Step(other, by_colour(other.colour), step.named)
            steps = (step, second) if words.random() < 0.5 else (second, step)
            found.append(_phrase(steps, steps.index(step), words))
        else:
            found.append(_phrase((step,), 0, words))
    return found


def _phrase(steps: tuple[Step, ...], place: int, words: random.Random) -> Phrase:
    return Phrase(fitting_instruction(steps, words), steps, place)


class AnswerBatcher(Batcher):
    """Makes batches of a dataset with cubes (`DatasetLayout.cubes`).

    Without a history: the network's memory is its own answer `done` on past states.
    """

    def __init__(
        self,
        frames: Frames,
        by: Normalisation,
        tokenizer: Tokenizer,
        options: TrainingOptions,
        places: LabelledPlaces | None = None,
    ) -> None:
        super().__init__(frames, by, tokenizer, options)
        self._history = 1
        self._places = places

    def batch(
        self, frames: np.ndarray, imagined: np.ndarray, rng: np.random.Generator, *, vary: bool
    ) -> dict[str, Tensor]:
        """image (B, 3, S, S), cubes (B, C, 3), cube_pixels (B, C, 2).

        Of P sentences: ids (P, L), sense (P,), two (P,), lasting (P, 2), NaN where meaningless. Of
        N = B·M samples: phrase, step, referent and meant (N,), reason (N,), acted (N,) whether
        the chunk is demonstrated, done (N,), state, phase, action, target. The same with the prefix
        `imagined_`, and there cubes and seen for each sample, near_state, near_done. Of samples
        of order alone: order_phrase, order_cubes, order_seen, order_meant. Of labelled places, if
        there are some: place_phrase, place_step, place_state, place_target, place_reason.
        """
        labels = self.frames.labels
        samples = (frames[:, None] * labels + np.arange(labels)).ravel()
        images = self.frames.image[frames]
        pixels = augment(images, rng) if vary else images.astype(np.float32) / 255.0
        words = random.Random(int(rng.integers(2**31)))
        book = _Book(self.frames.instructions, max(2, self.options.phrases - 1), words)
        content = {
            'image': tensor_of((pixels - IMAGE_MEAN) / IMAGE_STD).permute(0, 3, 1, 2),
            'cubes': tensor_of(self.frames.cubes[frames]),
            'cube_pixels': tensor_of(self.frames.cube_pixels[frames]),
            **self._answers(samples, book, rng, vary, 0.0),
        }
        if len(imagined):
            more = self._answers(imagined, book, rng, vary, self.options.target_noise)
            content |= {f'imagined_{name}': value for name, value in more.items()}
        content |= self._orders(rng, book)
        if vary and self._places is not None:
            chosen = rng.integers(0, len(self._places), PLACES)
            content |= self._labelled(self._places, chosen, rng, book)
        for _ in range(NONSENSE):
            book.add(Phrase(nonsense(words), ()))
        return content | book.tensors(self)

    def _answers(
        self, samples: np.ndarray, book: '_Book', rng: np.random.Generator, vary: bool, doubt: float
    ) -> dict[str, Tensor]:
        frames, by = self.frames, self.by
        frame, label = samples // frames.labels, samples % frames.labels
        content = self._samples(samples, rng, vary, doubt)
        in_view = np.isfinite(frames.cube_pixels[frame]).all(-1)
        place = frames.cubes[frame]
        there = np.isfinite(place).all(-1)
        given = in_view.copy()
        if doubt:  # imagined: some cubes hidden, but not the target
            hidden = rng.random(given.shape) < 0.5
            given &= ~(hidden & (rng.random(len(given)) < HIDDEN)[:, None])
        known = np.isfinite(frames.target[frame, label]).all(-1)
        rows = frames.task[frame, label]
        out: dict[str, list] = {key: [] for key in ('phrase', 'step', 'referent', 'meant')}
        sure = np.zeros(len(samples), bool)  # that the sentence means the cube of the label
        for i, row in enumerate(rows):
            task = self.frames.instructions[row].task
            colour = COLOURS.index(task.colour) if task.has_target else NONE
            if doubt and task.has_target and known[i] and there[i, colour]:
                given[i, colour] = True
            y = place[i, colour, 1] if task.has_target else 0.0
            number, phrase = book.choose(row, task, natural_hand(y) if there[i].any() else None)
            whole = bool(doubt) or bool((in_view[i] == there[i]).all())
            meant = _meant(phrase.step, place[i], given[i], whole)
            reference = phrase.step.reference
            sure[i] = reference is None or reference.kind == 'colour' or meant == colour
            for key, value in zip(out, (number, phrase.place, colour, meant), strict=True):
                out[key].append(value)
        content |= {key: torch.tensor(values) for key, values in out.items()}
        reason = frames.reason[frame, label].astype(np.int64)
        content['reason'] = torch.from_numpy(np.where(sure & (reason >= 0), reason, IGNORED))
        content['acted'] = torch.from_numpy(reason != 2)
        # What is out of view cannot be known to be done.
        visible = known | np.array([not frames.instructions[row].task.has_target for row in rows])
        content['done'] = tensor_of(frames.done[frame, label, 0] * visible)
        if doubt:
            noise = rng.normal(0.0, 0.01, place.shape) * rng.choice((0.0, 1.0), (len(place), 1, 1))
            content['cubes'] = tensor_of(np.where(given[..., None], place + noise, 0.0))
            content['seen'] = tensor_of(given)
            step = rng.integers(1, frames.done.shape[2], len(samples))
            judged = np.array([*frames.layout.judged, 0])[step - 1]
            last = (step == frames.done.shape[2] - 1)[:, None]
            posture = np.where(last, frames.near[frame, label], frames.action[frame, label, judged])
            state = frames.state[frame][:, by.chosen].copy()
            state[:, by.moved] = posture
            content['near_state'] = tensor_of((state - by.mean) / by.std)
            content['near_done'] = tensor_of(frames.done[frame, label, step] * visible)
        return content

    def of_places(self, places: LabelledPlaces, rng: np.random.Generator) -> dict[str, Tensor]:
        """All `places` alone: ids, place_phrase, place_step, place_state, place_target,
        place_reason."""
        book = _Book(self.frames.instructions, 2, random.Random(int(rng.integers(2**31))))
        content = self._labelled(places, np.arange(len(places)), rng, book)
        return content | book.tensors(self)

    def _labelled(
        self, places: LabelledPlaces, chosen: np.ndarray, rng: np.random.Generator, book: '_Book'
    ) -> dict[str, Tensor]:
        by = self.by
        place = places.place[chosen]
        numbers, steps = [], []
        for row, (_, y, _) in zip(chosen, place, strict=True):
            task = places.tasks[row]
            phrase = phrases_for(task, 2, book.words)[1]
            # The hand is left unsaid only where it is the natural one.
            if task.hand is not None and not phrase.step.named and task.hand != natural_hand(y):
                phrase = phrases_for(task, 1, book.words)[0]
            numbers.append(book.add(phrase))
            steps.append(phrase.place)
        state = self.frames.state[places.frame[chosen]][:, by.chosen]
        state = state + rng.normal(0.0, self.options.state_noise, state.shape)
        noise = rng.normal(0.0, self.options.target_noise, place.shape)
        return {
            'place_phrase': torch.tensor(numbers),
            'place_step': torch.tensor(steps),
            'place_state': tensor_of((state - by.mean) / by.std),
            'place_target': tensor_of(place + noise),
            'place_reason': torch.from_numpy(places.reason[chosen]),
        }

    def _orders(self, rng: np.random.Generator, book: '_Book') -> dict[str, Tensor]:
        """References by place among the cubes of random frames, in random colours."""
        chosen = rng.integers(0, len(self.frames), ORDERS)
        place = np.array(self.frames.cubes[chosen])
        for row in place:
            row[:] = row[rng.permutation(NONE)]
        place[..., :2] += rng.normal(0.0, 0.005, place[..., :2].shape)
        given = np.isfinite(place).all(-1)
        numbers, meant = [], []
        for i in range(ORDERS):
            kind = book.words.choice(_LATER)
            hand = book.words.choice(HANDS) if kind is not TaskKind.LOOK else None
            step = Step(
                Task(kind, hand, COLOURS[0]), sample_relation(book.words), book.words.random() < 0.5
            )
            numbers.append(book.add(_phrase((step,), 0, book.words)))
            meant.append(_meant(step, place[i], given[i], True))
        return {
            'order_phrase': torch.tensor(numbers),
            'order_cubes': tensor_of(np.where(given[..., None], place, 0.0)),
            'order_seen': tensor_of(given),
            'order_meant': torch.tensor(meant),
        }


class _Book:
    """The sentences of a batch."""

    def __init__(self, instructions, count: int, words: random.Random) -> None:
        self.words = words
        self._instructions, self._count = instructions, count
        self._phrases: list[Phrase] = []
        self._of: dict[int, range] = {}

    def add(self, phrase: Phrase) -> int:
        self._phrases.append(phrase)
        return len(self._phrases) - 1

    def choose(self, row: int, task: Task, natural: str | None) -> tuple[int, Phrase]:
        """A phrase for a sample: number and phrase. The hand is left unsaid only where it is the
        natural one."""
        if row not in self._of:
            begin = len(self._phrases)
            for phrase in phrases_for(task, self._count, self.words):
                self.add(phrase)
            self._of[row] = range(begin, len(self._phrases))
        number = self.words.choice(self._of[row])
        step = self._phrases[number].step
        if task.hand is not None and not step.named and task.hand != natural:
            number = self._of[row][0]
        return number, self._phrases[number]

    def tensors(self, batcher: Batcher) -> dict[str, Tensor]:
        lasting = np.full((len(self._phrases), 2), np.nan)
        for row, phrase in zip(lasting, self._phrases, strict=True):
            for i, step in enumerate(phrase.steps):
                row[i] = step.task.kind is TaskKind.WAVE
        counts = np.array([len(phrase.steps) for phrase in self._phrases])
        two = np.where(counts == 0, np.nan, counts == 2)
        ids = batcher.encoded([phrase.text for phrase in self._phrases])
        longest = int((ids > 0).sum(1).max())
        return {
            'ids': torch.from_numpy(ids[:, :longest].copy()),
            'sense': tensor_of(counts > 0),
            'two': tensor_of(two),
            'lasting': tensor_of(lasting),
        }


def _meant(step: Step, place: np.ndarray, given: np.ndarray, whole: bool) -> int:
    """The pointer's label. place (C, 3) m; given (C,) whether it is seen; whole: all are."""
    if step.reference is None:
        return NONE
    cubes: Mapping[str, tuple[float, float]] = {
        colour: (float(place[c, 0]), float(place[c, 1]))
        for c, colour in enumerate(COLOURS)
        if given[c]
    }
    if step.reference.kind != 'colour' and not whole:
        return IGNORED
    found = step.reference.resolve(cubes)
    return NONE if found is None else IGNORED if found == AMBIGUOUS else COLOURS.index(found)

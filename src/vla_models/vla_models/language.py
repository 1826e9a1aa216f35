# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Instructions from the templates of grammar.yaml: phrasings, two steps, typing errors."""

import random
from dataclasses import dataclass, replace
from pathlib import Path

from vla_common.yaml_file import load_yaml
from vla_models.references import Reference, by_colour
from vla_models.tasks import Task, TaskKind

GRAMMAR = load_yaml(Path(__file__).with_name('grammar.yaml'))


def _templates(part: str) -> dict[TaskKind, tuple[str, ...]]:
    return {TaskKind(kind): tuple(texts) for kind, texts in GRAMMAR[part].items()}


TRAIN = _templates('training')
HELD_OUT = _templates('held_out')
PREFIXES = tuple(GRAMMAR['politeness']['before'])
SUFFIXES = tuple(GRAMMAR['politeness']['after'])
ORDINALS = tuple(GRAMMAR['references']['ordinals'])
_LETTERS = 'abcdefghijklmnopqrstuvwxyz'
HAND = '{hand}'


@dataclass(frozen=True)
class Step:
    """A task as an instruction names it. named: whether the hand is said."""

    task: Task
    reference: Reference | None = None
    named: bool = True

    @classmethod
    def plain(cls, task: Task) -> 'Step':
        """By colour, with the hand."""
        return cls(task, by_colour(task.colour) if task.colour else None)


def misspell(text: str, rng: random.Random) -> str:
    """One dropped, doubled, swapped or replaced letter inside a word of at least four letters."""
    places = [i for i in range(1, len(text) - 2) if text[i - 1 : i + 3].isalpha()]
    if not places:
        return text
    i = rng.choice(places)
    change = rng.randrange(4)
    if change == 0:
        return text[:i] + text[i + 1 :]
    if change == 1:
        return text[:i] + text[i] + text[i:]
    if change == 2:
        return text[:i] + text[i + 1] + text[i] + text[i + 2 :]
    return text[:i] + rng.choice(_LETTERS) + text[i + 1 :]


def name_of(reference: Reference, rng: random.Random, held_out: bool = False) -> str:
    """A noun phrase for a cube, e.g. `the cube left of the red one`."""
    phrases = GRAMMAR['references']['held_out' if held_out else 'training'][reference.kind]
    colours = (*reference.colours, '', '')
    nth = ORDINALS[reference.number - 1] if reference.number else ''
    names = {'colour': colours[0], 'other': colours[0], 'third': colours[1], 'nth': nth}
    return rng.choice(phrases).format(**names)


def templates_of(step: Step, held_out: bool = False) -> list[str]:
    """The templates that say as much as the step: all with a hand, or all without."""
    found = (HELD_OUT if held_out else TRAIN)[step.task.kind]
    with_hand = step.task.hand is not None and step.named
    return [text for text in found if (HAND in text) == with_hand]


def words_of(step: Step, rng: random.Random, held_out: bool = False) -> str:
    """One step in words. A cube without a reference is named by its colour."""
    template = rng.choice(templates_of(step, held_out))
    cube = ''
    if step.task.has_target:
        cube = name_of(step.reference or by_colour(step.task.colour), rng, held_out)
    return template.format(hand=step.task.hand, cube=cube)


def instruction_of(
    steps: tuple[Step, ...], rng: random.Random, *, held_out: bool = False, typos: float = 0.0
) -> str:
    """An instruction of one or two steps; with probability `typos` one letter is wrong."""
    text = words_of(steps[0], rng, held_out)
    if len(steps) > 1:
        second = words_of(steps[1], rng, held_out)
        if elliptic(*steps) and rng.random() < 0.5:  # "touch the red one, then the blue one"
            second = name_of(steps[1].reference or by_colour(steps[1].task.colour), rng, held_out)
        joints = GRAMMAR['joints']['held_out' if held_out else 'training']
        text = rng.choice(joints).format(first=text, second=second)
    if not held_out:
        text = rng.choice(PREFIXES) + text + rng.choice(SUFFIXES)
    text = text.replace(' ,', ',').replace(' .', '.').replace(' !', '!').replace(' ?', '?')
    return misspell(text, rng) if rng.random() < typos else text


def elliptic(first: Step, second: Step) -> bool:
    """Whether the second step may be said by its cube alone. The hand, where it is said, is that of
    the first step."""
    if first.named and second.named:
        same = replace(first.task, colour=None) == replace(second.task, colour=None)
    else:
        same = first.task.kind is second.task.kind and not (first.named or second.named)
    return same and first.task.has_target


def phrase(task: Task, rng: random.Random, *, held_out: bool = False, typos: float = 0.0) -> str:
    """An instruction for `task`, by colour and hand."""
    return instruction_of((Step.plain(task),), rng, held_out=held_out, typos=typos)


def canonical(task: Task) -> str:
    """The plainest phrasing of a task."""
    template = next(text for text in TRAIN[task.kind] if (HAND in text) == bool(task.hand))
    cube = GRAMMAR['references']['training']['colour'][0].format(colour=task.colour)
    return template.format(hand=task.hand, cube=cube)

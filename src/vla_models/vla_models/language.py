# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The instruction grammar with training and held-out paraphrases, and the tokenizer.

Held-out templates share no full phrase with the training templates and have words that are not in
training (`kindly`, `hover`), so that evaluation does not measure memory.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from vla_models.tasks import ALL_TASKS, Task, TaskKind

TOKENS = 24  # instruction length in tokens, padded with 0
VOCABULARY = 512

TRAIN = {
    TaskKind.STAND: (
        'stand still',
        'hold still',
        'keep still',
        'do not move',
        'stay where you are',
        'freeze',
        'stop moving',
        'stand there and do nothing',
        'just stand',
    ),
    TaskKind.REST: (
        'lower your hands',
        'lower both arms',
        'rest your arms',
        'put both hands down',
        'put your hands to rest',
        'let your arms hang',
        'arms down',
        'relax your arms',
        'both hands to rest',
    ),
    TaskKind.READY: (
        'get ready',
        'hands ready',
        'both hands to the ready pose',
        'raise both hands to the ready position',
        'bring your hands above the table',
        'get your hands ready',
        'hold both hands over the table',
        'move to the ready pose',
    ),
    TaskKind.WAVE: (
        'wave with your {hand} hand',
        'wave your {hand} hand',
        'wave the {hand} hand',
        'wave with the {hand} arm',
        'say hello with your {hand} hand',
        'greet me with the {hand} hand',
        'use your {hand} hand to wave',
        'give a wave with your {hand} hand',
        'with your {hand} hand wave hello',
    ),
    TaskKind.LOOK: (
        'look at the {colour} cube',
        'look at the {colour} block',
        'turn your head to the {colour} cube',
        'turn your eyes to the {colour} box',
        'watch the {colour} cube',
        'face the {colour} block',
        'gaze at the {colour} cube',
        'find the {colour} cube and look at it',
        'point your camera at the {colour} cube',
    ),
    TaskKind.POINT: (
        'point at the {colour} cube with your {hand} hand',
        'point with your {hand} hand at the {colour} block',
        'point your {hand} hand at the {colour} cube',
        'with the {hand} hand point to the {colour} box',
        'show me the {colour} cube with your {hand} hand',
        'use your {hand} arm to point at the {colour} cube',
        'aim your {hand} hand at the {colour} block',
        'point to the {colour} cube using the {hand} hand',
    ),
    TaskKind.REACH: (
        'reach for the {colour} cube with your {hand} hand',
        'reach the {colour} block with the {hand} hand',
        'touch the {colour} cube with your {hand} hand',
        'with your {hand} hand touch the {colour} box',
        'put your {hand} hand on the {colour} cube',
        'move your {hand} hand to the {colour} block',
        'use your {hand} hand to reach for the {colour} cube',
        'bring the {hand} hand to the {colour} cube',
        'use the {hand} arm to touch the {colour} block',
        'extend your {hand} arm to the {colour} cube',
    ),
}

HELD_OUT = {
    TaskKind.STAND: ('please just hold still', 'stay there and do not move at all'),
    TaskKind.REST: ('let both hands go down to rest', 'kindly relax and lower your arms'),
    TaskKind.READY: ('raise your hands over the table and get ready', 'take the ready position'),
    TaskKind.WAVE: ('could you wave at me using your {hand} hand', 'hello, {hand} hand wave'),
    TaskKind.LOOK: (
        'have a look at the {colour} cube over there',
        'rotate your head, look at {colour}',
    ),
    TaskKind.POINT: (
        'would you kindly point out the {colour} block, using your {hand} hand',
        'your {hand} hand should point at the {colour} cube',
    ),
    TaskKind.REACH: (
        'go and touch the {colour} block using your {hand} hand',
        'let your {hand} hand reach out to the {colour} cube',
        'the {colour} cube, reach for it with the {hand} hand',
    ),
}

PREFIXES = ('', '', '', 'please ', 'could you ', 'can you ', 'robot, ', 'now ', 'ok, ')
SUFFIXES = ('', '', '', '', ' please', ' now', ', thank you', '.', '!')
_LETTERS = 'abcdefghijklmnopqrstuvwxyz'


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


def phrase(task: Task, rng: random.Random, *, held_out: bool = False, typos: float = 0.0) -> str:
    """An instruction for `task`; with probability `typos` one letter is wrong."""
    template = rng.choice((HELD_OUT if held_out else TRAIN)[task.kind])
    text = template.format(hand=task.hand, colour=task.colour)
    if not held_out:
        text = rng.choice(PREFIXES) + text + rng.choice(SUFFIXES)
    return misspell(text, rng) if rng.random() < typos else text


def all_training_phrases() -> list[str]:
    """Every training template filled for every task, with every prefix and suffix once."""
    phrases = []
    for task in ALL_TASKS:
        for template in TRAIN[task.kind]:
            phrases.append(template.format(hand=task.hand, colour=task.colour))
    phrases += [prefix + 'look' for prefix in sorted(set(PREFIXES))]
    phrases += ['look' + suffix for suffix in sorted(set(SUFFIXES))]
    return phrases


def build_tokenizer() -> Tokenizer:
    """Sub-word tokenizer of the training grammar; unknown words become letters."""
    tokenizer = Tokenizer(models.BPE(unk_token='[UNK]'))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=['[PAD]', '[UNK]'],
        initial_alphabet=list(_LETTERS + '.,!?'),
        show_progress=False,
    )
    tokenizer.train_from_iterator(all_training_phrases(), trainer)
    return tokenizer


def encode(tokenizer: Tokenizer, texts: Sequence[str], length: int = TOKENS) -> np.ndarray:
    """Token ids, (len(texts), length) int64, cut or padded with 0."""
    ids = np.zeros((len(texts), length), np.int64)
    for row, text in zip(ids, texts, strict=True):
        found = tokenizer.encode(text).ids[:length]
        row[: len(found)] = found
    return ids

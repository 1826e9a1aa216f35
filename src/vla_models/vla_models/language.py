# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Instructions from the templates of grammar.yaml, typos, and the tokenizer."""

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from vla_common.errors import ConfigError
from vla_common.yaml_file import load_yaml
from vla_models.tasks import ALL_TASKS, Task, TaskKind

TOKENS = 24  # instruction length in tokens, padded with 0
VOCABULARY = 512


def _templates(part: str) -> dict[TaskKind, tuple[str, ...]]:
    return {TaskKind(kind): tuple(texts) for kind, texts in _GRAMMAR[part].items()}


_GRAMMAR = load_yaml(Path(__file__).with_name('grammar.yaml'))
TRAIN = _templates('training')
HELD_OUT = _templates('held_out')

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


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> np.ndarray:
    """Token ids, (len(texts), TOKENS) int64, padded with 0. Raises ConfigError for an instruction
    that does not fit: without its end it would be another."""
    ids = np.zeros((len(texts), TOKENS), np.int64)
    for row, text in zip(ids, texts, strict=True):
        found = tokenizer.encode(text).ids
        if len(found) > TOKENS:
            wanted = f'at most {TOKENS}: a shorter instruction'
            raise ConfigError('dataset', f'instruction "{text}"', f'{len(found)} tokens', wanted)
        row[: len(found)] = found
    return ids

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The tokenizer: a word is a token, a typing error is its word, any other word is `[UNK]`.

So the policy knows exactly which words it does not know, in any script, and its answer for each
token is one for a word of the instruction.
"""

import random
import re
import string
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from vla_common.errors import ConfigError
from vla_models.language import GRAMMAR, PREFIXES, SUFFIXES, Step, instruction_of
from vla_models.tasks import COLOURS, HANDS

TOKENS = 36  # instruction length in tokens, padded with 0
PADDING, UNKNOWN = '[PAD]', '[UNK]'
UNKNOWN_ID = 1
SHORTEST = 4  # letters of a word whose typing errors are understood
_PLACEHOLDER = re.compile(r'\{\w+\}')


def _texts(part: object) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict):
        for inner in part.values():
            yield from _texts(inner)
    else:
        for inner in part:
            yield from _texts(inner)


def count_tokens(text: str) -> int:
    """Of a text of the grammar."""
    return len(re.findall(r'\w+|[,.!?]', text))


def fitting_instruction(
    steps: tuple[Step, ...], rng: random.Random, *, held_out: bool = False, typos: float = 0.0
) -> str:
    """As `instruction_of`, of at most TOKENS tokens: the longest of two steps have more."""
    while True:
        text = instruction_of(steps, rng, held_out=held_out, typos=typos)
        if count_tokens(text) <= TOKENS:
            return text


@cache
def vocabulary() -> tuple[str, ...]:
    """All known words and marks, in the order of their ids after the two special tokens."""
    texts = [*HANDS, *COLOURS, *',.!?', *PREFIXES, *SUFFIXES]
    parts = ('training', 'held_out', 'references', 'joints')
    texts += [text for part in parts for text in _texts(GRAMMAR[part])]
    words = [word for text in texts for word in _PLACEHOLDER.sub(' ', text).split()]
    found = (part for word in words for part in re.findall(r'\w+|[,.!?]', word))
    return tuple(dict.fromkeys(found))


def misspellings(word: str) -> set[str]:
    """`word` with one inner letter dropped, doubled or replaced, or swapped with the next."""
    return (_slips(word) | _replaced(word)) - {word}


def _slips(word: str) -> set[str]:
    inner = range(1, len(word) - 1)
    found = {word[:i] + word[i + 1 :] for i in inner}
    found |= {word[:i] + word[i] + word[i:] for i in inner}
    return found | {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in inner[:-1]}


def _replaced(word: str) -> set[str]:
    inner, letters = range(1, len(word) - 1), string.ascii_lowercase
    return {word[:i] + letter + word[i + 1 :] for i in inner for letter in letters}


@cache
def _corrections() -> dict[str, tuple[str, ...]]:
    """Each word with its misspellings that are no English word and those of no other word. Of a
    word by a replaced letter and one by another slip, the latter is meant."""
    known = set(vocabulary()) | set(GRAMMAR['not_typos'])
    words = [word for word in vocabulary() if word.isalpha() and len(word) >= SHORTEST]
    found: dict[str, list[str]] = {}
    taken: set[str] = set()
    for errors in (_slips, _replaced):
        whose: dict[str, set[str]] = {}
        for word in words:
            for wrong in errors(word) - known - taken:
                whose.setdefault(wrong, set()).add(word)
        taken |= set(whose)
        for wrong, meant in whose.items():
            if len(meant) == 1:
                found.setdefault(next(iter(meant)), []).append(wrong)
    return {word: tuple(sorted(found[word])) for word in sorted(found)}


def _pattern(wrongs: Iterable[str]) -> str:
    """A regular expression of whole words; letters of one place are joined to a class."""
    classes: dict[tuple[str, str], set[str]] = {}
    for wrong in wrongs:
        # The place of the class is free: the one with the most letters is found greedily.
        options = ((wrong[:i], wrong[i + 1 :]) for i in range(1, len(wrong)))
        best = max(options, key=lambda key: len(classes.get(key, ())))
        classes.setdefault(best, set()).add(wrong[len(best[0])])
    parts = [f'{a}[{"".join(sorted(letters))}]{b}' for (a, b), letters in sorted(classes.items())]
    return rf'\b(?:{"|".join(parts)})\b'


def build_tokenizer() -> Tokenizer:
    """The tokenizer of the grammar."""
    corrections = [
        normalizers.Replace(Regex(_pattern(wrongs)), word)
        for word, wrongs in _corrections().items()
    ]
    tokenizer = Tokenizer(
        models.WordLevel(
            {word: i for i, word in enumerate((PADDING, UNKNOWN, *vocabulary()))}, UNKNOWN
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Lowercase(),
            normalizers.Replace(Regex("['’`]"), ''),
            normalizers.Replace(Regex(r'[^\w\s,.!?]|_'), ' '),
            *corrections,
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> np.ndarray:
    """Token ids, (len(texts), TOKENS) int64, padded with 0. Raises ConfigError for an instruction
    that does not fit: without its end it would be another."""
    ids = np.zeros((len(texts), TOKENS), np.int64)
    encodings = tokenizer.encode_batch_fast(list(texts))
    for row, text, encoding in zip(ids, texts, encodings, strict=True):
        found = encoding.ids
        if len(found) > TOKENS:
            wanted = f'at most {TOKENS}: a shorter instruction'
            raise ConfigError('dataset', f'instruction "{text}"', f'{len(found)} tokens', wanted)
        row[: len(found)] = found
    return ids

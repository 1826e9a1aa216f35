# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Token ids of instructions.

An instruction that does not fit is refused, never cut: "… with your left hand" and "… with your
right hand" would be the same command.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np

from vla_common.errors import ConfigError
from vla_policy.bundle.bundle import Bundle
from vla_policy.bundle.model_inputs import InstructionInput
from vla_policy.types import InstructionRefused

KEY = 'inputs.instruction.tokenizer'
UNKNOWN = 'qxzv \u2603'
"""A text of which no vocabulary has the words."""
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


class Word(NamedTuple):
    """A word of an instruction. places: of its tokens, in the sequence that the model takes.
    unknown: the tokenizer has no token for a part of it."""

    text: str
    places: tuple[int, ...]
    unknown: bool


class InstructionTokenizer:
    """text -> int64 (1, length): ids, padded on the side and with the id of the tokenizer's file;
    at the end with 0 where the file has no padding.

    The file's own truncation lowers the limit. The ids of the last text are cached: many chunks
    have the same instruction.
    """

    def __init__(self, bundle: Bundle, spec: InstructionInput) -> None:
        """Raises ConfigError: the file is no tokenizer, pads to another length than the model
        takes, or `tokenizers` is not installed."""
        self.spec = spec
        self._file = str(bundle.directory / spec.tokenizer)
        self._tokenizer = _load(bundle, spec, self._file)
        self.limit = min(spec.length, self._truncation())
        self._padding, self._left = self._read_padding(str(bundle.file))
        # Counted by ourselves: tokenizers would cut without an error.
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._special = len(self._tokenizer.encode('').ids)
        if self._special >= self.limit:
            found = f'a limit of {self.limit} tokens, {self._special} of them special ones'
            raise ConfigError(self._file, KEY, found, 'room for words')
        self._text: str | None = None
        self._ids = np.zeros(spec.shape, np.int64)
        self.mask = np.zeros(spec.shape, bool)
        """Which of the last ids are tokens of the text."""
        self.words: tuple[Word, ...] = ()
        """The words of the last text."""
        unknown = getattr(self._tokenizer.model, 'unk_token', None)
        self._unknown = None if unknown is None else self._tokenizer.token_to_id(unknown)

    def check(self, text: str) -> None:
        """Raise InstructionRefused for a text that does not fit, with the part that would be
        lost."""
        self._encode(text)

    def __call__(self, text: str) -> np.ndarray:
        """Raises InstructionRefused for a text that does not fit."""
        if text != self._text:
            encoding = self._encode(text)
            ids = encoding.ids
            start = self.spec.length - len(ids) if self._left else 0
            self._ids[:] = self._padding
            self._ids[0, start : start + len(ids)] = ids
            self.mask[:] = False
            self.mask[0, start : start + len(ids)] = True
            self.words = self._words(text, encoding, start)
            self._text = text
        return self._ids

    def _words(self, text: str, encoding: Any, start: int) -> tuple[Word, ...]:
        """start: of the tokens in the padded sequence."""
        tokens = list(enumerate(zip(encoding.ids, encoding.offsets, strict=True), start))
        special = {start + i for i, one in enumerate(encoding.special_tokens_mask) if one}
        found = []
        for word in _WORD.finditer(text):
            own = [
                (place, id_)
                for place, (id_, (begin, end)) in tokens
                if place not in special and begin < word.end() and end > word.start()
            ]
            if own:
                places = tuple(place for place, _ in own)
                unknown = any(id_ == self._unknown for _, id_ in own)
                found.append(Word(word.group(), places, unknown))
        return tuple(found)

    def _encode(self, text: str) -> Any:
        encoding = self._tokenizer.encode(text)
        if len(encoding.ids) <= self.limit:
            return encoding
        pairs = zip(encoding.offsets, encoding.special_tokens_mask, strict=True)
        words = [start for (start, _), special in pairs if not special]
        lost = text[words[self.limit - (len(encoding.ids) - len(words))] :].strip()
        raise InstructionRefused(
            f'the instruction has {len(encoding.ids)} tokens, the policy takes {self.limit}: '
            f'"{_shortened(lost)}" would be lost; use fewer words, or words from the training'
        )

    def _truncation(self) -> int:
        truncation = self._tokenizer.truncation
        return int(truncation['max_length']) if truncation else self.spec.length

    def _read_padding(self, policy: str) -> tuple[int, bool]:
        """(id, whether it comes before the words)."""
        padding = self._tokenizer.padding
        if not padding:
            return 0, False
        length, multiple = padding['length'], padding['pad_to_multiple_of']
        if multiple:
            length = -(-(length or self.spec.length) // multiple) * multiple
        if length not in (None, self.spec.length):
            wanted = f'{length}, to which {self.spec.tokenizer} pads'
            raise ConfigError(policy, 'inputs.instruction.length', self.spec.length, wanted)
        return int(padding['pad_id']), padding['direction'] == 'left'


def _load(bundle: Bundle, spec: InstructionInput, file: str) -> Any:
    content = bundle.read(spec.tokenizer)
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise ConfigError(
            str(bundle.file), KEY, 'a tokenizer', 'the Python package tokenizers installed'
        ) from error
    try:
        tokenizer = Tokenizer.from_str(content.decode('utf-8'))
    except Exception as error:  # tokenizers raises Exception itself
        raise ConfigError(file, KEY, str(error), 'a tokenizers JSON file') from error
    try:
        tokenizer.encode(UNKNOWN)
    except Exception as error:
        wanted = 'ids for any text: a token for unknown words, in the vocabulary'
        raise ConfigError(file, KEY, str(error), wanted) from error
    return tokenizer


def _shortened(text: str, length: int = 80) -> str:
    return text if len(text) <= length else f'{text[:length]}…'

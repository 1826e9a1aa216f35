# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Words to token ids, with a Hugging Face `tokenizers` file."""

from __future__ import annotations

import numpy as np

from vla_common.errors import ConfigError
from vla_policy.bundle.bundle import Bundle, InstructionInput

PADDING = 0


class InstructionTokenizer:
    """text -> int64 (1, length): ids, cut at the end or padded with 0.

    The last text's ids are remembered: an instruction stays the same for many chunks.
    """

    def __init__(self, bundle: Bundle, spec: InstructionInput) -> None:
        """Raises ConfigError when the file is not a tokenizer or `tokenizers` is not there."""
        key = 'inputs.instruction.tokenizer'
        content = bundle.read(spec.tokenizer)
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise ConfigError(
                str(bundle.file), key, 'a tokenizer', 'the Python package tokenizers installed'
            ) from error
        try:
            self._tokenizer = Tokenizer.from_str(content.decode('utf-8'))
        except Exception as error:  # tokenizers raises bare Exception
            raise ConfigError(
                str(bundle.directory / spec.tokenizer), key, str(error), 'a tokenizers JSON file'
            ) from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._length = spec.length
        self._text: str | None = None
        self._ids = np.zeros(spec.shape, np.int64)

    def __call__(self, text: str) -> np.ndarray:
        if text != self._text:
            ids = self._tokenizer.encode(text).ids[: self._length]
            self._ids[:] = PADDING
            self._ids[0, : len(ids)] = ids
            self._text = text
        return self._ids

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Assessment of an instruction from a model's outputs `understood`, `possible` and `done`."""

from collections.abc import Mapping, Sequence

import numpy as np

from vla_policy.bundle.judged_outputs import JudgedOutput
from vla_policy.instruction import InstructionTokenizer
from vla_policy.types import Assessment


def assess(
    outputs: Mapping[str, JudgedOutput],
    answers: Sequence[Mapping[str, np.ndarray]],
    tokenizer: InstructionTokenizer | None,
) -> Assessment:
    """The mean of the answers, which are one or several samples for one observation.

    answers: tensors by name. Raises ValueError for one that is no probability of the right shape.
    """
    found = {
        name: np.mean([output.read(answer[output.tensor]) for answer in answers], axis=0)
        for name, output in outputs.items()
    }
    one = {name: float(values[0]) for name, values in found.items()}
    words: tuple[tuple[str, float], ...] = ()
    unknown: tuple[str, ...] = ()
    if 'understood' in found and tokenizer is not None:
        fits = found['understood'][1:]
        if len(fits):
            words = tuple(
                (word.text, float(fits[list(word.places)].min())) for word in tokenizer.words
            )
        unknown = tuple(word.text for word in tokenizer.words if word.unknown)
    reasons = tuple(found['possible'][1:].tolist()) if 'possible' in found else ()
    return Assessment(**one, words=words, unknown=unknown, reasons=reasons)

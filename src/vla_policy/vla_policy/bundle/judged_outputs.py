# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Outputs of a model beside the action: whether it can follow the words, whether that is possible
here, and whether it is achieved. Each one is optional."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from vla_common.yaml_file import ConfigReader

ROUNDING = 1e-3
"""By which a probability may leave [0, 1]: half precision, and sums in another order."""
SUM_ROUNDING = 0.02
WORDS = '{words}'
"""In a reason: the instruction."""


@dataclass(frozen=True)
class JudgedOutput:
    """float32 (1, width) or (width,): probabilities.

    accept: the threshold, calibrated by who trained the model. widths: allowed ones. reasons: of
    `possible`, one for each probability after the first.
    """

    tensor: str
    accept: float
    widths: tuple[int, ...] = (1,)
    reasons: tuple[str, ...] = ()

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Allowed shapes."""
        return tuple(shape for width in self.widths for shape in ((width,), (1, width)))

    def read(self, raw: np.ndarray) -> np.ndarray:
        """float64 (width,) in [0, 1]. Raises ValueError for anything else."""
        found = np.asarray(raw, np.float64)
        if found.shape not in self.shapes:
            wanted = ' or '.join(str(shape) for shape in self.shapes)
            raise ValueError(f'{self.tensor} has shape {found.shape}, wanted {wanted}')
        found = found.reshape(-1)
        if not (np.isfinite(found).all() and (np.abs(found - 0.5) <= 0.5 + ROUNDING).all()):
            inside = np.isfinite(found) & (np.abs(found - 0.5) <= 0.5 + ROUNDING)
            raise ValueError(f'{self.tensor} has {found[~inside][0]:g}, wanted 0 to 1')
        total = float(found.sum())
        if self.reasons and not abs(total - 1.0) <= SUM_ROUNDING:
            raise ValueError(f'{self.tensor} sums to {total:g}, wanted 1')
        return np.clip(found, 0.0, 1.0)


@dataclass(frozen=True)
class Acceptance:
    """Thresholds of a policy's own view of an instruction; None where it has none, and the
    instruction is accepted, or done, without it. reasons: why it may be impossible."""

    understood: float | None = None
    possible: float | None = None
    done: float | None = None
    reasons: tuple[str, ...] = field(default=())

    @property
    def judges(self) -> bool:
        """Whether an instruction can be refused after a look at the scene."""
        return self.understood is not None or self.possible is not None


def acceptance(outputs: Mapping[str, JudgedOutput]) -> Acceptance:
    """The thresholds of a model's outputs."""
    thresholds = {name: output.accept for name, output in outputs.items()}
    possible = outputs.get('possible')
    return Acceptance(**thresholds, reasons=possible.reasons if possible else ())


def read_judged(f: ConfigReader, tokens: int) -> dict[str, JudgedOutput]:
    """The keys `understood`, `possible` and `done` of the section `outputs`, in this order.

    tokens: length of the instruction, 0 for a model that takes none. Raises ConfigError.
    """
    found = {}
    for name in ('understood', 'possible', 'done'):
        if not f.has(name):
            continue
        section = f.section(name)
        if name == 'understood' and not tokens:
            raise f.error(name, 'one', 'inputs.instruction, which it is about')
        widths: tuple[int, ...] = (1, 1 + tokens) if name == 'understood' else (1,)
        reasons: tuple[str, ...] = ()
        if name == 'possible':
            reasons = _reasons(section)
            widths = (1 + len(reasons),)
        accept = section.number('accept', lo=0.0, hi=1.0)
        found[name] = JudgedOutput(section.text('tensor'), accept, widths, reasons)
        section.close()
    return found


def _reasons(f: ConfigReader) -> tuple[str, ...]:
    reasons = tuple(f.texts('reasons'))
    if not reasons:
        raise f.error('reasons', 'none', 'at least one')
    for reason in reasons:
        other = re.findall(r'[{}][^{}]*}?', reason.replace(WORDS, ''))
        if not reason.strip() or not reason.isprintable() or other:
            wanted = f'words for the operator on one line; only {WORDS} is replaced'
            raise f.error('reasons', reason, wanted)
    return reasons

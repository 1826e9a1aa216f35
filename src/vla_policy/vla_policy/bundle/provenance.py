# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Where a bundle's model comes from, and whether it was found to be the same policy.

`source` names the PyTorch module that a model file was made from (`vla_models` converts, prunes and
verifies from it); `verification` is what `ros2 run vla_deploy verify` found. Both are optional: a
bundle without them is one that nobody verified, not one that failed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vla_common.errors import ConfigError
from vla_common.yaml_file import ConfigReader

FACTORY = re.compile(r'[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*')


@dataclass(frozen=True)
class ModelSource:
    """`factory(**config)` makes the torch module; `weights` is its safetensors file.

    The factory is `package.module:function` of something installed: a bundle brings no code.
    """

    factory: str
    config: Mapping[str, Any]
    weights: str


@dataclass(frozen=True)
class Verification:
    """What comparing with `reference` over `observations` said: errors in rad, smallest cosine
    of an observation. It holds for the model file with that SHA-256 and for no other. success:
    closed loop in simulation, before and after the conversion, None where that was not run."""

    passed: bool
    reason: str
    reference: str
    model_sha256: str
    observations: int
    max_error_rad: float
    mean_error_rad: float
    cosine: float
    success: tuple[float, float] | None = None
    rest: Mapping[str, Any] = field(default_factory=dict)


def read_source(top: ConfigReader, files: Mapping[str, str]) -> ModelSource | None:
    """The section `source` of policy.yaml, if there is one. Raises ConfigError."""
    if not top.has('source'):
        return None
    section = top.section('source')
    factory = section.text('factory')
    if not FACTORY.fullmatch(factory):
        raise section.error('factory', factory, 'package.module:function')
    config = section.raw('config', {})
    if not isinstance(config, Mapping):
        raise section.error('config', config, 'a mapping of keyword arguments')
    weights = section.text('weights')
    if not weights.endswith('.safetensors'):
        raise section.error('weights', weights, 'a .safetensors file')
    if weights not in files:
        raise ConfigError(top.file, f'files.{weights}', 'nothing', 'the SHA-256 of the weights')
    section.close()
    return ModelSource(factory, dict(config), weights)


def read_verification(top: ConfigReader) -> Verification | None:
    """The section `verification` of policy.yaml, if there is one. Raises ConfigError."""
    if not top.has('verification'):
        return None
    section = top.section('verification')
    success = section.numbers('success', length=2, lo=0, hi=1) if section.has('success') else None
    verification = Verification(
        passed=section.flag('passed'),
        reason=section.text('reason', default=''),
        reference=section.text('reference', default=''),
        model_sha256=section.text('model_sha256').lower(),
        observations=section.integer('observations', lo=0),
        max_error_rad=_measured(section, 'max_error_rad'),
        mean_error_rad=_measured(section, 'mean_error_rad'),
        cosine=_measured(section, 'cosine'),
        success=tuple(success) if success else None,
        rest=section.raw('details', {}),
    )
    section.close()
    return verification


def _measured(section: ConfigReader, key: str) -> float:
    # A model that answered NaN has an error of infinity: that too can be written and read.
    value = section.raw(key, wanted='a number')
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise section.error(key, value, 'a number')
    return float(value)


def check_verification(file: str, verification: Verification | None, model_sha256: str) -> None:
    """Raise ConfigError for a model that failed, or is another than the one that was verified."""
    if verification is None:
        return
    if verification.model_sha256 != model_sha256:
        raise ConfigError(
            file,
            'verification.model_sha256',
            verification.model_sha256,
            f'that of the model, {model_sha256}: verify again (ros2 run vla_deploy verify)',
        )
    if not verification.passed:
        raise ConfigError(
            file,
            'verification.passed',
            f'false ({verification.reason})',
            'a model that passed; or accept_failed_verification: true, knowing why',
        )

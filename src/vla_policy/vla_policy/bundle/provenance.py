# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Provenance of a model file: sections `source`, `verification` and `engine` of policy.yaml.

`source` names the PyTorch module that the file was converted from, `verification` is the result of
`ros2 run vla_deploy verify`, `engine` the computer that a TensorRT engine was built for. A bundle
without a verification is not verified; it has not failed.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from vla_common.errors import ConfigError
from vla_common.yaml_file import ConfigReader

FACTORY = re.compile(r'[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*')
SHA256 = re.compile('[0-9a-f]{64}')


@dataclass(frozen=True)
class ModelSource:
    """`factory(**config)` creates the torch module; `weights` is its safetensors file.

    The factory is `package.module:function` of an installed package: a bundle contains no code.
    """

    factory: str
    config: Mapping[str, Any]
    weights: str

    def section(self) -> dict[str, Any]:
        """As written to policy.yaml."""
        return {'factory': self.factory, 'config': dict(self.config), 'weights': self.weights}


COSINES = (-1.0 - 1e-6, 1.0 + 1e-6)


@dataclass(frozen=True)
class Verification:
    """Comparison with `reference` over `observations`: errors in rad, smallest cosine of an
    observation. Valid for the model file with that SHA-256 only. success: rates in closed loop in
    simulation, before and after the conversion; None where that was not run. rest: the section
    `details`."""

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

    def section(self) -> dict[str, Any]:
        """As written to policy.yaml."""
        content = {**asdict(self), 'details': dict(self.rest)}
        del content['rest'], content['success']
        return content | ({'success': list(self.success)} if self.success is not None else {})


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
    passed = section.flag('passed')
    verification = Verification(
        passed=passed,
        reason=section.text('reason', default=''),
        reference=section.text('reference', default=''),
        model_sha256=section.text('model_sha256').lower(),
        observations=section.integer('observations', lo=0),
        max_error_rad=_measured(section, 'max_error_rad', passed, 0.0, math.inf),
        mean_error_rad=_measured(section, 'mean_error_rad', passed, 0.0, math.inf),
        cosine=_measured(section, 'cosine', passed, *COSINES),
        success=tuple(success) if success else None,
        rest=section.raw('details', {}),
    )
    section.close()
    return verification


def _measured(section: ConfigReader, key: str, passed: bool, lo: float, hi: float) -> float:
    # The error of a model that returned NaN is infinite, and has to be readable: it did not pass.
    value = section.raw(key, wanted='a number')
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise section.error(key, value, 'a number')
    if passed and not (math.isfinite(value) and lo <= value <= hi):
        most = '' if math.isinf(hi) else f' and at most {hi:g}'
        wanted = f'of a model that passed, a finite number of at least {lo:g}{most}'
        raise section.error(key, value, wanted)
    return float(value)


def check_verification(file: str, verification: Verification | None, model_sha256: str) -> None:
    """Raise ConfigError for a model that failed, or that is not the verified one."""
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


@dataclass(frozen=True)
class EngineMetadata:
    """An engine runs on the computer that it was built for only; TensorRT's own error does not say
    why. gpu: its name. compute_capability: as in 8.7. tensorrt: version. precision: of the matrix
    products. onnx_sha256: of the graph that it was built from."""

    gpu: str
    compute_capability: str
    tensorrt: str
    precision: str
    onnx_sha256: str

    def section(self) -> dict[str, Any]:
        """As written to policy.yaml."""
        return asdict(self)

    def check(self, file: str, gpu: str, compute_capability: str, tensorrt: str) -> None:
        """Raise ConfigError for another kind of GPU, or another TensorRT than the builder's."""
        for key, built, here in (
            ('compute_capability', self.compute_capability, compute_capability),
            ('gpu', self.gpu, gpu),
            ('tensorrt', self.tensorrt, tensorrt),
        ):
            if built != here:
                again = 'build it again on this computer (ros2 run vla_deploy build-engine)'
                raise ConfigError(file, f'engine.{key}', built, f'{here}, as here: {again}')


def read_engine(top: ConfigReader) -> EngineMetadata | None:
    """The section `engine`, if there is one. Raises ConfigError."""
    if not top.has('engine'):
        return None
    section = top.section('engine')
    capability = section.text('compute_capability')
    if not re.fullmatch(r'\d+\.\d+', capability):
        raise section.error('compute_capability', capability, 'a text such as "8.7"')
    digest = section.text('onnx_sha256').lower()
    if not SHA256.fullmatch(digest):
        raise section.error('onnx_sha256', digest, 'a SHA-256: 64 hexadecimal digits')
    found = EngineMetadata(
        section.text('gpu'), capability, section.text('tensorrt'), section.text('precision'), digest
    )
    section.close()
    return found

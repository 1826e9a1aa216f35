# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""TensorRT engine as a bundle: built, described in policy.yaml, verified, published."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from vla_common.errors import ConfigError
from vla_deploy.atomic_io import digest_of
from vla_deploy.observations import Recording
from vla_deploy.parity import LOSSY
from vla_deploy.publishing import Parts, VerificationOptions, publish
from vla_deploy.tensorrt.building import EngineSettings, build, detect
from vla_deploy.tensorrt.precision import CALIBRATED, Ranges, write_typed
from vla_deploy.verification import VerificationResult
from vla_policy.bundle.bundle import load_bundle


@dataclass(frozen=True)
class EngineResult:
    """result: None where it was not verified. kept: nodes left in float."""

    result: VerificationResult | None
    kept: tuple[str, ...]


def ranges_for(
    directory: Path,
    precision: str,
    options: VerificationOptions,
    recording: Recording | None,
    method: str = 'minmax',
    keep: tuple[str, ...] = (),
) -> Ranges:
    """Calibration of `precision`: a recording of the user, or simulated observations that the
    verification does not use. Raises ConfigError."""
    if precision not in CALIBRATED:
        return Ranges(method=method, keep=keep)
    return Ranges(options.calibration(directory, recording), method, keep)


def build_engine(
    directory: Path,
    out: Path,
    precision: str,
    options: VerificationOptions,
    ranges: Ranges,
    *,
    settings: EngineSettings | None = None,
    search: bool = False,
) -> EngineResult:
    """Write the bundle `out` with an engine for this computer. Raises ConfigError (before any work
    if TensorRT or the GPU is missing) and VerificationFailed."""
    settings = settings or EngineSettings()
    smallest, usual, largest = settings.batches
    if not 1 <= smallest <= usual <= largest:
        raise ConfigError('--batch', '', settings.batches, 'smallest <= usual <= largest')
    if smallest != 1:
        raise ConfigError('--batch', '', smallest, '1: the inference node runs a batch of one')
    tensorrt, here = detect(settings.device)
    bundle = load_bundle(directory, accept_failed=True)
    if not options.skip:
        options = options.with_expected(directory)
    with tempfile.TemporaryDirectory() as scratch:
        graph = Path(scratch) / 'typed.onnx'
        search_by = options if search and options.expected else None
        kept = write_typed(directory, graph, precision, ranges, search_by, largest > 1)
        parts = Parts.of_bundle(directory)
        if precision == 'bf16' or largest > 1:
            parts = parts.without_gripper()
        engine = replace(here, precision=precision, onnx_sha256=digest_of(graph)).section()
        parts = replace(parts, policy={**parts.policy, 'engine': engine})

        def write(path: Path) -> None:
            options.log('building: minutes the first time, seconds with its timing cache')
            path.write_bytes(build(tensorrt, graph, bundle, settings))

        options = replace(options, device=settings.device)
        result = publish(out, parts, 'tensorrt', 'model.engine', write, options, LOSSY)
    return EngineResult(result, kept)

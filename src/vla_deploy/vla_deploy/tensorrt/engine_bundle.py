# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""An engine as a bundle: built, its origin written into policy.yaml, verified, put in place."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from vla_common.errors import ConfigError
from vla_deploy.observations import Recording, tensors_of
from vla_deploy.parity import LOSSY, ParityLimits
from vla_deploy.publishing import Parts, VerificationOptions, publish, reference_of
from vla_deploy.staging import digest_of
from vla_deploy.tensorrt.building import EngineSettings, build, find
from vla_deploy.tensorrt.precision import CALIBRATED, Ranges, write_typed
from vla_deploy.verification import VerificationReference, VerificationResult
from vla_policy.bundle.bundle import load_bundle


@dataclass(frozen=True)
class Built:
    """finding: None where it was not verified. kept: nodes that stayed in float."""

    finding: VerificationResult | None
    kept: tuple[str, ...]


def ranges_for(
    directory: Path,
    precision: str,
    proof: VerificationOptions,
    calibration: Recording | None,
    method: str = 'minmax',
    keep: tuple[str, ...] = (),
) -> Ranges:
    """What `precision` is calibrated with: a recording of the user's, or simulated observations
    that the verification does not see. Raises ConfigError."""
    if precision not in CALIBRATED:
        return Ranges(method=method, keep=keep)
    bundle = load_bundle(directory, accept_failed=True)
    if calibration is None:
        if proof.recording is None:
            calibration = replace(proof, seed=proof.seed + 1_000_003).see(list(bundle.tasks))
        else:
            calibration = proof.see(list(bundle.tasks))
    return Ranges(tensors_of(calibration, bundle, proof.robot), method, keep)


def build_engine(
    directory: Path,
    out: Path,
    precision: str,
    proof: VerificationOptions,
    ranges: Ranges,
    *,
    settings: EngineSettings | None = None,
    search: bool = False,
    limits: ParityLimits = LOSSY,
    reference: VerificationReference | None = None,
) -> Built:
    """The bundle `out` with an engine for the computer at hand. Raises ConfigError (TensorRT or
    the GPU are not there: nothing is begun then) and VerificationFailed."""
    settings = settings or EngineSettings()
    smallest, usual, largest = settings.batches
    if not 1 <= smallest <= usual <= largest:
        raise ConfigError('--batch', '', settings.batches, 'smallest <= usual <= largest')
    if smallest != 1:
        raise ConfigError('--batch', '', smallest, '1: the inference node asks for one')
    tensorrt, computer = find(settings.device)
    bundle = load_bundle(directory, accept_failed=True)
    reference = reference or (None if proof.skip else reference_of(directory, proof))

    def engine_of(graph: Path) -> bytes:
        proof.say('building: minutes the first time, seconds with its timing cache')
        return build(tensorrt, graph, bundle, settings)

    with tempfile.TemporaryDirectory() as scratch:
        graph = Path(scratch) / 'typed.onnx'
        judged = reference if search else None
        kept = write_typed(directory, graph, precision, ranges, judged, limits, largest > 1)
        parts = Parts.of_bundle(directory)
        engine = {**asdict(computer), 'precision': precision, 'onnx_sha256': digest_of(graph)}
        if precision == 'bf16' or largest > 1:  # one output is left
            outputs = {'action': parts.policy['outputs']['action']}
            parts = replace(parts, policy={**parts.policy, 'outputs': outputs})
        finding = publish(
            out,
            replace(parts, policy={**parts.policy, 'engine': engine}),
            'tensorrt',
            'model.engine',
            lambda path: _write(path, engine_of(graph)),
            limits,
            replace(proof, device=settings.device),
            reference,
        )
    return Built(finding, kept)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)

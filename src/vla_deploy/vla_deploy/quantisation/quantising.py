# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A bundle with fewer bits, verified, with the layers that need it left in float."""

from __future__ import annotations

import difflib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vla_common.errors import ConfigError
from vla_deploy.exporting import export
from vla_deploy.fine_tuning import Tuning, fine_tuned
from vla_deploy.observations import Recording, tensors_of
from vla_deploy.onnx_files import load_onnx
from vla_deploy.parity import LOSSY, Parity, ParityLimits, compare
from vla_deploy.publishing import Parts, VerificationOptions, publish, reference_of
from vla_deploy.quantisation.prepare import prepare
from vla_deploy.quantisation.qat import round_while_training
from vla_deploy.quantisation.schemes import METHODS, WAYS, QuantisationSettings, Scheme
from vla_deploy.quantisation.sensitivity import Layer, fewest_in_float, run_file, sensitivities
from vla_deploy.reference_model import from_bundle
from vla_deploy.verification import VerificationReference, VerificationResult
from vla_models.dataset import open_dataset
from vla_policy.bundle.bundle import load_bundle

PROBES = 6  # observations for each layer's sensitivity


@dataclass(frozen=True)
class Quantised:
    """What was made. kept: nodes left in float. layers: sensitivities, where they were asked."""

    finding: VerificationResult | None
    kept: tuple[str, ...]
    quantised: int
    layers: tuple[Layer, ...] = ()


def quantise(
    directory: Path,
    out: Path,
    way: str,
    proof: VerificationOptions,
    *,
    settings: QuantisationSettings | None = None,
    calibration: Recording | None = None,
    keep: Sequence[str] = (),
    search: bool = False,
    tuning: Tuning | None = None,
    limits: ParityLimits = LOSSY,
    reference: VerificationReference | None = None,
    advance: Callable[[], None] = lambda: None,
    trained: Callable[[int, float], None] = lambda frames, loss: None,
) -> Quantised:
    """The bundle `out`: `directory` quantised one `way` (of WAYS).

    keep: names of nodes, or parts of names, that stay in float. search: find the fewest more that
    must, so that the result is within `limits`. tuning: train first while everything is rounded
    (int8 only). Raises ConfigError and VerificationFailed.
    """
    if way not in WAYS:
        raise ConfigError('--way', '', way, 'one of ' + ', '.join(WAYS))
    chosen = WAYS[way]
    settings = settings or QuantisationSettings()
    if settings.method not in METHODS:
        raise ConfigError('--method', '', settings.method, 'one of ' + ', '.join(METHODS))
    if tuning is not None:
        open_dataset(tuning.data)  # a wrong one is told now
    reference = reference or reference_of(directory, proof)
    bundle = load_bundle(directory, accept_failed=True)
    if chosen.calibrated:
        recording = calibration or _other_observations(proof, list(bundle.tasks))
        settings = replace(settings, calibration=tensors_of(recording, bundle, proof.robot))
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch) / 'source.onnx', Path(scratch) / 'target.onnx'
        if tuning is not None:
            directory = _tuned(directory, Path(scratch) / 'tuned', way, tuning, proof, trained)
        proof.say('quantising')
        prepare(directory, source, chosen.fold)
        settings = replace(settings, cache=Path(scratch) / 'ranges.json')
        nodes = chosen.quantisable(load_onnx(source), settings)
        if not nodes:
            raise ConfigError(
                str(bundle.file), 'model', f'nothing for {way}', 'layers that it quantises'
            )
        kept = kept_in_float(nodes, keep)
        layers: list[Layer] = []
        if search:
            kept, layers = _searched(
                chosen,
                source,
                target,
                settings,
                kept,
                reference,
                bundle.model.action,
                limits,
                advance,
            )
        chosen.apply(source, target, settings, kept)
        finding = publish(
            out,
            Parts.of_bundle(directory),
            'onnx',
            'model.onnx',
            lambda path: _copy(target, path),
            limits,
            proof,
            reference,
        )
    return Quantised(finding, tuple(kept), len(nodes) - len(kept), tuple(layers))


def kept_in_float(nodes: Sequence[str], keep: Sequence[str]) -> list[str]:
    """Those of `nodes` whose names hold one of `keep`. Raises ConfigError for one that none holds:
    a misspelt name would be quantised."""
    for part in keep:
        if not any(part in name for name in nodes):
            near = difflib.get_close_matches(part, nodes, 1, 0.0) or ['none is']
            raise ConfigError('--keep', '', part, f'part of the name of a node, like {near[0]}')
    return [name for name in nodes if any(part in name for part in keep)]


def _tuned(
    directory: Path,
    out: Path,
    way: str,
    tuning: Tuning,
    proof: VerificationOptions,
    trained: Callable[[int, float], None],
) -> Path:
    """A bundle with the weights that training while rounding gives: not to be kept as it is."""
    if not way.startswith('int8-') or way == 'int8-weights':
        raise ConfigError('--fine-tune', '--way', way, 'int8-static or int8-dynamic')
    original = from_bundle(directory)
    tuned, _ = fine_tuned(original, from_bundle(directory), tuning, round_while_training, trained)
    export(tuned, out, 'onnx', replace(proof, skip=True))
    return out


def _searched(
    way: Scheme,
    source: Path,
    target: Path,
    settings: QuantisationSettings,
    kept: list[str],
    reference: VerificationReference,
    action,
    limits: ParityLimits,
    advance: Callable[[], None],
) -> tuple[list[str], list[Layer]]:
    """More nodes to keep in float, if any are needed."""

    def attempt(more: list[str]) -> Parity:
        way.apply(source, target, settings, [*kept, *more])
        found = run_file(target, action.tensor, reference.inputs)
        return compare(reference.outputs, found, action)

    if not attempt([]).reason(limits):
        return kept, []
    probes = min(PROBES, len(reference.inputs))
    inputs, wanted = reference.inputs[:probes], reference.outputs[:probes]
    layers = sensitivities(way, source, settings, inputs, wanted, action, advance)
    layers = [layer for layer in layers if layer.name not in kept]
    more = fewest_in_float(layers, attempt, lambda parity: not parity.reason(limits))
    if more is None:  # the verification will say so, with the worst input
        return kept, layers
    return [*kept, *more], layers


def _other_observations(proof: VerificationOptions, tasks: list[str]) -> Recording:
    """Calibration must not see what the verification asks: other scenes, or without a simulator
    to draw them from (a recording was given), the recording's."""
    if proof.recording is not None:
        return proof.see(tasks)
    return replace(proof, seed=proof.seed + 1_000_003).see(tasks)


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)

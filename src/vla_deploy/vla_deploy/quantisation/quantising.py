# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Quantisation of a bundle, verified, with sensitive layers left in float."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from vla_common.errors import ConfigError
from vla_deploy.exporting import export
from vla_deploy.fine_tuning import FineTuning, fine_tune
from vla_deploy.observations import Recording
from vla_deploy.onnx_files import load_onnx, prepare
from vla_deploy.parity import LOSSY
from vla_deploy.publishing import Parts, VerificationOptions, publish
from vla_deploy.quantisation.qat import round_while_training
from vla_deploy.quantisation.schemes import METHODS, SCHEMES, QuantisationSettings
from vla_deploy.quantisation.sensitivity import Layer, kept_in_float, search_float_layers
from vla_deploy.reference_model import from_bundle
from vla_deploy.verification import VerificationResult
from vla_models.dataset import open_dataset
from vla_policy.bundle.bundle import load_bundle


@dataclass(frozen=True)
class QuantisationResult:
    """kept: nodes left in float. layers: their sensitivities, if they were searched."""

    result: VerificationResult | None
    kept: tuple[str, ...]
    quantised: int
    layers: tuple[Layer, ...] = ()


def quantise(
    directory: Path,
    out: Path,
    scheme: str,
    options: VerificationOptions,
    *,
    settings: QuantisationSettings | None = None,
    calibration: Recording | None = None,
    keep: Sequence[str] = (),
    search: bool = False,
    tuning: FineTuning | None = None,
    advance: Callable[[], None] = lambda: None,
    trained: Callable[[int, float], None] = lambda frames, loss: None,
) -> QuantisationResult:
    """Write the bundle `out`: `directory` quantised by `scheme` (of SCHEMES).

    keep: names of nodes, or parts of names, that stay in float. search: find the fewest more that
    have to stay, so that the result is within the limits. tuning: quantisation-aware fine-tuning
    first (int8 only). Raises ConfigError and VerificationFailed.
    """
    if scheme not in SCHEMES:
        raise ConfigError('--scheme', '', scheme, 'one of ' + ', '.join(SCHEMES))
    chosen, settings = SCHEMES[scheme], settings or QuantisationSettings()
    if settings.method not in METHODS:
        raise ConfigError('--method', '', settings.method, 'one of ' + ', '.join(METHODS))
    if tuning is not None:
        open_dataset(tuning.data)  # raises before any work
    options = options.with_expected(directory)
    bundle = load_bundle(directory, accept_failed=True)
    assert options.expected is not None
    if chosen.calibrated:
        settings = replace(settings, calibration=options.calibration(directory, calibration))
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch) / 'source.onnx', Path(scratch) / 'target.onnx'
        if tuning is not None:
            directory = _tuned(directory, Path(scratch) / 'tuned', scheme, tuning, options, trained)
        options.log('quantising')
        prepare(directory, source, chosen.fold)
        settings = replace(settings, cache=Path(scratch) / 'ranges.json')
        nodes = chosen.quantisable(load_onnx(source), settings)
        if not nodes:
            wanted = 'layers that it quantises'
            raise ConfigError(str(bundle.file), 'model', f'nothing for {scheme}', wanted)
        kept, layers = kept_in_float(nodes, keep), []
        if search:
            kept, layers = search_float_layers(
                chosen, source, target, settings, kept, options.expected, bundle.model.action,
                options.limits or LOSSY, advance,
            )  # fmt: skip
        chosen.apply(source, target, settings, kept)
        parts, write = Parts.of_bundle(directory), partial(shutil.copyfile, target)
        result = publish(out, parts, 'onnx', 'model.onnx', write, options, LOSSY)
    return QuantisationResult(result, tuple(kept), len(nodes) - len(kept), tuple(layers))


def _tuned(
    directory: Path,
    out: Path,
    scheme: str,
    tuning: FineTuning,
    options: VerificationOptions,
    trained: Callable[[int, float], None],
) -> Path:
    """A temporary bundle with the weights of quantisation-aware fine-tuning."""
    if not scheme.startswith('int8-') or scheme == 'int8-weights':
        raise ConfigError('--fine-tune', '--scheme', scheme, 'int8-static or int8-dynamic')
    student, teacher = from_bundle(directory), from_bundle(directory)
    tuned, _ = fine_tune(student, teacher, tuning, round_while_training, trained)
    export(tuned, out, 'onnx', replace(options, skip=True))
    return out

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""From a bundle to one for a small computer, by what runs there."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from vla_common.errors import ConfigError
from vla_deploy.edge.coral import compile_for_edge_tpu, off_chip
from vla_deploy.edge.litert import HOW, write_litert
from vla_deploy.observations import Recording, tensors_of
from vla_deploy.optimising import optimise_onnx
from vla_deploy.parity import EXACT, LOSSY, ParityLimits
from vla_deploy.publishing import Parts, VerificationOptions, publish, reference_of
from vla_deploy.quantisation.quantising import quantise
from vla_deploy.reference_model import from_bundle
from vla_deploy.sizing.hardware import Device, load_device, shipped
from vla_deploy.verification import VerificationResult
from vla_policy.bundle.bundle import load_bundle

RUNTIMES = ('onnx', 'litert')


@dataclass(frozen=True)
class EdgeTarget:
    """A small computer: how it is asked for, what runs there, in which modes, the first of which
    is the usual."""

    device: Device
    runtimes: tuple[str, ...]
    modes: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.device.name


@dataclass(frozen=True)
class Ported:
    """What was made, and what is to be known of it. operators: of a .tflite file."""

    finding: VerificationResult | None
    runtime: str
    mode: str
    notes: tuple[str, ...]
    operators: dict[str, int] = field(default_factory=dict)


def targets() -> dict[str, EdgeTarget]:
    """By name: the small ones among the computers that `fit` knows."""
    found = {}
    for name in shipped():
        device = load_device(name)
        if device.kind == 'edgetpu':
            found[name] = EdgeTarget(device, ('litert',), ('int8',))
        elif device.kind == 'cpu':
            found[name] = EdgeTarget(device, RUNTIMES, ('float', 'int8', 'dynamic'))
        elif name.startswith('jetson'):
            found[name] = EdgeTarget(device, ('onnx',), ('fp16', 'float'))
    return found


def port(
    directory: Path,
    out: Path,
    name: str,
    proof: VerificationOptions,
    *,
    runtime: str | None = None,
    mode: str | None = None,
    calibration: Recording | None = None,
    limits: ParityLimits | None = None,
    converter: str = sys.executable,
    compiled: bool = False,
) -> Ported:
    """The bundle `out` for the computer `name`, verified. Raises ConfigError and
    VerificationFailed."""
    known = targets()
    if name not in known:
        raise ConfigError('--target', '', name, 'one of ' + ', '.join(known))
    target = known[name]
    runtime = _one_of('--runtime', runtime, target.runtimes, name)
    mode = _one_of('--mode', mode, target.modes, name)
    if mode == 'dynamic' and runtime != 'litert':
        raise ConfigError('--mode', '', mode, 'float or int8 with --runtime onnx')
    if compiled and target.device.kind != 'edgetpu':
        raise ConfigError('--compile', '', name, 'coral')
    notes = [f'not: {word}' for word in target.device.cannot]
    limits = limits or (EXACT if mode == 'float' else LOSSY)
    if runtime == 'litert':
        found = _litert(
            directory, out, target, proof, mode, calibration, limits, converter, compiled
        )
        return replace(found, notes=(*found.notes, *notes))
    if mode == 'float':
        finding = optimise_onnx(directory, out, proof, level='basic', limits=limits)
    else:
        way = 'fp16' if mode == 'fp16' else 'int8-static'
        finding = quantise(
            directory,
            out,
            way,
            proof,
            calibration=calibration,
            search=mode == 'int8',
            limits=limits,
        ).finding
    if target.device.kind == 'gpu':
        notes.insert(0, _jetson(target.device))
    return Ported(finding, runtime, mode, tuple(notes))


def _jetson(device: Device) -> str:
    if device.runtime == 'tensorrt':
        return (
            'runs in ONNX Runtime with device: cuda:0 or tensorrt:0; an engine has to be built on '
            'the Jetson itself: ros2 run vla_deploy build-engine'
        )
    return 'runs in ONNX Runtime with device: cuda:0'


def _litert(
    directory: Path,
    out: Path,
    target: EdgeTarget,
    proof: VerificationOptions,
    mode: str,
    calibration: Recording | None,
    limits: ParityLimits,
    converter: str,
    compiled: bool,
) -> Ported:
    if not proof.skip:
        _runs_here()
    original = from_bundle(directory)
    inputs: Sequence = ()
    if mode == 'int8':
        bundle = load_bundle(directory, accept_failed=True)
        if calibration is None:
            other = replace(proof, seed=proof.seed + 1_000_003)
            calibration = other.see(list(bundle.tasks))
        inputs = tensors_of(calibration, bundle, proof.robot)
    with tempfile.TemporaryDirectory() as scratch:
        model = Path(scratch) / 'model.tflite'
        found = write_litert(original, model, mode, inputs, converter)
        operators, notes = dict(found.operators), []
        if target.device.kind == 'edgetpu':
            missing = off_chip(operators)
            if missing:
                names = ', '.join(f'{n} {k}' for k, n in missing.items())
                notes.append(
                    f'not on the Edge TPU: {names}; from the first of them on the host computes'
                )
            if not compiled:
                notes.append(
                    'not compiled: without edgetpu_compiler (--compile) the host computes all of it'
                )
        device = 'cpu'
        if compiled:
            ready = Path(scratch) / 'compiled.tflite'
            compile_for_edge_tpu(model, ready)
            model, device = ready, 'edgetpu'
        finding = publish(
            out,
            Parts.of_bundle(directory),
            'litert',
            'model.tflite',
            lambda path: _copy(model, path),
            limits,
            replace(proof, device=device),
            None if proof.skip else reference_of(directory, proof),
        )
    return Ported(finding, 'litert', mode, tuple(notes), operators)


def _runs_here() -> None:
    """What cannot be verified is not converted: LiteRT must be in this environment."""
    try:
        import ai_edge_litert  # noqa: F401
    except ImportError as error:
        wanted = f'environment/edge.in installed to verify with, or --no-verify; and {HOW}'
        raise ConfigError('ai-edge-litert', 'package', 'nothing', wanted) from error


def _one_of(key: str, given: str | None, known: tuple[str, ...], name: str) -> str:
    if given is not None and given not in known:
        raise ConfigError(key, '', given, f'{" or ".join(known)} for {name}')
    return given or known[0]


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)

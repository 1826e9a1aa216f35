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
from vla_inference.bundle import load_bundle
from vla_models.bench.edge.coral import compile_for_edge_tpu, off_chip
from vla_models.bench.edge.litert import HOW, write_litert
from vla_models.bench.fitting.hardware import Device, load_device, shipped
from vla_models.bench.observations import Recording, tensors_of
from vla_models.bench.optimising import optimise_onnx
from vla_models.bench.original import from_bundle
from vla_models.bench.parity import EXACT, LOSSY, Limits
from vla_models.bench.publishing import Parts, Proof, publish, reference_of
from vla_models.bench.quantisation.quantising import quantise
from vla_models.bench.verification import Finding

RUNTIMES = ('onnx', 'litert')


@dataclass(frozen=True)
class Target:
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

    finding: Finding | None
    runtime: str
    mode: str
    notes: tuple[str, ...]
    operators: dict[str, int] = field(default_factory=dict)


def targets() -> dict[str, Target]:
    """By name: the small ones among the computers that `fit` knows."""
    found = {}
    for name in shipped():
        device = load_device(name)
        if device.kind == 'edgetpu':
            found[name] = Target(device, ('litert',), ('int8',))
        elif device.kind == 'cpu':
            found[name] = Target(device, RUNTIMES, ('float', 'int8', 'dynamic'))
        elif name.startswith('jetson'):
            found[name] = Target(device, ('onnx',), ('fp16', 'float'))
    return found


def port(
    directory: Path,
    out: Path,
    name: str,
    proof: Proof,
    *,
    runtime: str | None = None,
    mode: str | None = None,
    calibration: Recording | None = None,
    limits: Limits | None = None,
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
            'the Jetson itself: ros2 run vla_models build-engine'
        )
    return 'runs in ONNX Runtime with device: cuda:0'


def _litert(
    directory: Path,
    out: Path,
    target: Target,
    proof: Proof,
    mode: str,
    calibration: Recording | None,
    limits: Limits,
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

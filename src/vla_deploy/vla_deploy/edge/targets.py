# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Bundles for small computers, in the form that runs there."""

import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from vla_common.errors import ConfigError
from vla_deploy.edge.litert import INSTALL, compile_for_edge_tpu, off_chip, write_litert
from vla_deploy.observations import Recording, Tensors
from vla_deploy.optimising import optimise_onnx
from vla_deploy.parity import EXACT, LOSSY
from vla_deploy.publishing import Parts, VerificationOptions, publish
from vla_deploy.quantisation.quantising import quantise
from vla_deploy.reference_model import from_bundle
from vla_deploy.sizing.hardware import Device, load_device, shipped
from vla_deploy.verification import VerificationResult

RUNTIMES = ('onnx', 'litert')


@dataclass(frozen=True)
class EdgeTarget:
    """A small computer with its runtimes and modes; the first of each is the default."""

    device: Device
    runtimes: tuple[str, ...]
    modes: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.device.name


@dataclass(frozen=True)
class EdgeResult:
    """notes: limits of the target and of this bundle on it. operators: of a .tflite file."""

    result: VerificationResult | None
    runtime: str
    mode: str
    notes: tuple[str, ...]
    operators: dict[str, int] = field(default_factory=dict)


def targets() -> dict[str, EdgeTarget]:
    """By name: the small ones among the computers of `size`."""
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
    options: VerificationOptions,
    *,
    runtime: str | None = None,
    mode: str | None = None,
    calibration: Recording | None = None,
    converter: str = sys.executable,
    compiled: bool = False,
) -> EdgeResult:
    """Write the bundle `out` for the computer `name`, verified. Raises ConfigError and
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
    options = replace(options, limits=options.limits or (EXACT if mode == 'float' else LOSSY))
    notes = [f'not: {limit}' for limit in target.device.cannot]
    if runtime == 'litert':
        found = _port_litert(
            directory, out, target, options, mode, calibration, converter, compiled
        )
        return replace(found, notes=(*found.notes, *notes))
    if mode == 'float':
        result = optimise_onnx(directory, out, options, level='basic')
    else:
        scheme, search = ('fp16', False) if mode == 'fp16' else ('int8-static', True)
        how = {'calibration': calibration, 'search': search}
        result = quantise(directory, out, scheme, options, **how).result
    if target.device.runtime == 'tensorrt':
        notes.insert(
            0,
            'runs in ONNX Runtime with device: cuda:0 or tensorrt:0; an engine has to be built on '
            'the Jetson itself: ros2 run vla_deploy build-engine',
        )
    elif target.device.kind == 'gpu':
        notes.insert(0, 'runs in ONNX Runtime with device: cuda:0')
    return EdgeResult(result, runtime, mode, tuple(notes))


def _port_litert(
    directory: Path,
    out: Path,
    target: EdgeTarget,
    options: VerificationOptions,
    mode: str,
    calibration: Recording | None,
    converter: str,
    compiled: bool,
) -> EdgeResult:
    if not options.skip:
        _check_runtime()
        options = options.with_expected(directory)
    inputs: Sequence[Tensors] = ()
    if mode == 'int8':
        inputs = options.calibration(directory, calibration)
    with tempfile.TemporaryDirectory() as scratch:
        model = Path(scratch) / 'model.tflite'
        operators = write_litert(from_bundle(directory), model, mode, inputs, converter)
        notes = []
        if target.device.kind == 'edgetpu':
            missing = off_chip(operators)
            if missing:
                names = ', '.join(f'{n} {k}' for k, n in missing.items())
                notes.append(f'not on the Edge TPU: {names}; the host runs the first and the rest')
            if not compiled:
                notes.append('not compiled: without edgetpu_compiler (--compile) the host runs all')
        if compiled:
            ready = Path(scratch) / 'compiled.tflite'
            compile_for_edge_tpu(model, ready)
            model, options = ready, replace(options, device='edgetpu')
        parts, write = Parts.of_bundle(directory), partial(shutil.copyfile, model)
        result = publish(out, parts, 'litert', 'model.tflite', write, options, LOSSY)
    return EdgeResult(result, 'litert', mode, tuple(notes), operators)


def _check_runtime() -> None:
    """Raises ConfigError where LiteRT is missing: the bundle could not be verified."""
    try:
        import ai_edge_litert  # noqa: F401
    except ImportError as error:
        wanted = f'environment/edge.in installed to verify with, or --no-verify; and {INSTALL}'
        raise ConfigError('ai-edge-litert', 'package', 'nothing', wanted) from error


def _one_of(key: str, given: str | None, known: tuple[str, ...], name: str) -> str:
    if given is not None and given not in known:
        raise ConfigError(key, '', given, f'{" or ".join(known)} for {name}')
    return given or known[0]

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Computers as data: one YAML file each in `hardware/`, every figure with its source."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from vla_common.errors import ConfigError
from vla_common.yaml_file import ConfigReader, load_yaml

KINDS = ('cpu', 'gpu', 'edgetpu')
RUNTIMES = ('onnx', 'tensorrt', 'litert')
# From the most to the least accurate.
PRECISIONS = ('fp32', 'fp16', 'bf16', 'fp8', 'int8')
BYTES = {'fp32': 4, 'fp16': 2, 'bf16': 2, 'fp8': 1, 'int8': 1}


@dataclass(frozen=True)
class Figure:
    """A number and its source: a document or a derivation."""

    value: float
    source: str


@dataclass(frozen=True)
class Device:
    """One computer.

    memory_gb: total; reserved_gb: for the rest of the robot's software. bandwidth_gbs: of the
    memory, GB/s. tops: dense 10^12 operations per second by precision, of the whole computer.
    units: multiprocessors of a GPU, cores of a processor. threads: `units` that inference may use.
    device, runtime: names of vla_inference.
    """

    name: str
    title: str
    kind: str
    runtime: str
    device: str
    threads: int
    memory_gb: Figure
    reserved_gb: Figure
    bandwidth_gbs: Figure
    power_w: Figure
    units: Figure
    tops: Mapping[str, Figure]
    cannot: tuple[str, ...]
    cache_mb: Figure | None = None

    @property
    def free_bytes(self) -> float:
        return 1e9 * (self.memory_gb.value - self.reserved_gb.value)

    @property
    def precisions(self) -> tuple[str, ...]:
        """Precisions of its runtime: the CPU kernels of ONNX Runtime have float32 and int8 only."""
        able = ('fp32', 'int8') if self.kind == 'cpu' and self.runtime == 'onnx' else PRECISIONS
        return tuple(name for name in able if name in self.tops)

    @property
    def figures(self) -> dict[str, Figure]:
        """All figures by name, for a table."""
        found = {
            'memory, GB': self.memory_gb,
            'of it for the rest, GB': self.reserved_gb,
            'bandwidth, GB/s': self.bandwidth_gbs,
            'power, W': self.power_w,
            'units': self.units,
        }
        if self.cache_mb:
            found['cache for weights, MB'] = self.cache_mb
        return {**found, **{f'{name}, TOPS': figure for name, figure in self.tops.items()}}


def shipped() -> list[str]:
    """Names of the computers that ship."""
    folder = files('vla_deploy.sizing') / 'hardware'
    return sorted(f.name[: -len('.yaml')] for f in folder.iterdir() if f.name.endswith('.yaml'))


def load_device(name: str) -> Device:
    """Load by name, or from a YAML file of the user. Raises ConfigError."""
    path = Path(name)
    if path.suffix != '.yaml':
        if name not in shipped():
            raise ConfigError('--device', '', name, 'one of ' + ', '.join(shipped()))
        path = Path(str(files('vla_deploy.sizing') / 'hardware' / f'{name}.yaml'))
    top = ConfigReader(str(path), load_yaml(path))
    tops = {}
    rates = top.section('tops')
    for precision in PRECISIONS:
        if rates.has(precision):
            tops[precision] = _figure(rates, precision)
    rates.close()
    if not tops:
        raise ConfigError(str(path), 'tops', 'nothing', 'at least one of ' + ', '.join(PRECISIONS))
    device = Device(
        path.stem,
        top.text('title'),
        top.text('kind', choices=KINDS),
        top.text('runtime', choices=RUNTIMES),
        top.text('device'),
        top.integer('threads', lo=1, hi=64),
        *(_figure(top, key) for key in ('memory_gb', 'reserved_gb', 'bandwidth_gbs', 'power_w')),
        _figure(top, 'units'),
        tops,
        tuple(top.texts('cannot')),
        _figure(top, 'cache_mb') if top.has('cache_mb') else None,
    )
    top.close()
    if device.kind == 'cpu' and device.threads > device.units.value:
        found, wanted = device.threads, f'at most the {device.units.value:g} of units'
        raise ConfigError(str(path), 'threads', found, wanted)
    return device


def _figure(fields: ConfigReader, key: str) -> Figure:
    section = fields.section(key)
    value = section.number('value', lo=0.0)
    if not 0.0 < value < math.inf:
        raise section.error('value', value, 'more than 0')
    figure = Figure(value, section.text('source'))
    if not figure.source.strip():
        raise section.error('source', 'nothing', 'where the figure comes from')
    section.close()
    return figure

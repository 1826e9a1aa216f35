# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Advice from estimates: does a computer fit, in which precision, and in which order."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from vla_deploy.sizing.calibration import RooflineCalibration
from vla_deploy.sizing.graph_cost import GraphCost
from vla_deploy.sizing.hardware import Device, Figure, load_device
from vla_deploy.sizing.roofline import Estimate, estimate

HOST = 'raspberry_pi_4'  # of the Edge TPU
HERE = 'this machine'


class Fits(Enum):
    """Yes at the slow end of the range, perhaps at the expected time, or no."""

    YES = 'yes'
    PERHAPS = 'perhaps'
    NO = 'no'


@dataclass(frozen=True)
class Advice:
    """Advice for one device. chosen: estimate in the recommended precision. others: estimates in
    all precisions of its runtime. why: reason for the choice, or against the device."""

    device: Device
    fits: Fits
    chosen: Estimate
    others: tuple[Estimate, ...]
    why: str

    @property
    def energy_mj(self) -> float:
        """Energy of one chunk at most: the full power of the device for the expected time."""
        return self.device.power_w.value * self.chosen.expected_ms

    def to_dict(self) -> dict:
        return {
            'device': self.device.name,
            'title': self.device.title,
            'feasible': self.fits.value,
            'precision': self.chosen.precision,
            'latency_ms': [round(v, 3) for v in self._range()],
            'binds': self.chosen.binds,
            'memory_mb': round(self.chosen.memory_mb, 1),
            'power_w': self.device.power_w.value,
            'energy_mj': round(self.energy_mj, 2),
            'why': self.why,
            'remarks': list(self.chosen.remarks),
            'cannot': list(self.device.cannot),
            'precisions': {
                e.precision: [round(v, 3) for v in (e.low_ms, e.expected_ms, e.high_ms)]
                for e in self.others
            },
        }

    def _range(self) -> tuple[float, float, float]:
        return self.chosen.low_ms, self.chosen.expected_ms, self.chosen.high_ms


def advise(
    cost: GraphCost, device: Device, rate_hz: float, calibration: RooflineCalibration, spread: float
) -> Advice:
    """The most accurate precision that leaves half of the period free at the slow end of its range;
    where none does, the fastest."""
    period = 1e3 / rate_hz
    host = load_device(HOST) if device.kind == 'edgetpu' else None
    found = [estimate(cost, device, p, calibration, host, spread) for p in device.precisions]
    able = [e for e in found if e.fits_memory]
    if not able:
        best = min(found, key=lambda e: e.memory_mb)
        free = device.free_bytes / 1e6
        why = f'{best.memory_mb:.0f} MB are needed in {best.precision}, {free:.0f} are free'
        return Advice(device, Fits.NO, best, tuple(found), why)
    easy = [e for e in able if e.high_ms <= 0.5 * period]
    if easy:
        chosen = easy[0]
        why = f'{chosen.precision} is fast enough'
        if chosen.precision == 'fp32':
            why += ': no need to lose accuracy'
        elif len(device.precisions) == 1:
            why += ' and the only precision'
        else:
            why += ', more accurate ones are not'
    else:
        chosen = min(able, key=lambda e: e.high_ms)
        why = f'{chosen.precision} is the fastest here'
    if chosen.high_ms <= period:
        fits = Fits.YES
    elif chosen.expected_ms <= period:
        fits = Fits.PERHAPS
        why += f'; its slow end is beyond the {period:.0f} ms of {rate_hz:g} Hz: measure it'
    else:
        fits = Fits.NO
        why += f', and slower than the {period:.0f} ms of {rate_hz:g} Hz'
    return Advice(device, fits, chosen, tuple(found), why)


def ranked(advice: Sequence[Advice]) -> list[Advice]:
    """Devices that fit come first; then those with less power, then the faster ones."""
    order = list(Fits)
    return sorted(
        advice, key=lambda a: (order.index(a.fits), a.device.power_w.value, a.chosen.expected_ms)
    )


def this_machine(calibration: RooflineCalibration, memory_gb: float, cores: int) -> Device:
    """This machine as a device of one thread, with measured figures."""

    def measured(value: float) -> Figure:
        return Figure(value, f'measured {calibration.date}, {calibration.machine}, one thread')

    return Device(
        HERE,
        f'{calibration.machine}, one thread',
        'cpu',
        'onnx',
        'cpu',
        1,
        measured(memory_gb),
        Figure(min(1.5, 0.5 * memory_gb), 'allowance for the system and the other nodes'),
        measured(calibration.bandwidth_gbs),
        Figure(1.0, 'unknown'),
        Figure(1.0, f'one thread of {cores}'),
        {'fp32': measured(calibration.peak_gflops / 1e3)},
        (),
    )

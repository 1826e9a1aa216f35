# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The deployment profile that an advice implies: a parameter file for the launch.

    ros2 launch vla_bringup humanoid.launch.py params_file:=config/profiles/raspberry_pi_5.yaml

Its values come after those of config/. It does not name the policy: `policy:=` does.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from vla_common.parameters import ParameterSchema
from vla_deploy.atomic_io import write_whole
from vla_deploy.sizing.advice import Advice, Fits
from vla_deploy.sizing.hardware import BYTES

# Within what the node's parameters allow (src/vla_inference/parameters.yaml).
FREQUENCY = (10.0, 100.0)
TIMEOUT = (0.15, 10.0)  # from below: a machine that stands still for 0.1 s is no failing policy
SLOW_MS = 60.0  # from here on chunks are joined in real time (rtc): the border would be felt
_MAKE = {
    'fp16': 'build-engine --precision fp16',
    'bf16': 'build-engine --precision bf16',
    'fp8': 'build-engine --precision fp8',
    'int8': 'build-engine --precision int8',
    'fp32': 'build-engine --precision fp32',
}


def usual_rate() -> float:
    """Hz at which the inference node asks, unless it is told another; its own parameters.yaml is
    where that is said."""
    entries = ParameterSchema.load('vla_inference').entries
    return next(entry.default for entry in entries if entry.name == 'inference_frequency')


def parameters_of(advice: Advice, rate_hz: float) -> dict:
    """Of the inference node; its frequency only where it is not the usual one. Raises ValueError
    for a device that is too slow: no parameter would change that."""
    if advice.fits is Fits.NO:
        raise ValueError(f'{advice.device.name}: {advice.why}')
    device, high = advice.device, advice.chosen.high_ms / 1e3
    frequency = min(max(rate_hz, FREQUENCY[0]), FREQUENCY[1])
    timeout = min(max(4 * high, 2 / frequency, TIMEOUT[0]), TIMEOUT[1])
    found: dict = {
        'device': device.device,
        'threads': device.threads,
        'policy_timeout': float(f'{timeout:.2g}'),
        'memory': {'host': float(round(device.free_bytes / 2**20))},
    }
    if frequency != usual_rate():
        found['inference_frequency'] = float(f'{frequency:.3g}')
    if 1e3 * high > SLOW_MS:
        found['blending'] = {'mode': 'rtc'}
    return {'inference': {'ros__parameters': found}}


def bundle_for(advice: Advice, bundle: str = 'BUNDLE') -> str:
    """The command that makes, of `bundle`, the one which the profile is meant for."""
    device, precision = advice.device, advice.chosen.precision
    if device.runtime == 'tensorrt':
        verb = f'{_MAKE[precision]} --bundle {bundle} --out {bundle}_{device.name}'
    elif device.runtime == 'litert':
        verb = f'edge --target {device.name} --bundle {bundle} --out {bundle}_int8'
    elif precision == 'fp32':
        verb = f'optimise --bundle {bundle} --out {bundle}_optimised'
    else:
        way = 'fp16' if precision == 'fp16' else 'int8-static --search'
        verb = f'quantise --bundle {bundle} --way {way} --out {bundle}_{precision}'
    return f'ros2 run vla_models {verb}'


def write_profile(folder: Path, advice: Advice, rate_hz: float, bundle: str) -> Path:
    """`folder`/<device>.yaml, beside first, then in its place. Raises ValueError."""
    chosen, device = advice.chosen, advice.device
    assert chosen.precision in BYTES
    lines = [
        '# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0',
        f'# {device.title}: written by `ros2 run vla_deploy size --bundle {bundle}`.',
        f'# Estimated, not measured there: {chosen.low_ms:.1f} to {chosen.high_ms:.1f} ms a chunk '
        f'in {chosen.precision}; {chosen.binds} binds.',
        '# The bundle for it:',
        f'#   {bundle_for(advice)}',
        '# ros2 launch vla_bringup humanoid.launch.py policy:=... '
        f'params_file:=config/profiles/{device.name}.yaml',
    ]
    content = yaml.safe_dump(parameters_of(advice, rate_hz), sort_keys=False)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f'{device.name}.yaml'
    write_whole(path, '\n'.join(lines) + '\n' + content)
    return path

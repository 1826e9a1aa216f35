# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Deployment profile of an advice: a parameter file for the launch.

    ros2 launch vla_bringup humanoid.launch.py params_file:=config/profiles/raspberry_pi_5.yaml

Its values override those of config/. The policy is given by `policy:=`.
"""

from pathlib import Path

from vla_common.parameters import ParameterSchema
from vla_common.yaml_file import dump_yaml
from vla_deploy.atomic_io import write_whole
from vla_deploy.sizing.advice import Advice, Fits
from vla_deploy.sizing.hardware import BYTES

# Ranges of the node's parameters (src/vla_inference/parameters.yaml).
FREQUENCY = (10.0, 100.0)
TIMEOUT = (0.15, 10.0)  # a machine that stalls for 0.1 s is not a failing policy
SLOW_MS = 60.0  # from here on chunks are blended by real-time chunking (rtc)


def default_rate() -> float:
    """Default inference frequency, Hz, of the node's parameters.yaml."""
    entries = ParameterSchema.load('vla_inference').entries
    return next(entry.default for entry in entries if entry.name == 'inference_frequency')


def parameters_of(advice: Advice, rate_hz: float) -> dict:
    """Parameters of the inference node; the frequency only if it is not the default. Raises
    ValueError for a device that is too slow."""
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
    if frequency != default_rate():
        found['inference_frequency'] = float(f'{frequency:.3g}')
    if 1e3 * high > SLOW_MS:
        found['blending'] = {'mode': 'rtc'}
    return {'inference': {'ros__parameters': found}}


def bundle_for(advice: Advice, bundle: str = 'BUNDLE') -> str:
    """Command that makes the bundle of the profile from `bundle`."""
    device, precision = advice.device, advice.chosen.precision
    if device.runtime == 'tensorrt':
        verb = (
            f'build-engine --precision {precision} --bundle {bundle} --out {bundle}_{device.name}'
        )
    elif device.runtime == 'litert':
        verb = f'edge --target {device.name} --bundle {bundle} --out {bundle}_int8'
    elif precision == 'fp32':
        verb = f'optimise --bundle {bundle} --out {bundle}_optimised'
    else:
        scheme = 'fp16' if precision == 'fp16' else 'int8-static --search'
        verb = f'quantise --bundle {bundle} --scheme {scheme} --out {bundle}_{precision}'
    return f'ros2 run vla_deploy {verb}'


def write_profile(folder: Path, advice: Advice, rate_hz: float, bundle: str) -> Path:
    """Write `folder`/<device>.yaml atomically. Raises ValueError."""
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
    content = dump_yaml(parameters_of(advice, rate_hz))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f'{device.name}.yaml'
    write_whole(path, '\n'.join(lines) + '\n' + content)
    return path

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_deploy size`: computers that can run this bundle, and their launch profiles."""

import os
from pathlib import Path

import psutil
from rich import box
from rich.table import Table

from vla_common.errors import ConfigError
from vla_common.terminal import console, parser, progress
from vla_deploy.commands import verb
from vla_deploy.observations import observations_for, tensors_of
from vla_deploy.sizing.advice import Advice, Fits, advise, ranked, this_machine
from vla_deploy.sizing.calibration import DEFAULT_CALIBRATION, RooflineCalibration, calibrate
from vla_deploy.sizing.deployment import bundle_for, default_rate, write_profile
from vla_deploy.sizing.graph_cost import cost_of_bundle
from vla_deploy.sizing.hardware import load_device, shipped
from vla_deploy.sizing.report import to_dict, write_report
from vla_deploy.sizing.roofline import SPREAD
from vla_policy.bundle.bundle import load_bundle
from vla_robot import load_robot

EPILOG = """\
Counts the arithmetic and bytes of every operator of the bundle's ONNX graph, and estimates for each
computer: does it fit into memory, how long does a chunk take (a range), what binds (compute, memory
bandwidth, starting operators, memory size), which precision is enough. The computers are data:
vla_deploy/sizing/hardware/*.yaml, each figure with its source; --device my_board.yaml loads a file
of yours.

Peak rates are never reached. --calibrate measures the share that this machine reaches with this
bundle (processor time, one thread) and writes calibration.json; --calibration FILE uses an earlier
one. Other computers get that share with a factor of 2 each way.

Written to --out: report.md with charts, fit.json, and profiles/<computer>.yaml for each computer
that is fast enough: a parameter file for the launch.

examples:
  ros2 run vla_deploy size --bundle models/humanoid_vla --calibrate
  ros2 run vla_deploy size --bundle models/humanoid_vla --device jetson_orin_nano --rate 20 --json
  ros2 run vla_deploy size --bundle models/mine --profiles config/profiles --device raspberry_pi_5
  ros2 launch vla_bringup humanoid.launch.py params_file:=config/profiles/raspberry_pi_5.yaml"""


def _calibration(a, cost) -> tuple[RooflineCalibration, bool]:
    """The calibration to use, and whether it is of this machine and this bundle."""
    if a.calibration:
        return RooflineCalibration.load(a.calibration), False
    if not a.calibrate:
        return DEFAULT_CALIBRATION, False
    robot = load_robot(a.robot)
    bundle = load_bundle(a.bundle, robot, accept_failed=True)
    recording = observations_for(a.observations, robot, bundle.tasks, 4)
    inputs = tensors_of(recording, bundle, robot)
    with progress('calls') as bar:
        line = bar.add_task('measuring', total=a.rounds)
        found = calibrate(a.bundle, cost, inputs, a.rounds, lambda: bar.advance(line))
    a.out.mkdir(parents=True, exist_ok=True)
    found.save(a.out / 'calibration.json')
    return found, True


def _table(advice: list[Advice]) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)  # narrow enough for 80 columns
    for head in ('computer', 'fits', 'precision', 'ms, range', 'expected', 'binds', 'W'):
        table.add_column(head, no_wrap=head != 'binds')
    for one in advice:
        chosen = one.chosen
        table.add_row(
            one.device.name,
            one.fits.value,
            chosen.precision,
            f'{chosen.low_ms:.2g} to {chosen.high_ms:.2g}',
            f'{chosen.expected_ms:.2f}',
            chosen.binds,
            f'{one.device.power_w.value:g}',
        )
    return table


@verb.plain
def main(arguments: list[str] | None = None) -> int:
    what = 'Find the computers that a policy bundle fits.'
    p = parser('vla_deploy size', what, EPILOG)
    p.add_argument('--bundle', type=Path, metavar='DIR', help='policy bundle')
    p.add_argument(
        '--device',
        nargs='+',
        default=[],
        metavar='NAME',
        help='computers, by name or file (default: all that ship)',
    )
    p.add_argument('--list', action='store_true', help='list the computers that ship')
    usual = default_rate()
    p.add_argument(
        '--rate', type=float, default=usual, help=f"chunks a second (default {usual:g}, the node's)"
    )
    p.add_argument(
        '--out',
        type=Path,
        metavar='DIR',
        help='directory of the report (default: out/fit/<bundle>)',
    )
    p.add_argument(
        '--profiles',
        type=Path,
        metavar='DIR',
        help='directory of the profiles (default: profiles in --out)',
    )
    p.add_argument('--calibrate', action='store_true', help='measure this machine')
    p.add_argument('--calibration', type=Path, metavar='FILE', help='a file of --calibrate')
    verb.add_options(p, 'observations', 'robot', 'json', rounds=60)
    a = p.parse_args(arguments)
    if a.list:
        for name in shipped():
            print(f'{name}: {load_device(name).title}')
        return 0
    if a.bundle is None:
        raise ConfigError('--bundle', '', 'nothing', 'a policy bundle')
    if not 0.1 <= a.rate <= 1000.0:
        raise ConfigError('--rate', '', a.rate, '0.1 to 1000 Hz')
    a.out = a.out or Path('out') / 'fit' / a.bundle.resolve().name
    devices = [load_device(name) for name in a.device or shipped()]
    cost = cost_of_bundle(a.bundle)
    calibration, measured = _calibration(a, cost)
    advice = ranked([advise(cost, one, a.rate, calibration, SPREAD) for one in devices])
    name = a.bundle.resolve().name
    folder = a.profiles or a.out / 'profiles'
    written = [write_profile(folder, x, a.rate, name) for x in advice if x.fits is not Fits.NO]
    report = write_report(a.out, a.bundle, cost, advice, a.rate, calibration, written)
    console.print(_table(advice))
    found = to_dict(name, cost, advice, a.rate, calibration)
    if measured:
        memory = psutil.virtual_memory().total / 1e9
        here = this_machine(calibration, memory, os.cpu_count() or 1)
        own = advise(cost, here, a.rate, calibration, 1.0).chosen
        found['here'] = {
            'measured_ms': calibration.latency_ms,
            'range_ms': [round(own.low_ms, 3), round(own.high_ms, 3)],
        }
        verb.show(
            f'this machine, one thread: measured {calibration.latency_ms:.2f} ms, '
            f'{100 * calibration.efficiency:.0f} % of {calibration.peak_gflops:g} GFLOPS'
        )
    best = next((x for x in advice if x.fits is Fits.YES), None)
    if best is None:
        verb.show('no computer is certain to be fast enough; consider a policy server')
    else:
        verb.show(f'recommended: {best.device.title}; {best.why}')
        verb.show(f'its bundle: {bundle_for(best, str(a.bundle))}')
    verb.show(f'report: {report}; profiles: {len(written)} in {folder}')
    verb.print_json(a, found)
    return 0

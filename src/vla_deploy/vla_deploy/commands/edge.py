# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_deploy edge`: a bundle for a small computer, and the limits of that computer."""

import sys
from pathlib import Path

from vla_common.errors import ConfigError
from vla_common.terminal import parser
from vla_deploy.commands import verb
from vla_deploy.edge.litert import MODES
from vla_deploy.edge.targets import RUNTIMES, port, targets
from vla_deploy.observations import Recording
from vla_deploy.parity import LOSSY

EPILOG = """\
targets and their runtimes
  raspberry_pi_4, raspberry_pi_5, intel_n100, intel_nuc, up_board
      --runtime onnx (default): ONNX Runtime; --mode float, or int8 with layers left in float
      --runtime litert: LiteRT, whose XNNPACK is made for Arm; --mode float, dynamic (int8 weights
      of fully connected layers), int8 (integers throughout)
  coral
      LiteRT, int8 throughout, on the Edge TPU by its delegate (device: edgetpu); --compile runs
      Coral's edgetpu_compiler, where it is installed. Unsupported operators are listed
  jetson_*
      ONNX in half precision for ONNX Runtime's CUDA and TensorRT providers; a TensorRT engine is
      built on the Jetson itself (build-engine)
--list prints the limits of each.

LiteRT needs two optional packages: its runtime in this environment (environment/edge.in), and its
converter in a separate one (environment/edge_converter.in), given as --converter PYTHON. The
conversion starts from the bundle's source.

examples:
  ros2 run vla_deploy edge --target raspberry_pi_5 --bundle models/humanoid_vla --out /tmp/pi
  ros2 run vla_deploy edge --target raspberry_pi_5 --runtime litert --converter ~/edge/bin/python \\
      --bundle models/humanoid_vla --out /tmp/pi_litert
  ros2 run vla_deploy edge --target coral --converter ~/edge/bin/python \\
      --calibration recording.npz --bundle models/mine --out /tmp/coral
exit code: 0 written and verified, 2 wrong or missing input, 3 a different policy"""


def _list() -> int:
    for target in targets().values():
        print(f'{target.name}: {target.device.title}')
        print(f'  runtime {" or ".join(target.runtimes)}; mode {", ".join(target.modes)}')
        for limit in target.device.cannot:
            print(f'  not: {limit}')
    return 0


@verb.verified
def main(arguments: list[str] | None = None) -> int:
    p = parser('vla_deploy edge', 'Make a bundle for a small computer.', EPILOG)
    p.add_argument('--target', metavar='NAME', help='the computer (--list)')
    p.add_argument('--list', action='store_true', help='list the targets with their limits')
    p.add_argument('--bundle', type=Path, metavar='DIR', help='bundle to start from')
    p.add_argument('--out', type=Path, metavar='DIR', help='bundle directory to write')
    p.add_argument('--runtime', choices=RUNTIMES, help='runtime (default: first of the target)')
    p.add_argument(
        '--mode', choices=(*MODES, 'fp16'), help='precision (default: first of the target)'
    )
    p.add_argument(
        '--converter', default=sys.executable, metavar='PYTHON', help='interpreter of litert-torch'
    )
    p.add_argument('--compile', action='store_true', help='compile for the Edge TPU (coral)')
    verb.add_options(p, 'calibration')
    verb.add_verification_options(p, LOSSY)
    a = p.parse_args(arguments)
    if a.list:
        return _list()
    for key in ('target', 'bundle', 'out'):
        if getattr(a, key) is None:
            raise ConfigError(f'--{key}', '', 'nothing', f'a {key}; or --list')
    made = port(
        a.bundle,
        a.out,
        a.target,
        verb.options_of(a, a.out),
        runtime=a.runtime,
        mode=a.mode,
        calibration=Recording.load(a.calibration) if a.calibration else None,
        converter=a.converter,
        compiled=a.compile,
    )
    verb.print_result(a, made.result)
    for note in made.notes:
        verb.show(f'  {note}')
    about = {'target': a.target, 'runtime': made.runtime, 'mode': made.mode}
    about.update(notes=list(made.notes), operators=made.operators)
    verb.print_json(a, {**verb.summary(a.out, made.result), **about})
    return 0

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_deploy edge`: a bundle for a small computer, and what that computer cannot do."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vla_common.errors import ConfigError
from vla_common.terminal import console, parser
from vla_deploy.atomic_io import as_json
from vla_deploy.commands.verification_options import add_proof, proof_of, summary, tell, verified
from vla_deploy.edge.litert import MODES
from vla_deploy.edge.targets import RUNTIMES, port, targets
from vla_deploy.observations import Recording
from vla_deploy.parity import LOSSY, ParityLimits

EPILOG = """\
targets and what they run
  raspberry_pi_4, raspberry_pi_5, intel_n100, intel_nuc, up_board
      --runtime onnx (usual): ONNX Runtime; --mode float, or int8 with layers left in float
      --runtime litert: LiteRT, whose XNNPACK is made for Arm; --mode float, dynamic (int8 weights
      of fully connected layers, the rest floats), int8 (integers throughout)
  coral
      LiteRT, int8 throughout, on the Edge TPU by its delegate (device: edgetpu); --compile runs
      Coral's edgetpu_compiler, where it is installed. What the Edge TPU lacks is named
  jetson_*
      ONNX in half precision for ONNX Runtime's CUDA and TensorRT providers; a TensorRT engine is
      built on the Jetson itself (build-engine)
--list says what each cannot do.

LiteRT wants two optional things: the runtime in this environment (environment/edge.in), and the
converter in one of its own (environment/edge_converter.in), given as --converter PYTHON. The
conversion starts from the bundle's source.

examples:
  ros2 run vla_deploy edge --target raspberry_pi_5 --bundle models/humanoid_vla --out /tmp/pi
  ros2 run vla_deploy edge --target raspberry_pi_5 --runtime litert --converter ~/edge/bin/python \\
      --bundle models/humanoid_vla --out /tmp/pi_litert
  ros2 run vla_deploy edge --target coral --converter ~/edge/bin/python \\
      --calibration recording.npz --bundle models/mine --out /tmp/coral
exit code: 0 written and verified, 2 something given is wrong or missing, 3 it is another policy"""


def _list() -> int:
    for target in targets().values():
        print(f'{target.name}: {target.device.title}')
        print(f'  runtime {" or ".join(target.runtimes)}; mode {", ".join(target.modes)}')
        for word in target.device.cannot:
            print(f'  not: {word}')
    return 0


def _limits(a: argparse.Namespace) -> ParityLimits | None:
    """None where the user left both as they are: then it depends on the mode."""
    if (a.max_error, a.cosine) == (LOSSY.max_error_rad, LOSSY.cosine):
        return None
    return ParityLimits(a.max_error, a.cosine)


def _run(arguments: list[str] | None) -> int:
    p = parser('vla_deploy edge', 'Make a bundle for a small computer.', EPILOG)
    p.add_argument('--target', metavar='NAME', help='the computer (--list)')
    p.add_argument('--list', action='store_true', help='name the targets, and what each cannot do')
    p.add_argument('--bundle', type=Path, metavar='DIR', help='where to begin')
    p.add_argument('--out', type=Path, metavar='DIR', help='bundle directory')
    p.add_argument('--runtime', choices=RUNTIMES, help='default: as the target has it')
    p.add_argument('--mode', choices=(*MODES, 'fp16'), help='default: as the target has it')
    p.add_argument('--calibration', type=Path, metavar='FILE', help='recording (.npz) for int8')
    p.add_argument(
        '--converter',
        default=sys.executable,
        metavar='PYTHON',
        help='which has litert-torch',
    )
    p.add_argument('--compile', action='store_true', help='for the Edge TPU (coral)')
    p.add_argument('--json', action='store_true', help='print the result as JSON on stdout')
    add_proof(p, LOSSY)
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
        proof_of(a, a.out),
        runtime=a.runtime,
        mode=a.mode,
        calibration=Recording.load(a.calibration) if a.calibration else None,
        limits=_limits(a),
        converter=a.converter,
        compiled=a.compile,
    )
    tell(a.out, made.finding)
    for note in made.notes:
        console.print(f'  {note}', soft_wrap=True, markup=False)
    if a.json:
        found = summary(a.out, made.finding)
        found.update(
            target=a.target,
            runtime=made.runtime,
            mode=made.mode,
            notes=list(made.notes),
            operators=made.operators,
        )
        print(as_json(found))
    return 0


def main(arguments: list[str] | None = None) -> int:
    return verified(_run, arguments)


if __name__ == '__main__':
    sys.exit(main())

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_deploy optimise`: the same arithmetic in fewer steps."""

from __future__ import annotations

import sys
from pathlib import Path

from vla_common.terminal import parser
from vla_deploy.atomic_io import as_json
from vla_deploy.commands.verification_options import (
    add_proof,
    limits_of,
    proof_of,
    summary,
    tell,
    verified,
)
from vla_deploy.onnx_files import LEVELS
from vla_deploy.optimising import optimise_onnx, optimise_torchscript
from vla_deploy.parity import EXACT

EPILOG = """\
onnx: ONNX Runtime's graph optimiser, its result written down, for a batch of one.
  basic     constants folded, unused nodes removed; runs anywhere
  extended  fused operators of the CPU provider
  all       also this processor's memory layout: good for its like only
torchscript: traced from the bundle's source and frozen (constants folded, dropout gone);
  --channels-last for convolutions.
torch.compile and torch.jit.optimize_for_inference leave nothing that could be saved in a bundle:
`benchmark --compile MODE` says what the first would give.

example:
  ros2 run vla_deploy optimise --bundle models/humanoid_vla --out /tmp/optimised
exit code: 0 written and verified, 2 something given is wrong, 3 it is not the same policy"""


def _run(arguments: list[str] | None) -> int:
    p = parser('vla_deploy optimise', 'Optimise the graph of a policy bundle.', EPILOG)
    p.add_argument('--bundle', type=Path, required=True, metavar='DIR', help='what to optimise')
    p.add_argument('--out', type=Path, required=True, metavar='DIR', help='bundle directory')
    p.add_argument('--form', choices=('onnx', 'torchscript'), default='onnx')
    p.add_argument('--level', choices=LEVELS, default='basic', help='of ONNX (default basic)')
    p.add_argument('--free-batch', action='store_true', help='keep the batch of ONNX dynamic')
    p.add_argument('--channels-last', action='store_true', help='memory order, torchscript only')
    p.add_argument('--json', action='store_true', help='print the result as JSON on stdout')
    add_proof(p, EXACT)
    a = p.parse_args(arguments)
    proof, limits = proof_of(a, a.out), limits_of(a)
    if a.form == 'onnx':
        finding = optimise_onnx(
            a.bundle, a.out, proof, level=a.level, batch_one=not a.free_batch, limits=limits
        )
    else:
        finding = optimise_torchscript(
            a.bundle, a.out, proof, channels_last=a.channels_last, limits=limits
        )
    tell(a.out, finding)
    if a.json:
        print(as_json(summary(a.out, finding)))
    return 0


def main(arguments: list[str] | None = None) -> int:
    return verified(_run, arguments)


if __name__ == '__main__':
    sys.exit(main())

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_deploy optimise`: the same arithmetic in fewer steps."""

from vla_common.terminal import parser
from vla_deploy.commands import verb
from vla_deploy.onnx_files import LEVELS
from vla_deploy.optimising import optimise_onnx, optimise_torchscript
from vla_deploy.parity import EXACT

EPILOG = """\
onnx: the result of ONNX Runtime's graph optimiser, for a batch of one.
  basic     constants folded, unused nodes removed; runs anywhere
  extended  fused operators of the CPU provider
  all       also the memory layout of this processor: for processors of its kind only
torchscript: traced from the bundle's source and frozen (constants folded, dropout removed);
  --channels-last for convolutions.
The results of torch.compile and torch.jit.optimize_for_inference cannot be saved in a bundle:
`benchmark --compile MODE` times the first.

example:
  ros2 run vla_deploy optimise --bundle models/humanoid_vla --out /tmp/optimised
exit code: 0 written and verified, 2 wrong input, 3 a different policy"""


@verb.verified
def main(arguments: list[str] | None = None) -> int:
    p = parser('vla_deploy optimise', 'Optimise the graph of a policy bundle.', EPILOG)
    verb.add_options(p, 'bundle', 'out')
    p.add_argument('--form', choices=('onnx', 'torchscript'), default='onnx')
    p.add_argument(
        '--level', choices=LEVELS, default='basic', help='level of ONNX Runtime (default basic)'
    )
    p.add_argument('--free-batch', action='store_true', help='keep the batch of ONNX dynamic')
    p.add_argument(
        '--channels-last', action='store_true', help='memory order of images, with torchscript only'
    )
    verb.add_verification_options(p, EXACT)
    a = p.parse_args(arguments)
    options = verb.options_of(a, a.out)
    if a.form == 'onnx':
        how = {'level': a.level, 'batch_one': not a.free_batch}
        result = optimise_onnx(a.bundle, a.out, options, **how)
    else:
        how = {'channels_last': a.channels_last}
        result = optimise_torchscript(a.bundle, a.out, options, **how)
    return verb.finish(a, result)

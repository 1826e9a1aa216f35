# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_deploy export`: a bundle from a training run, or from a module of the user."""

import argparse
import json
from pathlib import Path

from vla_common.errors import ConfigError
from vla_common.terminal import parser
from vla_deploy.commands import verb
from vla_deploy.convert import OPSET
from vla_deploy.exporting import FORMS, copy_training_record, export
from vla_deploy.parity import EXACT
from vla_deploy.reference_model import ReferenceModel, from_bundle, from_module, from_run

EPILOG = """\
A bundle is a directory with policy.yaml, the model file and the tokenizer, and with
source.safetensors, the weights that optimise, quantise and prune start from.

forms:
  onnx                for ONNX Runtime: inputs image, proprioception, language_features (and phase),
                      outputs joint_targets and gripper_actions, dynamic batch
  onnx-all            the same for a batch of one, laid out for processors of this kind
  torchscript-trace   for torch.jit, traced from one example: branches on values are frozen
  torchscript-script  for torch.jit, compiled from the module's code, which has to be in its subset
                      of Python (HumanoidVLA's is)
  torch_export        for torch.export, a .pt2 file

A module of yours: a function that makes it (--module package.module:function, of a package that is
installed or on PYTHONPATH; its arguments as --config '{"width": 32}'), its weights as safetensors,
and a policy.yaml that describes its inputs and outputs (--policy). forward takes image, state,
instruction, phase by position (absent ones are left out) and returns the normalised action, or
(action, gripper).

examples:
  ros2 run vla_deploy export --run run --out models/humanoid_vla
  ros2 run vla_deploy export --run run --form torchscript-trace --out /tmp/traced
  ros2 run vla_deploy export --module my_pkg.policy:make --weights w.safetensors \\
      --policy policy.yaml --out /tmp/mine
exit code: 0 written and verified, 2 wrong input, 3 a different policy (the worst input is then in
OUT.worst.npz, and no bundle is written)."""


def _reference_model(a: argparse.Namespace) -> ReferenceModel:
    if a.run is not None:
        return from_run(a.run, a.version)
    if a.bundle is not None:
        return from_bundle(a.bundle)
    if a.policy is None:
        raise ConfigError('--policy', '', 'nothing', 'a policy.yaml that describes the module')
    try:
        config = json.loads(a.config)
    except json.JSONDecodeError as error:
        raise ConfigError('--config', '', str(error), 'a JSON object') from error
    if not isinstance(config, dict):
        raise ConfigError('--config', '', a.config, 'a JSON object')
    return from_module(a.module, config, a.weights, a.policy)


@verb.verified
def main(arguments: list[str] | None = None) -> int:
    what = 'Write a policy bundle from trained weights, and verify that it is the same policy.'
    p = parser('vla_deploy export', what, EPILOG)
    origin = p.add_mutually_exclusive_group(required=True)
    origin.add_argument('--run', type=Path, metavar='DIR', help='directory that train wrote')
    origin.add_argument('--bundle', type=Path, metavar='DIR', help='a bundle with its source')
    origin.add_argument('--module', metavar='P.M:F', help='a function that makes your module')
    p.add_argument('--weights', type=Path, metavar='FILE', help='safetensors, with --module')
    p.add_argument('--config', default='{}', metavar='JSON', help='arguments of --module')
    p.add_argument('--policy', type=Path, metavar='FILE', help='policy.yaml, with --module')
    p.add_argument('--form', choices=FORMS, default='onnx', help='form of the model (default onnx)')
    p.add_argument('--opset', type=int, default=OPSET, help=f'of ONNX (default {OPSET})')
    p.add_argument(
        '--version', default='0.1.0', help='version of the bundle, with --run (default 0.1.0)'
    )
    verb.add_options(p, 'out')
    verb.add_verification_options(p, EXACT)
    a = p.parse_args(arguments)
    options = verb.options_of(a, a.out)
    result = export(_reference_model(a), a.out, a.form, options, a.opset)
    if a.run is not None:
        copy_training_record(a.run, a.out)
    return verb.finish(a, result)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_deploy export`: a training run, or a module of your own, becomes a bundle."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from vla_common.errors import ConfigError
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
from vla_deploy.convert.onnx_graph import OPSET
from vla_deploy.exporting import FORMS, export
from vla_deploy.parity import EXACT
from vla_deploy.reference_model import ReferenceModel, from_bundle, from_module, from_run

EPILOG = """\
A bundle is a directory with policy.yaml, the model file and the tokenizer; beside them lies
source.safetensors, the weights that optimise, quantise and prune start from.

forms:
  onnx                for ONNX Runtime: inputs image, proprioception, language_features (and phase),
                      outputs joint_targets and gripper_actions, dynamic batch
  onnx-all            the same for a batch of one, laid out for this processor (good for its like)
  torchscript-trace   for torch.jit, from one example: what depends on values is frozen
  torchscript-script  for torch.jit, compiled from the module's code, which has to keep to its part
                      of Python (HumanoidVLA does)
  torch_export        for torch.export, a .pt2 file

A module of your own: a function that makes it (--module package.module:function, of a package that
is installed or whose directory is on PYTHONPATH; its arguments as
--config '{"width": 32}'), its weights as safetensors, and a policy.yaml that says what it eats and
gives (--policy); forward takes image, state, instruction, phase by position, those that are there,
and returns the normalised action, or (action, gripper).

examples:
  ros2 run vla_deploy export --run run --out models/humanoid_vla
  ros2 run vla_deploy export --run run --form torchscript-trace --out /tmp/traced
  ros2 run vla_deploy export --module my_pkg.policy:make --weights w.safetensors \\
      --policy policy.yaml --out /tmp/mine
exit code: 0 written and verified, 2 something given is wrong, 3 it is not the same policy (the
worst input is then in OUT.worst.npz, and no bundle is written)."""


def _original(a: argparse.Namespace) -> ReferenceModel:
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


def _run(arguments: list[str] | None) -> int:
    p = parser(
        'vla_deploy export',
        'Write a policy bundle from trained weights, and prove that it is the same policy.',
        EPILOG,
    )
    origin = p.add_mutually_exclusive_group(required=True)
    origin.add_argument('--run', type=Path, metavar='DIR', help='what train wrote')
    origin.add_argument('--bundle', type=Path, metavar='DIR', help='a bundle with its source')
    origin.add_argument('--module', metavar='P.M:F', help='a function that makes your module')
    p.add_argument('--weights', type=Path, metavar='FILE', help='safetensors, with --module')
    p.add_argument('--config', default='{}', metavar='JSON', help='arguments of --module')
    p.add_argument('--policy', type=Path, metavar='FILE', help='policy.yaml, with --module')
    p.add_argument('--out', type=Path, required=True, metavar='DIR', help='bundle directory')
    p.add_argument('--form', choices=FORMS, default='onnx', help='of the model (default onnx)')
    p.add_argument('--opset', type=int, default=OPSET, help=f'of ONNX (default {OPSET})')
    p.add_argument('--version', default='0.1.0', help='of the bundle, with --run')
    p.add_argument('--json', action='store_true', help='print the result as JSON on stdout')
    add_proof(p, EXACT)
    a = p.parse_args(arguments)
    proof = proof_of(a, a.out)
    original = _original(a)
    finding = export(original, a.out, a.form, proof, opset=a.opset, limits=limits_of(a))
    for extra in ('loss.png', 'training.json'):
        if a.run is not None and (a.run / extra).exists():
            shutil.copyfile(a.run / extra, a.out / extra)
    tell(a.out, finding)
    if a.json:
        print(as_json(summary(a.out, finding)))
    return 0


def main(arguments: list[str] | None = None) -> int:
    return verified(_run, arguments)


if __name__ == '__main__':
    sys.exit(main())

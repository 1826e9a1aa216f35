# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_models export`: a training run becomes a bundle."""

from __future__ import annotations

import sys
from pathlib import Path

from vla_models.commands.terminal import console, guarded, parser
from vla_models.exporting import export_bundle


def _run(arguments: list[str] | None) -> int:
    p = parser(
        'export',
        'Write a policy bundle (model.onnx, tokenizer.json, policy.yaml) from the best weights of\n'
        'a training run, and check ONNX Runtime against PyTorch.',
        'example:\n  ros2 run vla_models export --run run --out models/humanoid_vla',
    )
    p.add_argument('--run', type=Path, required=True, metavar='DIR', help='what train wrote')
    p.add_argument('--out', type=Path, required=True, metavar='DIR', help='bundle directory')
    p.add_argument('--version', default='0.1.0', help='of the bundle (default 0.1.0)')
    a = p.parse_args(arguments)
    policy, difference = export_bundle(a.run, a.out, a.version)
    size = sum(file.stat().st_size for file in a.out.iterdir() if file.is_file()) / 1e6
    console.print(f'{policy}: {size:.1f} MB, ONNX Runtime within {difference:.1e} of PyTorch')
    return 0


def main(arguments: list[str] | None = None) -> int:
    return guarded(_run, arguments)


if __name__ == '__main__':
    sys.exit(main())

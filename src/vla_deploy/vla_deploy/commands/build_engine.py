# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_deploy build-engine`: a TensorRT engine for the GPU at hand."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from vla_common.errors import ConfigError
from vla_common.terminal import console, parser, positive
from vla_deploy.atomic_io import as_json
from vla_deploy.commands.verification_options import (
    add_proof,
    limits_of,
    proof_of,
    summary,
    tell,
    verified,
)
from vla_deploy.observations import Recording
from vla_deploy.parity import LOSSY, compare
from vla_deploy.publishing import VerificationOptions, reference_of
from vla_deploy.quantisation.schemes import METHODS
from vla_deploy.staging import digest_of
from vla_deploy.tensorrt.building import EngineSettings
from vla_deploy.tensorrt.engine_bundle import build_engine, ranges_for
from vla_deploy.tensorrt.precision import PRECISIONS, run_typed, write_typed
from vla_deploy.verification import VerificationFailed, VerificationResult, save_worst
from vla_policy.bundle.bundle import load_bundle

EPILOG = """\
An engine runs on the kind of GPU and with the TensorRT that built it, and on no other: run this on
the robot's computer. GPU, compute capability, TensorRT and the graph's SHA-256 are written into
policy.yaml (section `engine`), and the inference node compares them before it reads the engine.

precisions (written into the graph: networks are strongly typed, as TensorRT 11 wants them)
  fp32  float32; --tf32 lets products drop mantissa bits
  fp16  half precision, float32 at the borders
  bf16  from the bundle's source, so it has to name one
  int8  pairs of QuantizeLinear and DequantizeLinear, ranges from --calibration by --method;
        --search leaves the fewest layers in float that keep it within the limits
  fp8   e4m3, for Ada, Hopper, Blackwell; --keep PART leaves layers in float

--graph FILE writes that graph, verifies it in ONNX Runtime and builds nothing: for a computer
without a GPU (calibrate here, build there with --precision as given, or with trtexec).

examples:
  ros2 run vla_deploy build-engine --bundle models/mine --precision fp16 --out models/mine_orin
  ros2 run vla_deploy build-engine --bundle models/mine --precision int8 --search \\
      --calibration recording.npz --workspace 2048 --out models/mine_int8
  ros2 run vla_deploy build-engine --bundle models/mine --precision int8 --graph typed.onnx
then: ros2 launch vla_bringup humanoid.launch.py policy:=$PWD/models/mine_orin \\
      params_file:=config/profiles/jetson_orin_nano.yaml
exit code: 0 built and verified, 2 something given is wrong or missing (TensorRT, a GPU),
3 it is another policy"""


def _write_graph(
    a: argparse.Namespace, proof: VerificationOptions
) -> tuple[VerificationResult | None, list[str]]:
    """The graph alone, beside first, then in its place."""
    limits = limits_of(a)
    ranges = _ranges(a, proof)
    reference = reference_of(a.bundle, proof)
    partial = a.graph.with_name(f'.{a.graph.name}.partial')
    try:
        a.graph.parent.mkdir(parents=True, exist_ok=True)
        judged = reference if a.search else None
        kept = write_typed(a.bundle, partial, a.precision, ranges, judged, limits)
        finding = None
        if not a.no_verify:
            action = load_bundle(a.bundle, accept_failed=True).model.action
            assert action is not None
            found = run_typed(partial, action.tensor, reference.inputs)
            parity = compare(reference.outputs, found, action)
            finding = VerificationResult(parity, limits, parity.reason(limits))
            if not finding.passed and not a.keep_failed:
                worst = a.graph.with_name(f'{a.graph.name}.worst.npz')
                raise VerificationFailed(
                    a.graph.name, finding, save_worst(reference, finding, worst)
                )
        os.replace(partial, a.graph)
    except OSError as error:
        raise ConfigError(str(a.graph), '--graph', str(error.strerror), 'a place for it') from error
    finally:
        partial.unlink(missing_ok=True)
    return finding, list(kept)


def _ranges(a: argparse.Namespace, proof: VerificationOptions):
    calibration = Recording.load(a.calibration) if a.calibration else None
    return ranges_for(a.bundle, a.precision, proof, calibration, a.method, tuple(a.keep))


def _run(arguments: list[str] | None) -> int:
    p = parser('vla_deploy build-engine', 'Build a TensorRT engine from a policy bundle.', EPILOG)
    p.add_argument('--bundle', type=Path, required=True, metavar='DIR', help='where to begin')
    target = p.add_mutually_exclusive_group(required=True)
    target.add_argument('--out', type=Path, metavar='DIR', help='bundle directory')
    target.add_argument('--graph', type=Path, metavar='FILE', help='only the typed ONNX graph')
    p.add_argument('--precision', choices=PRECISIONS, default='fp16', help='default fp16')
    p.add_argument('--calibration', type=Path, metavar='FILE', help='recording (.npz) for ranges')
    p.add_argument('--method', choices=METHODS, default='minmax', help='of int8 (default minmax)')
    p.add_argument('--search', action='store_true', help='find what must stay in float (int8)')
    p.add_argument('--keep', nargs='+', default=[], metavar='PART', help='nodes to leave in float')
    p.add_argument(
        '--batch',
        type=positive,
        nargs=3,
        default=(1, 1, 1),
        metavar=('MIN', 'OPT', 'MAX'),
        help='of the optimisation profile (default 1 1 1)',
    )
    p.add_argument('--workspace', type=positive, default=1024, metavar='MB', help='default 1024')
    p.add_argument('--level', type=int, choices=range(6), default=3, help='of effort (default 3)')
    p.add_argument('--timing-cache', type=Path, metavar='FILE', help='default: OUT.timing')
    p.add_argument('--tf32', action='store_true', help='fp32 with fewer mantissa bits')
    p.add_argument('--device', default='cuda:0', help='default cuda:0')
    p.add_argument('--json', action='store_true', help='print the result as JSON on stdout')
    add_proof(p, LOSSY)
    a = p.parse_args(arguments)
    proof = proof_of(a, a.out)
    if a.graph is not None:
        finding, kept = _write_graph(a, proof)
        size = a.graph.stat().st_size / 1e6
        errors = 'not verified'
        if finding is not None:
            errors = f'{finding.parity.max_error_rad:.2g} rad, cosine {finding.parity.cosine:.6f}'
        console.print(f'{a.graph}: {size:.2f} MB, {errors}', soft_wrap=True)
        found = {'graph': str(a.graph), 'size_mb': round(size, 3), 'sha256': digest_of(a.graph)}
        if finding is not None:
            found.update(
                passed=finding.passed,
                max_error_rad=finding.parity.max_error_rad,
                cosine=finding.parity.cosine,
            )
    else:
        cache = a.timing_cache or a.out.with_name(f'{a.out.name}.timing')
        settings = EngineSettings(
            tuple(a.batch), a.workspace, a.level, cache, a.tf32 and a.precision == 'fp32', a.device
        )
        built = build_engine(
            a.bundle,
            a.out,
            a.precision,
            proof,
            _ranges(a, proof),
            settings=settings,
            search=a.search,
            limits=limits_of(a),
        )
        tell(a.out, built.finding)
        found, kept = summary(a.out, built.finding), list(built.kept)
    if kept:
        console.print(f'left in float: {", ".join(kept)}', soft_wrap=True)
    if a.json:
        print(as_json({**found, 'precision': a.precision, 'kept': kept}))
    return 0


def main(arguments: list[str] | None = None) -> int:
    return verified(_run, arguments)


if __name__ == '__main__':
    sys.exit(main())

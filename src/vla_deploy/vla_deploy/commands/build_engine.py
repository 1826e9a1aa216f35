# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_deploy build-engine`: a TensorRT engine for the GPU of this computer."""

import argparse
import os
from pathlib import Path

from vla_common.errors import ConfigError
from vla_common.terminal import parser, positive
from vla_deploy.atomic_io import digest_of
from vla_deploy.commands import verb
from vla_deploy.observations import Recording
from vla_deploy.onnx_files import run_onnx
from vla_deploy.parity import LOSSY, compare
from vla_deploy.publishing import VerificationOptions
from vla_deploy.quantisation.schemes import METHODS
from vla_deploy.tensorrt.building import EngineSettings
from vla_deploy.tensorrt.engine_bundle import build_engine, ranges_for
from vla_deploy.tensorrt.precision import PRECISIONS, Ranges, write_typed
from vla_deploy.verification import VerificationFailed, VerificationResult, save_worst
from vla_policy.bundle.bundle import load_bundle

EPILOG = """\
An engine runs on the kind of GPU and with the TensorRT that built it only: run this on the robot's
computer. GPU, compute capability, TensorRT and the graph's SHA-256 are written into policy.yaml
(section `engine`); the inference node compares them before it loads the engine.

precisions (written into the graph: networks are strongly typed, as TensorRT 11 requires)
  fp32  float32; --tf32 lets products drop mantissa bits
  fp16  half precision, float32 inputs and outputs
  bf16  from the bundle's source, which is required
  int8  pairs of QuantizeLinear and DequantizeLinear, ranges from --calibration by --method;
        --search leaves the fewest layers in float that keep it within the limits
  fp8   e4m3, for Ada, Hopper, Blackwell; --keep PART leaves layers in float

--graph FILE writes that graph, verifies it in ONNX Runtime and builds nothing: for a computer
without a GPU (calibrate here, build there with the same --precision, or with trtexec).

examples:
  ros2 run vla_deploy build-engine --bundle models/mine --precision fp16 --out models/mine_orin
  ros2 run vla_deploy build-engine --bundle models/mine --precision int8 --search \\
      --calibration recording.npz --workspace 2048 --out models/mine_int8
  ros2 run vla_deploy build-engine --bundle models/mine --precision int8 --graph typed.onnx
then: ros2 launch vla_bringup humanoid.launch.py policy:=$PWD/models/mine_orin \\
      params_file:=config/profiles/jetson_orin_nano.yaml
exit code: 0 built and verified, 2 wrong or missing input (TensorRT, a GPU), 3 a different policy"""


def _write_graph(
    a: argparse.Namespace, options: VerificationOptions, ranges: Ranges
) -> tuple[VerificationResult | None, tuple[str, ...]]:
    """Write the typed graph atomically, verified unless --no-verify."""
    options = options.with_expected(a.bundle)
    expected, limits = options.expected, options.limits or LOSSY
    partial = a.graph.with_name(f'.{a.graph.name}.partial')
    try:
        a.graph.parent.mkdir(parents=True, exist_ok=True)
        search_by = options if a.search else None
        kept = write_typed(a.bundle, partial, a.precision, ranges, search_by)
        result = None
        if not a.no_verify:
            action = load_bundle(a.bundle, accept_failed=True).model.action
            assert action is not None and expected is not None
            found = run_onnx(partial, action.tensor, expected.inputs, fused=False)
            parity = compare(expected.outputs, found, action)
            result = VerificationResult(parity, limits, parity.reason(limits))
            if not result.passed and not a.keep_failed:
                worst = save_worst(expected, result, a.graph)
                raise VerificationFailed(a.graph.name, result, worst)
        os.replace(partial, a.graph)
    except OSError as error:
        raise ConfigError(str(a.graph), '--graph', str(error.strerror), 'a place for it') from error
    finally:
        partial.unlink(missing_ok=True)
    return result, kept


@verb.verified
def main(arguments: list[str] | None = None) -> int:
    p = parser('vla_deploy build-engine', 'Build a TensorRT engine from a policy bundle.', EPILOG)
    verb.add_options(p, 'bundle', 'calibration', device='cuda:0')
    target = p.add_mutually_exclusive_group(required=True)
    target.add_argument('--out', type=Path, metavar='DIR', help='bundle directory to write')
    target.add_argument(
        '--graph', type=Path, metavar='FILE', help='write only the typed ONNX graph'
    )
    p.add_argument(
        '--precision',
        choices=PRECISIONS,
        default='fp16',
        help='precision of the engine (default fp16)',
    )
    p.add_argument(
        '--method', choices=METHODS, default='minmax', help='calibration of int8 (default minmax)'
    )
    p.add_argument('--search', action='store_true', help='find what must stay in float (int8)')
    p.add_argument('--keep', nargs='+', default=[], metavar='PART', help='nodes to leave in float')
    sizes = ('MIN', 'OPT', 'MAX')
    p.add_argument(
        '--batch',
        type=positive,
        nargs=3,
        default=(1, 1, 1),
        metavar=sizes,
        help='smallest, usual and largest batch of the optimisation profile (default 1 1 1)',
    )
    p.add_argument(
        '--workspace',
        type=positive,
        default=1024,
        metavar='MB',
        help='memory of the builder (default 1024)',
    )
    p.add_argument(
        '--level', type=int, choices=range(6), default=3, help='effort of the builder (default 3)'
    )
    p.add_argument(
        '--timing-cache', type=Path, metavar='FILE', help='cache of timings (default: OUT.timing)'
    )
    p.add_argument('--tf32', action='store_true', help='fp32 with fewer mantissa bits')
    verb.add_verification_options(p, LOSSY)
    a = p.parse_args(arguments)
    options = verb.options_of(a, a.out)
    recording = Recording.load(a.calibration) if a.calibration else None

    def ranges() -> Ranges:
        keep = tuple(a.keep)
        return ranges_for(a.bundle, a.precision, options, recording, a.method, keep)

    if a.graph is not None:
        result, kept = _write_graph(a, options, ranges())
        size = a.graph.stat().st_size / 1e6
        verb.show(f'{a.graph}: {size:.2f} MB, {verb.describe_result(result)}')
        found = {'graph': str(a.graph), 'size_mb': round(size, 3), 'sha256': digest_of(a.graph)}
        if result is not None:
            keys = ('passed', 'max_error_rad', 'cosine')
            found.update((key, result.to_dict()[key]) for key in keys)
    else:
        cache = a.timing_cache or a.out.with_name(f'{a.out.name}.timing')
        tf32 = a.tf32 and a.precision == 'fp32'
        settings = EngineSettings(tuple(a.batch), a.workspace, a.level, cache, tf32, a.device)
        built = build_engine(
            a.bundle, a.out, a.precision, options, ranges(), settings=settings, search=a.search
        )
        kept = built.kept
        verb.print_result(a, built.result)
        found = verb.summary(a.out, built.result)
    if kept:
        verb.show(f'left in float: {", ".join(kept)}')
    verb.print_json(a, {**found, 'precision': a.precision, 'kept': list(kept)})
    return 0

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_deploy verify`: is this bundle still the same policy?"""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from rich.table import Table

from vla_common.errors import ConfigError
from vla_common.terminal import console, parser
from vla_common.yaml_file import load_yaml
from vla_deploy.atomic_io import write_yaml
from vla_deploy.closed_loop import verify_in_closed_loop
from vla_deploy.commands import verb
from vla_deploy.parity import LOSSY
from vla_deploy.publishing import VerificationOptions, expected_answers
from vla_deploy.verification import (
    VerificationFailed,
    VerificationResult,
    record,
    save_worst,
    verify_policy,
)
from vla_policy.bundle.bundle import load_bundle

EPILOG = """\
The bundle is compared with the module it was made from (the `source` in its policy.yaml), or with
another bundle (--against), on recorded observations or, without a recording, on simulated scenes:
largest and mean error, cosine, per joint in radians. The result is written into the bundle's
policy.yaml; the inference node rejects a bundle that failed, unless its parameter
accept_failed_verification is true.

With --scenes N, a bundle whose answers differ by more than the limits runs in N simulated scenes,
and the bundle --against in the same ones: it passes if it is no worse. It is then the same policy
beside that model only (its SHA-256 is stored).

examples:
  ros2 run vla_deploy verify --bundle /tmp/int8 --against models/humanoid_vla --count 100
  ros2 run vla_deploy verify --bundle /tmp/pruned --against models/humanoid_vla --scenes 60 --jobs 2
exit code: 0 the same policy, 2 wrong input, 3 a different policy (the worst input is then in
BUNDLE.worst.npz: give it as --observations to examine it)."""


def _table(result: VerificationResult) -> Table:
    table = Table('joint', 'largest error, rad', 'mean error, rad')
    for name, (largest, mean) in result.parity.joints.items():
        table.add_row(name, f'{largest:.2e}', f'{mean:.2e}')
    return table


def _with_closed_loop(
    result: VerificationResult, bundle: Path, against: Path, options: VerificationOptions
) -> VerificationResult:
    """`result` after the closed loop, which runs a copy without the earlier verification: a bundle
    that failed would be rejected."""
    with tempfile.TemporaryDirectory() as scratch:
        draft = Path(scratch) / 'draft'
        shutil.copytree(bundle, draft)
        content = dict(load_yaml(draft / 'policy.yaml'))
        content.pop('verification', None)
        write_yaml(draft / 'policy.yaml', content)
        how = (options.robot.name, options.scenes, options.seed, options.jobs, options.run_scenes)
        return verify_in_closed_loop(result, against, draft, *how)


@verb.verified
def main(arguments: list[str] | None = None) -> int:
    p = parser('vla_deploy verify', 'Compare a bundle with its reference model.', EPILOG)
    verb.add_options(p, 'bundle')
    p.add_argument('--against', type=Path, metavar='DIR', help='bundle (default: its own source)')
    verb.add_verification_options(p, LOSSY)
    a = p.parse_args(arguments)
    if a.scenes and a.against is None:
        wanted = 'the bundle to run beside, for --scenes'
        raise ConfigError('verify', '--against', 'nothing', wanted)
    options = replace(verb.options_of(a), skip=False)
    bundle = load_bundle(a.bundle, options.robot, accept_failed=True)
    expected = expected_answers(a.against or a.bundle, options)
    result = verify_policy(a.bundle, expected, options.limits or LOSSY)
    if not result.passed and a.scenes:
        result = _with_closed_loop(result, a.bundle, a.against, options)
    if not a.no_verify:
        record(a.bundle, bundle, expected, result)
    console.print(_table(result))
    verb.show(f'{a.bundle}: {verb.describe_result(result)}; against {expected.title}')
    if not result.passed:
        worst = save_worst(expected, result, a.bundle)
        raise VerificationFailed(a.bundle.name, result, worst)
    verb.print_json(a, verb.summary(a.bundle, result))
    return 0

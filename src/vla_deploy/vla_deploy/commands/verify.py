# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_deploy verify`: is this bundle still the same policy?"""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from rich.table import Table

from vla_common.errors import ConfigError
from vla_common.terminal import console, parser
from vla_common.yaml_file import load_yaml
from vla_deploy.atomic_io import as_json
from vla_deploy.closed_loop import run_episodes
from vla_deploy.commands.verification_options import (
    add_proof,
    describe,
    limits_of,
    proof_of,
    summary,
    verified,
)
from vla_deploy.parity import LOSSY
from vla_deploy.publishing import VerificationOptions, reference_of
from vla_deploy.staging import write_yaml
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
another bundle (--against), on recorded observations or, without a recording, on scenes of the
simulator: largest and mean error, cosine, per joint in radians. The finding is written into the
bundle's policy.yaml; the inference node refuses a bundle that failed, unless its parameter
accept_failed_verification is true.

With --scenes N, one whose answers differ by more than the limits acts in N simulated scenes, and
the bundle --against in the same: it passes if it is no worse, and is then held for the same policy
beside that very model only (its SHA-256 is written down).

examples:
  ros2 run vla_deploy verify --bundle /tmp/int8 --against models/humanoid_vla --count 100
  ros2 run vla_deploy verify --bundle /tmp/pruned --against models/humanoid_vla --scenes 60 --jobs 2
exit code: 0 the same policy, 2 something given is wrong, 3 not the same (the worst input is then in
BUNDLE.worst.npz: give it as --observations to look at it again)."""


def _table(finding: VerificationResult) -> Table:
    table = Table('joint', 'largest error, rad', 'mean error, rad')
    for name, (largest, mean) in finding.parity.joints.items():
        table.add_row(name, f'{largest:.2e}', f'{mean:.2e}')
    return table


def _acted_out(
    finding: VerificationResult, bundle: Path, against: Path, proof: VerificationOptions
) -> VerificationResult:
    """`finding` after the closed loop. What an earlier verification said must not keep the bundle
    from acting, so a copy without it acts."""
    with tempfile.TemporaryDirectory() as scratch:
        draft = Path(scratch) / 'draft'
        shutil.copytree(bundle, draft)
        content = dict(load_yaml(draft / 'policy.yaml'))
        content.pop('verification', None)
        write_yaml(draft / 'policy.yaml', content)
        name, scenes = proof.robot.name, proof.scenes
        return run_episodes(
            finding, against, draft, name, scenes, proof.seed, proof.jobs, proof.act
        )


def _run(arguments: list[str] | None) -> int:
    p = parser('vla_deploy verify', 'Compare a converted policy with its original.', EPILOG)
    p.add_argument('--bundle', type=Path, required=True, metavar='DIR', help='what to verify')
    p.add_argument('--against', type=Path, metavar='DIR', help='bundle (default: its own source)')
    p.add_argument('--json', action='store_true', help='print the result as JSON on stdout')
    add_proof(p, LOSSY)
    a = p.parse_args(arguments)
    if a.scenes and a.against is None:
        raise ConfigError(
            'verify', '--against', 'nothing', 'the bundle to act beside, for --scenes'
        )
    proof = replace(proof_of(a), skip=False)
    bundle = load_bundle(a.bundle, proof.robot, accept_failed=True)
    reference = reference_of(a.against or a.bundle, proof)
    finding = verify_policy(a.bundle, reference, limits_of(a))
    if not finding.passed and a.scenes:
        finding = _acted_out(finding, a.bundle, a.against, proof)
    if not a.no_verify:
        record(a.bundle, bundle, reference, finding)
    console.print(_table(finding))
    console.print(f'{a.bundle}: {describe(finding)}; against {reference.title}', soft_wrap=True)
    if not finding.passed:
        worst = save_worst(reference, finding, a.bundle.with_name(f'{a.bundle.name}.worst.npz'))
        raise VerificationFailed(a.bundle.name, finding, worst)
    if a.json:
        print(as_json(summary(a.bundle, finding)))
    return 0


def main(arguments: list[str] | None = None) -> int:
    return verified(_run, arguments)


if __name__ == '__main__':
    sys.exit(main())

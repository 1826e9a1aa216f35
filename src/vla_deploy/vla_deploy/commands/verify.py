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
from vla_deploy.publishing import VerificationOptions, expected_answers, nothing_to_compare_with
from vla_deploy.verification import (
    MINIMUM,
    ExpectedAnswers,
    VerificationFailed,
    VerificationResult,
    check_observations,
    record,
    save_worst,
    verify_policy,
    weaker,
)
from vla_policy.bundle.bundle import Bundle, load_bundle

EPILOG = """\
The bundle is compared with the module it was made from (the `source` in its policy.yaml), or with
another bundle (--against), on recorded observations or, without a recording, on simulated scenes:
largest and mean error, cosine, per joint in radians. A bundle with neither is refused: there is
nothing to compare it with.

The result is recorded in the bundle's policy.yaml, with the reference, the observations and the
limits, unless a passed record of this model is there: --write replaces that one, and a stronger one
(more observations, tighter limits) only with --force. A record needs 24 observations. The inference
node rejects a bundle that failed, unless its parameter accept_failed_verification is true.

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


def _kept(
    bundle: Bundle, expected: ExpectedAnswers, result: VerificationResult, write: bool, force: bool
) -> str:
    """Why the record that is there is kept; empty if `result` is to be recorded. Raises ConfigError
    where --write asks for what only --force does."""
    count, there = len(expected.recording), bundle.verification
    if write or force:
        check_observations(expected.recording)
    elif count < MINIMUM:
        return f'{count} observations are fewer than the {MINIMUM} of a record'
    if there is None or not there.passed or there.model_sha256 != bundle.model_sha256:
        return ''
    if not (write or force):
        return 'policy.yaml has a record of this model that passed (--write replaces it)'
    why = weaker(result, there) if result.passed else ''
    if why and not force:
        wanted = 'a verification that is not weaker than the record there; or --force'
        raise ConfigError(str(bundle.file), 'verification', why, wanted)
    return ''


@verb.verified
def main(arguments: list[str] | None = None) -> int:
    p = parser('vla_deploy verify', 'Compare a bundle with its reference model.', EPILOG)
    verb.add_options(p, 'bundle')
    p.add_argument(
        '--against',
        type=Path,
        metavar='DIR',
        help='bundle to compare with (default: the own source)',
    )
    verb.add_verification_options(p, LOSSY)
    p.add_argument('--write', action='store_true', help='replace a record of this model')
    p.add_argument('--force', action='store_true', help='replace a stronger record too')
    a = p.parse_args(arguments)
    if a.scenes and a.against is None:
        wanted = 'the bundle to run beside, for --scenes'
        raise ConfigError('verify', '--against', 'nothing', wanted)
    options = replace(verb.options_of(a), skip=False)
    bundle = load_bundle(a.bundle, options.robot, accept_failed=True)
    if a.against is None and bundle.source is None:
        raise nothing_to_compare_with(bundle)
    expected = expected_answers(a.against or a.bundle, options)
    if expected.sha256 == bundle.model_sha256:
        found = f'{expected.title}, the same model'
        raise ConfigError('verify', '--against', found, 'the model that it was made from')
    result = verify_policy(a.bundle, expected, options.limits or LOSSY)
    if not result.passed and a.scenes:
        result = _with_closed_loop(result, a.bundle, a.against, options)
    why_not = 'of --no-verify' if a.no_verify else _kept(bundle, expected, result, a.write, a.force)
    if not why_not:
        record(a.bundle, bundle, expected, result)
    console.print(_table(result))
    verb.show(f'{a.bundle}: {verb.describe_result(result)}; against {expected.title}')
    verb.show(f'not recorded, because {why_not}' if why_not else f'recorded in {bundle.file}')
    if not result.passed:
        worst = save_worst(expected, result, a.bundle)
        raise VerificationFailed(a.bundle.name, result, worst)
    verb.print_json(a, verb.summary(a.bundle, result) | {'recorded': not why_not})
    return 0

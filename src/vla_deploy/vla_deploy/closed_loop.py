# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Closed-loop comparison of two bundles in the same simulated scenes."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vla_common.yaml_file import load_yaml
from vla_deploy.verification import VerificationResult
from vla_models.evaluation import DURATION, Episodes
from vla_models.parallel import each
from vla_models.statistics import EpisodeOutcome
from vla_policy.bundle.bundle import load_bundle

LOSS = 0.03  # largest loss of success, as counted
MARGIN = 0.1  # loss of success that the interval has to rule out
SceneRunner = Callable[..., list[bool]]  # called like `successes`


@dataclass(frozen=True)
class PairedResult:
    """before, after: shares of success over the same `scenes`. difference: after - before, with
    its 95 % interval. lost, won: scenes where only one of them succeeded."""

    scenes: int
    before: float
    after: float
    difference: float
    interval: tuple[float, float]
    lost: int
    won: int

    @property
    def equal(self) -> bool:
        """No worse, with enough scenes to conclude it: at most `LOSS` was lost, and the interval
        rules out a loss of `MARGIN` (non-inferiority) but not a loss of zero. That takes 18 scenes
        with none lost, 36 with one lost."""
        low, high = self.interval
        return self.difference >= -LOSS and low > -MARGIN and high >= 0

    @property
    def verdict(self) -> str:
        if self.equal:
            return 'no worse'
        return 'worse' if self.worse else 'too few scenes to call it no worse'

    @property
    def worse(self) -> bool:
        """More than `LOSS` was lost, or the loss is significant."""
        return self.difference < -LOSS or self.interval[1] < 0

    @property
    def summary(self) -> str:
        low, high = self.interval
        return (
            f'{self.before:.0%} before, {self.after:.0%} after, {self.lost} lost, {self.won} won, '
            f'difference {low:+.0%} to {high:+.0%}: {self.verdict}'
        )

    def to_dict(self) -> dict:
        """Fields of `--json`."""
        return {
            'scenes': self.scenes,
            'before': self.before,
            'after': self.after,
            'difference': self.difference,
            'ci95': list(self.interval),
            'equal': self.equal,
        }


def pair(before: Sequence[bool], after: Sequence[bool]) -> PairedResult:
    """Compare success scene by scene. The interval is that of a difference of paired proportions
    (Agresti, "Categorical Data Analysis", 10.1) with half a scene of each kind added, so that a few
    scenes without a change do not look certain."""
    n = len(before)
    if n != len(after) or not n:
        raise ValueError(f'{n} and {len(after)} outcomes, wanted as many of each, at least one')
    lost = sum(a and not b for a, b in zip(before, after, strict=True))
    won = sum(b and not a for a, b in zip(before, after, strict=True))
    x, y = lost + 0.5, won + 0.5
    center = (y - x) / (n + 2)
    half = 1.96 * math.sqrt(max(0.0, x + y - (y - x) ** 2 / (n + 2))) / (n + 2)
    interval = (max(-1.0, center - half), min(1.0, center + half))
    return PairedResult(n, sum(before) / n, sum(after) / n, (won - lost) / n, interval, lost, won)


def outcomes(
    bundle: Path,
    robot: str,
    scenes: int,
    seed: int,
    *,
    jobs: int = 1,
    duration: float = DURATION,
    parameters: str | None = None,
    advance: Callable[[], None] = lambda: None,
) -> list[EpisodeOutcome]:
    """Outcome of each scene, in order: closed loop in the simulator, through the safety filter.
    `seed` and the number of a scene define it."""
    arguments = (str(bundle), robot, seed, parameters, duration)
    work = [('policy', number) for number in range(scenes)]
    found: dict[int, EpisodeOutcome] = {}
    for (_, number), outcome in each(Episodes, arguments, work, jobs):
        found[number] = outcome
        advance()
    return [found[number] for number in range(scenes)]


def successes(bundle: Path, robot: str, scenes: int, seed: int, **how) -> list[bool]:
    """Success of each of `scenes`; `how` as for `outcomes`."""
    return [bool(outcome.success) for outcome in outcomes(bundle, robot, scenes, seed, **how)]


def cached(run_scenes: SceneRunner | None = None) -> SceneRunner:
    """`run_scenes` (None: `successes`) with a cache: the result of a policy in a scene is
    deterministic. The key is policy.yaml without its verification; it has every file's SHA-256."""
    known: dict[tuple[str, str, int, int], list[bool]] = {}

    def run(bundle: Path, robot: str, scenes: int, seed: int, **how) -> list[bool]:
        content = {**load_yaml(bundle / 'policy.yaml'), 'verification': None}
        key = (json.dumps(content, sort_keys=True, default=str), robot, scenes, seed)
        if key not in known:
            known[key] = (run_scenes or successes)(bundle, robot, scenes, seed, **how)
        return known[key]

    return run


def verify_in_closed_loop(
    result: VerificationResult,
    before: Path,
    after: Path,
    robot: str,
    scenes: int,
    seed: int,
    jobs: int = 1,
    run_scenes: SceneRunner | None = None,
) -> VerificationResult:
    """A failed `result` after the closed loop: both bundles run in the same scenes, and it passes
    if the second is no worse (`PairedResult.equal`). That holds beside this model of `before` only,
    whose SHA-256 is stored."""
    run = run_scenes or successes
    loop = pair(*(run(path, robot, scenes, seed, jobs=jobs) for path in (before, after)))
    first = load_bundle(before, accept_failed=True)
    result = replace(result, against=first.model_sha256)
    shares = (round(loop.before, 4), round(loop.after, 4))
    judged = f'{scenes} scenes in closed loop, seed {seed}: {loop.summary}'
    if loop.equal:
        reason = result.parity.judged_otherwise(result.limits)
        return replace(result, reason=reason, success=shares, judged=judged)
    return replace(result, reason=f'{result.reason}; {judged}', success=shares)

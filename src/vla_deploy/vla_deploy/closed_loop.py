# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Two bundles on the same simulated scenes: does the robot still get it done?"""

from __future__ import annotations

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

LOSS = 0.03  # of success, as it was counted: more is worse
Act = Callable[..., list[bool]]  # called as `successes` is

MARGIN = 0.1  # of success: a loss so large has to be ruled out by the interval


@dataclass(frozen=True)
class Paired:
    """before, after: shares of success over the same `scenes`. difference: after - before, with
    its 95 % interval. lost, won: scenes that only one of them managed."""

    scenes: int
    before: float
    after: float
    difference: float
    interval: tuple[float, float]
    lost: int
    won: int

    @property
    def equal(self) -> bool:
        """No worse, and enough scenes to say so: at most `LOSS` was lost, the interval rules a loss
        of `MARGIN` out (non-inferiority), and does not rule out that nothing was lost. Where no
        scene is lost that takes 18 of them, where one is 36."""
        low, high = self.interval
        return self.difference >= -LOSS and low > -MARGIN and high >= 0

    @property
    def verdict(self) -> str:
        """In a few words."""
        if self.equal:
            return 'no worse'
        return 'worse' if self.worse else 'too few scenes to call it no worse'

    @property
    def worse(self) -> bool:
        """More was lost than may be, or a loss is beyond chance."""
        return self.difference < -LOSS or self.interval[1] < 0

    @property
    def told(self) -> str:
        """What was counted, and the verdict."""
        low, high = self.interval
        return (
            f'{self.before:.0%} before, {self.after:.0%} after, {self.lost} lost, {self.won} won, '
            f'difference {low:+.0%} to {high:+.0%}: {self.verdict}'
        )


def pair(before: Sequence[bool], after: Sequence[bool]) -> Paired:
    """Of outcomes scene by scene. The interval is that of a difference of paired proportions
    (Agresti, "Categorical Data Analysis", 10.1), half a scene of each kind added so that few
    scenes without a change are not taken for certainty."""
    n = len(before)
    if n != len(after) or not n:
        raise ValueError(f'{n} and {len(after)} outcomes, wanted as many of each, at least one')
    lost = sum(a and not b for a, b in zip(before, after, strict=True))
    won = sum(b and not a for a, b in zip(before, after, strict=True))
    x, y = lost + 0.5, won + 0.5
    centre = (y - x) / (n + 2)
    half = 1.96 * math.sqrt(max(0.0, x + y - (y - x) ** 2 / (n + 2))) / (n + 2)
    return Paired(
        n,
        sum(before) / n,
        sum(after) / n,
        (won - lost) / n,
        (max(-1.0, centre - half), min(1.0, centre + half)),
        lost,
        won,
    )


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
    """Of each scene, in order: closed loop in the simulator, through the filter. The scenes follow
    from `seed` and their number alone."""
    arguments = (str(bundle), robot, seed, parameters, duration)
    work = [('policy', number) for number in range(scenes)]
    found: dict[int, EpisodeOutcome] = {}
    for (_, number), outcome in each(Episodes, arguments, work, jobs):
        found[number] = outcome
        advance()
    return [found[number] for number in range(scenes)]


def successes(bundle: Path, robot: str, scenes: int, seed: int, **how) -> list[bool]:
    """Whether each of `scenes` was done; `how` as for `outcomes`."""
    return [bool(outcome.success) for outcome in outcomes(bundle, robot, scenes, seed, **how)]


def remembering(act: Act | None = None) -> Act:
    """`act` (None: `successes`), but no policy acts in the same scenes twice: they follow from the
    seed, and so does what it does in them. A policy is what its policy.yaml says, which has every
    file's SHA-256, wherever it lies and whatever a verification found."""
    known: dict[tuple[str, str, int, int], list[bool]] = {}

    def once(bundle: Path, robot: str, scenes: int, seed: int, **how) -> list[bool]:
        content = {**load_yaml(bundle / 'policy.yaml'), 'verification': None}
        key = (json.dumps(content, sort_keys=True, default=str), robot, scenes, seed)
        if key not in known:
            known[key] = (act or successes)(bundle, robot, scenes, seed, **how)
        return known[key]

    return once


def run_episodes(
    finding: VerificationResult,
    before: Path,
    after: Path,
    robot: str,
    scenes: int,
    seed: int,
    jobs: int = 1,
    act: Act | None = None,
) -> VerificationResult:
    """`finding`, which failed, judged by what counts in the end: both bundles act in the same
    scenes. It passes if the second is no worse (`Paired.equal`), which holds beside that model of
    `before` only: its SHA-256 is kept. act: what lets a bundle act (None: `successes`)."""
    # The second run is not asked whether it passed: that is what is being found out.
    runs = [(act or successes)(path, robot, scenes, seed, jobs=jobs) for path in (before, after)]
    loop = pair(*runs)
    first = load_bundle(before, accept_failed=True)
    finding = replace(finding, against=first.files[first.model.file])
    shares = (round(loop.before, 4), round(loop.after, 4))
    said = f'{scenes} scenes in closed loop, seed {seed}: {loop.told}'
    if loop.equal:
        return replace(finding, reason='', success=shares, judged=said)
    return replace(finding, reason=f'{finding.reason}; {said}', success=shares)

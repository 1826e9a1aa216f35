# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Assessment of balance estimates: level, cause, and whether the robot falls or has fallen."""

from dataclasses import dataclass

from vla_balance.estimator import BalanceEstimate
from vla_balance.imu_check import TILT
from vla_common.states import Hysteresis, Level


@dataclass(frozen=True)
class AssessmentParams:
    """None has a default. tilt_*: rad. low_com: m of the centre of mass above the ground.
    margin_*: m of the capture point inside the polygon, below which the level is reached.
    fall_margin: m that the capture point must be outside, for fall_time s, to predict a fall.
    fall_horizon: s that the tilt is extrapolated, beyond tilt_emergency it predicts a fall.
    fallen_tilt: rad, fallen_height: m of the base above the lower sole; beyond either it has
    fallen. no_contact_time: s without a foot on the ground until that is an emergency.
    level_fall_after: s that a lower level must last until it is reported.
    """

    tilt_warning: float
    tilt_danger: float
    tilt_emergency: float
    low_com: float
    margin_warning: float
    margin_danger: float
    fall_margin: float
    fall_time: float
    fall_horizon: float
    fallen_tilt: float
    fallen_height: float
    no_contact_time: float
    level_fall_after: float


@dataclass(frozen=True)
class BalanceFinding:
    """One violation: value and limit (unit by kind)."""

    kind: str
    value: float
    limit: float
    level: Level


@dataclass(frozen=True)
class BalanceVerdict:
    """level: in force, with hysteresis; cause: the worst finding's kind behind it, '' when SAFE."""

    level: Level
    cause: str
    findings: tuple[BalanceFinding, ...]
    falling: bool
    fallen: bool


class BalanceAssessment:
    """Assesses a sequence of estimates."""

    def __init__(self, params: AssessmentParams) -> None:
        self._p = params
        self._hysteresis = Hysteresis(params.level_fall_after)
        self._cause = ''
        self._outside_since: float | None = None
        self._airborne_since: float | None = None

    def update(
        self, estimate: BalanceEstimate, now: float, imu_disagreement: float | None = None
    ) -> BalanceVerdict:
        """now: s, steady. imu_disagreement: rad, see `ImuCheck`; None while all agree."""
        p = self._p
        findings = list(self._tilt(estimate.tilt))
        if imu_disagreement is not None:
            # The estimate is by the legs, good enough to stand; to go on working it is not.
            findings.append(
                BalanceFinding('imu_disagreement', imu_disagreement, TILT, Level.DANGER)
            )
        # Positive tests of what is good, here and below, so that NaN is the worst.
        by_tilt = not estimate.tilt < p.fallen_tilt
        fallen = by_tilt or not estimate.base_height > p.fallen_height
        if fallen:
            findings.append(
                BalanceFinding(
                    'fallen',
                    estimate.tilt if by_tilt else estimate.base_height,
                    p.fallen_tilt if by_tilt else p.fallen_height,
                    Level.EMERGENCY,
                )
            )
        if not estimate.com[2] > p.low_com:
            findings.append(
                BalanceFinding('low_com', float(estimate.com[2]), p.low_com, Level.EMERGENCY)
            )
        contact = estimate.left_contact or estimate.right_contact
        findings += self._contact(contact, now)
        falling = False
        if contact:
            findings += self._capture_point(estimate.margin)
            falling = not fallen and self._falls(estimate, now)
        else:
            self._outside_since = None
        if falling:
            findings.append(
                BalanceFinding('falling', estimate.reach_margin, -p.fall_margin, Level.EMERGENCY)
            )
        seen = max((f.level for f in findings), default=Level.SAFE)
        level = self._hysteresis.update(seen, now)
        if level is Level.SAFE:
            self._cause = ''
        elif findings and (seen >= level or not self._cause):
            self._cause = max(findings, key=lambda f: f.level).kind
        return BalanceVerdict(level, self._cause, tuple(findings), falling, fallen)

    def _tilt(self, tilt: float) -> list[BalanceFinding]:
        p = self._p
        for limit, level in (
            (p.tilt_emergency, Level.EMERGENCY),
            (p.tilt_danger, Level.DANGER),
            (p.tilt_warning, Level.WARNING),
        ):
            if not tilt < limit:
                return [BalanceFinding('tilt', tilt, limit, level)]
        return []

    def _contact(self, contact: bool, now: float) -> list[BalanceFinding]:
        if contact:
            self._airborne_since = None
            return []
        if self._airborne_since is None:
            self._airborne_since = now
        lasted = now - self._airborne_since
        limit = self._p.no_contact_time
        level = Level.EMERGENCY if lasted >= limit else Level.WARNING
        return [BalanceFinding('no_contact', lasted, limit, level)]

    def _capture_point(self, margin: float) -> list[BalanceFinding]:
        p = self._p
        for limit, level in ((p.margin_danger, Level.DANGER), (p.margin_warning, Level.WARNING)):
            if not margin > limit:
                return [BalanceFinding('capture_point', margin, limit, level)]
        return []

    def _falls(self, estimate: BalanceEstimate, now: float) -> bool:
        p = self._p
        # A robot that tips back from one foot passes its edge towards the other, which is about to
        # land there: that is no fall.
        if estimate.reach_margin > -p.fall_margin:
            self._outside_since = None
        elif self._outside_since is None:
            self._outside_since = now
        outside = self._outside_since is not None and now - self._outside_since >= p.fall_time
        # The extrapolation alone would report every quick bow as a fall: the capture point must
        # have left the feet too.
        ahead = estimate.tilt + estimate.tilt_rate * p.fall_horizon
        leaning = ahead >= p.tilt_emergency and estimate.margin <= 0.0
        return outside or (leaning and estimate.tilt >= p.tilt_warning)

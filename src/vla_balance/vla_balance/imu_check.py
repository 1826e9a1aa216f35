# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Cross-checks of the IMU: its orientation, its accelerometer, its gyroscope and the legs.

* Three measurements of the vertical must agree within `TILT`: the orientation, the accelerometer
  (low-passed, while nothing accelerates much), and the legs (the normal of two flat soles). A pair
  that disagrees for `TILT_TIME` is a disagreement.
* The orientation must turn as the gyroscope measures. An orientation in another component order may
  show an upright robot upright; it turns about the wrong axis as soon as the robot sways.
* An orientation that turns by more than `JUMP` from one reading to the next is not believed at all:
  no robot turns like that, and a balance correction that follows it throws the robot.

While they disagree, balance goes by the legs, or off the ground by the accelerometer.
"""

import math
from collections.abc import Iterable

import numpy as np

from vla_balance.soles import FlatSoles
from vla_balance.stance import GRAVITY, cross
from vla_common.rotation import integrated, rotation_between, rotation_matrix
from vla_robot import RobotModel

TILT = 0.2  # rad between two measurements of the vertical
TILT_TIME = 0.5  # s, of disagreement, and of agreement that confirms
TURN = 0.03  # rad between the turns by orientation and gyroscope, ...
TURN_SHARE = 0.4  # ... plus this share of the larger of them
TURN_TIME = 0.05  # s, of that difference
TURN_MEMORY = 1.0  # s, time constant of the leaky sums of both
JUMP = 1.0  # rad from one reading to the next
RETURN = 0.5  # rad from where the gyroscope leads: an orientation that jumped has jumped back
CLEAR_TIME = 1.0  # s of agreement that ends a disagreement
SLOW_PERIOD = 0.05  # s between comparisons of the verticals
ACCELEROMETER_TIME = 0.2  # s, time constant of its low-pass
QUIET_FORCE = 0.2  # of gravity, that the low-passed acceleration may differ from it
QUIET_TURN = 0.5  # rad/s; beyond, the accelerometer measures more than gravity
WRONG_FORCE_TIME = 2.0  # s on flat soles without gravity in the accelerometer
CARRIED = 0.5  # of the weight on the feet, above which the legs show the vertical
NO_TURN = (0.0, 0.0, 0.0)
LONGEST_STEP = 3.0  # of the usual period; a longer one is left out of the sums of turns
ALIKE = 0.1  # rad, of a wrong convention that would explain a disagreement

_ORIENTATION, _ACCELEROMETER, _LEGS = 'the orientation', 'the accelerometer', 'the legs'


class ImuCheck:
    """Checks a sequence of readings of a robot with feet.

    After `update`: `orientation` (4,) wxyz of the IMU and `angular_velocity` (3,) rad/s, IMU axes,
    as balance may use them: as read, or while the IMU is not trusted a substitute. `disagreement`:
    a text for the operator, '' while all agree. `confirmed`: whether the orientation has agreed
    with another measurement of the vertical since `restart`. `angle`: rad, of the disagreement.
    `tilt`: sine of half the angle between the IMU's z axis and the vertical, as balance may use it.
    `compared_at`: time of the newest comparison of verticals, with `soles` of that reading.

    period: s between readings, usually.
    latching: jumps and turns that disagreed count until `restart` (a jump also until the
    orientation jumps back): that the robot stands well now is no proof. For a monitor of robots
    that may be put elsewhere without a word, which is a jump too, they count until the verticals
    agree again.
    """

    def __init__(self, robot: RobotModel, period: float, latching: bool = True) -> None:
        self.soles = FlatSoles(robot)
        kinematics = robot.kinematics()
        kinematics.update(np.zeros(robot.n))
        self._imu_in_base = kinematics.frame('imu')[0]
        self._longest, self._latching = LONGEST_STEP * period, latching
        self.orientation = np.array([1.0, 0.0, 0.0, 0.0])
        self.angular_velocity = np.zeros(3)
        self.restart()

    def restart(self) -> None:
        """Nothing is known: the robot was passive, or was put elsewhere."""
        self.disagreement = ''
        self.angle = 0.0
        self.confirmed = False
        self._at: float | None = None
        self._last: tuple[np.ndarray, np.ndarray] | None = None
        self._turned, self._measured = NO_TURN, NO_TURN  # rad, leaky: by orientation, by gyroscope
        self._expected: np.ndarray | None = None  # after a jump: where the gyroscope leads
        self._turns_disagree = False
        self._turns_wrong_for = 0.0  # s
        self._missing = False
        self._force: np.ndarray | None = None  # m/s², low-passed
        self._spin = 0.0  # rad/s, low-passed
        self._wrong_for = {'oa': 0.0, 'ol': 0.0, 'al': 0.0}  # s, by pair
        self._right_for = 0.0  # s
        self._no_gravity_for = 0.0  # s
        self.compared_at: float | None = None

    @property
    def unconfirmed(self) -> str:
        """Why the orientation is not confirmed, for the operator; '' where it is."""
        if self.confirmed:
            return ''
        missing = [
            text
            for text, absent in (
                ('the accelerometer does not measure gravity alone', self._felt() is None),
                ('no sole is known to lie flat', not self.soles.flat),
            )
            if absent
        ]
        why = f' ({", ".join(missing)})' if missing else ''
        return f'the orientation has not agreed with another sensor for {TILT_TIME} s yet{why}'

    @property
    def tilt(self) -> float:
        return math.hypot(float(self.orientation[1]), float(self.orientation[2]))

    def update(
        self,
        now: float,
        q: np.ndarray,
        v: np.ndarray,
        orientation: np.ndarray,
        angular_velocity: np.ndarray,
        linear_acceleration: np.ndarray,
        left_wrench: np.ndarray,
        right_wrench: np.ndarray,
        has_orientation: bool = True,
    ) -> None:
        """One reading at `now` (s, steady), as `vla_robot.Reading`; finite, of unit length."""
        self._missing = not has_orientation
        dt = 0.0 if self._at is None else max(now - self._at, 0.0)
        self._at = now
        if has_orientation:
            self._update_turns(dt, orientation, angular_velocity)
        self._last = (orientation, angular_velocity) if has_orientation else None
        self._update_force(dt, linear_acceleration, angular_velocity)
        slow = self.compared_at is None or now - self.compared_at >= SLOW_PERIOD - 1e-9
        if slow or self.disagreement or self._missing or self._expected is not None:
            self.soles.update(q, v, left_wrench, right_wrench)
        if slow:
            elapsed = 0.0 if self.compared_at is None else min(now - self.compared_at, 0.1)
            self.compared_at = now
            self._compare_verticals(elapsed, orientation)
        if self._missing:
            self._disagree('the IMU reports that it has no orientation', 0.0)
        elif self._expected is not None and (self._latching or not self.disagreement):
            self._disagree(self._describe_jump(orientation), JUMP)
        if self.disagreement:
            self._substitute(orientation, angular_velocity)
        else:
            self.orientation, self.angular_velocity = orientation, angular_velocity

    # -- turns -----------------------------------------------------------------------------

    def _update_turns(self, dt: float, orientation: np.ndarray, rate: np.ndarray) -> None:
        if self._last is None:
            return
        before, rate_before = self._last
        turn = rotation_between(before, orientation)
        size = angle(turn)
        if self._expected is not None or size > JUMP:
            mean = 0.5 * (rate + rate_before)
            if self._follows_a_jump(dt, before, orientation, mean, size):
                return
        if dt > self._longest:
            return  # of a stall is known neither how the robot turned, nor for how long
        # In plain numbers: this runs with every reading, and NumPy takes ten times as long for
        # three of them.
        keep, half = 1.0 - dt / (TURN_MEMORY + dt), 0.5 * dt
        (ax, ay, az), (bx, by, bz), (tx, ty, tz) = self._turned, self._measured, turn
        (rx, ry, rz), (sx, sy, sz) = rate.tolist(), rate_before.tolist()
        self._turned = turned = ax * keep + tx, ay * keep + ty, az * keep + tz
        self._measured = measured = (
            bx * keep + half * (rx + sx),
            by * keep + half * (ry + sy),
            bz * keep + half * (rz + sz),
        )
        difference = math.dist(turned, measured)
        if difference <= TURN + TURN_SHARE * max(angle(turned), angle(measured)):
            self._turns_wrong_for = 0.0
            return
        self._turns_wrong_for += dt
        if self._turns_wrong_for >= TURN_TIME and not self._turns_disagree:
            self._disagree(
                f'the orientation turned by {vector(turned)} rad, the gyroscope measured '
                f'{vector(measured)} rad{self._looks_turned()}',
                difference,
            )
            self._turns_disagree = True

    def _follows_a_jump(
        self, dt: float, before: np.ndarray, orientation: np.ndarray, mean: np.ndarray, turn: float
    ) -> bool:
        """Whether the orientation has jumped and not returned to where the gyroscope leads."""
        if self._expected is not None:
            self._expected = integrated(self._expected, mean * dt)
            if angle(rotation_between(self._expected, orientation)) < RETURN:
                self._expected = None
                self._turned = self._measured = NO_TURN
            return True
        if turn > 2.0 * angle(mean) * dt:
            self._expected = integrated(before, mean * dt)
            return True
        return False

    def _describe_jump(self, orientation: np.ndarray) -> str:
        assert self._expected is not None
        jump = angle(rotation_between(self._expected, orientation))
        for order, text in ORDERS:
            if angle(rotation_between(self._expected, order(orientation))) < RETURN:
                return f'the orientation jumped by {jump:.2f} rad: it looks like {text}'
        return f'the orientation jumped by {jump:.2f} rad, which the gyroscope did not measure'

    def _looks_turned(self) -> str:
        """Which wrong conventions explain turns that differ, of a robot near upright."""
        by_orientation, by_gyroscope = np.array(self._turned), np.array(self._measured)
        size, (x, y, z) = angle(by_gyroscope), by_orientation.tolist()
        if angle(by_orientation) < 0.2 * size:
            return ': it looks like an orientation that does not change'
        explained = [
            text
            for turn, text in (
                (np.array([-z, -y, x]), 'x, y, z, w order (wanted w, x, y, z)'),
                (-by_orientation, 'the inverse rotation, or a gyroscope of the opposite sign'),
            )
            if angle(turn - by_gyroscope) < 0.5 * size
        ]
        return f': it looks like {", or ".join(explained)}' if explained else ''

    # -- verticals -------------------------------------------------------------------------

    def _update_force(self, dt: float, force: np.ndarray, rate: np.ndarray) -> None:
        share = min(dt / (ACCELEROMETER_TIME + dt), 1.0) if dt > 0.0 else 0.0
        if self._force is None:
            self._force, self._spin = np.array(force, dtype=float), angle(rate.tolist())
        else:
            self._force += (force - self._force) * share
            self._spin += (angle(rate.tolist()) - self._spin) * share

    def _felt(self) -> np.ndarray | None:
        """The vertical of the accelerometer, IMU axes; None while it measures other things too."""
        if self._force is None:
            return None
        size = angle(self._force)
        quiet = abs(size - GRAVITY) <= QUIET_FORCE * GRAVITY and self._spin <= QUIET_TURN
        return self._force / size if quiet else None

    def _compare_verticals(self, dt: float, orientation: np.ndarray) -> None:
        turned = None if self._missing else vertical_of(orientation)
        felt = self._felt()
        stood = self._imu_in_base.T @ self.soles.vertical if self.soles.flat else None
        angles: dict[str, float] = {}
        for pair, a, b in (('oa', turned, felt), ('ol', turned, stood), ('al', felt, stood)):
            if a is None or b is None:
                continue
            angles[pair] = math.acos(min(max(float(a @ b), -1.0), 1.0))
            wrong = not angles[pair] <= TILT
            self._wrong_for[pair] = self._wrong_for[pair] + dt if wrong else 0.0
        self._check_gravity(dt, felt)
        wrong_for = {pair: lasted for pair, lasted in self._wrong_for.items() if lasted > 0.0}
        lasting = [pair for pair, lasted in wrong_for.items() if lasted >= TILT_TIME]
        if lasting:
            pair = max(lasting, key=lambda each: angles.get(each, 0.0))
            self._disagree(self._describe(lasting, angles, orientation, felt, stood),
                           angles.get(pair, TILT))  # fmt: skip
        elif wrong_for or self._no_gravity_for > 0.0:
            self._right_for = 0.0
        elif 'oa' in angles or 'ol' in angles:
            self._right_for += dt
            self.confirmed = self.confirmed or self._right_for >= TILT_TIME
            latched = self._latching and (self._turns_disagree or self._expected is not None)
            if self._right_for >= CLEAR_TIME and not latched:
                self.disagreement, self.angle = '', 0.0
                self._turns_disagree, self._expected = False, None
                self._turns_wrong_for = 0.0
                self._turned = self._measured = NO_TURN

    def _check_gravity(self, dt: float, felt: np.ndarray | None) -> None:
        assert self._force is not None
        # All zeros is how a message says that there is no accelerometer.
        if felt is None and self.soles.flat and self._spin <= QUIET_TURN and self._force.any():
            self._no_gravity_for += dt
        elif felt is not None:
            self._no_gravity_for = 0.0
        if self._no_gravity_for >= WRONG_FORCE_TIME:
            size = angle(self._force)
            unit = ' (it looks like the unit g)' if 0.8 <= size <= 1.2 else ''
            self._disagree(
                f'the accelerometer measures {size:.2f} m/s² on a robot that stands, '
                f'wanted {GRAVITY}{unit}',
                0.0,
            )

    def _describe(
        self,
        pairs: list[str],
        angles: dict[str, float],
        orientation: np.ndarray,
        felt: np.ndarray | None,
        stood: np.ndarray | None,
    ) -> str:
        names = {'o': _ORIENTATION, 'a': _ACCELEROMETER, 'l': _LEGS}
        pair = max(pairs, key=lambda each: angles.get(each, 0.0))
        text = (
            f'{names[pair[0]]} and {names[pair[1]]} disagree about the vertical by '
            f'{angles.get(pair, TILT):.2f} rad'
        )
        others = [each for each in ('o', 'a', 'l') if all(each in p for p in pairs)]
        third = len(angles) == 3 and len(pairs) == 2 and others
        if third:
            agreeing = [names[each] for each in ('o', 'a', 'l') if each not in others]
            text += f'; {agreeing[0]} and {agreeing[1]} agree'
        return text + self._looks_like(pairs, orientation, felt, stood)

    def _looks_like(
        self,
        pairs: list[str],
        orientation: np.ndarray,
        felt: np.ndarray | None,
        stood: np.ndarray | None,
    ) -> str:
        def alike(a: np.ndarray, b: np.ndarray) -> bool:
            return float(a @ b) >= math.cos(ALIKE)

        if 'ol' not in pairs and felt is not None:
            other = vertical_of(orientation) if stood is None else stood
            if alike(-felt, other):
                return ': the accelerometer looks like the opposite sign (at rest +9.81 upwards)'
        reference = stood if stood is not None else felt
        if reference is None or self._missing:
            return ''
        for order, text in ORDERS:
            if alike(vertical_of(order(orientation)), reference):
                return f': the orientation looks like {text}'
        return ''

    # -- consequences ----------------------------------------------------------------------

    def _disagree(self, text: str, by: float) -> None:
        # The first text stays: it names the fault, the later ones its consequences.
        self.disagreement = self.disagreement or text
        self.angle = max(self.angle, by)
        self._right_for = 0.0
        self.confirmed = False

    def _substitute(self, orientation: np.ndarray, rate: np.ndarray) -> None:
        """Orientation and angular velocity from the legs, else from the accelerometer."""
        # A sole that tips a little misleads less than an accelerometer that lags behind a sway.
        if self.soles.flat or self.soles.load > CARRIED * self.soles.weight:
            up = self._imu_in_base.T @ self.soles.vertical
            self.angular_velocity = self._imu_in_base.T @ self.soles.angular_velocity
        else:
            felt = self._felt()
            up = felt if felt is not None else vertical_of(self.orientation)
            self.angular_velocity = np.zeros(3)
        self.orientation = upright_with(up)


def angle(rotation_vector: Iterable[float]) -> float:
    """Length of a (3,) vector."""
    x, y, z = rotation_vector
    return math.sqrt(x * x + y * y + z * z)


def vector(values: Iterable[float]) -> str:
    """(3,) numbers for the operator."""
    return '(' + ', '.join(f'{value:.2f}' for value in values) + ')'


def vertical_of(wxyz: np.ndarray) -> np.ndarray:
    """(3,) the upward vertical in the axes of a body with this orientation."""
    return rotation_matrix(wxyz)[2]


def upright_with(up: np.ndarray) -> np.ndarray:
    """(4,) wxyz: the smallest rotation after which `up` (3,) of the body points upwards."""
    z = np.array([0.0, 0.0, 1.0])
    w = 1.0 + float(up[2])
    if w < 1e-9:
        return np.array([0.0, 1.0, 0.0, 0.0])
    q = np.array([w, *cross(up, z)])
    return q / math.sqrt(float(q @ q))


ORDERS = (
    (lambda q: q[[3, 0, 1, 2]], 'x, y, z, w order (wanted w, x, y, z)'),
    (lambda q: q[[1, 2, 3, 0]], 'w, x, y, z order (wanted x, y, z, w)'),
    (lambda q: q * np.array([1.0, -1.0, -1.0, -1.0]), 'the inverse rotation'),
    (lambda q: q[[1, 0, 3, 2]] * np.array([-1.0, 1.0, 1.0, -1.0]), 'an IMU with z downwards'),
)
"""Wrong conventions of a quaternion stored as w, x, y, z: what undoes each, and its name."""

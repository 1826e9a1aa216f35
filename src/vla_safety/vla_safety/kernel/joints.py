# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Loops over the joints in each tick; formulas: box_limits, limiters, target, chunk.

Plain Python that Cython compiles; see `vla_safety.compiled`. Arrays are (n,) float64 unless noted.
"""

from __future__ import annotations

import cython
from cython.cimports.libc.math import copysign, fabs, isfinite, sqrt

COMPILED: bool = cython.compiled


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _stopping_speed(
    distance: cython.double, rate: cython.double, period: cython.double
) -> cython.double:
    """See `box_limits.stopping_speed`."""
    at: cython.double = rate * period
    speed: cython.double = distance if distance > 0.0 else 0.0
    speed *= rate
    speed += speed
    speed += at * at
    return sqrt(speed) - at


def reach(
    servo: cython.double[:, ::1],
    position: cython.double[::1],
    velocity: cython.double[::1],
    command_velocity: cython.double[::1],
    feed_forward: cython.double[::1],
    window: cython.double[:, ::1],
) -> None:
    """Write where a servo's effort limit lets the command go: `window` (2, n), low and high.

    Args:
        servo: (3, n) compliance, kv, effort limit.
    """
    cython.declare(i=cython.Py_ssize_t)
    cython.declare(middle=cython.double)
    for i in range(position.shape[0]):
        middle = (velocity[i] - command_velocity[i]) * servo[1, i] - feed_forward[i]
        window[0, i] = (middle - servo[2, i]) * servo[0, i] + position[i]
        window[1, i] = (middle + servo[2, i]) * servo[0, i] + position[i]


def bound(
    limits: cython.double[:, ::1],
    state: cython.double[:, ::1],
    window: cython.double[:, ::1],
    highs: cython.double[:, ::1],
    lows: cython.double[:, ::1],
    bounds: cython.double[:, ::1],
    period: cython.double,
    scale: cython.double,
    lag: cython.double,
) -> None:
    """Bounds on the next velocity; see `box_limits`.

    Args:
        limits: (4, n) lower, upper, velocity, acceleration.
        state: (2, n) position and velocity last sent.
        window: (2, n) rad, where torque lets the command go.
        highs, lows: (4, n), written: each bound by itself, before any yields.
        bounds: (3, n), written: low, high, brake.
    """
    cython.declare(i=cython.Py_ssize_t)
    cython.declare(p=cython.double, v=cython.double, a=cython.double, change=cython.double)
    cython.declare(brake=cython.double, top=cython.double, high=cython.double, low=cython.double)
    late: cython.double = (1.0 + lag) * period
    for i in range(state.shape[1]):
        p, v, a = state[0, i], state[1, i], limits[3, i]
        change = a * period
        highs[0, i] = v + change
        lows[0, i] = v - change
        top = limits[2, i] * scale
        highs[1, i] = top
        lows[1, i] = -top
        highs[2, i] = _lagging_speed(limits[1, i] - p, a, late)
        lows[2, i] = -_lagging_speed(p - limits[0, i], a, late)
        highs[3, i] = _stopping_speed(window[1, i] - p, a, period)
        lows[3, i] = -_stopping_speed(p - window[0, i], a, period)
        # The full brake: towards zero, by no more than the change.
        brake = v + change if v + change < 0.0 else 0.0
        brake = brake if brake > v - change else v - change
        high = highs[0, i]
        high = high if high < top else top
        high = high if high < highs[2, i] else highs[2, i]
        high = high if high < highs[3, i] else highs[3, i]
        low = lows[0, i]
        low = low if low > -top else -top
        low = low if low > lows[2, i] else lows[2, i]
        low = low if low > lows[3, i] else lows[3, i]
        # A bound stricter than the full brake, or NaN, becomes the full brake.
        bounds[0, i] = low if low < brake else brake
        bounds[1, i] = high if high > brake else brake
        bounds[2, i] = brake


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _lagging_speed(
    distance: cython.double, rate: cython.double, late: cython.double
) -> cython.double:
    """With lag the distance is shortened by ½aT², and aT² under the root cancels it:

    −aT + √((aT)² + 2a·max(0, d − ½aT²)) = −aT + √max(2ad, (aT)²)
    """
    at: cython.double = rate * late
    squared: cython.double = at * at
    allowed: cython.double = distance * (2.0 * rate)
    return sqrt(allowed if allowed > squared else squared) - at


def approach(
    target: cython.double[:, ::1],
    covered: cython.uchar[::1],
    limits: cython.double[:, ::1],
    state: cython.double[:, ::1],
    closing: cython.double[:, ::1],
    wanted: cython.double[:, ::1],
    inside: cython.double[::1],
    period: cython.double,
    scale: cython.double,
) -> cython.int:
    """The velocity that leads to a moving target; see TargetFollower.

    Args:
        target: (2, n) position and velocity of the target at the period's end; only joints that are
            `covered` (1, else 0) have one. The velocity of one outside the limits is zeroed.
        limits: (4, n), and state: (2, n), as in `bound`.
        closing: (2, n) deceleration that closing a gap counts on, and its delay in s.
        wanted: (2, n), written: the velocity, and the same within the speed limits.
        inside: written: the target's position within the limits.

    Returns:
        How many targets are outside the position limits; −1 if one is not finite.
    """
    cython.declare(i=cython.Py_ssize_t)
    cython.declare(t=cython.double, v=cython.double)
    total: cython.double = 0.0
    cython.declare(error=cython.double, speed=cython.double, top=cython.double)
    outside: cython.int = 0
    for i in range(state.shape[1]):
        if covered[i]:
            total += target[0, i] * target[0, i] + target[1, i] * target[1, i]
    if not isfinite(total):
        return -1
    for i in range(state.shape[1]):
        wanted[0, i] = 0.0
        wanted[1, i] = 0.0
        if not covered[i]:
            inside[i] = target[0, i]
            continue
        t = target[0, i]
        t = limits[0, i] if t < limits[0, i] else t
        t = limits[1, i] if t > limits[1, i] else t
        inside[i] = t
        if t != target[0, i]:
            outside += 1
            target[1, i] = 0.0
        v = target[1, i]
        # Where the target was one period ago, against where the command is: the gap to close.
        error = v * -period + t - state[0, i]
        speed = _stopping_speed(fabs(error), closing[0, i], closing[1, i] + period)
        speed = copysign(speed, error) + v
        wanted[0, i] = speed
        top = limits[2, i] * scale
        speed = -top if speed < -top else speed
        wanted[1, i] = top if speed > top else speed
    return outside


def shape_jerk(
    jerk: cython.double[:, ::1],
    wanted: cython.double[::1],
    velocity: cython.double[::1],
    acceleration: cython.double[::1],
    shaped: cython.double[::1],
    period: cython.double,
) -> None:
    """See `limiters.JerkLimiter`. `jerk` (2, n): its limit, and the largest acceleration."""
    cython.declare(i=cython.Py_ssize_t)
    cython.declare(gap=cython.double, towards=cython.double, change=cython.double)
    for i in range(wanted.shape[0]):
        gap = wanted[i] - velocity[i]
        towards = _stopping_speed(fabs(gap), jerk[0, i], period)
        towards = towards if towards < jerk[1, i] else jerk[1, i]
        towards = copysign(towards, gap)
        change = jerk[0, i] * period
        towards = acceleration[i] - change if towards < acceleration[i] - change else towards
        towards = acceleration[i] + change if towards > acceleration[i] + change else towards
        shaped[i] = towards * period + velocity[i]


def confine(
    values: cython.double[::1], bounds: cython.double[:, ::1], out: cython.double[::1]
) -> cython.double:
    """Write `values` within `bounds` (low and high are its first rows).

    Returns:
        The largest change; infinite if a value is NaN.
    """
    cython.declare(i=cython.Py_ssize_t)
    cython.declare(x=cython.double)
    most: cython.double = 0.0
    for i in range(values.shape[0]):
        x = values[i]
        x = x if x > bounds[0, i] else bounds[0, i]
        x = x if x < bounds[1, i] else bounds[1, i]
        out[i] = x
        x = fabs(x - values[i])
        if not x <= most:
            most = x if x > most else float('inf')
    return most


def differing(
    first: cython.double[::1], second: cython.double[::1], tolerance: cython.double
) -> list[int]:
    """Where two arrays differ by more than `tolerance`."""
    cython.declare(i=cython.Py_ssize_t)
    found: list = []
    for i in range(first.shape[0]):
        if fabs(first[i] - second[i]) > tolerance:
            found.append(i)
    return found


def progress(
    sent: cython.double[::1], wanted: cython.double[::1], moving: cython.double
) -> cython.double:
    """Share 0..1 of `wanted` (rad/s) that is in `sent`, its projection; 1 where no joint is wanted
    faster than `moving`."""
    cython.declare(i=cython.Py_ssize_t)
    cython.declare(have=cython.double, asked=cython.double, fastest=cython.double)
    have = asked = fastest = 0.0
    for i in range(wanted.shape[0]):
        have += sent[i] * wanted[i]
        asked += wanted[i] * wanted[i]
        fastest = fabs(wanted[i]) if fabs(wanted[i]) > fastest else fastest
    if not fastest > moving:
        return 1.0
    have = have / asked
    return 0.0 if not have > 0.0 else (have if have < 1.0 else 1.0)


def commit(
    sent: cython.double[::1],
    state: cython.double[:, ::1],
    acceleration: cython.double[::1],
    period: cython.double,
) -> None:
    """Take `sent` as the velocity for `period` s; the state (2, n) and acceleration follow."""
    cython.declare(i=cython.Py_ssize_t)
    for i in range(sent.shape[0]):
        acceleration[i] = (sent[i] - state[1, i]) / period
        state[1, i] = sent[i]
        state[0, i] += sent[i] * period


def play(
    coefficients: cython.double[:, :, ::1],
    segment: cython.Py_ssize_t,
    time: cython.double,
    speed: cython.double,
    fading: cython.double[::1],
    joints: cython.Py_ssize_t[::1],
    target: cython.double[:, ::1],
) -> None:
    """Position and velocity of a chunk's segment, `time` s after its start; see ChunkTracker.

    Args:
        coefficients: (segments, order + 3, k): polynomial, lowest power first, then the two curves
            that fade.
        speed: of playback.
        fading: (4,) value of the two fading curves, then their rates.
        joints: (k,) of the columns.
        target: (2, n), written at `joints`.
    """
    cython.declare(i=cython.Py_ssize_t, e=cython.Py_ssize_t, joint=cython.Py_ssize_t)
    cython.declare(c=cython.double, value=cython.double, rate=cython.double)
    last: cython.Py_ssize_t = coefficients.shape[1] - 3
    for i in range(joints.shape[0]):
        joint = joints[i]
        # Horner, for the value and its derivative.
        value = 0.0
        rate = 0.0
        for e in range(last, -1, -1):
            c = coefficients[segment, e, i]
            rate = rate * time + value
            value = value * time + c
        rate *= speed
        c = coefficients[segment, last + 1, i]
        value += fading[0] * c
        rate += fading[2] * c
        c = coefficients[segment, last + 2, i]
        target[0, joint] = value + fading[1] * c
        target[1, joint] = rate + fading[3] * c

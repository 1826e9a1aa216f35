# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Loops of the coupled limits: brake paths, bounds, rows, and Hildreth's method.

Plain Python that Cython compiles; see `vla_safety.compiled`. The formulas are explained by the
callers: coupled/brake_path, nearest_first, braking_barriers, qp.
"""

from __future__ import annotations

import cython
from cython.cimports.libc.math import copysign, fabs, isfinite

COMPILED: bool = cython.compiled


def brake(
    position: cython.double[::1],
    velocity: cython.double[::1],
    acceleration: cython.double[::1],
    path: cython.double[:, ::1],
    period: cython.double,
) -> cython.double:
    """Fill a brake path (6, n): start, stop, sweep, speed, time and velocity of each joint.

    Returns:
        s, until the last joint rests.
    """
    cython.declare(i=cython.Py_ssize_t)
    cython.declare(speed=cython.double, sweep=cython.double)
    longest: cython.double = 0.0
    for i in range(position.shape[0]):
        speed = fabs(velocity[i]) - 0.5 * acceleration[i] * period
        # Not `> 0`: NaN stays visible.
        speed = 0.0 if speed <= 0.0 else speed
        sweep = 0.5 * speed * speed / acceleration[i]
        path[0, i] = position[i]
        path[1, i] = position[i] + copysign(sweep, velocity[i])
        path[2, i] = sweep
        path[3, i] = speed
        path[4, i] = speed / acceleration[i]
        path[5, i] = velocity[i]
        if not path[4, i] <= longest:
            longest = path[4, i]
    return longest


def along(
    path: cython.double[:, ::1],
    acceleration: cython.double[::1],
    time: cython.double,
    position: cython.double[::1],
) -> None:
    """Write where each joint is on a brake path, `time` s after the start."""
    cython.declare(i=cython.Py_ssize_t)
    cython.declare(t=cython.double, way=cython.double)
    for i in range(position.shape[0]):
        t = path[4, i] if path[4, i] < time else time
        way = (path[3, i] - 0.5 * acceleration[i] * t) * t
        position[i] = path[0, i] + copysign(way, path[5, i])


def candidates(
    path: cython.double[:, ::1],
    velocity: cython.double[::1],
    acceleration: cython.double[::1],
    distance_bounds: cython.double[:, ::1],
    known: cython.double[:, ::1],
    ends: cython.double[:, ::1],
    moves: cython.double[:, ::1],
    changes: cython.double[:, ::1],
    needs: cython.double[:, ::1],
    period: cython.double,
    lag: cython.double,
    typical: cython.double,
) -> list[int]:
    """Quantities that a path could bring to their zero, or the next command near it.

    Args:
        path: (6, n), see `brake`.
        distance_bounds: (n, m).
        known: (2, m) lower bounds at the path's ends; lowered by what the joints have moved.
        ends: (2, n) the ends of the path before; overwritten.
        moves: (4, n) scratch; its last row is, after, how far the next command and the lag can
            move each joint's stop.
        changes: (4, m) scratch; its last two rows are, after, the most that each quantity can
            change along the path, and by the next command as a rule (`typical` of the most).
        needs: (2, m) value at which each barrier ends; twice what it must keep along a path.
    """
    cython.declare(i=cython.Py_ssize_t, k=cython.Py_ssize_t)
    m: cython.Py_ssize_t = distance_bounds.shape[1]
    cython.declare(speed=cython.double, starting=cython.double)
    cython.declare(far=cython.bint)
    found: list = []
    for i in range(velocity.shape[0]):
        moves[0, i] = fabs(path[0, i] - ends[0, i])
        moves[1, i] = fabs(path[1, i] - ends[1, i])
        ends[0, i] = path[0, i]
        ends[1, i] = path[1, i]
        moves[2, i] = path[2, i]
        # From the full brake to the other end of the box is 2aT, and each rad/s of it moves the
        # stop by its leverage: at most |v|/a + 9T/8 + lag. And the lag itself, |v|·lag. A
        # joint at rest is assumed to stay: where it does not, the proof finds it.
        speed = fabs(velocity[i])
        starting = acceleration[i] * (1.125 * period + lag)
        starting = speed if speed < starting else starting
        moves[3, i] = (speed * (1.0 + lag / (2.0 * period)) + starting) * (2.0 * period)
    _products(moves, distance_bounds, changes)
    for k in range(m):
        known[0, k] -= changes[0, k]
        known[1, k] -= changes[1, k]
        changes[3, k] *= typical
        # Not `< 0`: NaN is near.
        far = (
            known[1, k] - needs[0, k] - changes[3, k] >= 0.0
            and known[0, k] + known[1, k] - changes[2, k] >= needs[1, k]
        )
        if not far:
            found.append(k)
    return found


@cython.cfunc
@cython.boundscheck(False)
def _products(
    moves: cython.double[:, ::1],
    distance_bounds: cython.double[:, ::1],
    changes: cython.double[:, ::1],
) -> cython.void:
    """changes = moves·distance_bounds, in an order that the compiler can vectorize."""
    cython.declare(i=cython.Py_ssize_t, k=cython.Py_ssize_t, r=cython.Py_ssize_t)
    m: cython.Py_ssize_t = distance_bounds.shape[1]
    cython.declare(move=cython.double)
    if changes.shape[1] != m or changes.shape[0] != 4 or moves.shape[1] != distance_bounds.shape[0]:
        raise IndexError('distance bounds of other joints or quantities')
    for r in range(4):
        for k in range(m):
            changes[r, k] = 0.0
        for i in range(moves.shape[1]):
            move = moves[r, i]
            if move == 0.0:
                continue
            for k in range(m):
                changes[r, k] += move * distance_bounds[i, k]


def constrain(
    gradient: cython.double[:, ::1],
    along_row: cython.double[:, ::1],
    count: cython.Py_ssize_t,
    motion: cython.double[:, ::1],
    acceleration: cython.double[::1],
    wanted: cython.double[::1],
    scaled: cython.double[:, ::1],
    demand: cython.double[:, ::1],
    period: cython.double,
    lag: cython.double,
    gamma: cython.double,
    give: cython.double,
    recovery: cython.double,
) -> cython.double:
    """The rows of the QP, and by how much the wanted velocity falls short of them.

    Args:
        gradient: (…, n), of which the first `count` rows count.
        along_row: (2, …) s on the brake path and m of clearance, of each row.
        motion: (2, n) velocity sent and full brake.
        scaled: (…, n), written: the rows over u.
        demand: (4, …), written: the least value of each row; the same, moving away where it began
            between floor and margin; how far the wanted velocity is short of that; the clearance,
            less the servos' overshoot.
        gamma: share of a clearance that may be used up.
        give: m, how far below zero a clearance is still requested back.
        recovery: share of a lost clearance that is requested back.

    Returns:
        The largest shortage; NaN if one is NaN.
    """
    cython.declare(i=cython.Py_ssize_t, k=cython.Py_ssize_t)
    n: cython.Py_ssize_t = wanted.shape[0]
    cython.declare(g=cython.double, most=cython.double, slope=cython.double, time=cython.double)
    cython.declare(clearance=cython.double, lagging=cython.double, floor=cython.double)
    cython.declare(have=cython.double)
    worst: cython.double = float('-inf')
    moving: cython.bint = False
    for i in range(n):
        if wanted[i] != 0.0:
            moving = True
    for k in range(count):
        time = along_row[0, k]
        time = period if time < period else time
        lagging = 0.0
        floor = 0.0
        have = 0.0
        for i in range(n):
            g = gradient[k, i]
            if g == 0.0:
                scaled[k, i] = 0.0
                continue
            # How far u moves the joint on its brake path, its leverage; see BrakePath.
            most = fabs(motion[0, i]) / acceleration[i] + 0.5 * period
            most = 1.125 * period if most < 1.125 * period else most
            slope = (time if time < most else most) + lag
            lagging += g * motion[1, i]
            g *= slope
            scaled[k, i] = g
            floor += g * motion[1, i]
            have += g * wanted[i]
        lagging *= lag
        clearance = along_row[1, k]
        if not lagging >= 0.0:
            clearance += lagging
        if not clearance <= 0.0:
            floor -= gamma * clearance
        demand[0, k] = floor
        # A linear row at a box's edge may be a little too generous, and a lost clearance stays
        # lost. So between floor and margin a robot that moves anyway moves away, if it can.
        if moving and clearance < 0.0 and clearance > -give:
            floor -= recovery * clearance
        demand[1, k] = floor
        demand[2, k] = floor - have
        demand[3, k] = clearance
        if not demand[2, k] <= worst:
            worst = demand[2, k] if demand[2, k] > worst else float('nan')
    return worst


def path_share(
    wanted: cython.double[::1],
    low: cython.double[::1],
    high: cython.double[::1],
    demand: cython.double[:, ::1],
    count: cython.Py_ssize_t,
) -> cython.double:
    """The largest s in [0, 1] for which s·wanted is in the box and satisfies the rows; -1 if none.

    Args:
        demand: (4, …) of `constrain`, of which the first `count` columns count.
    """
    cython.declare(i=cython.Py_ssize_t, k=cython.Py_ssize_t)
    cython.declare(w=cython.double, floor=cython.double, have=cython.double)
    least: cython.double = 0.0
    most: cython.double = 1.0
    for i in range(wanted.shape[0]):
        w = wanted[i]
        if w > 0.0:
            least = low[i] / w if low[i] > least * w else least
            most = high[i] / w if high[i] < most * w else most
        elif w < 0.0:
            least = high[i] / w if high[i] < least * w else least
            most = low[i] / w if low[i] > most * w else most
        elif not low[i] <= 0.0 <= high[i]:
            return -1.0
    for k in range(count):
        floor = demand[0, k]
        have = demand[1, k] - demand[2, k]
        if have > 0.0:
            least = floor / have if floor > least * have else least
        elif have < 0.0:
            most = floor / have if floor > most * have else most
        elif not floor <= 0.0:
            return -1.0
    return most if 0.0 <= least <= most else -1.0


def solve_hildreth(
    wanted: cython.double[::1],
    low: cython.double[::1],
    high: cython.double[::1],
    rows: cython.double[:, ::1],
    floor: cython.double[::1],
    tolerance: cython.double,
    steps: cython.Py_ssize_t,
    free: cython.double[::1],
    multipliers: cython.double[::1],
    answer: cython.double[::1],
) -> cython.bint:
    """Solve a QP that few rows decide; False where `steps` do not suffice.

    With multipliers λ ≥ 0 the answer is u = clip(wanted + λ·rows, low, high) (KKT). Coordinate
    ascent in the dual (Hildreth 1957), the row that is furthest from its condition first: its
    multiplier is set to the root at which g·u = f, or to 0, the others held. One row alone is
    solved by the first step; and an answer is given only where every condition holds.

    Args:
        rows: (k, n), floor: (k,).
        free: (n,) and multipliers: at least (k,), scratch.
        answer: (n,), written.
    """
    cython.declare(i=cython.Py_ssize_t, k=cython.Py_ssize_t, _step=cython.Py_ssize_t)
    cython.declare(_newton=cython.Py_ssize_t)
    n: cython.Py_ssize_t = wanted.shape[0]
    cython.declare(worst=cython.Py_ssize_t)
    cython.declare(lack=cython.double, off=cython.double, most=cython.double, slope=cython.double)
    cython.declare(before=cython.double, u=cython.double, g=cython.double)
    for i in range(n):
        free[i] = wanted[i]
        u = wanted[i]
        u = u if u > low[i] else low[i]
        answer[i] = u if u < high[i] else high[i]
    for k in range(floor.shape[0]):
        multipliers[k] = 0.0
    for _step in range(steps):
        worst = -1
        most = tolerance
        for k in range(floor.shape[0]):
            lack = floor[k]
            for i in range(n):
                lack -= rows[k, i] * answer[i]
            off = lack if lack >= 0.0 or multipliers[k] > 0.0 else 0.0
            off = off if off >= 0.0 else -off
            if not off <= most:
                most = off
                worst = k
        if worst < 0:
            return True
        for _newton in range(n):
            lack = floor[worst]
            slope = 0.0
            for i in range(n):
                g = rows[worst, i]
                lack -= g * answer[i]
                if low[i] < answer[i] < high[i]:
                    slope += g * g
            if -tolerance <= lack <= tolerance or (lack < 0.0 and multipliers[worst] <= 0.0):
                break
            if not slope > 0.0:
                # Every joint of the row is at an edge of the box, where the way back is kinked.
                return False
            before = multipliers[worst]
            multipliers[worst] = before + lack / slope
            if not multipliers[worst] > 0.0:
                multipliers[worst] = 0.0
            for i in range(n):
                free[i] += (multipliers[worst] - before) * rows[worst, i]
                u = free[i]
                u = u if u > low[i] else low[i]
                answer[i] = u if u < high[i] else high[i]
    return False


def is_feasible(
    answer: cython.double[::1],
    low: cython.double[::1],
    high: cython.double[::1],
    rows: cython.double[:, ::1],
    floor: cython.double[::1],
    tolerance: cython.double,
) -> cython.bint:
    """Whether an answer, brought inside the box, satisfies rows·u ≥ floor − tolerance."""
    cython.declare(i=cython.Py_ssize_t, k=cython.Py_ssize_t)
    cython.declare(u=cython.double, have=cython.double)
    for i in range(answer.shape[0]):
        u = answer[i]
        u = u if u > low[i] else low[i]
        answer[i] = u if u < high[i] else high[i]
    for k in range(floor.shape[0]):
        have = -floor[k]
        for i in range(answer.shape[0]):
            have += rows[k, i] * answer[i]
        if not have >= -tolerance:
            return False
    return True


def is_finite(
    wanted: cython.double[::1], rows: cython.double[:, ::1], floor: cython.double[::1]
) -> cython.bint:
    """Whether a problem holds neither NaN nor infinity, by the sum of its squares."""
    cython.declare(i=cython.Py_ssize_t, k=cython.Py_ssize_t)
    total: cython.double = 0.0
    for i in range(wanted.shape[0]):
        total += wanted[i] * wanted[i]
    for k in range(floor.shape[0]):
        total += floor[k] * floor[k]
        for i in range(rows.shape[1]):
            total += rows[k, i] * rows[k, i]
    return isfinite(total)

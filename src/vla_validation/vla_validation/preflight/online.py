# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Checks of the running robot: (subject, observed) -> (result, evidence)."""

import math

from vla_common.cameras import camera_node, heartbeat_topic
from vla_common.preflight_record import CheckState
from vla_validation.preflight.observed import Observed
from vla_validation.preflight.subject import Subject

PASS, FAIL, CHECK = CheckState
Found = tuple[CheckState, str]

SLOWEST = 0.8
"""Share of a configured rate that counts as kept."""
CAMERA_RATE = 10.0  # Hz, where none is configured
HOTTEST = 70.0  # °C of a motor or a driver
EMPTIEST = 0.3  # of the battery
MOST_LOST = 20  # messages of the some thousands while the robot is observed
CENTER = 0.2
"""Share of the picture by which the principal point may be off its middle. A calibration of another
size is off by more."""


def same_configuration(subject: Subject, seen: Observed) -> Found:
    mine, theirs = subject.digests()['configuration'], seen.of('supervisor', 'configuration')
    if not theirs:
        return FAIL, 'the supervisor does not report what it was launched with'
    if mine != theirs:
        given = subject.given or 'no arguments'
        return FAIL, f'the robot was launched with other values than {given}'
    return PASS, f'configuration {mine[:12]}'


def nodes_active(subject: Subject, seen: Observed) -> Found:
    if seen.nodes_missing:
        return FAIL, '; '.join(seen.nodes_missing)
    lacking = set(subject.nodes) - set(seen.nodes_active)
    if lacking:
        return FAIL, f'not supervised: {", ".join(sorted(lacking))}'
    return PASS, f'mode {seen.mode}; {len(seen.nodes_active)} nodes active'


def robot_connection(subject: Subject, seen: Observed) -> Found:
    rate = float(subject.parameters['hardware_driver']['rate'])
    text = (
        f'{seen.joint_rate:.0f} of {rate:g} readings/s, at most {1e3 * seen.joint_age:.0f} ms old, '
        f'{seen.errors} errors, real-time factor {seen.real_time_factor:.2f}'
    )
    if seen.fault:
        return FAIL, f'{seen.fault}; {text}'
    good = seen.joint_rate >= SLOWEST * rate and not seen.errors and seen.real_time_factor >= 0.9
    return (PASS if good else FAIL), text


def joint_order(subject: Subject, seen: Observed) -> Found:
    wanted, found = list(subject.robot.joint_names), list(seen.positions)
    if found == wanted:
        return PASS, f'{len(found)} joints in the order of robot.yaml'
    if sorted(found) == sorted(wanted):
        at = next(i for i, (a, b) in enumerate(zip(found, wanted, strict=True)) if a != b)
        return FAIL, f'permuted: joint {at} is {found[at]}, wanted {wanted[at]}'
    missing, more = set(wanted) - set(found), set(found) - set(wanted)
    return FAIL, f'missing: {sorted(missing)}, unknown: {sorted(more)}'


def joint_limits(subject: Subject, seen: Observed) -> Found:
    """Where the joints are now; a robot in degrees is far outside."""
    limits, worst, where = subject.robot.limits, math.inf, ''
    for name, position in seen.positions.items():
        i = subject.robot.index.get(name)
        if i is None:
            continue
        if not math.isfinite(position):
            return FAIL, f'{name} is at {position}'
        room = min(position - float(limits.lower[i]), float(limits.upper[i]) - position)
        if room < worst:
            worst, where = room, f'{name} at {position:.2f} rad'
    if not where:
        return FAIL, 'no joint was read'
    text = f'nearest to its limit: {where}, {worst:.2f} rad inside'
    return (PASS, text) if worst >= -0.01 else (FAIL, f'{where} is {-worst:.2f} rad beyond a limit')


def temperatures(subject: Subject, seen: Observed) -> Found:
    found = {}
    for node, values in seen.values.items():
        for key, text in values.items():
            if 'temperature' in key:
                try:
                    found[f'{node}: {key}'] = float(text.split()[0])
                except (ValueError, IndexError):
                    return FAIL, f'{node}: {key} is {text!r}'
    if not found:
        return _not_published(subject, 'no driver publishes a temperature')
    name = max(found, key=lambda key: found[key])
    hot = not found[name] <= HOTTEST
    return (FAIL if hot else PASS), f'hottest: {name} {found[name]:.0f} °C, limit {HOTTEST:.0f}'


def battery(subject: Subject, seen: Observed) -> Found:
    share, voltage = seen.battery or (math.nan, math.nan)
    # The driver's placeholder has no voltage: its share is not measured either.
    if seen.battery is None or not (math.isfinite(share) and math.isfinite(voltage)):
        return _not_published(subject, 'no driver measures the battery')
    text = f'{share:.0%}, {voltage:.1f} V, wanted at least {EMPTIEST:.0%}'
    return (PASS if share >= EMPTIEST else FAIL), text


def _not_published(subject: Subject, text: str) -> Found:
    return (PASS, f'{text}; a simulated robot') if subject.simulated else (CHECK, text)


def cameras(subject: Subject, seen: Observed) -> Found:
    """Present, at their rate, fresh; calibrated for the size that they send."""
    texts, uncalibrated = [], []
    for name in subject.cameras:
        node = camera_node(name)
        camera = seen.cameras.get(node)
        if camera is None:
            return FAIL, f'{node}: no image arrived'
        oldest = subject.timeout(node)
        rate = float(subject.parameters[node]['rate']) or CAMERA_RATE / SLOWEST
        text = (
            f'{node}: {camera.width}x{camera.height}, {camera.rate:.1f} Hz (wanted '
            f'{SLOWEST * rate:.0f}), at most {1e3 * camera.age:.0f} ms old '
            f'(wanted {1e3 * oldest:.0f})'
        )
        if not (camera.rate >= SLOWEST * rate and camera.age <= oldest):
            return FAIL, text
        if camera.focal > 0.0:
            off = max(
                abs(c / size - 0.5)
                for c, size in zip(camera.center, (camera.width, camera.height), strict=True)
            )
            if not off <= CENTER:
                return FAIL, f'{text}; its calibration is of another size'
        else:
            uncalibrated.append(node)
        texts.append(text)
    if uncalibrated and not subject.simulated:
        return CHECK, f'{"; ".join(texts)}; not calibrated: {", ".join(uncalibrated)}'
    return PASS, '; '.join(texts)


def endpoints(subject: Subject, seen: Observed) -> Found:
    found = seen.of('supervisor', 'endpoints')
    if found:
        return PASS, found
    if subject.simulated and not subject.parameters['supervisor']['require_endpoint']:
        return PASS, 'none; not required for a simulated robot'
    return FAIL, 'no e-stop endpoint is registered'


def watchdogs(subject: Subject, seen: Observed) -> Found:
    """Every node is watched by its own heartbeat, from one publisher."""
    for node in subject.nodes:
        topic = heartbeat_topic(node)
        if seen.publishers.get(topic, 0) != 1:
            return FAIL, f'{seen.publishers.get(topic, 0)} publishers on {topic}, wanted 1'
    return PASS, ', '.join(f'{n} {1e3 * subject.timeout(n):.0f} ms' for n in subject.nodes)


def recording(subject: Subject, seen: Observed) -> Found:
    found = seen.of('recorder')
    if found.startswith('recording') and seen.lost > MOST_LOST:
        return FAIL, f'{seen.lost} messages were lost while the robot was observed'
    if found.startswith('recording'):
        return PASS, f'{found}; {seen.of("recorder", "session")}'
    return FAIL, found or 'no recorder runs'


def estop(subject: Subject, seen: Observed) -> Found:
    return _exercised(seen, 'estop')


def watchdogs_tripped(subject: Subject, seen: Observed) -> Found:
    return _exercised(seen, 'watchdog')


def _exercised(seen: Observed, kind: str) -> Found:
    found = [e for e in seen.exercised if e.name.startswith(kind)]
    text = '; '.join(map(str, found)) or 'it could not be exercised'
    return (PASS if found and all(e.good for e in found) else FAIL), text

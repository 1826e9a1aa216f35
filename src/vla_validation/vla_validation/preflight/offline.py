# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Checks that need no running robot: (subject) -> (result, evidence). ConfigError is a FAIL."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from vla_camera.calibration_file import read_calibration
from vla_common.cameras import is_camera_node
from vla_common.errors import ConfigError
from vla_common.preflight_record import CheckState
from vla_inference.configure import blank_observation
from vla_policy.bundle.bundle import load_bundle
from vla_policy.types import PolicyError
from vla_robot.check import check_robot
from vla_safety.coupled.build import named_frames
from vla_validation.host import checks as host
from vla_validation.host.ping import round_trips
from vla_validation.preflight.subject import Subject

PASS, FAIL, CHECK = CheckState
Found = tuple[CheckState, str]

CALLS, WARM_UP = 40, 5
SPARE = 1.0  # GB beyond what the recorder leaves free


def bundle_hashed(subject: Subject) -> Found:
    if subject.remote:
        return CHECK, 'a policy server: the person who runs it knows which model it serves'
    bundle = load_bundle(subject.bundle, subject.robot, accept_failed=True)
    return PASS, f'{bundle.title} in {subject.bundle}: {len(bundle.files)} files match their hashes'


def bundle_verified(subject: Subject) -> Found:
    if subject.remote:
        return CHECK, 'a policy server: its bundle is not on this computer'
    bundle = load_bundle(subject.bundle, subject.robot, accept_failed=True)
    if not bundle.has_model:
        return PASS, f'{bundle.title} has no model file'
    found = bundle.verification
    if found is None:
        return FAIL, f'{bundle.title} was never compared with the model it was made from'
    if found.model_sha256 != bundle.model_sha256:
        return FAIL, 'its verification is of another model file'
    if not found.passed:
        return FAIL, f'it failed its verification: {found.reason}'
    return PASS, (
        f'the same policy as {found.reference}: {found.observations} observations, '
        f'largest error {found.max_error_rad:.2g} rad'
    )


def bundle_loads(subject: Subject) -> Found:
    began = time.monotonic()
    policy = subject.loaded
    name = policy.bundle.title
    return PASS, f'{name} loaded in {time.monotonic() - began:.1f} s for {subject.robot.name}'


def bundle_latency(subject: Subject) -> Found:
    """A chunk counts until the filter's `chunk.max_age` after its image, which may be as old as
    `observation.max_age` when the call begins."""
    filter_, inference = subject.parameters['safety_filter'], subject.parameters['inference']
    left = filter_['chunk.max_age'] - inference['observation.max_age']
    budget = min(inference['policy_timeout'], left)
    if not budget > 0.0:
        return FAIL, f'chunk.max_age leaves {left:.3f} s for a call after observation.max_age'
    policy = subject.loaded
    observation = blank_observation(policy, subject.robot)
    times = []
    try:
        for number in range(WARM_UP + CALLS):
            began = time.perf_counter()
            if number == 0:
                policy.first_call(observation, inference['first_call_timeout'])
            else:
                policy.predict(observation)
            if number >= WARM_UP:
                times.append(time.perf_counter() - began)
    except PolicyError as error:
        return FAIL, f'the policy does not answer a black image: {error}'
    finally:
        policy.reset()
    p50, p95 = np.percentile(times, [50, 95])
    text = f'p50 {1e3 * p50:.1f}, p95 {1e3 * p95:.1f} ms of {1e3 * budget:.0f} (n {CALLS})'
    period = 1.0 / inference['inference_frequency']
    if p95 > period:
        text += f'; slower than the period of {1e3 * period:.0f} ms: fewer chunks'
    return (PASS if p95 <= budget else FAIL), text


def robot_directory(subject: Subject) -> Found:
    """Limits, masses, servos: `ros2 run vla_robot check` has the details."""
    robot = subject.robot
    findings = check_robot(robot, None).findings
    if findings:
        return FAIL, f'{len(findings)} findings, the first: {findings[0]}'
    return PASS, f'{robot.name}: {robot.n} joints, {robot.total_mass:.1f} kg, nothing found'


def safety_limits(subject: Subject) -> Found:
    """Speeds and accelerations are reduced, never raised; the poses lie inside every limit."""
    values, robot = subject.parameters['safety_filter'], subject.robot
    for name in ('velocity_fraction', 'acceleration_fraction', 'effort_fraction'):
        if not 0.0 < values[f'limits.{name}'] <= 1.0:
            return FAIL, f'limits.{name} is {values[f"limits.{name}"]:g}, wanted above 0 up to 1'
    lower, upper = (np.array(values[f'workspace.{side}'], float) for side in ('lower', 'upper'))
    if not (lower < upper).all():
        return FAIL, f'workspace.lower {lower.tolist()} is not below upper {upper.tolist()}'
    named = named_frames(values['workspace.frames'], robot)
    frames = [name for name in named if name in robot.frames]
    kinematics = robot.kinematics()
    for pose, q in robot.poses.items():
        outside = (q < robot.limits.lower) | (q > robot.limits.upper)
        if outside.any():
            return FAIL, f'pose {pose}: {robot.joint_names[int(outside.argmax())]} beyond its limit'
        kinematics.update(q)
        turn, origin = kinematics.frame('base')
        for name in frames:
            at = turn.T @ (kinematics.frame(name)[1] - origin)
            if not ((lower <= at) & (at <= upper)).all():
                return (
                    FAIL,
                    f'pose {pose}: {name} at {np.round(at, 2).tolist()} is out of workspace',
                )
    return PASS, (
        f'{len(robot.poses)} poses inside joint limits and workspace; velocities × '
        f'{values["limits.velocity_fraction"]:g}, stage {values["stage"]}'
    )


def stage(subject: Subject) -> Found:
    found = subject.parameters['safety_filter']['stage']
    if subject.simulated or found == 'slow':
        return PASS, f'stage {found}, driver {subject.driver}'
    return CHECK, f'stage {found} on a real robot: speeds are not reduced'


def calibration(subject: Subject) -> Found:
    """Calibration files that are named, for the size that is set."""
    read, without = [], []
    for node, values in subject.parameters.items():
        if not is_camera_node(node) or values['source'] in ('mujoco', 'topic', 'realsense'):
            continue
        if not values['calibration']:
            without.append(node)
            continue
        if values['width'] and values['height']:
            read_calibration(values['calibration'], values['width'], values['height'])
        read.append(f'{node}: {values["calibration"]}')
    if without:
        return CHECK, f'{", ".join(without)}: not calibrated; fine where the policy needs no rays'
    return PASS, '; '.join(read) or 'the sources bring their own'


def computer(subject: Subject) -> Found:
    found = [check(Path('/')) for check in host.STATIC]
    wrong = [f'{c.name}: {c.evidence}' for c in found if c.result is FAIL]
    good = ', '.join(c.name for c in found if c.result is PASS)
    return (FAIL, '; '.join(wrong)) if wrong else (PASS, good)


def clock(subject: Subject) -> Found:
    if not subject.address and not subject.remote:
        return PASS, 'one computer: no clock to compare with'
    found = host.clock()
    return found.result, found.evidence


def network(subject: Subject) -> Found:
    if subject.address:
        pings = 50
        found = host.round_trip(subject.address, round_trips(subject.address, pings), pings)
        return found.result, found.evidence
    if subject.simulated:
        return PASS, 'the simulated robot is on this computer'
    return CHECK, 'no --address given: is the robot on a bus or socket of this computer?'


def disk(subject: Subject) -> Found:
    recorder = subject.parameters.get('recorder', {})
    folder = Path(os.path.expanduser(recorder.get('directory', '~/vla_sessions'))).absolute()
    found = host.disk(folder, recorder.get('min_free', 2.0) + SPARE)
    return found.result, found.evidence


def of_files(check: Callable[[Subject], Found], subject: Subject) -> Found:
    """The check; a file that cannot be used is a FAIL with the error as evidence."""
    try:
        return check(subject)
    except ConfigError as error:
        return FAIL, str(error)

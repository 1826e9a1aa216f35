# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""An arm that follows a late policy through the safety filter, in simulated time."""

from dataclasses import dataclass

import numpy as np

from vla_inference.blender import Blender, BlendingParameters
from vla_policy.types import Observation
from vla_safety.parameters import FilterParameters
from vla_safety.pipeline import Chunk, SafetyPipeline
from vla_validation.blending.flow_expert import FlowPolicy, GaussianExpert

DT = 0.01
FRAME = 1.0 / 15.0
SETTLE = 2.0
"""s at the beginning that do not count: the arm first goes to where the motion is."""
UPRIGHT = np.array([1.0, 0.0, 0.0, 0.0])
ARM = ('left_shoulder_pitch', 'left_shoulder_roll', 'left_elbow', 'left_wrist_pitch')


@dataclass(frozen=True)
class TrackingOutcome:
    """The outcome of one run. error: rad, RMS to the nearer of the expert's motions. jumps (b, 3):
    position rad, velocity rad/s, acceleration rad/s^2 of each border as requested. acceleration,
    jerk: of what the filter sent, the largest acceleration rad/s^2 and the RMS jerk rad/s^3.
    beyond: how far a command went beyond the filter's own limits, 0 if never."""

    error: float
    jumps: np.ndarray
    acceleration: float
    jerk: float
    beyond: float
    starved: float
    chunks: int


def run(
    robot,
    parameters: FilterParameters,
    blending: BlendingParameters,
    delay: float,
    duration: float = 20.0,
    seed: int = 0,
    guided: bool = True,
) -> TrackingOutcome:
    """delay: s from a frame to its chunk; one call at a time, as in the node. guided: the policy is
    given the prefix, as flow-matching heads can be."""
    pipeline = SafetyPipeline(robot, parameters, DT)
    indices = np.array([robot.index[name] for name in ARM])
    position = robot.poses['ready'].copy() if 'ready' in robot.poses else robot.poses['standing']
    expert = GaussianExpert(position[indices])
    policy = FlowPolicy(expert, ARM, indices, seed)
    blender = Blender(blending)
    pipeline.reset(position)
    velocity = np.zeros(robot.n)
    pending = None
    next_frame = 0.0
    errors, path, jumps, starved, chunks = [], [], [], 0.0, 0
    for tick in range(round(duration / DT)):
        now = tick * DT
        if pending is not None and now >= pending[1] - 1e-9:
            stamp, _, chunk = pending
            pending = None
            joined = blender.join(chunk, _ns(stamp), _ns(now))
            if joined.chunk is not None:
                wanted = Chunk(indices, joined.chunk.times, joined.chunk.positions, stamp)
                if not pipeline.accept(wanted, now):
                    chunks += 1
                    if now >= SETTLE:
                        starved += joined.starved
                        step = joined.jump
                        jumps.append((step.position, step.velocity, step.acceleration))
        if pending is None and now >= next_frame - 1e-9:
            prefix = blender.prefix(_ns(now)) if guided else None
            seen = Observation({}, position, velocity, UPRIGHT, '', _ns(now), now, prefix)
            # The answer is computed now from what is seen now, and held back for the delay.
            pending = (now, now + delay, policy.predict(seen))
            next_frame = max(next_frame + FRAME, now)
        output = pipeline.tick(now, DT, position, velocity)
        position, velocity = output.position, output.velocity
        if now >= SETTLE:
            errors.append(expert.distance(now + DT, position[indices]))
            path.append(velocity[indices].copy())
    path = np.array(path)
    acceleration = np.diff(path, axis=0) / DT
    jerk = np.diff(acceleration, axis=0) / DT
    limit = robot.limits.acceleration[indices] * parameters.acceleration_fraction
    fastest = robot.limits.velocity[indices] * parameters.velocity_fraction
    beyond = max(
        0.0,
        float((np.abs(path) - fastest).max()) * DT,
        float((np.abs(acceleration) - limit).max()) * DT * DT,
    )
    return TrackingOutcome(
        error=float(np.sqrt(np.mean(np.square(errors)))),
        jumps=np.array(jumps).reshape(-1, 3),
        acceleration=float(np.abs(acceleration).max()),
        jerk=float(np.sqrt(np.mean(jerk**2))),
        beyond=beyond if beyond > 1e-12 else 0.0,
        starved=starved,
        chunks=chunks,
    )


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)

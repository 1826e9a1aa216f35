# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A policy that fails on purpose, for tests. It wraps a policy that works."""

import dataclasses
import threading

import numpy as np

from vla_policy.types import ActionChunk, Observation, Policy, PoseError


class FaultyPolicy(Policy):
    """Fails as set by `fault`, one of FAULTS; works while it is ''.

    hang: waits until `release` is set. sleep: answers after `delay` s. raise: an exception other
    than PolicyError. nan, shape, unknown, empty, far: an answer that cannot be used. unreachable:
    an end effector stays short of its target.
    """

    FAULTS = ('hang', 'sleep', 'raise', 'nan', 'shape', 'unknown', 'empty', 'far')
    UNREACHABLE = PoseError(0.3, 0.0, 0.3, 'cannot follow: hand stays 0.300 m short')

    def __init__(self, policy: Policy, fault: str = '', delay: float = 1.0) -> None:
        self._policy = policy
        self.bundle = policy.bundle
        self.fault = fault
        self.delay = delay
        self.calls = 0
        self.release = threading.Event()

    def check(self, instruction: str) -> None:
        self._policy.check(instruction)

    def reset(self) -> None:
        self._policy.reset()

    def predict(self, observation: Observation) -> ActionChunk:
        self.calls += 1
        chunk = self._policy.predict(observation)
        if self.fault == 'hang':
            self.release.wait()
        elif self.fault == 'sleep':
            self.release.wait(self.delay)
        elif self.fault == 'raise':
            raise RuntimeError('a policy that raises')
        elif self.fault == 'nan':
            positions = chunk.positions.copy()
            positions[-1, 0] = np.nan
            return dataclasses.replace(chunk, positions=positions)
        elif self.fault == 'shape':
            return dataclasses.replace(chunk, positions=chunk.positions[:, :-1])
        elif self.fault == 'unknown':
            return dataclasses.replace(chunk, joints=('tail', *chunk.joints[1:]))
        elif self.fault == 'empty':
            return dataclasses.replace(chunk, positions=chunk.positions[:0], times=chunk.times[:0])
        elif self.fault == 'far':
            return dataclasses.replace(chunk, positions=chunk.positions + 1e6)
        elif self.fault == 'unreachable':
            return dataclasses.replace(chunk, pose_error=self.UNREACHABLE)
        return chunk

    def close(self) -> None:
        self._policy.close()

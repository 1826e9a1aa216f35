# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A worker: answers batches of requests, in any engine. No Ray here."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from vla_policy.bundle.model_inputs import ConstantInput
from vla_policy.load import load_policy
from vla_policy.model_policy import ModelPolicy
from vla_policy.remote.wire import WireError
from vla_policy.types import PolicyError, check_positions
from vla_robot import load_robot
from vla_serving.served_policy import ACTIONS, ServedPolicy, pose_error

REFUSED = 'refused'
"""Key of an answer without actions: the reason."""


class Worker:
    """A loaded bundle. An invalid request costs its own answer, never the batch's. A model of fixed
    batch size answers one by one."""

    def __init__(
        self, bundle: str, robot: str = 'humanoid32', threads: int = 1, device: str = 'cpu'
    ) -> None:
        """Raises ConfigError."""
        self._robot = load_robot(robot)
        policy = load_policy(bundle, self._robot, threads=threads, device=device)
        assert isinstance(policy, ModelPolicy)
        self._policy = policy
        self._served = ServedPolicy(policy, self._robot)
        self.batches = _takes_batches(policy)

    @property
    def metadata(self) -> dict[str, Any]:
        return self._served.metadata

    def answer(self, requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """One answer for each request, in order."""
        if not self.batches:
            return [self._alone(request) for request in requests]
        began = time.perf_counter()
        answers: list[dict[str, Any] | None] = [None] * len(requests)
        good, observations, tensors = [], [], []
        for i, request in enumerate(requests):
            try:
                observation = self._served.observation(request)
                inputs = self._policy.inputs(observation)
            except (WireError, PolicyError) as error:
                answers[i] = {REFUSED: str(error)}
                continue
            good.append(i)
            observations.append(observation)
            # The next request overwrites the preprocessors' buffers.
            tensors.append({name: tensor.copy() for name, tensor in inputs.items()})
        if good:
            for i, answer in zip(good, self._run(observations, tensors), strict=True):
                answers[i] = answer
        took = 1e3 * (time.perf_counter() - began)
        for answer in answers:
            if REFUSED not in answer:
                answer['server_timing'] = {'model_ms': took, 'batch': len(good)}
        return answers

    def _alone(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = self._served.answer(request)
        except (WireError, PolicyError) as error:
            return {REFUSED: str(error)}
        answer['server_timing']['batch'] = 1
        return answer

    def _run(self, observations: list, tensors: list) -> list[dict[str, Any]]:
        try:
            whole = {name: np.concatenate([one[name] for one in tensors]) for name in tensors[0]}
            raw = np.asarray(self._policy.run(whole))
        except Exception as error:  # runtimes raise many types
            return [{REFUSED: f'{type(error).__name__}: {error}'}] * len(tensors)
        answers = []
        for row, observation in zip(raw, observations, strict=True):
            try:
                positions, left = self._policy.targets(row, observation)
                check_positions(positions, self._policy.bundle.model.action.joints)
            except PolicyError as error:
                answers.append({REFUSED: str(error)})
                continue
            actions = positions.astype(np.float32)
            answers.append({ACTIONS: actions, 'confidence': -1.0, **pose_error(left)})
        return answers


def _takes_batches(policy: ModelPolicy) -> bool:
    """Whether a batch of two gives the answers of each alone. Policies that sample do so for one
    observation at a time."""
    inputs = policy.bundle.model.inputs
    if policy.takes_prefix or inputs.noise is not None:
        return False
    rng = np.random.default_rng(0)
    one, other = inputs.zeros(), inputs.zeros()
    for tensors in (one, other):
        for part in inputs:
            if isinstance(part, ConstantInput):
                continue
            tensor = tensors[part.tensor]
            floats = tensor.dtype == np.float32
            tensor[...] = rng.standard_normal(part.shape) if floats else 1
    try:
        both = np.asarray(
            policy.run({name: np.concatenate((one[name], other[name])) for name in one})
        )
        alone = np.concatenate([np.asarray(policy.run(t)).copy() for t in (one, other)])
    except Exception:  # the error of a model of fixed size depends on its runtime
        return False
    return both.shape == alone.shape and bool(np.allclose(both, alone, atol=1e-4))

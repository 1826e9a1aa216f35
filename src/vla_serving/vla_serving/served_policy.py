# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A bundle behind the openpi protocol: its metadata and its answers."""

import time
from dataclasses import asdict
from typing import Any

import numpy as np

from vla_common.errors import ConfigError
from vla_policy.bundle.action_space import ActionSpace
from vla_policy.bundle.bundle import Bundle
from vla_policy.bundle.remote_spec import RemoteAction, RemoteImage, RemoteSpec, RemoteState
from vla_policy.remote.wire import WireError
from vla_policy.types import (
    ActionPrefix,
    ChunkCheck,
    InstructionRefused,
    Observation,
    Policy,
    PoseError,
)

POSITION, VELOCITY = 'observation/position', 'observation/velocity'
ACTIONS, PROMPT, ELAPSED, PREFIX = 'actions', 'prompt', 'elapsed', 'prefix'
POSE_ERROR = 'pose_error'
MAX_TEXT = 2000


def specification(policy: Policy, robot: Any) -> RemoteSpec:
    """The requests for a bundle with a model. Raises ConfigError for one that the protocol cannot
    serve."""
    model = policy.bundle.model
    check_served(policy.bundle)
    joints = tuple(robot.joint_names)
    # The client resizes: only the model's input is sent.
    images = tuple(
        RemoteImage(f'observation/{i.camera}', i.camera, i.width, i.height, i.resize)
        for i in model.inputs.images
    )
    return RemoteSpec(
        images,
        (RemoteState(POSITION, joints, 'position'), RemoteState(VELOCITY, joints, 'velocity')),
        PROMPT if model.inputs.instruction else '',
        ELAPSED if model.inputs.phase else '',
        PREFIX if policy.takes_prefix else '',
        RemoteAction(
            {ACTIONS: len(model.action.joints)},
            # Whatever the model's actions are: the policy answers with targets of joints.
            ActionSpace('joint_position', model.action.joints),
            model.action.step,
            model.action.horizon,
        ),
    )


def check_served(bundle: Bundle) -> None:
    """Raises ConfigError for a bundle with inputs that a request does not contain."""
    file, inputs = str(bundle.file), bundle.model.inputs
    wanted = 'a bundle that runs where the robot is: a request here holds the present, in colour'
    if inputs.depths:
        found = ', '.join(depth.tensor for depth in inputs.depths)
        raise ConfigError(file, 'inputs.depth', found, wanted)
    if inputs.history.frames > 1:
        raise ConfigError(file, 'inputs.history', f'{inputs.history.frames} frames', wanted)
    if inputs.memory is not None:
        raise ConfigError(file, 'inputs.memory', inputs.memory.tensor, wanted)
    cameras = [image.camera for image in inputs.images]
    twice = sorted({camera for camera in cameras if cameras.count(camera) > 1})
    if twice:
        raise ConfigError(file, 'inputs.images', f'{twice[0]} twice', 'each camera once')


def metadata(policy: Policy, robot: Any, spec: RemoteSpec) -> dict[str, Any]:
    """The server's first message. `action_horizon` and `action_dim` are informative."""
    bundle = policy.bundle
    return {
        'vla': {
            'name': bundle.name,
            'version': bundle.version,
            'description': bundle.description,
            'robot': robot.name,
            'goal_like': bundle.goal_like,
            **spec.described(),
        },
        'action_horizon': spec.action.horizon,
        'action_dim': spec.action.space.width,
    }


class ServedPolicy:
    """Answers requests with a policy. One thread calls it."""

    def __init__(self, policy: Policy, robot: Any) -> None:
        self.policy = policy
        self.spec = specification(policy, robot)
        self.metadata = metadata(policy, robot, self.spec)
        self._n = len(robot.joint_names)
        self._check = ChunkCheck(robot.joint_names)

    def observation(self, request: dict[str, Any]) -> Observation:
        """Raises WireError for a declared input that is missing or has another form: what is left
        out would be guessed, and answered with motion."""
        images = {}
        for image in self.spec.images:
            found = request.get(image.key)
            wanted = (image.height, image.width, 3)
            if (
                not isinstance(found, np.ndarray)
                or found.dtype != np.uint8
                or found.shape != wanted
            ):
                raise WireError(f'{image.key}: found {_kind(found)}, wanted uint8 {wanted}')
            images[image.camera] = found
        return Observation(
            images=images,
            position=self._joints(request, POSITION),
            velocity=self._joints(request, VELOCITY),
            orientation=np.array([1.0, 0.0, 0.0, 0.0]),
            instruction=self._prompt(request) if self.spec.instruction else '',
            stamp_ns=0,
            elapsed=_elapsed(request) if self.spec.elapsed else 0.0,
            prefix=self._prefix(request.get(PREFIX)) if self.spec.prefix else None,
        )

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Raises WireError and PolicyError."""
        observation = self.observation(request)
        began = time.perf_counter()
        chunk = self.policy.predict(observation)
        took = time.perf_counter() - began
        self._check(chunk)
        model = self.policy.run_s or took
        return {
            ACTIONS: chunk.positions.astype(np.float32),
            'confidence': float(chunk.confidence),
            'done': chunk.done,
            'server_timing': {'model_ms': 1e3 * model, 'predict_ms': 1e3 * took},
            **pose_error(chunk.pose_error),
        }

    def _prompt(self, request: dict[str, Any]) -> str:
        prompt = request.get(PROMPT)
        if not isinstance(prompt, str) or len(prompt) > MAX_TEXT:
            found = f'{len(prompt)} characters' if isinstance(prompt, str) else _kind(prompt)
            raise WireError(f'{PROMPT}: found {found}, wanted a text of at most {MAX_TEXT}')
        try:
            self.policy.check(prompt)
        except InstructionRefused as error:
            raise WireError(f'{PROMPT}: {error}') from error
        return prompt

    def _joints(self, request: dict[str, Any], key: str) -> np.ndarray:
        found = request.get(key)
        if not isinstance(found, np.ndarray) or found.shape != (self._n,):
            raise WireError(f'{key}: found {_kind(found)}, wanted ({self._n},)')
        values = found.astype(np.float64)
        if not np.isfinite(values).all():
            raise WireError(f'{key}: not finite')
        return values

    def _prefix(self, given: Any) -> ActionPrefix | None:
        if given is None:
            return None
        joints = self.spec.action.joints
        try:
            positions, times, weights = (
                np.asarray(given[key], float) for key in ('positions', 'times', 'weights')
            )
        except (KeyError, TypeError, ValueError) as error:
            raise WireError(f'{PREFIX}: no prefix') from error
        h = len(times) if times.ndim == 1 else -1
        if positions.shape != (h, len(joints)) or weights.shape != (h,):
            raise WireError(f'{PREFIX}: {positions.shape} positions, {weights.shape} weights')
        if not all(np.isfinite(a).all() for a in (positions, times, weights)):
            raise WireError(f'{PREFIX}: not finite')
        return ActionPrefix(joints, positions, times, weights)


def pose_error(found: PoseError | None) -> dict[str, Any]:
    """The key of an answer that says what a Cartesian action leaves."""
    return {} if found is None else {POSE_ERROR: asdict(found)}


def _elapsed(request: dict[str, Any]) -> float:
    elapsed = request.get(ELAPSED)
    number = isinstance(elapsed, (int, float)) and not isinstance(elapsed, bool)
    if not number or not np.isfinite(elapsed):
        found = elapsed if number else _kind(elapsed)
        raise WireError(f'{ELAPSED}: found {found}, wanted s since the instruction began')
    return float(elapsed)


def _kind(found: Any) -> str:
    if isinstance(found, np.ndarray):
        return f'{found.dtype} {found.shape}'
    return 'nothing' if found is None else type(found).__name__

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A policy on another machine, with a PolicyError within the timeout of a call."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from vla_policy.bundle.bundle import Bundle
from vla_policy.bundle.remote_spec import RemoteSpec
from vla_policy.preprocess import Resizer
from vla_policy.remote.groot_client import GrootClient
from vla_policy.remote.openpi_client import OpenPiClient, RemoteError
from vla_policy.types import ActionChunk, Observation, Policy, PolicyError, Robot, check_positions


class PolicyProtocol(Protocol):
    """A protocol of policy servers. Raises RemoteError within about `timeout` s."""

    def infer(
        self,
        images: Mapping[str, np.ndarray],
        states: Mapping[str, np.ndarray],
        extra: Mapping[str, Any],
        timeout: float,
    ) -> Mapping[str, Any]: ...

    def reset(self, timeout: float) -> None: ...

    def close(self) -> None: ...


class OpenPiProtocol:
    """One flat mapping each way."""

    def __init__(self, client: OpenPiClient) -> None:
        self._client = client

    def infer(self, images, states, extra, timeout):
        return self._client.infer({**images, **states, **extra}, timeout)

    def reset(self, timeout: float) -> None:
        """Not part of the protocol: requests are independent."""

    def close(self) -> None:
        self._client.drop()


class GrootProtocol:
    """nested (N1.6): video, state, language, each with batch and time axes; flat (N1.5):
    video.x, state.x and action.x, with a time axis alone."""

    def __init__(self, client: GrootClient, dialect: str) -> None:
        self._client = client
        self._nested = dialect == 'nested'

    def infer(self, images, states, extra, timeout):
        if self._nested:
            observation: dict[str, Any] = {
                'video': {key: image[None, None] for key, image in images.items()},
                'state': {key: state[None, None] for key, state in states.items()},
                'language': {key: [[text]] for key, text in extra.items()},
            }
            given = {'observation': observation, 'options': None}
        else:
            given = {f'video.{key}': image[None] for key, image in images.items()}
            given |= {f'state.{key}': state[None] for key, state in states.items()}
            given |= {key: [text] for key, text in extra.items()}
        answer = self._client.call('get_action', given, timeout)
        if isinstance(answer, (list, tuple)) and answer:
            answer = answer[0]  # (action, information)
        if not isinstance(answer, dict):
            raise RemoteError(f'{self._client.url}: the answer is a {type(answer).__name__}')
        return {str(key).removeprefix('action.'): value for key, value in answer.items()}

    def reset(self, timeout: float) -> None:
        if self._nested:
            self._client.call('reset', {'options': None}, timeout)

    def close(self) -> None:
        self._client.close()


class RemotePolicy(Policy):
    """timeout: s for one call, connecting included."""

    def __init__(
        self, bundle: Bundle, robot: Robot, protocol: PolicyProtocol, timeout: float
    ) -> None:
        spec = bundle.spec
        assert isinstance(spec, RemoteSpec)
        names = tuple(robot.joint_names)
        self.bundle = bundle
        self.takes_prefix = bool(spec.prefix)
        self._spec = spec
        self._protocol = protocol
        self._timeout = timeout
        self._resizers = {i.key: Resizer(i.width, i.height, i.resize) for i in spec.images}
        self._states = {
            s.key: np.array([names.index(joint) for joint in s.joints], np.intp)
            for s in spec.states
        }
        self._action = np.array([names.index(joint) for joint in spec.action.joints], np.intp)
        self._reset_pending = False

    def reset(self) -> None:
        self._reset_pending = True

    def predict(self, observation: Observation) -> ActionChunk:
        spec = self._spec
        images = {}
        for image in spec.images:
            if image.camera not in observation.images:
                raise PolicyError(f'no image of camera {image.camera}')
            images[image.key] = self._resizers[image.key](observation.images[image.camera])
        states = {}
        for state in spec.states:
            source = observation.velocity if state.quantity == 'velocity' else observation.position
            states[state.key] = source[self._states[state.key]].astype(np.float32)
        extra: dict[str, Any] = {}
        if spec.instruction:
            extra[spec.instruction] = observation.instruction
        if spec.elapsed:
            extra[spec.elapsed] = float(observation.elapsed)
        prefix = observation.prefix
        if spec.prefix and prefix is not None and prefix.joints == spec.action.joints:
            extra[spec.prefix] = {
                'positions': prefix.positions.astype(np.float32),
                'times': prefix.times.astype(np.float32),
                'weights': prefix.weights.astype(np.float32),
            }
        try:
            if self._reset_pending:
                self._protocol.reset(self._timeout)
                self._reset_pending = False
            answer = self._protocol.infer(images, states, extra, self._timeout)
        except RemoteError as error:
            raise PolicyError(str(error)) from error
        timing = answer.get('server_timing')
        model = timing.get('model_ms', timing.get('infer_ms')) if isinstance(timing, dict) else 0.0
        self.run_s = 1e-3 * model if isinstance(model, (int, float)) else 0.0
        return self._chunk(answer, observation)

    def first_call(self, observation: Observation, limit: float) -> ActionChunk:
        usual, self._timeout = self._timeout, limit
        try:
            return self.predict(observation)
        finally:
            self._timeout = usual

    def close(self) -> None:
        self._protocol.close()

    def _chunk(self, answer: Mapping[str, Any], observation: Observation) -> ActionChunk:
        action = self._spec.action
        rows = [_part(answer, key, len(joints)) for key, joints in action.parts.items()]
        length = min(action.horizon, *(len(part) for part in rows))
        if length == 0:
            raise PolicyError('the answer has no points')
        positions = np.concatenate([part[:length] for part in rows], axis=1)
        if action.kind == 'joint_delta':
            positions = positions + observation.position[self._action]
        check_positions(positions, action.joints)
        confidence = answer.get('confidence', -1.0)
        if not (isinstance(confidence, (int, float)) and 0.0 <= confidence <= 1.0):
            confidence = -1.0
        done = answer.get('done')
        times = action.step * np.arange(1, length + 1)
        return ActionChunk(
            action.joints,
            positions,
            times,
            float(confidence),
            done if isinstance(done, bool) else None,
        )


def _part(answer: Mapping[str, Any], key: str, width: int) -> np.ndarray:
    """(h, k) float64 from an answer's array of (h, k) or (1, h, k)."""
    found = answer.get(key)
    if not isinstance(found, np.ndarray):
        names = ', '.join(sorted(str(name) for name in answer)[:8])
        raise PolicyError(f'the answer has no array {key}, only {names}')
    if found.ndim == 3 and found.shape[0] == 1:
        found = found[0]
    if found.ndim != 2 or found.shape[1] != width:
        raise PolicyError(f'{key} has shape {found.shape}, wanted (points, {width})')
    return found.astype(np.float64)

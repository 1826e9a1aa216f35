# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A policy on another machine, with a PolicyError within the timeout of a call."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from vla_common.errors import ConfigError
from vla_policy.action_decoder import ActionDecoder
from vla_policy.bundle.bundle import Bundle
from vla_policy.bundle.remote_spec import RemoteImage, RemoteSpec, RemoteState
from vla_policy.preprocess import Resizer
from vla_policy.remote.groot_client import GrootClient
from vla_policy.remote.openpi_client import OpenPiClient, RemoteError
from vla_policy.types import (
    ActionChunk,
    Observation,
    Policy,
    PolicyError,
    PoseError,
    Robot,
    check_positions,
)
from vla_robot.kinematics import Kinematics

MAX_REASON = 300


class PolicyProtocol(Protocol):
    """A protocol of policy servers. images: uint8 (t, h, w, 3), states: float32 (t, k), oldest
    first. Raises RemoteError within about `timeout` s."""

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
        now = {key: value[-1] for key, value in {**images, **states}.items()}
        return self._client.infer({**now, **extra}, timeout)

    def reset(self, timeout: float) -> None:
        """Not part of the protocol: requests are independent."""

    def close(self) -> None:
        self._client.drop()


class GrootProtocol:
    """nested (N1.6, N1.7): video, state, language, each with batch and time axes; sim: the same of
    Gr00tSimPolicyWrapper, with keys video.x and state.x and a list of texts; flat (N1.5): video.x,
    state.x and action.x, with a time axis alone."""

    def __init__(self, client: GrootClient, dialect: str) -> None:
        self._client = client
        self._dialect = dialect

    def infer(self, images, states, extra, timeout):
        if self._dialect == 'nested':
            observation: dict[str, Any] = {
                'video': {key: frames[None] for key, frames in images.items()},
                'state': {key: frames[None] for key, frames in states.items()},
                'language': {key: [[text]] for key, text in extra.items()},
            }
        else:
            observation = {f'video.{key}': frames for key, frames in images.items()}
            observation |= {f'state.{key}': frames for key, frames in states.items()}
            if self._dialect == 'sim':
                observation = {key: frames[None] for key, frames in observation.items()}
            observation |= {key: [text] for key, text in extra.items()}
        given = {'observation': observation, 'options': None}
        given = observation if self._dialect == 'flat' else given
        answer = self._client.call('get_action', given, timeout)
        if isinstance(answer, (list, tuple)) and answer:
            answer = answer[0]  # (action, information)
        if not isinstance(answer, dict):
            raise RemoteError(f'{self._client.url}: the answer is a {type(answer).__name__}')
        return {str(key).removeprefix('action.'): value for key, value in answer.items()}

    def reset(self, timeout: float) -> None:
        if self._dialect != 'flat':
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
        self.bundle = bundle
        self.takes_prefix = bool(spec.prefix)
        self._spec = spec
        self._protocol = protocol
        self._timeout = timeout
        self._resizers = {i.key: Resizer(i.width, i.height, i.resize) for i in spec.images}
        self._states = {s.key: _reader(s, robot, str(bundle.file)) for s in spec.states}
        self._decode = ActionDecoder(spec.action.space, robot, spec.action.step, str(bundle.file))
        self._reset_pending = False

    def reset(self) -> None:
        self._reset_pending = True

    def predict(self, observation: Observation) -> ActionChunk:
        spec = self._spec
        images = {}
        for image in spec.images:
            images[image.key] = self._frames(image, observation.last(image.frames))
        states = {}
        for state in spec.states:
            rows = [self._states[state.key](one) for one in observation.last(state.frames)]
            states[state.key] = np.stack(rows).astype(np.float32)
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

    def _frames(self, image: RemoteImage, observations: list[Observation]) -> np.ndarray:
        """uint8 (t, h, w, 3)."""
        resize, found = self._resizers[image.key], []
        for one in observations:
            if image.camera not in one.images:
                raise PolicyError(f'no image of camera {image.camera}')
            small = resize(one.images[image.camera])
            # The next call fills the same buffer.
            found.append(small.copy() if image.frames > 1 else small)
        return np.stack(found) if image.frames > 1 else found[0][None]

    def _chunk(self, answer: Mapping[str, Any], observation: Observation) -> ActionChunk:
        action = self._spec.action
        rows = [_part(answer, key, width) for key, width in action.parts.items()]
        length = min(action.horizon, *(len(part) for part in rows))
        if length == 0:
            raise PolicyError('the answer has no points')
        values = np.concatenate([part[:length] for part in rows], axis=1)
        positions, error = self._decode(values, observation.position)
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
            pose_error=error or _left(answer.get('pose_error')),
        )


def _reader(state: RemoteState, robot: Robot, file: str) -> Callable[[Observation], np.ndarray]:
    """Observation -> (k,). Raises ConfigError for a frame that the robot does not have."""
    if state.quantity == 'constant':
        value = np.array(state.value)
        return lambda observation: value
    if state.quantity == 'pose_rot6d':
        kinematics = Kinematics(robot)
        if state.frame not in robot.frames:
            key = f'inputs.states.{state.key}.frame'
            wanted = f'a frame of {robot.name}: {", ".join(sorted(robot.frames))}'
            raise ConfigError(file, key, state.frame, wanted)

        def pose(observation: Observation) -> np.ndarray:
            kinematics.update(observation.position)
            rotation, position = kinematics.frame(state.frame)
            return np.concatenate([position, rotation[:2].ravel()])

        return pose
    names = tuple(robot.joint_names)
    indices = np.array([names.index(joint) for joint in state.joints], np.intp)
    if state.quantity == 'velocity':
        return lambda observation: observation.velocity[indices]
    return lambda observation: observation.position[indices]


def _left(found: Any) -> PoseError | None:
    """What one of our servers left of a Cartesian action that it followed itself."""
    if not isinstance(found, dict):
        return None
    numbers = [found.get(name) for name in ('position', 'rotation', 'path')]
    reason = found.get('reason', '')
    if not all(isinstance(n, float) and n >= 0.0 for n in numbers) or not isinstance(reason, str):
        raise PolicyError('the answer has a pose_error of another form')
    return PoseError(*numbers, reason[:MAX_REASON])


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

#!/usr/bin/env python3
# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A LeRobot policy directory behind the openpi websocket protocol. One file, no ROS.

It runs in LeRobot's own environment, which cannot be the robot's (another Python, another NumPy,
another torch). There, once: `pip install websockets msgpack`. Then, for example:

    python lerobot_server.py --policy DIR --fps 30 \\
        --joints left_shoulder_pitch,left_elbow --camera observation.images.front=head

and on the robot `ros2 launch vla_bringup humanoid.launch.py policy:=ws://host:8000`.

--joints names, in the order of the policy's state and action, the robot's joints; --camera maps
each image of the policy to a camera of the robot. Units are the robot's: the policy must
have been trained in rad. What the policy directory itself needs (its normalisation, its tokenizer)
LeRobot reads from it. Compared with LeRobot 0.6.2 (7427f3180, August 2026), whose own inference
server loads and calls policies in the same way, but talks pickle.
"""

import argparse
import asyncio
import contextlib
import http
import json
import logging
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgpack
import numpy as np

MAX_REQUEST = 32 * 2**20
MAX_TEXT = 2000
STATE, ACTION, PROMPT = 'observation.state', 'actions', 'task'
IMAGE, IMAGES = 'observation.image', 'observation.images'
TOKENS = 'observation.language.tokens'
PROCESSORS = ('policy_preprocessor.json', 'policy_postprocessor.json')
FILLED_IN = f'{IMAGES}.empty_camera_'
"""Cameras that pi0 and similar policies fill in where there is none."""


class RefusedError(Exception):
    """A request that cannot be answered; the reason is sent to the client."""


# --- the wire ---------------------------------------------------------------------------------


def pack(message: Any) -> bytes:
    def encode(value: Any) -> Any:
        if isinstance(value, np.ndarray) and value.dtype.kind in 'biuf':
            return {
                b'__ndarray__': True,
                b'data': value.tobytes(),
                b'dtype': value.dtype.str,
                b'shape': value.shape,
            }
        if isinstance(value, np.generic) and value.dtype.kind in 'biuf':
            return value.item()
        raise TypeError(f'no encoding for {type(value).__name__}')

    return msgpack.packb(message, default=encode)


def unpack(content: bytes) -> dict[str, Any]:
    try:
        message = msgpack.unpackb(content, object_hook=_decode, strict_map_key=False)
    except RefusedError:
        raise
    except Exception as error:  # msgpack raises a dozen types
        raise RefusedError(f'no msgpack message: {error}') from error
    if not isinstance(message, dict):
        raise RefusedError('a request is a mapping')
    return message


def _decode(mapping: dict) -> Any:
    if b'__ndarray__' not in mapping:
        return mapping
    content, shape = mapping.get(b'data'), mapping.get(b'shape')
    kind = mapping.get(b'dtype')
    kind = kind.decode() if isinstance(kind, bytes) else kind
    if not isinstance(content, bytes) or not isinstance(shape, list) or not isinstance(kind, str):
        raise RefusedError('an array without content, shape or type')
    try:
        dtype = np.dtype(kind)
    except TypeError as error:
        raise RefusedError(f'an array of {kind}') from error
    if dtype.kind not in 'biuf' or len(shape) > 8:
        raise RefusedError(f'an array of {kind}')
    count = 1
    for n in shape:
        if type(n) is not int or n < 0:
            raise RefusedError('an array whose shape is none')
        count *= n
    if count * dtype.itemsize != len(content):
        raise RefusedError(f'an array {shape} of {kind} with {len(content)} bytes')
    return np.frombuffer(content, dtype).reshape(shape)


# --- the policy -------------------------------------------------------------------------------


def load(directory: str, device: str) -> tuple[Any, Any, Any]:
    """(policy, preprocessor, postprocessor), as LeRobot itself loads them."""
    try:
        from lerobot.configs.policies import PreTrainedConfig
        from lerobot.policies.factory import get_policy_class, make_pre_post_processors
    except ImportError as error:
        raise SystemExit(f'lerobot is not here ({error}); run this in its environment') from error
    kind = read_config(directory)
    version = getattr(sys.modules['lerobot'], '__version__', 'of this environment')
    other = f'what LeRobot {version} reads (this one may be of another version)'
    with one_line(directory, 'config.json', 'its fields', other):
        config = PreTrainedConfig.from_pretrained(directory)
    config.device = device  # else what it was trained on
    with one_line(directory, 'config.json', f'type {kind}', f'a policy of LeRobot {version}'):
        policy_class = get_policy_class(config.type)
    with one_line(directory, 'model.safetensors', 'its tensors', f'those of {kind}: {other}'):
        policy = policy_class.from_pretrained(directory, config=config)
    policy.to(device)
    policy.eval()
    for name in PROCESSORS:
        if not (Path(directory) / name).is_file():
            raise SystemExit(
                f'{Path(directory) / name}: found nothing, wanted the processors that '
                'LeRobot saves since 0.4: python -m lerobot.processor.migrate_policy_normalization '
                f'--pretrained-path {directory}'
            )
    there = {'device_processor': {'device': device}}
    with one_line(directory, ' and '.join(PROCESSORS), 'their steps', other):
        before, after = make_pre_post_processors(
            policy.config,
            pretrained_path=directory,
            preprocessor_overrides=there,
            postprocessor_overrides={'device_processor': {'device': 'cpu'}},
        )
    return policy, before, after


def read_config(directory: str) -> str:
    """The kind of policy in config.json. Ends the process with one line where it has none."""
    file = Path(directory) / 'config.json'
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        found = getattr(error, 'strerror', None) or f'no JSON ({error})'
        raise SystemExit(f'{file}: found {found}, wanted a LeRobot policy directory') from error
    kind = content.get('type') if isinstance(content, dict) else None
    if not isinstance(kind, str):
        raise SystemExit(f'{file}: type: found {kind or "nothing"}, wanted the kind of the policy')
    return kind


@contextlib.contextmanager
def one_line(directory: str, file: str, key: str, wanted: str) -> Iterator[None]:
    """Whatever LeRobot raises, as one line that ends the process; the whole at level debug."""
    try:
        yield
    except Exception as error:  # of LeRobot, draccus, safetensors or torch
        logging.getLogger('lerobot_server').debug('%s', file, exc_info=error)
        text = ' '.join(str(error).split())[:300] or type(error).__name__
        where = Path(directory) / file
        raise SystemExit(f'{where}: {key}: found {text}, wanted {wanted}') from error


def own_size(config: Any) -> tuple[int, int] | None:
    """(width, height) to which the policy itself scales and pads its images (SmolVLA, pi0); None
    for one that takes them as they are."""
    padded = getattr(config, 'resize_imgs_with_padding', None)
    if padded:
        return int(padded[0]), int(padded[1])
    resolution = getattr(config, 'image_resolution', None)
    return (int(resolution[1]), int(resolution[0])) if resolution else None


class Served:
    """Answers requests with the policy. One thread calls it."""

    def __init__(
        self,
        policy: Any,
        before: Any,
        after: Any,
        joints: list[str],
        action_joints: list[str],
        cameras: dict[str, str],
        fps: float,
        horizon: int,
    ) -> None:
        self._policy, self._before, self._after = policy, before, after
        config = policy.config
        features = dict(config.input_features)
        self._shapes = {
            key: tuple(f.shape)
            for key, f in features.items()
            if key.startswith(IMAGE) and not key.startswith(FILLED_IN)
        }
        others = [k for k in features if not k.startswith(IMAGE) and k != STATE]
        if others:
            raise SystemExit(f'--policy: it wants {", ".join(others)}, which no robot sends')
        if set(cameras) != set(self._shapes):
            wanted = ', '.join(sorted(self._shapes)) or 'none'
            raise SystemExit(f'--camera: found {", ".join(sorted(cameras))}, wanted {wanted}')
        # A policy that pads gets the picture as the camera saw it, smaller: stretched to a square
        # it would be padded no more, and a circle would be narrow.
        self._padded = own_size(config)
        # Texts that do not fit are rejected here; LeRobot's tokenizers would cut them.
        self._tokenizers = [s for s in getattr(before, 'steps', ()) if hasattr(s, 'truncation')]
        for step in self._tokenizers:
            step.truncation = False
        self._has_state = STATE in features
        if self._has_state and tuple(features[STATE].shape) != (len(joints),):
            raise SystemExit(f'--joints: found {len(joints)}, wanted {features[STATE].shape[0]}')
        width = int(config.output_features['action'].shape[0])
        if width != len(action_joints):
            raise SystemExit(f'--action-joints: found {len(action_joints)}, wanted {width}')
        self._joints, self._width = joints, width
        policy.reset()
        # Policies that keep what they saw (Diffusion) fill their queues in select_action, which
        # gives one action; predict_action_chunk takes it from there. VLAs keep actions at most.
        queues = getattr(policy, '_queues', None) or {}
        self._remembers = any(key.startswith('observation') for key in queues)
        # A policy with a history serves one client at a time.
        self.looks_back = self._remembers and int(getattr(config, 'n_obs_steps', 1) or 1) > 1
        usual = getattr(config, 'chunk_size', None) or getattr(config, 'horizon', None) or 16
        self._horizon = horizon or int(usual)
        self.metadata = {
            'vla': {
                'name': str(config.type),
                'version': 'lerobot',
                'inputs': {
                    'images': {
                        key: {
                            'camera': cameras[key],
                            'width': self._padded[0] if self._padded else int(shape[2]),
                            'height': self._padded[1] if self._padded else int(shape[1]),
                            'resize': 'fit' if self._padded else 'stretch',
                        }
                        for key, shape in self._shapes.items()
                    },
                    'states': {STATE: {'joints': joints}} if self._has_state else {},
                    'instruction': PROMPT,
                },
                'outputs': {
                    'action': {
                        'parts': {ACTION: action_joints},
                        'step': 1.0 / fps,
                        'horizon': self._horizon,
                    }
                },
            }
        }
        for part in ('images', 'states'):
            if not self.metadata['vla']['inputs'][part]:
                del self.metadata['vla']['inputs'][part]

    def begin(self) -> None:
        """A client has connected."""
        self._policy.reset()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        import torch

        batch: dict[str, Any] = {}
        for key, shape in self._shapes.items():
            image = request.get(key)
            wanted = (*self._padded[::-1], 3) if self._padded else (shape[1], shape[2], 3)
            if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
                raise RefusedError(f'{key}: wanted a uint8 image {wanted}')
            fits = image.ndim == 3 and 0 < image.shape[0] <= wanted[0] and image.shape[2] == 3
            fits = fits and 0 < image.shape[1] <= wanted[1]
            if not (fits if self._padded else image.shape == wanted):
                most = 'at most ' if self._padded else ''
                raise RefusedError(f'{key}: found {image.shape}, wanted {most}{wanted}')
            plane = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
            batch[key] = plane.float() / 255.0
        if self._has_state:
            state = request.get(STATE)
            if not isinstance(state, np.ndarray) or state.shape != (len(self._joints),):
                raise RefusedError(f'{STATE}: wanted {len(self._joints)} numbers')
            if not np.isfinite(state).all():
                raise RefusedError(f'{STATE}: not finite')
            batch[STATE] = torch.from_numpy(state.astype(np.float32))
        text = request.get(PROMPT)
        if not isinstance(text, str) or not text.strip() or len(text) > MAX_TEXT:
            raise RefusedError(f'{PROMPT}: wanted a text of at most {MAX_TEXT} characters')
        batch['task'] = text
        began = time.perf_counter()
        with torch.inference_mode():
            seen = self._before(batch)
            self._check_length(seen)
            if self._remembers:
                seen = self._remember(seen)
            chunk = self._policy.predict_action_chunk(seen)
            if chunk.ndim == 2:
                chunk = chunk.unsqueeze(0)
            elif chunk.shape[0] != 1 and chunk.shape[1] == 1:
                chunk = chunk.transpose(0, 1)  # TD-MPC answers (points, 1, joints)
            chunk = chunk[:, : self._horizon]
            # LeRobot's postprocessors take one action at a time.
            rows = [self._after(chunk[:, i]) for i in range(chunk.shape[1])]
            actions = torch.stack([row.reshape(-1) for row in rows]).float().cpu().numpy()
        took = time.perf_counter() - began
        if actions.ndim != 2 or actions.shape[1] != self._width:
            raise RefusedError(f'the policy answered {actions.shape}')
        if not np.isfinite(actions).all():
            raise RefusedError('the policy answered numbers that are not finite')
        return {ACTION: actions, 'server_timing': {'model_ms': 1e3 * took}}

    def _check_length(self, seen: dict[str, Any]) -> None:
        for step in self._tokenizers:
            found = seen.get(TOKENS)
            if found is not None and found.shape[-1] > step.max_length:
                raise RefusedError(
                    f'{PROMPT}: {found.shape[-1]} tokens, the policy takes {step.max_length}: its '
                    'end would be lost'
                )

    def _remember(self, seen: dict[str, Any]) -> dict[str, Any]:
        """What select_action does before it predicts: the last observations into the queues."""
        import torch
        from lerobot.policies.utils import populate_queues

        seen = dict(seen)
        keys = list(getattr(self._policy.config, 'image_features', {}) or {})
        if keys and IMAGES in self._policy._queues:
            seen[IMAGES] = torch.stack([seen[key] for key in keys], dim=-4)
        self._policy._queues = populate_queues(self._policy._queues, seen)
        return seen


# --- the server -------------------------------------------------------------------------------


async def serve(served: Served, host: str, port: int, clients: int, silence: float) -> None:
    from websockets.asyncio.server import serve as listen
    from websockets.exceptions import ConnectionClosed

    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    worker = ThreadPoolExecutor(1, 'policy')
    packed = pack(served.metadata)
    connected = 0
    # It would print a traceback for whatever a client sends.
    quiet = logging.getLogger('websockets.quiet')
    quiet.setLevel(logging.CRITICAL)

    def on_request(connection: Any, request: Any) -> Any:
        if request.path == '/healthz':
            return connection.respond(http.HTTPStatus.OK, 'OK\n')
        if connected >= (1 if served.looks_back else clients):
            return connection.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, 'too many clients\n')
        return None

    async def converse(connection: Any) -> None:
        await connection.send(packed)
        await loop.run_in_executor(worker, served.begin)
        while True:
            try:
                content = await asyncio.wait_for(connection.recv(), silence)
            except TimeoutError:
                await connection.close(1008, f'no request within {silence:g} s')
                return
            began = time.perf_counter()
            try:
                if isinstance(content, str):
                    raise RefusedError('a request is a binary frame')
                answer = await loop.run_in_executor(worker, served.answer, unpack(content))
            except Exception as error:  # any error is reported, then 1011 as openpi does
                await connection.send(f'{type(error).__name__}: {error}'[:2000])
                await connection.close(1011, 'the reason is in the frame before')
                return
            answer['server_timing']['infer_ms'] = 1e3 * (time.perf_counter() - began)
            await connection.send(pack(answer))

    async def handle(connection: Any) -> None:
        nonlocal connected
        connected += 1
        try:
            await converse(connection)
        except ConnectionClosed:
            pass
        finally:
            connected -= 1

    async with listen(
        handle,
        host,
        port,
        compression=None,
        max_size=MAX_REQUEST,
        max_queue=2,
        open_timeout=5.0,
        process_request=on_request,
        logger=quiet,
    ) as server:
        found = next(iter(server.sockets)).getsockname()[1]
        print(f'{served.metadata["vla"]["name"]} at ws://{host}:{found}', flush=True)
        await stop.wait()
    worker.shutdown(wait=False, cancel_futures=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n')[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument('--policy', required=True, help='LeRobot policy directory')
    parser.add_argument('--joints', required=True, help="names, by comma, in the state's order")
    parser.add_argument('--action-joints', default='', help='likewise of the action, if different')
    parser.add_argument(
        '--camera', action='append', default=[], metavar='KEY=CAMERA', help='may be given again'
    )
    parser.add_argument('--fps', type=float, required=True, help='of the data it was trained on')
    parser.add_argument('--horizon', type=int, default=0, help='points sent; 0: all')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--host', default='127.0.0.1', help='0.0.0.0 for the whole network')
    parser.add_argument('--port', type=int, default=8000, help='0 takes a free one')
    parser.add_argument('--clients', type=int, default=8, help='at most')
    parser.add_argument('--silence', type=float, default=60.0, help='s until a client is dropped')
    args = parser.parse_args(arguments)
    if not args.fps > 0.0:
        parser.error('--fps must be > 0')
    cameras = {}
    for pair in args.camera:
        key, equals, camera = pair.partition('=')
        if not (key and equals and camera):
            parser.error(f'--camera {pair}: wanted KEY=CAMERA')
        cameras[key] = camera
    joints = [name.strip() for name in args.joints.split(',') if name.strip()]
    action_joints = [n.strip() for n in args.action_joints.split(',') if n.strip()] or joints
    served = Served(
        *load(args.policy, args.device), joints, action_joints, cameras, args.fps, args.horizon
    )
    asyncio.run(serve(served, args.host, args.port, args.clients, args.silence))
    return 0


if __name__ == '__main__':
    sys.exit(main())

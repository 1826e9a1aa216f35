# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Observations that conversions are compared and calibrated on.

A recording is one .npz file (no pickle): `joints` (n names), `position` (N, n) rad, `velocity`
(N, n) rad/s, `instruction` (N texts), `elapsed` (N,) s, and `image_<camera>` (N, H, W, 3) uint8 RGB
for each camera. Without a recording, `simulated` renders scenes of the simulator.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from zipfile import BadZipFile, is_zipfile

import numpy as np

from vla_common.errors import ConfigError
from vla_policy.bundle.bundle import Bundle
from vla_policy.model_policy import ModelPolicy
from vla_policy.runtimes import Runtime
from vla_policy.types import Observation, PolicyError
from vla_robot import RobotModel
from vla_sim import Renderer, Scene, World

Tensors = dict[str, np.ndarray]
CAMERA = 'head'  # its name in bundles
_PER_SCENE = 4


@dataclass(frozen=True)
class Recording:
    """N observations, with the shapes of the module docstring. source: where they come from."""

    joints: tuple[str, ...]
    position: np.ndarray
    velocity: np.ndarray
    instruction: tuple[str, ...]
    elapsed: np.ndarray
    images: dict[str, np.ndarray]
    source: str

    def __len__(self) -> int:
        return len(self.position)

    @property
    def sha256(self) -> str:
        """Of the content, without the source."""
        digest = hashlib.sha256('\n'.join((*self.joints, *self.instruction)).encode())
        for array in (self.position, self.velocity, self.elapsed, *self.images.values()):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def pick(self, indices: Sequence[int]) -> 'Recording':
        """The observations at `indices`."""
        rows = np.asarray(indices, int)
        return Recording(
            self.joints,
            self.position[rows],
            self.velocity[rows],
            tuple(self.instruction[i] for i in rows),
            self.elapsed[rows],
            {name: images[rows] for name, images in self.images.items()},
            self.source,
        )

    def save(self, path: Path) -> None:
        """Write the .npz atomically."""
        partial = path.with_name(f'.{path.name}.partial.npz')
        np.savez_compressed(
            partial,
            joints=np.array(self.joints),
            position=self.position,
            velocity=self.velocity,
            instruction=np.array(self.instruction),
            elapsed=self.elapsed,
            **{f'image_{name}': images for name, images in self.images.items()},
        )
        os.replace(partial, path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises ConfigError, which names the file and the array."""
        if path.is_file() and not is_zipfile(path):
            raise ConfigError(str(path), '', 'another kind of file', 'a recording (.npz)')
        try:
            with np.load(path, allow_pickle=False) as content:
                arrays = {name: content[name] for name in content.files}
        except (OSError, ValueError, BadZipFile, EOFError) as error:
            reason = getattr(error, 'strerror', None) or str(error)
            raise ConfigError(str(path), '', reason, 'a recording (.npz)') from error
        for name in ('joints', 'position', 'velocity', 'instruction', 'elapsed'):
            if name not in arrays:
                raise ConfigError(str(path), name, 'nothing', 'an array')
        _check_kinds(path, arrays)
        count, joints = len(arrays['position']), len(arrays['joints'])
        if not count:
            raise ConfigError(str(path), 'position', 'no observation', 'at least one')
        images = {
            name.removeprefix('image_'): array
            for name, array in arrays.items()
            if name.startswith('image_')
        }
        shapes = {
            'position': (count, joints),
            'velocity': (count, joints),
            'instruction': (count,),
            'elapsed': (count,),
        }
        for name, wanted in shapes.items():
            if arrays[name].shape != wanted:
                raise ConfigError(str(path), name, arrays[name].shape, str(wanted))
        for name in ('position', 'velocity', 'elapsed'):
            bad = np.argwhere(~np.isfinite(arrays[name]))
            if len(bad):
                raise ConfigError(str(path), f'{name}[{bad[0][0]}]', 'NaN', 'finite numbers')
        for name, array in images.items():
            if array.dtype != np.uint8 or array.ndim != 4 or array.shape[::3] != (count, 3):
                found = f'{array.dtype} {array.shape}'
                raise ConfigError(str(path), f'image_{name}', found, f'uint8 ({count}, H, W, 3)')
        return cls(
            tuple(str(name) for name in arrays['joints']),
            arrays['position'],
            arrays['velocity'],
            tuple(str(text) for text in arrays['instruction']),
            arrays['elapsed'],
            images,
            Path(path).name,
        )


def _check_kinds(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Check for arrays of numbers and of texts; no scalars."""
    for name in ('joints', 'position', 'velocity', 'instruction', 'elapsed'):
        kinds, wanted = ('U', 'texts') if name in ('joints', 'instruction') else ('fiu', 'numbers')
        if arrays[name].dtype.kind not in kinds or not arrays[name].ndim:
            found = f'{arrays[name].dtype} {arrays[name].shape}'
            raise ConfigError(str(path), name, found, f'an array of {wanted}')


def simulated(robot: RobotModel, tasks: Sequence[str], count: int, seed: int = 0) -> Recording:
    """`count` observations of sampled scenes: image of the head camera, arms and head near the
    robot's poses, instructions in turn. Deterministic for a seed."""
    rng = np.random.default_rng((86_004, seed))
    upper = [i for i in robot.groups['upper_body'] if i not in set(robot.groups['torso'])]
    names = list(robot.poses)
    rows: dict[str, list] = {'position': [], 'image': [], 'elapsed': []}
    for number in range(count):
        if number % _PER_SCENE == 0:
            scene = Scene.sample(int(rng.integers(2**31)))
            world = World(robot, scene, seed=number)
            camera = robot.camera
            renderer = Renderer(robot, scene, camera.width, camera.height, seed=number)
            addresses = [int(world.model.joint(name).qposadr[0]) for name in robot.joint_names]
        world.reset(names[number % len(names)])
        position = world.joint_position.copy()
        other = robot.poses[names[int(rng.integers(len(names)))]]
        share = rng.uniform(0.0, 1.0)
        position[upper] = (1 - share) * position[upper] + share * other[upper]
        position[upper] += rng.normal(0.0, 0.15, len(upper))
        position = np.clip(position, robot.limits.lower, robot.limits.upper)
        qpos = world.qpos.copy()
        qpos[addresses] = position
        rows['image'].append(renderer.render(qpos)[0])
        rows['position'].append(position)
        rows['elapsed'].append(rng.uniform(0.0, 8.0))
        if number % _PER_SCENE == _PER_SCENE - 1 or number == count - 1:
            renderer.close()
    words = tuple(tasks) or ('stand still',)
    position = np.array(rows['position'])
    return Recording(
        tuple(robot.joint_names),
        position,
        np.zeros_like(position),
        tuple(words[i % len(words)] for i in range(count)),
        np.array(rows['elapsed']),
        {CAMERA: np.array(rows['image'])},
        f'simulator, seed {seed}',
    )


class _NoRuntime(Runtime):
    name = 'none'


def observations_of(recording: Recording, robot: RobotModel) -> list[Observation]:
    """Observations of a recording in the robot's joint order. Raises ConfigError."""
    missing = [name for name in robot.joint_names if name not in recording.joints]
    if missing:
        wanted = f'the joints of {robot.name}'
        raise ConfigError(recording.source, 'joints', f'no {missing[0]}', wanted)
    order = [recording.joints.index(name) for name in robot.joint_names]
    return [
        Observation(
            images={name: images[i] for name, images in recording.images.items()},
            position=recording.position[i, order],
            velocity=recording.velocity[i, order],
            orientation=np.array([1.0, 0.0, 0.0, 0.0]),
            instruction=recording.instruction[i],
            stamp_ns=0,
            elapsed=float(recording.elapsed[i]),
        )
        for i in range(len(recording))
    ]


def tensors_of(recording: Recording, bundle: Bundle, robot: RobotModel) -> list[Tensors]:
    """Input tensors of `bundle` for each observation, by the preprocessing of the robot. Raises
    ConfigError where the recording lacks a joint or a camera."""
    observations = observations_of(recording, robot)
    policy = ModelPolicy(bundle, robot, _NoRuntime())
    found = []
    for i, observation in enumerate(observations):
        try:
            tensors = policy.inputs(observation)
        except PolicyError as error:
            raise ConfigError(
                recording.source, f'observation {i}', str(error), 'the inputs of the bundle'
            ) from error
        found.append({name: value.copy() for name, value in tensors.items()})
    return found


def observations_for(
    path: Path | None, robot: RobotModel, tasks: Sequence[str], count: int, seed: int = 0
) -> Recording:
    """At most `count` observations of a recording, evenly spread, or `count` simulated ones."""
    if path is None:
        return simulated(robot, tasks, count, seed)
    recording = Recording.load(path)
    if len(recording) <= count:
        return recording
    return recording.pick(np.linspace(0, len(recording) - 1, count).round().astype(int).tolist())

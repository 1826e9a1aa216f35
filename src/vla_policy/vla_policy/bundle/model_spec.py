# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Bundles with a model file: its inputs, its outputs, and how it is loaded."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np

from vla_common.errors import ConfigError
from vla_common.yaml_file import ConfigReader
from vla_policy.bundle.action_space import ActionSpace, read_action_space, read_kind
from vla_policy.bundle.gripper_output import GripperOutput, read_gripper
from vla_policy.bundle.judged_outputs import Acceptance, JudgedOutput, acceptance, read_judged
from vla_policy.bundle.model_inputs import (
    History,
    ModelInputs,
    read_inputs,
    read_joints,
    read_normalisation,
)
from vla_policy.bundle.provenance import EngineMetadata, ModelSource, read_engine

PRECISIONS = ('', 'float32', 'float16', 'bfloat16')
CAST = ('torchscript', 'pytorch')
TORCH = ('torchscript', 'torch_export', 'pytorch')
PICKLED = ('.pkl', '.pickle', '.pth', '.ckpt', '.bin', '.joblib')
"""Formats that run code of the file's choosing when they are read."""


@dataclass(frozen=True)
class ActionOutput:
    """float32 (1, horizon, width), normalised: x * std + mean is in SI units, and means what
    `space` says. Point i is due (i + 1) * step seconds after the observation.
    """

    tensor: str
    space: ActionSpace
    horizon: int
    step: float
    mean: np.ndarray
    std: np.ndarray

    @property
    def kind(self) -> str:
        return self.space.kind

    @property
    def joints(self) -> tuple[str, ...]:
        return self.space.joints

    @property
    def shape(self) -> tuple[int, ...]:
        return (1, self.horizon, self.space.width)


@dataclass(frozen=True)
class FlowSampling:
    """Sampling of the action from a flow-matching head (runtimes/flow.py).

    steps: of the integration. guidance: largest correction towards the committed part of the motion
    (blending `rtc`). samples: per answer; the further apart, the lower the confidence.
    """

    steps: int
    guidance: float
    samples: int


@dataclass(frozen=True)
class ModelSpec:
    """file: model file. precision: to cast to, empty for none. device_map: 'auto', module path ->
    device, or empty for one device. engine: computer that a TensorRT engine was built for. judged:
    the outputs understood, possible and done that the model has, in this order."""

    file: str
    inputs: ModelInputs
    action: ActionOutput
    gripper: GripperOutput | None = None
    flow: FlowSampling | None = None
    precision: str = ''
    device_map: str | Mapping[str, str] = ''
    engine: EngineMetadata | None = None
    judged: Mapping[str, JudgedOutput] = field(default_factory=dict)

    @property
    def acceptance(self) -> Acceptance:
        return acceptance(self.judged)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Tensors in the order in which a module returns them."""
        gripper = (self.gripper.tensor,) if self.gripper is not None else ()
        return (self.action.tensor, *gripper, *self._beside)

    @property
    def answered(self) -> tuple[str, ...]:
        """Tensors that a policy reads: the action, the gripper unless it is ignored, those of
        `judged`, the next memory."""
        followed = self.followed_gripper
        gripper = (followed.tensor,) if followed is not None else ()
        return (self.action.tensor, *gripper, *self._beside)

    @property
    def _beside(self) -> tuple[str, ...]:
        """Tensors after action and gripper."""
        memory = self.inputs.memory
        following = (memory.following,) if memory is not None else ()
        return (*(output.tensor for output in self.judged.values()), *following)

    @property
    def followed_gripper(self) -> GripperOutput | None:
        """The gripper output that is followed; None without one."""
        return None if self.gripper is None or self.gripper.ignored else self.gripper

    @property
    def cameras(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(image.camera for image in self.inputs.images))

    @property
    def depth_cameras(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(depth.camera for depth in self.inputs.depths))

    @property
    def history(self) -> History:
        return self.inputs.history

    @property
    def needs_velocity(self) -> bool:
        state = self.inputs.state
        return state is not None and state.quantity == 'position_velocity'

    @property
    def named_joints(self) -> dict[str, tuple[str, ...]]:
        state = self.inputs.state
        named = {'inputs.state.joints': state.joints} if state is not None else {}
        return named | {'outputs.action.joints': self.action.joints}


def read_model(
    top: ConfigReader, runtime: str, files: Mapping[str, str], source: ModelSource | None
) -> ModelSpec:
    """The keys of policy.yaml that describe a model file. Raises ConfigError."""

    def listed(f: ConfigReader, key: str) -> str:
        return _listed(f, key, files)

    if runtime == 'pytorch':
        if source is None:
            raise ConfigError(
                top.file, 'source', 'nothing', 'the factory and weights of the module'
            )
        # The weights are the model file; `model` may repeat them.
        file = source.weights
        if top.has('model'):
            listed(top, 'model')
    else:
        file = listed(top, 'model')
    engine = read_engine(top) if runtime == 'tensorrt' else None
    device_map = _device_map(top) if runtime == 'pytorch' else ''
    precision = ''
    if runtime in TORCH:
        precision = top.text('precision', default='', choices=PRECISIONS)
    outputs = top.section('outputs')
    section = outputs.section('action')
    flow = _flow(section, runtime) if section.has('flow') else None
    action = _action(section)
    gripper = read_gripper(outputs.section('gripper')) if outputs.has('gripper') else None
    inputs = read_inputs(top.section('inputs'), action.shape, listed)
    judged = read_judged(outputs, inputs.instruction.length if inputs.instruction else 0)
    outputs.close()
    if flow is not None and judged:
        key, wanted = f'outputs.{next(iter(judged))}', 'none: a flow head returns velocities'
        raise ConfigError(top.file, key, 'one', wanted)
    if flow is not None and gripper is not None and not gripper.ignored:
        wanted = 'none, or `ignored: true`: a flow head returns velocities of the action alone'
        raise ConfigError(top.file, 'outputs.gripper', 'one', wanted)
    if flow is not None and inputs.noise is not None:
        raise ConfigError(top.file, 'inputs.noise', 'one', 'none: the flow head draws its own')
    if inputs.memory is not None and (flow is not None or inputs.noise is not None):
        wanted = 'none beside several samples of one answer, of which each would be another one'
        raise ConfigError(top.file, 'inputs.memory', 'one', wanted)
    spec = ModelSpec(file, inputs, action, gripper, flow, precision, device_map, engine, judged)
    for name in spec.outputs:
        if spec.outputs.count(name) > 1:
            raise ConfigError(top.file, 'outputs', f'tensor {name} used twice', 'one per output')
    return spec


def read_files(top: ConfigReader) -> dict[str, str]:
    """The section `files`: name -> SHA-256. Raises ConfigError."""
    if not top.has('files'):
        return {}
    section = top.section('files')
    files = {}
    for name in section.keys():  # noqa: SIM118
        _check_inside(section, name, name)
        digest = section.text(name).lower()
        if not re.fullmatch('[0-9a-f]{64}', digest):
            raise section.error(name, digest, 'a SHA-256: 64 hexadecimal digits')
        files[name] = digest
    return files


def _listed(f: ConfigReader, key: str, files: Mapping[str, str]) -> str:
    name = f.text(key)
    _check_inside(f, key, name)
    if PurePosixPath(name).suffix.lower() in PICKLED:
        raise f.error(key, name, f'a {key} that is no pickle: .onnx, .pt, .pt2, .engine or .json')
    if name not in files:
        raise ConfigError(f.file, f'files.{name}', 'nothing', f'the SHA-256 of the {key}')
    return name


def _check_inside(f: ConfigReader, key: str, name: str) -> None:
    """Reject names that lead out of the bundle.

    By the name alone, without resolving links: `colcon build --symlink-install` links all files,
    and the target of a link is checked by its hash.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or '..' in path.parts or '\\' in name or ':' in name or '\0' in name:
        raise f.error(key, name, 'a path inside the bundle')


def _action(f: ConfigReader) -> ActionOutput:
    tensor = f.text('tensor')
    kind = read_kind(f)
    space = read_action_space(f, kind, read_joints(f))
    horizon = f.integer('horizon', lo=1, hi=1000)
    step = f.number('step', lo=1e-3, hi=10.0)
    mean, std = read_normalisation(f, space.width)
    f.close()
    return ActionOutput(tensor, space, horizon, step, mean, std)


def _flow(action: ConfigReader, runtime: str) -> FlowSampling:
    if runtime != 'pytorch':
        wanted = 'pytorch: other forms of a model do not expose its velocity field'
        raise ConfigError(action.file, 'runtime', runtime, wanted)
    f = action.section('flow')
    flow = FlowSampling(
        f.integer('steps', default=5, lo=1, hi=100),
        f.number('guidance', default=5.0, lo=0.0, hi=100.0),
        f.integer('samples', default=1, lo=1, hi=64),
    )
    f.close()
    return flow


def _device_map(f: ConfigReader) -> str | Mapping[str, str]:
    found = f.raw('device_map', default='')
    if found in ('', 'auto'):
        return found
    wanted = 'auto, or modules with their devices (encoder: cuda:0)'
    if not isinstance(found, dict) or not found:
        raise f.error('device_map', found, wanted)
    for module, device in found.items():
        if not isinstance(module, str) or not isinstance(device, str):
            raise f.error('device_map', f'{module}: {device}', wanted)
    return dict(found)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A policy bundle: a directory with `policy.yaml` and the files that it names.

`policy.yaml` is the one home of what a model eats and gives: sizes, normalisation, joint order,
tokenizer, horizon. Everything in it is checked here, once, before a model file is opened, and each
mistake is one `ConfigError` naming file, key, what was found and what was wanted.

Files are read once: the bytes whose SHA-256 was checked are the bytes that are loaded
(`Bundle.read`), so nothing can be swapped in between. No pickle is ever loaded.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import urlsplit

import numpy as np

from vla_common.errors import ConfigError
from vla_common.yaml_file import ConfigReader, load_yaml
from vla_policy.bundle.engine import EngineMetadata, read_engine
from vla_policy.bundle.inputs import (
    DepthInput,
    History,
    ImageInput,
    Input,
    InstructionInput,
    NoiseInput,
    PhaseInput,
    StateInput,
    read_inputs,
    read_joints,
    read_normalisation,
)
from vla_policy.bundle.motions import ChunkShape, Motion, read_motions
from vla_policy.bundle.provenance import (
    ModelSource,
    Verification,
    check_verification,
    read_source,
    read_verification,
)
from vla_policy.bundle.remote import DIALECTS, ENCODINGS, RemoteSpec, read_spec

FORMAT = 1
RUNTIMES = (
    'onnx',
    'torchscript',
    'torch_export',
    'pytorch',
    'tensorrt',
    'litert',
    'scripted',
    'openpi',
    'groot',
)
BLENDINGS = ('replace', 'ensemble', 'rtc')
PRECISIONS = ('', 'float32', 'float16', 'bfloat16')
CAST = ('torchscript', 'pytorch')
TORCH = ('torchscript', 'torch_export', 'pytorch')
REMOTE = {'openpi': ('ws://', 'wss://'), 'groot': ('tcp://',)}
KINDS = ('joint_position', 'joint_delta')
# Formats that run code of the file's choosing when they are read.
PICKLED = ('.pkl', '.pickle', '.pth', '.ckpt', '.bin', '.joblib')


SINGLE = History()


class HasJoints(Protocol):
    """As much of a robot as a bundle has to know."""

    name: str
    joint_names: tuple[str, ...]


@dataclass(frozen=True)
class ActionOutput:
    """float32 (1, horizon, k), normalised: joint targets in rad are x * std + mean.

    `joint_position`: targets. `joint_delta`: to be added to the observed position. Point i is due
    (i + 1) * step seconds after the observation.
    """

    tensor: str
    kind: str
    joints: tuple[str, ...]
    horizon: int
    step: float
    mean: np.ndarray
    std: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return (1, self.horizon, len(self.joints))


@dataclass(frozen=True)
class FlowHead:
    """The action is sampled from a flow-matching head, whose velocity field the module gives
    (runtimes/flow_head.py), in `steps` steps; so it can be led by what is committed of the motion
    under way (blending `rtc`), with a correction of at most `guidance`. samples: drawn for each
    answer; the more they contradict each other, the lower the confidence."""

    steps: int
    guidance: float
    samples: int


@dataclass(frozen=True)
class GripperOutput:
    """float32 (1, horizon, k) in [0, 1], 0 open, 1 closed. Told, not yet executed: the robots
    here have no grippers."""

    tensor: str
    grippers: tuple[str, ...]


@dataclass(frozen=True)
class Bundle:
    """A checked `policy.yaml`."""

    directory: Path
    name: str
    version: str
    description: str
    licence: str
    runtime: str
    robot: str
    model: str
    image: ImageInput | None
    state: StateInput | None
    instruction: InstructionInput | None
    phase: PhaseInput | None
    action: ActionOutput | None
    tasks: tuple[str, ...]
    goal_like: bool
    motions: dict[str, Motion]
    chunk: ChunkShape | None
    files: dict[str, str] = field(default_factory=dict)
    gripper: GripperOutput | None = None
    source: ModelSource | None = None
    verification: Verification | None = None
    remote: RemoteSpec | None = None
    url: str = ''
    precision: str = ''
    device_map: str | Mapping[str, str] = ''
    dialect: str = 'nested'
    encoding: str = 'npy'
    engine: EngineMetadata | None = None
    more_images: tuple[ImageInput, ...] = ()
    depths: tuple[DepthInput, ...] = ()
    noise: NoiseInput | None = None
    history: History = SINGLE
    flow: FlowHead | None = None
    blending: str = ''

    @property
    def file(self) -> Path:
        return self.directory / 'policy.yaml'

    @property
    def title(self) -> str:
        """Name and version, as the status says it."""
        return f'{self.name} {self.version}'

    @property
    def images(self) -> tuple[ImageInput, ...]:
        return (self.image, *self.more_images) if self.image else ()

    @property
    def cameras(self) -> tuple[str, ...]:
        """Whose colour images are looked at."""
        images = self.images if self.remote is None else self.remote.images
        return tuple(dict.fromkeys(image.camera for image in images))

    @property
    def depth_cameras(self) -> tuple[str, ...]:
        """Whose depth images are looked at."""
        return tuple(dict.fromkeys(depth.camera for depth in self.depths))

    @property
    def inputs(self) -> tuple[Input, ...]:
        others = (self.state, self.instruction, self.phase, self.noise)
        return (*self.images, *self.depths, *(part for part in others if part is not None))

    def read(self, name: str) -> bytes:
        """The bytes of one listed file, after their SHA-256 was found to be the listed one.

        Raises ConfigError when the file is not listed, missing, unreadable, or another.
        """
        key = f'files.{name}'
        wanted = self.files.get(name)
        if wanted is None:
            raise ConfigError(str(self.file), key, 'nothing', f'the SHA-256 of {name}')
        try:
            content = (self.directory / name).read_bytes()
        except OSError as error:
            raise ConfigError(
                str(self.file), key, error.strerror or str(error), f'a readable file {name}'
            ) from error
        found = hashlib.sha256(content).hexdigest()
        if found != wanted:
            raise ConfigError(
                str(self.file), key, f'a file with SHA-256 {found}', f'SHA-256 {wanted}'
            )
        return content


def load_bundle(
    path: str | Path, robot: HasJoints | None = None, *, accept_failed: bool = False
) -> Bundle:
    """Read and check `path`/policy.yaml, the hash of each listed file included.

    With a robot, every joint that the bundle names must be one of its joints. A bundle that failed
    its verification is refused, unless `accept_failed`. Raises ConfigError.
    """
    directory = Path(path).expanduser()
    file = directory / 'policy.yaml'
    if not directory.is_dir():
        raise ConfigError(str(directory), 'bundle', 'no such directory', 'a policy bundle')
    if not file.is_file():
        raise ConfigError(str(file), 'policy.yaml', 'no such file', 'a policy bundle with one')
    top = ConfigReader(str(file), load_yaml(file))
    version = top.integer('format')
    if version != FORMAT:
        raise ConfigError(str(file), 'format', version, FORMAT)
    runtime = top.text('runtime', choices=RUNTIMES)
    files = _read_files(top)
    shared = {
        'directory': directory,
        'name': top.text('name'),
        'version': _version_text(top),
        'description': top.text('description', default=''),
        'licence': top.text('licence', default=''),
        'runtime': runtime,
        'robot': top.text('robot', default=''),
        'tasks': tuple(top.texts('tasks')) if top.has('tasks') else (),
        'goal_like': top.flag('goal_like', default=False),
        'files': files,
        'blending': top.text('blending', default='', choices=('', *BLENDINGS)),
    }
    shared['source'] = read_source(top, files)
    shared['verification'] = read_verification(top)
    if runtime in REMOTE:
        bundle = _remote(top, shared)
    else:
        bundle = _scripted(top, shared) if runtime == 'scripted' else _learned(top, shared)
    top.close()
    if not accept_failed:
        check_verification(str(file), bundle.verification, files.get(bundle.model, ''))
    for name in files:
        bundle.read(name)
    if robot is not None:
        check_joints(bundle, robot)
    return bundle


def with_precision(bundle: Bundle, precision: str) -> Bundle:
    """The bundle, to be run in float32, float16 or bfloat16; as it says itself for an empty text.
    Raises ConfigError where the form of the model has the precision in it."""
    if not precision:
        return bundle
    if bundle.runtime not in CAST:
        raise ConfigError(
            'parameters',
            'precision',
            f'{precision} for a bundle of runtime {bundle.runtime}',
            f'none: only {" and ".join(CAST)} models can be cast when they are loaded',
        )
    return replace(bundle, precision=precision)


def _version_text(top: ConfigReader) -> str:
    # 0.1 without quotes is a number to YAML; people write it so.
    try:
        return top.text('version')
    except ConfigError:
        return f'{top.number("version"):g}'


def _scripted(top: ConfigReader, shared: dict) -> Bundle:
    motions, chunk = read_motions(top)
    return Bundle(
        **shared,
        model='',
        image=None,
        state=None,
        instruction=None,
        phase=None,
        action=None,
        motions=motions,
        chunk=chunk,
    )


def _names_a_port(url: str, needed: bool) -> bool:
    """Whether the address has a host, and a port if that is needed."""
    try:
        address = urlsplit(url)
        return bool(address.hostname) and (address.port is not None or not needed)
    except ValueError:
        return False


def _remote(top: ConfigReader, shared: dict) -> Bundle:
    """A policy that runs elsewhere: how to ask it."""
    url = top.text('url')
    schemes = REMOTE[shared['runtime']]
    if not url.startswith(schemes) or not _names_a_port(url, shared['runtime'] == 'groot'):
        raise top.error('url', url, f'{" or ".join(schemes)}host:port')
    given = {'url': url}
    if shared['runtime'] == 'groot':
        given['dialect'] = top.text('dialect', default='nested', choices=DIALECTS)
        given['encoding'] = top.text('encoding', default='npy', choices=ENCODINGS)
    return Bundle(
        **shared,
        **given,
        model='',
        image=None,
        state=None,
        instruction=None,
        phase=None,
        action=None,
        motions={},
        chunk=None,
        remote=read_spec(top.section('inputs'), top.section('outputs')),
    )


def _learned(top: ConfigReader, shared: dict) -> Bundle:
    file = top.file
    runtime, given = shared['runtime'], {}
    if runtime == 'pytorch':
        if shared['source'] is None:
            raise ConfigError(file, 'source', 'nothing', 'the factory and weights of the module')
        # The weights are the model file, whatever else the source is for.
        model = shared['source'].weights
        if top.has('model'):
            _listed(top, 'model', shared['files'])
        given['device_map'] = _device_map(top)
    else:
        model = _listed(top, 'model', shared['files'])
    if runtime == 'tensorrt':
        given['engine'] = read_engine(top)
    if runtime in TORCH:
        given['precision'] = top.text('precision', default='', choices=PRECISIONS)
    outputs = top.section('outputs')
    section = outputs.section('action')
    flow = _flow(section, runtime) if section.has('flow') else None
    action = _action(section)
    gripper = _gripper(outputs.section('gripper')) if outputs.has('gripper') else None
    outputs.close()
    inputs = read_inputs(
        top.section('inputs'), action.shape, lambda f, key: _listed(f, key, shared['files'])
    )
    if flow is not None and inputs.noise is not None:
        raise ConfigError(file, 'inputs.noise', 'one', 'none: the flow head draws its own')
    return Bundle(
        **shared,
        **given,
        model=model,
        image=inputs.images[0] if inputs.images else None,
        more_images=inputs.images[1:],
        depths=inputs.depths,
        state=inputs.state,
        instruction=inputs.instruction,
        phase=inputs.phase,
        noise=inputs.noise,
        history=inputs.history,
        action=action,
        gripper=gripper,
        flow=flow,
        motions={},
        chunk=None,
    )


def _action(f: ConfigReader) -> ActionOutput:
    tensor = f.text('tensor')
    kind = f.text('kind', choices=KINDS)
    joints = read_joints(f)
    horizon = f.integer('horizon', lo=1, hi=1000)
    step = f.number('step', lo=1e-3, hi=10.0)
    mean, std = read_normalisation(f, len(joints))
    f.close()
    return ActionOutput(tensor, kind, joints, horizon, step, mean, std)


def _flow(action: ConfigReader, runtime: str) -> FlowHead:
    if runtime != 'pytorch':
        wanted = 'pytorch: other forms of a model do not show its velocity field'
        raise ConfigError(action.file, 'runtime', runtime, wanted)
    f = action.section('flow')
    flow = FlowHead(
        f.integer('steps', default=5, lo=1, hi=100),
        f.number('guidance', default=5.0, lo=0.0, hi=100.0),
        f.integer('samples', default=1, lo=1, hi=64),
    )
    f.close()
    return flow


def _gripper(f: ConfigReader) -> GripperOutput:
    output = GripperOutput(f.text('tensor'), tuple(f.texts('grippers')))
    f.close()
    return output


def _read_files(top: ConfigReader) -> dict[str, str]:
    if not top.has('files'):
        return {}
    section = top.section('files')
    files = {}
    for name in section.keys():  # noqa: SIM118
        _check_inside(top.file, f'files.{name}', name)
        digest = section.text(name).lower()
        if not re.fullmatch('[0-9a-f]{64}', digest):
            raise ConfigError(top.file, f'files.{name}', digest, 'a SHA-256: 64 hexadecimal digits')
        files[name] = digest
    return files


def _check_inside(file: str, key: str, name: str) -> None:
    """Refuse names that lead out of the bundle.

    By the name alone, not by resolving links: `colcon build --symlink-install` makes links of all
    files, and what a link leads to is held by its hash.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or '..' in path.parts or '\\' in name or ':' in name or '\0' in name:
        raise ConfigError(file, key, name, 'a path inside the bundle')


def _device_map(f: ConfigReader) -> str | Mapping[str, str]:
    """auto, or a module's path in the model -> its device; empty for one device."""
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


def _listed(f: ConfigReader, key: str, files: dict[str, str]) -> str:
    name = f.text(key)
    _check_inside(f.file, f.path(key), name)
    if PurePosixPath(name).suffix.lower() in PICKLED:
        raise f.error(key, name, f'a {key} that is no pickle: .onnx, .pt, .pt2, .engine or .json')
    if name not in files:
        raise ConfigError(f.file, f'files.{name}', 'nothing', f'the SHA-256 of the {key}')
    return name


def check_joints(bundle: Bundle, robot: HasJoints) -> None:
    """Raise ConfigError unless every joint that the bundle names is one of the robot's."""
    named: list[tuple[str, tuple[str, ...]]] = []
    if bundle.state is not None:
        named.append(('inputs.state.joints', bundle.state.joints))
    if bundle.action is not None:
        named.append(('outputs.action.joints', bundle.action.joints))
    for name, motion in bundle.motions.items():
        named.append((f'motions.{name}', motion.joints))
    if bundle.remote is not None:
        named += bundle.remote.joints
    known = set(robot.joint_names)
    for key, joints in named:
        unknown = [joint for joint in joints if joint not in known]
        if unknown:
            near = difflib.get_close_matches(unknown[0], robot.joint_names, n=1)
            hint = f' (nearest to {unknown[0]}: {near[0]})' if near else ''
            raise ConfigError(
                str(bundle.file),
                key,
                ', '.join(unknown),
                f'joints of the robot {robot.name}{hint}',
            )

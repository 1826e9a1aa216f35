# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A policy bundle: a directory with `policy.yaml` and the files that it lists.

`policy.yaml` is the one home of a model's inputs and outputs: sizes, normalisation, joint order,
tokenizer, horizon. All of it is checked here, once, before a model file is opened; each mistake is
one `ConfigError` with file, key, found and wanted.

Files are read once: the bytes whose SHA-256 was checked are the bytes that are loaded
(`Bundle.read`), so nothing can be exchanged in between. No pickle is ever loaded.
"""

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from vla_common.errors import ConfigError
from vla_common.yaml_file import ConfigReader, load_yaml
from vla_policy.bundle.gripper_output import check_grippers
from vla_policy.bundle.judged_outputs import Acceptance
from vla_policy.bundle.model_inputs import History
from vla_policy.bundle.model_spec import CAST, ModelSpec, read_files, read_model
from vla_policy.bundle.provenance import (
    ModelSource,
    Verification,
    check_verification,
    read_source,
    read_verification,
)
from vla_policy.registry import POLICIES, RUNTIMES, check_installed, installed_code

FORMAT = 1
BLENDINGS = ('replace', 'ensemble', 'rtc')
MODEL_KEYS = ('runtime', 'model', 'files', 'source', 'verification', 'engine')
"""Keys of policy.yaml that belong to the model file: a conversion writes its own."""


class NamedJoints(Protocol):
    """The part of a robot that a bundle is checked against."""

    name: str
    joint_names: tuple[str, ...]


class Spec(Protocol):
    """What a bundle describes: ModelSpec, RemoteSpec, ScriptedSpec, or one of another package."""

    @property
    def cameras(self) -> tuple[str, ...]:
        """Cameras whose color images the policy uses."""
        ...

    @property
    def depth_cameras(self) -> tuple[str, ...]:
        """Cameras whose depth images the policy uses."""
        ...

    @property
    def history(self) -> History: ...

    @property
    def named_joints(self) -> Mapping[str, tuple[str, ...]]:
        """Key of policy.yaml -> the joints that it names."""
        ...


@dataclass(frozen=True)
class Bundle:
    """A checked `policy.yaml`: identity, provenance, and one spec by the kind of the policy."""

    name: str
    version: str
    runtime: str
    spec: Spec
    directory: Path = Path()
    description: str = ''
    licence: str = ''
    robot: str = ''
    tasks: tuple[str, ...] = ()
    goal_like: bool = False
    blending: str = ''
    files: Mapping[str, str] = field(default_factory=dict)
    source: ModelSource | None = None
    verification: Verification | None = None

    @property
    def file(self) -> Path:
        return self.directory / 'policy.yaml'

    @property
    def title(self) -> str:
        """Name and version, as published in the status."""
        return f'{self.name} {self.version}'

    @property
    def cameras(self) -> tuple[str, ...]:
        return self.spec.cameras

    @property
    def depth_cameras(self) -> tuple[str, ...]:
        return self.spec.depth_cameras

    @property
    def history(self) -> History:
        return self.spec.history

    @property
    def needs_velocity(self) -> bool:
        """Whether the policy looks at joint velocities; assumed of a spec of another package."""
        return bool(getattr(self.spec, 'needs_velocity', True))

    @property
    def acceptance(self) -> Acceptance:
        """Thresholds of the policy's own view of an instruction."""
        return getattr(self.spec, 'acceptance', Acceptance())

    @property
    def has_model(self) -> bool:
        return isinstance(self.spec, ModelSpec)

    @property
    def model(self) -> ModelSpec:
        """The spec of the model file. Raises ConfigError for a bundle without one."""
        if not isinstance(self.spec, ModelSpec):
            raise ConfigError(str(self.file), 'runtime', self.runtime, 'one with a model file')
        return self.spec

    @property
    def model_sha256(self) -> str:
        """Of the model file; with weights in other files, of the hashes of all; empty without a
        model."""
        if not isinstance(self.spec, ModelSpec):
            return ''
        model, words = self.spec.file, self.spec.inputs.instruction
        apart = {
            model,
            words.tokenizer if words else '',
            self.source.weights if self.source else '',
        }
        beside = sorted(set(self.files) - apart) if self.runtime == 'onnx' else []
        if not beside:
            return self.files[model]
        digests = ''.join(self.files[name] for name in (model, *beside))
        return hashlib.sha256(digests.encode()).hexdigest()

    def read(self, name: str) -> bytes:
        """The bytes of one listed file, after their SHA-256 was checked.

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
    path: str | Path, robot: NamedJoints | None = None, *, accept_failed: bool = False
) -> Bundle:
    """Read and check `path`/policy.yaml, including the hash of each listed file.

    With a robot, it must be the one that the bundle is for, and every joint that the bundle names
    must be one of its joints. A bundle that failed its verification is rejected, unless
    `accept_failed`. Raises ConfigError.
    """
    directory = Path(path).expanduser()
    file = directory / 'policy.yaml'
    if not directory.is_dir():
        raise ConfigError(str(directory), 'bundle', 'no such directory', 'a policy bundle')
    if not file.is_file():
        raise ConfigError(str(file), 'policy.yaml', 'no such file', 'a policy bundle with one')
    with installed_code(directory):
        bundle = _read(directory, file)
    if bundle.source is not None:
        check_installed(bundle.source.factory, directory, str(file), 'source.factory')
    if not accept_failed:
        check_verification(str(file), bundle.verification, bundle.model_sha256)
    for name in bundle.files:
        bundle.read(name)
    if robot is not None:
        check_robot(bundle, robot)
    return bundle


def _read(directory: Path, file: Path) -> Bundle:
    """What policy.yaml says. Raises ConfigError."""
    top = ConfigReader(str(file), load_yaml(file))
    version = top.integer('format')
    if version != FORMAT:
        raise ConfigError(str(file), 'format', version, FORMAT)
    runtime = top.text('runtime', choices=(*RUNTIMES.names(), *POLICIES.names()))
    files = read_files(top)
    source = read_source(top, files)
    spec: Spec
    if runtime in POLICIES.names():
        spec = POLICIES.load(runtime, str(file), 'runtime').read(top)
    else:
        spec = read_model(top, runtime, files, source)
    bundle = Bundle(
        directory=directory,
        name=top.text('name'),
        version=_version_text(top),
        description=top.text('description', default=''),
        licence=top.text('licence', default=''),
        runtime=runtime,
        robot=top.text('robot', default=''),
        tasks=tuple(top.texts('tasks', default=())),
        goal_like=top.flag('goal_like', default=False),
        blending=top.text('blending', default='', choices=('', *BLENDINGS)),
        files=files,
        source=source,
        verification=read_verification(top),
        spec=spec,
    )
    top.close()
    return bundle


def with_precision(bundle: Bundle, precision: str) -> Bundle:
    """The bundle, to be run in float32, float16 or bfloat16; unchanged for an empty text.
    Raises ConfigError where the model file determines the precision."""
    if not precision:
        return bundle
    if bundle.runtime not in CAST:
        raise ConfigError(
            'parameters',
            'precision',
            f'{precision} for a bundle of runtime {bundle.runtime}',
            f'none: only {" and ".join(CAST)} models can be cast when they are loaded',
        )
    return replace(bundle, spec=replace(bundle.model, precision=precision))


def check_robot(bundle: Bundle, robot: NamedJoints) -> None:
    """Raise ConfigError unless the bundle is for this robot (or for none by name) and every joint
    that it names is one of the robot's."""
    # Robots of one maker share joint names, and differ in size.
    if bundle.robot not in ('', robot.name):
        wanted = f'{robot.name}, or none here if the policy is meant for robots of several names'
        raise ConfigError(str(bundle.file), 'robot', bundle.robot, wanted)
    known = set(robot.joint_names)
    for key, joints in bundle.spec.named_joints.items():
        unknown = [joint for joint in joints if joint not in known]
        if unknown:
            near = difflib.get_close_matches(unknown[0], robot.joint_names, n=1)
            hint = f' (nearest to {unknown[0]}: {near[0]})' if near else ''
            wanted = f'joints of the robot {robot.name}{hint}'
            raise ConfigError(str(bundle.file), key, ', '.join(unknown), wanted)
    spec = bundle.spec
    if isinstance(spec, ModelSpec) and spec.gripper is not None:
        check_grippers(spec.gripper, spec.action.joints, robot, str(bundle.file))


def _version_text(top: ConfigReader) -> str:
    # 0.1 without quotes is a number to YAML.
    try:
        return top.text('version')
    except ConfigError:
        return f'{top.number("version"):g}'

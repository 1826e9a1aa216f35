# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Requests and answers of a remote policy: the same keys in a bundle's policy.yaml (runtime openpi
or groot) and in the metadata of our own servers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

from vla_common.yaml_file import ConfigReader
from vla_policy.bundle.action_space import ActionSpace, read_action_space, read_kind
from vla_policy.bundle.address import TokenSource, check_public, read_token_source
from vla_policy.bundle.model_inputs import RESIZES, SINGLE, History, read_frames, read_history

QUANTITIES = ('position', 'velocity', 'pose_rot6d', 'constant')
DIALECTS = ('nested', 'flat', 'sim')
ENCODINGS = ('npy', 'msgpack_numpy')
T = TypeVar('T')


@dataclass(frozen=True)
class RemoteImage:
    """Sent as uint8 RGB (height, width, 3) under `key`. resize `fit`: at most that large, with the
    camera's aspect ratio; for servers that pad it themselves."""

    key: str
    camera: str
    width: int
    height: int
    resize: str
    frames: int = 1


@dataclass(frozen=True)
class RemoteState:
    """Sent as float32 (k,) under `key`. quantity: `position` rad or `velocity` rad/s of `joints`;
    `pose_rot6d`, of `frame` in the robot's base: x, y, z in m and the first two rows of its
    rotation; `constant`, the numbers in `value` (a gripper that the robot does not have)."""

    key: str
    joints: tuple[str, ...]
    quantity: str
    frames: int = 1
    frame: str = ''
    value: tuple[float, ...] = ()


@dataclass(frozen=True)
class RemoteAction:
    """parts: key in the answer -> its columns; the arrays (h, columns), one beside the other, are
    the action, in SI units. step: s between points. horizon: points used at most."""

    parts: Mapping[str, int]
    space: ActionSpace
    step: float
    horizon: int

    @property
    def joints(self) -> tuple[str, ...]:
        return self.space.joints

    def named_parts(self) -> dict[str, list[str]]:
        """Key in the answer -> its joints, of an action whose columns are joints."""
        found, at = {}, 0
        for key, width in self.parts.items():
            found[key] = list(self.joints[at : at + width])
            at += width
        return found


@dataclass(frozen=True)
class RemoteSpec:
    """instruction, elapsed, prefix: keys, empty where they are not sent. elapsed: s since the
    instruction began. prefix: see ActionPrefix. dialect, encoding: of GR00T servers. token: where
    it is, None for none."""

    images: tuple[RemoteImage, ...]
    states: tuple[RemoteState, ...]
    instruction: str
    elapsed: str
    prefix: str
    action: RemoteAction
    url: str = ''
    dialect: str = 'nested'
    encoding: str = 'npy'
    token: TokenSource | None = None
    depth_cameras: tuple[str, ...] = ()
    history: History = SINGLE

    @property
    def cameras(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(image.camera for image in self.images))

    @property
    def needs_velocity(self) -> bool:
        return any(state.quantity == 'velocity' for state in self.states)

    @property
    def named_joints(self) -> dict[str, tuple[str, ...]]:
        named = {f'inputs.states.{s.key}': s.joints for s in self.states if s.joints}
        return named | {'outputs.action.parts': self.action.joints}

    def described(self) -> dict[str, Any]:
        """The sections `inputs` and `outputs` as plain values, for the metadata of our servers,
        which answer with joint positions."""
        images = {
            i.key: {'camera': i.camera, 'width': i.width, 'height': i.height, 'resize': i.resize}
            for i in self.images
        }
        inputs = {
            'images': images,
            'states': {
                s.key: {'joints': list(s.joints), 'quantity': s.quantity} for s in self.states
            },
            'instruction': self.instruction,
            'elapsed': self.elapsed,
            'prefix': self.prefix,
        }
        action = {
            'parts': self.action.named_parts(),
            'kind': self.action.space.kind,
            'step': self.action.step,
            'horizon': self.action.horizon,
        }
        return {
            'inputs': {key: value for key, value in inputs.items() if value},
            'outputs': {'action': action},
        }


def read_remote(top: ConfigReader, schemes: tuple[str, ...], groot: bool = False) -> RemoteSpec:
    """The keys of policy.yaml that describe a remote policy. schemes: of the URL. Raises
    ConfigError."""
    url = top.text('url')
    check_public(url, top.file, top.path('url'))
    if not url.startswith(schemes) or not _has_host(url, port=groot):
        raise top.error('url', url, f'{" or ".join(schemes)}host:port')
    spec = replace(read_described(top), url=url, token=read_token_source(top))
    if not groot:
        if spec.history.frames > 1:
            raise top.section('inputs').error('history', 'one', 'none: openpi has no time axis')
        return spec
    return replace(
        spec,
        dialect=top.text('dialect', default='nested', choices=DIALECTS),
        encoding=top.text('encoding', default='npy', choices=ENCODINGS),
    )


def read_described(top: ConfigReader) -> RemoteSpec:
    """The sections `inputs` and `outputs`. Raises ConfigError."""
    inputs, outputs = top.section('inputs'), top.section('outputs')
    history = read_history(inputs.section('history')) if inputs.has('history') else SINGLE
    images = _each(inputs, 'images', lambda key, f: _image(key, f, history.frames))
    states = _each(inputs, 'states', lambda key, f: _state(key, f, history.frames))
    if not images and not states:
        raise inputs.error('states', 'neither images nor states', 'at least one')
    keys = [inputs.text(key, default='') for key in ('instruction', 'elapsed', 'prefix')]
    inputs.close()
    action = _action(outputs.section('action'))
    if keys[2] and not action.space.takes_prefix:
        wanted = (
            'none: only joint_position and joint_delta from the observed position take a prefix'
        )
        raise inputs.error('prefix', keys[2], wanted)
    outputs.close()
    return RemoteSpec(images, states, *keys, action, history=history)


def _has_host(url: str, port: bool) -> bool:
    """Whether the address has a host, and a port if that is required."""
    try:
        address = urlsplit(url)
        return bool(address.hostname) and (address.port is not None or not port)
    except ValueError:
        return False


def _each(f: ConfigReader, key: str, read: Callable[[str, ConfigReader], T]) -> tuple[T, ...]:
    if not f.has(key):
        return ()
    found = []
    for name, section in f.sections(key).items():
        found.append(read(name, section))
        section.close()
    return tuple(found)


def _image(key: str, f: ConfigReader, frames: int) -> RemoteImage:
    return RemoteImage(
        key,
        f.text('camera'),
        f.integer('width', lo=1, hi=4096),
        f.integer('height', lo=1, hi=4096),
        f.text('resize', default='letterbox', choices=(*RESIZES, 'fit')),
        read_frames(f, frames, frames),
    )


def _state(key: str, f: ConfigReader, frames: int) -> RemoteState:
    quantity = f.text('quantity', default='position', choices=QUANTITIES)
    joints = _joints(f, 'joints') if quantity in ('position', 'velocity') else ()
    frame = f.text('frame') if quantity == 'pose_rot6d' else ''
    value = tuple(f.numbers('value')) if quantity == 'constant' else ()
    return RemoteState(key, joints, quantity, read_frames(f, 1, frames), frame, value)


def _action(f: ConfigReader) -> RemoteAction:
    kind = read_kind(f, default='joint_position')
    section = f.section('parts')
    keys = section.keys()
    if not keys:
        raise f.error('parts', 'none', 'at least one key of the answer with its joints or columns')
    if f.has('joints'):
        # The columns are more, or others, than the joints.
        parts = {key: section.integer(key, lo=1, hi=1000) for key in keys}
        joints = _joints(f, 'joints')
    else:
        named = {key: _joints(section, key) for key in keys}
        parts = {key: len(names) for key, names in named.items()}
        joints = tuple(joint for names in named.values() for joint in names)
        if len(set(joints)) != len(joints):
            raise f.error('parts', 'a joint twice', 'each once')
    section.close()
    space = read_action_space(f, kind, joints)
    if sum(parts.values()) != space.width:
        wanted = f'{space.width}: {space.used} that are used and {len(space.ignore)} ignored'
        if not f.has('joints'):
            wanted += '; with columns that are no joints, parts has numbers and joints is a key'
        raise f.error('parts', f'{sum(parts.values())} columns', wanted)
    action = RemoteAction(
        parts,
        space,
        f.number('step', lo=1e-3, hi=10.0),
        f.integer('horizon', default=50, lo=1, hi=1000),
    )
    f.close()
    return action


def _joints(f: ConfigReader, key: str) -> tuple[str, ...]:
    joints = tuple(f.texts(key))
    if not joints or len(set(joints)) != len(joints):
        raise f.error(key, f'{len(joints)} joints', 'at least one, each once')
    return joints

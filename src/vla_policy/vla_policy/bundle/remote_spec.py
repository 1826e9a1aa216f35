# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Requests and answers of a remote policy: the same keys in a bundle's policy.yaml (runtime openpi
or groot) and in the metadata of our own servers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

from vla_common.yaml_file import ConfigReader
from vla_policy.bundle.model_inputs import RESIZES, SINGLE, History

QUANTITIES = ('position', 'velocity')
KINDS = ('joint_position', 'joint_delta')
DIALECTS = ('nested', 'flat')
ENCODINGS = ('npy', 'msgpack_numpy')
T = TypeVar('T')


@dataclass(frozen=True)
class RemoteImage:
    """Sent as uint8 RGB (height, width, 3) under `key`."""

    key: str
    camera: str
    width: int
    height: int
    resize: str


@dataclass(frozen=True)
class RemoteState:
    """Sent as float32 (k,) under `key`: rad or rad/s of `joints`."""

    key: str
    joints: tuple[str, ...]
    quantity: str


@dataclass(frozen=True)
class RemoteAction:
    """parts: key in the answer -> its joints; each (h, k) rad, `joint_delta` relative to the
    observed position. step: s between points. horizon: points used at most."""

    parts: Mapping[str, tuple[str, ...]]
    kind: str
    step: float
    horizon: int

    @property
    def joints(self) -> tuple[str, ...]:
        return tuple(joint for joints in self.parts.values() for joint in joints)


@dataclass(frozen=True)
class RemoteSpec:
    """instruction, elapsed, prefix: keys, empty where they are not sent. elapsed: s since the
    instruction began. prefix: see ActionPrefix. dialect, encoding: of GR00T servers."""

    images: tuple[RemoteImage, ...]
    states: tuple[RemoteState, ...]
    instruction: str
    elapsed: str
    prefix: str
    action: RemoteAction
    url: str = ''
    dialect: str = 'nested'
    encoding: str = 'npy'
    depth_cameras: tuple[str, ...] = ()
    history: History = SINGLE

    @property
    def cameras(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(image.camera for image in self.images))

    @property
    def named_joints(self) -> dict[str, tuple[str, ...]]:
        named = {f'inputs.states.{state.key}': state.joints for state in self.states}
        return named | {'outputs.action.parts': self.action.joints}

    def described(self) -> dict[str, Any]:
        """The sections `inputs` and `outputs` as plain values, for a server's metadata."""
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
            'parts': {key: list(joints) for key, joints in self.action.parts.items()},
            'kind': self.action.kind,
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
    if not url.startswith(schemes) or not _has_host(url, port=groot):
        raise top.error('url', url, f'{" or ".join(schemes)}host:port')
    spec = replace(read_described(top), url=url)
    if not groot:
        return spec
    return replace(
        spec,
        dialect=top.text('dialect', default='nested', choices=DIALECTS),
        encoding=top.text('encoding', default='npy', choices=ENCODINGS),
    )


def read_described(top: ConfigReader) -> RemoteSpec:
    """The sections `inputs` and `outputs`. Raises ConfigError."""
    inputs, outputs = top.section('inputs'), top.section('outputs')
    images = _each(inputs, 'images', _image)
    states = _each(inputs, 'states', _state)
    if not images and not states:
        raise inputs.error('states', 'neither images nor states', 'at least one')
    keys = [inputs.text(key, default='') for key in ('instruction', 'elapsed', 'prefix')]
    inputs.close()
    action = _action(outputs.section('action'))
    outputs.close()
    return RemoteSpec(images, states, *keys, action)


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


def _image(key: str, f: ConfigReader) -> RemoteImage:
    return RemoteImage(
        key,
        f.text('camera'),
        f.integer('width', lo=1, hi=4096),
        f.integer('height', lo=1, hi=4096),
        f.text('resize', default='letterbox', choices=RESIZES),
    )


def _state(key: str, f: ConfigReader) -> RemoteState:
    joints = _joints(f, 'joints')
    return RemoteState(key, joints, f.text('quantity', default='position', choices=QUANTITIES))


def _action(f: ConfigReader) -> RemoteAction:
    section = f.section('parts')
    parts = {key: _joints(section, key) for key in section.keys()}  # noqa: SIM118
    section.close()
    if not parts:
        raise f.error('parts', 'none', 'at least one key of the answer with its joints')
    joints = [joint for names in parts.values() for joint in names]
    if len(set(joints)) != len(joints):
        raise f.error('parts', 'a joint twice', 'each once')
    action = RemoteAction(
        parts,
        f.text('kind', default='joint_position', choices=KINDS),
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

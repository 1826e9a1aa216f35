# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What a remote policy is asked with, and what it answers: the same words in a bundle's policy.yaml
(runtime openpi or groot) and in what our own servers say first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vla_common.yaml_file import ConfigReader

RESIZES = ('stretch', 'crop', 'letterbox')
QUANTITIES = ('position', 'velocity')
KINDS = ('joint_position', 'joint_delta')
DIALECTS = ('nested', 'flat')
ENCODINGS = ('npy', 'msgpack_numpy')


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
    instruction began. prefix: see ActionPrefix."""

    images: tuple[RemoteImage, ...]
    states: tuple[RemoteState, ...]
    instruction: str
    elapsed: str
    prefix: str
    action: RemoteAction

    @property
    def joints(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Where joints are named, and which."""
        named = [(f'inputs.states.{state.key}', state.joints) for state in self.states]
        return (*named, ('outputs.action.parts', self.action.joints))


def read_spec(inputs: ConfigReader, outputs: ConfigReader) -> RemoteSpec:
    """Raises ConfigError."""
    images = tuple(
        _image(key, f) for key, f in (_sections(inputs, 'images') if inputs.has('images') else ())
    )
    states = tuple(
        _state(key, f) for key, f in (_sections(inputs, 'states') if inputs.has('states') else ())
    )
    if not images and not states:
        raise inputs.error('states', 'neither images nor states', 'at least one')
    instruction = inputs.text('instruction', default='')
    elapsed = inputs.text('elapsed', default='')
    prefix = inputs.text('prefix', default='')
    inputs.close()
    action = _action(outputs.section('action'))
    outputs.close()
    return RemoteSpec(images, states, instruction, elapsed, prefix, action)


def told(spec: RemoteSpec) -> dict[str, Any]:
    """The same as plain values, to be sent as `vla` in a server's metadata."""
    inputs: dict[str, Any] = {
        'images': {
            i.key: {'camera': i.camera, 'width': i.width, 'height': i.height, 'resize': i.resize}
            for i in spec.images
        },
        'states': {s.key: {'joints': list(s.joints), 'quantity': s.quantity} for s in spec.states},
        'instruction': spec.instruction,
        'elapsed': spec.elapsed,
        'prefix': spec.prefix,
    }
    inputs = {key: value for key, value in inputs.items() if value}
    action = spec.action
    parts = {key: list(joints) for key, joints in action.parts.items()}
    answer = {
        'parts': parts,
        'kind': action.kind,
        'step': action.step,
        'horizon': action.horizon,
    }
    return {'inputs': inputs, 'outputs': {'action': answer}}


def _sections(f: ConfigReader, key: str):
    return f.sections(key).items()


def _image(key: str, f: ConfigReader) -> RemoteImage:
    image = RemoteImage(
        key,
        f.text('camera'),
        f.integer('width', lo=1, hi=4096),
        f.integer('height', lo=1, hi=4096),
        f.text('resize', default='letterbox', choices=RESIZES),
    )
    f.close()
    return image


def _state(key: str, f: ConfigReader) -> RemoteState:
    joints = _joints(f, 'joints')
    state = RemoteState(key, joints, f.text('quantity', default='position', choices=QUANTITIES))
    f.close()
    return state


def _action(f: ConfigReader) -> RemoteAction:
    section = f.section('parts')
    keys = list(section.keys())
    parts = {key: _joints(section, key) for key in keys}
    section.close()
    if not parts:
        raise f.error('parts', 'none', 'at least one key of the answer with its joints')
    every = [joint for joints in parts.values() for joint in joints]
    if len(set(every)) != len(every):
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

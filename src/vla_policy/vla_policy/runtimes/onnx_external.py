# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Files that an ONNX model names besides itself: external data of tensors, compiled contexts.

ONNX Runtime opens them relative to the working directory when a model is given as bytes, so a
process started inside a bundle took weights that no hash covers. The model's protobuf is read here,
not with the package onnx: that takes a second to import, and copies the weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from vla_common.errors import ConfigError
from vla_policy.bundle.bundle import Bundle

PARTS = {
    'ModelProto': {7: 'GraphProto', 20: 'TrainingInfoProto', 25: 'FunctionProto'},
    'TrainingInfoProto': {1: 'GraphProto', 2: 'GraphProto'},
    'GraphProto': {1: 'NodeProto', 5: 'TensorProto', 15: 'SparseTensorProto'},
    'FunctionProto': {7: 'NodeProto', 11: 'AttributeProto'},
    'NodeProto': {5: 'AttributeProto'},
    'AttributeProto': {
        5: 'TensorProto',
        6: 'GraphProto',
        10: 'TensorProto',
        11: 'GraphProto',
        22: 'SparseTensorProto',
        23: 'SparseTensorProto',
    },
    'SparseTensorProto': {1: 'TensorProto', 2: 'TensorProto'},
    'TensorProto': {13: 'StringStringEntryProto'},
}
"""Message -> field -> message, for every path from a model to the `external_data` of a tensor."""
OPERATOR = ('NodeProto', 4)
KEY, VALUE = 1, 2


def external_files(content: bytes) -> list[str]:
    """Locations of external data in an ONNX model, each once. Raises ValueError for bytes that are
    no ONNX model, and for an operator that opens a file itself."""
    found: dict[str, None] = {}
    pending = [('ModelProto', memoryview(content))]
    while pending:
        message, view = pending.pop()
        entry = {}
        for field, value in _fields(view):
            if field in PARTS.get(message, {}):
                pending.append((PARTS[message][field], value))
            elif (message, field) == OPERATOR and value == b'EPContext':
                raise ValueError('an operator EPContext, a model compiled into another file')
            elif message == 'StringStringEntryProto':
                entry[field] = bytes(value).decode('utf-8', 'replace')
        if entry.get(KEY) == 'location':
            found[entry.get(VALUE, '')] = None
    return sorted(found)


def read_external(bundle: Bundle, content: bytes) -> dict[str, bytes]:
    """Location -> bytes of each external file of the bundle's model, hashes checked. Raises
    ConfigError for one that is not listed."""
    model = bundle.model.file
    try:
        locations = external_files(content)
    except ValueError as error:
        file = str(bundle.directory / model)
        raise ConfigError(file, 'model', str(error), 'an ONNX model (.onnx)') from error
    found = {}
    for location in locations:
        name = str(PurePosixPath(model).parent / location)
        if name not in bundle.files:
            inside = '..' not in PurePosixPath(name).parts and not name.startswith('/')
            raise ConfigError(
                str(bundle.file),
                f'files.{name}',
                f'nothing, and {model} has weights in {location}',
                (f'its SHA-256 (sha256sum {name}), or ' if inside else '')
                + f'one file: onnx.save(onnx.load("{model}"), "{model}")',
            )
        found[location] = bundle.read(name)
    return found


def _fields(view: memoryview) -> Iterator[tuple[int, memoryview]]:
    """(number, content) of each length-delimited field of a protobuf message."""
    at = 0
    while at < len(view):
        tag, at = _varint(view, at)
        kind = tag & 7
        if kind == 0:
            _, at = _varint(view, at)
            continue
        length = {1: 8, 5: 4}.get(kind)
        if length is None:
            if kind != 2:
                raise ValueError('no protobuf message')
            length, at = _varint(view, at)
        if at + length > len(view):
            raise ValueError('a message that is cut off')
        if kind == 2:
            yield tag >> 3, view[at : at + length]
        at += length


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    """The number at `at`, and the position behind it."""
    value = shift = 0
    while at < len(view) and shift < 70:
        byte = view[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError('no protobuf message')

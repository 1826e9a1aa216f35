# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""msgpack with arrays, in the three encodings in use; the size of a message is bounded.

- openpi: {b'__ndarray__': true, b'data', b'dtype', b'shape'}, numbers {b'__npgeneric__': true, ...}
- GR00T N1.6: {'__ndarray_class__': true, 'as_npy': the bytes of a .npy file}
- msgpack-numpy (other GR00T servers): {b'nd': true, b'type', b'kind', b'shape', b'data'}

Arrays are of booleans, integers or floats: an object array would need pickle.
"""

import io
import time
from enum import Enum
from typing import Any

import msgpack
import numpy as np

from vla_common.errors import first_line

MAX_DIMENSIONS = 8
MAX_ITEMS = 100_000
"""of any list or mapping in a message; an array is one item."""
MAX_NPY_HEADER = 4096


class WireError(ValueError):
    """A message that cannot be decoded."""


class Encoding(str, Enum):
    """Of arrays in requests."""

    OPENPI = 'openpi'
    NPY = 'npy'
    MSGPACK_NUMPY = 'msgpack_numpy'


def time_left(deadline: float) -> float:
    """s until the deadline (time.monotonic). Raises TimeoutError after it."""
    left = deadline - time.monotonic()
    if left <= 0.0:
        raise TimeoutError
    return left


def pack(message: Any, encoding: Encoding = Encoding.OPENPI) -> bytes:
    """Raises TypeError for values without an encoding (object arrays, classes)."""

    def encode(value: Any) -> Any:
        if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind not in 'biuf':
            raise TypeError(f'no encoding for {value.dtype}')
        if isinstance(value, np.ndarray):
            return _array(value, encoding)
        if isinstance(value, np.generic):
            return value.item()
        raise TypeError(f'no encoding for {type(value).__name__}')

    return msgpack.packb(message, default=encode)


def unpack(content: bytes, limit: int) -> Any:
    """A message of at most `limit` bytes. Raises WireError for any other."""
    if len(content) > limit:
        raise WireError(f'{len(content)} bytes, limit {limit}')
    try:
        return msgpack.unpackb(
            content,
            object_hook=_decode,
            strict_map_key=False,
            max_array_len=MAX_ITEMS,
            max_map_len=MAX_ITEMS,
        )
    except WireError:
        raise
    except Exception as error:  # msgpack raises a dozen types, RecursionError among them
        raise WireError(f'no msgpack message: {first_line(error)}') from error


def _array(value: np.ndarray, encoding: Encoding) -> dict:
    if encoding is Encoding.NPY:
        file = io.BytesIO()
        np.save(file, value, allow_pickle=False)
        return {'__ndarray_class__': True, 'as_npy': file.getvalue()}
    content = value.tobytes()
    if encoding is Encoding.MSGPACK_NUMPY:
        return {
            b'nd': True,
            b'type': value.dtype.str,
            b'kind': b'',
            b'shape': value.shape,
            b'data': content,
        }
    return {
        b'__ndarray__': True,
        b'data': content,
        b'dtype': value.dtype.str,
        b'shape': value.shape,
    }


def _decode(mapping: dict) -> Any:
    def get(key: str) -> Any:
        return mapping.get(key.encode(), mapping.get(key))

    if get('__ndarray__') is not None:
        return _from_bytes(get('data'), get('dtype'), get('shape'))
    if get('__npgeneric__') is not None:
        return _dtype(get('dtype')).type(get('data'))
    if get('__ndarray_class__') is not None:
        return _from_npy(get('as_npy'))
    if get('nd') is not None and get('type') is not None:
        if get('kind') not in (b'', '', None):
            raise WireError('an array of objects or records')
        if not get('nd'):
            return _from_bytes(get('data'), get('type'), ())[()]
        return _from_bytes(get('data'), get('type'), get('shape'))
    return mapping


def _dtype(text: Any) -> np.dtype:
    if isinstance(text, bytes):
        text = text.decode('ascii', 'replace')
    if not isinstance(text, str) or len(text) > 8:
        raise WireError('an array without a type')
    try:
        dtype = np.dtype(text)
    except TypeError as error:
        raise WireError(f'an array of {text}') from error
    if dtype.kind not in 'biuf' or dtype.itemsize > 8:
        raise WireError(f'an array of {text}')
    return dtype


def _from_bytes(content: Any, dtype: Any, shape: Any) -> np.ndarray:
    kind = _dtype(dtype)
    if not isinstance(content, bytes) or not isinstance(shape, (list, tuple)):
        raise WireError('an array without content or shape')
    if len(shape) > MAX_DIMENSIONS or not all(type(n) is int and n >= 0 for n in shape):
        raise WireError('an array without a valid shape')
    wanted = kind.itemsize
    for n in shape:
        wanted *= n
    if wanted != len(content):
        raise WireError(f'an array {tuple(shape)} of {kind} with {len(content)} bytes')
    return np.frombuffer(content, kind).reshape(shape)


def _from_npy(content: Any) -> np.ndarray:
    if not isinstance(content, bytes):
        raise WireError('an array without content')
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[tuple(version)]
        shape, fortran, dtype = read(file, max_header_size=MAX_NPY_HEADER)
    except Exception as error:  # a .npy header is Python source, read with literal_eval
        raise WireError('an array that is no .npy') from error
    array = _from_bytes(content[file.tell() :], dtype.str, shape[::-1] if fortran else shape)
    return array.T if fortran else array

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Arrays to Arrow columns and back."""

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa


def images(contents: Sequence[bytes]) -> pa.Array:
    """As Hugging Face's `Image` stores them: the encoded bytes, or a path (here: none)."""
    paths = pa.nulls(len(contents), pa.string())
    return pa.StructArray.from_arrays([pa.array(contents, pa.binary()), paths], ['bytes', 'path'])


def fixed(values: np.ndarray) -> pa.Array:
    """(F, …) to lists of one length, flattened; (F,) stays plain."""
    values = np.ascontiguousarray(values)
    if values.ndim == 1:
        return pa.array(values)
    width = int(np.prod(values.shape[1:]))
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), width)


def to_numpy(column: pa.ChunkedArray) -> np.ndarray:
    """(F,) or (F, n). Raises ValueError for missing values and lists of different lengths."""
    array = column.combine_chunks()
    if array.null_count:
        raise ValueError(f'{array.null_count} missing values')
    if pa.types.is_fixed_size_list(array.type):
        return array.flatten().to_numpy(zero_copy_only=False).reshape(len(array), -1)
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        lengths = np.unique(np.diff(array.offsets.to_numpy()))
        if len(lengths) > 1:
            raise ValueError(f'lists of {lengths.tolist()} values')
        return array.flatten().to_numpy(zero_copy_only=False).reshape(len(array), -1)
    return array.to_numpy(zero_copy_only=False)


def hugging_face(features: dict[str, dict]) -> dict[bytes, bytes]:
    """The schema metadata that `datasets` reads."""
    table: dict[str, dict] = {}
    for name, feature in features.items():
        value = {'dtype': feature['dtype'], '_type': 'Value'}
        if feature['dtype'] == 'image':
            value = {'_type': 'Image'}
        elif feature['shape'] != [1]:
            value = {'feature': value, 'length': feature['shape'][0], '_type': 'Sequence'}
        table[name] = value
    return {b'huggingface': json.dumps({'info': {'features': table}}).encode()}


def pandas_index(index: str, others: dict[str, str]) -> dict[bytes, bytes]:
    """The schema metadata that makes `index` the index in pandas. others: names to NumPy types."""
    columns = [_pandas_column(index, 'unicode', 'object')]
    columns += [
        _pandas_column(name, 'unicode' if kind == 'object' else kind, kind)
        for name, kind in others.items()
    ]
    content = {
        'index_columns': [index],
        'column_indexes': [],
        'columns': columns,
        'creator': {'library': 'pyarrow', 'version': pa.__version__},
        'pandas_version': '2.0.0',
    }
    return {b'pandas': json.dumps(content).encode()}


def _pandas_column(name: str, kind: str, numpy_type: str) -> dict:
    return {
        'name': name,
        'field_name': name,
        'pandas_type': kind,
        'numpy_type': numpy_type,
        'metadata': None,
    }

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Colour and depth conversion between two encodings."""

from __future__ import annotations

import numpy as np

from .encodings import Encoding


def convert(image: np.ndarray, source: Encoding, wanted: Encoding) -> np.ndarray:
    """Return a new array in the wanted encoding; raises ValueError where none makes sense.

    Between 8 and 16 bits values are scaled by 257, so that white stays white; any other change
    of depth keeps the values, rounded and clipped to the new range.
    """
    if source.name == wanted.name:
        return image.copy()
    if 'raw' in (source.colour, wanted.colour):
        raise ValueError(
            f'conversion from [{source.name}] to [{wanted.name}] is not part of the stand-in in '
            'compat/; install the real package'
        )
    if (source.colour is None) != (wanted.colour is None) or source.colour is None:
        if source.colour is None and wanted.colour is not None:
            raise ValueError(
                f'[{source.name}] is not a color format. but [{wanted.name}] is. '
                'The conversion does not make sense'
            )
        if source.channels != wanted.channels:
            raise ValueError(
                f'[{source.name}] and [{wanted.name}] do not have the same number of channel'
            )
    elif source.colour != wanted.colour:
        image = _reorder(image, source.colour, wanted.colour)
        return _change_depth(image, source, wanted) if source.bits != wanted.bits else image
    if source.depth != wanted.depth:
        return _change_depth(image, source, wanted)
    return image.copy()


def _reorder(image: np.ndarray, source: str, wanted: str) -> np.ndarray:
    import cv2

    names = {'mono': 'GRAY'}
    code = f'COLOR_{names.get(source, source.upper())}2{names.get(wanted, wanted.upper())}'
    return cv2.cvtColor(image, getattr(cv2, code))


def _change_depth(image: np.ndarray, source: Encoding, wanted: Encoding) -> np.ndarray:
    dtype = np.dtype(wanted.dtype)
    if source.bits == 8 and wanted.bits == 16:
        scale = 65535.0 / 255.0
    elif source.bits == 16 and wanted.bits == 8:
        scale = 255.0 / 65535.0
    else:
        scale = 1.0
    if dtype.kind == 'f':
        return image.astype(dtype)
    limits = np.iinfo(dtype)
    scaled = np.rint(image.astype(np.float64) * scale)
    return np.clip(np.nan_to_num(scaled), limits.min, limits.max).astype(dtype)

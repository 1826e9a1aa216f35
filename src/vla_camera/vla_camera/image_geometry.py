# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Rectification and cropping of the published images, with the calibration that they then have."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from vla_camera.lens import rectification_maps, rectified
from vla_camera.source import Calibration


class ImageGeometry:
    """From images of width x height px through a lens to those that are published.

    calibration, width, height: of the published images. crop: x, y, width, height (px) of the
    part that is kept, in the rectified image where it is rectified; width 0 keeps all of it.

    Raises ValueError: rectify without a calibration, or a crop beyond the image; the first argument
    is 'rectify' or 'crop', then found and wanted.
    """

    def __init__(
        self, lens: Calibration, width: int, height: int, rectify: bool, crop: Sequence[int]
    ) -> None:
        self._maps: tuple[np.ndarray, np.ndarray] | None = None
        self._nearest: np.ndarray | None = None
        if rectify:
            if not lens.fx > 0.0:
                wanted = 'false, or a calibration (parameter calibration; some sources have one)'
                raise ValueError('rectify', 'true, and no calibration', wanted)
            target = rectified(lens, width, height)
            self._maps = rectification_maps(lens, target, width, height)
            # Of fixed-point maps cv2.remap would round towards zero.
            self._nearest, _ = cv2.convertMaps(
                *rectification_maps(lens, target, width, height, cv2.CV_32FC1),
                cv2.CV_16SC2,
                nninterpolation=True,
            )
            lens = target
        if len(crop) != 4:
            raise ValueError('crop', list(crop), 'x, y, width, height (px)')
        x, y, kept_width, kept_height = crop
        self._window: tuple[slice, slice] | None = None
        if any(crop):
            inside = kept_width > 0 and kept_height > 0 and min(x, y) >= 0
            if not (inside and x + kept_width <= width and y + kept_height <= height):
                wanted = f'x, y, width, height inside {width} x {height} px'
                raise ValueError('crop', list(crop), wanted)
            self._window = slice(y, y + kept_height), slice(x, x + kept_width)
            width, height = kept_width, kept_height
            if lens.fx > 0.0:
                lens = replace(lens, cx=lens.cx - x, cy=lens.cy - y)
        self.calibration, self.width, self.height = lens, width, height

    def color(self, image: np.ndarray) -> np.ndarray:
        """The published image of uint8 (h, w, 3)."""
        if self._maps is not None:
            image = cv2.remap(image, *self._maps, cv2.INTER_LINEAR)
        return image if self._window is None else image[self._window]

    def depth(self, image: np.ndarray) -> np.ndarray:
        """The published image of float32 (h, w) m; distances are not mixed across an edge."""
        if self._nearest is not None:
            image = cv2.remap(image, self._nearest, None, cv2.INTER_NEAREST, borderValue=np.nan)
        return image if self._window is None else image[self._window]

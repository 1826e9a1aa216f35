# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Preprocessing: from an observation to a model's input tensors.

Each object fills its own output buffer on every call: one copy between the camera's bytes and the
tensor. Training must use the same functions, or the policy runs on other inputs than it was trained
with.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from vla_policy.bundle.model_inputs import DepthInput, ImageInput, PhaseInput, StateInput


class Resizer:
    """uint8 RGB (h, w, 3) -> uint8 RGB (height, width, 3).

    resize: `stretch` ignores the aspect ratio; `crop` cuts the center to the target aspect first;
    `letterbox` pads with black; `fit` does not pad, and the result may be smaller. An image at
    least twice too large is halved by averages of 2 x 2 pixels until it is not, then resized
    bilinearly: close to a full area average (no aliasing), at a tenth of its cost. The result may
    be a view of the input.
    """

    def __init__(self, width: int, height: int, resize: str) -> None:
        self._width, self._height, self._resize = width, height, resize
        self._canvas = np.zeros((height, width, 3), np.uint8)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        width, height = self._width, self._height
        if self._resize == 'crop':
            image = _center(image, width / height)
        h, w = image.shape[:2]
        if self._resize == 'fit':
            _, _, width, height = _letterbox((h, w), width, height)
        if self._resize == 'letterbox':
            left, top, inner_w, inner_h = _letterbox((h, w), width, height)
            self._canvas[:] = 0
            self._canvas[top : top + inner_h, left : left + inner_w] = _scaled(
                image, inner_w, inner_h
            )
            return self._canvas
        return _scaled(image, width, height)


class ImagePreprocessor:
    """uint8 RGB (h, w, 3) -> float32 tensor of `spec.shape`: resized, scaled to range, normalised:
    per channel, x = (low + (high - low) * pixel / 255 - mean) / std.
    """

    def __init__(self, spec: ImageInput) -> None:
        self.spec = spec
        self.buffer = np.zeros(spec.shape, np.float32)
        low, high = spec.range
        std = np.asarray(spec.std, np.float64)
        self._scale = ((high - low) / 255.0 / std).astype(np.float32)
        self._offset = ((low - np.asarray(spec.mean, np.float64)) / std).astype(np.float32)
        self._resize = Resizer(spec.width, spec.height, spec.resize)

    def __call__(self, image: np.ndarray, past: Sequence[np.ndarray] = ()) -> np.ndarray:
        """Fill and return the buffer. past: earlier images, oldest first, for an input with a
        history. Raises ValueError for anything but uint8 (h, w, 3)."""
        frames = self.buffer if self.spec.frames == 1 else self.buffer[0]
        for out, one in zip(frames, (*past, image), strict=True):
            self._fill(out, one)
        return self.buffer

    def _fill(self, to: np.ndarray, image: np.ndarray) -> None:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise ValueError(
                f'image is {image.dtype} {image.shape}, wanted uint8 (height, width, 3)'
            )
        small = self._resize(image)
        if self.spec.layout == 'nhwc':
            np.multiply(small, self._scale, out=to)
            to += self._offset
            return
        for c, plane in enumerate(cv2.split(small)):
            np.multiply(plane, self._scale[c], out=to[c])
            to[c] += self._offset[c]


class DepthPreprocessor:
    """float32 (h, w) m -> float32 tensor of `spec.shape`: clipped to the range, (x - mean) / std.

    Resized without averages: between a near and a far surface there is no surface.
    """

    def __init__(self, spec: DepthInput) -> None:
        self.spec = spec
        self.buffer = np.zeros(spec.shape, np.float32)

    def __call__(self, depth: np.ndarray, past: Sequence[np.ndarray] = ()) -> np.ndarray:
        """Fill and return the buffer, as for images. Raises ValueError for anything but (h, w)."""
        spec = self.spec
        planes = self.buffer.reshape(spec.frames, spec.height, spec.width)
        for out, one in zip(planes, (*past, depth), strict=True):
            self._fill(out, one)
        return self.buffer

    def _fill(self, to: np.ndarray, depth: np.ndarray) -> None:
        spec = self.spec
        near, far = spec.range
        if depth.dtype != np.float32 or depth.ndim != 2 or depth.size == 0:
            raise ValueError(
                f'depth is {depth.dtype} {depth.shape}, wanted float32 (height, width)'
            )
        left, top, width, height = 0, 0, spec.width, spec.height
        if spec.resize == 'crop':
            depth = _center(depth, width / height)
        elif spec.resize == 'letterbox':
            left, top, width, height = _letterbox(depth.shape, width, height)
            to[:] = far
        small = cv2.resize(depth, (width, height), interpolation=cv2.INTER_NEAREST)
        # 0 or NaN where nothing was measured.
        small = np.where(np.isfinite(small) & (small > 0.0), small, far)
        np.clip(small, near, far, out=to[top : top + height, left : left + width])
        to -= spec.mean
        to /= spec.std


def _letterbox(shape: tuple[int, ...], width: int, height: int) -> tuple[int, int, int, int]:
    """(left, top, width, height) of an image (h, w, ...) scaled to fit into width x height."""
    h, w = shape[:2]
    scale = min(width / w, height / h)
    inner_w = max(1, min(width, round(w * scale)))
    inner_h = max(1, min(height, round(h * scale)))
    return (width - inner_w) // 2, (height - inner_h) // 2, inner_w, inner_h


def _scaled(image: np.ndarray, width: int, height: int) -> np.ndarray:
    h, w = image.shape[:2]
    while w >= 2 * width and h >= 2 * height:
        w, h = w // 2, h // 2
        image = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA)
    if (w, h) == (width, height):
        return image
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)


def _center(image: np.ndarray, aspect: float) -> np.ndarray:
    h, w = image.shape[:2]
    if w / h > aspect:
        keep = max(1, round(h * aspect))
        left = (w - keep) // 2
        return image[:, left : left + keep]
    keep = max(1, round(w / aspect))
    top = (h - keep) // 2
    return image[top : top + keep]


class StatePreprocessor:
    """Positions rad (n,) and velocities rad/s (n,) in robot order -> float32 (1, k), normalised."""

    def __init__(self, spec: StateInput, joint_names: tuple[str, ...]) -> None:
        self.spec = spec
        self.indices = np.array([joint_names.index(name) for name in spec.joints], np.intp)
        self.buffer = np.zeros(spec.shape, np.float32)

    def __call__(
        self,
        position: np.ndarray,
        velocity: np.ndarray,
        past: Sequence[tuple[np.ndarray, np.ndarray]] = (),
    ) -> np.ndarray:
        """Fill and return the buffer. past: earlier (position, velocity), oldest first."""
        frames = self.buffer if self.spec.frames == 1 else self.buffer[0]
        for out, one in zip(frames, (*past, (position, velocity)), strict=True):
            self._fill(out, *one)
        return self.buffer

    def _fill(self, out: np.ndarray, position: np.ndarray, velocity: np.ndarray) -> None:
        k = len(self.indices)
        out[:k] = position[self.indices]
        if self.spec.quantity == 'position_velocity':
            out[k:] = velocity[self.indices]
        out -= self.spec.mean
        out /= self.spec.std


class PhasePreprocessor:
    """Seconds since the instruction began -> float32 (1, 2): sin and cos of 2 pi t / period."""

    def __init__(self, spec: PhaseInput) -> None:
        self.spec = spec
        self.buffer = np.zeros(spec.shape, np.float32)

    def __call__(self, elapsed: float) -> np.ndarray:
        angle = 2.0 * math.pi * elapsed / self.spec.period
        self.buffer[0, 0] = math.sin(angle)
        self.buffer[0, 1] = math.cos(angle)
        return self.buffer

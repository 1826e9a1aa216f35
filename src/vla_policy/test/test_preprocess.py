# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Preprocessing against a slow reference that is written from the description alone."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_policy.bundle.model_inputs import ImageInput, PhaseInput, StateInput
from vla_policy.preprocess import ImagePreprocessor, PhasePreprocessor, StatePreprocessor

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


def spec(width, height, resize='stretch', layout='nchw', range_=(0.0, 1.0)):
    return ImageInput('image', 'head', width, height, layout, range_, MEAN, STD, resize)


def slow_bilinear(image, width, height):
    """Pixel centres at half, edges repeated."""
    h, w = image.shape[:2]
    out = np.zeros((height, width, 3))
    for y in range(height):
        for x in range(width):
            sy = min(max((y + 0.5) * h / height - 0.5, 0.0), h - 1.0)
            sx = min(max((x + 0.5) * w / width - 0.5, 0.0), w - 1.0)
            y0, x0 = int(sy), int(sx)
            y1, x1 = min(y0 + 1, h - 1), min(x0 + 1, w - 1)
            fy, fx = sy - y0, sx - x0
            top = image[y0, x0] * (1 - fx) + image[y0, x1] * fx
            low = image[y1, x0] * (1 - fx) + image[y1, x1] * fx
            out[y, x] = top * (1 - fy) + low * fy
    return out


def slow_scaled(image, width, height):
    image = image.astype(float)
    while image.shape[1] >= 2 * width and image.shape[0] >= 2 * height:
        h, w = image.shape[0] // 2, image.shape[1] // 2
        image = np.round(image.reshape(h, 2, w, 2, 3).mean(axis=(1, 3)))
    return slow_bilinear(image, width, height)


def slow(image, s):
    h, w = image.shape[:2]
    if s.resize == 'crop':
        side = min(w, round(h * s.width / s.height))
        tall = min(h, round(w * s.height / s.width))
        left, top = (w - side) // 2, (h - tall) // 2
        image = image[top : top + tall, left : left + side]
    if s.resize == 'letterbox':
        k = min(s.width / w, s.height / h)
        iw, ih = round(w * k), round(h * k)
        small = np.zeros((s.height, s.width, 3))
        left, top = (s.width - iw) // 2, (s.height - ih) // 2
        small[top : top + ih, left : left + iw] = slow_scaled(image, iw, ih)
    else:
        small = slow_scaled(image, s.width, s.height)
    low, high = s.range
    out = (low + (high - low) * small / 255.0 - np.array(MEAN)) / np.array(STD)
    return out if s.layout == 'nhwc' else out.transpose(2, 0, 1)


@pytest.mark.parametrize('resize', ['stretch', 'crop', 'letterbox'])
@pytest.mark.parametrize('size', [(64, 48), (40, 24), (12, 9), (16, 16)])
@pytest.mark.parametrize('layout', ['nchw', 'nhwc'])
def test_image_agrees_with_the_slow_reference(resize, size, layout):
    width, height = size
    image = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    s = spec(16, 12, resize, layout, (-1.0, 1.0))
    got = ImagePreprocessor(s)(image)[0]
    level = 2.0 / 255.0 / min(STD)  # one grey level; OpenCV rounds to levels at each step
    np.testing.assert_allclose(got, slow(image, s), atol=1.6 * level)
    assert got.dtype == np.float32


def test_image_of_the_wanted_size_is_exact():
    image = np.random.default_rng(2).integers(0, 256, (12, 16, 3), np.uint8)
    got = ImagePreprocessor(spec(16, 12))(image)[0]
    want = ((image / 255.0 - MEAN) / STD).transpose(2, 0, 1)
    np.testing.assert_allclose(got, want, atol=1e-6)


def test_colours_keep_their_channel():
    red = np.zeros((30, 40, 3), np.uint8)
    red[:, :, 0] = 255
    got = ImagePreprocessor(spec(8, 8))(red)[0]
    np.testing.assert_allclose(got[0], (1.0 - MEAN[0]) / STD[0], atol=1e-5)
    np.testing.assert_allclose(got[2], -MEAN[2] / STD[2], atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.sampled_from(['stretch', 'crop', 'letterbox']),
    st.integers(1, 20),
    st.integers(1, 20),
)
def test_any_size_gives_the_promised_shape_within_the_range(w, h, resize, width, height):
    image = np.random.default_rng(w * 100 + h).integers(0, 256, (h, w, 3), np.uint8)
    got = ImagePreprocessor(spec(width, height, resize))(image)
    assert got.shape == (1, 3, height, width)
    lowest = (0.0 - np.array(MEAN)) / STD
    highest = (1.0 - np.array(MEAN)) / STD
    for c in range(3):
        assert lowest[c] - 1e-5 <= got[0, c].min()
        assert got[0, c].max() <= highest[c] + 1e-5


@pytest.mark.parametrize('bad', [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8)])
def test_anything_but_rgb_bytes_is_refused(bad):
    with pytest.raises(ValueError, match='wanted uint8'):
        ImagePreprocessor(spec(4, 4))(bad)


def test_state_is_picked_by_name_and_normalised():
    mean, std = np.array([1.0, 2.0, 0.5, 0.0], np.float32), np.array([2.0, 4.0, 1, 1], np.float32)
    s = StateInput('state', ('c', 'a'), 'position_velocity', mean, std)
    pre = StatePreprocessor(s, ('a', 'b', 'c'))
    got = pre(np.array([10.0, 20.0, 30.0]), np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(got, [[14.5, 2.0, 2.5, 1.0]])


def test_phase_goes_round_once_per_period():
    pre = PhasePreprocessor(PhaseInput('phase', 2.0))
    np.testing.assert_allclose(pre(0.5), [[1.0, 0.0]], atol=1e-6)
    np.testing.assert_allclose(pre(2.25), [[math.sin(math.pi / 4), math.cos(math.pi / 4)]], 1e-5)

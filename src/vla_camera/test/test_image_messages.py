# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_camera.calibration_file import read_calibration
from vla_camera.image_messages import color_message, depth_message, info_message
from vla_camera.source import Calibration
from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented

STAMP = Time(sec=5, nanosec=7)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32 - 1), st.booleans())
def test_every_picture_comes_back_out_of_its_message(height, width, seed, mirrored):
    random = np.random.default_rng(seed)
    color = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    depth = random.random((height, width), dtype=np.float32)
    if mirrored:  # not contiguous in memory
        color, depth = color[:, ::-1], depth[:, ::-1]
    c, d = color_message(color, STAMP, 'camera'), depth_message(depth, STAMP, 'camera')
    for message, encoding in ((c, 'rgb8'), (d, '32FC1')):
        assert (message.height, message.width, message.encoding) == (height, width, encoding)
        assert message.header.stamp == STAMP and message.header.frame_id == 'camera'
        assert len(message.data) == message.step * height
    np.testing.assert_array_equal(np.frombuffer(c.data, np.uint8).reshape(color.shape), color)
    np.testing.assert_array_equal(np.frombuffer(d.data, np.float32).reshape(depth.shape), depth)


def test_what_is_no_rgb_picture_or_no_depth_in_metres_is_refused():
    with pytest.raises(ValueError, match='float64'):
        color_message(np.zeros((4, 4, 3)), STAMP, 'camera')
    with pytest.raises(ValueError, match=r'uint8 \(4, 4\)'):
        color_message(np.zeros((4, 4), np.uint8), STAMP, 'camera')
    with pytest.raises(ValueError, match='uint16'):
        depth_message(np.zeros((4, 4), np.uint16), STAMP, 'camera')


def test_a_calibration_becomes_k_and_p_and_none_leaves_k_zero():
    info = info_message(Calibration(50.0, 51.0, 24.0, 16.0), 48, 32, STAMP, 'camera')
    assert (info.width, info.height) == (48, 32)
    assert list(info.k) == [50.0, 0, 24.0, 0, 51.0, 16.0, 0, 0, 1.0]
    assert np.array(info.p).reshape(3, 4)[:, :3].ravel().tolist() == list(info.k)
    assert info_message(Calibration(), 48, 32, STAMP, 'camera').k[0] == 0.0


GOOD = """
image_width: 48
image_height: 32
camera_name: eye
camera_matrix: {rows: 3, cols: 3, data: [50, 0, 24, 0, 51, 16, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, -0.2, 0, 0, 0.3]}
rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}
projection_matrix: {rows: 3, cols: 4, data: [50, 0, 24, 0, 0, 51, 16, 0, 0, 0, 1, 0]}
"""


def test_a_calibration_file_is_read(tmp_path):
    (tmp_path / 'c.yaml').write_text(GOOD)
    wanted = Calibration(50.0, 51.0, 24.0, 16.0, 'plumb_bob', (0.1, -0.2, 0.0, 0.0, 0.3))
    assert read_calibration(tmp_path / 'c.yaml', 48, 32) == wanted


@pytest.mark.parametrize(
    ('model', 'numbers'), [('equidistant', [1, 2, 3, 4]), ('rational_polynomial', list(range(8)))]
)
def test_each_model_has_its_number_of_coefficients(tmp_path, model, numbers):
    content = GOOD.replace('plumb_bob', model).replace('[0.1, -0.2, 0, 0, 0.3]', str(numbers))
    (tmp_path / 'c.yaml').write_text(content)
    calibration = read_calibration(tmp_path / 'c.yaml', 48, 32)
    assert (calibration.model, list(calibration.distortion)) == (model, numbers)


@pytest.mark.parametrize(
    ('case', 'old', 'new', 'message'),
    [
        (
            'another image size',
            'image_width: 48',
            'image_width: 64',
            'image_width: found 64, wanted 48',
        ),
        ('no focal length', '[50, 0, 24,', '[0, 0, 24,', 'focal lengths > 0'),
        ('an unknown distortion model', 'plumb_bob', 'fisheye', 'distortion_model: found '),
        (
            'coefficients of another model',
            'plumb_bob',
            'equidistant',
            'distortion_coefficients.data: found 5 numbers, wanted 4, those of the '
            'distortion_model equidistant',
        ),
        (
            'too few coefficients for rational_polynomial',
            'plumb_bob',
            'rational_polynomial',
            'found 5 numbers, wanted 8',
        ),
        ('too few coefficients', '0, 0, 0.3]}', '0, 0]}', 'found 4 numbers, wanted 5'),
        (
            'too many coefficients',
            '0, 0, 0.3]}',
            '0, 0, 0.3, 0, 0, 0]}',
            'found 8 numbers, wanted 5',
        ),
        ('a misspelt section', 'camera_matrix', 'camera_matrx', 'camera_matrix: '),
        (
            'a matrix of one number',
            'data: [50, 0, 24, 0, 51, 16, 0, 0, 1]',
            'data: [50]',
            'camera_matrix.data: ',
        ),
    ],
)
def test_a_malformed_calibration_file_is_an_error_with_file_and_key(
    tmp_path, case, old, new, message
):
    path = tmp_path / 'c.yaml'
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError) as error:
        read_calibration(path, 48, 32)
    assert str(path) in str(error.value) and message in str(error.value)
    documented('Calibrations of cameras', case, error.value, tmp_path)

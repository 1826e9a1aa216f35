# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Rectified and cropped images, and the calibration that is published with them."""

import cv2
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from lifecycle_msgs.msg import Transition
from rendered_board import LENS, SIZE
from sensor_msgs.msg import CameraInfo, Image

from vla_camera.calibration.board import Board
from vla_camera.calibration_file import write_calibration
from vla_camera.image_geometry import ImageGeometry
from vla_camera.image_messages import depth_message
from vla_camera.lens import project
from vla_camera.node import CameraNode
from vla_camera.source import Calibration
from vla_common import qos
from vla_common.testing_refusals import documented

ALL = [0, 0, 0, 0]


@pytest.mark.parametrize('rectify', [False, True], ids=['as it is', 'rectified'])
@pytest.mark.parametrize('crop', [ALL, [60, 40, 500, 400]], ids=['whole', 'cropped'])
def test_the_published_calibration_is_that_of_the_published_image(board_set, rectify, crop):
    board = Board()
    geometry = ImageGeometry(LENS, *SIZE, rectify, crop)
    gray = board_set.images[8]
    shown = geometry.color(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB))
    assert shown.shape == (geometry.height, geometry.width, 3)
    view = board.find(np.ascontiguousarray(shown[..., 0]))
    assert len(view.numbers) >= 20
    pose = board_set.poses[8]
    rvec = cv2.Rodrigues(pose[:3, :3])[0]
    there = project(geometry.calibration, board.points(view), rvec, pose[:3, 3])
    assert np.sqrt(np.mean((there - view.pixels) ** 2)) < 0.3
    assert any(geometry.calibration.distortion) != rectify


def test_distances_are_moved_with_the_colors_and_never_mixed():
    geometry = ImageGeometry(LENS, *SIZE, True, ALL)
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    near = (rows // 40 + columns // 40) % 2 == 0
    depth = np.where(near, 1.0, 2.0).astype(np.float32)
    depth[100, :] = np.nan
    color = np.repeat(np.where(near, 255, 0).astype(np.uint8)[..., None], 3, 2)
    moved, shown = geometry.depth(depth), geometry.color(color)
    assert moved.dtype == np.float32 and moved.shape == depth.shape
    assert set(np.unique(moved[np.isfinite(moved)])) == {1.0, 2.0}
    assert 300 < np.isnan(moved).sum() < 2000
    # Where the color is certain, the distance is that of the same surface.
    certain = np.isfinite(moved) & ((shown[..., 0] > 250) | (shown[..., 0] < 5))
    same = (moved == 1.0) == (shown[..., 0] > 128)
    assert certain.mean() > 0.8 and same[certain].mean() > 0.999


def test_millimetres_hold_what_they_can_and_zero_is_no_distance():
    depth = np.array([[0.001, 1.2344, 65.535], [np.nan, np.inf, 65.6], [-0.5, 0.0, 2.0]])
    message = depth_message(depth.astype(np.float32), Time(), 'camera', 'mm')
    counts = np.frombuffer(message.data, np.uint16).reshape(3, 3)
    assert message.encoding == '16UC1' and message.step == 6
    assert counts.tolist() == [[1, 1234, 65535], [0, 0, 0], [0, 0, 2000]]


def test_the_node_publishes_the_part_with_its_calibration(ros, folder, tmp_path):
    path = tmp_path / 'eye.yaml'
    write_calibration(path, 'eye', Calibration(50.0, 51.0, 24.0, 16.0), 48, 32)
    probe = ros.probe()
    images = probe.subscribe(Image, '/camera/color/image_raw', qos.IMAGE)
    infos = probe.subscribe(CameraInfo, '/camera/color/camera_info', qos.IMAGE)
    node = ros.node(
        CameraNode, source='replay', path=str(folder), rate=50.0, calibration=str(path),
        crop=[8, 4, 32, 20],
    )  # fmt: skip
    ros.configure(node)
    ros.activate(node)
    infos.wait(3)
    info, image = infos.last, images.last
    assert (info.width, info.height) == (image.width, image.height) == (32, 20)
    assert list(info.k) == [50.0, 0.0, 16.0, 0.0, 51.0, 12.0, 0.0, 0.0, 1.0]
    # The green of a pixel is its row in the original.
    assert np.frombuffer(image.data, np.uint8).reshape(20, 32, 3)[0, 0, 1] == 4


@pytest.mark.parametrize(
    ('case', 'parameters'),
    [
        ('rectify without a calibration', {'rectify': True}),
        ('crop beyond the image', {'crop': [20, 0, 40, 32]}),
        ('crop of three numbers', {'crop': [20, 0, 40]}),
    ],
)
def test_what_cannot_be_published_so_is_refused_at_configure(ros, folder, case, parameters):
    node = ros.node(CameraNode, source='replay', path=str(folder), **parameters)
    assert not ros.change(node, Transition.TRANSITION_CONFIGURE)
    documented('Cameras', case, node._lifecycle_message[1], folder)

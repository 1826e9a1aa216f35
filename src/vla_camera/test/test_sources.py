# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
import time

import cv2
import numpy as np
import pytest

from vla_camera.source import DeviceMissingError, SourceEndedError
from vla_camera.sources.mujoco import MujocoSource
from vla_camera.sources.replay import ReplaySource
from vla_sim import Scene, World


def next_frame(source):
    for _ in range(200):
        frame = source.grab(0.1)
        if frame is not None:
            return frame
    raise AssertionError('no frame')


# -- replay ----------------------------------------------------------------------------------------


def test_a_folder_is_shown_in_the_order_of_its_names_as_rgb(folder, picture):
    source = ReplaySource(str(folder), 120.0, loop=False)
    facts = source.open()
    assert (facts.width, facts.height, facts.rate) == (48, 32, 120.0)
    frames = [next_frame(source) for _ in range(5)]
    for k, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.color, picture(10 * (k + 1)))
    stamps = [frame.stamp_ns for frame in frames]
    assert stamps == sorted(set(stamps))


def test_without_loop_the_end_is_reported_and_nothing_is_shown_again(folder):
    source = ReplaySource(str(folder), 120.0, loop=False)
    source.open()
    for _ in range(5):
        next_frame(source)
    for _ in range(2):
        with pytest.raises(SourceEndedError, match='all 5 pictures shown'):
            next_frame(source)


def test_with_loop_the_first_picture_follows_the_last(folder, video):
    for path, count in ((folder, 5), (video, 10)):
        source = ReplaySource(str(path), 120.0, loop=True)
        source.open()
        reds = [int(next_frame(source).color[0, 0, 0]) for _ in range(count + 2)]
        assert reds[count:] == reds[:2]
        source.close()


def test_a_video_is_shown_at_its_own_rate_unless_one_is_given(video):
    source = ReplaySource(str(video), 0.0, loop=False)
    assert source.open().rate == pytest.approx(20.0)
    values = [int(next_frame(source).color[0, 0, 0]) for _ in range(10)]
    np.testing.assert_allclose(values, 20 * np.arange(1, 11), atol=4)  # lossy
    with pytest.raises(SourceEndedError):
        next_frame(source)
    assert ReplaySource(str(video), 50.0, loop=False).open().rate == 50.0


def test_replay_is_no_faster_than_its_rate(folder):
    source = ReplaySource(str(folder), 50.0, loop=True)
    source.open()
    began = time.monotonic()
    for _ in range(11):
        next_frame(source)
    assert time.monotonic() - began >= 10 / 50.0 - 0.02


def replay_error(path) -> str:
    with pytest.raises(DeviceMissingError) as error:
        ReplaySource(str(path), 0.0, loop=True).open()
    return str(error.value)


def test_replay_without_a_path_or_of_one_that_does_not_exist_is_an_error():
    assert replay_error('') == 'no path: replay needs a folder of images or a video file'
    assert replay_error('/nowhere/at/all') == '/nowhere/at/all: no such file or folder'


def test_replay_of_a_folder_without_images_counts_what_is_there(tmp_path):
    assert replay_error(tmp_path).startswith(f'{tmp_path}: 0 files, none of them an image (.png')
    (tmp_path / 'notes.txt').write_text('hello')
    assert replay_error(tmp_path).startswith(f'{tmp_path}: 1 files, none of them an image (.png')


def test_an_image_that_cannot_be_read_is_named_wherever_it_is_in_the_folder(folder):
    bad = folder / '003.png'
    bad.write_bytes(b'not a picture')
    assert replay_error(folder) == f'{bad}: not an image that OpenCV can read'


def test_an_image_of_another_size_is_named_with_both_sizes(folder):
    odd = folder / '004.png'
    cv2.imwrite(str(odd), np.zeros((10, 20, 3), np.uint8))
    assert replay_error(folder) == f'{odd}: 20 x 10 px, the first one of its folder has 48 x 32'


def test_a_file_that_is_no_video_is_named(tmp_path):
    bad = tmp_path / 'film.mp4'
    bad.write_bytes(b'not a film')
    assert replay_error(bad) == f'{bad}: neither a folder nor a video OpenCV can read'


# -- mujoco ----------------------------------------------------------------------------------------


def test_each_state_of_the_world_is_drawn_once_and_carries_its_own_time(robot):
    scene = Scene.default()
    qpos = World(robot, scene).qpos
    source = MujocoSource(robot, 32, 24, 100.0, backend='raycast')
    facts = source.open()
    # CameraInfo counts from the centre of the first pixel: the middle of 32 pixels is 15.5.
    assert (facts.calibration.cx, facts.calibration.cy) == (15.5, 11.5)
    assert source.grab(0.05) is None
    source.on_scene(scene.to_json())
    source.on_state(qpos, scene.digest, 1000)
    frame = source.grab(1.0)
    assert frame.stamp_ns == 1000
    assert frame.color.shape == (24, 32, 3)
    assert frame.depth.shape == (24, 32)
    assert source.grab(0.05) is None, 'the same state again is no new picture'
    source.on_state(qpos, scene.digest, 1001)
    assert source.grab(1.0).stamp_ns == 1001
    source.close()


def test_a_state_of_the_future_is_not_drawn_and_does_not_hold_up_those_after_it(robot):
    scene, hour = Scene.default(), 3600 * 10**9
    qpos = World(robot, scene).qpos
    source = MujocoSource(robot, 32, 24, 100.0, backend='raycast')
    source.open()
    source.on_scene(scene.to_json())
    now = time.time_ns()
    source.on_state(qpos, scene.digest, now)
    assert source.grab(1.0).stamp_ns == now
    source.on_state(qpos, scene.digest, now + hour)
    assert source.grab(0.05) is None
    source.on_state(qpos, scene.digest, now + 1000)
    assert source.grab(1.0).stamp_ns == now + 1000
    assert source.notes()['states_not_new_or_of_the_future'] == '1'
    source.close()


def test_a_state_from_before_a_pause_is_not_drawn(robot):
    scene = Scene.default()
    source = MujocoSource(robot, 32, 24, 100.0, backend='raycast')
    source.open()
    source.on_scene(scene.to_json())
    source.on_state(World(robot, scene).qpos, scene.digest, 1000)
    source.discard()
    assert source.grab(0.05) is None
    assert 'no /sim/world_state received' in source.waiting_for
    source.close()

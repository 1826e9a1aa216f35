# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Pictures that do not show the motion of the camera, rendered; and depth against the floor."""

import math
import re

import cv2
import numpy as np
import pytest

from vla_common.testing_refusals import documented
from vla_inference.camera_pose import CameraMount
from vla_inference.depth_check import beyond_floor, check_depth
from vla_inference.observation import ObservationAssembler, ObservationBounds
from vla_inference.picture_motion import PictureMotion, _changes, small_picture
from vla_sim import Renderer, Scene, World

RATE = 16.0
NUMBER = re.compile(r'\d+(\.\d+)?')
LEVEL = np.array([1.0, 0.0, 0.0, 0.0])
T0 = 10**12


class Studio:
    """Renders the head camera, with the robot set to poses (no physics)."""

    def __init__(self, robot):
        self.robot = robot
        self.world = World(robot, Scene.default())
        self.mount = CameraMount(robot)
        self.renderer = Renderer(robot, Scene.default(), 160, 120, seed=1)
        self.random = np.random.default_rng(2)

    def joints(self, **angles):
        q = self.robot.poses['ready'].copy()
        for name, angle in angles.items():
            q[self.robot.index[name]] = angle
        return q

    def picture(self, q):
        """Color and depth of a robot with joints q."""
        self.world.reset(q)
        return self.renderer.render(self.world.qpos)

    def pose(self, q, orientation=LEVEL):
        return self.mount.pose(q, orientation)

    def codec(self, image, noise=3.0, quality=60):
        """The image with noise, compressed and decompressed."""
        noisy = np.clip(image + self.random.normal(0.0, noise, image.shape), 0, 255)
        options = [cv2.IMWRITE_JPEG_QUALITY, quality]
        packed = cv2.imencode('.jpg', noisy.astype(np.uint8), options)[1]
        return cv2.imdecode(packed, cv2.IMREAD_COLOR)


@pytest.fixture(scope='module')
def studio(robot):
    studio = Studio(robot)
    yield studio
    studio.renderer.close()


class Judge:
    """Feeds a PictureMotion at the camera's rate; `found` is when it first objected."""

    def __init__(self, studio):
        self.studio, self.motion = studio, PictureMotion(1.0)
        self.t, self.found, self.why = 0.0, None, ''

    def see(self, image, q, orientation=LEVEL):
        self.t += 1.0 / RATE
        focal = self.studio.mount.focal(image.shape[0])
        pose = self.studio.pose(q, orientation)
        self.motion.update(image, pose, focal, T0 + round(1e9 * self.t))
        if self.motion.reason and self.found is None:
            self.found, self.why = self.t, self.motion.reason


def yaw_of(t):
    return 0.5 * math.sin(1.5 * t)


MOTIONS = {
    'head_yaw': lambda t: {'head_yaw': yaw_of(t)},
    'head_pitch': lambda t: {'head_pitch': 0.5 + 0.4 * math.sin(2.0 * t)},
    'slow': lambda t: {'head_yaw': 0.08 * t},
    'head_roll': lambda t: {'head_roll': 0.3 * math.sin(2.0 * t)},
    'leaning': lambda t: {'torso_pitch': 0.2 - 0.2 * math.cos(1.5 * t)},
}


def leaning_with_a_level_head(t):
    lean = 0.2 - 0.2 * math.cos(1.5 * t)
    return {'torso_pitch': lean, 'head_pitch': 0.9 - lean}


@pytest.mark.parametrize(('noise', 'quality'), [(1.0, 95), (8.0, 30)])
@pytest.mark.parametrize('motion', MOTIONS)
def test_a_camera_that_lives_is_never_stale_and_one_that_repeats_its_picture_is(
    studio, motion, noise, quality
):
    live, repeats = Judge(studio), Judge(studio)
    first, _ = studio.picture(studio.joints(**MOTIONS[motion](0.0)))
    for k in range(64):
        q = studio.joints(**MOTIONS[motion](k / RATE))
        live.see(studio.codec(studio.picture(q)[0], noise, quality), q)
        repeats.see(studio.codec(first, noise, quality), q)
    assert live.found is None
    assert live.motion.stale_pictures == 0
    assert repeats.found is not None and repeats.found <= (4.0 if motion == 'slow' else 2.0)
    assert 'the same image for' in repeats.why


def test_a_picture_that_froze_at_rest_is_found_soon_after_the_head_moves(studio):
    judge = Judge(studio)
    rest = studio.joints()
    image, _ = studio.picture(rest)
    for _ in range(48):
        judge.see(studio.codec(image), rest)
    assert judge.found is None
    begin = judge.t
    for k in range(32):
        judge.see(studio.codec(image), studio.joints(head_yaw=yaw_of(k / RATE)))
    assert judge.found - begin <= 1.0
    # The camera recovers: the first picture that agrees with the pose ends it.
    q = studio.joints(head_yaw=0.4)
    judge.see(studio.picture(q)[0], q)
    assert judge.motion.reason == ''


def test_a_robot_at_rest_before_a_scene_at_rest_is_never_stale(studio):
    judge = Judge(studio)
    q = studio.joints()
    image, _ = studio.picture(q)
    for k in range(3000):
        # Sway and encoder noise; the IMU's heading drifts by 0.3 rad, its tilt by 0.01.
        sway = q + studio.random.normal(0.0, 0.001, len(q))
        yaw, tilt = 0.0001 * k, 0.01 * k / 3000
        turn = cv2.Rodrigues(np.array([0.0, tilt, 0.0]))[0]
        half = 0.5 * math.acos(min(1.0, 0.5 * (np.trace(turn) - 1.0)))
        pitch = np.array([math.cos(half), 0.0, math.sin(half), 0.0])
        heading = np.array([math.cos(0.5 * yaw), 0.0, 0.0, math.sin(0.5 * yaw)])
        w, _, y, _ = pitch
        c, _, _, s = heading
        judge.see(studio.codec(image), sway, np.array([c * w, -s * y, c * y, s * w]))
    assert judge.found is None


def test_a_camera_that_is_moved_without_being_turned_proves_nothing(studio):
    """A scene far away would look the same."""
    live, repeats = Judge(studio), Judge(studio)
    first, _ = studio.picture(studio.joints(**leaning_with_a_level_head(0.0)))
    for k in range(64):
        q = studio.joints(**leaning_with_a_level_head(k / RATE))
        live.see(studio.codec(studio.picture(q)[0]), q)
        repeats.see(studio.codec(first), q)
    assert live.found is repeats.found is None


def test_a_scene_without_texture_shows_nothing_and_proves_nothing(studio):
    judge = Judge(studio)
    wall = np.full((120, 160, 3), 128, np.uint8)
    for k in range(160):
        judge.see(studio.codec(wall), studio.joints(head_yaw=yaw_of(k / RATE)))
    assert judge.found is None


@pytest.mark.parametrize('late', [1, 2])
def test_pictures_that_come_with_a_late_stamp_are_not_stale(studio, late):
    judge = Judge(studio)
    at = [0.0] * 32 + [0.7 * math.sin(3.0 * k / RATE) for k in range(64)]
    for k in range(late, len(at)):
        image, _ = studio.picture(studio.joints(head_yaw=at[k - late]))
        judge.see(image, studio.joints(head_yaw=at[k]))
    assert judge.found is None


class Stream:
    """An assembler with the robot's camera; images of frame_id, joints at the same instants."""

    def __init__(self, studio, frame_id, depth=False):
        self.studio, self.frame_id, self.t = studio, frame_id, 0.0
        self.it = ObservationAssembler(
            studio.robot.joint_names,
            ('head',),
            ObservationBounds(),
            ('head',) if depth else (),
            mount=studio.mount,
        )

    def see(self, q, image, depth=None):
        self.t += 1.0 / RATE
        ns = T0 + round(1e9 * self.t)
        self.it.add_joints(ns, self.t, self.studio.robot.joint_names, q, np.zeros(len(q)))
        self.it.add_imu(ns, self.t, LEVEL)
        height, width, _ = image.shape
        fields = (height, width, 3 * width, 'rgb8', image.tobytes())
        assert self.it.add_image('head', ns, self.t, *fields, frame_id=self.frame_id)
        if depth is not None:
            fields = (height, width, 4 * width, '32FC1', depth.astype('<f4').tobytes())
            self.it.add_depth('head', ns, self.t, *fields, frame_id=self.frame_id)
        return self.it.assemble(self.t, ns, '', 0.0)


def test_a_stale_picture_is_rejected_counted_and_reported_until_the_camera_lives(studio):
    stream = Stream(studio, 'head_camera')
    image, _ = studio.picture(studio.joints())
    for k in range(40):
        seen = stream.see(studio.joints(head_yaw=yaw_of(k / RATE)), studio.codec(image))
    assert seen.observation is None
    assert seen.reason.startswith('camera head stale: the same image for ')
    case = 'an image that does not show the robot move'
    documented('Messages to the policy', case, seen.reason, NUMBER)
    assert stream.it.camera_frozen
    assert stream.it.stale_images == stream.it.refused > 3
    q = studio.joints(head_yaw=-0.2)
    assert stream.see(q, studio.picture(q)[0]).reason == ''
    assert not stream.it.camera_frozen


def test_images_of_another_frame_are_not_compared_with_the_robots_motion(studio):
    stream = Stream(studio, 'tripod')
    image, _ = studio.picture(studio.joints())
    for k in range(40):
        seen = stream.see(studio.joints(head_yaw=yaw_of(k / RATE)), studio.codec(image))
    assert seen.reason == ''


# -- depth -----------------------------------------------------------------------------------------


def test_depth_of_any_pose_is_accepted_and_the_wrong_one_is_rejected_by_its_reason(studio):
    for angles in ({}, {'head_pitch': 0.4, 'head_yaw': 0.6}, {'torso_pitch': 0.1}):
        q = studio.joints(**angles)
        _, depth = studio.picture(q)
        focal = studio.mount.focal(120)
        check_depth('depth', depth)
        assert beyond_floor(depth, studio.pose(q), focal) == ''
        turned = beyond_floor(depth[::-1, ::-1], studio.pose(q), focal)
        assert 'behind the floor' in turned, angles
        assert 'behind the floor' in beyond_floor(4.0 * depth, studio.pose(q), focal)
        with_holes = np.where(studio.random.random(depth.shape) < 0.5, np.nan, depth)
        assert beyond_floor(with_holes, studio.pose(q), focal) == ''


def test_height_of_the_camera_is_that_of_the_simulated_one(studio):
    for pose in ('standing', 'ready', 'tucked'):
        q = studio.robot.poses[pose]
        studio.world.reset(q)
        rotation, position = studio.world.frame_pose('head_camera')
        found = studio.pose(q)
        assert found.position[2] == pytest.approx(position[2], abs=0.005)
        np.testing.assert_allclose(found.rotation, rotation, atol=1e-6)


@pytest.mark.parametrize(
    ('case', 'change', 'reason'),
    [
        ('depth in mm as 32FC1', lambda d: 1e3 * d, 'mm in a message of m?'),
        ('depth in m as 16UC1', lambda d: 1e-3 * d, 'm in a message of mm?'),
        ('depth of zeros', np.zeros_like, 'a measurement in 0.0 % of its pixels'),
        ('depth of NaN', lambda d: np.full_like(d, np.nan), 'a measurement in 0.0 % of its pixels'),
        ('depth that is constant', lambda d: np.full_like(d, 1.5), 'is 1.500 m in every pixel'),
    ],
)
def test_impossible_depth_is_rejected_counted_and_reported(studio, case, change, reason):
    stream = Stream(studio, 'head_camera', depth=True)
    q = studio.joints()
    image, depth = studio.picture(q)
    assert stream.see(q, image, depth).reason == ''
    seen = stream.see(q, studio.picture(q)[0], change(depth))
    assert reason in seen.reason
    assert seen.reason.startswith('depth of camera head ')
    documented('Messages to the policy', case, seen.reason, NUMBER)
    assert stream.it.refused == 1
    assert stream.see(q, studio.picture(q)[0], depth).reason == ''


def test_depth_behind_the_floor_is_rejected_by_the_assembler(studio):
    stream = Stream(studio, 'head_camera', depth=True)
    q = studio.joints()
    image, depth = studio.picture(q)
    seen = stream.see(q, image, depth[::-1])
    assert seen.observation is None
    documented('Messages to the policy', 'depth upside down', seen.reason, NUMBER)
    assert stream.it.refused == 1
    assert stream.see(q, studio.picture(q)[0], depth).reason == ''


def test_a_motion_of_a_hundredth_of_a_pixel_asks_for_hardly_any_change(studio):
    """The border of the turned picture must not leak into it."""
    image = small_picture(studio.picture(studio.joints())[0])
    none = np.zeros(3)
    for angle in (0.0003, 0.0005, 0.001):
        due, _ = _changes(image, image, np.array([angle, 0.3 * angle, 0.0]), none, 23.0)
        assert due < 1.5

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node on the wire."""

import time

import cv2
import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import String

from vla_camera.doubles import Fault, FaultySource
from vla_camera.node import CameraNode
from vla_common import qos
from vla_common.messages import stamp_to_ns
from vla_common.states import Level
from vla_common.testing import wait_until
from vla_common.testing_refusals import documented
from vla_interfaces.msg import WorldState
from vla_robot.directory import robot_directory
from vla_sim import Scene, World


def listen(ros):
    probe = ros.probe()
    images = probe.subscribe(Image, '/camera/color/image_raw', qos.IMAGE)
    infos = probe.subscribe(CameraInfo, '/camera/color/camera_info', qos.IMAGE)
    return probe, images, infos


def activated(ros, **parameters):
    node = ros.node(CameraNode, **parameters)
    ros.configure(node)
    ros.activate(node)
    return node


def test_images_and_their_info_share_stamps_that_strictly_rise(ros, folder):
    _, images, infos = listen(ros)
    node = activated(ros, source='replay', path=str(folder), rate=50.0)
    infos.wait(10)
    stamps = [stamp_to_ns(m.header.stamp) for m in infos.messages]
    assert stamps == sorted(set(stamps))
    seen = {stamp_to_ns(m.header.stamp) for m in images.messages}
    assert len(seen & set(stamps)) >= 5
    image = images.last
    assert (image.height, image.width, image.step, image.encoding) == (32, 48, 144, 'rgb8')
    assert image.header.frame_id == 'head_camera'
    red, green, blue = np.frombuffer(image.data, np.uint8).reshape(32, 48, 3)[5, 0]
    assert red in (10, 20, 30, 40, 50)
    assert (green, blue) == (5, 0)
    assert infos.last.k[0] == 0.0  # not calibrated
    ros.deactivate(node)
    ros.activate(node)
    infos.clear()
    infos.wait(2)


def test_nothing_is_published_while_inactive(ros, folder):
    _, images, infos = listen(ros)
    node = ros.node(CameraNode, source='replay', path=str(folder), rate=50.0)
    ros.configure(node)
    assert node._grabber.facts is not None
    assert not infos.messages
    before = node.get_clock().now().nanoseconds
    ros.activate(node)
    infos.wait(1)  # the sentinel
    assert stamp_to_ns(infos.messages[0].header.stamp) >= before
    assert all(stamp_to_ns(m.header.stamp) >= before for m in images.messages)


class Simulation:
    """Publishes a scene and, at 30 Hz, states of the world, as the hardware driver does."""

    def __init__(self, ros, robot) -> None:
        self.scene = Scene.default()
        self.digest = self.scene.digest
        self.qpos = World(robot, self.scene).qpos.tolist()
        self.publishes = True
        self.stamps: list[int] = []
        self.probe = ros.probe('simulation')
        self.scenes = self.probe.publisher(String, '/sim/scene', qos.LATCHED)
        self.states = self.probe.publisher(WorldState, '/sim/world_state', qos.STATE)
        self.probe.node.create_timer(1 / 30, self.tick)

    def tick(self) -> None:
        if self.publishes:
            message = WorldState(scene_digest=self.digest, qpos=self.qpos)
            message.header.stamp = self.probe.node.get_clock().now().to_msg()
            self.stamps.append(stamp_to_ns(message.header.stamp))
            self.states.publish(message)


def test_simulated_camera_draws_the_world_with_depth_and_calibration(ros, robot):
    probe, images, infos = listen(ros)
    depths = probe.subscribe(Image, '/camera/depth/image_raw', qos.IMAGE)
    node = activated(ros, source='mujoco', width=64, height=48, backend='raycast')
    wait_until(lambda: 'no /sim/scene' in node.diagnose()[1])
    assert node.diagnose()[0] is Level.DANGER
    simulation = Simulation(ros, robot)
    simulation.scenes.publish(String(data=simulation.scene.to_json()))
    infos.wait(5)
    depths.wait(2)
    assert all(stamp_to_ns(m.header.stamp) in simulation.stamps for m in infos.messages)
    assert images.last.height == 48
    meters = np.frombuffer(depths.last.data, np.float32).reshape(48, 64)
    assert depths.last.encoding == '32FC1'
    assert np.isfinite(meters).any()
    assert infos.last.k[0] == pytest.approx(24 / np.tan(robot.camera.fovy / 2))
    wait_until(lambda: node.diagnose()[0] is Level.SAFE)


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        (
            {'source': 'mujco'},
            "source: found 'mujco', wanted one of mujoco, replay, realsense, v4l2",
        ),
        ({'source': 'replay'}, 'path: found no path'),
        ({'source': 'replay', 'path': '/nowhere'}, 'path: found /nowhere: no such file or folder'),
        (
            {'source': 'v4l2', 'device': '/dev/video97'},
            'device: found no video device /dev/video97',
        ),
        ({'source': 'mujoco', 'robot': 'unknown'}, 'unknown'),
        (
            {'source': 'realsense', 'device': '999'},
            'device: found no RealSense camera found: plug it',
        ),
        (
            {'source': 'realsense', 'path': '/nowhere.db3'},
            'path: found /nowhere.db3: No such file or directory, wanted a recording',
        ),
        ({'source': 'replay', 'rate': -1.0}, 'rate: found -1.0, wanted '),
    ],
)
def test_configure_fails_with_parameter_found_and_wanted(ros, parameters, words):
    assert words in refusal_of(ros, **parameters)


def refusal_of(ros, **parameters) -> str:
    node = ros.node(CameraNode, **parameters)
    assert not ros.change(node, Transition.TRANSITION_CONFIGURE)
    assert ros.state(node) == 'unconfigured'
    return node._lifecycle_message[1]


def test_a_folder_that_cannot_be_shown_whole_fails_the_configuration(ros, tmp_path, folder):
    words = refusal_of(ros, source='replay', path=str(tmp_path))
    assert f'path: found {tmp_path}: 1 files, none of them an image' in words
    assert 'wanted a folder of images of one size, or a video file' in words


def test_an_unreadable_image_fails_the_configuration(ros, folder):
    (folder / '002.png').write_bytes(b'')
    words = refusal_of(ros, source='replay', path=str(folder))
    assert f'path: found {folder}/002.png: not an image that OpenCV can read' in words


def test_images_of_differing_sizes_fail_the_configuration(ros, folder):
    cv2.imwrite(str(folder / '009.png'), np.zeros((8, 8, 3), np.uint8))
    words = refusal_of(ros, source='replay', path=str(folder))
    assert f'path: found {folder}/009.png: 8 x 8 px, the first one of its folder has 48 x' in words


def test_an_unreadable_video_fails_the_configuration(ros, tmp_path):
    (tmp_path / 'v.mp4').write_bytes(b'no film')
    words = refusal_of(ros, source='replay', path=str(tmp_path / 'v.mp4'))
    assert 'v.mp4: neither a folder nor a video OpenCV can read' in words


def test_a_renderer_that_does_not_work_here_fails_the_configuration(ros, monkeypatch):
    from vla_sim import opengl

    monkeypatch.setattr(opengl, 'available', lambda backend: False)
    words = refusal_of(ros, source='mujoco', backend='egl')
    assert 'backend: found egl (' in words


def test_a_node_that_failed_to_configure_can_be_configured_again(ros, folder):
    _, _, infos = listen(ros)
    node = ros.node(CameraNode, source='replay', path='/nowhere', rate=50.0)
    assert not ros.change(node, Transition.TRANSITION_CONFIGURE)
    node.set_parameters([Parameter('path', value=str(folder))])
    ros.configure(node)
    ros.activate(node)
    infos.wait(2)


def test_the_end_of_a_recording_is_reported_and_nothing_is_published_again(ros, folder):
    _, _, infos = listen(ros)
    node = activated(ros, source='replay', path=str(folder), rate=20.0, loop=False)
    wait_until(lambda: 'all 5 pictures shown' in node.diagnose()[1])
    assert node.diagnose()[0] is Level.DANGER
    assert len(infos) <= 5


# -- the simulated camera --------------------------------------------------------------------------


@pytest.fixture
def simulated(ros, robot):
    """A simulated camera that delivers images."""
    simulation = Simulation(ros, robot)
    simulation.scenes.publish(String(data=simulation.scene.to_json()))
    _, _, infos = listen(ros)
    node = activated(ros, source='mujoco', width=32, height=24, backend='raycast', stall_after=0.3)
    infos.wait(3)
    return node, simulation, infos


def wait_for_silence(node, infos, words: str) -> None:
    """The problem is reported, and from then on nothing is published until it is gone."""
    wait_until(lambda: words in node.diagnose()[1], what=words)
    assert node.diagnose()[0] is Level.DANGER
    wait_until(lambda: node._grabber.health().silent_for > 0.2)
    infos.clear()


def test_a_world_of_another_scene_is_not_drawn(simulated):
    node, simulation, infos = simulated
    simulation.digest = 'another'
    wait_for_silence(node, infos, '/sim/world_state is of scene another')
    before = int(node.diagnose()[2]['states_of_another_scene'])
    wait_until(lambda: int(node.diagnose()[2]['states_of_another_scene']) > before + 2)
    assert not infos.messages
    back = time.time_ns()
    simulation.digest = simulation.scene.digest
    infos.wait(2)
    assert stamp_to_ns(infos.messages[0].header.stamp) >= back
    wait_until(lambda: node.diagnose()[0] is Level.SAFE)


def test_a_malformed_scene_is_reported_and_nothing_is_rendered_until_a_valid_one_arrives(simulated):
    node, simulation, infos = simulated
    simulation.scenes.publish(String(data='{"format": 1, "cubes": ['))
    wait_for_silence(node, infos, 'wanted valid JSON')
    back = time.time_ns()
    simulation.scenes.publish(String(data=simulation.scene.to_json()))
    infos.wait(2)
    assert stamp_to_ns(infos.messages[0].header.stamp) >= back - 50_000_000


def test_a_world_that_stops_is_a_stall_and_its_last_picture_is_not_shown_again(simulated):
    node, simulation, infos = simulated
    simulation.publishes = False
    wait_for_silence(node, infos, 'no frame for')
    back = time.time_ns()
    simulation.publishes = True
    infos.wait(2)
    assert stamp_to_ns(infos.messages[0].header.stamp) >= back
    wait_until(lambda: node.diagnose()[0] is Level.SAFE)


def test_a_world_with_a_nan_is_rejected_and_counted(simulated):
    node, simulation, infos = simulated
    good = simulation.qpos
    simulation.qpos = [float('nan')] * len(good)
    wait_for_silence(node, infos, 'no frame for')
    assert int(node.diagnose()[2]['states_not_finite']) > 0
    simulation.qpos = good
    infos.wait(2)
    wait_until(lambda: node.diagnose()[0] is Level.SAFE)


# -- a camera that fails on command ----------------------------------------------------------------


@pytest.fixture
def cameras(ros):
    """A node with failing cameras, and these in the order of its configurations."""
    made = []

    class Node(CameraNode):
        def __init__(self, **options):
            super().__init__(make_source=self.next_camera, **options)

        def next_camera(self, params, robot):
            made.append(FaultySource())
            return made[-1]

    node = ros.node(Node, source='v4l2', frozen_after=0.2, stall_after=0.2)
    ros.configure(node)
    ros.activate(node)
    yield node, made
    for source in made:
        source.let_go()


@pytest.fixture
def faulty(cameras):
    node, made = cameras
    return node, made[0]


@pytest.mark.parametrize(
    ('fault', 'words'),
    [
        (Fault.FREEZE, 'frozen'),
        (Fault.STALL, 'no frame for'),
        (Fault.DIE, 'unplugged'),
        (Fault.SHAPE, 'wanted uint8'),
    ],
)
def test_a_failing_camera_is_reported_and_its_heartbeat_stops(ros, faulty, fault, words):
    node, source = faulty
    _, _, infos = listen(ros)
    infos.wait(3)
    source.fault = fault
    wait_until(lambda: words in node.diagnose()[1], what=words)
    assert node.diagnose()[0] is Level.DANGER
    lost = time.time_ns()
    wait_until(lambda: time.time_ns() > lost + 300_000_000)
    back = time.time_ns()
    source.fault = Fault.NONE
    # Stamps, because a message of before may still be under way.
    infos.wait_for(lambda m: stamp_to_ns(m.header.stamp) >= back)
    between = [m for m in infos.messages if lost < stamp_to_ns(m.header.stamp) < back]
    assert bool(between) == (fault is Fault.FREEZE)
    wait_until(lambda: node.diagnose()[0] is Level.SAFE)


def test_a_camera_that_comes_back_with_another_size_is_not_published(ros, faulty):
    node, source = faulty
    _, _, infos = listen(ros)
    infos.wait(2)
    source.fault = Fault.DIE
    wait_until(lambda: 'unplugged' in node.diagnose()[1])
    source.size = (64, 48)
    source.fault = Fault.NONE
    words = 'came back with 64 x 48 px, it was configured with 32 x 24'
    wait_until(lambda: words in node.diagnose()[1], what=words)
    assert {(m.width, m.height) for m in infos.messages} == {(32, 24)}


def test_a_hung_driver_does_not_keep_the_node_from_being_configured_again(ros, cameras):
    node, made = cameras
    _, images, infos = listen(ros)
    infos.wait(3)
    old = made[0]
    old.fault = Fault.HANG
    wait_until(lambda: 'its driver has not returned' in node.diagnose()[1])
    ros.deactivate(node)
    assert ros.change(node, Transition.TRANSITION_CLEANUP)
    images.clear()
    ros.configure(node)
    ros.activate(node)
    infos.wait(3)
    old.let_go()
    wait_until(lambda: old.closed == 1, what='the old thread closing its own camera')
    seen = len(infos)
    infos.wait(seen + 3)
    numbers = [m.data[0] for m in images.messages]
    new = made[1]
    assert numbers == sorted(set(numbers)), 'no picture of the old camera among the new ones'
    assert numbers[0] < old.number, 'the new camera counts from 1'
    assert new.opened == 1
    assert new.closed == new.touched_after_close == 0
    assert new.threads.isdisjoint(old.threads)


# -- several cameras -------------------------------------------------------------------------------


def named(ros, name, node_name=None, **parameters):
    class Node(CameraNode):
        def __init__(self, **options):
            remap = ['--ros-args', '-r', f'__node:={node_name or "camera_" + name}']
            super().__init__(cli_args=remap, **options)

    return ros.node(Node, name=name, **parameters)


def test_two_cameras_publish_on_topics_of_their_own_with_frames_of_their_own(ros, robot, folder):
    probe = ros.probe()
    simulation = Simulation(ros, robot)
    simulation.scenes.publish(String(data=simulation.scene.to_json()))
    cameras = {
        'left_wrist': {'source': 'mujoco', 'width': 32, 'height': 24, 'backend': 'raycast'},
        'outside': {'source': 'replay', 'device': str(folder), 'rate': 30.0},
    }
    infos, images = {}, {}
    for name, parameters in cameras.items():
        images[name] = probe.subscribe(Image, f'/camera/{name}/color/image_raw', qos.IMAGE)
        infos[name] = probe.subscribe(CameraInfo, f'/camera/{name}/color/camera_info', qos.IMAGE)
        node = named(ros, name, **parameters)
        ros.configure(node)
        ros.activate(node)
    unnamed = probe.subscribe(CameraInfo, '/camera/color/camera_info', qos.IMAGE)
    for name, frame, size in (
        ('left_wrist', 'left_wrist_camera', (32, 24)),
        ('outside', 'outside_camera', (48, 32)),
    ):
        infos[name].wait(3)
        images[name].wait(1)
        for last in (infos[name].last, images[name].last):
            assert (last.width, last.height) == size
            assert last.header.frame_id == frame
    wrist = robot.cameras['left_wrist']
    assert infos['left_wrist'].last.k[0] == pytest.approx(12 / np.tan(wrist.fovy / 2))
    assert not unnamed.messages


def test_a_simulated_camera_that_the_robot_has_not_is_refused_with_those_it_has(ros):
    node = named(ros, 'tail', source='mujoco')
    assert not ros.change(node, Transition.TRANSITION_CONFIGURE)
    message = node._lifecycle_message[1]
    wanted = 'wanted a simulated camera of humanoid32: head, left_wrist, right_wrist'
    assert message.endswith(f'robot.yaml: cameras: found no tail, {wanted}')
    documented(
        'Cameras',
        'a simulated camera that the robot has not',
        message,
        robot_directory('humanoid32'),
    )


def test_a_camera_whose_node_has_another_name_is_refused(ros, folder):
    # The supervisor would bring up a node that does not exist, and miss this one's images.
    node = named(ros, 'left', node_name='my_camera', source='replay', path=str(folder))
    assert not ros.change(node, Transition.TRANSITION_CONFIGURE)
    message = node._lifecycle_message[1]
    assert 'name: found left, wanted the name of the node my_camera' in message
    documented('Cameras', 'a node of another name', message)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node on the wire."""

from __future__ import annotations

import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import String

from vla_camera.doubles import Fault, FaultySource
from vla_camera.node import CameraNode
from vla_common import qos
from vla_common.levels import Level
from vla_common.messages import stamp_to_ns
from vla_common.testing import wait_until
from vla_interfaces.msg import WorldState
from vla_sim import Scene, World


def listen(ros):
    probe = ros.probe()
    images = probe.subscribe(Image, '/camera/color/image_raw', qos.IMAGE)
    infos = probe.subscribe(CameraInfo, '/camera/color/camera_info', qos.IMAGE)
    return probe, images, infos


def test_images_and_their_info_share_stamps_that_strictly_rise(ros, folder):
    _, images, infos = listen(ros)
    node = ros.node(CameraNode, source='replay', path=str(folder), rate=50.0)
    ros.configure(node)
    ros.activate(node)
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
    assert infos.last.k[0] == 0.0  # nobody calibrated it
    ros.deactivate(node)
    ros.activate(node)
    infos.clear()
    infos.wait(2)


def test_nothing_leaves_while_inactive(ros, folder):
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


def test_simulated_camera_draws_the_world_with_depth_and_calibration(ros, robot):
    probe, images, infos = listen(ros)
    depths = probe.subscribe(Image, '/camera/depth/image_raw', qos.IMAGE)
    node = ros.node(CameraNode, source='mujoco', width=64, height=48, backend='raycast')
    ros.configure(node)
    ros.activate(node)
    wait_until(lambda: 'no /sim/scene' in node.diagnose()[1])
    assert node.diagnose()[0] is Level.DANGER
    scene = Scene.default()
    scenes = probe.publisher(String, '/sim/scene', qos.LATCHED)
    states = probe.publisher(WorldState, '/sim/world_state', qos.STATE)
    scenes.publish(String(data=scene.to_json()))
    probe.wait_for_subscriber(states)
    world = World(robot, scene)
    stamps = []

    def tick():
        message = WorldState(scene_digest=scene.digest, qpos=world.qpos.tolist())
        message.header.stamp = probe.node.get_clock().now().to_msg()
        stamps.append(stamp_to_ns(message.header.stamp))
        states.publish(message)

    probe.node.create_timer(1 / 30, tick)
    infos.wait(5)
    depths.wait(2)
    assert all(stamp_to_ns(m.header.stamp) in stamps for m in infos.messages)
    assert images.last.height == 48
    meters = np.frombuffer(depths.last.data, np.float32).reshape(48, 64)
    assert depths.last.encoding == '32FC1'
    assert np.isfinite(meters).any()
    assert infos.last.k[0] == pytest.approx(24 / np.tan(robot.camera.fovy / 2))
    wait_until(lambda: node.diagnose()[0] is Level.SAFE)


@pytest.mark.parametrize(
    ('parameters', 'told'),
    [
        (
            {'source': 'mujco'},
            "source: found 'mujco', wanted one of mujoco, replay, usb, realsense",
        ),
        ({'source': 'replay'}, 'path: found no path'),
        ({'source': 'replay', 'path': '/nowhere'}, 'path: found /nowhere: no such file or folder'),
        ({'source': 'usb', 'device': '/dev/video97'}, 'device: found no USB camera /dev/video97'),
        ({'source': 'mujoco', 'robot': 'nobody'}, 'nobody'),
    ],
)
def test_configure_fails_loudly(ros, parameters, told):
    node = ros.node(CameraNode, **parameters)
    assert not ros.change(node, Transition.TRANSITION_CONFIGURE)
    assert ros.state(node) == 'unconfigured'
    assert told in node._lifecycle_message[1]


@pytest.fixture
def faulty(ros):
    source = FaultySource()

    class Node(CameraNode):
        def __init__(self, **options):
            super().__init__(make_source=lambda params, robot: source, **options)

    node = ros.node(Node, source='usb', frozen_after=0.2, stall_after=0.2)
    ros.configure(node)
    ros.activate(node)
    yield node, source
    source.let_go()


@pytest.mark.parametrize(
    ('fault', 'told'),
    [
        (Fault.FREEZE, 'frozen'),
        (Fault.STALL, 'no frame for'),
        (Fault.DIE, 'unplugged'),
        (Fault.SHAPE, 'wanted uint8'),
    ],
)
def test_failing_camera_is_told_and_its_heartbeat_does_not_lie(ros, faulty, fault, told):
    node, source = faulty
    _, _, infos = listen(ros)
    infos.wait(3)
    source.fault = fault
    wait_until(lambda: told in node.diagnose()[1], what=told)
    assert node.diagnose()[0] is Level.DANGER
    if fault != Fault.FREEZE:
        infos.clear()
        wait_until(lambda: node._grabber.health().silent_for > 0.3 or source.opened > 2)
        assert not infos.messages
    source.fault = Fault.NONE
    infos.clear()
    infos.wait(3)
    wait_until(lambda: node.diagnose()[0] is Level.SAFE)


def test_hung_device_stops_the_heartbeat_and_the_node_can_still_be_taken_down(ros, faulty):
    node, source = faulty
    _, _, infos = listen(ros)
    infos.wait(3)
    source.fault = Fault.HANG
    wait_until(lambda: 'no frame for' in node.diagnose()[1])
    infos.clear()
    ros.deactivate(node)
    assert ros.change(node, Transition.TRANSITION_CLEANUP)
    assert not infos.messages

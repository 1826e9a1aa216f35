# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
import pytest

from vla_common import topics
from vla_common.cameras import (
    camera_node,
    camera_topic,
    check_camera_name,
    heartbeat_topic,
    is_camera_node,
    single_publisher_topics,
    with_cameras,
)
from vla_common.errors import ConfigError
from vla_common.topics import HEARTBEAT_TOPIC, SINGLE_PUBLISHER


def test_the_camera_without_a_name_is_as_it_always_was():
    assert camera_node('') == 'camera' and is_camera_node('camera')
    assert camera_topic(topics.COLOR_IMAGE, '') is topics.COLOR_IMAGE
    assert with_cameras(HEARTBEAT_TOPIC, ['']) == tuple(HEARTBEAT_TOPIC)
    assert set(single_publisher_topics([''])) == set(SINGLE_PUBLISHER)
    assert {node: heartbeat_topic(node) for node in HEARTBEAT_TOPIC} == HEARTBEAT_TOPIC


def test_a_named_camera_has_its_own_node_topics_and_heartbeat():
    assert camera_node('left_wrist') == 'camera_left_wrist'
    info = camera_topic(topics.CAMERA_INFO, 'left_wrist')
    assert (info.name, info.publisher) == (
        '/camera/left_wrist/color/camera_info',
        'camera_left_wrist',
    )
    assert (info.type, info.qos) == (topics.CAMERA_INFO.type, topics.CAMERA_INFO.qos)
    assert heartbeat_topic('camera_left_wrist') == info.name
    assert heartbeat_topic('a_node_of_others') == ''
    assert with_cameras(['a', 'camera', 'b'], ['x', 'y']) == ('a', 'camera_x', 'camera_y', 'b')
    listed = single_publisher_topics(['x', 'left_wrist'])
    assert info.name in listed and topics.CAMERA_INFO.name not in listed
    assert topics.JOINT_COMMAND.name in listed


@pytest.mark.parametrize('name', ['', 'Left', '1', 'a-b', 'a b', 'a/b', 'a__b', 'ä', 'a\n'])
def test_what_is_no_part_of_a_topic_is_no_name(name):
    with pytest.raises(ConfigError, match='wanted a lower-case letter'):
        check_camera_name(name, 'parameters', 'name')
    check_camera_name('left_wrist2', 'parameters', 'name')

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Names of cameras, and what follows from one: its node and its topics.

A robot has the one node `camera` on /camera/…, or any number of named ones: the camera `left_wrist`
is the node `camera_left_wrist` on /camera/left_wrist/….
"""

import re
from collections.abc import Iterable
from dataclasses import replace

from vla_common.errors import ConfigError
from vla_common.topics import CAMERA_INFO, HEARTBEAT_TOPIC, SINGLE_PUBLISHER, Topic

CAMERA = CAMERA_INFO.publisher
"""Executable of every camera node, and the node of the camera without a name."""

PREFIX = f'{CAMERA}_'
NAME = 'a lower-case letter, then lower-case letters, digits or _'


def check_camera_name(name: str, file: str, key: str) -> None:
    """Raise ConfigError unless `name` can be part of a node's name and of a topic."""
    if re.fullmatch('[a-z][a-z0-9_]*', name) is None or '__' in name:
        raise ConfigError(file, key, name, NAME)


def camera_node(name: str) -> str:
    """Node of a camera; of the one without a name for ''."""
    return f'{PREFIX}{name}' if name else CAMERA


def is_camera_node(node: str) -> bool:
    """Whether it is a node of the executable `camera`, by its name."""
    return node == CAMERA or node.startswith(PREFIX)


def executable_of(node: str) -> str:
    """Executable of a node of the robot: all cameras have one."""
    return CAMERA if is_camera_node(node) else node


def camera_topic(topic: Topic, name: str) -> Topic:
    """A topic of the node `camera`, as the camera `name` has it."""
    if not name:
        return topic
    own = topic.name.replace('/camera/', f'/camera/{name}/', 1)
    return replace(topic, name=own, publisher=camera_node(name))


def heartbeat_topic(node: str) -> str:
    """Name of the topic that is the heartbeat of a supervised node; '' where it is none."""
    if node in HEARTBEAT_TOPIC or not is_camera_node(node):
        return HEARTBEAT_TOPIC.get(node, '')
    return camera_topic(CAMERA_INFO, node.removeprefix(PREFIX)).name


def with_cameras(nodes: Iterable[str], names: Iterable[str]) -> tuple[str, ...]:
    """`nodes` with those of the named cameras in the place of `camera`."""
    cameras = [camera_node(name) for name in names]
    return tuple(n for node in nodes for n in (cameras if node == CAMERA else [node]))


def single_publisher_topics(names: Iterable[str]) -> tuple[str, ...]:
    """Topics that may have one publisher only, on a robot with these cameras."""
    infos = [camera_topic(CAMERA_INFO, name).name for name in names]
    return (*(topic for topic in SINGLE_PUBLISHER if topic != CAMERA_INFO.name), *infos)

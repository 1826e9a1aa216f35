# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The launch argument `cameras`: several cameras, each with its source and device.

    cameras:=head:mujoco,left_wrist:replay:/data/images,right_wrist
    cameras:=robot                # every camera of robot.yaml

A camera without a source takes that of the argument `camera`, else of a parameter file, else of
robot.yaml, else of config/camera.yaml.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from vla_camera.sources import SOURCES
from vla_common import topics
from vla_common.cameras import CAMERA, camera_node, camera_topic, check_camera_name, with_cameras
from vla_common.errors import ConfigError
from vla_common.parameter_files import NODES, Setting, read_sections, values_of
from vla_robot.directory import camera_sources

FILE, KEY = 'launch arguments', 'cameras'
ROBOT = 'robot'
FORM = 'NAME, NAME:SOURCE or NAME:SOURCE:DEVICE, separated by commas'
FOR_ONE = ('camera_path', 'camera_device')
"""Arguments about the one camera without a name."""

Settings = dict[str, Setting]


@dataclass(frozen=True)
class CameraChoice:
    """One camera: name, source and device; the last two are '' where they are not given."""

    name: str
    source: str = ''
    device: str = ''

    @classmethod
    def read(cls, text: str, file: str = FILE, key: str = KEY) -> 'CameraChoice':
        """From NAME:SOURCE:DEVICE. Raises ConfigError."""
        name, _, rest = text.partition(':')
        if not name or text.endswith(':'):
            raise ConfigError(file, key, text, FORM)
        check_camera_name(name, file, key)
        source, _, device = rest.partition(':')
        sources = SOURCES.names()
        if source and source not in sources:
            near = difflib.get_close_matches(source, sources, n=1)
            raise ConfigError(file, key, text, f'{near[0] if near else ", ".join(sources)}')
        return cls(name, source, device)

    def settings(self, place: str) -> Settings:
        """Source and device as parameters of its node."""
        given = {'source': self.source, 'device': self.device}
        return {key: Setting(value, place) for key, value in given.items() if value}


class Cameras:
    """The cameras of a launch, their nodes and parameters.

    Args:
        arguments, given: of the launch; which of them are not defaults.
        users: parameter file of the user, which may name the robot.

    Raises ConfigError: the argument is malformed, or contradicts another one.
    """

    def __init__(self, arguments: Mapping[str, str], given: set[str], users: str | None) -> None:
        text = arguments[KEY]
        self._by_robot = _of_robot(arguments, given, users) if text else {}
        words = list(self._by_robot) if text == ROBOT else text.split(',') if text else []
        self._choices = [CameraChoice.read(word.strip()) for word in words]
        self._names = [choice.name for choice in self._choices]
        self._kind = Setting(arguments[CAMERA], f'argument {CAMERA}:=')
        self._kind_given = CAMERA in given
        for name in self._names:
            if self._names.count(name) > 1:
                raise ConfigError(FILE, KEY, f'{name} twice', 'each camera once')
        for name in FOR_ONE:
            if self._names and name in given:
                found = f'{arguments[name]}, with {KEY}:={text}'
                raise ConfigError(FILE, name, found, f'NAME:SOURCE:DEVICE in {KEY}:=')

    @property
    def packages(self) -> dict[str, str]:
        """Package of each node of the launch, with the nodes of the cameras."""
        nodes = with_cameras(NODES, self._names or [''])
        return {node: NODES[self.shipped_as.get(node, node)] for node in nodes}

    @property
    def shipped_as(self) -> dict[str, str]:
        """Named cameras take the values that config has for the node `camera`."""
        return {camera_node(name): CAMERA for name in self._names}

    @property
    def arguments(self) -> dict[str, Settings]:
        """Parameters by node that follow from the arguments; none without named cameras."""
        if not self._names:
            return {}
        place = f'argument {KEY}:='
        colors, depths = (
            [camera_topic(topic, name).name for name in self._names]
            for topic in (topics.COLOR_IMAGE, topics.DEPTH_IMAGE)
        )
        found: dict[str, Settings] = {
            'supervisor': {'cameras': Setting(self._names, place)},
            'inference': {
                'cameras.names': Setting(self._names, place),
                'cameras.color': Setting(colors, place),
                'cameras.depth': Setting(depths, place),
            },
        }
        for choice in self._choices:
            kind = {'source': self._kind} if self._kind_given else {}
            own = {'name': Setting(choice.name, place), **kind, **choice.settings(place)}
            found[camera_node(choice.name)] = own
        return found

    def add_sources_of_robot(self, parameters: Mapping[str, Settings], config: str) -> None:
        """Sources of robot.yaml, where only a file in `config` has another one. Raises
        ConfigError."""
        for name in self._names:
            own, text = parameters[camera_node(name)], self._by_robot.get(name, '')
            if text and own['source'].place.startswith(config):
                key = f'cameras.{name}.source'
                own |= CameraChoice.read(f'{name}:{text}', 'robot.yaml', key).settings('robot.yaml')


def _of_robot(arguments: Mapping[str, str], given: set[str], users: str | None) -> dict[str, str]:
    """Sources by camera in robot.yaml of the robot that is launched."""
    robot = Setting(arguments[ROBOT], '')
    if users and ROBOT not in given:
        robot = values_of(read_sections(users), 'supervisor').get(ROBOT, robot)
    return camera_sources(robot.value)

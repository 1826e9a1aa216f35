# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The configurations of rviz, PlotJuggler and Foxglove, compared with what the robot publishes.

None of the three programs can be installed with pip: what is compared is what they would subscribe
to. First with the table of topics, then, in one launch, with the messages of a running robot.
"""

import json
import pathlib
import xml.etree.ElementTree as ElementTree
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml
from rclpy.qos import DurabilityPolicy, QoSCompatibility, QoSProfile, ReliabilityPolicy
from rclpy.qos import qos_check_compatible as check

from vla_common import qos, topics
from vla_common.testing import Collected, wait_until
from vla_robot import load_robot

CONFIG = pathlib.Path(__file__).resolve().parents[1] / 'config'
TYPES = {
    'RobotModel': 'std_msgs/msg/String',
    'MarkerArray': 'visualization_msgs/msg/MarkerArray',
    'Wrench': 'geometry_msgs/msg/WrenchStamped',
    'Image': 'sensor_msgs/msg/Image',
}
"""What a display of rviz_default_plugins subscribes to."""
WITHOUT_TOPIC = ('Grid', 'TF')
OF_JOINT = ('position', 'velocity', 'effort')
"""PlotJuggler's series of a JointState are /topic/JOINT/position."""


@dataclass
class Used:
    """What a configuration uses of one topic. fields: paths of numbers in its messages."""

    topic: str
    type: str = ''
    profile: QoSProfile | None = None
    fields: list[tuple[str, ...]] = field(default_factory=list)


def rviz() -> tuple[list[Used], set[str]]:
    """Topics and frames of humanoid.rviz."""
    settings = yaml.safe_load((CONFIG / 'humanoid.rviz').read_text())['Visualization Manager']
    frames = {settings['Global Options']['Fixed Frame']}
    found = []
    for display in settings['Displays']:
        kind = display['Class'].rpartition('/')[2]
        if 'Reference Frame' in display:
            frames.add(display['Reference Frame'])
        if kind in WITHOUT_TOPIC:
            continue
        topic = display['Description Topic' if kind == 'RobotModel' else 'Topic']
        reliability = topic['Reliability Policy'].upper().replace(' ', '_')
        durability = topic['Durability Policy'].upper().replace(' ', '_')
        profile = QoSProfile(
            depth=topic['Depth'],
            reliability=ReliabilityPolicy[reliability],
            durability=DurabilityPolicy[durability],
        )
        found.append(Used(topic['Value'], TYPES[kind], profile))
    return found, frames


def plotjuggler() -> list[Used]:
    """Topics of plotjuggler.xml; a series belongs to the longest topic that begins it."""
    root = ElementTree.parse(CONFIG / 'plotjuggler.xml').getroot()
    found = {e.get('name', ''): Used(e.get('name', '')) for e in root.iter('topic')}
    for curve in root.iter('curve'):
        series = curve.get('name', '')
        topic = max((t for t in found if series.startswith(t + '/')), key=len, default=None)
        assert topic, f'{series}: its topic is not among selected_topics'
        found[topic].fields.append(tuple(series[len(topic) + 1 :].split('/')))
    unused = [used.topic for used in found.values() if not used.fields]
    assert not unused, f'{unused}: selected and not shown'
    return list(found.values())


def foxglove() -> tuple[list[Used], set[str]]:
    """Topics and frames of foxglove.json."""
    layout = json.loads((CONFIG / 'foxglove.json').read_text())
    found: list[Used] = []
    frames = set()
    for panel, settings in layout['configById'].items():
        kind = panel.partition('!')[0]
        if kind == '3D':
            frames |= {settings['followTf']}
            frames |= {layer['frameId'] for layer in settings['layers'].values()}
            found += [Used(topic) for topic in settings['topics']]
        elif kind == 'Image':
            mode = settings['imageMode']
            found.append(Used(mode['imageTopic'], 'sensor_msgs/msg/Image'))
            found.append(Used(mode['calibrationTopic'], 'sensor_msgs/msg/CameraInfo'))
        elif kind == 'DiagnosticSummary':
            found.append(Used(settings['topicToRender'], 'diagnostic_msgs/msg/DiagnosticArray'))
        elif kind == 'Plot':
            for path in settings['paths']:
                topic, _, rest = path['value'].partition('.')
                found.append(Used(topic, fields=[tuple(rest.split('.'))]))
        elif kind == 'RawMessages':
            found.append(Used(settings['topicPath']))
        else:
            pytest.fail(f'{panel}: a panel that this test does not know')
    return found, frames


def foxglove_panels(layout: Any) -> list[str]:
    """Panels that the layout's tree shows."""
    if isinstance(layout, str):
        return [layout]
    return foxglove_panels(layout['first']) + foxglove_panels(layout['second'])


EVERY = {'rviz': rviz()[0], 'plotjuggler': plotjuggler(), 'foxglove': foxglove()[0]}
CASES = [pytest.param(used, id=f'{n}:{used.topic}') for n, all_ in EVERY.items() for used in all_]


@pytest.mark.parametrize('used', CASES)
def test_each_topic_is_published_with_the_type_and_the_fields_that_are_shown(used):
    topic = topics.BY_NAME[used.topic]
    assert used.type in ('', topic.type)
    message = topic.message_type()()
    for path in used.fields:
        if topic.type == 'sensor_msgs/msg/JointState':
            joint, kind = path
            assert kind in OF_JOINT
            assert joint in load_robot('humanoid32').joint_names
            continue
        value: Any = message
        for name in path:
            value = getattr(value, name)
        assert isinstance(value, (int, float)), path


@pytest.mark.parametrize('used', EVERY['rviz'], ids=lambda u: u.topic)
def test_rviz_requests_no_quality_of_service_that_is_not_offered(used):
    offered = qos.publisher(topics.BY_NAME[used.topic])
    compatibility, why = check(offered, used.profile)
    assert compatibility != QoSCompatibility.ERROR, why  # a WARNING: of a system default


def test_every_panel_of_foxglove_is_shown_once():
    layout = json.loads((CONFIG / 'foxglove.json').read_text())
    assert sorted(foxglove_panels(layout['layout'])) == sorted(layout['configById'])


def test_a_running_robot_publishes_every_topic_and_frame_that_is_shown(tmp_path):
    from geometry_msgs.msg import TransformStamped
    from whole_robot import BRING_UP, WholeRobot

    frames = rviz()[1] | foxglove()[1]
    wanted = {used.topic: used for all_ in EVERY.values() for used in all_}
    with WholeRobot(tmp_path, monitor='true', instruction='none') as robot:
        seen = {}
        for name in (*wanted, '/tf', '/tf_static'):
            topic = topics.BY_NAME[name]
            seen[name] = Collected(name)
            robot.node.create_subscription(
                topic.message_type(),
                name,
                seen[name].add,
                getattr(wanted.get(name), 'profile', None) or qos.publisher(topic),
            )
        with suppress(AssertionError):
            wait_until(lambda: all(len(collected) for collected in seen.values()), BRING_UP)
        assert not [name for name, collected in seen.items() if not len(collected)]
        published = dict(robot.node.get_topic_names_and_types())
    for used in wanted.values():
        assert published[used.topic] == [topics.BY_NAME[used.topic].type]
    edges: list[TransformStamped] = [
        t for name in ('/tf', '/tf_static') for t in seen[name].last.transforms
    ]
    tree = {edge.child_frame_id: edge.header.frame_id for edge in edges}
    roots = set(tree.values()) - set(tree)
    assert roots == {'world'}, 'one tree'
    shown = frames | {
        header.frame_id
        for name, collected in seen.items()
        for header in _headers(collected.last)
        if name in {used.topic for used in EVERY['rviz']}
    }
    assert shown <= {*tree, 'world'}


def _headers(message: Any) -> list[Any]:
    if hasattr(message, 'markers'):
        return [marker.header for marker in message.markers]
    return [message.header] if hasattr(message, 'header') else []

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A bag of several files, for rosbag2's readers."""

import pytest
import yaml
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore
from synthetic import S, bag_topics, run_of

from vla_common import topics
from vla_monitor.recording.bag import BagTopic, BagWriter
from vla_monitor.recording.bag_reader import BagReader
from vla_monitor.recording.schemas import schema_of

START = 1_800_000_000 * S
LATCHED = topics.ROBOT_DESCRIPTION.name


def write_bag(folder, split_time=5.0):
    bag = BagWriter(folder, 'lz4', 10**9, split_time)
    for topic in bag_topics():
        bag.add_topic(topic)
    messages = list(run_of(START))
    for i, m in enumerate(messages):
        bag.write(m.topic, m.content, m.log_ns, m.publish_ns)
        if i % 500 == 0:
            bag.flush()
    bag.finish()
    return bag, messages


def test_rosbags_reads_every_message_of_every_file(tmp_path):
    folder = tmp_path / 'session'
    folder.mkdir()
    bag, messages = write_bag(folder)
    assert len(bag.files) == 4
    repeated = len(bag.files) - 1  # the latched one, at the begin of each further file
    with AnyReader([folder], default_typestore=get_typestore(Stores.ROS2_JAZZY)) as reader:
        assert reader.message_count == len(messages) + repeated
        assert set(reader.topics) == {t.name for t in topics.TOPICS}
        modes = [
            reader.deserialize(raw, connection.msgtype).mode
            for connection, _, raw in reader.messages()
            if connection.topic == topics.SUPERVISOR_STATE.name
        ]
        joints = next(
            reader.deserialize(raw, c.msgtype)
            for c, _, raw in reader.messages()
            if c.topic == topics.JOINT_STATES.name
        )
    assert modes == [1] * 200 + [2] * 600 + [1] * 200 + [2] * 500 + [4] * 500
    assert joints.name == ['left_elbow', 'right_elbow']
    metadata = yaml.safe_load((folder / 'metadata.yaml').read_text())
    information = metadata['rosbag2_bagfile_information']
    counts = {
        t['topic_metadata']['name']: t['message_count']
        for t in information['topics_with_message_count']
    }
    assert counts[topics.PROXIMITY.name] == 0, 'a topic without messages is listed'
    assert sum(counts.values()) == information['message_count']


def test_each_file_begins_with_the_latched_messages_and_they_are_read_once(tmp_path):
    folder = tmp_path / 'session'
    folder.mkdir()
    _, messages = write_bag(folder)
    reader = BagReader(folder)
    found = list(reader.messages())
    assert [(m.topic, m.content) for m in found] == [(m.topic, m.content) for m in messages]
    for path in reader.files:
        with AnyReader([path], default_typestore=get_typestore(Stores.ROS2_JAZZY)) as one:
            connection, at, _ = next(iter(one.messages()))
            assert connection.topic == LATCHED
            assert at == one.start_time
    assert not reader.unreadable


def test_all_of_several_latched_publishers_are_repeated(tmp_path):
    folder = tmp_path / 'session'
    folder.mkdir()
    bag = BagWriter(folder, 'none', 10**9, 1.0)
    text = 'std_msgs/msg/String'
    bag.add_topic(BagTopic('/static', text, schema_of(text), latched=2))
    bag.add_topic(BagTopic('/other', text, schema_of(text)))
    for i, name in enumerate(['/static', '/static', '/static', '/other']):
        bag.write(name, b'\0\1\0\0' + bytes([i]), START + i, START + i)
    bag.finish()
    bag.write('/other', b'\0\1\0\0', START + S, START)
    bag.finish()
    assert [dict(f.counts) for f in bag.files] == [
        {'/static': 3, '/other': 1},
        {'/static': 2, '/other': 1},
    ]


def test_a_topic_with_another_definition_is_not_read_as_ours(tmp_path):
    folder = tmp_path / 'session'
    folder.mkdir()
    bag = BagWriter(folder, 'none', 10**9, 1.0)
    kind = topics.SUPERVISOR_STATE.type
    bag.add_topic(BagTopic(topics.SUPERVISOR_STATE.name, kind, 'uint8 mode\n'))
    bag.add_topic(BagTopic('/theirs', 'their_msgs/msg/Thing', 'uint8 thing\n'))
    bag.write(topics.SUPERVISOR_STATE.name, b'\0\1\0\0\1', START, START)
    bag.write('/theirs', b'\0\1\0\0\1', START, START)
    bag.finish()
    reader = BagReader(folder)
    assert list(reader.messages()) == []
    assert 'another definition' in reader.unreadable[topics.SUPERVISOR_STATE.name]
    assert 'their_msgs' in reader.unreadable['/theirs']


@pytest.mark.parametrize('topic', topics.TOPICS, ids=lambda t: t.name)
def test_each_type_of_the_table_has_a_definition(topic):
    text = schema_of(topic.type)
    assert 'MSG: ' in text or topic.type.startswith('std_msgs')

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Replay of a session's logs, and where its outputs differ from the recorded ones."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from vla_common import topics
from vla_common.cdr import Reader, uint8_array_data
from vla_common.errors import ConfigError, first_line
from vla_common.parameter_files import check_sections, read_sections, values_of
from vla_common.parameters import Parameters, ParameterSchema
from vla_common.topics import Topic
from vla_monitor.recording import session
from vla_monitor.recording.bag_reader import BagReader
from vla_robot import load_robot
from vla_safety.filter_runtime import create_runtime
from vla_safety.input_log import FilterReplay, ReplayedTick
from vla_supervisor.decision_log import DecisionReplay, ReplayedDecision
from vla_supervisor.settings import settings

PACKAGES = {'safety_filter': 'vla_safety', 'supervisor': 'vla_supervisor'}
Replayed = TypeVar('Replayed', ReplayedTick, ReplayedDecision)
QUANTITIES = {'position': 'rad', 'velocity': 'rad/s', 'effort': 'Nm'}


def parameters(folder: Path, node: str, overlay: Path | None = None) -> Parameters:
    """The parameters of a node as recorded, with those of a params_file over them.

    Raises ConfigError: the session has none, or a value is out of its range.
    """
    schemas = {name: ParameterSchema.load(package, name) for name, package in PACKAGES.items()}
    path = folder / session.CONFIGURATION / f'{node}.yaml'
    values = values_of(read_sections(path), node)
    if overlay is not None:
        sections = read_sections(overlay)
        check_sections(sections, schemas)
        values |= values_of(sections, node)
    plain = {name: setting.value for name, setting in values.items()}
    return schemas[node].check(plain, str(overlay or path))


def replay_filter(folder: Path, p: Parameters, start_ns: int) -> dict[str, Any]:
    """The filter's commands; see the README for the keys.

    Args:
        p: of the node safety_filter.
        start_ns: begin of the session.
    """
    robot = load_robot(p.robot)
    replay = FilterReplay(lambda clock: create_runtime(robot, p, clock), robot.n)
    counts: Counter[str] = Counter()
    first: ReplayedTick | None = None
    for tick in _fed(folder, topics.TICK_LOG, lambda data: replay.feed(uint8_array_data(data))):
        counts['replayed' if tick.settled else 'skipped'] += 1
        if tick.settled and not tick.same:
            counts['differences'] += 1
            first = first or tick
    found = {'gaps': replay.gaps, 'first_difference': None}
    if first is not None:
        found['first_difference'] = _difference(folder, first, robot.joint_names, start_ns)
    return {
        'ticks_replayed': counts['replayed'],
        'ticks_skipped': counts['skipped'],
        'differences': counts['differences'],
        **found,
    }


def replay_supervisor(folder: Path, p: Parameters, offset_ns: int) -> dict[str, Any]:
    """The supervisor's decisions; see the README for the keys.

    Args:
        p: of the node supervisor.
        offset_ns: what the session's time is ahead of the steady clock.
    """
    stops = load_robot(p.robot).stops
    replay = DecisionReplay(settings(p, stops, str(folder)).core)
    counts: Counter[str] = Counter()
    first: dict[str, Any] | None = None
    mode = None

    def feed(data: bytes) -> Iterator[ReplayedDecision]:
        return replay.feed(deserialize_message(data, String).data)

    for made in _fed(folder, topics.DECISION_LOG, feed):
        counts['replayed'] += 1
        counts['mode_changes'] += mode not in (None, made.recorded['mode'])
        mode = made.recorded['mode']
        if made.recorded == made.replayed:
            continue
        counts['differences'] += 1
        if first is None:
            names = [n for n in made.recorded if made.recorded[n] != made.replayed[n]]
            first = {
                't': made.now + 1e-9 * offset_ns,
                'recorded': {name: made.recorded[name] for name in names},
                'replayed': {name: made.replayed[name] for name in names},
            }
    return {
        'decisions_replayed': counts['replayed'],
        'decisions_skipped': replay.skipped,
        'mode_changes': counts['mode_changes'],
        'differences': counts['differences'],
        'gaps': replay.gaps,
        'first_difference': first,
    }


def _fed(
    folder: Path, topic: Topic, feed: Callable[[bytes], Iterator[Replayed]]
) -> Iterator[Replayed]:
    """What a replay makes of a log. Raises ConfigError: the log cannot be read."""
    for content in _logs(folder, topic):
        try:
            yield from feed(content)
        except (ValueError, LookupError, TypeError, struct.error) as error:
            wanted = 'a log of this version and robot'
            raise ConfigError(folder, topic.name, first_line(error), wanted) from error


def _logs(folder: Path, topic: Topic) -> Iterator[bytes]:
    """The messages of a log, in order.

    Raises ConfigError: there are none, or of another version of the message.
    """
    reader = BagReader(folder)
    empty = True
    for message in reader.messages({topic.name}):
        empty = False
        yield message.content
    if empty:
        found = reader.unreadable.get(topic.name, 'no messages')
        raise ConfigError(folder, topic.name, found, 'a session of a recorder that has this topic')


def _difference(
    folder: Path, tick: ReplayedTick, names: tuple[str, ...], start_ns: int
) -> dict[str, Any]:
    """Where a tick differs: the joint with the largest difference of the first such quantity."""
    report = tick.report
    found: dict[str, Any] = {
        't': 1e-9 * (tick.stamp - start_ns),
        'state': [tick.state.name, report.state.name],
    }
    recorded = _command_at(folder, tick.stamp)
    if recorded is None or report.command is None:
        found['note'] = 'the recorded command is not in the bag' if report.command else 'no command'
        return found
    for quantity, unit in QUANTITIES.items():
        before, now = recorded[quantity], getattr(report.command, quantity)
        different = np.abs(before - now)
        if (before != now).any():
            joint = int(np.argmax(different))
            return found | {
                'joint': names[joint],
                'quantity': quantity,
                'unit': unit,
                'recorded': float(before[joint]),
                'replayed': float(now[joint]),
            }
    return found


def _command_at(folder: Path, stamp: int) -> Mapping[str, np.ndarray] | None:
    """The recorded command with this stamp (ns)."""
    reader = Reader(JointState, 'header.stamp', *QUANTITIES)
    for message in BagReader(folder).messages({topics.JOINT_COMMAND.name}):
        at, *arrays = reader.read(message.content)
        if at == stamp:
            return dict(zip(QUANTITIES, arrays, strict=True))
    return None

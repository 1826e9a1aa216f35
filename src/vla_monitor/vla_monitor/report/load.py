# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the report shows of a session: its files, and series read from the bag."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from rclpy.serialization import deserialize_message

from vla_common import topics
from vla_common.cdr import Reader
from vla_common.errors import first_line
from vla_common.states import Mode
from vla_monitor.recording import session
from vla_monitor.recording.bag_reader import BagReader
from vla_monitor.recording.json_lines import read_lines

SERIES = {
    topics.BALANCE_STATE: {'margin': 'balance_margin'},
    topics.SUPERVISOR_STATE: {'speed_scale': 'speed_scale', 'mode': 'mode'},
    topics.SAFETY_STATUS: {'tick_ms': 'filter_tick_ms', 'chunk_age': 'chunk_age'},
    topics.HARDWARE_STATUS: {'loop_ms': 'driver_loop_ms'},
    topics.CHUNK_REPORT: {'call_ms': 'policy_call_ms', 'delay': 'observation_to_chunk'},
}
"""Fields of the topics that become series, and their names."""


@dataclass(frozen=True)
class JointLimits:
    """Limits of a joint from the recorded URDF, rad and rad/s."""

    lower: float
    upper: float
    velocity: float


@dataclass
class JointRange:
    """What a joint did outside ESTOP: extreme positions (rad) and largest speed (rad/s)."""

    lowest: float
    highest: float
    fastest: float
    commanded_lowest: float = np.nan
    commanded_highest: float = np.nan


@dataclass
class SessionData:
    """A session as it is shown. Series: times (n,) s and values (n,)."""

    folder: Path
    description: dict[str, Any]
    summary: dict[str, Any]
    events: list[dict[str, Any]]
    steps: list[dict[str, Any]]
    machine: list[dict[str, Any]]
    series: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    limits: dict[str, JointLimits] = field(default_factory=dict)
    joints: dict[str, JointRange] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def duration(self) -> float:
        """s."""
        return float(self.summary.get('duration') or 0.0)


def load_session(folder: Path) -> SessionData:
    """Read a session. What cannot be read is in `problems`.

    Raises ConfigError: it is no session, or one of a newer version.
    """
    description = session.check_session(folder)
    lines: dict[str, list[dict[str, Any]]] = {}
    problems = []
    for name in (session.EVENTS, session.STEPS, session.MACHINE):
        lines[name], torn = read_lines(folder / name)
        if torn:
            problems.append(f'{name}: {torn} lines are torn; run recover')
    summary = session.read_json(folder / session.SUMMARY)
    if summary is None:
        problems.append('summary.json is missing: the recorder was killed; run recover')
    data = SessionData(
        folder, description, summary or {}, sorted(lines[session.EVENTS], key=_time),
        lines[session.STEPS], lines[session.MACHINE], problems=problems,
    )  # fmt: skip
    _read_bag(data)
    return data


def _time(line: dict[str, Any]) -> float:
    return float(line.get('t') or 0.0)


def _read_bag(data: SessionData) -> None:
    reader = BagReader(data.folder)
    start_ns = data.description.get('start_ns')
    raw: dict[str, list[tuple[float, float]]] = defaultdict(list)
    readers = {t.name: Reader(t.message_type(), *fields) for t, fields in SERIES.items()}
    names = {topic.name: list(fields.values()) for topic, fields in SERIES.items()}
    joints = _Joints()
    joint_topics = (topics.JOINT_STATES.name, topics.JOINT_COMMAND.name)
    wanted = {*readers, *joint_topics, topics.ROBOT_DESCRIPTION.name}
    errors: dict[str, str] = {}
    for message in reader.messages(wanted):
        start_ns = start_ns or message.log_ns
        t = 1e-9 * (message.log_ns - start_ns)
        try:
            if message.topic in readers:
                values = readers[message.topic].read(message.content)
                for name, value in zip(names[message.topic], values, strict=True):
                    raw[name].append((t, float(value)))
            elif message.topic in joint_topics:
                if raw['mode'] and raw['mode'][-1][1] == Mode.ESTOP:
                    continue  # passive joints rest at their stops
                joints.add(message.topic == topics.JOINT_COMMAND.name, message.content)
            else:
                kind = topics.ROBOT_DESCRIPTION.message_type()
                data.limits = limits_of(deserialize_message(message.content, kind).data)
        except Exception as error:
            errors.setdefault(message.topic, first_line(error))
    data.series = {name: tuple(np.array(rows, float).T) for name, rows in raw.items()}
    data.joints = joints.ranges()
    unreadable = {**reader.unreadable, **errors}
    data.problems += [f'{name}: {why}' for name, why in unreadable.items()]
    if reader.damaged:
        data.problems.append(f'{reader.damaged} chunks of the bag are damaged and left out')


class _Joints:
    """Extremes of the joints over all messages."""

    def __init__(self) -> None:
        kind = topics.JOINT_STATES.message_type()
        self._readers = [Reader(kind, 'name', 'position', 'velocity') for _ in range(2)]
        self._names: list[list[str]] = [[], []]
        self._low: list[np.ndarray | None] = [None, None]
        self._high: list[np.ndarray | None] = [None, None]
        self._fastest: np.ndarray | None = None

    def add(self, command: bool, content: bytes) -> None:
        names, position, velocity = self._readers[command].read(content)
        if self._names[command] != names:
            if self._names[command]:
                return  # other joints than in the first message
            self._names[command] = names
            self._low[command], self._high[command] = position.copy(), position.copy()
            self._fastest = np.zeros(len(names)) if not command else self._fastest
        low, high = self._low[command], self._high[command]
        assert low is not None and high is not None
        np.fmin(low, position, out=low)
        np.fmax(high, position, out=high)
        if not command and self._fastest is not None and len(velocity) == len(self._fastest):
            np.fmax(self._fastest, np.abs(velocity), out=self._fastest)

    def ranges(self) -> dict[str, JointRange]:
        low, high, fastest = self._low[0], self._high[0], self._fastest
        if low is None or high is None or fastest is None:
            return {}
        found = {
            name: JointRange(float(low[i]), float(high[i]), float(fastest[i]))
            for i, name in enumerate(self._names[0])
        }
        for i, name in enumerate(self._names[1]):
            if name in found and self._low[1] is not None and self._high[1] is not None:
                found[name].commanded_lowest = float(self._low[1][i])
                found[name].commanded_highest = float(self._high[1][i])
        return found


def limits_of(urdf: str) -> dict[str, JointLimits]:
    """Limits of the revolute and prismatic joints of a URDF; of a text that is none, empty."""
    try:
        root = ElementTree.fromstring(urdf)
    except ElementTree.ParseError:
        return {}
    found = {}
    for joint in root.iter('joint'):
        limit = joint.find('limit')
        if limit is not None and joint.get('type') in ('revolute', 'prismatic'):
            numbers = (float(limit.get(key, 'nan')) for key in ('lower', 'upper', 'velocity'))
            found[joint.get('name', '')] = JointLimits(*numbers)
    return found

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What is shown of a session: its files, and series read from the bag."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from rclpy.serialization import deserialize_message

from vla_common import topics
from vla_common.cdr import Reader
from vla_common.errors import ConfigError, first_line
from vla_common.parameter_files import read_sections, values_of
from vla_common.parameters import ParameterSchema
from vla_common.states import Mode
from vla_monitor.recording import session
from vla_monitor.recording.bag import ACTIVE
from vla_monitor.recording.bag_reader import BagReader
from vla_monitor.recording.json_lines import read_lines
from vla_monitor.report.rebuild import summary_of_events
from vla_monitor.report.reversals import ReversalCounter, Reversals

SERIES = {
    topics.BALANCE_STATE: {'margin': 'balance_margin'},
    topics.SUPERVISOR_STATE: {'speed_scale': 'speed_scale', 'mode': 'mode'},
    topics.SAFETY_STATUS: {
        'tick_ms': 'filter_tick_ms',
        'chunk_age': 'chunk_age',
        'held_for': 'held_for',
        'speed_scale': 'filter_speed_scale',
    },
    topics.HARDWARE_STATUS: {
        'loop_ms': 'driver_loop_ms',
        'commands_rejected': 'commands_rejected',
        'clamped': 'clamped',
        'real_time_factor': 'real_time_factor',
    },
    topics.CHUNK_REPORT: {
        'call_ms': 'policy_call_ms',
        'model_ms': 'model_ms',
        'delay': 'observation_to_chunk',
        'late_chunks': 'late_chunks',
        'discontinuity_velocity': 'velocity_jump',
    },
    topics.INFERENCE_STATUS: {'observation_age': 'observation_age'},
}
"""Fields of the topics that become series, and their names."""

PACKAGES = {
    'inference': 'vla_inference',
    'safety_filter': 'vla_safety',
    'hardware_driver': 'vla_hardware',
}
"""Packages of the nodes whose parameters are asked for."""


class NotRecordedError(Exception):
    """The session holds nothing that decides; the text says what is missing."""


@cache
def _defaults(node: str) -> dict[str, Any]:
    schema = ParameterSchema.load(PACKAGES[node], node)
    return {entry.name: entry.default for entry in schema.entries if not entry.required}


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
    reversals: list[Reversals] = field(default_factory=list)
    configuration: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Parameters by node, those that were given."""
    problems: list[str] = field(default_factory=list)

    @property
    def duration(self) -> float:
        """s."""
        return float(self.summary.get('duration') or 0.0)

    @property
    def running(self) -> float:
        """s in RUNNING."""
        return float((self.summary.get('modes') or {}).get(Mode.RUNNING.name) or 0.0)

    def parameter(self, node: str, name: str) -> Any:
        """A parameter as recorded; where it was not given, the default of this code.

        Raises NotRecordedError: it was not given, and has no default.
        """
        value = self.configuration.get(node, {}).get(name, _defaults(node).get(name))
        if value is None:
            raise NotRecordedError(f'the parameter {name} of {node} was not recorded')
        return value


def load_session(folder: Path, bag: bool = True) -> SessionData:
    """Read a session. What cannot be read is in `problems`.

    bag: whether to read the bag, too; without it there are no series.

    Raises ConfigError: it is no session, or one of a newer version.
    """
    description = session.check_session(folder)
    lines: dict[str, list[dict[str, Any]]] = {}
    problems = []
    if not description:
        problems.append(f'{session.DESCRIPTION} is missing or torn: no hashes, no exact begin')
    for name in (session.EVENTS, session.STEPS, session.MACHINE):
        lines[name], torn = read_lines(folder / name)
        if torn:
            problems.append(f'{name}: {torn} lines are torn; run recover')
    events = sorted(lines[session.EVENTS], key=_time)
    summary = session.read_json(folder / session.SUMMARY)
    if summary is None:
        problems.append(
            'summary.json is missing: the recorder was killed or still records; run recover '
            'once it has ended. The counts here come from events.jsonl'
        )
        summary = summary_of_events(events, lines[session.STEPS] + lines[session.MACHINE])
    data = SessionData(
        folder, description, summary, events, lines[session.STEPS], lines[session.MACHINE],
        configuration=configuration_of(folder, problems), problems=problems,
    )  # fmt: skip
    if bag:
        _read_bag(data)
    return data


def configuration_of(folder: Path, problems: list[str]) -> dict[str, dict[str, Any]]:
    """The recorded parameters by node; a file that cannot be read is added to `problems`."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((folder / session.CONFIGURATION).glob('*.yaml')):
        try:
            values = values_of(read_sections(path), path.stem)
        except ConfigError as error:
            problems.append(f'{session.CONFIGURATION}/{path.name}: {error.found}')
            continue
        found[path.stem] = {name: setting.value for name, setting in values.items()}
    return found


def _time(line: dict[str, Any]) -> float:
    return float(line.get('t') or 0.0)


def _read_bag(data: SessionData) -> None:
    reader = BagReader(data.folder)
    start_ns = data.description.get('start_ns')
    raw: dict[str, list[tuple[float, float]]] = defaultdict(list)
    readers = {t.name: Reader(t.message_type(), *fields) for t, fields in SERIES.items()}
    names = {topic.name: list(fields.values()) for topic, fields in SERIES.items()}
    joints, motion = _Joints(), ReversalCounter()
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
                if message.topic == topics.JOINT_COMMAND.name:
                    moving = bool(raw['mode']) and raw['mode'][-1][1] == Mode.RUNNING
                    motion.add(t, *joints.command(message.content), moving)
                if raw['mode'] and raw['mode'][-1][1] == Mode.ESTOP:
                    continue  # passive joints rest at their stops
                joints.add(message.topic == topics.JOINT_COMMAND.name, message.content)
            else:
                kind = topics.ROBOT_DESCRIPTION.message_type()
                data.limits = limits_of(deserialize_message(message.content, kind).data)
        except Exception as error:
            errors.setdefault(message.topic, first_line(error))
    data.series = {name: tuple(np.array(rows, float).T) for name, rows in raw.items()}
    data.joints, data.reversals = joints.ranges(), motion.close()
    if not reader.files:
        data.problems.append('there is no bag (*.mcap): no plots of latencies, joints and balance')
    elif any(path.name.endswith(ACTIVE) for path in reader.files):
        data.problems.append('the last file of the bag is not finished; run recover')
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

    def command(self, content: bytes) -> tuple[list[str], np.ndarray]:
        """Joints and velocities (n,) rad/s of a command; without velocities (0,)."""
        names, _, velocity = self._readers[1].read(content)
        return names, velocity

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

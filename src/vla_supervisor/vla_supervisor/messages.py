# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The messages of the supervisor: /supervisor/state out, lifecycle reports of /diagnostics in."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.serialization import deserialize_message

from vla_common import topics
from vla_common.cdr import Writer
from vla_common.clock import first_sequence
from vla_common.messages import ns_to_stamp
from vla_common.process import host_id
from vla_interfaces.msg import Cause, SupervisorState
from vla_supervisor.conditions import LatchedCause
from vla_supervisor.decision import Decision

_STATE_NUMBERS = (
    'sequence', 'mode', 'behaviour', 'motion_epoch', 'speed_scale', 'level', 'armed',
)  # fmt: skip

REPORT_FIELDS = {
    topics.HARDWARE_STATUS: (
        'sequence', 'behaviour', 'behaviour_done', 'standing', 'at_rest', 'max_joint_speed',
        'behaviour_reason', 'fault', 'fault_detail', 'sensor_disagreement', 'sensor_detail',
        'sensors_unconfirmed',
    ),
    topics.BALANCE_STATE: ('sequence', 'level', 'cause', 'fallen'),
    topics.CAMERA_INFO: ('header.stamp',),
    topics.SAFETY_STATUS: ('sequence', 'state', 'level', 'reason'),
    topics.INFERENCE_STATUS: (
        'sequence', 'state', 'reason', 'instructions_finished', 'camera_frozen',
    ),
}  # fmt: skip
"""Fields read of each report, in the order of the arguments of `HealthMonitor`."""

_MAX_DIAGNOSTICS = 32_768  # bytes


class StateMessages:
    """/supervisor/state. The usual one (no cause, no node missing) is a serialised template."""

    def __init__(self) -> None:
        self._sequence = first_sequence()
        self._usual_nodes: tuple[str, ...] | None = None
        self._usual: Writer | None = None

    def create(
        self,
        d: Decision,
        nodes_active: tuple[str, ...],
        nodes_missing: list[str],
        wall_ns: int,
        now: float,
    ) -> SupervisorState | bytes:
        """What `publish` takes. wall_ns: ROS clock, now: steady clock (s)."""
        self._sequence += 1
        numbers = (
            self._sequence,
            int(d.mode),
            int(d.behaviour),
            d.motion_epoch & 0xFFFFFFFF,
            d.speed_scale,
            int(d.level),
            d.armed,
        )
        usual = not (d.causes or nodes_missing)
        if usual and nodes_active == self._usual_nodes:
            return self._usual.write(wall_ns, *numbers)
        message = SupervisorState(
            causes=[_cause(c, wall_ns, now) for c in d.causes],
            nodes_active=nodes_active,
            nodes_missing=nodes_missing,
        )
        message.header.stamp = ns_to_stamp(wall_ns)
        for name, value in zip(_STATE_NUMBERS, numbers, strict=True):
            setattr(message, name, value)
        if usual:
            self._usual = Writer(message, 'header.stamp', *_STATE_NUMBERS)
            self._usual_nodes = nodes_active
        return message


def _cause(cause: LatchedCause, wall_ns: int, now: float) -> Cause:
    c = cause.condition
    # By the wall clock, which may be anything: a clock that begins at 0 has no time before it.
    since = wall_ns - round(1e9 * (now - cause.since))
    return Cause(
        name=c.name,
        source=c.source,
        detail=c.detail,
        clears=c.clears,
        level=int(c.level),
        present=cause.present,
        since=ns_to_stamp(max(0, since)),
    )


@dataclass(frozen=True)
class LifecycleReport:
    """What a node reports of its lifecycle on /diagnostics."""

    node: str
    pid: str  # '' if it is not given
    local_pid: int | None  # the same, if it is a process of this machine and container
    error: str  # why a transition failed, else ''


def lifecycle_reports(serialized: bytes) -> Iterator[LifecycleReport]:
    """The lifecycle reports in a /diagnostics message.

    Any node publishes there, at any length, and reading it takes time of the thread that stops the
    robot: only what is short and concerns lifecycles (about 2 kB) is deserialised.
    """
    if len(serialized) > _MAX_DIAGNOSTICS or b': lifecycle\0' not in serialized:
        return
    for status in deserialize_message(serialized, DiagnosticArray).status:
        name, _, task = status.name.partition(': ')
        if task != 'lifecycle':
            continue
        values: dict[str, Any] = {value.key: value.value for value in status.values}
        pid = values.get('pid', '')
        # An id of another machine, or of another container, is that of another process here.
        local = pid.isdecimal() and values.get('machine') == host_id() != ''
        yield LifecycleReport(
            name.lstrip('/'),
            pid,
            int(pid) if local else None,
            status.message if status.level == DiagnosticStatus.ERROR else '',
        )

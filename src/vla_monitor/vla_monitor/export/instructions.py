# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The instructions of a session, and the frames that a dataset has of each.

An instruction begins with the observation that its first followed chunk answers, and ends with its
result. Frames are 1/fps apart from there. A frame has what was known at its time: the newest
measurement and the newest images received by then. Its action is the command in force one frame
later: the target that the robot is to have reached by the next frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vla_monitor.export.streams import Streams, newest_before

MAX_GAP = 0.5
"""s without a message of a stream after which an episode is not whole."""
S = 1_000_000_000


class LeftOutError(Exception):
    """An instruction that gives no episode, and why.

    damaged: because of the recording; otherwise there is nothing that it could show.
    """

    def __init__(self, why: str, damaged: bool) -> None:
        super().__init__(why)
        self.damaged = damaged


@dataclass(frozen=True)
class Instruction:
    """An instruction of a session; times in ns. result: '' where its end was not recorded."""

    text: str
    begin_ns: int
    end_ns: int
    result: str
    success: bool

    @property
    def finished(self) -> bool:
        return bool(self.result)


@dataclass(frozen=True)
class FrameTable:
    """F frames of an instruction, without images. Arrays as in `RecordedEpisode`; `images`: by
    camera, the number (F,) of each frame's image."""

    instruction: Instruction
    times_ns: np.ndarray
    state: np.ndarray
    action: np.ndarray
    proposed: np.ndarray
    proposed_known: np.ndarray
    interventions: np.ndarray
    images: dict[str, np.ndarray]
    image_age: dict[str, np.ndarray]


def instructions_of(streams: Streams) -> list[Instruction]:
    """The instructions, in order."""
    found: list[Instruction] = []
    text, begin = '', -1

    def close(end_ns: int, result: str, success: bool) -> None:
        nonlocal begin
        if begin >= 0:
            found.append(Instruction(text, begin, end_ns, result, success))
        begin = -1

    for event in streams.events:
        at = streams.start_ns + round(1e9 * event['t'])
        if event['event'] == 'instruction_finished':
            close(at, event['result'] or 'no result', event['success'])
        elif event['event'] == 'instruction':
            close(at, '', False)
            text, begin = event['instruction'], at
    ends = [s.log_ns[-1] for s in (streams.state, streams.command, streams.filter) if len(s.log_ns)]
    close(int(min(ends, default=begin)), '', False)
    return found


def action_joints(streams: Streams) -> tuple[str, ...]:
    """The joints that the policy moved, in the order of the measurement; () for none."""
    for stamp in streams.filter.chunk_stamp[streams.filter.tracking]:
        if (chunk := streams.chunks.get(int(stamp))) is not None:
            return tuple(name for name in streams.state.names if name in chunk.joints)
    return ()


def frames_of(
    streams: Streams, instruction: Instruction, joints: tuple[str, ...], fps: float
) -> FrameTable:
    """The frames of an instruction.

    joints: of the action. Raises LeftOutError.
    """
    first = _begin(streams, instruction)
    span = S / fps
    count = int((instruction.end_ns - first) / span + 1e-3)
    if count < 2:
        raise LeftOutError(f'it moved for less than two frames ({instruction.result})', False)
    times = first + np.rint(np.arange(count + 1) * span).astype(np.int64)
    now, later = times[:-1], times[1:]
    for begin, end in streams.jumps:
        if begin <= times[-1] and end >= first:
            raise LeftOutError('the clock was set back in it', damaged=True)
    state = _whole(streams, 'joint states', streams.state.log_ns, now)
    command = _whole(streams, 'commands', streams.command.log_ns, later)
    _whole(streams, 'reports of the safety filter', streams.filter.log_ns, later)
    images = {
        name: _whole(streams, f'images of the camera {name}', camera.log_ns, now)
        for name, camera in streams.cameras.items()
    }
    action = streams.command.values[command][:, streams.command.columns(joints)]
    proposed, known = _proposals(streams, later, command, joints)
    return FrameTable(
        instruction,
        now,
        streams.state.values[state],
        action,
        np.where(known[:, None], proposed, action),
        known,
        _interventions(streams, times),
        images,
        {
            name: 1e-9 * (now - camera.stamp_ns[images[name]])
            for name, camera in streams.cameras.items()
        },
    )


def _begin(streams: Streams, instruction: Instruction) -> int:
    """The time of the observation that the first followed chunk answers, ns."""
    reports = streams.filter
    if len(reports.log_ns) and reports.tracking[0] and reports.log_ns[0] >= instruction.begin_ns:
        raise LeftOutError('it began before the recording', damaged=True)
    own = (reports.log_ns >= instruction.begin_ns) & (reports.log_ns <= instruction.end_ns)
    before = set(reports.chunk_stamp[reports.log_ns < instruction.begin_ns].tolist())
    for stamp in reports.chunk_stamp[own & reports.tracking].tolist():
        if stamp not in before:
            return max(stamp, instruction.begin_ns)
    raise LeftOutError(f'nothing moved ({instruction.result or "no result"})', damaged=False)


def _whole(streams: Streams, what: str, log_ns: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The newest sample for each time. Raises LeftOutError: one is too old."""
    numbers = newest_before(log_ns, times)
    gap = 1e-9 * (times - log_ns[numbers]) if len(log_ns) else np.full(len(times), np.inf)
    gap = np.where(numbers < 0, np.inf, gap)
    if (gap > MAX_GAP).any():
        at = 1e-9 * (times[np.argmax(gap > MAX_GAP)] - streams.start_ns)
        raise LeftOutError(f'no {what} for more than {MAX_GAP:g} s, at {at:.1f} s', damaged=True)
    return numbers


def _proposals(
    streams: Streams, times: np.ndarray, command: np.ndarray, joints: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """What the policy proposed (F, k) for the time of each command, and where (F,) it did."""
    reports = streams.filter
    proposed = np.zeros((len(times), len(joints)))
    known = np.zeros(len(times), bool)
    tracking = reports.tracking
    for frame, number in enumerate(newest_before(reports.log_ns, times)):
        chunk = streams.chunks.get(int(reports.chunk_stamp[number]))
        if chunk is None or not tracking[number] or set(chunk.joints) != set(joints):
            continue
        # Reports come at half the rate of the commands.
        late = 1e-9 * (streams.command.stamp_ns[command[frame]] - reports.stamp_ns[number])
        playback = reports.playback_time[number] + reports.playback_rate[number] * late
        position = chunk.at(float(playback), reports.interpolation)
        if position is not None:
            known[frame] = True
            proposed[frame] = position[[chunk.joints.index(name) for name in joints]]
    return proposed, known


def _interventions(streams: Streams, times: np.ndarray) -> np.ndarray:
    """Ticks between two times in which the filter changed the command; times (F + 1,)."""
    counter = streams.filter.interventions[newest_before(streams.filter.log_ns, times)]
    more = np.diff(counter)
    return np.where(more >= 0, more, counter[1:])  # it begins again with the node

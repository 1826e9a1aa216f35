# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Scripted bundles: motions as smooth functions of time, chosen by words.

A motion goes from the start positions to a pose (minimum jerk, Flash and Hogan 1985: the quintic
10 s^3 - 15 s^4 + 6 s^5), swings there, and returns. It is a function of the time since its start,
so chunks of different moments agree.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from vla_common.yaml_file import ConfigReader
from vla_policy.bundle.model_inputs import SINGLE, History


@dataclass(frozen=True)
class ChunkShape:
    """Point i of `horizon` is due (i + 1) * step s after the observation."""

    horizon: int = 16
    step: float = 0.1


@dataclass(frozen=True)
class Step:
    """One step of a motion: to a pose in `time` s. pose: joint -> rad; grippers: name -> opening m.
    Joints that it does not name stay where the step before has left them."""

    pose: Mapping[str, float]
    grippers: Mapping[str, float]
    time: float


@dataclass(frozen=True)
class Motion:
    """One motion.

    words: all of them must be in the instruction; 'hand|arm' means either.
    pose: joint -> rad, reached after reach_time s.
    swing: joint -> (amplitude rad, period s), around the pose.
    hold: joints kept at their start positions.
    duration: s in the pose; 0 means without end.
    return_time: s of the return; 0 means that it stays in the pose.
    steps: instead of pose, swing and hold: one pose after the other, without a return.
    """

    name: str
    words: tuple[str, ...]
    pose: Mapping[str, float]
    swing: Mapping[str, tuple[float, float]]
    hold: tuple[str, ...]
    reach_time: float
    duration: float
    return_time: float
    steps: tuple[Step, ...] = ()

    @property
    def joints(self) -> tuple[str, ...]:
        stepped = (joint for step in self.steps for joint in step.pose)
        return tuple(dict.fromkeys((*self.pose, *self.swing, *self.hold, *stepped)))

    @property
    def grippers(self) -> tuple[str, ...]:
        """Those that its steps open or close."""
        return tuple(dict.fromkeys(name for step in self.steps for name in step.grippers))

    @property
    def total(self) -> float:
        """s from start to end; infinite without a duration."""
        if self.steps:
            return sum(step.time for step in self.steps)
        if self.duration == 0.0:
            return math.inf
        return self.reach_time + self.duration + self.return_time

    def fits(self, words: set[str]) -> int:
        """How many of its words are in the instruction, if all are; 0 otherwise."""
        hit = all(any(form in words for form in word.split('|')) for word in self.words)
        return len(self.words) if hit else 0

    def positions(self, start: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Targets (h, k) rad of `joints` at `times` (h,) s since the start at `start` (k,) rad."""
        names = self.joints
        if self.steps:
            return self._stepped(start, times)
        target = np.array([self.pose.get(n, start[i]) for i, n in enumerate(names)])
        there = minimum_jerk(times / self.reach_time)
        swinging = there * self._swing_window(times)
        if math.isfinite(self.total) and self.return_time > 0.0:
            back = (times - self.reach_time - self.duration) / self.return_time
            there = there * (1.0 - minimum_jerk(back))
        out = start[None, :] + there[:, None] * (target - start)[None, :]
        for i, name in enumerate(names):
            if name in self.swing:
                amplitude, period = self.swing[name]
                out[:, i] += swinging * amplitude * np.sin(2.0 * math.pi * times / period)
        return out

    def _stepped(self, start: np.ndarray, times: np.ndarray) -> np.ndarray:
        here, began = start, 0.0
        out = np.repeat(start[None, :], len(times), axis=0)
        for step in self.steps:
            goal = np.array([step.pose.get(n, here[i]) for i, n in enumerate(self.joints)])
            out += minimum_jerk((times - began) / step.time)[:, None] * (goal - here)[None, :]
            here, began = goal, began + step.time
        return out

    def _swing_window(self, times: np.ndarray) -> np.ndarray:
        if not math.isfinite(self.total):
            return np.ones_like(times)
        # Faded out before the return begins, over a second at most.
        fade = min(1.0, self.duration)
        end = self.reach_time + self.duration
        return 1.0 - minimum_jerk((times - (end - fade)) / fade)


def minimum_jerk(s: np.ndarray) -> np.ndarray:
    """0 for s <= 0, 1 for s >= 1, with velocity and acceleration 0 at both ends."""
    s = np.clip(s, 0.0, 1.0)
    return s * s * s * (10.0 + s * (-15.0 + 6.0 * s))


def words_of(text: str) -> tuple[str, ...]:
    """The words and whole numbers of an instruction in lower case, without punctuation."""
    return tuple(re.findall(r'[^\W\d_]+|\d+', text.lower()))


@dataclass(frozen=True)
class ScriptedSpec:
    """motions: by name. from_robot: the robot's own are added (`robot_motions`), and those whose
    joints it lacks become `absent`: they are refused, not replaced by the next that fits."""

    motions: Mapping[str, Motion]
    chunk: ChunkShape = ChunkShape()
    cameras: tuple[str, ...] = ()
    depth_cameras: tuple[str, ...] = ()
    history: History = SINGLE
    needs_velocity: bool = False
    from_robot: bool = False
    absent: Mapping[str, Motion] = field(default_factory=dict)

    @property
    def named_joints(self) -> dict[str, tuple[str, ...]]:
        if self.from_robot:
            return {}
        return {f'motions.{name}': motion.joints for name, motion in self.motions.items()}

    @property
    def example(self) -> str:
        """An instruction for the first motion."""
        first = next(iter(self.motions.values()))
        return ' '.join(word.split('|')[0] for word in first.words)

    def choose(self, text: str) -> Motion | None:
        """The motion with the most of its words in the text; the first one listed wins a tie.

        "Wave with the left hand" on a robot without one is no reason to wave with the right.
        """
        words = set(words_of(text))
        every = (*self.motions.values(), *self.absent.values())
        best = max(every, key=lambda motion: motion.fits(words), default=None)
        if best is None or best.fits(words) == 0 or best in self.absent.values():
            return None
        return best


def read_scripted(top: ConfigReader) -> ScriptedSpec:
    """The sections `motions` and `chunk` of policy.yaml. Raises ConfigError."""
    chunk = ChunkShape()
    if top.has('chunk'):
        f = top.section('chunk')
        chunk = ChunkShape(f.integer('horizon', lo=1, hi=1000), f.number('step', lo=1e-3, hi=10.0))
        f.close()
    from_robot = top.flag('from_robot', default=False)
    motions = {name: _motion(name, f) for name, f in top.sections('motions').items()}
    if not motions:
        raise top.error('motions', 'none', 'at least one motion')
    return ScriptedSpec(motions, chunk, from_robot=from_robot)


def _motion(name: str, f: ConfigReader) -> Motion:
    words = tuple(word.lower() for word in f.texts('words'))
    if not words:
        raise f.error('words', 'none', 'at least one word')
    if f.has('steps'):
        steps = _steps(f)
        f.close()
        return Motion(name, words, {}, {}, (), 2.0, 0.0, 0.0, steps)
    pose = {}
    if f.has('pose'):
        section = f.section('pose')
        joints = section.keys()
        pose = {joint: section.number(joint, lo=-math.pi, hi=math.pi) for joint in joints}
    swing = {}
    if f.has('swing'):
        for joint, s in f.sections('swing').items():
            swing[joint] = (
                s.number('amplitude', lo=0.0, hi=math.pi),
                s.number('period', lo=0.2, hi=60.0),
            )
            s.close()
    motion = Motion(
        name=name,
        words=words,
        pose=pose,
        swing=swing,
        hold=tuple(f.texts('hold', default=[])),
        reach_time=f.number('reach_time', default=2.0, lo=0.5, hi=60.0),
        duration=f.number('duration', lo=0.0, hi=3600.0),
        return_time=f.number('return_time', default=2.0, lo=0.0, hi=60.0),
    )
    f.close()
    if not motion.joints:
        raise f.error('pose', 'no joint in pose, swing or hold', 'at least one joint')
    return motion


def _steps(f: ConfigReader) -> tuple[Step, ...]:
    entries = f.raw('steps', wanted='a list of steps')
    if not isinstance(entries, list) or not entries:
        raise f.error('steps', entries, 'a list of steps, each with pose or grippers, and time')
    steps = []
    for i, entry in enumerate(entries):
        step = ConfigReader(f.file, entry, f.path(f'steps[{i}]'))
        parts: list[dict[str, float]] = []
        for key, low, high in (('pose', -math.pi, math.pi), ('grippers', 0.0, 1.0)):
            section = step.section(key) if step.has(key) else None
            names = section.keys() if section is not None else ()
            parts.append({name: section.number(name, lo=low, hi=high) for name in names})
        steps.append(Step(parts[0], parts[1], step.number('time', lo=0.1, hi=3600.0)))
        step.close()
    if not any(step.pose or step.grippers for step in steps):
        raise f.error('steps', 'no joint and no gripper', 'at least one')
    return tuple(steps)

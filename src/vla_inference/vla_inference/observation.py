# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Observations of one instant, from images, joints and IMU, or the reason why there is none.

The instant is the oldest of the cameras' newest images, so that each camera has one near it (for a
policy without images: the stamp of the newest joint sample). Of each source the sample nearest to
that instant is used; the skew is the largest difference of stamps. An age is the time since
reception on the steady clock, and at least the age of the header stamp, so that neither a late
network nor a late camera looks fresh. Parts too old, too skewed, from the future or invalid: no
observation, and a reason. The same holds for each earlier instant of a history; those from before
the instruction's first observation are copies of it, as when a demonstration begins.

All methods are called under the caller's lock.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vla_common.messages import JointOrder
from vla_common.stamps import STAMP_REPEATED, StampSequence, describe_age, describe_ahead
from vla_inference.camera_pose import CameraMount
from vla_inference.depth_check import beyond_floor, check_depth
from vla_inference.images import FrozenImages, color_image, depth_image
from vla_inference.picture_motion import PictureMotion
from vla_policy.bundle.model_inputs import SINGLE, History
from vla_policy.types import Observation

NS = 1e-9
NEVER_NS = 2**63 - 1
# Samples for a camera up to 300 ms late with joints at 200 Hz, and per second of history; of images
# at up to 60 Hz.
JOINTS_KEPT, JOINTS_PER_SECOND = 64, 250
IMAGES_KEPT, IMAGES_PER_SECOND = 4, 70


@dataclass(frozen=True)
class ObservationBounds:
    """Seconds."""

    max_age: float = 0.3
    max_skew: float = 0.1
    max_future: float = 0.05
    frozen_after: float = 1.0


@dataclass(frozen=True)
class ObservationResult:
    """observation is None exactly when reason is not empty. age, skew: s, -1 unknown."""

    observation: Observation | None
    reason: str
    age: float
    skew: float


@dataclass(frozen=True)
class _Sample:
    stamp_ns: int
    received: float
    values: tuple[np.ndarray, ...]


class _History:
    """The last samples of one source: strictly rising stamps, none of the future.

    wall_ns: the ROS clock; None where there is none to judge a stamp by.
    """

    def __init__(
        self, name: str, length: int, wall_ns: Callable[[], int] | None, max_ahead: float
    ) -> None:
        self.name = name
        self._wall_ns, self._order = wall_ns, StampSequence(max_ahead)
        self.samples: deque[_Sample] = deque(maxlen=length)
        self.refused = ''
        self.refusals = 0

    def add(self, stamp_ns: int, received: float, values: tuple[np.ndarray, ...]) -> bool:
        wall_ns = self._wall_ns() if self._wall_ns is not None else None
        wrong = self._order.reject(stamp_ns, wall_ns)
        if wrong:
            self.refuse(f'{self.name}{" " if wrong == STAMP_REPEATED else ": "}{wrong}')
            return False
        if self.samples and stamp_ns <= self.samples[-1].stamp_ns:
            self.samples.clear()  # of before the local clock was set back
        self.samples.append(_Sample(stamp_ns, received, values))
        self.refused = ''
        return True

    def refuse(self, reason: str) -> None:
        self.refused = reason
        self.refusals += 1

    def clear(self) -> None:
        self.samples.clear()
        self.refused = ''
        self._order.reset()

    def nearest(self, stamp_ns: int) -> _Sample:
        """The sample nearest to a stamp; there must be one."""
        samples = self.samples
        after = bisect_left(samples, stamp_ns, key=lambda sample: sample.stamp_ns)
        if after == len(samples):
            return samples[-1]
        if (
            after == 0
            or samples[after].stamp_ns - stamp_ns < stamp_ns - samples[after - 1].stamp_ns
        ):
            return samples[after]
        return samples[after - 1]


class ObservationAssembler:
    """Collects samples and assembles observations.

    cameras, depths: names of the cameras whose color and depth images the policy uses. history: of
    the observations. wall_ns: the ROS clock, by which stamps of the future are rejected on arrival.
    velocity: whether messages without joint velocities are rejected; else they are NaN. mount: of
    the robot's camera, whose images (by their frame_id) are compared with the robot's pose; None
    for no such check.
    """

    def __init__(
        self,
        joint_names: Sequence[str],
        cameras: Sequence[str],
        bounds: ObservationBounds,
        depths: Sequence[str] = (),
        history: History = SINGLE,
        wall_ns: Callable[[], int] | None = None,
        velocity: bool = True,
        mount: CameraMount | None = None,
    ) -> None:
        self._order = JointOrder(joint_names)
        self._velocity = velocity
        self._n = len(joint_names)
        self._bounds = bounds
        self._past = history
        kept = JOINTS_KEPT + round(JOINTS_PER_SECOND * history.span)

        def samples(name: str, kept: int) -> _History:
            return _History(name, kept, wall_ns, bounds.max_future)

        self._joints, self._imu = samples('joint_states', kept), samples('imu', kept)
        kept = IMAGES_KEPT + round(IMAGES_PER_SECOND * history.span)
        if len(cameras) + len(depths) == 1 and history.frames == 1:
            kept = 1
        self._images = {camera: samples(f'camera {camera}', kept) for camera in cameras}
        self._depths = {camera: samples(f'depth of camera {camera}', kept) for camera in depths}
        self._every = (*self._images.values(), *self._depths.values(), self._joints, self._imu)
        self._frozen = {camera: FrozenImages(bounds.frozen_after) for camera in cameras}
        self._motion = {c: PictureMotion(bounds.frozen_after) for c in cameras if mount is not None}
        self._mount = mount
        self._frames: dict[str, str] = {}
        self._looked_at: dict[str, int] = {}

    @property
    def camera_frozen(self) -> bool:
        return bool(self.frozen_reason)

    @property
    def frozen_reason(self) -> str:
        """Which camera sends the same image again and again, and how that is known; or ''."""
        for camera, frozen in self._frozen.items():
            if frozen.frozen:
                return f'camera {camera} frozen: the same image for {frozen.same_for:.2f} s'
        for camera, motion in self._motion.items():
            if motion.reason:
                return f'camera {camera} stale: {motion.reason}'
        return ''

    @property
    def stale_images(self) -> int:
        """Images since the start that did not show the motion of the robot."""
        return sum(motion.stale_pictures for motion in self._motion.values())

    @property
    def refused(self) -> int:
        """Rejected messages since the start."""
        return sum(history.refusals for history in self._every)

    def clear(self) -> None:
        """Drop all samples: before every activation."""
        for history in self._every:
            history.clear()
        self._frozen = {c: FrozenImages(self._bounds.frozen_after) for c in self._images}
        for motion in self._motion.values():
            motion.clear()

    def add_joints(
        self,
        stamp_ns: int,
        received: float,
        names: Sequence[str],
        position: Sequence[float],
        velocity: Sequence[float],
    ) -> bool:
        q, v = np.empty(self._n), np.full(self._n, np.nan)
        none = not len(velocity)
        if none and self._velocity:
            self._joints.refuse('joint_states has no velocity, which the policy uses')
            return False
        try:
            self._order.read(names, position, q)
            if not none:
                self._order.read(names, velocity, v)
        except (KeyError, ValueError) as error:
            self._joints.refuse(f'joint_states: {error.args[0]}')
            return False
        if not (np.isfinite(q).all() and (none or np.isfinite(v).all())):
            self._joints.refuse('joint_states are not finite')
            return False
        return self._joints.add(stamp_ns, received, (q, v))

    def add_imu(self, stamp_ns: int, received: float, orientation: Sequence[float] | None) -> bool:
        """orientation: (w, x, y, z), unit length to 1 %; None: the IMU reports that it has none."""
        if orientation is None:
            self._imu.refuse('the IMU has no orientation (orientation_covariance[0] is -1)')
            return False
        wxyz = np.array(orientation, float)
        if wxyz.shape != (4,) or not abs(np.linalg.norm(wxyz) - 1.0) <= 0.01:
            self._imu.refuse('imu orientation is no rotation')
            return False
        return self._imu.add(stamp_ns, received, (wxyz,))

    def add_image(
        self,
        camera: str,
        stamp_ns: int,
        received: float,
        height: int,
        width: int,
        step: int,
        encoding: str,
        content: bytes | memoryview,
        big_endian: bool = False,
        frame_id: str = '',
    ) -> bool:
        """Add the fields of a sensor_msgs/Image; the buffer is kept, not copied."""
        history = self._images[camera]
        try:
            image = color_image(history.name, height, width, step, encoding, content)
        except ValueError as error:
            history.refuse(str(error))
            return False
        if not history.add(stamp_ns, received, (image,)):
            return False
        self._frozen[camera].update(content, stamp_ns)
        self._frames[history.name] = frame_id
        return True

    def add_depth(
        self,
        camera: str,
        stamp_ns: int,
        received: float,
        height: int,
        width: int,
        step: int,
        encoding: str,
        content: bytes | memoryview,
        big_endian: bool = False,
        frame_id: str = '',
    ) -> bool:
        """Add a depth image: 32FC1 in m, or 16UC1 in mm; 0 or NaN: nothing measured."""
        history = self._depths[camera]
        try:
            depth = depth_image(history.name, height, width, step, encoding, content, big_endian)
            check_depth(history.name, depth)
        except ValueError as error:
            history.refuse(str(error))
            return False
        self._frames[history.name] = frame_id
        return history.add(stamp_ns, received, (depth,))

    def assemble(
        self, now: float, now_ns: int, instruction: str, elapsed: float, first_ns: int = 0
    ) -> ObservationResult:
        """The newest valid instant, or the reason. now: steady, s. now_ns: system clock. first_ns:
        stamp of the instruction's first observation; NEVER_NS: this is the first one."""
        bounds = self._bounds
        for history in self._every:
            if not history.samples:
                return _none(history.refused or f'no {_noun(history.name)}')
            age = self._age(history.samples[-1], now, now_ns)
            if age > bounds.max_age:
                return _old(history.name, age, bounds.max_age)
        timed = self._every[:-2] or (self._joints,)
        instant = min(h.samples[-1].stamp_ns for h in timed)
        parts = self._nearest(instant)
        age = 0.0
        for name, sample in parts.items():
            ahead = (sample.stamp_ns - now_ns) * NS
            if not ahead <= bounds.max_future:
                return _none(f'{name} is {describe_ahead(ahead)}')
            # A stopped stream must not look fresh because an old sample is the nearest.
            part_age = self._age(sample, now, now_ns)
            if not part_age <= bounds.max_age:
                return _old(name, part_age, bounds.max_age)
            age = max(age, part_age)
        skew, oldest = _skew(parts)
        if not skew <= bounds.max_skew:
            return ObservationResult(
                None, f'{oldest} lags by {skew:.3f} s, limit {bounds.max_skew}', age, skew
            )
        self._compare_with_pose(parts)
        for history in self._every:
            if history.refused:
                return ObservationResult(None, history.refused, age, skew)
        if frozen := self.frozen_reason:
            return ObservationResult(None, frozen, age, skew)
        past = []
        for i in range(self._past.frames - 1, 0, -1):
            back = i * self._past.step
            moment = max(instant - round(back / NS), min(first_ns, instant))
            before = self._nearest(moment)
            for name, sample in before.items():
                off = abs(moment - sample.stamp_ns) * NS
                if not off <= bounds.max_skew:
                    reason = f'{name} has nothing of {back:.2f} s before: {off:.3f} s off, limit '
                    return ObservationResult(None, f'{reason}{bounds.max_skew}', age, skew)
            past.append(self._observed(before, moment, instruction, elapsed))
        observation = self._observed(parts, instant, instruction, elapsed)
        return ObservationResult(replace(observation, past=tuple(past)), '', age, skew)

    def _compare_with_pose(self, parts: Mapping[str, _Sample]) -> None:
        """Reject new images of the robot's camera that contradict its pose."""
        mount = self._mount
        new = {
            history: parts[history.name]
            for history in (*self._images.values(), *self._depths.values())
            if mount is not None
            and mount.is_frame(self._frames[history.name])
            and self._looked_at.get(history.name) != parts[history.name].stamp_ns
        }
        if mount is None or not new:
            return
        pose = mount.pose(parts['joint_states'].values[0], parts['imu'].values[0])
        motions = {self._images[camera]: motion for camera, motion in self._motion.items()}
        for history, sample in new.items():
            self._looked_at[history.name] = sample.stamp_ns
            image = sample.values[0]
            focal = mount.focal(image.shape[0])
            motion = motions.get(history)
            if motion is None:
                wrong = beyond_floor(image, pose, focal)
            else:
                motion.update(image, pose, focal, sample.stamp_ns)
                wrong = motion.reason and f'stale: {motion.reason}'
            if wrong:
                history.refuse(f'{history.name} {wrong}')

    @staticmethod
    def _age(sample: _Sample, now: float, now_ns: int) -> float:
        return max(now - sample.received, (now_ns - sample.stamp_ns) * NS)

    def _nearest(self, instant: int) -> dict[str, _Sample]:
        """The sample of each source nearest to the instant."""
        return {history.name: history.nearest(instant) for history in self._every}

    def _observed(
        self, parts: Mapping[str, _Sample], instant: int, instruction: str, elapsed: float
    ) -> Observation:
        joints = parts[self._joints.name].values
        return Observation(
            images={camera: parts[h.name].values[0] for camera, h in self._images.items()},
            position=joints[0],
            velocity=joints[1],
            orientation=parts[self._imu.name].values[0],
            instruction=instruction,
            stamp_ns=instant,
            elapsed=elapsed,
            depths={camera: parts[h.name].values[0] for camera, h in self._depths.items()},
        )


def _old(name: str, age: float, limit: float) -> ObservationResult:
    return ObservationResult(None, f'{name} is {describe_age(age)}, limit {limit}', age, -1.0)


def _skew(parts: Mapping[str, _Sample]) -> tuple[float, str]:
    """s between the oldest and the newest part, and the name of the oldest."""
    oldest = min(parts, key=lambda name: parts[name].stamp_ns)
    newest = max(sample.stamp_ns for sample in parts.values())
    return (newest - parts[oldest].stamp_ns) * NS, oldest


def _noun(name: str) -> str:
    return name if name in ('joint_states', 'imu') else f'image of {name}'


def _none(reason: str) -> ObservationResult:
    return ObservationResult(None, reason, -1.0, -1.0)

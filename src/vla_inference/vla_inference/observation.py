# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""One observation of one instant, from image, joints and IMU, or the reason why there is none.

The instant is the image's (for a policy without images: the newest joint sample's). Joints and IMU
run at 200 Hz, so among their last samples the one nearest to that instant is taken; what is left
between the parts is the skew. Ages are counted on the steady clock from reception, and not below
what the header stamps say, so that neither a late network nor a late camera looks fresh. Too old,
too skewed, from the future or not valid: no observation, and a named reason; never a guess.

All methods are called under the caller's lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vla_common.messages import JointOrder
from vla_inference.policy import Observation

NS = 1e-9


@dataclass(frozen=True)
class Bounds:
    """Seconds."""

    max_age: float = 0.3
    max_skew: float = 0.1
    max_future: float = 0.05
    frozen_after: float = 1.0


@dataclass(frozen=True)
class Seen:
    """What an attempt found. observation is None exactly when reason is not empty."""

    observation: Observation | None
    reason: str
    age: float
    skew: float


class FrozenImages:
    """Images that keep arriving, with stamps that advance, and are byte for byte the same.

    A real sensor has noise: two equal frames in a row are already rare. So a few bytes all over the
    buffer tell most of the time, and only where they agree everything is compared.
    """

    STRIDE = 4099
    """A prime, so that the bytes looked at first are of all columns and channels."""

    def __init__(self, frozen_after: float) -> None:
        self._after = frozen_after
        self._last: np.ndarray | None = None
        self._since_ns = 0
        self._newest_ns = 0

    def update(self, content: bytes | memoryview, stamp_ns: int) -> None:
        image = np.frombuffer(content, np.uint8)
        if not self._same(image):
            self._since_ns = stamp_ns
        self._last, self._newest_ns = image, stamp_ns

    def _same(self, image: np.ndarray) -> bool:
        last = self._last
        if last is None or len(image) != len(last):
            return False
        few = slice(None, None, self.STRIDE)
        return bool(np.array_equal(image[few], last[few]) and np.array_equal(image, last))

    @property
    def same_for(self) -> float:
        """Seconds, by the stamps, for which the images have been the same."""
        return (self._newest_ns - self._since_ns) * NS

    @property
    def frozen(self) -> bool:
        return self.same_for > self._after


@dataclass(frozen=True)
class _Sample:
    stamp_ns: int
    received: float
    values: tuple[np.ndarray, ...]


class _History:
    """The last samples of one source: strictly rising stamps."""

    def __init__(self, name: str, length: int) -> None:
        self.name = name
        self.samples: deque[_Sample] = deque(maxlen=length)
        self.refused = ''
        self.refusals = 0

    def add(self, stamp_ns: int, received: float, values: tuple[np.ndarray, ...]) -> bool:
        if self.samples and stamp_ns <= self.samples[-1].stamp_ns:
            self.refuse(f'{self.name} stamp did not advance')
            return False
        self.samples.append(_Sample(stamp_ns, received, values))
        self.refused = ''
        return True

    def refuse(self, reason: str) -> None:
        self.refused = reason
        self.refusals += 1

    def nearest(self, stamp_ns: int) -> _Sample | None:
        if not self.samples:
            return None
        return min(self.samples, key=lambda sample: abs(sample.stamp_ns - stamp_ns))


class ObservationAssembler:
    """Collects what arrives and gives out observations.

    cameras: names of the cameras that the policy looks through; empty for none.
    """

    def __init__(self, joint_names: Sequence[str], cameras: Sequence[str], bounds: Bounds) -> None:
        self._order = JointOrder(joint_names)
        self._n = len(joint_names)
        self._cameras = tuple(cameras)
        self._bounds = bounds
        # 200 Hz and a camera 300 ms late at most: 64 samples reach back far enough.
        self._joints = _History('joint_states', 64)
        self._imu = _History('imu', 64)
        self._images = {camera: _History(f'camera {camera}', 1) for camera in cameras}
        self._frozen = {camera: FrozenImages(bounds.frozen_after) for camera in cameras}

    @property
    def camera_frozen(self) -> bool:
        return any(frozen.frozen for frozen in self._frozen.values())

    @property
    def refused(self) -> int:
        """Messages that could not be used, since the beginning."""
        every = (self._joints, self._imu, *self._images.values())
        return sum(history.refusals for history in every)

    def clear(self) -> None:
        """Forget what was received: before every activation."""
        for history in (self._joints, self._imu, *self._images.values()):
            history.samples.clear()
            history.refused = ''
        self._frozen = {c: FrozenImages(self._bounds.frozen_after) for c in self._cameras}

    def add_joints(
        self,
        stamp_ns: int,
        received: float,
        names: Sequence[str],
        position: Sequence[float],
        velocity: Sequence[float],
    ) -> bool:
        q, v = np.empty(self._n), np.empty(self._n)
        try:
            self._order.read(names, position, q)
            self._order.read(names, velocity, v)
        except (KeyError, ValueError) as error:
            self._joints.refuse(f'joint_states: {error.args[0]}')
            return False
        if not (np.isfinite(q).all() and np.isfinite(v).all()):
            self._joints.refuse('joint_states are not finite')
            return False
        return self._joints.add(stamp_ns, received, (q, v))

    def add_imu(self, stamp_ns: int, received: float, orientation: Sequence[float]) -> bool:
        """orientation: (w, x, y, z), unit length to 1 %."""
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
    ) -> bool:
        """Take one sensor_msgs/Image's fields; the buffer is kept, not copied."""
        history = self._images[camera]
        if encoding not in ('rgb8', 'bgr8'):
            history.refuse(f'{history.name} sends {encoding or "no encoding"}, wanted rgb8')
            return False
        fits = height > 0 and width > 0 and step >= 3 * width and len(content) == step * height
        if not fits:
            history.refuse(
                f'{history.name}: {len(content)} bytes for {width} x {height}, step {step}'
            )
            return False
        rows = np.frombuffer(content, np.uint8).reshape(height, step)
        image = rows[:, : 3 * width].reshape(height, width, 3)
        if encoding == 'bgr8':
            image = image[:, :, ::-1]
        if not history.add(stamp_ns, received, (image,)):
            return False
        self._frozen[camera].update(content, stamp_ns)
        return True

    def assemble(self, now: float, now_ns: int, instruction: str, elapsed: float) -> Seen:
        """now: steady, s. now_ns: system clock. The newest instant that is good, or the reason."""
        bounds = self._bounds
        parts: list[tuple[str, _Sample]] = []
        images: dict[str, np.ndarray] = {}
        for camera, history in self._images.items():
            if not history.samples:
                return _none(history.refused or f'no image of camera {camera}')
            sample = history.samples[-1]
            parts.append((history.name, sample))
            images[camera] = sample.values[0]
        if not self._joints.samples:
            return _none(self._joints.refused or 'no joint_states')
        if not self._imu.samples:
            return _none(self._imu.refused or 'no imu')
        instant = parts[0][1].stamp_ns if parts else self._joints.samples[-1].stamp_ns
        joints, imu = self._joints.nearest(instant), self._imu.nearest(instant)
        assert joints is not None
        assert imu is not None
        parts += [('joint_states', joints), ('imu', imu)]
        age, stamps = 0.0, []
        for name, sample in parts:
            stamp_age = (now_ns - sample.stamp_ns) * NS
            if not stamp_age >= -bounds.max_future:
                return _none(f'{name} is {-stamp_age:.3f} s in the future')
            # A stream that stopped must not look fresh because an old sample fits best.
            part_age = max(now - sample.received, stamp_age)
            if not part_age <= bounds.max_age:
                return Seen(
                    None, f'{name} is {part_age:.3f} s old, limit {bounds.max_age}', part_age, -1.0
                )
            age = max(age, part_age)
            stamps.append(sample.stamp_ns)
        skew = (max(stamps) - min(stamps)) * NS
        if not skew <= bounds.max_skew:
            oldest = min(parts, key=lambda part: part[1].stamp_ns)[0]
            return Seen(None, f'{oldest} lags by {skew:.3f} s, limit {bounds.max_skew}', age, skew)
        for history in (self._joints, self._imu, *self._images.values()):
            if history.refused:
                return Seen(None, history.refused, age, skew)
        for camera, frozen in self._frozen.items():
            if frozen.frozen:
                reason = f'camera {camera} frozen: the same image for {frozen.same_for:.2f} s'
                return Seen(None, reason, age, skew)
        observation = Observation(
            images=images,
            position=joints.values[0],
            velocity=joints.values[1],
            orientation=imu.values[0],
            instruction=instruction,
            stamp_ns=instant,
            elapsed=elapsed,
        )
        return Seen(observation, '', age, skew)


def _none(reason: str) -> Seen:
    return Seen(None, reason, -1.0, -1.0)

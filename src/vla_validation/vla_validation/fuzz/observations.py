# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Subject `observation`: odd joint states, IMU readings and images for the inference core."""

import random

import numpy as np

from vla_inference.observation import ObservationAssembler, ObservationBounds
from vla_policy.bundle.model_inputs import SINGLE, History
from vla_policy.types import Observation
from vla_validation.fuzz.odd import Clock, odd_names, odd_stamp, resized, spoiled
from vla_validation.fuzz.outcome import CaseResult, Outcome, SilentlyAccepted, assess

STEP = 0.01  # s between joint states
STEPS = 60  # with odd messages, then as many without
IMAGES_EVERY = 4  # steps
ODD = 0.2  # share of odd messages
BOUNDS = ObservationBounds()
ENCODINGS = ('mono8', '16UC1', '32FC1', 'yuv422', '', 'rgb8 ', '8UC4', 'bayer_rggb8')


class ObservationSubject:
    """See the module."""

    def run(self, seed: int) -> CaseResult:
        case = _Case(seed)
        result = assess(case.play, 'messages')
        changed = case.text
        if result.outcome is Outcome.WORKS and case.rejected:
            return CaseResult(Outcome.REFUSED, changed, f'{case.rejected} rejected')
        return CaseResult(result.outcome, changed, result.detail)


class _Case:
    def __init__(self, seed: int) -> None:
        self._chance = chance = random.Random(seed)
        self._clock = Clock()
        self._names = [f'joint_{i}' for i in range(chance.randint(1, 6))]
        self._cameras = ['head', 'wrist'][: chance.randint(0, 2)]
        self._depths = ['head'][: chance.randint(0, 1)]
        history = chance.choice((SINGLE, SINGLE, History(2, 0.1)))
        self._velocity = chance.random() < 0.7
        self._subject = ObservationAssembler(
            self._names, self._cameras, BOUNDS, self._depths, history,
            lambda: self._clock.ns, self._velocity,
        )  # fmt: skip
        self._frames = history.frames
        self.text = ''
        self.rejected = 0

    def play(self) -> None:
        """Raises SilentlyAccepted, and whatever the core raises."""
        self._clock.advance(STEP)
        self._send(0, odd=0.0)
        for share in (ODD, 0.0):
            for step in range(STEPS):
                self._clock.advance(STEP)
                self._send(step, share)
                if step % 7 == 0:
                    self._assemble()
        result = self._assemble()
        if result is None:
            raise SilentlyAccepted(f'good messages are rejected after odd ones: {self._reason}')

    def _send(self, step: int, odd: float) -> None:
        ways = [self._joints, self._imu]
        if step % IMAGES_EVERY == 0:
            ways += [lambda bad, c=c: self._image(c, bad) for c in self._cameras]
            ways += [lambda bad, c=c: self._depth(c, bad) for c in self._depths]
        for way in ways:
            bad = self._chance.random() < odd
            accepted, text = way(bad)
            if bad:
                self.text = text
                self.rejected += not accepted
            if bad and accepted:
                raise SilentlyAccepted(f'accepted: {text}')

    def _stamp(self, bad: bool) -> tuple[int, bool]:
        """A stamp, and whether it is an odd one."""
        if bad and self._chance.random() < 0.3:
            return odd_stamp(self._chance, self._clock), True
        return self._clock.ns, False

    def _joints(self, bad: bool) -> tuple[bool, str]:
        chance, n = self._chance, len(self._names)
        stamp, done = self._stamp(bad)
        names, q, v = list(self._names), np.zeros(n), np.zeros(n)
        text = f'joint_states with stamp {stamp}'
        if bad and not done:
            kind = chance.choice(('q', 'v', 'names', 'size', 'empty'))
            text = f'joint_states with odd {kind}'
            if kind == 'q':
                q = spoiled(chance, q)
            elif kind == 'v':
                v = spoiled(chance, v)
            elif kind == 'names':
                names = odd_names(chance, names)
            elif kind == 'empty':
                q = np.zeros(0)
            else:
                q = resized(chance, q)
        return self._subject.add_joints(stamp, self._clock.now, names, q, v), text

    def _imu(self, bad: bool) -> tuple[bool, str]:
        chance = self._chance
        stamp, done = self._stamp(bad)
        orientation: np.ndarray | None = np.array([1.0, 0.0, 0.0, 0.0])
        text = f'imu with stamp {stamp}'
        if bad and not done:
            orientation = chance.choice(
                (None, np.zeros(4), np.full(4, 1e200), np.full(4, 0.6), np.ones(3) / 3**0.5,
                 spoiled(chance, np.array([1.0, 0.0, 0.0, 0.0])), np.array([1e-300, 0, 0, 0]))
            )  # fmt: skip
            text = f'imu with orientation {orientation}'
        return self._subject.add_imu(stamp, self._clock.now, orientation), text

    def _image(self, camera: str, bad: bool) -> tuple[bool, str]:
        encoding = self._chance.choice(('rgb8', 'bgr8', 'rgba8', 'bgra8'))
        size = 3 if len(encoding) == 4 else 4
        return self._picture(self._subject.add_image, camera, encoding, size, bad)

    def _depth(self, camera: str, bad: bool) -> tuple[bool, str]:
        encoding = self._chance.choice(('32FC1', '16UC1'))
        size = 4 if encoding == '32FC1' else 2
        return self._picture(self._subject.add_depth, camera, encoding, size, bad)

    def _picture(self, add, camera: str, encoding: str, size: int, bad: bool) -> tuple[bool, str]:
        chance = self._chance
        stamp, done = self._stamp(bad)
        height, width = chance.randint(1, 6), chance.randint(1, 6)
        step = size * (width + chance.randint(0, 2))
        big_endian = chance.random() < 0.2
        order = '>' if big_endian else '<'
        if encoding == '32FC1':
            metres = [chance.uniform(0.3, 4.0) for _ in range(height * step // 4)]
            content = np.array(metres, f'{order}f4').tobytes()
        elif encoding == '16UC1':
            millimetres = [chance.randint(300, 4000) for _ in range(height * step // 2)]
            content = np.array(millimetres, f'{order}u2').tobytes()
        else:
            content = chance.randbytes(height * step)
        if bad and not done:
            kinds = ['encoding', 'content', 'height', 'width', 'step']
            kind = chance.choice([*kinds, 'zeros'] if encoding.endswith('C1') else kinds)
            if kind == 'encoding':
                encoding = chance.choice([e for e in ENCODINGS if not e.endswith('C1')])
            elif kind == 'content':
                content = chance.choice((b'', content + b'x', content[:-1]))
            elif kind == 'zeros':
                content = bytes(len(content))
            elif kind == 'height':
                height = chance.choice((0, height + 1, 2**32 - 1))
            elif kind == 'width':
                width = chance.choice((0, width + 3, 2**32 - 1, 2**31))
            else:
                step = chance.choice((0, 1, size * width - 1, step + 1, 2**32 - 1))
        text = f'{encoding or "no"} image {height} x {width}, step {step}, {len(content)} bytes'
        accepted = add(
            camera, stamp, self._clock.now, height, width, step, encoding, content, big_endian
        )
        return accepted, f'{text}, stamp {stamp}'

    def _assemble(self) -> Observation | None:
        clock = self._clock
        result = self._subject.assemble(clock.now, clock.ns, 'wave', 1.0)
        self._reason = result.reason
        found = result.observation
        if (found is None) != bool(result.reason):
            raise SilentlyAccepted('neither an observation nor a reason')
        if found is not None:
            for part in (*found.past, found):
                self._check(part)
        return found

    def _check(self, found: Observation) -> None:
        n = len(self._names)
        velocity = np.isfinite(found.velocity).all() or not self._velocity
        if not (np.isfinite(found.position).all() and velocity and found.position.shape == (n,)):
            raise SilentlyAccepted('an observation whose joints are not finite')
        if not abs(np.linalg.norm(found.orientation) - 1.0) <= 0.011:
            raise SilentlyAccepted('an observation whose orientation is no rotation')
        age = (self._clock.ns - found.stamp_ns) * 1e-9
        oldest = BOUNDS.max_age + BOUNDS.max_skew + (self._frames - 1) * 0.1
        if not -BOUNDS.max_future <= age <= oldest:
            raise SilentlyAccepted(f'an observation that is {age:.3f} s old')
        images = all(
            image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size
            for image in found.images.values()
        )
        depths = all(
            d.dtype == np.float32 and d.ndim == 2 and d.size for d in found.depths.values()
        )
        if not (images and depths):
            raise SilentlyAccepted('an observation with images of another form')

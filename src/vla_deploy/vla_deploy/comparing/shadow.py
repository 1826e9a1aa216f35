# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Shadow mode: a candidate policy computes chunks beside the active policy, and only logs them.

For each chunk on /vla/action_chunk the candidate gets the observation of that chunk: the image with
the same stamp, and the joints and IMU nearest to it. Both chunks are written to a file. Nothing
here can publish.
"""

import json
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import numpy as np

from vla_common.messages import JointOrder
from vla_deploy.comparing.comparison import Interval, chunk_difference, interval
from vla_deploy.observations import Recording
from vla_policy.types import ActionChunk, InstructionRefused, Observation, Policy, PolicyError

IMAGES_KEPT, JOINTS_KEPT = 32, 600
SEEN_KEPT = 256  # largest recording, spread over the whole run
LATEST_S = 0.05  # largest offset of joints and IMU from the image


@dataclass(frozen=True)
class ActiveStatus:
    """Status of the active policy: its instruction, and how long it has run, s."""

    instruction: str
    elapsed: float
    stamp_ns: int


@dataclass(frozen=True)
class ShadowSummary:
    """chunks: number compared. skipped: counts by reason."""

    chunks: int
    skipped: dict[str, int]
    rms_rad: Interval | None
    largest_rad: float
    latency_ms: tuple[float, float]

    def to_dict(self) -> dict:
        return {
            'chunks': self.chunks,
            'skipped': self.skipped,
            'rms_rad': None if self.rms_rad is None else self.rms_rad.to_dict(),
            'largest_rad': self.largest_rad,
            'latency_ms': {'p50': self.latency_ms[0], 'p99': self.latency_ms[1]},
        }


class Shadow:
    """Comparison of each active chunk with the candidate's; writes one line of JSON for each.

    Not thread-safe.
    """

    def __init__(self, policy: Policy, joint_names: Sequence[str], log: TextIO) -> None:
        self._policy, self._log = policy, log
        self._order = JointOrder(joint_names)
        self._n = len(joint_names)
        self._images: dict[str, deque[tuple[int, np.ndarray]]] = {
            camera: deque(maxlen=IMAGES_KEPT) for camera in policy.bundle.cameras
        }
        self._joints: deque[tuple[int, np.ndarray, np.ndarray]] = deque(maxlen=JOINTS_KEPT)
        self._imu: deque[tuple[int, np.ndarray]] = deque(maxlen=JOINTS_KEPT)
        self._goal: ActiveStatus | None = None
        self._instruction = ''
        self._rms: list[float] = []
        self._largest = 0.0
        self._took: list[float] = []
        self._skipped: dict[str, int] = {}
        self._names = tuple(joint_names)
        self._seen: list[Observation] = []
        self._met, self._every = 0, 1

    def image(self, camera: str, stamp_ns: int, rgb: np.ndarray) -> None:
        """uint8 (h, w, 3)."""
        if camera in self._images:
            self._images[camera].append((stamp_ns, rgb))

    def joints(
        self,
        stamp_ns: int,
        names: Sequence[str],
        position: Sequence[float],
        velocity: Sequence[float],
    ) -> None:
        q, v = np.empty(self._n), np.empty(self._n)
        try:
            self._order.read(names, position, q)
            self._order.read(names, velocity, v)
        except (KeyError, ValueError):
            self._skip('joint_states of another robot')
            return
        self._joints.append((stamp_ns, q, v))

    def imu(self, stamp_ns: int, wxyz: Sequence[float]) -> None:
        self._imu.append((stamp_ns, np.array(wxyz, float)))

    def status(self, goal: ActiveStatus) -> None:
        self._goal = goal

    def chunk(self, stamp_ns: int, active: ActionChunk) -> bool:
        """Compare the candidate with this chunk; False if it was skipped."""
        goal = self._goal
        if goal is None or not goal.instruction:
            return self._skip('no instruction received')
        if goal.instruction != self._instruction:
            self._instruction = goal.instruction
            self._policy.reset()
        observation = self._observation(stamp_ns, goal)
        if isinstance(observation, str):
            return self._skip(observation)
        self._remember(observation)
        began = time.perf_counter()
        try:
            candidate = self._policy.predict(observation)
            took = 1e3 * (time.perf_counter() - began)
            found = chunk_difference(active, candidate)
        except (PolicyError, InstructionRefused, ValueError) as error:
            return self._skip(f'the candidate: {error}')
        self._rms.append(found.rms)
        self._largest = max(self._largest, found.largest)
        self._took.append(took)
        self._write(
            {
                'stamp_ns': stamp_ns,
                'instruction': goal.instruction,
                'elapsed': round(observation.elapsed, 4),
                'rms_rad': round(found.rms, 6),
                'largest_rad': round(found.largest, 6),
                'latency_ms': round(took, 3),
                'active': _line(active),
                'candidate': _line(candidate),
            }
        )
        return True

    def summary(self) -> ShadowSummary:
        took = np.percentile(self._took, [50, 99]) if self._took else (0.0, 0.0)
        return ShadowSummary(
            len(self._rms),
            dict(self._skipped),
            interval(self._rms) if self._rms else None,
            self._largest,
            (float(took[0]), float(took[1])),
        )

    def _observation(self, stamp_ns: int, goal: ActiveStatus) -> Observation | str:
        images = {}
        for camera, kept in self._images.items():
            image = next((rgb for stamp, rgb in reversed(kept) if stamp == stamp_ns), None)
            if image is None:
                return f'no image of camera {camera} with the stamp of the chunk'
            images[camera] = image
        if not self._joints or not self._imu:
            return 'no joint_states or no imu yet'
        joints = min(self._joints, key=lambda sample: abs(sample[0] - stamp_ns))
        imu = min(self._imu, key=lambda sample: abs(sample[0] - stamp_ns))
        if max(abs(joints[0] - stamp_ns), abs(imu[0] - stamp_ns)) > 1e9 * LATEST_S:
            return f'no joint_states within {1e3 * LATEST_S:.0f} ms of the chunk'
        # The status has another stamp than the observation.
        elapsed = max(0.0, goal.elapsed + 1e-9 * (stamp_ns - goal.stamp_ns))
        return Observation(
            images, joints[1], joints[2], imu[1], goal.instruction, stamp_ns, elapsed
        )

    def recording(self) -> Recording | None:
        """The observations, for `verify`, `quantise --calibration` and other verbs; None if
        empty."""
        seen = self._seen
        if not seen:
            return None
        return Recording(
            self._names,
            np.array([one.position for one in seen]),
            np.array([one.velocity for one in seen]),
            tuple(one.instruction for one in seen),
            np.array([one.elapsed for one in seen]),
            {name: np.array([one.images[name] for one in seen]) for name in seen[0].images},
            'shadow mode on the running robot',
        )

    def _remember(self, one: Observation) -> None:
        """Keep every observation, then every second, fourth and so on as the recording fills up."""
        alike = not self._seen or all(
            one.images[name].shape == image.shape for name, image in self._seen[0].images.items()
        )
        if self._met % self._every == 0 and alike:
            self._seen.append(one)
            if len(self._seen) > SEEN_KEPT:
                del self._seen[1::2]
                self._every *= 2
        self._met += 1

    def _skip(self, reason: str) -> bool:
        self._skipped[reason] = self._skipped.get(reason, 0) + 1
        return False

    def _write(self, line: dict[str, Any]) -> None:
        self._log.write(json.dumps(line) + '\n')
        self._log.flush()


def _line(chunk: ActionChunk) -> dict[str, Any]:
    return {
        'joints': list(chunk.joints),
        'times': [round(float(t), 4) for t in chunk.times],
        'positions': [[round(float(x), 5) for x in row] for row in chunk.positions],
    }

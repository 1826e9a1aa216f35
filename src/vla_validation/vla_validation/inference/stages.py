# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The inference node with a clock at each hand-over, for the stages of a chunk's time.

Run as a module it is the node, and when it ends it writes the times of each frame to the file that
VLA_STAGES names. The clock is the machine's monotonic one, comparable across processes.
"""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vla_common.distribution import distribution
from vla_inference.node import InferenceNode, main

FILE = 'VLA_STAGES'
STAGES = (
    ('image: from its publication to the node', 'sent', 'arrived'),
    ('observation, asking', 'arrived', 'requested'),
    ("to the policy's thread", 'requested', 'begun'),
    ('preprocessing', 'begun', 'ready'),
    ('(the model)', 'ready', 'ran'),
    ('its answer as joint targets', 'ran', 'returned'),
    ('checking, blending, judging', 'returned', 'joined'),
    ('writing the message', 'joined', 'written'),
    ('chunk: from its publication to a listener', 'written', 'received'),
)


class TimedNode(InferenceNode):
    """times: of each frame, by its stamp in ns and the name of the moment, s."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.times: dict[int, dict[str, float]] = {}

    def _note(self, stamp_ns: int, moment: str, at: float | None = None) -> None:
        self.times.setdefault(stamp_ns, {})[moment] = time.perf_counter() if at is None else at

    def _on_image(self, camera, add, image) -> None:
        self._note(image.stamp_ns, 'arrived')
        super()._on_image(camera, add, image)

    def _load(self, key, name):
        link = super()._load(key, name)
        submit, predict = link.worker.submit, link.policy.predict

        def timed_submit(observation, reset=False):
            self._note(observation.stamp_ns, 'requested')
            submit(observation, reset)

        def timed_predict(observation):
            begun = time.perf_counter()
            chunk = predict(observation)
            answered = time.perf_counter()
            ready = begun + link.policy.preprocess_s
            ran = ready + link.policy.run_s
            for moment, at in zip(
                ('begun', 'ready', 'ran', 'returned'), (begun, ready, ran, answered), strict=True
            ):
                self._note(observation.stamp_ns, moment, at)
            return chunk

        link.worker.submit, link.policy.predict = timed_submit, timed_predict
        return link

    def _wire(self) -> None:
        super()._wire()
        publish, write = self._chunk_out.publish, self._writer.write

        def timed_write(chunk, stamp_ns):
            self._note(stamp_ns, 'joined')
            self._writing = stamp_ns
            return write(chunk, stamp_ns)

        def timed_publish(message):
            self._note(self._writing, 'written')
            publish(message)

        self._chunk_out.publish, self._writer.write = timed_publish, timed_write

    def destroy_node(self) -> None:
        Path(os.environ[FILE]).write_text(json.dumps(self.times))
        super().destroy_node()


def table(
    written: Path, sent: Mapping[int, float], received: Mapping[int, float]
) -> dict[str, dict[str, float]]:
    """ms of each stage, of the frames in `sent` that have a chunk."""
    frames = []
    for stamp_ns, times in json.loads(written.read_text()).items():
        key = int(stamp_ns)
        if key in sent and key in received and 'written' in times:
            frames.append(times | {'sent': sent[key], 'received': received[key]})
    return {
        name: distribution([1e3 * (frame[end] - frame[begin]) for frame in frames])
        for name, begin, end in STAGES
    }


if __name__ == '__main__':
    main(TimedNode)

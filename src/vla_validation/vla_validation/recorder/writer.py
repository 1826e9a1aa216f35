# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A process that records numbered messages in real time until it is killed: `writer FOLDER`.

Prints `begun`, and a line for each hundred messages that the recording has taken.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from rclpy.serialization import serialize_message
from std_msgs.msg import String

from vla_monitor.recording.bag import BagTopic
from vla_monitor.recording.digest import SessionDigest
from vla_monitor.recording.observer import Observer
from vla_monitor.recording.recording import Recording
from vla_monitor.recording.schemas import schema_of
from vla_monitor.recording.settings import Received, Settings

TOPIC, TYPE = '/numbers', 'std_msgs/msg/String'
RATE = 1000.0
"""Hz: as many messages a second as a robot has."""


def main(folder: Path) -> None:
    def observe(start_ns, emit_event, emit_step):
        digest = SessionDigest(start_ns, emit_event)
        return Observer(digest, emit_step), digest.summary

    settings = Settings(
        directory=folder, compression='lz4', images='none', split_size=10**9, split_time=1e6,
        budget=10**12, min_free=0, queue=10**8,
    )  # fmt: skip
    recording = Recording(settings, dict, None, observe, lambda line: None)
    recording.add_topic(BagTopic(TOPIC, TYPE, schema_of(TYPE)))
    while recording.folder is None:
        time.sleep(0.001)
    print('begun', flush=True)
    begin, number = time.monotonic(), 0
    while True:
        while number < (time.monotonic() - begin) * RATE:
            content = serialize_message(String(data=f'{number} ' + 'x' * 300))
            now_ns = time.time_ns()
            recording.put([Received(TOPIC, content, now_ns, now_ns)])
            number += 1
            if number % 100 == 0:
                print(number, flush=True)
        time.sleep(0.005)


if __name__ == '__main__':
    main(Path(sys.argv[1]))

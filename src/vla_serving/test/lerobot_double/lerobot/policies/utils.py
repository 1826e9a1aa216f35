# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The queues of policies that look back."""


def populate_queues(queues, batch):
    for key, queue in queues.items():
        if key in batch:
            while len(queue) < queue.maxlen - 1:
                queue.append(batch[key])
            queue.append(batch[key])
    return queues

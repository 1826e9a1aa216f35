# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Instructions to stop, about which no policy is asked."""

import re

_STOP = re.compile(
    r'\W*(?:(?:please|now|robot|ok|okay|hey|no|wait|just|right|immediately|at once|and|it|you|i'
    r'|said|must|should|can|could|would|will)\W+)*(?:stop|halt|freeze|abort|cease|whoa)\b',
    re.IGNORECASE,
)


def is_stop(text: str) -> bool:
    """Whether the instruction is one to stop: its first word of content is.

    "stop waving" stops, and "stop and point at the cube" does nothing else: rest comes first. "do
    not stop" and "point at the stop sign" are for the policy.
    """
    return _STOP.match(text) is not None

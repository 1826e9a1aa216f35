# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""QoS profiles by name.

No DDS deadline or liveliness is requested: a publisher that does not offer it (`ros2 topic pub`, a
bag) would be incompatible without a report. Watchdogs are in the subscriber and measure the age of
the payload (`vla_common.watchdog`).
"""

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from vla_common.topics import Topic


def _profile(
    reliability: ReliabilityPolicy,
    durability: DurabilityPolicy = DurabilityPolicy.VOLATILE,
    depth: int = 1,
) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=reliability, durability=durability
    )


# Commands that are sent once: only the newest matters, and it must arrive.
COMMAND = _profile(ReliabilityPolicy.RELIABLE)
# State, and commands that come in every tick, for publishers: reliable, which matches every
# subscriber.
STATE = _profile(ReliabilityPolicy.RELIABLE)
# State, for subscribers on the control path: best effort, so that a frozen subscriber never blocks
# a publisher. A repeated message would come after the next one.
STATE_SUB = _profile(ReliabilityPolicy.BEST_EFFORT)
# Camera images: a late one is useless.
IMAGE = _profile(ReliabilityPolicy.BEST_EFFORT)
# Facts that hold until replaced: a late subscriber receives the last one.
LATCHED = _profile(ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)
# Events, of which each one matters.
EVENT = _profile(ReliabilityPolicy.RELIABLE, depth=10)

_PROFILES = {'COMMAND': COMMAND, 'STATE': STATE, 'IMAGE': IMAGE, 'LATCHED': LATCHED, 'EVENT': EVENT}


def publisher(topic: Topic) -> QoSProfile:
    """Return the publisher's profile of `topic`."""
    return _PROFILES[topic.qos]


def subscriber(topic: Topic) -> QoSProfile:
    """Return the subscribers' profile: best effort for state, so that a late message is dropped."""
    return STATE_SUB if topic.qos == 'STATE' else _PROFILES[topic.qos]

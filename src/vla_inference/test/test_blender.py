# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The chunk time at which a new chunk joins: from the filter's status, else an estimate."""

import numpy as np
import pytest

from vla_inference.blender import UNKNOWN, Blender, BlendingParameters, Playback, Stretch
from vla_policy.types import ActionChunk

TIMES = 0.1 * np.arange(1, 17)
STAMP = 10**9  # of the first chunk, which is published 0.2 s later


def ns(seconds: float) -> int:
    return round(seconds * 1e9)


def chunk_from(start: float) -> ActionChunk:
    """The motion x = t^2 from `start` on, for one joint."""
    return ActionChunk(('a',), ((start + TIMES) ** 2)[:, None], TIMES)


@pytest.mark.parametrize(
    ('speed', 'playback', 'played'),
    [
        (1.0, Playback(chunk_ns=STAMP, at_ns=STAMP + ns(0.9), time=0.5), 0.6),
        (1.0, Playback(0.5, chunk_ns=STAMP, at_ns=STAMP + ns(0.8), time=0.5), 0.6),
        # Published time 0.6 of a chunk at half speed from 0.2 on is its chunk time 0.4.
        (0.5, Playback(chunk_ns=STAMP, at_ns=STAMP + ns(1.0), time=0.6), 0.4),
        # No status of this chunk: the estimate, from its publication on.
        (1.0, UNKNOWN, 1.0),
        (1.0, Playback(chunk_ns=STAMP - 1, at_ns=STAMP, time=0.1), 1.0),
        (1.0, Playback(chunk_ns=STAMP, at_ns=STAMP, time=-1.0), 1.0),
        (0.5, UNKNOWN, 0.6),
    ],
)
def test_the_filters_playback_time_replaces_the_estimate(speed, playback, played):
    blender = Blender(BlendingParameters())
    blender.join(chunk_from(0.0), STAMP, STAMP + ns(0.2), speed=lambda _: speed)
    second = STAMP + ns(1.0)
    prefix = blender.prefix(second, playback)
    np.testing.assert_allclose(prefix.positions[0], (played + 0.1) ** 2, atol=2e-3)
    joined = blender.join(chunk_from(played), second, second, playback)
    assert joined.disagreement < 2e-3
    assert joined.border[1] == pytest.approx(played)


@pytest.mark.parametrize('stretch', [Stretch(0.0, 0.0, 1.0), Stretch(0.2, 0.05, 0.5)])
def test_chunk_time_is_the_inverse_of_published_time(stretch):
    published = stretch.published(TIMES)
    np.testing.assert_allclose([stretch.chunk_time(t) for t in published], TIMES)
    assert stretch.published(np.array([stretch.at]))[0] == pytest.approx(stretch.start)

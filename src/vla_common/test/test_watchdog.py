# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
import math

from hypothesis import given
from hypothesis import strategies as st

from vla_common.clock import ManualClock, RateMeter, first_sequence
from vla_common.states import Hysteresis, Level
from vla_common.watchdog import Watchdog


def test_a_source_that_never_published_counts_as_expired():
    assert Watchdog('camera', 0.1).expired(now=5.0)


def test_a_repeated_sequence_does_not_feed_the_watchdog():
    watchdog = Watchdog('camera', 0.1)
    assert watchdog.beat(0.0, sequence=7)
    for tick in range(1, 20):
        assert not watchdog.beat(tick * 0.01, sequence=7)
    assert watchdog.expired(0.2)
    assert watchdog.replayed == 19


def test_a_nan_clock_counts_as_expired():
    watchdog = Watchdog('driver', 0.1)
    watchdog.beat(0.0, 1)
    assert watchdog.expired(math.nan)


def test_a_restarted_publisher_continues_above_its_old_sequence():
    before = first_sequence() + 200  # 200 messages at 200 Hz take a second, not 200 µs
    import time

    time.sleep(0.01)
    assert first_sequence() > before


@given(st.lists(st.tuples(st.floats(0.001, 1.0), st.sampled_from(Level)), min_size=1))
def test_a_level_rises_at_once_and_never_falls_early(steps):
    hysteresis = Hysteresis(fall_after=0.5)
    now, history = 0.0, []
    for wait, level in steps:
        now += wait
        history.append((now, level))
        held = hysteresis.update(level, now)
        assert held >= level
        recent = [past for when, past in history if now - when < 0.5]
        assert held >= max(recent)
        assert held <= max(past for _, past in history)


def test_a_rate_meter_measures_what_it_was_given():
    clock, meter = ManualClock(), RateMeter(window=1.0)
    for _ in range(100):
        meter.tick(clock.advance(0.01))
    assert math.isclose(meter.rate(clock()), 100.0, rel_tol=0.02)
    assert meter.rate(clock.advance(5.0)) == 0.0

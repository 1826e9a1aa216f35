# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The grabbing thread, with a camera that fails on purpose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_camera.doubles import FaultySource
from vla_camera.frames import DeviceMissingError
from vla_camera.grabber import Grabber
from vla_camera.vigilance import Backoff, Vigilance
from vla_common.testing import wait_until


@pytest.fixture
def grab():
    made = []

    def make(source, **options):
        frames, log = [], []
        values = {'frozen_after': 0.2, 'stall_after': 0.2, 'backoff': Backoff(0.01, 0.05)}
        grabber = Grabber(
            source, lambda frame, facts: frames.append(frame), log.append, **{**values, **options}
        )
        made.append((grabber, source))
        grabber.frames, grabber.lines = frames, log
        return grabber

    yield make
    for grabber, source in made:
        source.release.set()
        assert grabber.close()


def test_frames_come_from_the_one_thread_that_opened_the_device(grab):
    source = FaultySource()
    grabber = grab(source)
    assert grabber.open(5.0).device == 'double'
    assert not grabber.frames  # not before run
    grabber.run()
    wait_until(lambda: len(grabber.frames) >= 3)
    assert grabber.close()
    assert source.closed == 1
    assert len(source.threads) == 1
    assert grabber.health().problem == ''


def test_missing_device_is_raised_where_it_was_opened(grab):
    with pytest.raises(DeviceMissingError, match='plug it in'):
        grab(FaultySource('missing')).open(5.0)


def test_device_that_never_opens_is_not_waited_for(grab):
    source = FaultySource()
    source.open = source.release.wait
    with pytest.raises(TimeoutError, match=r'within 0.05 s'):
        grab(source).open(0.05)


def test_frozen_camera_is_seen_and_its_frames_are_passed_on_as_they_are(grab):
    source = FaultySource()
    grabber = grab(source)
    grabber.open(5.0)
    grabber.run()
    wait_until(lambda: len(grabber.frames) >= 3)
    assert not grabber.health().frozen
    source.fault = 'freeze'
    wait_until(lambda: grabber.health().frozen, what='frozen')
    stamps = [frame.stamp_ns for frame in grabber.frames]
    assert stamps == sorted(set(stamps))
    source.fault = ''
    wait_until(lambda: not grabber.health().frozen, what='thawed')


def test_stall_publishes_nothing_is_told_and_reopens(grab):
    source = FaultySource()
    grabber = grab(source)
    grabber.open(5.0)
    grabber.run()
    wait_until(lambda: len(grabber.frames) >= 2)
    source.fault = 'stall'
    wait_until(lambda: 'no frame for' in grabber.health().problem, what='the stall')
    before = len(grabber.frames)
    wait_until(lambda: source.opened >= 3, what='reopening')
    assert len(grabber.frames) == before  # silence was not masked
    source.fault = ''
    wait_until(lambda: len(grabber.frames) > before + 2, what='frames again')
    assert grabber.health().problem == ''
    assert grabber.health().stalls >= 1


def test_simulated_camera_is_not_reopened_for_silence(grab):
    source = FaultySource('stall')
    grabber = grab(source, reopen_silent=False)
    grabber.open(5.0)
    grabber.run()
    wait_until(lambda: 'no frame for' in grabber.health().problem, what='the stall')
    assert source.opened == 1


def test_unplugged_camera_comes_back_by_itself(grab):
    source = FaultySource()
    grabber = grab(source)
    grabber.open(5.0)
    grabber.run()
    wait_until(lambda: len(grabber.frames) >= 2)
    source.fault = 'die'
    wait_until(lambda: 'unplugged; opening again' in grabber.health().problem, what='the loss')
    before = len(grabber.frames)
    source.fault = ''
    wait_until(lambda: len(grabber.frames) > before, what='frames again')
    assert grabber.health().reopened == 1
    assert any('unplugged' in line for line in grabber.lines)


def test_hung_driver_stops_the_frames_and_shows_since_when(grab):
    source = FaultySource()
    grabber = grab(source)
    grabber.open(5.0)
    grabber.run()
    wait_until(lambda: len(grabber.frames) >= 2)
    source.fault = 'hang'
    wait_until(lambda: grabber.health().busy_for > 0.3, what='the hang')
    assert 'no frame for' in grabber.health().problem
    before = len(grabber.frames)
    assert not grabber.close(0.1)
    assert len(grabber.frames) == before


def test_recording_that_ends_is_no_loss(grab):
    source = FaultySource()
    grabber = grab(source)
    grabber.open(5.0)
    source.fault = 'end'
    grabber.run()
    wait_until(lambda: grabber.health().ended, what='the end')
    assert grabber.health().problem == 'the recording is over'
    assert source.opened == 1


def test_paused_grabber_delivers_nothing(grab):
    source = FaultySource()
    grabber = grab(source)
    grabber.open(5.0)
    grabber.run()
    wait_until(lambda: len(grabber.frames) >= 2)
    grabber.pause()
    wait_until(lambda: grabber._busy_since is None)
    before = len(grabber.frames)
    calls = source._count
    grabber.run()
    wait_until(lambda: source._count > calls)
    grabber.pause()
    assert len(grabber.frames) >= before


@given(st.lists(st.booleans(), max_size=30))
def test_backoff_grows_to_its_limit_and_falls_back_at_once(successes):
    backoff, expected = Backoff(0.5, 8.0), 0.5
    for success in successes:
        if success:
            backoff.succeed()
            expected = 0.5
        else:
            assert backoff.fail() == expected
            expected = min(8.0, 2 * expected)


def test_vigilance_counts_each_stall_once():
    v = Vigilance(1.0, 0.5)
    v.begin(0.0)
    assert not v.stalled(0.4)
    assert v.stalled(0.6)
    assert v.stalled(0.7)
    v.frame(np.zeros((2, 2, 3), np.uint8), 0.8)
    assert not v.stalled(0.9)
    assert v.stalled(1.5)
    assert v.stalls == 2

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The grabbing thread, with a camera that fails on purpose."""

import threading
import time

import pytest

from vla_camera.doubles import Fault, FaultySource
from vla_camera.grabber import Grabber
from vla_camera.source import DeviceMissingError
from vla_camera.stream_monitor import Backoff
from vla_common.testing import wait_until


class Rig:
    """A grabber on a faulty camera, and what it delivered."""

    def __init__(self) -> None:
        self.source = FaultySource()
        self.frames = []
        self.logged = []
        self.deliver = lambda frame, facts: self.frames.append(frame)
        self.grabber = self.another(self.source)

    def another(self, source: FaultySource, **options) -> Grabber:
        return Grabber(
            source,
            lambda frame, facts: self.deliver(frame, facts),
            self.logged.append,
            frozen_after=0.2,
            stall_after=0.2,
            grab_timeout=0.02,
            backoff=Backoff(0.01, 0.04),
            **options,
        )

    def start(self) -> None:
        self.grabber.open(5.0)
        self.grabber.run()
        self.wait_for_more()

    def wait_for_more(self, count: int = 3) -> None:
        wanted = len(self.frames) + count
        wait_until(lambda: len(self.frames) >= wanted, what='frames')

    def wait_for_problem(self, words: str) -> str:
        found = []

        def reported() -> bool:
            found.append(self.grabber.health().problem)
            return words in found[-1]

        wait_until(reported, what=words)
        return found[-1]

    def values(self, start: int = 0) -> list[int]:
        return [int(frame.color[0, 0, 0]) for frame in self.frames[start:]]


@pytest.fixture
def rig():
    rig = Rig()
    yield rig
    rig.source.let_go()
    assert rig.grabber.close(5.0)


def test_every_frame_is_delivered_once_and_in_order(rig):
    rig.start()
    rig.wait_for_more(10)
    rig.grabber.pause()
    assert rig.values() == list(range(1, len(rig.frames) + 1))
    assert rig.grabber.health().frames == len(rig.frames)


def test_one_thread_alone_touches_the_source(rig):
    rig.start()
    rig.source.fault = Fault.DIE
    rig.wait_for_problem('unplugged')
    rig.source.fault = Fault.NONE
    rig.wait_for_more()
    rig.grabber.close()
    assert len(rig.source.threads) == 1
    assert threading.get_ident() not in rig.source.threads
    assert rig.source.touched_after_close == 0


def test_a_frozen_camera_is_reported_while_it_still_delivers(rig):
    rig.start()
    rig.source.fault = Fault.FREEZE
    wait_until(lambda: rig.grabber.health().frozen, what='frozen')
    assert rig.grabber.health().problem == ''
    stamps = [frame.stamp_ns for frame in rig.frames]
    assert stamps == sorted(set(stamps))
    rig.source.fault = Fault.NONE
    wait_until(lambda: not rig.grabber.health().frozen, what='no longer frozen')


def test_a_silent_camera_is_reported_closed_and_opened_again(rig):
    rig.start()
    rig.source.fault = Fault.STALL
    rig.wait_for_problem('no frame for')
    before = len(rig.frames)
    wait_until(lambda: rig.source.opened >= 2, what='opening again')
    assert len(rig.frames) == before, 'silence is not masked'
    rig.source.fault = Fault.NONE
    rig.wait_for_more()
    health = rig.grabber.health()
    assert health.problem == ''
    assert health.stalls >= 1
    assert health.reopened >= 1


def test_a_silent_camera_is_reported_before_it_is_opened_again_and_after_four_frames():
    rig = Rig()
    rig.grabber = rig.another(rig.source, silent_after=0.05)
    rig.start()
    rig.source.fault = Fault.STALL
    rig.wait_for_problem('no frame for 0.1')
    assert rig.grabber.health().reopened == 0
    assert rig.grabber.close(5.0)
    slow = FaultySource(period=0.04)  # 25 Hz: four frames are 0.16 s
    rig.grabber = rig.another(slow, silent_after=0.05)
    rig.start()
    for _ in range(20):
        time.sleep(0.01)
        assert rig.grabber.health().problem == '' or rig.grabber.health().silent_for > 0.16
    assert rig.grabber.close(5.0)


def test_the_simulated_camera_is_not_opened_again_for_silence():
    rig = Rig()
    source = FaultySource(Fault.STALL)
    rig.grabber = rig.another(source, reopen_silent=False)
    rig.grabber.open(5.0)
    rig.grabber.run()
    rig.wait_for_problem('no frame for 0.4')
    assert source.opened == 1
    assert rig.grabber.close()


def test_a_camera_that_dies_is_tried_again_until_it_is_back(rig):
    rig.start()
    rig.source.fault = Fault.DIE
    assert 'the double was unplugged' in rig.wait_for_problem('opening again')
    closed = rig.source.closed
    wait_until(lambda: rig.source.closed >= closed + 3, what='three more tries')
    assert rig.source.opened == 1
    rig.source.fault = Fault.NONE
    rig.wait_for_more()
    assert rig.grabber.health().problem == ''
    assert rig.grabber.health().reopened == 1


def test_an_exception_of_a_drivers_own_is_a_lost_camera_not_a_dead_thread(rig):
    rig.start()
    rig.source.fault = Fault.BUG
    wait_until(lambda: rig.source.opened >= 3, what='opening again')
    assert any('KeyError' in line for line in rig.logged)
    rig.source.fault = Fault.NONE
    rig.wait_for_more()


def test_a_recording_that_ends_is_reported_and_not_opened_again(rig):
    rig.start()
    rig.source.fault = Fault.END
    wait_until(lambda: rig.grabber.health().ended, what='the end')
    assert rig.grabber.health().problem == 'the recording is over'
    assert rig.source.opened == 1


def test_a_frame_whose_time_does_not_advance_is_neither_delivered_nor_a_heartbeat(rig):
    rig.start()
    rig.source.fault = Fault.OLD_STAMP
    assert 'does not advance' in rig.wait_for_problem('no frame for')
    stamps = [frame.stamp_ns for frame in rig.frames]
    assert stamps == sorted(set(stamps))
    assert rig.grabber.health().repeated > 1
    rig.source.fault = Fault.NONE
    rig.wait_for_more()
    assert rig.grabber.health().problem == ''


def test_frames_of_another_size_never_leave(rig):
    rig.start()
    rig.source.fault = Fault.RESIZE
    wait_until(lambda: any('a frame of 40 x 24' in line for line in rig.logged), what='the log')
    rig.source.fault = Fault.NONE
    rig.wait_for_more()
    assert {frame.color.shape for frame in rig.frames} == {(24, 32, 3)}


def test_a_grab_that_hangs_is_reported_and_its_frame_never_leaves_beside_a_new_source(rig):
    rig.start()
    rig.source.fault = Fault.HANG
    assert rig.source.hanging.wait(5.0)
    assert 'has not returned' in rig.wait_for_problem('no frame for')
    rig.grabber.pause()
    assert not rig.grabber.close(timeout=0.05)
    delivered = len(rig.frames)
    # Another camera for the same receiver, as after a new configure.
    fresh = FaultySource()
    second = rig.another(fresh)
    second.open(5.0)
    second.run()
    rig.wait_for_more(3)
    rig.source.let_go()  # the old driver returns, with a picture
    assert rig.grabber.close(5.0), 'the thread ends when the driver lets go'
    rig.wait_for_more(3)
    assert second.close()
    new = rig.values(delivered)
    assert new == list(range(1, len(new) + 1)), 'only the new camera delivered'
    assert rig.source.closed == 1
    assert fresh.touched_after_close == 0


def test_a_frame_that_was_being_grabbed_at_a_pause_never_leaves_even_after_running_again(rig):
    rig.start()
    rig.source.fault = Fault.HANG
    assert rig.source.hanging.wait(5.0)
    late, delivered = rig.source.number + 1, len(rig.frames)
    rig.grabber.pause()
    rig.source.fault = Fault.NONE
    rig.grabber.run()
    rig.source.let_go()
    rig.wait_for_more(2)
    assert rig.values(delivered)[0] == late + 1


def test_what_the_device_buffered_while_paused_is_discarded(rig):
    rig.start()
    assert rig.source.discarded == 1
    rig.grabber.pause()
    rig.grabber.run()
    rig.wait_for_more()
    assert rig.source.discarded == 2


def test_nothing_is_delivered_once_pause_has_returned(rig):
    delivering, paused, late = threading.Event(), threading.Event(), []

    def deliver_slowly(frame, facts):
        delivering.set()
        time.sleep(0.02)
        late.append(paused.is_set())

    rig.deliver = deliver_slowly
    rig.grabber.open(5.0)
    for _ in range(5):
        delivering.clear()
        rig.grabber.run()
        assert delivering.wait(5.0)
        rig.grabber.pause()  # in the middle of a delivery, which it has to wait for
        paused.set()
        time.sleep(0.04)
        paused.clear()
    assert len(late) >= 5
    assert not any(late)


def test_a_camera_that_is_absent_raises_at_open_and_leaves_no_thread(rig):
    rig.source.fault = Fault.DIE
    with pytest.raises(DeviceMissingError, match='unplugged'):
        rig.grabber.open(5.0)
    assert rig.grabber.close()
    assert rig.source.closed == 1


def test_a_camera_that_hangs_at_open_is_given_up_and_closed_once_it_returns(rig):
    rig.source.fault = Fault.HANG
    with pytest.raises(TimeoutError, match=r'did not open within 0\.05 s'):
        rig.grabber.open(0.05)
    rig.source.let_go()
    assert rig.grabber.close(5.0)
    assert rig.source.opened == rig.source.closed == 1
    assert not rig.frames


def test_a_frame_that_cannot_be_published_does_not_end_the_thread(rig):
    def refuse_the_third(frame, facts):
        rig.frames.append(frame)
        if len(rig.frames) == 3:
            raise ValueError('cannot be published')

    rig.deliver = refuse_the_third
    rig.start()
    rig.wait_for_more(5)
    assert any('cannot be published' in line for line in rig.logged)

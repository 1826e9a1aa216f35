# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The instruction's life, driven by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_common.states import Mode
from vla_inference.session import InstructionOutcome, Phase, Session


def session() -> Session:
    return Session(time_limit=10.0, start_timeout=5.0)


def begin(s: Session, now: float = 0.0, text: str = 'wave', **options) -> int:
    """Accepted, started, RUNNING."""
    id_ = s.accept(text, now, **options)
    s.on_mode(Mode.READY, '', 0, now)
    assert s.wants_start() == id_
    s.start_answered(id_, True, '', now)
    s.on_mode(Mode.RUNNING, '', 123, now)
    assert s.phase is Phase.RUNNING
    return id_


def only_result(s: Session):
    assert len(s.results) == 1
    return s.results.popleft()


def test_nothing_runs_before_mode_running_is_seen():
    s = session()
    id_ = s.accept('wave', 0.0)
    assert s.running(0.0) is None
    s.on_mode(Mode.READY, '', 0, 0.1)
    assert s.wants_start() == id_
    s.start_answered(id_, True, '', 0.2)
    assert s.running(0.2) is None
    s.on_mode(Mode.RUNNING, '', 77, 0.3)
    running = s.running(0.5)
    assert (running.id, running.text, running.began_ns) == (id_, 'wave', 77)
    assert abs(running.elapsed - 0.2) < 1e-9


def test_start_is_requested_once():
    s = session()
    s.accept('wave', 0.0)
    s.on_mode(Mode.READY, '', 0, 0.0)
    assert s.wants_start() is not None
    s.on_mode(Mode.READY, '', 0, 0.1)
    assert s.wants_start() is None


def test_start_is_not_requested_outside_ready():
    for mode in (Mode.INACTIVE, Mode.RUNNING):
        s = session()
        s.accept('wave', 0.0)
        s.on_mode(mode, '', 0, 0.1)
        assert s.wants_start() is None
        s.tick(5.0)
        assert only_result(s).reason == f'supervisor not READY: mode {mode.name}'


@pytest.mark.parametrize('mode', [Mode.SAFE_STOP, Mode.ESTOP])
def test_an_instruction_does_not_wait_through_a_stop(mode):
    s = session()
    s.accept('wave', 0.0)
    s.on_mode(mode, 'fall', 0, 0.1)
    assert only_result(s).reason.startswith(f'mode {mode.name}')
    s.on_mode(Mode.READY, '', 0, 0.2)
    assert s.wants_start() is None


def test_rejected_start_aborts_with_the_supervisors_message():
    s = session()
    id_ = s.accept('wave', 0.0)
    s.on_mode(Mode.READY, '', 0, 0.0)
    s.wants_start()
    s.start_answered(id_, False, 'camera_frozen', 0.1)
    result = only_result(s)
    assert (result.outcome, result.reason) == (
        InstructionOutcome.ABORTED,
        'start refused: camera_frozen',
    )
    assert not result.success


def test_stop_aborts_and_nothing_resumes_when_the_mode_comes_back():
    s = session()
    begin(s)
    s.on_mode(Mode.SAFE_STOP, 'camera_frozen', 0, 1.0)
    result = only_result(s)
    assert result.outcome is InstructionOutcome.ABORTED
    assert result.reason == 'mode SAFE_STOP: camera_frozen'
    assert result.duration == 1.0
    for mode in (Mode.READY, Mode.RUNNING, Mode.READY, Mode.RUNNING):
        s.on_mode(mode, '', 0, 2.0)
        assert s.wants_start() is None
        assert s.running(2.0) is None


def test_time_limit_ends_it_the_instructions_own_before_the_default():
    s = session()
    begin(s)
    s.tick(9.9)
    assert not s.results
    s.tick(10.0)
    assert only_result(s).outcome is InstructionOutcome.TIME_LIMIT
    begin(s, 20.0, time_limit=2.0)
    s.tick(22.0)
    assert only_result(s).outcome is InstructionOutcome.TIME_LIMIT


def test_done_is_success():
    s = session()
    id_ = begin(s)
    s.end(id_, InstructionOutcome.DONE, 'done', 3.0)
    result = only_result(s)
    assert result.success
    assert result.duration == 3.0
    assert s.last_result == 'done'
    assert s.finished == 1


def test_newer_instruction_ends_the_older_and_waits_for_ready():
    s = session()
    first = begin(s)
    second = s.accept('look', 1.0)
    assert second == first + 1
    assert only_result(s).reason == 'replaced by a newer instruction'
    assert s.running(1.0) is None
    s.on_mode(Mode.RUNNING, '', 0, 1.1)  # the supervisor has not received the end yet
    assert s.wants_start() is None
    s.on_mode(Mode.READY, '', 0, 1.2)
    assert s.wants_start() == second


def test_newer_instruction_inherits_a_start_that_is_on_its_way():
    s = session()
    first = s.accept('wave', 0.0)
    s.on_mode(Mode.READY, '', 0, 0.0)
    s.wants_start()
    second = s.accept('look', 0.1)
    s.start_answered(first, True, '', 0.2)
    s.on_mode(Mode.RUNNING, '', 0, 0.3)
    assert s.running(0.3).id == second
    assert s.running(0.3).text == 'look'


def test_cancel_while_the_start_is_on_its_way_ends_after_the_answer():
    s = session()
    id_ = s.accept('wave', 0.0)
    s.on_mode(Mode.READY, '', 0, 0.0)
    s.wants_start()
    s.cancel(id_, 0.1)
    assert not s.results
    s.start_answered(id_, True, '', 0.2)
    s.on_mode(Mode.RUNNING, '', 0, 0.3)
    assert s.running(0.3) is None
    assert only_result(s).outcome is InstructionOutcome.CANCELLED


def test_supervisor_that_never_answers_is_not_waited_for():
    s = session()
    id_ = s.accept('wave', 0.0)
    s.on_mode(Mode.READY, '', 0, 0.0)
    s.wants_start()
    s.tick(5.0)
    assert only_result(s).reason == 'supervisor did not answer the start'
    s.start_answered(id_, True, '', 6.0)
    s.on_mode(Mode.RUNNING, '', 0, 6.1)
    assert s.running(6.1) is None


def test_patient_instruction_waits_for_the_first_ready():
    s = session()
    id_ = s.accept('wave', 0.0, patient=True)
    s.tick(1000.0)
    s.on_mode(Mode.READY, '', 0, 1000.0)
    assert s.wants_start() == id_


def test_cancelling_an_old_id_changes_nothing():
    s = session()
    first = begin(s)
    s.end(first, InstructionOutcome.DONE, 'done', 1.0)
    begin(s, 2.0)
    s.cancel(first, 3.0)
    assert s.phase is Phase.RUNNING


EVENTS = st.one_of(
    st.tuples(st.just('mode'), st.sampled_from(list(Mode))),
    st.tuples(st.just('accept'), st.booleans()),
    st.tuples(st.just('answer'), st.booleans()),
    st.tuples(st.just('cancel'), st.none()),
    st.tuples(st.just('done'), st.none()),
    st.tuples(st.just('wait'), st.floats(0.0, 12.0)),
    st.tuples(st.just('abandon'), st.none()),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(EVENTS, max_size=40))
def test_every_instruction_ends_once_and_runs_only_in_running(events):
    s, now, mode, requested = session(), 0.0, None, 0
    accepted, ended, starts = 0, [], 0
    for kind, value in events:
        if kind == 'mode':
            mode = value
            s.on_mode(value, '', 0, now)
            new = s.wants_start()
            if new is not None:
                requested, starts = new, starts + 1
                assert mode is Mode.READY
        elif kind == 'accept':
            accepted = s.accept('go', now, patient=value)
        elif kind == 'answer':
            s.start_answered(requested, value, 'no', now)
        elif kind == 'cancel':
            s.cancel(s.id, now)
        elif kind == 'done':
            running = s.running(now)
            if running:
                s.end(running.id, InstructionOutcome.DONE, 'done', now)
        elif kind == 'wait':
            now += value
            s.tick(now)
        else:
            s.abandon('gone', now)
            mode = None
        if s.running(now) is not None:
            assert mode is Mode.RUNNING
            assert starts > 0
        ended += [result.id for result in s.results]
        s.results.clear()
        open_ones = 0 if s.phase is Phase.IDLE else 1
        assert sorted(ended) == list(range(1, accepted + 1 - open_ones))
        assert s.finished == len(ended)
        assert starts <= accepted

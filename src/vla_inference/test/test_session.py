# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Instructions: their life, driven by hand, their text, and the parameter `instruction`."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_common.states import Mode
from vla_inference.session import (
    LONGEST,
    LONGEST_TIME,
    ClientPresence,
    InstructionOutcome,
    Offer,
    Phase,
    Session,
    StartupInstruction,
    TaskReport,
    check_time_limit,
    instruction_text,
)


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


def start_requested() -> tuple[Session, int]:
    """A session that waits for the answer to its start, and the instruction's id."""
    s = session()
    id_ = s.accept('wave', 0.0)
    s.on_mode(Mode.READY, '', 0, 0.0)
    assert s.wants_start() == id_
    return s, id_


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
    s, id_ = start_requested()
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
    s, first = start_requested()
    second = s.accept('look', 0.1)
    s.start_answered(first, True, '', 0.2)
    s.on_mode(Mode.RUNNING, '', 0, 0.3)
    assert s.running(0.3).id == second
    assert s.running(0.3).text == 'look'


def test_cancel_while_the_start_is_on_its_way_ends_after_the_answer():
    s, id_ = start_requested()
    s.cancel(id_, 0.1)
    assert not s.results
    s.start_answered(id_, True, '', 0.2)
    s.on_mode(Mode.RUNNING, '', 0, 0.3)
    assert s.running(0.3) is None
    assert only_result(s).outcome is InstructionOutcome.CANCELLED


def test_supervisor_that_never_answers_is_not_waited_for():
    s, id_ = start_requested()
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


# --- the parameter `instruction` ---


def test_the_parameter_is_carried_out_at_the_first_ready_and_never_again():
    startup = StartupInstruction()
    assert startup.offer(Mode.INACTIVE, 0) is Offer.NOT_NOW
    assert startup.offer(Mode.READY, 0) is Offer.NOW
    for mode, epoch in product(Mode, range(3)):
        assert startup.offer(mode, epoch) is Offer.NOT_NOW


def test_a_robot_that_moved_before_is_reported_once_and_only_when_it_could_be_sent_again():
    startup = StartupInstruction()
    # A node that came back in a stop, or a launch that is being ended before it ever got READY.
    assert startup.offer(Mode.SAFE_STOP, 3) is Offer.NOT_NOW
    assert startup.offer(Mode.INACTIVE, 3) is Offer.NOT_NOW
    assert startup.offer(Mode.READY, 3) is Offer.TOO_LATE
    assert startup.offer(Mode.READY, 3) is Offer.NOT_NOW


def test_a_supervisor_whose_count_restarts_does_not_make_the_robot_a_new_one():
    startup = StartupInstruction()
    startup.offer(Mode.RUNNING, 1)
    assert startup.offer(Mode.READY, 0) is Offer.TOO_LATE


# --- text and time limit ---


def test_line_breaks_and_spaces_become_one_space():
    assert instruction_text('  wave\nwith your\t left  hand \r\n') == 'wave with your left hand'
    assert instruction_text(' \n ') == ''
    assert (
        instruction_text('winke mit der linken Hand, 请挥手') == 'winke mit der linken Hand, 请挥手'
    )


@given(st.text(max_size=40))
def test_accepted_text_is_one_printable_line(text):
    try:
        words = instruction_text(text)
    except ValueError:
        return
    assert words.isprintable() and words == words.strip() and len(words) <= LONGEST


@pytest.mark.parametrize(
    ('text', 'message'),
    [('x' * (LONGEST + 1), '1001 characters, wanted at most 1000'), ('wave\x1b[2J', 'printed')],
)
def test_what_is_no_instruction_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        instruction_text(text)


@pytest.mark.parametrize('seconds', [float('nan'), float('inf'), -1.0, 1e300])
def test_a_time_limit_that_never_comes_is_refused(seconds):
    with pytest.raises(ValueError, match='time_limit is .* wanted 0 to 3600'):
        check_time_limit(seconds)
    check_time_limit(0.0)
    check_time_limit(LONGEST_TIME)


def test_a_client_is_gone_once_none_was_listed_for_the_time_after_one_was():
    clients = ClientPresence(gone_after=1.0)
    assert not any(clients.gone(0, now) for now in (0.0, 5.0))  # not listed yet
    assert not clients.gone(1, 5.1)
    assert not clients.gone(0, 5.2)
    assert not clients.gone(1, 6.1)  # listed again: this process had stalled
    assert not clients.gone(0, 6.2)
    assert not clients.gone(0, 7.1)
    assert clients.gone(0, 7.2)
    clients.begin()  # another goal
    assert not clients.gone(0, 9.0)


# --- judged before it starts ---


def judging(text='wave') -> tuple[Session, int]:
    s = Session(time_limit=10.0, start_timeout=5.0, judges=True)
    id_ = s.accept(text, 0.0)
    assert s.judging() is None
    s.on_mode(Mode.READY, '', 5, 0.0)
    return s, id_


def test_no_start_is_requested_before_the_policy_has_judged():
    s, id_ = judging()
    found = s.judging()
    assert (found.id, found.text, found.began_ns, found.moves) == (id_, 'wave', 5, False)
    assert s.phase is Phase.JUDGING
    assert s.wants_start() is None and s.running(0.1) is None
    s.admit(id_ + 1, 0.2)
    assert s.phase is Phase.JUDGING
    s.admit(id_, 0.2)
    assert s.judging() is None
    assert s.wants_start() == id_
    s.on_mode(Mode.RUNNING, '', 9, 0.3)
    assert s.running(0.3).began_ns == 9


def test_refused_before_motion_ends_without_a_start():
    s, id_ = judging()
    s.end(id_, InstructionOutcome.REFUSED, 'I know look; not "wave"', 0.2)
    result = only_result(s)
    assert not result.success and result.duration == 0.0
    assert s.last_result == 'refused: I know look; not "wave"'
    s.on_mode(Mode.READY, '', 7, 0.3)
    assert s.wants_start() is None and s.judging() is None


def test_policy_that_never_judges_ends_it():
    s, _ = judging()
    s.tick(4.9)
    assert not s.results
    s.tick(5.0)
    assert only_result(s).reason == 'the policy did not judge the instruction'


@pytest.mark.parametrize('mode', [Mode.INACTIVE, Mode.SAFE_STOP, Mode.ESTOP])
def test_stop_while_it_is_judged_ends_it(mode):
    s, id_ = judging()
    s.on_mode(mode, 'fall', 8, 0.1)
    assert only_result(s).reason == f'mode {mode.name}: fall'
    s.admit(id_, 0.2)
    assert s.phase is Phase.IDLE


def inherited() -> tuple[Session, int]:
    """A second instruction while the start of the first one is pending."""
    s, first = judging()
    s.admit(first, 0.1)
    assert s.wants_start() == first
    second = s.accept('look', 0.2)
    assert only_result(s).reason == 'replaced by a newer instruction'
    assert s.judging() is None  # not with observations from before it
    return s, second


def test_pending_start_is_for_the_newer_instruction_once_it_is_judged():
    s, second = inherited()
    s.on_mode(Mode.READY, '', 10, 0.25)
    assert s.judging().began_ns == 10
    s.on_mode(Mode.RUNNING, '', 20, 0.3)
    assert s.running(0.3) is None
    assert s.judging().began_ns == 20
    s.admit(second, 0.5)
    assert s.running(0.6).id == second
    assert abs(s.running(0.6).elapsed - 0.1) < 1e-9


def test_pending_start_that_is_granted_to_a_refused_one_ends_and_moves_nothing():
    s, second = inherited()
    s.end(second, InstructionOutcome.REFUSED, 'no', 0.25)
    assert not s.results  # the supervisor would begin RUNNING without an instruction
    assert s.judging() is None
    s.on_mode(Mode.RUNNING, '', 20, 0.3)
    assert only_result(s).outcome is InstructionOutcome.REFUSED


def test_refused_in_a_running_that_was_granted_to_another_ends_at_once():
    s, second = inherited()
    s.on_mode(Mode.RUNNING, '', 20, 0.3)
    s.end(second, InstructionOutcome.REFUSED, 'no', 0.4)
    assert only_result(s).outcome is InstructionOutcome.REFUSED


def test_start_is_requested_again_after_that_running_ended_or_was_refused():
    s, second = inherited()
    s.on_mode(Mode.RUNNING, '', 20, 0.3)
    s.on_mode(Mode.READY, '', 30, 0.4)
    assert s.judging().began_ns == 30
    s.admit(second, 0.5)
    assert s.wants_start() == second
    s, second = inherited()
    s.start_answered(second - 1, False, 'camera_frozen', 0.25)
    s.on_mode(Mode.READY, '', 10, 0.3)
    s.admit(second, 0.5)
    assert s.wants_start() == second


# --- what is known of it, and instructions to stop ---


def test_time_limit_ends_it_as_the_report_says():
    s = session()
    id_ = begin(s)
    lost = (InstructionOutcome.ABORTED, 'lost again: once')
    s.update_report(id_ + 1, TaskReport(held_s=9.0))
    assert s.report == TaskReport()
    s.update_report(id_, TaskReport(held_by=('collision',), held_s=1.5, at_limit=lost))
    s.tick(10.0)
    result = only_result(s)
    assert (result.outcome, result.reason) == lost
    assert (result.report.held_by, result.report.held_s) == (('collision',), 1.5)
    s.accept('look', 11.0)
    assert s.report == TaskReport()


def test_a_motion_that_the_filter_ended_ends_the_instruction_an_older_status_does_not():
    s = session()
    s.on_filter('held for 5.0 s by power', 50, 0.0)
    begin(s)
    s.on_filter('', 130, 0.5)
    s.on_filter('held for 5.0 s by power', 123, 0.5)
    assert s.phase is Phase.RUNNING and not s.results
    s.on_filter('held for 5.0 s by power', 131, 6.0)
    result = only_result(s)
    assert (result.outcome, result.reason) == (
        InstructionOutcome.ABORTED,
        'held for 5.0 s by power',
    )
    assert s.phase is Phase.IDLE


def test_stop_ends_the_current_one_at_once_and_succeeds():
    s = session()
    first = begin(s)
    id_ = s.stop('Stop!', 1.0)
    assert id_ == first + 1 and s.phase is Phase.IDLE
    ended, stopped = s.results
    assert (ended.id, ended.outcome) == (first, InstructionOutcome.CANCELLED)
    assert ended.reason == 'stopped by "Stop!"'
    assert (stopped.id, stopped.success) == (id_, True)
    assert stopped.reason == 'stopped "wave"; this is no e-stop'
    assert s.accept('look', 2.0) == id_ + 1


def test_stop_of_a_pending_start_waits_for_its_answer_only_with_the_stopped_one():
    s, first = start_requested()
    id_ = s.stop('stop', 0.1)
    assert only_result(s).id == id_
    s.on_mode(Mode.RUNNING, '', 0, 0.2)
    assert (only_result(s).id, s.running(0.2)) == (first, None)


def test_stop_without_an_instruction_succeeds_and_says_so():
    s = session()
    s.stop('stop', 0.0)
    assert only_result(s).reason == 'nothing was running; this is no e-stop'
    assert s.finished == 1

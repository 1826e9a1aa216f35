# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""In motion: done and held, lost, impossible, held back by the safety filter."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_inference.completion import Arrival, Completion, CompletionLimits
from vla_inference.filter_holds import HOLDS, FilterHolds
from vla_inference.session import InstructionOutcome
from vla_policy.bundle.judged_outputs import Acceptance
from vla_policy.types import ActionChunk, Assessment, Observation
from vla_safety.violations import CONTENT_KINDS, LEVELS, ViolationKind

REASONS = ('no such cube in view', 'out of reach')
ALL = Acceptance(0.5, 0.5, 0.5, REASONS)
STEP = 0.1
DONE, ABORTED = InstructionOutcome.DONE, InstructionOutcome.ABORTED
LIMIT = (InstructionOutcome.TIME_LIMIT, 'time limit')


def chunk(done=0.0, possible=1.0, flag=None, start=0.0, end=0.0):
    found = Assessment(1.0, possible, done, reasons=(1.0 - possible, 0.0))
    positions = np.linspace([start, 0.0], [end, 0.0], 5)
    times = 0.1 * np.arange(1, 6)
    return ActionChunk(('elbow', 'wrist'), positions, times, done=flag, assessment=found)


def play(chunks, acceptance=ALL, short='', **limits):
    """The first end, its number, and the completion."""
    it = Completion(CompletionLimits(**limits))
    for k, one in enumerate(chunks):
        end = it.update(one, acceptance, 'touch it', short, STEP * k)
        if end is not None:
            return end, k, it
    return None, None, it


def test_done_counts_when_it_has_lasted():
    end, k, _ = play([chunk(0.1)] * 3 + [chunk(0.9)] * 9)
    assert (end, k) == ((DONE, 'done'), 8)  # from the fourth on, 0.5 s


def test_done_for_too_short_a_time_goes_on():
    end, _, it = play(([chunk(0.9)] * 4 + [chunk(0.4)]) * 20)
    assert end is None
    assert it.at_limit == LIMIT  # 0.4 is no clear loss


def test_done_and_lost_again_and_again_is_given_up():
    end, k, _ = play(([chunk(0.9)] * 4 + [chunk(0.0)]) * 20)
    assert end == (ABORTED, 'lost again: it was done, and then not any more, 3 times')
    assert k == 14


def test_lost_once_and_not_done_again_is_told_at_the_time_limit():
    end, _, it = play([chunk(0.9)] * 4 + [chunk(0.0)] * 20)
    assert end is None
    assert it.at_limit == (ABORTED, 'lost again: it was done, and then not any more, once')


def test_lost_and_done_again_is_done():
    end, _, _ = play([chunk(0.9)] * 4 + [chunk(0.0)] * 4 + [chunk(0.9)] * 9)
    assert end == (DONE, 'done')


def test_impossible_for_a_second_is_given_up_with_its_reason():
    end, k, _ = play([chunk()] * 5 + [chunk(possible=0.1)] * 20)
    assert (end, k) == ((ABORTED, 'no such cube in view'), 15)


def test_impossible_for_a_moment_is_not():
    assert play(([chunk(possible=0.1)] * 9 + [chunk()]) * 10)[0] is None


def test_a_hand_that_hides_what_it_touches_is_no_reason_to_give_up():
    assert play([chunk(0.9)] * 2 + [chunk(0.4, possible=0.0)] * 40)[0] is None


def test_flag_of_a_chunk_ends_it_at_once_for_a_policy_without_the_output():
    none = Acceptance()
    assert play([chunk(flag=False)] * 3 + [chunk(flag=True)], none)[:2] == ((DONE, 'done'), 3)
    assert play([chunk(0.9)] * 30, none)[0] is None
    assert play([chunk(flag=True)] * 30, ALL)[0] is None


@pytest.mark.parametrize(('acceptance', 'flag', 'p'), [(ALL, None, 0.9), (Acceptance(), True, 0)])
def test_done_does_not_count_while_a_joint_is_short(acceptance, flag, p):
    short = 'elbow is 0.41 rad short of its target, held by the safety filter (collision)'
    end, _, it = play([chunk(p, flag=flag)] * 100, acceptance, short)
    assert end is None
    assert it.at_limit == (InstructionOutcome.TIME_LIMIT, f'time limit: not done, {short}')


def test_begin_forgets_everything():
    _, _, it = play([chunk(0.9)] * 4 + [chunk(0.0)] * 2)
    it.begin()
    assert it.at_limit == LIMIT
    assert it.update(chunk(0.9), ALL, '', '', 0.7) is None


def test_every_sequence_of_four_answers_ends_as_its_parts_say():
    """Each answer stands for 0.6 s: longer than `hold`, shorter than `give_up`."""
    kinds = {'done': chunk(0.9), 'lost': chunk(0.0), 'impossible': chunk(0.0, possible=0.1)}
    for names in product(kinds, repeat=4):
        it, end = Completion(CompletionLimits(losses=9)), None
        for k, name in enumerate(names):
            for part in (0.0, 0.3, 0.6):
                end = end or it.update(kinds[name], ALL, '', '', 0.7 * k + part)
        first = names.index('done') if 'done' in names else 9
        twice = next((k for k in range(3) if names[k] == names[k + 1] == 'impossible'), 9)
        if first < twice:
            assert end == (DONE, 'done'), names
        elif twice < 9:
            assert end == (ABORTED, REASONS[0]), names
        else:
            assert end is None, names


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.floats(0, 1), st.booleans(), st.sampled_from(['', 'short'])),
        max_size=60,
    )
)
def test_done_is_never_said_of_less_than_the_hold(answers):
    it, since = Completion(CompletionLimits()), None
    for k, (done, possible, flag, short) in enumerate(answers):
        now = STEP * k
        end = it.update(chunk(done, possible, flag), ALL, '', short, now)
        good = done >= 0.5 and not short
        since = (now if since is None else since) if good else None
        if end is not None:
            assert (end[0] is DONE) == (since is not None and now - since >= 0.5 - 1e-6)
            return


# --- arrival ---


def observed(elbow, wrist=0.0):
    position = np.array([9.0, elbow, wrist])
    return Observation({}, position, np.full(3, np.nan), np.array([1.0, 0, 0, 0]), '', 0, 0.0)


def arrive(chunks, positions, holding=()):
    it = Arrival(0.15)
    found = ''
    for k, (one, elbow) in enumerate(zip(chunks, positions, strict=True)):
        found = it.update(one, observed(elbow), (1, 2), holding, STEP * k)
    return found


def test_a_motion_that_was_played_without_the_joint_is_not_there():
    played = [chunk(start=1.0, end=1.0)] * 9
    assert arrive(played, [0.6] * 9) == 'elbow is 0.40 rad short of its target'
    assert arrive(played, [0.9] * 9) == ''


def test_a_joint_that_rests_while_the_filter_holds_it_is_not_there():
    leads = [chunk(start=0.6, end=1.0)] * 9  # from the measured position, as trained policies do
    held = 'elbow is 0.40 rad short of its target, held by the safety filter (collision, braking)'
    assert arrive(leads, [0.6] * 9, ('collision', 'braking')) == held
    assert arrive(leads, [0.6] * 9) == ''  # contact with what is touched
    angles = [0.6 + 0.03 * k for k in range(9)]
    moving = [chunk(start=angle, end=angle + 0.4) for angle in angles]
    assert arrive(moving, angles, ('collision',)) == ''
    assert arrive(leads[:3], [0.6] * 3, ('collision',)) == ''  # not for long enough


def test_a_wave_passes_its_turning_points():
    times = STEP * np.arange(100)
    angles = 0.4 * np.sin(2 * np.pi * times / 1.6)
    waves = [chunk(start=a, end=a + 0.4) for a in angles]
    it = Arrival(0.15)
    for t, a, one in zip(times, angles, waves, strict=True):
        assert it.update(one, observed(a), (1, 2), ('velocity',), t) == ''


# --- the filter's counters ---

NAMES = tuple(kind.value for kind in ViolationKind)


def counts(**given):
    return tuple(given.get(name, 0) for name in NAMES)


def test_kinds_that_hold_are_those_of_a_command_that_was_changed_beyond_shaping():
    shaping = {kind for kind in ViolationKind if LEVELS[kind] == 0}
    times = {ViolationKind.STALE, ViolationKind.FUTURE, ViolationKind.REPLAYED}
    reasons = {ViolationKind.STATE_STALE, ViolationKind.SUPERVISOR_SILENT, ViolationKind.LATE_TICK}
    rest = set(ViolationKind) - shaping - times - reasons - CONTENT_KINDS
    assert set(HOLDS) == {kind.value for kind in rest}


def test_time_is_attributed_to_the_limits_that_were_applied():
    it = FilterHolds()
    for k in range(51):
        it.update(round(2e7 * k), NAMES, counts(collision=k, position=max(0, k - 40), jerk=k))
    assert abs(it.held_s - 1.0) < 1e-6
    assert it.held_by == ('collision', 'position')
    assert it.holding == ('position', 'collision')
    for k in range(51, 65):
        it.update(round(2e7 * k), NAMES, counts(collision=50, position=10, jerk=k))
    assert it.holding == ()
    assert abs(it.held_s - 1.0) < 1e-6
    it.begin()
    assert (it.held_s, it.held_by) == (0.0, ())


def test_a_filter_that_began_again_or_was_silent_is_not_counted_in_full():
    it = FilterHolds()
    it.update(10**9, NAMES, counts(collision=50))
    assert it.held_s == 0.0  # of before
    it.update(2 * 10**9, NAMES, counts(collision=1))  # activated again
    assert it.held_s == 0.0
    it.update(9 * 10**9, NAMES, counts(collision=2))
    assert it.held_s == 0.2
    it.update(9 * 10**9, NAMES, counts(collision=3))  # the same status
    assert it.held_s == 0.2
    other = ('collision',)
    it.update(10 * 10**9, other, (7,))
    assert it.held_s == 0.2

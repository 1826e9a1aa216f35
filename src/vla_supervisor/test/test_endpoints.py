# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""E-stop endpoints: keepalive, button, leaving."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_supervisor.conditions import Reaction
from vla_supervisor.endpoints import MAX_ENDPOINTS, Endpoints, answer_to


def endpoints(required=False):
    counter = iter(range((1 << 64) - 3, 1 << 65))
    return Endpoints(required, 10.0, lambda: next(counter) % (1 << 64))


def found(e, now):
    return {c.name: c.reaction for c in e.conditions(now)}


def joined(e, now=0.0, name='pad'):
    """Register and check in once; the next challenge."""
    reply = e.register(now, name, 0.5, 1.0)
    assert reply.accepted, reply.reason
    reply = e.check_in(now, name, answer_to(reply.challenge), False, False, False)
    assert reply.accepted, reply.reason
    return reply.challenge


def test_an_endpoint_that_checks_in_raises_nothing_and_each_challenge_is_new():
    e = endpoints()
    challenge = joined(e)
    seen = {challenge}
    for i in range(1, 20):
        reply = e.check_in(0.4 * i, 'pad', answer_to(challenge), False, False, True)
        assert reply.accepted
        assert reply.challenge not in seen
        seen.add(challenge := reply.challenge)
        assert found(e, 0.4 * i) == {}


def test_the_answer_wraps_at_64_bits():
    assert answer_to((1 << 64) - 1) == 0


def test_a_lost_endpoint_stops_softly_then_hard_and_clears_by_checking_in():
    e = endpoints()
    challenge = joined(e)
    assert found(e, 0.5) == {}
    assert found(e, 0.6) == {'endpoint_lost:pad': Reaction.SOFT_STOP}
    assert found(e, 1.1) == {'endpoint_lost:pad': Reaction.HARD_STOP}
    e.check_in(1.2, 'pad', answer_to(challenge), False, False, True)
    assert found(e, 1.2) == {'endpoint_lost:pad': Reaction.HARD_STOP}  # the gap, reported once more
    assert found(e, 1.2) == {}


def test_a_silence_that_ended_between_two_looks_still_stops():
    e = endpoints()
    challenge = joined(e)
    e.check_in(1.3, 'pad', answer_to(challenge), False, False, True)
    assert found(e, 1.3) == {'endpoint_lost:pad': Reaction.HARD_STOP}


def test_a_wrong_or_repeated_response_does_not_keep_an_endpoint_alive():
    e = endpoints()
    challenge = joined(e)
    right = answer_to(challenge)
    assert e.check_in(0.1, 'pad', right, False, False, True).accepted
    for i in range(2, 12):
        reply = e.check_in(0.1 * i, 'pad', right, False, False, True)
        assert not reply.accepted
    assert found(e, 1.2) == {'endpoint_lost:pad': Reaction.HARD_STOP}
    # The refusal carries the challenge, so a correct endpoint whose answer was lost continues.
    assert e.check_in(1.3, 'pad', answer_to(reply.challenge), False, False, True).accepted


def test_a_press_counts_with_a_wrong_response_and_from_an_unregistered_sender():
    e = endpoints()
    joined(e)
    e.check_in(0.1, 'pad', 12345, True, False, True)
    assert found(e, 0.1) == {'estop_endpoint:pad': Reaction.HARD_STOP}
    assert not e.check_in(0.1, 'who', 0, True, False, True).accepted
    assert 'estop_endpoint:who' in found(e, 0.1)
    assert 'estop_endpoint:who' not in found(e, 0.1)


def test_a_button_is_pressed_until_a_valid_check_in_reports_release():
    e = endpoints()
    challenge = joined(e)
    challenge = e.check_in(0.1, 'pad', answer_to(challenge), True, False, True).challenge
    assert 'estop_endpoint:pad' in found(e, 0.1)
    e.check_in(0.2, 'pad', 1, False, False, True)
    assert 'estop_endpoint:pad' in found(e, 0.2)
    e.check_in(0.3, 'pad', answer_to(challenge), False, False, True)
    assert found(e, 0.3) == {}


def test_registering_again_releases_no_button_and_forgives_no_loss():
    e = endpoints()
    challenge = joined(e)
    e.check_in(0.1, 'pad', answer_to(challenge), True, False, True)
    e.register(2.0, 'pad', 0.5, 1.0)
    assert found(e, 2.0) == {
        'estop_endpoint:pad': Reaction.HARD_STOP,
        'endpoint_lost:pad': Reaction.HARD_STOP,
    }
    assert 'endpoint_lost:pad' in found(e, 2.1)


def test_leaving_is_refused_while_motion_is_allowed_or_the_button_is_down():
    e = endpoints()
    challenge = joined(e)
    reply = e.check_in(0.1, 'pad', answer_to(challenge), False, True, True)
    assert (reply.accepted, reply.reason) == (False, 'leaving refused: motion is allowed')
    reply = e.check_in(0.2, 'pad', answer_to(reply.challenge), True, True, False)
    assert (reply.accepted, reply.reason) == (False, 'leaving refused: the button is pressed')
    reply = e.check_in(0.3, 'pad', answer_to(reply.challenge), False, True, False)
    assert reply.accepted
    assert found(e, 100.0) == {}


def test_a_required_endpoint_must_have_answered_and_be_alive():
    e = endpoints(required=True)
    assert found(e, 0.0) == {'endpoint_required': Reaction.REFUSE}
    reply = e.register(0.0, 'pad', 0.5, 1.0)
    assert 'endpoint_required' in found(e, 0.0)
    e.check_in(0.1, 'pad', answer_to(reply.challenge), False, False, False)
    assert found(e, 0.1) == {}
    assert 'endpoint_required' in found(e, 0.7)


@pytest.mark.parametrize(
    ('name', 'soft', 'hard'),
    [
        ('', 0.5, 1.0),
        ('x' * 65, 0.5, 1.0),
        ('a\nb', 0.5, 1.0),
        ('pad', 0.0, 1.0),
        ('pad', 1.0, 1.0),
        ('pad', 2.0, 1.0),
        ('pad', 0.5, 10.1),
        ('pad', math.nan, 1.0),
        ('pad', 0.5, math.nan),
        ('pad', 0.5, math.inf),
    ],
)
def test_a_bad_registration_is_refused_with_what_was_wanted(name, soft, hard):
    e = endpoints()
    reply = e.register(0.0, name, soft, hard)
    assert not reply.accepted
    assert 'wanted' in reply.reason
    assert e.names == ()


@given(
    st.lists(
        st.tuples(st.floats(0.0, 0.4), st.booleans(), st.booleans(), st.booleans()), max_size=40
    )
)
def test_while_the_last_valid_report_was_pressed_the_estop_is_present(steps):
    e = endpoints()
    challenge, now, down = joined(e), 0.0, False
    for dt, pressed, valid, again in steps:
        now += dt
        if again:
            challenge = e.register(now, 'pad', 0.5, 1.0).challenge
        response = answer_to(challenge) if valid else challenge
        challenge = e.check_in(now, 'pad', response, pressed, False, True).challenge
        down = pressed if valid else (down or pressed)
        assert ('estop_endpoint:pad' in found(e, now)) == down


def test_more_endpoints_than_the_supervisor_can_report_are_refused():
    e = endpoints()
    for i in range(MAX_ENDPOINTS):
        joined(e, name=f'pad{i}')
    refused = e.register(0.0, 'one more', 0.5, 1.0)
    assert not refused.accepted
    assert 'forget some' in refused.reason
    assert e.register(0.0, 'pad3', 0.5, 1.0).accepted, 'one that is known may come again'
    assert e.check_in(0.0, 'pad4', 0, True, False, False) is not None
    assert 'estop_endpoint:pad4' in found(e, 0.0)


def test_every_unregistered_press_stops_however_many_and_whatever_their_names():
    e = endpoints()
    names = set()
    for i in range(3 * MAX_ENDPOINTS):
        e.check_in(0.0, f'{i}\n' + 'x' * 1_000_000, 0, True, False, False)
        conditions = e.conditions(0.0)
        assert [c.reaction for c in conditions] == [Reaction.HARD_STOP]
        names.add(conditions[0].name)
    assert len(names) <= MAX_ENDPOINTS + 1
    assert all(len(name) < 100 and name.isprintable() for name in names)

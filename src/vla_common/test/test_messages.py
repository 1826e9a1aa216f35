# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_common.messages import (
    JointOrder,
    duration_to_seconds,
    ns_to_stamp,
    seconds_to_duration,
    stamp_to_ns,
)
from vla_common.states import Behaviour, FilterState, InferenceState, Level, Mode
from vla_interfaces.msg import InferenceStatus, SafetyStatus, SupervisorState, Violation


@given(st.integers(0, 2**31 * 10**9 - 1))
def test_stamps_survive_the_round_trip(nanoseconds):
    assert stamp_to_ns(ns_to_stamp(nanoseconds)) == nanoseconds


@given(st.floats(-1000, 1000))
def test_durations_survive_the_round_trip_to_a_nanosecond(seconds):
    assert abs(duration_to_seconds(seconds_to_duration(seconds)) - seconds) < 1e-9


@given(st.permutations(['a', 'b', 'c', 'd']))
def test_values_arrive_in_the_robots_order_whatever_order_they_come_in(names):
    order = JointOrder(['a', 'b', 'c', 'd'])
    out = np.zeros(4)
    for _ in range(2):  # the second time through the remembered permutation
        order.read(names, [ord(name) for name in names], out)
        assert out.tolist() == [97, 98, 99, 100]


@pytest.mark.parametrize(
    ('names', 'message'),
    [
        (['a', 'x'], 'unknown joints: x'),
        (['a'], 'missing joints: b'),
        (['a', 'a'], 'joints named twice: a'),
    ],
)
def test_wrong_names_are_reported(names, message):
    with pytest.raises(KeyError, match=message):
        JointOrder(['a', 'b']).read(names, [0.0] * len(names), np.zeros(2))


def test_another_number_of_values_than_names_is_refused():
    order = JointOrder(['a', 'b'])
    order.read(['a', 'b'], [1.0, 2.0], np.zeros(2))
    with pytest.raises(ValueError, match='3 values for 2 joints'):
        order.read(['a', 'b'], [1.0, 2.0, 3.0], np.zeros(2))


@pytest.mark.parametrize(
    ('states', 'message', 'prefix'),
    [
        (Level, Violation, ''),
        (Mode, SupervisorState, ''),
        (Behaviour, SupervisorState, 'BEHAVIOUR_'),
        (FilterState, SafetyStatus, ''),
        (InferenceState, InferenceStatus, ''),
    ],
)
def test_states_are_the_constants_of_their_message(states, message, prefix):
    constants = {
        name.removeprefix(prefix): getattr(message, name)
        for name in dir(message)
        if isinstance(getattr(message, name), int)
        and name.startswith(prefix)
        and (prefix or not name.startswith('BEHAVIOUR_'))
    }
    assert {state.name: state.value for state in states} == constants

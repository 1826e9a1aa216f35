# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The gate accepts nothing that it must not."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_hardware.command_gate import CommandGate, Rejection

NAMES = ('a', 'b', 'c')
REFERENCE = np.array([0.0, 0.5, -0.5])
WALL = 1_000_000_000_000
TIMEOUT, STEP = 0.1, 0.2


def gate(since: int = WALL - 1_000_000_000) -> CommandGate:
    g = CommandGate(NAMES, TIMEOUT, STEP)
    g.open(since)
    return g


def offer(g, stamp=WALL, names=NAMES, position=REFERENCE, velocity=None, effort=None, now=5.0):
    zeros = np.zeros(3)
    return g.offer(
        list(names),
        list(position),
        list(zeros if velocity is None else velocity),
        list(zeros if effort is None else effort),
        stamp,
        WALL,
        now,
        REFERENCE,
    )


def test_a_good_command_is_accepted_and_brought_into_robot_order():
    g = gate()
    shuffled = [REFERENCE[2], REFERENCE[0] + 0.1, REFERENCE[1]]
    assert offer(g, names=('c', 'a', 'b'), position=shuffled) is None
    np.testing.assert_allclose(g.position, [0.1, 0.5, -0.5])
    assert (g.accepted, g.rejections) == (1, 0)
    assert g.fresh(5.0 + TIMEOUT)
    assert not g.fresh(5.0 + TIMEOUT + 0.001)


def test_nothing_is_accepted_while_not_running():
    g = CommandGate(NAMES, TIMEOUT, STEP)
    assert offer(g) is Rejection.NOT_RUNNING
    g.open(WALL - 10)
    g.shut()
    assert offer(g) is Rejection.NOT_RUNNING


def test_a_command_from_before_running_began_is_rejected():
    assert offer(gate(since=WALL), stamp=WALL - 1) is Rejection.BEFORE_RUNNING
    assert offer(gate(since=WALL), stamp=WALL) is None


def test_replayed_and_out_of_order_commands_are_rejected():
    g = gate()
    assert offer(g) is None
    assert offer(g) is Rejection.NOT_NEWER
    assert offer(g, stamp=WALL - 5) is Rejection.NOT_NEWER
    assert offer(g, stamp=WALL + 5) is None


def test_an_order_of_commands_survives_a_pause():
    """A command recorded before RUNNING began again must not pass."""
    g = gate()
    assert offer(g, stamp=WALL) is None
    g.shut()
    g.open(WALL - 50)
    assert offer(g, stamp=WALL - 10) is Rejection.NOT_NEWER


def test_old_and_future_stamps_are_rejected():
    assert offer(gate(), stamp=WALL - 101_000_000) is Rejection.STALE
    assert offer(gate(), stamp=WALL + 101_000_000) is Rejection.FUTURE
    assert offer(gate(), stamp=WALL - 99_000_000) is None


@pytest.mark.parametrize(
    'names', [('a', 'b'), ('a', 'b', 'x'), ('a', 'b', 'b'), ('a', 'b', 'c', 'c'), ()]
)
def test_unknown_missing_and_double_joints_are_rejected(names):
    position = np.zeros(len(names))
    assert offer(gate(), names=names, position=position) is Rejection.JOINTS


def test_wrong_lengths_are_rejected():
    assert offer(gate(), position=REFERENCE[:2]) is Rejection.LENGTH
    assert offer(gate(), velocity=np.zeros(4)) is Rejection.LENGTH
    assert offer(gate(), effort=np.zeros(1)) is Rejection.LENGTH
    assert offer(gate(), position=[]) is Rejection.LENGTH


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize('field', ['position', 'velocity', 'effort'])
def test_one_not_finite_number_anywhere_rejects_the_whole_command(bad, field):
    values = REFERENCE.copy() if field == 'position' else np.zeros(3)
    values[1] = bad
    g = gate()
    assert offer(g, **{field: values}) is Rejection.NOT_FINITE
    assert np.isfinite(g.position).all()
    assert g.accepted == 0


def test_a_rejected_command_leaves_the_last_accepted_one_untouched():
    g = gate()
    assert offer(g, position=REFERENCE + 0.05) is None
    kept = g.position.copy()
    assert offer(g, stamp=WALL + 1, position=REFERENCE + STEP + 0.01) is Rejection.FAR
    np.testing.assert_array_equal(g.position, kept)
    assert g.last_stamp_ns == WALL
    assert 'joint' in g.last_rejection


NUMBERS = st.floats(allow_nan=True, allow_infinity=True, width=64)


@given(
    names=st.lists(st.sampled_from(['a', 'b', 'c', 'd', '']), max_size=4),
    position=st.lists(NUMBERS, max_size=4),
    velocity=st.lists(NUMBERS, max_size=4),
    effort=st.lists(NUMBERS, max_size=4),
    stamp=st.integers(WALL - 300_000_000, WALL + 300_000_000),
    since=st.integers(WALL - 200_000_000, WALL + 50_000_000),
    running=st.booleans(),
)
@settings(max_examples=400, deadline=None)
def test_whatever_is_accepted_satisfies_every_rule(
    names, position, velocity, effort, stamp, since, running
):
    g = CommandGate(NAMES, TIMEOUT, STEP)
    if running:
        g.open(since)
    verdict = g.offer(names, position, velocity, effort, stamp, WALL, 1.0, REFERENCE)
    assert g.rejections + g.accepted == 1
    if verdict is None:
        assert running
        assert since <= stamp
        assert abs(WALL - stamp) <= TIMEOUT * 1e9
        assert sorted(names) == sorted(NAMES)
        assert np.isfinite([g.position, g.velocity, g.effort]).all()
        assert (np.abs(g.position - REFERENCE) <= STEP).all()


@given(offset=st.lists(st.floats(-0.2, 0.2), min_size=3, max_size=3), late=st.integers(0, 99))
def test_every_plausible_command_is_accepted(offset, late):
    assert offer(gate(), position=REFERENCE + offset, stamp=WALL - late * 1_000_000) is None

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What is no command is refused whole, with its name, and the motion before comes to rest."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_common.states import FilterState, Level
from vla_safety.chunk import Chunk
from vla_safety.validation import ChunkRules, ChunkValidator, joint_indices
from vla_safety.violations import CONTENT_KINDS, LEVELS, ViolationKind


def good(bench) -> Chunk:
    return bench.chunk(np.linspace(0.05, 0.8, 16))


def put(field, where, value):
    """A chunk's change: `value` at one place of a field."""

    def change(chunk):
        array = np.array(getattr(chunk, field))
        array[where] = value
        return {field: array}

    return change


CONTENT = {
    'nan': (ViolationKind.NOT_FINITE, put('positions', (3, 1), np.nan)),
    'inf': (ViolationKind.NOT_FINITE, put('positions', (0, 0), np.inf)),
    'minus_inf': (ViolationKind.NOT_FINITE, put('positions', (15, 0), -np.inf)),
    'nan_velocity': (ViolationKind.NOT_FINITE, lambda c: {'velocities': c.positions * np.nan}),
    'nan_stamp': (ViolationKind.NOT_FINITE, lambda c: {'stamp': np.nan}),
    'nan_time': (ViolationKind.NOT_FINITE, put('times', 2, np.nan)),
    'unknown_joint': (ViolationKind.UNKNOWN_JOINT, lambda c: {'joints': np.array([0, 2])}),
    'negative_joint': (ViolationKind.UNKNOWN_JOINT, lambda c: {'joints': np.array([0, -1])}),
    'duplicate_joint': (ViolationKind.DUPLICATE_JOINT, lambda c: {'joints': np.array([1, 1])}),
    'too_few_values': (ViolationKind.WRONG_SHAPE, lambda c: {'positions': c.positions[:, :1]}),
    'too_few_points': (ViolationKind.WRONG_SHAPE, lambda c: {'positions': c.positions[:-1]}),
    'no_points': (
        ViolationKind.WRONG_SHAPE,
        lambda c: {'times': c.times[:0], 'positions': c.positions[:0]},
    ),
    'no_joints': (ViolationKind.WRONG_SHAPE, lambda c: {'joints': c.joints[:0]}),
    'float_joints': (ViolationKind.WRONG_SHAPE, lambda c: {'joints': c.joints * 1.0}),
    'times_backwards': (ViolationKind.WRONG_TIMES, lambda c: {'times': c.times[::-1]}),
    'times_repeat': (ViolationKind.WRONG_TIMES, lambda c: put('times', 5, c.times[4])(c)),
    'time_zero': (ViolationKind.WRONG_TIMES, lambda c: {'times': c.times - c.times[0]}),
    'horizon': (ViolationKind.TOO_LONG, lambda c: {'times': c.times * 100}),
    'points': (
        ViolationKind.TOO_LONG,
        lambda c: {'times': np.arange(1, 301) * 0.01, 'positions': np.zeros((300, 2))},
    ),
    'degrees': (ViolationKind.IMPLAUSIBLE, lambda c: {'positions': c.positions * 57.3}),
    'huge': (ViolationKind.IMPLAUSIBLE, put('positions', (9, 1), 1e300)),
    'huge_velocity': (ViolationKind.IMPLAUSIBLE, lambda c: {'velocities': np.full((16, 2), 1e5)}),
}

TIMING = {
    'late': (ViolationKind.STALE, lambda c: {'stamp': c.stamp - 0.6}),
    'future': (ViolationKind.FUTURE, lambda c: {'stamp': c.stamp + 0.1}),
}


@pytest.mark.parametrize('case', CONTENT)
def test_malformed_chunk_is_rejected_named_and_previous_motion_brakes_to_rest(bench, case):
    kind, spoil = CONTENT[case]
    assert bench.accept(good(bench)) == []
    bench.track(0.2)
    assert np.abs(bench.v).min() > 0.2
    found = bench.accept(dataclasses.replace(good(bench), **spoil(good(bench))))
    assert {item.kind for item in found} == {kind}
    assert found[0].level == Level.DANGER
    outputs = bench.track(0.6)
    assert outputs[0].state is FilterState.BRAKING
    assert kind.value in outputs[0].reason
    assert outputs[-1].state is FilterState.NO_CHUNK
    assert (outputs[-1].velocity == 0.0).all()
    speeds = np.abs([output.velocity for output in outputs])
    assert (np.diff(speeds, axis=0) <= 0).all(), 'braking never speeds up'


@pytest.mark.parametrize('case', TIMING)
def test_chunk_at_the_wrong_time_is_ignored_named_and_previous_motion_continues_to_its_end(
    bench, case
):
    kind, spoil = TIMING[case]
    bench.accept(good(bench))
    bench.track(0.2)
    found = bench.accept(dataclasses.replace(good(bench), **spoil(good(bench))))
    assert [item.kind for item in found] == [kind]
    assert bench.tick().state is FilterState.TRACKING
    outputs = bench.track(3.0)
    assert outputs[-1].state is FilterState.NO_CHUNK
    assert outputs[-1].reason == 'chunk horizon ended'


def test_replayed_and_out_of_order_chunks_are_ignored(bench):
    first = good(bench)
    bench.track(0.05)
    second = good(bench)
    assert bench.accept(second) == []
    for old in (second, first):
        assert [item.kind for item in bench.accept(old)] == [ViolationKind.REPLAYED]
    assert bench.tick().state is FilterState.TRACKING


def test_a_sequence_number_beats_a_stamp_that_jitters(bench):
    chunk = dataclasses.replace(good(bench), sequence=7)
    assert bench.accept(chunk) == []
    replay = dataclasses.replace(chunk, stamp=chunk.stamp + 1e-6)
    assert [item.kind for item in bench.accept(replay)] == [ViolationKind.REPLAYED]


def test_a_chunk_that_is_wholly_past_is_stale(bench):
    chunk = bench.chunk([0.01, 0.02], step=0.05, age=0.3)
    assert [item.kind for item in bench.accept(chunk)] == [ViolationKind.STALE]


def test_first_point_far_from_the_measured_joint_is_implausible(parameters):
    rules = dataclasses.replace(parameters.rules, max_first_step=0.5)
    validator = ChunkValidator(['a'], np.array([-2.0]), np.array([2.0]), np.array([2.0]), rules)
    # 0.5 rad, and what 2 rad/s give until 0.1 s: 0.7 rad.
    for first, stamp, kinds in ((0.69, 4.8, []), (0.71, 4.9, [ViolationKind.IMPLAUSIBLE])):
        chunk = Chunk(np.array([0]), np.array([0.1]), np.array([[first]]), stamp)
        assert [v.kind for v in validator.admit(chunk, 5.0, np.zeros(1))] == kinds


def test_nothing_is_admitted_while_the_joints_are_not_known(bench):
    for measured in (None, np.array([0.0, np.nan])):
        found = bench.filter.accept(good(bench), bench.now, measured)
        assert [item.kind for item in found] == [ViolationKind.STATE_STALE]


def test_names_become_indices_or_named_reasons():
    index = {'a': 0, 'b': 1}
    assert joint_indices(['b', 'a'], index)[0].tolist() == [1, 0]
    found = joint_indices(['a', 'x', 'y'], index)[1]
    assert [(v.kind, v.subject) for v in found] == [
        (ViolationKind.UNKNOWN_JOINT, 'x'),
        (ViolationKind.UNKNOWN_JOINT, 'y'),
    ]
    assert [(v.kind, v.subject) for v in joint_indices(['a', 'a'], index)[1]] == [
        (ViolationKind.DUPLICATE_JOINT, 'a')
    ]
    assert [v.kind for v in joint_indices([], index)[1]] == [ViolationKind.WRONG_SHAPE]


@given(st.data())
def test_what_is_admitted_satisfies_every_rule(data):
    rules = ChunkRules(0.5, 0.02, 8, 1.0, 0.5, 0.1)
    limit, speed = np.array([1.0, 2.0]), np.array([1.0, 1.0])
    numbers = st.one_of(st.floats(-3, 3), st.floats(), st.sampled_from([0.0, 0.1]))
    h = data.draw(st.integers(0, 10))
    joints = np.array(data.draw(st.lists(st.integers(-1, 2), max_size=3)), dtype=int)
    k = len(joints) if data.draw(st.booleans()) else 2
    times = data.draw(st.lists(numbers, min_size=h, max_size=h))
    if data.draw(st.booleans()):
        times = list(np.arange(1, h + 1) * 0.1)
    positions = np.array(data.draw(st.lists(numbers, min_size=h * k, max_size=h * k)))
    chunk = Chunk(joints, np.array(times), positions.reshape(h, k), data.draw(numbers))
    validator = ChunkValidator(['a', 'b'], -limit, limit, speed, rules)
    found = validator.admit(chunk, 0.1, np.zeros(2))
    if not found:
        assert np.isfinite(chunk.positions).all()
        assert chunk.positions.shape == (len(chunk.times), len(chunk.joints))
        assert len(set(joints.tolist())) == len(joints) >= 1
        assert (np.diff(chunk.times) > 0).all()
        assert 0 < chunk.times[0] <= chunk.times[-1] <= 1.0
        assert (np.abs(chunk.positions) <= limit[joints] + 0.1).all()
        assert -0.02 <= 0.1 - chunk.stamp <= 0.5


def test_every_kind_has_a_level_and_untrusted_content_is_danger():
    assert set(LEVELS) == set(ViolationKind)
    assert all(LEVELS[kind] == Level.DANGER for kind in CONTENT_KINDS)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Observations of one instant, or a named reason."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_common.testing_refusals import documented
from vla_inference.observation import FrozenImages, ObservationAssembler, ObservationBounds

NAMES = ('a', 'b')
T0 = 10**12  # ns on the system clock; steady time 0


def ns(seconds: float) -> int:
    return T0 + round(seconds * 1e9)


class Feed:
    """Delivers samples of a time (s), received at once by default."""

    def __init__(self, cameras=('head',), **bounds):
        self.assembler = ObservationAssembler(NAMES, cameras, ObservationBounds(**bounds))
        self.picture = 0

    def image(self, t, received=None, pixel=None, **change):
        self.picture += 1
        content = np.full((2, 3, 3), self.picture if pixel is None else pixel, np.uint8).tobytes()
        fields = {'height': 2, 'width': 3, 'step': 9, 'encoding': 'rgb8', 'content': content}
        return self.assembler.add_image(
            'head', ns(t), t if received is None else received, **{**fields, **change}
        )

    def joints(self, t, received=None, q=(0.1, 0.2), names=NAMES):
        received = t if received is None else received
        return self.assembler.add_joints(ns(t), received, names, q, [0.0] * len(q))

    def imu(self, t, received=None, wxyz=(1.0, 0.0, 0.0, 0.0)):
        return self.assembler.add_imu(ns(t), t if received is None else received, wxyz)

    def all(self, t, received=None):
        for add in (self.image, self.joints, self.imu):
            add(t, received)

    def body(self, begin, end, step=0.005):
        for t in np.arange(begin, end, step):
            self.joints(t, q=(t, -t))
            self.imu(t)

    def see(self, t):
        return self.assembler.assemble(t, ns(t), 'wave', 1.5)


HOUR = 3600.0


@pytest.mark.parametrize('source', ['image', 'joints', 'imu'])
def test_a_stamp_of_the_future_does_not_block_the_good_ones_after_it(source):
    now = [0.0]
    feed = Feed()
    feed.assembler = ObservationAssembler(
        NAMES, ('head',), ObservationBounds(), wall_ns=lambda: ns(now[0])
    )
    feed.all(0.0)
    assert not getattr(feed, source)(HOUR, received=0.0)
    reason = feed.see(0.0).reason
    assert 'a stamp 3600.000 s in the future' in reason
    if source == 'image':
        documented('Messages to the policy', 'an image of the next hour', reason)
    now[0] = 0.1
    feed.all(0.1)
    assert feed.see(0.1).reason == ''
    assert feed.see(0.1).observation.stamp_ns == ns(0.1)


def test_stamps_of_simulation_time_are_reported_as_another_clock():
    feed = Feed()
    feed.all(0.0)
    seen = feed.assembler.assemble(0.0, ns(0.0) + 1_795_983_190 * 10**9, 'wave', 0.0)
    assert 'of another clock (1795983190 s behind)' in seen.reason
    assert 'use_sim_time' in seen.reason


def test_joints_are_those_of_the_images_instant():
    feed = Feed()
    feed.body(0.0, 0.2)
    feed.image(0.1, received=0.19)
    seen = feed.see(0.2)
    assert seen.reason == ''
    assert seen.observation.stamp_ns == ns(0.1)
    np.testing.assert_allclose(seen.observation.position, [0.1, -0.1])
    assert seen.skew == pytest.approx(0.0, abs=1e-9)
    assert seen.age == pytest.approx(0.1)
    assert seen.observation.instruction == 'wave'
    assert seen.observation.elapsed == 1.5


def test_without_cameras_the_newest_joints_are_the_instant():
    feed = Feed(cameras=())
    feed.body(0.0, 0.2)
    assert feed.see(0.2).observation.stamp_ns == ns(0.195)


@pytest.mark.parametrize(
    ('leave_out', 'reason'),
    [('image', 'no image of camera head'), ('joints', 'no joint_states'), ('imu', 'no imu')],
)
def test_what_never_came_is_named(leave_out, reason):
    feed = Feed()
    for part in ('image', 'joints', 'imu'):
        if part != leave_out:
            getattr(feed, part)(0.0)
    seen = feed.see(0.01)
    assert seen.observation is None
    assert seen.reason == reason


@pytest.mark.parametrize('late', ['image', 'joints', 'imu'])
def test_stream_that_stops_is_too_old_by_name(late):
    feed = Feed(max_skew=10.0)
    for part in ('image', 'joints', 'imu'):
        getattr(feed, part)(0.0)
        if part != late:
            getattr(feed, part)(0.5)
    seen = feed.see(0.5)
    assert seen.observation is None
    assert {'image': 'camera head', 'joints': 'joint_states'}.get(late, late) in seen.reason
    assert '0.500 s old, limit 0.3' in seen.reason


def test_age_is_counted_from_reception_even_when_the_stamp_looks_fresh():
    feed = Feed()
    feed.all(0.0)
    # The wall clock was set back by 0.4 s: by the stamps everything is new.
    seen = feed.assembler.assemble(0.4, ns(0.0), '', 0.0)
    assert 'is 0.400 s old' in seen.reason


def test_age_is_not_below_what_the_stamp_says():
    feed = Feed()
    feed.all(0.0, received=0.5)
    assert 'is 0.500 s old' in feed.see(0.5).reason


def test_skewed_parts_give_no_observation():
    feed = Feed()
    feed.joints(0.0)
    feed.imu(0.2)
    feed.image(0.2)
    seen = feed.see(0.2)
    assert seen.observation is None
    assert seen.reason == 'joint_states lags by 0.200 s, limit 0.1'
    assert seen.skew == pytest.approx(0.2)


def test_stamp_from_the_future_is_refused():
    feed = Feed()
    feed.all(0.2, received=0.0)
    assert 'in the future' in feed.see(0.0).reason


def test_replayed_samples_do_not_count():
    feed = Feed()
    assert feed.joints(0.1)
    assert not feed.joints(0.1)
    assert not feed.joints(0.05)
    assert feed.assembler.refused == 2


@pytest.mark.parametrize(
    ('case', 'spoil', 'reason'),
    [
        (
            'joint positions that are not finite',
            lambda f: f.joints(0.01, q=(0.0, float('nan'))),
            'joint_states are not finite',
        ),
        (
            'joints that the robot has not',
            lambda f: f.joints(0.01, names=('a', 'c')),
            'joint_states: unknown joints: c',
        ),
        (
            'joints that are missing',
            lambda f: f.joints(0.01, names=('a',), q=(0.0,)),
            'joint_states: missing joints: b',
        ),
        (
            'a quaternion of zeros',
            lambda f: f.imu(0.01, wxyz=(0.0, 0.0, 0.0, 0.0)),
            'imu orientation is no rotation',
        ),
        ('', lambda f: f.imu(0.01, wxyz=(float('nan'), 0, 0, 0)), 'imu orientation is no rotation'),
        (
            'an image in another encoding',
            lambda f: f.image(0.01, encoding='mono8'),
            'camera head sends mono8, wanted rgb8',
        ),
        (
            'an image that is cut off',
            lambda f: f.image(0.01, content=b'abc'),
            'camera head: 3 bytes for 3 x 2, step 9',
        ),
        (
            '',
            lambda f: f.image(0.01, height=0, content=b''),
            'camera head: 0 bytes for 3 x 0, step 9',
        ),
    ],
)
def test_message_that_cannot_be_used_blocks_until_a_good_one_comes(case, spoil, reason):
    feed = Feed()
    feed.all(0.0)
    assert not spoil(feed)
    seen = feed.see(0.01)
    assert seen.observation is None
    assert seen.reason == reason
    if case:
        documented('Messages to the policy', case, reason)
    feed.all(0.02)
    assert feed.see(0.02).observation is not None


def test_bgr_and_padded_rows_are_read_right():
    feed = Feed()
    rows = np.zeros((2, 12), np.uint8)
    rows[:, 0::3] = 7  # blue first
    feed.image(0.0, step=12, content=rows.tobytes(), encoding='bgr8')
    feed.joints(0.0)
    feed.imu(0.0)
    image = feed.see(0.0).observation.images['head']
    assert image.shape == (2, 3, 3)
    assert (image[:, :, 2] == 7).all()
    assert (image[:, :, 0] == 0).all()


def test_camera_that_freezes_while_still_publishing_is_found():
    feed = Feed(frozen_after=1.0)
    for k in range(40):
        t = k / 15
        feed.body(t - 0.01, t + 0.001)
        feed.image(t, pixel=k if k < 10 else 10)
        seen = feed.see(t + 0.001)
        same = max(0.0, (k - 10) / 15)
        assert feed.assembler.camera_frozen == (same > 1.0)
        assert (seen.observation is None) == (same > 1.0)
    assert seen.reason == 'camera head frozen: the same image for 1.93 s'
    feed.body(3.0, 3.01)
    feed.image(3.005, pixel=99)
    assert not feed.assembler.camera_frozen


def test_silence_is_not_called_frozen():
    frozen = FrozenImages(1.0)
    frozen.update(b'a', 0)
    assert not frozen.frozen


def test_nothing_old_is_used_after_clear():
    feed = Feed()
    feed.all(0.0)
    feed.assembler.clear()
    assert feed.see(0.0).observation is None


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-0.5, 1.0), st.floats(0.0, 0.5)), min_size=3, max_size=3),
    st.floats(0.5, 1.5),
)
def test_whatever_the_times_an_observation_is_fresh_and_of_one_instant(parts, now):
    feed = Feed()
    for add, (t, delay) in zip((feed.image, feed.joints, feed.imu), parts, strict=True):
        add(t, received=min(now, t + delay))
    seen = feed.see(now)
    stamps = [t for t, _ in parts]
    if seen.observation is None:
        assert seen.reason
    else:
        assert max(stamps) - min(stamps) <= 0.1 + 1e-6
        assert now - min(stamps) <= 0.3 + 1e-6
        assert max(stamps) - now <= 0.05 + 1e-6


@pytest.mark.parametrize(
    ('encoding', 'pixel'),
    [
        ('rgb8', [10, 20, 30]),
        ('bgr8', [30, 20, 10]),
        ('rgba8', [10, 20, 30, 255]),
        ('bgra8', [30, 20, 10, 255]),
    ],
)
def test_colours_are_the_same_in_each_encoding(encoding, pixel):
    feed = Feed()
    feed.all(0.0)
    row = bytes(pixel * 3) + bytes(4)  # rows are padded
    assert feed.image(0.01, encoding=encoding, step=len(row), content=row * 2)
    image = feed.see(0.01).observation.images['head']
    assert image.shape == (2, 3, 3)
    assert (image == np.array([10, 20, 30])).all()


def test_joints_without_velocity_serve_a_policy_that_does_not_use_it():
    positions = ObservationAssembler(('a', 'b'), (), ObservationBounds(), velocity=False)
    assert positions.add_joints(1, 0.0, ['b', 'a'], [0.2, 0.1], [])
    assert positions.add_imu(1, 0.0, (1.0, 0.0, 0.0, 0.0))
    observation = positions.assemble(0.0, 1, 'wave', 0.0).observation
    np.testing.assert_array_equal(observation.position, [0.1, 0.2])
    # Not zero: nothing may take a moving robot for one that rests.
    assert np.isnan(observation.velocity).all()
    assert not positions.add_joints(2, 0.0, ['a', 'b'], [0.1, 0.2], [0.0])
    assert not positions.add_joints(3, 0.0, ['a', 'b'], [0.1, 0.2], [0.0, float('nan')])


def test_joints_without_velocity_are_rejected_for_a_policy_that_uses_it():
    both = ObservationAssembler(('a', 'b'), (), ObservationBounds())
    assert not both.add_joints(1, 0.0, ['a', 'b'], [0.1, 0.2], [])
    reason = both.assemble(0.0, 1, '', 0.0).reason
    assert reason == 'joint_states has no velocity, which the policy uses'
    documented('Messages to the policy', 'joints without velocity', reason)

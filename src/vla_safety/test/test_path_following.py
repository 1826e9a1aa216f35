# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Slowing down on the chunk's path, leaving it, and the end of a motion that is held."""

import dataclasses

import numpy as np
import pytest
from conftest import Bench
from hypothesis import given, settings
from hypothesis import strategies as st
from test_barriers import PERIOD, ROBOT, Arm, hand_into_the_chest
from test_filter_runtime import Plant

from vla_common.states import FilterState, Mode
from vla_safety.coupled.limits import CoupledMode
from vla_safety.coupled.path_following import RETURN, WAIT, PathFollowing
from vla_safety.hold import MOVING, HoldMonitor
from vla_safety.kernel import barriers, joints
from vla_safety.violations import ViolationKind, violation


def progress(sent, wanted):
    return joints.progress(sent, wanted, MOVING)


class Gate:
    """Coupled limits that let a share of every velocity through."""

    def __init__(self, share=1.0, on_path=True):
        self.share, self.on_path, self.findings = share, on_path, ()

    def restrict(self, wanted, low, high, state):
        self.findings = ()
        if self.share < 1.0:
            self.findings = (violation(ViolationKind.COLLISION, 'palm-table', 0.0, 0.02),)
        return np.clip(self.share * wanted, low, high)


@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(0, 6))
def test_the_share_of_the_path_is_the_largest_that_fits(seed, n, k):
    rng = np.random.default_rng(seed)
    wanted = rng.normal(0.0, 1.0, n) * (rng.random(n) < 0.8)
    low = np.minimum(wanted, rng.normal(-1.0, 1.0, n))
    high = np.maximum(wanted, rng.normal(1.0, 1.0, n))
    rows = rng.normal(0.0, 1.0, (k, n))
    floor = rng.normal(-0.5, 0.7, k)
    have = rows @ wanted
    demand = np.array((floor, floor, floor - have, np.zeros(k)))

    def fits(s):
        u = s * wanted
        return ((u >= low - 1e-9) & (u <= high + 1e-9)).all() and (rows @ u >= floor - 1e-9).all()

    share = barriers.path_share(wanted, low, high, demand, k)
    steps = np.linspace(0.0, 1.0, 401)
    fitting = [s for s in steps if fits(s)]
    if share < 0.0:
        assert len(fitting) <= 1
    else:
        assert fits(share)
        assert not any(s > share + 1e-9 for s in fitting)


def test_the_state_changes_only_after_its_time():
    follow = PathFollowing()
    for share, other, time in ((0.0, 1.0, WAIT), (1.0, 0.0, RETURN)):
        state = follow.on_path
        for _ in range(3):  # what is interrupted counts from its beginning
            for _ in range(round(time / PERIOD) - 1):
                follow.update(share, PERIOD)
                assert follow.on_path == state
            follow.update(other, PERIOD)
        for _ in range(round(time / PERIOD) + 1):
            follow.update(share, PERIOD)
        assert follow.on_path != state


@pytest.mark.parametrize('mode', CoupledMode)
def test_in_both_modes_a_hand_sent_into_the_chest_stops_before_it(mode):
    arm = Arm('ready', mode=mode)
    arm.towards(hand_into_the_chest(), 300)
    assert arm.settings.floor - 1e-3 <= arm.nearest() <= arm.settings.margin + 5e-3
    assert np.abs(arm.box.velocity).max() < 0.2
    assert ViolationKind.COLLISION in {kind for kind, _ in arm.seen}


def test_on_the_path_the_velocity_keeps_its_direction_and_off_it_the_qp_answers():
    arm = Arm('ready', mode=CoupledMode.PATH)
    goal, slowed, left = hand_into_the_chest(), 0, 0
    for _ in range(300):
        wanted = np.clip(5.0 * (goal - arm.box.position), -6.0, 6.0)
        arm.box.bound(PERIOD, 1.0)
        inside = np.clip(wanted, arm.box.low, arm.box.high)
        solved = arm.barriers.solved
        sent = arm.step(wanted)
        changed = np.abs(sent - inside).max() > 1e-6
        if changed and arm.barriers.solved == solved:
            slowed += 1
            share = progress(sent, inside)
            assert np.abs(sent - share * inside).max() < 1e-6
        left += not arm.barriers.on_path
    assert slowed > 3
    assert left > 0


def test_power_is_kept_by_slowing_down_on_the_path():
    arm = Arm('standing', power=40.0, mode=CoupledMode.PATH)
    wanted = np.zeros(ROBOT.n)
    wanted[ROBOT.groups['head']] = 3.0
    wanted[ROBOT.index['left_shoulder_roll']] = 3.0
    for _ in range(40):
        arm.step(wanted, measured=ROBOT.poses['standing'] - 0.2)
    assert (ViolationKind.POWER, '') in arm.seen


@pytest.mark.parametrize(('mode', 'waits'), [(CoupledMode.PATH, True), (CoupledMode.QP, False)])
def test_playback_waits_for_a_command_that_is_slowed_on_its_path(parameters, mode, waits):
    gate = Gate()
    coupled = dataclasses.replace(parameters.coupled, mode=mode)
    bench = Bench(dataclasses.replace(parameters, coupled=coupled), coupled=(gate,))
    bench.accept(bench.chunk(np.linspace(0.02, 0.4, 16)))
    bench.track(0.3)
    gate.share = 0.0
    bench.track(0.1)
    before = bench.tick().playback_time
    held = bench.track(0.2)[-1]
    gate.share = 1.0
    assert (held.playback_time - before < 0.01) == waits
    assert (held.playback_rate == 0.0) == waits
    after = bench.track(0.2)[-1]
    assert after.playback_time - held.playback_time == pytest.approx(0.2, abs=0.02)


def test_progress_is_the_projection_on_what_was_wanted():
    wanted = np.array([1.0, -1.0])
    assert progress(0.5 * wanted, wanted) == pytest.approx(0.5)
    assert progress(np.array([1.0, 1.0]), wanted) == 0.0
    assert progress(-wanted, wanted) == 0.0
    assert progress(np.zeros(2), np.full(2, 1e-4)) == 1.0  # nothing is asked for
    assert progress(2.0 * wanted, wanted) == 1.0


def test_a_hold_is_timed_and_named_and_ends_when_something_moves():
    hold = HoldMonitor(1.0)
    for _ in range(50):
        hold.update(0.5, violation(ViolationKind.POWER), 0.01)
    assert (round(hold.slowed, 3), hold.held, hold.limited_by) == (0.5, 0.0, 'power')
    for _ in range(80):
        hold.update(0.0, violation(ViolationKind.COLLISION, 'a-b'), 0.01)
    assert hold.held_for == pytest.approx(0.8)
    assert hold.limited_by == 'collision a-b'
    assert not hold.expired
    hold.update(1.0, None, 0.01)
    assert hold.held_for == 0.0
    assert hold.held == pytest.approx(0.8)
    assert hold.limited_by == 'collision a-b'
    hold.reset()
    assert (hold.slowed, hold.held, hold.limited_by) == (0.0, 0.0, '')


def test_a_motion_that_is_held_ends_with_its_reason_and_the_next_running_moves_again(parameters):
    plant = Plant(dataclasses.replace(parameters, hold_limit=0.5))
    gate = Gate(on_path=False)
    plant.subject.core._coupled = (gate,)
    plant.track(0.2)
    gate.share = 0.0
    for _ in range(8):
        plant.send()
        plant.run(0.1)
    report = plant.step()
    assert report.state is FilterState.NO_CHUNK
    assert report.reason == 'held for 0.5 s by collision palm-table'
    assert plant.subject.motion_ended == report.reason
    accepted = plant.subject.chunks_accepted
    assert plant.send() == []
    assert plant.subject.chunks_accepted == accepted
    gate.share = 1.0
    plant.mode = Mode.READY
    plant.run(0.05)
    assert plant.subject.motion_ended == ''
    plant.mode, plant.epoch = Mode.RUNNING, 2
    plant.run(0.02)
    plant.send()
    assert plant.run(0.1)[-1].state is FilterState.TRACKING
    assert np.abs(plant.v).max() > 0.0

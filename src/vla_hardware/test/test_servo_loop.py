# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The whole cycle around the mock: faults of the robot, silence of the supervisor, commands."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import LIMITS, PERIOD, ROBOT, Simulated

from vla_common.states import Behaviour, Mode
from vla_hardware.command_gate import Rejection

STANDING = ROBOT.poses['standing']
ELBOW = ROBOT.index['left_elbow']


def running() -> Simulated:
    s = Simulated()
    s.request(Mode.READY, Behaviour.HOLD)
    s.run(0.05)
    s.request(Mode.RUNNING, Behaviour.TRACK)
    s.run(0.05)
    return s


def bend(s: Simulated, rate: float = -0.5):
    """Commands at 100 Hz that bend the left elbow at a rate (rad/s)."""
    target = s.loop.motion.position.copy()
    ticks = 0

    def every(t: float) -> None:
        nonlocal ticks
        ticks += 1
        if ticks % 2:
            target[ELBOW] += rate * 2 * PERIOD
            velocity = np.zeros(ROBOT.n)
            velocity[ELBOW] = rate
            s.command(target, velocity)

    return every


def test_nothing_moves_before_the_supervisor_is_received():
    s = Simulated()
    s.supervised = False
    s.run(0.5)
    assert s.loop.motion.behaviour is Behaviour.HOLD
    np.testing.assert_allclose(s.driver.target, STANDING)
    assert s.loop.standing


def test_commands_are_tracked_in_running_and_ignored_outside():
    s = Simulated()
    s.request(Mode.READY, Behaviour.HOLD)
    s.run(0.2, bend(s))
    np.testing.assert_allclose(s.driver.target, STANDING)
    assert s.loop.gate.rejected[Rejection.NOT_RUNNING] == 20
    s = running()
    s.run(0.4, bend(s))
    assert s.loop.motion.behaviour is Behaviour.TRACK
    assert s.driver.target[ELBOW] == pytest.approx(STANDING[ELBOW] - 0.2, abs=0.02)
    assert s.loop.clamped == 0


def test_a_stale_command_is_held_and_the_old_motion_never_resumes_by_itself():
    s = running()
    s.run(0.3, bend(s))
    s.run(0.3)
    assert s.loop.decision.reason == 'command stale'
    assert s.loop.motion.behaviour is Behaviour.HOLD
    held = s.loop.motion.position.copy()
    s.run(0.3, bend(s))
    np.testing.assert_array_equal(s.loop.motion.position, held)
    s.request(Mode.SAFE_STOP, Behaviour.STAND)
    s.run(3.0)
    s.request(Mode.READY, Behaviour.HOLD)
    s.run(0.05)
    s.request(Mode.RUNNING, Behaviour.TRACK)
    s.run(0.05)
    s.run(0.3, bend(s))
    assert s.loop.motion.behaviour is Behaviour.TRACK


def test_silence_of_the_supervisor_makes_it_stand_and_the_old_running_is_not_resumed():
    s = running()
    s.run(0.6, bend(s))
    s.supervised = False
    s.run(0.08, bend(s))
    assert s.loop.motion.behaviour is Behaviour.TRACK
    s.run(0.03, bend(s))
    assert s.loop.motion.behaviour is Behaviour.STAND
    assert 'supervisor silent' in s.loop.decision.reason
    s.run(3.0)
    assert s.loop.behaviour_done
    assert s.loop.standing
    s.supervised = True
    s.run(0.3, bend(s))
    assert s.loop.motion.behaviour is Behaviour.STAND
    np.testing.assert_allclose(s.driver.target, STANDING)


@pytest.mark.parametrize(
    ('mode', 'behaviour'),
    [(Mode.ESTOP, Behaviour.DAMP), (Mode.SAFE_STOP, Behaviour.STAND), (Mode.READY, Behaviour.HOLD)],
)
def test_a_stop_is_owed_from_the_message_that_brings_it_until_the_next_cycle(mode, behaviour):
    s = running()
    s.run(0.2, bend(s))
    assert not s.loop.stop_pending
    s.request(mode, behaviour)
    s.publish_state()
    assert s.loop.stop_pending
    s.loop.cycle()
    assert s.loop.motion.behaviour is behaviour
    assert not s.loop.stop_pending
    s.publish_state()
    assert not s.loop.stop_pending


def test_an_estop_damps_before_anything_is_read_and_the_next_cycle_agrees():
    s = running()
    s.run(0.2, bend(s))
    s.request(Mode.ESTOP, Behaviour.DAMP)
    assert not s.loop.apply_estop()
    s.publish_state()
    s.driver.read_fault = 'hang'  # would take half a second
    writes = s.driver.writes
    assert s.loop.apply_estop()
    assert s.driver.writes == writes + 1
    assert not s.driver.gains.kp.any()
    assert not s.loop.apply_estop()
    s.driver.read_fault = None
    s.run(0.1)
    assert s.loop.motion.behaviour is Behaviour.DAMP
    assert not s.loop.fault


def test_estop_damps_and_stays_so_when_the_supervisor_dies_after_it():
    s = running()
    s.request(Mode.ESTOP, Behaviour.DAMP)
    s.run(0.1)
    assert s.loop.motion.behaviour is Behaviour.DAMP
    assert not s.driver.gains.kp.any()
    assert s.driver.gains.kv.all()
    s.supervised = False
    s.run(1.0)
    assert s.loop.motion.behaviour is Behaviour.DAMP


def test_off_switches_the_motors_off_and_hold_on_again_from_the_measured_position():
    s = Simulated()
    s.request(Mode.ESTOP, Behaviour.OFF)
    s.run(0.1)
    assert not s.driver.powered
    s.driver._position[ELBOW] -= 0.04
    s.run(0.1)
    s.request(Mode.INACTIVE, Behaviour.HOLD)
    s.run(0.1)
    assert s.driver.powered
    assert s.driver.target[ELBOW] == pytest.approx(STANDING[ELBOW] - 0.04)


def test_a_not_finite_reading_is_a_fault_at_once():
    s = running()
    s.driver.read_fault = 'nan'
    s.run(PERIOD)
    assert s.loop.fault.startswith('read error: not finite')
    assert s.loop.motion.behaviour is Behaviour.DAMP
    assert np.isfinite(s.driver.target).all()


@pytest.mark.parametrize('fault', ['error', 'wrong_shape', 'jump'])
def test_a_flawed_reading_is_counted_and_several_in_a_row_are_a_fault(fault):
    s = running()
    s.driver.read_fault = fault
    s.run(PERIOD)
    assert s.loop.read_errors.total == 1
    assert not s.loop.fault
    assert not s.loop.reading_valid
    s.run((LIMITS.errors_to_fault - 1) * PERIOD)
    assert s.loop.fault
    assert s.loop.motion.behaviour is Behaviour.DAMP


def test_one_flawed_reading_between_good_ones_is_no_fault():
    s = running()
    for _ in range(10):
        s.driver.read_fault = 'error'
        s.run(PERIOD)
        s.driver.read_fault = None
        s.run(PERIOD)
    assert s.loop.read_errors.total == 10
    assert not s.loop.fault


def test_a_read_that_hangs_is_counted_and_several_in_a_row_are_a_fault():
    s = running()
    read = s.driver.read

    def hang():
        s.clock.advance(0.3)
        return read()

    s.driver.read = hang
    s.run(PERIOD)
    assert 'took 300 ms' in s.loop.faults.last_error
    assert not s.loop.fault
    s.run(2 * PERIOD)
    assert 'took 300 ms' in s.loop.fault


def test_a_stall_of_the_loop_itself_is_not_taken_for_the_supervisors_silence():
    s = running()
    s.run(0.3, bend(s))
    s.clock.advance(0.3)
    s.loop.cycle()  # the timer comes before the messages that wait
    assert s.loop.motion.behaviour is Behaviour.TRACK
    s.publish_state()
    s.command(s.loop.motion.position)
    s.run(0.05, bend(s))
    assert s.loop.motion.behaviour is Behaviour.TRACK


def test_a_loop_that_stalls_all_the_time_still_detects_the_silence():
    s = running()
    s.supervised = False
    for _ in range(4):
        s.clock.advance(0.08)
        s.loop.cycle()
    assert s.loop.motion.behaviour is Behaviour.STAND


def test_failing_writes_are_a_fault_although_reads_succeed():
    s = running()
    s.driver.write_fault = True
    s.run(LIMITS.errors_to_fault * PERIOD)
    assert s.loop.fault.startswith('write error')
    assert s.loop.write_errors.total == LIMITS.errors_to_fault


def test_a_fault_ends_only_after_good_readings_and_an_estop_and_never_into_motion():
    s = running()
    s.driver.read_fault = 'nan'
    s.run(0.05)
    s.driver.read_fault = None
    s.run(3.0, bend(s))
    assert s.loop.fault  # the supervisor was never in ESTOP
    s.request(Mode.ESTOP, Behaviour.DAMP)
    s.run(LIMITS.fault_clear_time + 0.1)
    assert not s.loop.fault
    s.request(Mode.RUNNING, Behaviour.TRACK)
    s._epoch -= 1  # the same RUNNING as before
    s.run(0.3, bend(s))
    assert s.loop.motion.behaviour is not Behaviour.DAMP


def test_the_first_fault_is_the_one_that_is_reported():
    s = running()
    s.driver.read_fault = 'nan'
    s.run(PERIOD)
    s.driver.read_fault = 'error'
    s.run(1.0)
    assert 'not finite' in s.loop.fault


def test_the_end_of_the_node_is_a_protective_stop_that_estop_still_overrules():
    s = running()
    s.run(0.4, bend(s))
    s.loop.ending = 'signal'
    s.run(3.0, bend(s))
    assert s.loop.motion.behaviour is Behaviour.STAND
    assert s.loop.stopped
    s.request(Mode.ESTOP, Behaviour.DAMP)
    s.run(0.05)
    assert s.loop.motion.behaviour is Behaviour.DAMP


def test_a_driver_deactivated_and_activated_within_one_running_does_not_resume_it():
    s = running()
    s.run(0.2, bend(s))
    s.loop.ending = 'deactivated'
    s.run(0.02, bend(s))
    s.loop.begin()
    s.run(0.2, bend(s))
    assert s.loop.motion.behaviour is not Behaviour.TRACK


@pytest.mark.parametrize('where', ['tick', 'follow', 'switch'])
def test_an_error_of_the_loop_itself_damps_and_is_a_fault_instead_of_the_last_command(where):
    s = running()
    s.run(0.2, bend(s))

    def broken(*arguments):
        raise ZeroDivisionError('a mistake')

    setattr(s.loop.motion, where, broken)
    if where != 'follow':
        s.request(Mode.SAFE_STOP, Behaviour.STAND)
    s.run(0.1, bend(s))
    assert 'ZeroDivisionError' in s.loop.fault
    assert s.loop.motion.behaviour is Behaviour.DAMP
    assert not s.driver.gains.kp.any()


def test_what_is_no_reading_at_all_is_a_flaw_and_a_fault_when_it_lasts():
    s = running()
    s.driver.read = lambda: None
    s.run(PERIOD)
    assert 'not a reading' in s.loop.faults.last_error
    s.run(0.1)
    assert s.loop.fault
    assert not s.driver.gains.kp.any()


def test_nothing_that_is_not_finite_is_written():
    s = running()
    write, written = s.driver.write, []

    def watched(position, velocity, effort, gains):
        written.append(np.isfinite([position, velocity, effort]).all())
        write(position, velocity, effort, gains)

    s.driver.write = watched
    s.loop.output._gravity = lambda position, orientation: np.full(ROBOT.n, np.nan)
    s.request(Mode.READY, Behaviour.HOLD)
    s.run(0.1)
    assert written
    assert all(written)
    assert s.loop.fault.startswith('write error')


def test_a_balance_correction_that_lost_itself_in_nan_begins_again():
    s = running()
    resets = []

    class Lost:
        def update(self, *state):
            return np.full(ROBOT.n, 0.0 if resets else np.nan)

        def reset(self):
            resets.append('reset')

    s.loop.output.balance = Lost()
    s.run(0.05)
    assert resets == ['reset']


def test_a_stall_of_the_loop_moves_no_reference_further_than_four_cycles():
    s = running()
    s.run(0.3, bend(s, -5.0))
    before = s.loop.motion.position.copy()
    s.clock.advance(0.08)
    s.publish_state()
    s.loop.cycle()
    moved = np.abs(s.loop.motion.position - before)
    assert (moved <= ROBOT.limits.velocity * 4 * PERIOD * (1 + 1e-9)).all()


@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(0.01, 3.0))
@settings(max_examples=15, deadline=None)
def test_what_reaches_the_servos_is_always_inside_the_limits(seed, scale):
    """Adversarial commands, modes, silences and balance offsets, 1.5 s each."""
    random = np.random.default_rng(seed)
    s = running()

    class Wild:
        def update(self, *state):
            wild = random.normal(0.0, scale, ROBOT.n)
            if random.random() < 0.1:
                wild[random.integers(ROBOT.n)] = np.nan
            return wild

        def reset(self):
            pass

    s.loop.output.balance = Wild()
    last = None
    for _ in range(300):
        if random.random() < 0.02:
            mode = Mode(random.integers(5))
            s.request(mode, Behaviour(random.integers(5)))
        if random.random() < 0.02:
            s.supervised = not s.supervised
        s.command(
            s.loop.motion.position + random.normal(0, scale, ROBOT.n),
            random.normal(0, 10 * scale, ROBOT.n),
        )
        s.run(PERIOD)
        target = s.driver.target
        assert np.isfinite(target).all()
        assert (target >= ROBOT.limits.lower).all()
        assert (target <= ROBOT.limits.upper).all()
        passive = s.loop.motion.behaviour.passive
        if last is not None and not passive:
            step = np.abs(target - last)
            assert (step <= ROBOT.limits.velocity * PERIOD * (1 + 1e-6)).all()
        last = None if passive else target.copy()

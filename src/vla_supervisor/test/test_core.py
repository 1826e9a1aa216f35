# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Latching, edges, monitored stops and time, one behaviour at a time."""

import math
from dataclasses import replace

import pytest
from scenes import CONFIG, FINE, MOVING, STANDING, TRACKING, OperatorStep, but, supervisor_in

from vla_common.states import Behaviour, EstopBehaviour, Level, Mode
from vla_supervisor.conditions import Condition, Reaction, hard, refuse, soft
from vla_supervisor.core import Supervisor

SOFT = soft('camera_frozen', 'camera', 'same image', 'the images change')
HARD = hard('fall', 'balance_monitor', 'it fell', 'it stands')


def names(decision):
    return [(c.condition.name, c.present) for c in decision.causes]


def test_a_cause_that_is_gone_stays_listed_and_the_stop_stays_on():
    supervisor = supervisor_in(Mode.RUNNING)
    assert supervisor.update(1.0, but(conditions=(SOFT,))).mode is Mode.SAFE_STOP
    decision = supervisor.update(1.1, FINE)
    assert decision.mode is Mode.SAFE_STOP
    assert names(decision) == [('camera_frozen', False)]
    decision, answer = supervisor.request(1.2, OperatorStep.RESUME, FINE)
    assert answer.success
    assert decision.mode is Mode.READY
    assert names(decision) == []


def test_coming_back_from_an_estop_takes_reset_then_arm_then_start():
    supervisor = supervisor_in(Mode.RUNNING)
    supervisor.update(1.0, but(conditions=(HARD,)))
    for step, allowed, mode in (
        (OperatorStep.START, False, Mode.ESTOP),
        (OperatorStep.ARM, False, Mode.ESTOP),
        (OperatorStep.RESUME, False, Mode.ESTOP),
        (OperatorStep.RESET, True, Mode.INACTIVE),
        (OperatorStep.RESET, False, Mode.INACTIVE),
        (OperatorStep.START, False, Mode.INACTIVE),
        (OperatorStep.ARM, True, Mode.READY),
        (OperatorStep.ARM, False, Mode.READY),
        (OperatorStep.START, True, Mode.RUNNING),
        (OperatorStep.START, False, Mode.RUNNING),
    ):
        decision, answer = supervisor.request(2.0, step, FINE)
        assert (answer.success, decision.mode) == (allowed, mode), answer.message


def test_a_refusal_names_each_cause_that_is_present_and_how_it_clears():
    supervisor = supervisor_in(Mode.ESTOP)
    _, answer = supervisor.request(1.0, OperatorStep.RESET, but(conditions=(SOFT, HARD)))
    assert not answer.success
    for word in ('camera_frozen', 'same image', 'the images change', 'fall', 'it stands'):
        assert word in answer.message


def test_a_refused_step_is_forgotten_and_not_served_when_the_cause_goes():
    supervisor = supervisor_in(Mode.INACTIVE)
    _, answer = supervisor.request(1.0, OperatorStep.ARM, but(nodes_active=False))
    assert not answer.success
    assert supervisor.update(2.0, FINE).mode is Mode.INACTIVE


def test_a_step_that_is_held_down_acts_once():
    held = but(steps=frozenset({OperatorStep.RESET, OperatorStep.ARM, OperatorStep.START}))
    supervisor = supervisor_in(Mode.INACTIVE)
    # The three pressed together are served in their order within one instant at most once each:
    # here the first update arms and starts, and an e-stop then is not undone by holding on.
    supervisor.update(1.0, held)
    supervisor.update(1.1, replace(held, conditions=(HARD,)))
    for i in range(20):
        assert supervisor.update(1.2 + i, held).mode is Mode.ESTOP


def test_a_stop_and_a_start_in_one_instant_is_a_stop():
    for mode, step, wanted in (
        (Mode.READY, OperatorStep.START, Mode.SAFE_STOP),
        (Mode.INACTIVE, OperatorStep.ARM, Mode.INACTIVE),
    ):
        both = but(steps=frozenset({step, OperatorStep.SAFE_STOP}))
        assert supervisor_in(mode).update(1.0, both).mode is wanted


def test_reset_is_refused_while_a_soft_cause_is_present_but_not_while_nodes_come_up():
    supervisor = supervisor_in(Mode.ESTOP)
    assert not supervisor.request(1.0, OperatorStep.RESET, but(conditions=(SOFT,)))[1].success
    coming = refuse('node_inactive:camera', 'camera', 'configure under way', 'it is active')
    assert supervisor.request(1.1, OperatorStep.RESET, but(conditions=(coming,)))[1].success


def test_a_lost_driver_keeps_inactive_inactive_and_is_an_estop_anywhere_else():
    lost = Condition('node_lost:d', 'd', 'gone', 'back', Reaction.DRIVER_LOST, Level.EMERGENCY)
    for mode in Mode:
        supervisor = supervisor_in(mode)
        wanted = Mode.INACTIVE if mode is Mode.INACTIVE else Mode.ESTOP
        decision = supervisor.update(1.0, but(conditions=(lost,), driver=None))
        assert decision.mode is wanted
        assert ('node_lost:d', True) in names(decision)


def test_an_estop_request_always_succeeds_and_is_listed_as_over():
    for mode in Mode:
        supervisor = supervisor_in(mode)
        decision, answer = supervisor.request(1.0, OperatorStep.ESTOP, FINE)
        assert answer.success
        assert decision.mode is Mode.ESTOP
        assert ('estop_request', False) in names(decision)


# -- monitored stops:  speed
#                        |‾‾\___        slower than slow_speed by t1 = slow_within,
#                        |      \__     at rest by t2 = rest_within, else the next harder stop
#                        +---t1----t2-->


def run(supervisor, driver, begin, end, dt=0.02):
    decision = None
    for i in range(round((end - begin) / dt) + 1):
        decision = supervisor.update(begin + i * dt, but(driver=driver))
    return decision


@pytest.mark.parametrize('driver', [MOVING, replace(MOVING, max_joint_speed=math.nan)])
def test_a_safe_stop_that_does_not_slow_down_becomes_an_estop(driver):
    supervisor = supervisor_in(Mode.SAFE_STOP)
    assert run(supervisor, driver, 0.0, 1.7).mode is Mode.SAFE_STOP
    decision = run(supervisor, driver, 1.72, 1.82)
    assert decision.mode is Mode.ESTOP
    assert 'stop_not_slowing' in dict(names(decision))


def test_a_driver_that_still_tracks_slowly_is_not_stopping():
    for speed in (0.01, 3.0):
        creeping = replace(TRACKING, max_joint_speed=speed, at_rest=True)
        supervisor = supervisor_in(Mode.SAFE_STOP)
        assert run(supervisor, creeping, 0.0, 0.28).mode is Mode.SAFE_STOP
        assert run(supervisor, creeping, 0.3, 0.32).mode is Mode.ESTOP


def test_a_driver_that_begins_to_track_again_in_a_stop_is_not_stopping():
    supervisor = supervisor_in(Mode.SAFE_STOP)
    run(supervisor, STANDING, 0.0, 5.0)
    assert run(supervisor, TRACKING, 5.02, 5.04).mode is Mode.ESTOP


def test_a_safe_stop_that_slows_but_never_rests_becomes_an_estop():
    supervisor = supervisor_in(Mode.SAFE_STOP)
    slow = replace(MOVING, max_joint_speed=0.5)
    assert run(supervisor, slow, 0.0, 3.9).mode is Mode.SAFE_STOP
    decision = run(supervisor, slow, 3.92, 4.02)
    assert decision.mode is Mode.ESTOP
    assert 'stop_not_resting' in dict(names(decision))


def test_a_stop_that_rested_in_time_is_not_escalated_by_a_later_push():
    supervisor = supervisor_in(Mode.SAFE_STOP)
    run(supervisor, MOVING, 0.0, 1.0)
    run(supervisor, STANDING, 1.02, 3.0)
    assert run(supervisor, MOVING, 3.02, 20.0).mode is Mode.SAFE_STOP


def test_the_rest_at_the_very_begin_of_standing_up_is_not_taken_for_its_end():
    supervisor = supervisor_in(Mode.SAFE_STOP)
    run(supervisor, STANDING, 0.0, 0.1)
    assert run(supervisor, replace(MOVING, max_joint_speed=0.5), 0.12, 4.1).mode is Mode.ESTOP


def test_a_hold_after_an_instruction_that_does_not_slow_becomes_a_safe_stop():
    supervisor = supervisor_in(Mode.RUNNING)
    supervisor.update(0.0, but(instruction_ended=True, driver=TRACKING))
    assert run(supervisor, MOVING, 0.02, 1.7).mode is Mode.READY
    assert run(supervisor, MOVING, 1.72, 1.82).mode is Mode.SAFE_STOP


def test_a_ready_that_never_ran_is_not_watched_for_rest():
    assert run(supervisor_in(Mode.READY), MOVING, 0.0, 10.0).mode is Mode.READY


def test_an_estop_of_a_robot_that_damps_stays_damped():
    supervisor = supervisor_in(Mode.ESTOP)
    decision = run(supervisor, MOVING, 0.0, 30.0)
    assert decision.behaviour is Behaviour.DAMP
    assert not supervisor.request(31.0, OperatorStep.RESET, but(driver=MOVING))[1].success


@pytest.mark.parametrize(
    ('driver', 'damped_until', 'off_at'), [(STANDING, 4.9, 5.1), (MOVING, 1.9, 2.1)]
)
def test_damp_then_off_goes_off_after_its_delay_or_at_once_if_it_does_not_slow(
    driver, damped_until, off_at
):
    config = replace(CONFIG, estop_behaviour=EstopBehaviour.DAMP_THEN_OFF)
    supervisor = supervisor_in(Mode.ESTOP, config)
    assert run(supervisor, driver, 0.0, damped_until).behaviour is Behaviour.DAMP
    assert run(supervisor, driver, damped_until, off_at).behaviour is Behaviour.OFF
    assert run(supervisor, STANDING, off_at, off_at + 1).behaviour is Behaviour.OFF
    decision, answer = supervisor.request(off_at + 2, OperatorStep.RESET, FINE)
    assert answer.success
    assert decision.behaviour is Behaviour.HOLD


def test_a_second_cause_in_estop_does_not_restart_its_clock():
    config = replace(CONFIG, estop_behaviour=EstopBehaviour.DAMP_THEN_OFF)
    supervisor = supervisor_in(Mode.ESTOP, config)
    for i in range(60):
        decision = supervisor.update(0.1 * i, but(conditions=(HARD,) if i % 2 else ()))
    assert decision.behaviour is Behaviour.OFF


# -- arming by itself


def auto():
    supervisor = Supervisor(replace(CONFIG, auto_arm=True))
    supervisor.update(0.0, but(nodes_active=False))
    return supervisor


def test_auto_arm_arms_once_when_everything_is_up_for_the_first_time():
    supervisor = auto()
    assert supervisor.update(1.0, FINE).mode is Mode.READY
    supervisor.update(2.0, but(conditions=(HARD,)))
    supervisor.request(3.0, OperatorStep.RESET, FINE)
    assert supervisor.update(4.0, FINE).mode is Mode.INACTIVE


@pytest.mark.parametrize('stop', [OperatorStep.ESTOP, OperatorStep.SAFE_STOP])
def test_auto_arm_is_void_once_a_stop_was_requested(stop):
    supervisor = auto()
    supervisor.request(1.0, stop, but(nodes_active=False))
    supervisor.request(2.0, OperatorStep.RESET, FINE)
    assert supervisor.update(3.0, FINE).mode is Mode.INACTIVE


def test_a_restarted_supervisor_never_arms_by_itself_nor_reports_that_nothing_has_moved_yet():
    supervisor = auto()
    supervisor.forbid_auto_arm()
    decision = supervisor.update(1.0, FINE)
    assert decision.mode is Mode.INACTIVE
    assert decision.motion_epoch > 0


def test_auto_arm_waits_for_causes_to_go():
    supervisor = auto()
    assert supervisor.update(1.0, but(conditions=(SOFT,))).mode is Mode.INACTIVE
    assert supervisor.update(2.0, FINE).mode is Mode.READY


# -- speed, levels, time


def test_danger_halves_the_speed_and_the_worst_level_wins():
    supervisor = supervisor_in(Mode.RUNNING)
    refusal = refuse('a', 'x', '', '')
    danger = Condition('balance_danger', 'b', '', '', Reaction.REFUSE, Level.DANGER)
    decision = supervisor.update(1.0, but(slow_down=True, conditions=(refusal, danger)))
    assert (decision.mode, decision.speed_scale) == (Mode.RUNNING, 0.5)
    assert decision.level is Level.DANGER
    assert supervisor.update(2.0, FINE).speed_scale == 1.0


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf, -5.0])
def test_invalid_time_stops_the_robot_and_never_runs_back(bad):
    supervisor = supervisor_in(Mode.RUNNING, now=1.0)
    decision = supervisor.update(bad, FINE)
    assert decision.mode is Mode.SAFE_STOP
    assert names(decision) == [('clock_invalid', True)]
    assert supervisor.update(2.0, FINE).mode is Mode.SAFE_STOP
    assert supervisor.request(2.1, OperatorStep.RESUME, FINE)[1].success


def test_a_closed_supervisor_still_stops_and_grants_nothing():
    supervisor = supervisor_in(Mode.READY)
    supervisor.close()
    _, answer = supervisor.request(1.0, OperatorStep.START, FINE)
    assert 'shutting down' in answer.message
    assert supervisor.request(1.0, OperatorStep.ESTOP, FINE)[1].success


def test_changed_is_set_exactly_when_something_changed():
    supervisor = supervisor_in(Mode.RUNNING)
    supervisor.update(1.0, FINE)
    assert not supervisor.update(1.02, FINE).changed
    assert supervisor.update(1.04, but(conditions=(SOFT,))).changed
    older = replace(SOFT, detail='same image for longer')
    assert not supervisor.update(1.06, but(conditions=(older,))).changed
    assert supervisor.update(1.08, FINE).changed

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The table, walked exhaustively: every mode, every event, every set of guards."""

from itertools import product
from pathlib import Path

import pytest
from scenes import FINE, OperatorStep, but, supervisor_in

from vla_common.states import Behaviour, Mode
from vla_supervisor import transitions
from vla_supervisor.conditions import Condition, Level, Reaction, hard, soft
from vla_supervisor.transitions import BEHAVIOUR, TABLE, Event, Guard

DRIVER_LOST = Condition(
    'node_lost:hardware_driver', 'd', '', '', Reaction.DRIVER_LOST, Level.EMERGENCY
)
SOFT = soft('camera_frozen', 'camera', 'same', 'change')
HARD = hard('fall', 'balance_monitor', 'fell', 'stand')

# DESIGN.md's table, written down a second time, by hand: mode, event -> mode.
WANTED = {
    (Mode.INACTIVE, Event.ARM): Mode.READY,
    (Mode.READY, Event.START): Mode.RUNNING,
    (Mode.RUNNING, Event.FINISHED): Mode.READY,
    (Mode.READY, Event.SOFT_STOP): Mode.SAFE_STOP,
    (Mode.RUNNING, Event.SOFT_STOP): Mode.SAFE_STOP,
    (Mode.SAFE_STOP, Event.RESUME): Mode.READY,
    (Mode.ESTOP, Event.RESET): Mode.INACTIVE,
    **{(mode, Event.HARD_STOP): Mode.ESTOP for mode in Mode},
    **{(mode, Event.DRIVER_LOST): Mode.ESTOP for mode in Mode if mode is not Mode.INACTIVE},
}


def make_happen(supervisor, event: Event, inputs):
    """Let ``event`` happen at second 1 and return the decision."""
    steps = {
        Event.RESET: OperatorStep.RESET,
        Event.RESUME: OperatorStep.RESUME,
        Event.ARM: OperatorStep.ARM,
        Event.START: OperatorStep.START,
    }
    if event in steps:
        return supervisor.request(1.0, steps[event], inputs)[0]
    if event is Event.FINISHED:
        return supervisor.update(1.0, but(instruction_ended=True))
    bad = {Event.HARD_STOP: HARD, Event.SOFT_STOP: SOFT, Event.DRIVER_LOST: DRIVER_LOST}[event]
    return supervisor.update(1.0, but(conditions=(bad,)))


@pytest.mark.parametrize(('mode', 'event'), list(product(Mode, Event)))
def test_each_event_in_each_mode_leads_where_the_design_wants_and_nowhere_else(mode, event):
    supervisor = supervisor_in(mode)
    before = supervisor.update(0.5, FINE)
    decision = make_happen(supervisor, event, FINE)
    assert decision.mode is WANTED.get((mode, event), mode)
    assert decision.behaviour is BEHAVIOUR[decision.mode]
    left_running = mode is Mode.RUNNING and decision.mode is not Mode.RUNNING
    stopped = decision.mode in (Mode.SAFE_STOP, Mode.ESTOP) and decision.mode is not mode
    assert decision.motion_epoch == before.motion_epoch + (left_running or stopped)


BROKEN = {
    Guard.NODES_ACTIVE: but(nodes_active=False),
    Guard.CAUSES_GONE: but(conditions=(SOFT,)),
    Guard.STANDING: but(driver=None),
    Guard.POLICY_READY: but(policy_ready=False),
}


@pytest.mark.parametrize(
    ('row', 'guard'), [(row, guard) for row in TABLE for guard in row.guards], ids=str
)
def test_a_step_is_refused_with_a_reason_while_any_one_guard_is_broken(row, guard):
    (mode,) = row.modes
    supervisor = supervisor_in(mode)
    step = OperatorStep[row.event.name]
    decision, answer = supervisor.request(1.0, step, BROKEN[guard])
    assert not answer.success
    assert answer.message.startswith(f'{step.value} refused: ')
    assert decision.mode is not row.to


def test_every_guarded_row_belongs_to_an_operator_and_no_stop_does():
    for row in TABLE:
        if row.to in (Mode.SAFE_STOP, Mode.ESTOP):
            assert row.guards == ()
    assert {r.event for r in TABLE} == set(Event)


def test_no_two_rows_answer_the_same_event_in_the_same_mode():
    pairs = [(mode, row.event) for row in TABLE for mode in row.modes]
    assert len(pairs) == len(set(pairs))


def test_only_running_lets_the_driver_track_and_every_mode_can_be_reached_and_left():
    assert [m for m in Mode if BEHAVIOUR[m] is Behaviour.TRACK] == [Mode.RUNNING]
    assert {row.to for row in TABLE} == set(Mode)
    for mode in Mode:
        assert any(mode in row.modes and row.to is not mode for row in TABLE)


def test_running_is_entered_from_ready_by_start_alone_and_estop_left_by_reset_alone():
    assert [(r.modes, r.event) for r in TABLE if r.to is Mode.RUNNING] == [
        ((Mode.READY,), Event.START)
    ]
    assert [r.event for r in TABLE if Mode.ESTOP in r.modes and r.to is not Mode.ESTOP] == [
        Event.RESET
    ]


def test_of_two_events_in_one_instant_the_harder_wins():
    supervisor = supervisor_in(Mode.RUNNING)
    decision = supervisor.update(1.0, but(conditions=(SOFT, HARD), instruction_ended=True))
    assert decision.mode is Mode.ESTOP
    supervisor = supervisor_in(Mode.RUNNING)
    assert supervisor.update(1.0, but(conditions=(SOFT,), instruction_ended=True)).mode is (
        Mode.SAFE_STOP
    )


def test_the_readme_carries_the_table_and_diagram_that_the_code_follows():
    readme = (Path(__file__).parents[1] / 'README.md').read_text()
    assert transitions.markdown().strip() in readme, (
        'put the output of `python -m vla_supervisor.transitions` into README.md'
    )

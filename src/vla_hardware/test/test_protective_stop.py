# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Who rules the driver when: supervisor, its silence, a fault, the end of the node."""

from itertools import product

import pytest

from vla_common.states import Behaviour, EstopBehaviour, Mode
from vla_hardware.protective_stop import StopInputs, StopRules, decide
from vla_hardware.supervisor_watch import SupervisorWatch

RULES = StopRules(Behaviour.STAND, EstopBehaviour.DAMP)
T0 = 1_000_000_000_000


class Supervisor:
    """Publishes to a watch; its clock is the only one."""

    def __init__(self, timeout: float = 0.1) -> None:
        self.watch = SupervisorWatch(timeout)
        self.now, self.sequence = 10.0, 0

    def publish(self, mode, behaviour=Behaviour.HOLD, epoch=0, sequence=None, age=0.0):
        self.sequence = self.sequence + 1 if sequence is None else sequence
        wall = T0 + int(self.now * 1e9)
        return self.watch.update(
            mode, behaviour, epoch, self.sequence, wall - int(age * 1e9), wall, self.now
        )


def test_silence_is_noticed_after_the_timeout_and_not_before():
    s = Supervisor()
    assert not s.watch.silent(s.now)
    s.publish(Mode.READY)
    assert not s.watch.silent(s.now + 0.099)
    assert s.watch.silent(s.now + 0.101)


def test_a_repeated_message_is_no_heartbeat():
    s = Supervisor()
    s.publish(Mode.READY, sequence=5)
    s.now += 0.06
    assert not s.publish(Mode.READY, sequence=5)
    assert s.watch.silent(s.now + 0.05)
    assert s.watch.rejected == 1


def test_an_old_message_is_no_heartbeat():
    s = Supervisor()
    assert not s.publish(Mode.RUNNING, Behaviour.TRACK, age=0.2)
    assert s.watch.mode is None


def test_a_message_from_the_future_is_rejected():
    s = Supervisor()
    assert not s.publish(Mode.READY, age=-0.2)


def test_a_mode_that_does_not_exist_is_rejected():
    s = Supervisor()
    assert not s.publish(17)
    assert not s.publish(Mode.READY, 9)
    assert s.watch.mode is None


def test_a_restarted_supervisor_is_accepted_again_after_the_silence():
    s = Supervisor()
    s.publish(Mode.READY, sequence=5000)
    s.now += 0.05
    assert not s.publish(Mode.READY, sequence=1)
    s.now += 0.2
    assert s.publish(Mode.INACTIVE, sequence=2)


def test_running_counts_only_if_it_begins_while_messages_are_received():
    s = Supervisor()
    s.publish(Mode.RUNNING, Behaviour.TRACK, epoch=3)
    assert s.watch.running_since_ns is None
    s.publish(Mode.READY, epoch=3)
    s.now += 0.02
    s.publish(Mode.RUNNING, Behaviour.TRACK, epoch=4)
    assert s.watch.running_since_ns == T0 + int(s.now * 1e9)


def test_a_supervisor_that_was_frozen_does_not_resume_the_old_motion():
    s = Supervisor()
    s.publish(Mode.READY)
    s.publish(Mode.RUNNING, Behaviour.TRACK, epoch=1)
    assert s.watch.running_since_ns is not None
    s.now += 1.0
    assert s.watch.silent(s.now)
    assert s.publish(Mode.RUNNING, Behaviour.TRACK, epoch=1)
    assert s.watch.running_since_ns is None
    s.publish(Mode.SAFE_STOP, Behaviour.STAND, epoch=2)
    s.publish(Mode.RUNNING, Behaviour.TRACK, epoch=3)
    assert s.watch.running_since_ns is not None


def test_a_new_motion_epoch_is_a_new_beginning_of_running():
    s = Supervisor()
    s.publish(Mode.READY, epoch=1)
    s.publish(Mode.RUNNING, Behaviour.TRACK, epoch=1)
    first = s.watch.running_since_ns
    s.now += 0.02
    s.publish(Mode.RUNNING, Behaviour.TRACK, epoch=1)
    assert s.watch.running_since_ns == first
    s.publish(Mode.RUNNING, Behaviour.TRACK, epoch=2)
    assert s.watch.running_since_ns > first


def everything():
    """All combinations of circumstances: the whole table."""
    flags = (False, True)
    for mode, requested in product([None, *Mode], Behaviour):
        for fault, ending, silent, running, there, fresh, resting, lying, off in product(
            ('', 'read error'), ('', 'signal'), *[flags] * 7
        ):
            yield StopInputs(
                fault, ending, 0.2 if silent else 0.01, silent, mode, requested, running,
                there, fresh, resting, lying, off,
            )  # fmt: skip


@pytest.mark.parametrize('lost', [Behaviour.STAND, Behaviour.DAMP, Behaviour.HOLD])
@pytest.mark.parametrize('estop', list(EstopBehaviour))
def test_the_whole_table_keeps_its_rules(lost, estop):
    rules = StopRules(lost, estop)
    for seen in everything():
        decision = decide(seen, rules)
        assert decision.reason
        if seen.fault or seen.mode is Mode.ESTOP:
            assert decision.behaviour.passive
        if seen.mode is Mode.ESTOP and (estop is EstopBehaviour.OFF or seen.off):
            assert decision.behaviour is Behaviour.OFF
        if seen.lying:
            assert decision.behaviour is not Behaviour.STAND
        if seen.fault or seen.mode is Mode.ESTOP:
            continue
        if seen.ending or (seen.supervisor_silent and seen.mode is not None):
            assert decision.behaviour in (lost, Behaviour.DAMP)
            assert decision.behaviour is lost or seen.lying
        if decision.behaviour is Behaviour.TRACK:
            assert seen.mode is Mode.RUNNING
            assert seen.running
            assert seen.command_received
            assert seen.command_fresh
            assert not (seen.fault or seen.ending or seen.supervisor_silent)


def test_damp_then_off_waits_until_the_robot_rests():
    rules = StopRules(Behaviour.STAND, EstopBehaviour.DAMP_THEN_OFF)
    falling = StopInputs(mode=Mode.ESTOP, requested=Behaviour.DAMP)
    resting = StopInputs(mode=Mode.ESTOP, requested=Behaviour.DAMP, passive_and_resting=True)
    assert decide(falling, rules).behaviour is Behaviour.DAMP
    assert decide(resting, rules).behaviour is Behaviour.OFF


def test_motors_that_the_estop_switched_off_stay_off_whatever_moves_or_fails_then():
    rules = StopRules(Behaviour.STAND, EstopBehaviour.DAMP_THEN_OFF)
    moved = StopInputs(mode=Mode.ESTOP, requested=Behaviour.DAMP, off=True)
    unread = StopInputs(fault='read error', mode=Mode.ESTOP, requested=Behaviour.DAMP, off=True)
    assert decide(moved, rules).behaviour is Behaviour.OFF
    assert decide(unread, rules).behaviour is Behaviour.OFF


def test_a_fault_does_not_keep_the_supervisor_from_switching_the_motors_off():
    seen = StopInputs(fault='read error', mode=Mode.ESTOP, requested=Behaviour.OFF)
    assert decide(seen, RULES).behaviour is Behaviour.OFF


def test_a_restarted_supervisor_does_not_end_the_estop_of_the_one_before():
    s = Supervisor()
    s.publish(Mode.ESTOP, Behaviour.DAMP, sequence=1_700_000_000_000_000)
    s.now += 1.0
    s.sequence += 1_000_000
    assert not s.publish(Mode.INACTIVE)
    assert s.watch.mode is Mode.ESTOP
    # It finds the robot passive and reports ESTOP; then its operator resets.
    assert s.publish(Mode.ESTOP, Behaviour.DAMP)
    assert s.publish(Mode.INACTIVE)
    assert s.watch.mode is Mode.INACTIVE


def test_a_supervisor_that_was_only_not_received_for_a_while_may_end_its_estop():
    s = Supervisor()
    s.publish(Mode.ESTOP, Behaviour.DAMP)
    s.now += 10.0
    s.sequence += 500
    assert s.publish(Mode.INACTIVE)


def test_of_two_supervisors_the_estop_of_either_counts_and_the_other_does_not_end_it():
    s = Supervisor()
    first, second = 1_000, 9_000_000
    for k in range(20):
        s.now += 0.01
        stop = k >= 10
        s.publish(Mode.ESTOP if stop else Mode.READY, sequence=first + k)
        s.now += 0.01
        s.publish(Mode.READY, sequence=second + k)
        assert (s.watch.mode is Mode.ESTOP) == stop


def test_an_estop_that_arrives_again_after_the_reset_does_not_count():
    s = Supervisor()
    s.publish(Mode.ESTOP, Behaviour.DAMP, sequence=7)
    s.now += 0.02
    s.publish(Mode.INACTIVE, sequence=8)
    assert not s.publish(Mode.ESTOP, Behaviour.DAMP, sequence=7, age=0.02)
    assert s.watch.mode is Mode.INACTIVE


@pytest.mark.parametrize('age', [1e9, 0.2, -0.2, -1e9])
def test_an_estop_counts_whatever_its_stamp_and_only_a_stamp_that_fits_ends_it(age):
    s = Supervisor()
    s.publish(Mode.READY)
    s.publish(Mode.RUNNING, Behaviour.TRACK, epoch=1)
    s.now += 0.02
    s.publish(Mode.ESTOP, Behaviour.DAMP, age=age)
    assert s.watch.mode is Mode.ESTOP
    assert s.watch.running_since_ns is None
    s.now += 0.1
    assert s.watch.silent(s.now), 'such a clock cannot measure its silence'
    s.publish(Mode.INACTIVE, age=age)
    assert s.watch.mode is Mode.ESTOP
    assert s.publish(Mode.INACTIVE)
    assert s.watch.mode is Mode.INACTIVE


def test_an_old_estop_that_arrives_late_does_not_count_whatever_its_stamp():
    s = Supervisor()
    s.publish(Mode.INACTIVE, sequence=8)
    s.publish(Mode.ESTOP, Behaviour.DAMP, sequence=7, age=5.0)
    assert s.watch.mode is Mode.INACTIVE


@pytest.mark.parametrize(
    'stop',
    [
        StopInputs(mode=Mode.SAFE_STOP, requested=Behaviour.STAND, lying=True),
        StopInputs(mode=Mode.READY, supervisor_silent=True, supervisor_age=0.2, lying=True),
    ],
    ids=['safe stop', 'protective stop'],
)
def test_a_robot_on_the_ground_is_not_stood_up_by_a_stop(stop):
    assert decide(stop, RULES).behaviour is Behaviour.DAMP

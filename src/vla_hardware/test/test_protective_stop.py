# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Who rules the driver when: supervisor, its silence, a fault, the end of the node."""

from itertools import product

import pytest

from vla_common.modes import Behaviour, Mode
from vla_hardware.protective_stop import (
    LIMP,
    Circumstances,
    EStop,
    StopRules,
    SupervisorWatch,
    decide,
)

RULES = StopRules(Behaviour.STAND, EStop.DAMP)
T0 = 1_000_000_000_000


class Supervisor:
    """Speaks to a watch; its clock is the only one."""

    def __init__(self, timeout: float = 0.1) -> None:
        self.watch = SupervisorWatch(timeout)
        self.now, self.sequence = 10.0, 0

    def say(self, mode, behaviour=Behaviour.HOLD, epoch=0, sequence=None, age=0.0):
        self.sequence = self.sequence + 1 if sequence is None else sequence
        wall = T0 + int(self.now * 1e9)
        return self.watch.hear(
            mode, behaviour, epoch, self.sequence, wall - int(age * 1e9), wall, self.now
        )


def test_silence_is_noticed_after_the_timeout_and_not_before():
    s = Supervisor()
    assert not s.watch.silent(s.now)
    s.say(Mode.READY)
    assert not s.watch.silent(s.now + 0.099)
    assert s.watch.silent(s.now + 0.101)


def test_a_repeated_message_does_not_count_as_life():
    s = Supervisor()
    s.say(Mode.READY, sequence=5)
    s.now += 0.06
    assert not s.say(Mode.READY, sequence=5)
    assert s.watch.silent(s.now + 0.05)
    assert s.watch.rejected == 1


def test_an_old_message_does_not_count_as_life():
    s = Supervisor()
    assert not s.say(Mode.RUNNING, Behaviour.TRACK, age=0.2)
    assert s.watch.mode is None


def test_a_message_from_the_future_is_not_believed():
    s = Supervisor()
    assert not s.say(Mode.READY, age=-0.2)


def test_a_mode_that_does_not_exist_is_not_believed():
    s = Supervisor()
    assert not s.say(17)
    assert not s.say(Mode.READY, 9)
    assert s.watch.mode is None


def test_a_restarted_supervisor_is_heard_again_after_the_silence():
    s = Supervisor()
    s.say(Mode.READY, sequence=5000)
    s.now += 0.05
    assert not s.say(Mode.READY, sequence=1)
    s.now += 0.2
    assert s.say(Mode.INACTIVE, sequence=2)


def test_running_counts_only_if_it_begins_while_we_listen():
    s = Supervisor()
    s.say(Mode.RUNNING, Behaviour.TRACK, epoch=3)
    assert s.watch.running_since_ns is None
    s.say(Mode.READY, epoch=3)
    s.now += 0.02
    s.say(Mode.RUNNING, Behaviour.TRACK, epoch=4)
    assert s.watch.running_since_ns == T0 + int(s.now * 1e9)


def test_a_supervisor_that_was_frozen_does_not_resume_the_old_motion():
    s = Supervisor()
    s.say(Mode.READY)
    s.say(Mode.RUNNING, Behaviour.TRACK, epoch=1)
    assert s.watch.running_since_ns is not None
    s.now += 1.0
    assert s.watch.silent(s.now)
    assert s.say(Mode.RUNNING, Behaviour.TRACK, epoch=1)
    assert s.watch.running_since_ns is None
    s.say(Mode.SAFE_STOP, Behaviour.STAND, epoch=2)
    s.say(Mode.RUNNING, Behaviour.TRACK, epoch=3)
    assert s.watch.running_since_ns is not None


def test_a_new_motion_epoch_is_a_new_beginning_of_running():
    s = Supervisor()
    s.say(Mode.READY, epoch=1)
    s.say(Mode.RUNNING, Behaviour.TRACK, epoch=1)
    first = s.watch.running_since_ns
    s.now += 0.02
    s.say(Mode.RUNNING, Behaviour.TRACK, epoch=1)
    assert s.watch.running_since_ns == first
    s.say(Mode.RUNNING, Behaviour.TRACK, epoch=2)
    assert s.watch.running_since_ns > first


def everything():
    """All combinations of circumstances: the whole table."""
    flags = (False, True)
    for mode, asked in product([None, *Mode], Behaviour):
        for fault, ending, silent, running, there, fresh, resting, lying in product(
            ('', 'read error'), ('', 'signal'), *[flags] * 6
        ):
            yield Circumstances(
                fault, ending, 0.2 if silent else 0.01, silent, mode, asked, running,
                there, fresh, resting, lying,
            )  # fmt: skip


@pytest.mark.parametrize('lost', [Behaviour.STAND, Behaviour.DAMP, Behaviour.HOLD])
@pytest.mark.parametrize('estop', list(EStop))
def test_the_whole_table_keeps_its_promises(lost, estop):
    rules = StopRules(lost, estop)
    for seen in everything():
        decision = decide(seen, rules)
        assert decision.reason
        if seen.fault:
            assert decision.behaviour is Behaviour.DAMP
        elif seen.mode is Mode.ESTOP:
            assert decision.behaviour in LIMP
            if estop is EStop.OFF:
                assert decision.behaviour is Behaviour.OFF
        elif seen.ending or (seen.supervisor_silent and seen.mode is not None):
            assert decision.behaviour in (lost, Behaviour.DAMP)
            assert decision.behaviour is lost or seen.lying
        if decision.behaviour is Behaviour.TRACK:
            assert seen.mode is Mode.RUNNING
            assert seen.running
            assert seen.command_there
            assert seen.command_fresh
            assert not (seen.fault or seen.ending or seen.supervisor_silent)


def test_damp_then_off_waits_until_the_robot_rests():
    rules = StopRules(Behaviour.STAND, EStop.DAMP_THEN_OFF)
    falling = Circumstances(mode=Mode.ESTOP, asked=Behaviour.DAMP)
    resting = Circumstances(mode=Mode.ESTOP, asked=Behaviour.DAMP, limp_and_resting=True)
    assert decide(falling, rules).behaviour is Behaviour.DAMP
    assert decide(resting, rules).behaviour is Behaviour.OFF


def test_a_robot_that_lies_is_not_stood_up_by_the_protective_stop():
    seen = Circumstances(mode=Mode.READY, supervisor_silent=True, supervisor_age=0.2, lying=True)
    assert decide(seen, RULES).behaviour is Behaviour.DAMP

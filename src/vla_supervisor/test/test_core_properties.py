# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What no sequence of inputs may bring about, searched for by hypothesis."""

import math
from dataclasses import replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from scenes import CONFIG, FINE, MOVING, STANDING, TRACKING, OperatorStep

from vla_common.states import Behaviour, EstopBehaviour, Level, Mode
from vla_supervisor.conditions import Condition, Reaction
from vla_supervisor.core import Supervisor

ALLOWED = {
    Mode.INACTIVE: {Behaviour.HOLD},
    Mode.READY: {Behaviour.HOLD},
    Mode.RUNNING: {Behaviour.TRACK},
    Mode.SAFE_STOP: {Behaviour.STAND},
    Mode.ESTOP: {Behaviour.DAMP, Behaviour.OFF},
}

conditions = st.builds(
    Condition,
    name=st.sampled_from(['a', 'b', 'c']),
    source=st.just('s'),
    detail=st.just(''),
    clears=st.just(''),
    reaction=st.sampled_from(Reaction),
    level=st.sampled_from(Level),
)
times = st.one_of(st.floats(0.0, 3.0), st.sampled_from([math.nan, math.inf, -math.inf, -10.0, 1e6]))


class AnySequence(RuleBasedStateMachine):
    """Conditions that flap, nodes and drivers that come and go, steps pressed, held, let go."""

    def __init__(self) -> None:
        super().__init__()
        self.supervisor = Supervisor(
            replace(CONFIG, auto_arm=True, estop_behaviour=EstopBehaviour.DAMP_THEN_OFF)
        )
        self.now = 0.0
        self.inputs = FINE
        self.last = self.supervisor.update(0.0, replace(FINE, nodes_active=False))
        self.armed_and_started = [False, False]  # by steps granted since the last stop
        self.auto_armed = False

    def check(self, decision, granted=None) -> None:
        before, after = self.last.mode, decision.mode
        if granted is OperatorStep.ARM or granted is OperatorStep.RESUME:
            self.armed_and_started = [True, False]
        if granted is OperatorStep.START:
            self.armed_and_started[1] = True
        if before is Mode.INACTIVE and after is Mode.READY and granted is not OperatorStep.ARM:
            assert not self.auto_armed, 'armed by itself a second time'
            assert not self.stopped_before, 'armed by itself after a stop'
            self.auto_armed = True
            self.armed_and_started = [True, False]
        if after is Mode.RUNNING:
            assert self.armed_and_started == [True, True]
        if before is Mode.RUNNING and after is not Mode.RUNNING:
            assert decision.motion_epoch > self.last.motion_epoch
            self.armed_and_started[1] = False
        if after in (Mode.SAFE_STOP, Mode.ESTOP):
            self.armed_and_started = [False, False]
            self.stopped_before = True
            if before is not after:
                assert decision.motion_epoch > self.last.motion_epoch
        if before is Mode.ESTOP and after is not Mode.ESTOP:
            assert granted is OperatorStep.RESET
            assert after is Mode.INACTIVE
            assert not [c for c in self.inputs.conditions if c.reaction >= Reaction.SOFT_STOP]
        if before is Mode.SAFE_STOP and after not in (Mode.SAFE_STOP, Mode.ESTOP):
            assert granted is OperatorStep.RESUME
        hard = [c for c in self.inputs.conditions if c.reaction is Reaction.HARD_STOP]
        soft = [c for c in self.inputs.conditions if c.reaction >= Reaction.SOFT_STOP]
        if hard:
            assert after is Mode.ESTOP
        if soft:
            assert after not in (Mode.READY, Mode.RUNNING)
        assert decision.motion_epoch >= self.last.motion_epoch
        if before is Mode.ESTOP and after is Mode.ESTOP and self.last.behaviour is Behaviour.OFF:
            assert decision.behaviour is Behaviour.OFF
        self.last = decision

    stopped_before = False

    @rule(
        found=st.lists(conditions, max_size=3),
        nodes_active=st.booleans(),
        driver=st.sampled_from([None, STANDING, MOVING, TRACKING]),
        policy_ready=st.booleans(),
        slow_down=st.booleans(),
    )
    def world_changes(self, found, nodes_active, driver, policy_ready, slow_down) -> None:
        self.inputs = replace(
            self.inputs,
            conditions=tuple(found),
            nodes_active=nodes_active,
            driver=driver,
            policy_ready=policy_ready,
            slow_down=slow_down,
        )

    @rule()
    def world_is_fine(self) -> None:
        self.inputs = replace(FINE, steps=self.inputs.steps)

    @rule(ended=st.booleans(), jump=times)
    def tick(self, ended, jump) -> None:
        moment = self.now + jump
        if math.isfinite(jump) and jump >= 0.0:
            self.now = moment
        inputs = replace(self.inputs, instruction_ended=ended)
        self.check(self.supervisor.update(moment, inputs))

    @rule(step=st.sampled_from(OperatorStep), jump=times)
    def ask(self, step, jump) -> None:
        moment = self.now + jump
        if math.isfinite(jump) and jump >= 0.0:
            self.now = moment
        decision, answer = self.supervisor.request(moment, step, self.inputs)
        if step is OperatorStep.ESTOP:
            assert decision.mode is Mode.ESTOP
            assert answer.success
        self.check(decision, step if answer.success else None)

    @invariant()
    def behaviour_is_the_modes(self) -> None:
        assert self.last.behaviour in ALLOWED[self.last.mode]
        assert self.last.speed_scale in (0.5, 1.0)
        assert self.last.armed == (self.last.mode in (Mode.READY, Mode.RUNNING, Mode.SAFE_STOP))

    @invariant()
    def a_stop_names_its_cause(self) -> None:
        if self.last.mode in (Mode.SAFE_STOP, Mode.ESTOP):
            assert self.last.causes


TestAnySequence = AnySequence.TestCase
TestAnySequence.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

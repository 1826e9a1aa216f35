# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""From reports to conditions and on to the mode: the whole pure stack, driven by hand."""

import math
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scenes import CONFIG, STANDING, TIMING, OperatorStep

from vla_common.cameras import is_camera_node, with_cameras
from vla_common.states import Behaviour, InferenceState, Level, Mode
from vla_common.topics import HEARTBEAT_TOPIC
from vla_supervisor.core import Supervisor
from vla_supervisor.endpoints import Endpoints
from vla_supervisor.health_monitor import HealthLimits, HealthMonitor
from vla_supervisor.heartbeats import LEASE
from vla_supervisor.lifecycle_manager import LifecycleManager, LifecycleRequest, LifecycleState

TIMEOUTS = {
    'hardware_driver': 0.1,
    'balance_monitor': 0.1,
    'camera': 0.4,
    'safety_filter': 0.1,
    'inference': 0.5,
}
LIMITS = HealthLimits(TIMEOUTS, 2.0, 0.5, 0.3, 0.25, 1.0, 2.0, 0.1, 0.25)


class Stack:
    """Watch and Supervisor with five healthy nodes, stepped every 20 ms."""

    def __init__(self, processes=None, nodes=tuple(HEARTBEAT_TOPIC)):
        self.now = 100.0
        self.plan = LifecycleManager(nodes, TIMING, self.now)
        limits = replace(LIMITS, timeouts={n: TIMEOUTS.get(n, TIMEOUTS['camera']) for n in nodes})
        self.watch = HealthMonitor(limits, Endpoints(False, 10.0), self.plan, processes)
        self.core = Supervisor(CONFIG)
        self.sequence = 0
        self.silent = set()
        self.driver = STANDING
        self.obeys = True
        self.fault = None
        self.sensors = ('', '', False)
        self.balance = (0, '', False)
        self.filter = (1, 0, '')
        self.inference = {'state': 0, 'reason': '', 'finished': 0, 'frozen': False}
        self.decision = None
        self.cameras = [name for name in nodes if is_camera_node(name)]
        self.plan.on_graph(self.now, (*HEARTBEAT_TOPIC, *nodes))
        self.states = dict.fromkeys((*HEARTBEAT_TOPIC, *nodes), LifecycleState.INACTIVE)
        self.run(0.2)

    def step(self, dt=0.02):
        self.now += dt
        for call in self.plan.calls(self.now):
            if call.request is LifecycleRequest.STATE:
                self.plan.on_state(self.now, call, self.states[call.node])
            else:
                self.states[call.node] = LifecycleState.ACTIVE
                self.plan.on_transition(self.now, call, True)
        self.beat()
        self.decision = self.core.update(self.now, self.watch.inputs(self.now))
        self.watch.on_mode(self.decision.mode)
        return self.decision

    def beat(self):
        self.sequence += 1
        n, now, w = self.sequence, self.now, self.watch
        if self.obeys and self.decision is not None:
            self.driver = replace(self.driver, behaviour=self.decision.behaviour)
        if 'hardware_driver' not in self.silent:
            w.on_driver(now, n, self.driver, 'a reason', self.fault, self.sensors)
        if 'balance_monitor' not in self.silent:
            w.on_balance(now, n, *self.balance)
        if 'safety_filter' not in self.silent:
            w.on_filter(now, n, *self.filter)
        if 'inference' not in self.silent:
            w.on_inference(now, n, **self.inference)
        for camera in self.cameras:
            if camera not in self.silent:
                w.on_camera(now, n, node=camera)

    def run(self, seconds):
        for _ in range(round(seconds / 0.02)):
            self.step()
        return self.decision

    def ask(self, step):
        self.decision, answer = self.core.request(self.now, step, self.watch.inputs(self.now))
        self.watch.on_mode(self.decision.mode)
        return answer

    def running(self):
        for step in (OperatorStep.ARM, OperatorStep.START):
            answer = self.ask(step)
            assert answer.success, answer.message
        self.inference['state'] = InferenceState.ACTIVE
        self.run(0.1)
        assert self.decision.mode is Mode.RUNNING
        return self

    def present(self):
        return {c.condition.name for c in self.decision.causes if c.present}


@pytest.fixture
def stack():
    return Stack()


@pytest.mark.parametrize('name', list(TIMEOUTS))
def test_a_silent_source_stops_within_its_timeout_and_a_tick(stack, name):
    stack.running()
    stack.silent.add(name)
    wanted = Mode.ESTOP if name == 'hardware_driver' else Mode.SAFE_STOP
    assert stack.run(TIMEOUTS[name] - 0.04).mode is Mode.RUNNING
    assert stack.run(0.08).mode is wanted
    assert stack.present() == {f'node_stale:{name}'}


@pytest.mark.parametrize('name', list(TIMEOUTS))
def test_a_silent_source_keeps_inactive_inactive_with_the_cause_listed(stack, name):
    stack.silent.add(name)
    assert stack.run(1.0).mode is Mode.INACTIVE
    assert stack.present() == {f'node_stale:{name}'}
    assert name in stack.ask(OperatorStep.ARM).message


def test_a_stall_of_the_supervisor_itself_is_a_safe_stop_and_blames_no_other_node(stack):
    stack.running()
    stack.now += 0.3
    stack.watch.on_stall(0.3, stack.now)
    decision = stack.core.update(stack.now, stack.watch.inputs(stack.now))
    assert decision.mode is Mode.SAFE_STOP
    assert [c.condition.name for c in decision.causes] == ['supervisor_stalled']
    assert stack.run(1.0).mode is Mode.SAFE_STOP
    assert stack.ask(OperatorStep.RESUME).success


def test_a_stall_outside_of_running_changes_nothing_and_hides_no_dead_node_for_long(stack):
    stack.ask(OperatorStep.ARM)
    stack.silent.add('camera')
    stack.run(0.2)
    stack.now += 2.0
    stack.watch.on_stall(2.0, stack.now)
    assert stack.run(0.1).mode is Mode.READY
    assert stack.run(0.2).mode is Mode.SAFE_STOP
    assert stack.present() == {'node_stale:camera'}


def test_after_a_stall_beyond_the_lease_the_driver_may_be_found_again_before_it_is_an_estop(stack):
    # It stands by itself meanwhile; an e-stop would have it sink to the floor (seen).
    stack.running()
    stack.silent.add('hardware_driver')
    stack.now += LEASE + 1.0
    stack.watch.on_stall(LEASE + 1.0, stack.now)
    assert stack.run(1.4).mode is Mode.SAFE_STOP
    assert stack.run(0.3).mode is Mode.ESTOP


@pytest.mark.parametrize('passive', [Behaviour.DAMP, Behaviour.OFF])
@pytest.mark.parametrize('mode', [Mode.INACTIVE, Mode.READY])
def test_a_driver_that_is_passive_unrequested_is_an_estop_to_be_reset(stack, mode, passive):
    # As a restarted supervisor finds the robot that its predecessor had stopped.
    if mode is Mode.READY:
        assert stack.ask(OperatorStep.ARM).success
    stack.obeys = False
    stack.driver = replace(stack.driver, behaviour=passive)
    assert stack.run(0.2).mode is mode
    assert stack.run(0.2).mode is Mode.ESTOP
    assert [c.condition.name for c in stack.decision.causes] == ['driver_limp']
    assert stack.ask(OperatorStep.RESET).success
    stack.obeys = True
    assert stack.run(1.0).mode is Mode.INACTIVE


def test_danger_slows_at_once_stops_when_it_lasts_and_also_when_it_flaps(stack):
    stack.running()
    stack.balance = (2, 'tilt', False)
    assert stack.run(0.06).speed_scale == 0.5
    assert stack.run(1.8).mode is Mode.RUNNING
    assert stack.run(0.3).mode is Mode.SAFE_STOP
    stack.balance = (0, '', False)
    stack.run(3.0)
    assert stack.present() == set()
    assert stack.ask(OperatorStep.RESUME).success
    assert stack.ask(OperatorStep.START).success
    for i in range(50):
        stack.balance = (2 * (i % 2), 'tilt', False)
        stack.run(0.2)
    assert stack.decision.mode is Mode.SAFE_STOP


def test_an_emergency_in_a_single_message_between_two_looks_is_an_estop(stack):
    stack.running()
    n = stack.sequence + 1
    assert stack.watch.on_balance(stack.now, n, 3, 'falling', False)
    stack.watch.on_balance(stack.now, n + 1, 0, '', False)
    stack.sequence += 1
    assert stack.step().mode is Mode.ESTOP


def test_a_fall_in_a_single_message_is_an_estop(stack):
    stack.running()
    assert stack.watch.on_balance(stack.now, stack.sequence + 1, 0, '', True)
    stack.sequence += 1
    assert stack.step().mode is Mode.ESTOP


def test_a_driver_fault_in_a_single_message_is_an_estop(stack):
    stack.running()
    assert stack.watch.on_driver(stack.now, stack.sequence + 1, stack.driver, '', 'bus off')
    stack.sequence += 1
    assert stack.step().mode is Mode.ESTOP


def test_sensors_that_disagree_are_a_stop_with_their_name_and_refuse_until_they_agree(stack):
    stack.running()
    stack.sensors = ('imu_disagreement', 'the orientation jumped by 2.09 rad', False)
    assert stack.step().mode is Mode.SAFE_STOP
    (cause,) = stack.decision.causes
    assert (cause.condition.name, cause.condition.source) == ('imu_disagreement', 'hardware_driver')
    assert cause.condition.detail == 'the orientation jumped by 2.09 rad'
    stack.run(1.0)
    answer = stack.ask(OperatorStep.RESUME)
    assert not answer.success
    assert 'imu_disagreement' in answer.message
    stack.sensors = ('', '', False)
    stack.run(0.1)
    assert stack.ask(OperatorStep.RESUME).success


def test_an_imu_that_is_not_confirmed_refuses_arming_and_stops_nothing(stack):
    stack.sensors = ('', 'the orientation has not agreed with another sensor yet', True)
    stack.run(0.1)
    answer = stack.ask(OperatorStep.ARM)
    assert not answer.success
    assert 'imu_unconfirmed' in answer.message
    stack.sensors = ('', '', False)
    stack.run(0.1)
    stack.running()
    stack.sensors = ('', 'again', True)
    assert stack.run(0.5).mode is Mode.RUNNING


def test_a_camera_stamp_of_the_future_does_not_silence_the_camera(stack):
    wall = 1_790_000_000_000_000_000
    w = HealthMonitor(LIMITS, Endpoints(False, 10.0), stack.plan)
    w.on_camera(1.0, wall, wall)
    w.on_camera(1.01, wall + 3_600_000_000_000, wall + 10_000_000)
    for i in range(2, 60):
        w.on_camera(1.0 + 0.01 * i, wall + i * 10_000_000, wall + i * 10_000_000)
    assert w.heartbeats.fresh('camera', 1.6)


def test_a_level_that_does_not_exist_is_an_emergency(stack):
    stack.running()
    stack.filter = (1, 200, 'nonsense')
    assert stack.step().mode is Mode.ESTOP
    assert stack.present() == {'filter_emergency'}


def test_an_infeasible_filter_is_borne_for_its_limit_only(stack):
    stack.running()
    stack.filter = (3, 1, '')
    assert stack.run(0.2).mode is Mode.RUNNING
    stack.filter = (1, 0, '')
    assert stack.run(2.0).mode is Mode.RUNNING
    stack.filter = (3, 1, '')
    assert stack.run(0.4).mode is Mode.SAFE_STOP


def test_a_filter_with_nothing_to_follow_ends_the_motion(stack):
    stack.running()
    stack.filter = (2, 0, 'chunk horizon ended')
    assert stack.run(0.8).mode is Mode.RUNNING
    assert stack.run(0.4).mode is Mode.SAFE_STOP
    assert 'chunks_stopped' in {latched.condition.name for latched in stack.decision.causes}


def test_a_driver_that_leaves_track_in_running_is_a_stale_command(stack):
    stack.running()
    stack.obeys = False
    stack.driver = replace(STANDING, behaviour=Behaviour.HOLD)
    assert stack.run(0.2).mode is Mode.RUNNING
    assert stack.run(0.1).mode is Mode.SAFE_STOP
    # The cause of a stop that is over does not stand in the way of resuming.
    stack.obeys = True
    stack.run(0.1)
    assert stack.ask(OperatorStep.RESUME).success


def test_an_instruction_ends_once_its_number_is_finished_and_the_node_idle(stack):
    stack.inference['finished'] = 4
    stack.run(0.1)
    stack.running()
    stack.run(1.0)
    stack.inference['finished'] = 5
    assert stack.run(0.1).mode is Mode.RUNNING  # replaced by a next one, still at work
    stack.inference['state'] = InferenceState.IDLE
    assert stack.step().mode is Mode.READY


def test_the_status_that_ended_an_instruction_does_not_end_the_next_one(stack):
    stack.running()
    stack.inference.update(finished=1, state=InferenceState.IDLE)
    assert stack.step().mode is Mode.READY
    # Requested at the same moment: no status comes while READY, and the next is still IDLE.
    assert stack.ask(OperatorStep.START).success
    assert stack.run(0.1).mode is Mode.RUNNING
    stack.inference.update(finished=2)
    assert stack.step().mode is Mode.READY


def test_running_with_an_idle_inference_node_ends_by_itself(stack):
    stack.running()
    stack.inference['state'] = InferenceState.IDLE
    assert stack.run(1.9).mode is Mode.RUNNING
    assert stack.run(0.3).mode is Mode.READY


def test_duplicates_refuse_arming_and_stop_running(stack):
    stack.watch.on_publishers({'/joint_command': 2, '/joint_states': 1})
    stack.step()
    assert 'duplicate_publisher:/joint_command' in stack.ask(OperatorStep.ARM).message
    stack.watch.on_publishers({'/joint_command': 1})
    stack.running()
    assert stack.watch.on_publishers({'/joint_command': 3})
    assert stack.step().mode is Mode.SAFE_STOP


def test_a_lost_driver_that_comes_back_unconfigured_must_be_up_before_a_reset(stack):
    stack.running()
    for _ in range(3):
        stack.plan.on_graph(stack.now, set(HEARTBEAT_TOPIC) - {'hardware_driver'})
    assert stack.step().mode is Mode.ESTOP
    stack.silent.add('hardware_driver')
    stack.plan.on_graph(stack.now, HEARTBEAT_TOPIC)
    stack.states['hardware_driver'] = LifecycleState.UNCONFIGURED
    stack.run(0.3)
    assert 'hardware_driver' in stack.ask(OperatorStep.RESET).message
    stack.run(2.0)
    stack.silent.clear()
    stack.run(0.2)
    assert stack.plan.all_active
    assert stack.ask(OperatorStep.RESET).success


times = st.one_of(st.floats(0.0, 0.3), st.sampled_from([math.nan, -1.0, 50.0, math.inf]))
wild = st.tuples(
    times,
    st.sampled_from(['', *TIMEOUTS]),
    st.integers(0, 255),
    st.booleans(),
    st.integers(-2, 2),
    st.sampled_from([None, *OperatorStep]),
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(wild, max_size=60))
def test_no_reports_and_times_lead_to_motion_without_arm_and_start_since_the_last_stop(sequence):
    stack = Stack()
    stack.running()
    allowed = True
    for dt, silent, level, flag, back, step in sequence:
        stack.silent = {silent}
        stack.balance = (level % 5, 'x', flag and level > 250)
        stack.filter = (level % 5, level % 3, 'x')
        stack.inference['state'] = level % 5
        stack.driver = replace(stack.driver, max_joint_speed=dt, standing=not flag)
        stack.sequence += back
        before = stack.decision
        answer = stack.ask(step) if step is not None and flag else None
        middle = stack.decision
        if step is OperatorStep.START and answer is not None and answer.success:
            assert before.mode is Mode.READY
            allowed = True
        stack.step(dt)
        for earlier, later in ((before, middle), (middle, stack.decision)):
            if earlier.mode is Mode.RUNNING and later.mode is not Mode.RUNNING:
                assert later.motion_epoch > earlier.motion_epoch
                allowed = False
        assert (stack.decision.behaviour is Behaviour.TRACK) == (
            stack.decision.mode is Mode.RUNNING
        )
        assert allowed or stack.decision.mode is not Mode.RUNNING
        stack.now = stack.now if math.isfinite(stack.now) else 1e4


def test_a_robot_without_feet_runs_without_a_balance_monitor():
    nodes = [name for name in HEARTBEAT_TOPIC if name != 'balance_monitor']
    stack = Stack(nodes=nodes)
    stack.balance = (int(Level.EMERGENCY), 'somebody else publishes here', True)
    stack.run(3.0)
    assert stack.watch.missing(stack.now) == []
    assert stack.watch.active(stack.now) == nodes
    assert stack.decision.causes == ()
    assert stack.watch.inputs(stack.now).nodes_active


def test_each_of_several_cameras_is_missed_by_its_own_name():
    nodes = with_cameras(HEARTBEAT_TOPIC, ('head', 'left_wrist'))
    stack = Stack(nodes=nodes).running()
    assert stack.watch.active(stack.now) == list(nodes)
    stack.silent.add('camera_left_wrist')
    assert stack.run(0.36).mode is Mode.RUNNING
    assert stack.run(0.08).mode is Mode.SAFE_STOP
    assert stack.present() == {'node_stale:camera_left_wrist'}
    (missing,) = stack.watch.missing(stack.now)
    assert missing.startswith('camera_left_wrist: /camera/left_wrist/color/camera_info silent for')
    stack.silent.clear()
    assert stack.run(0.5).mode is Mode.SAFE_STOP, 'the operator decides'
    assert stack.ask(OperatorStep.RESUME).success


def test_a_camera_that_is_not_on_the_list_counts_for_nothing():
    stack = Stack(nodes=with_cameras(HEARTBEAT_TOPIC, ('head',))).running()
    stack.silent.add('camera_head')
    for _ in range(30):
        stack.watch.on_camera(stack.now, stack.sequence, node='camera')
        stack.step()
    assert stack.present() == {'node_stale:camera_head'}

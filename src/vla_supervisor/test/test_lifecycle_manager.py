# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The bring-up plan without ROS: its next requests, and the states it assumes."""

import pytest
from scenes import TIMING

from vla_supervisor.bring_up_log import BringUpLog
from vla_supervisor.lifecycle_manager import LifecycleManager, LifecycleRequest, LifecycleState

NAMES = ('driver', 'camera', 'brain')


class World:
    """Nodes that answer the plan at once, except those configured not to."""

    def __init__(self, states=None, present=NAMES):
        self.plan = LifecycleManager(NAMES, TIMING, 0.0)
        self.now = 0.0
        self.present = set(present)
        self.states = dict.fromkeys(NAMES, LifecycleState.UNCONFIGURED) | (states or {})
        self.mute = set()
        self.failing = {}
        self.requests = []

    def step(self, dt=0.1):
        self.now += dt
        self.plan.on_graph(self.now, self.present)
        for call in self.plan.calls(self.now):
            if call.request is not LifecycleRequest.STATE:
                self.requests.append((call.node, call.request.value))
            if call.node in self.mute or call.node not in self.present:
                continue
            if call.request is LifecycleRequest.STATE:
                self.plan.on_state(self.now, call, self.states[call.node])
            elif call.node in self.failing:
                self.plan.on_transition(self.now, call, False, self.failing[call.node])
            else:
                up = call.request is LifecycleRequest.CONFIGURE
                self.states[call.node] = LifecycleState.INACTIVE if up else LifecycleState.ACTIVE
                self.plan.on_transition(self.now, call, True)

    def run(self, seconds, dt=0.1):
        for _ in range(round(seconds / dt)):
            self.step(dt)

    def why_not(self, name):
        return self.plan.why_not(name)


@pytest.fixture
def up():
    """A world whose nodes are active."""
    world = World()
    world.run(1.0)
    return world


def test_nodes_are_configured_together_and_activated_in_order():
    world = World()
    world.run(2.0)
    assert world.plan.all_active
    assert [n for n, request in world.requests if request == 'activate'] == list(NAMES)
    assert len(world.requests) == 6
    assert not world.plan.found_active


def test_a_later_node_waits_for_an_absent_one_but_not_for_ever():
    world = World(present=('camera', 'brain'))
    world.run(4.0)
    assert ('camera', 'activate') not in world.requests
    world.run(2.0)
    assert world.plan.active == ('camera', 'brain')
    assert world.why_not('driver') == 'not started yet'


def test_a_node_that_fails_keeps_its_reason_is_not_tried_again_and_holds_up_no_other():
    world = World()
    world.failing['driver'] = 'robot.yaml: mass: found -1'
    world.step()
    assert world.plan.stuck == ()  # others are on their way
    world.run(20.0)
    assert world.plan.active == ('camera', 'brain') and world.plan.stuck == ('driver',)
    assert world.why_not('driver') == 'robot.yaml: mass: found -1'
    assert world.requests.count(('driver', 'configure')) == 1
    world.plan.retry(world.now)
    world.failing.clear()
    world.run(1.0)
    assert world.plan.all_active and world.plan.stuck == ()


def test_a_reason_that_comes_after_the_answer_is_taken_too():
    world = World()
    world.failing['camera'] = ''
    world.run(1.0)
    assert world.why_not('camera') == 'configure failed'
    world.plan.on_reason('camera', 'configure failed: no such device')
    assert world.why_not('camera') == 'configure failed: no such device'


def test_a_call_to_a_dead_node_is_abandoned_and_its_late_answer_ignored():
    world = World()
    world.step()
    plan = LifecycleManager(('camera',), TIMING, 0.0)
    plan.on_graph(0.0, ('camera',))
    (query,) = plan.calls(0.0)
    assert plan.calls(0.5) == []
    plan.calls(1.0)
    assert plan.abandoned() == [query]
    plan.on_state(1.1, query, LifecycleState.ACTIVE)
    assert plan.active == ()


def test_a_configure_that_takes_too_long_is_reported_and_its_late_success_is_found():
    world = World()
    world.run(0.1)
    world.mute.add('brain')
    world.states['brain'] = LifecycleState.UNCONFIGURED
    world.run(70.0)
    assert world.why_not('brain') == 'still configuring after 70 s (expected within 60 s)'
    world.mute.clear()
    world.states['brain'] = LifecycleState.ACTIVE
    world.run(2.0)
    assert world.plan.is_active('brain')


def slow(seconds):
    """A world whose brain has not answered its configure for so long."""
    world = World()
    world.mute.add('brain')
    world.states['brain'] = LifecycleState.INACTIVE  # what it will be, once it is done
    world.plan.on_graph(0.0, NAMES)
    (query,) = (call for call in world.plan.calls(0.0) if call.node == 'brain')
    world.plan.on_state(0.0, query, LifecycleState.UNCONFIGURED)
    world.run(seconds)
    return world


def test_a_node_that_is_still_configuring_is_not_a_failed_one_and_is_activated_when_it_is_done():
    world = slow(30.0)
    assert world.why_not('brain') == 'still configuring after 30 s'
    world.run(45.0)
    assert world.why_not('brain') == 'still configuring after 75 s (expected within 60 s)'
    assert world.plan.stuck == ()  # nothing for the operator to fix
    assert world.plan.overdue == ('brain',)
    assert world.requests.count(('brain', 'configure')) == 1
    world.mute.clear()
    world.run(2.0)
    assert world.plan.all_active and world.plan.overdue == ()
    assert world.requests.count(('brain', 'configure')) == 1


def test_a_slow_configure_that_fails_in_the_end_keeps_its_reason():
    world = slow(70.0)
    world.plan.on_reason('brain', 'configure failed: policy.yaml: model: found nothing')
    world.mute.clear()
    world.states['brain'] = LifecycleState.UNCONFIGURED
    world.run(10.0)
    assert world.why_not('brain') == 'configure failed: policy.yaml: model: found nothing'
    assert world.plan.stuck == ('brain',)
    assert world.requests.count(('brain', 'configure')) == 1
    world.plan.retry(world.now)
    world.run(2.0)
    assert world.plan.all_active


def test_a_request_that_was_lost_is_made_again_but_not_for_ever():
    world = slow(70.0)
    world.mute.clear()
    world.states['brain'] = LifecycleState.UNCONFIGURED
    world.run(2.0)
    assert world.plan.all_active
    plan = LifecycleManager(('brain',), TIMING, 0.0)
    plan.on_graph(0.0, ('brain',))
    now, configures = 0.0, 0
    while now < 1000.0:
        for call in plan.calls(now):
            if call.request is LifecycleRequest.STATE:
                plan.on_state(now, call, LifecycleState.UNCONFIGURED)
            else:
                configures += 1
        now += 0.5
    assert configures == 4
    assert plan.why_not('brain') == 'configure was requested 4 times without effect'
    assert plan.stuck == ('brain',)


def test_a_restarted_process_of_a_slow_node_is_configured_anew():
    world = slow(70.0)
    world.plan.on_process(world.now, 'brain', '100')
    world.plan.on_process(world.now, 'brain', '200')
    world.mute.clear()
    world.states['brain'] = LifecycleState.UNCONFIGURED
    world.run(3.0)
    assert world.plan.all_active


def test_a_node_that_left_and_came_back_is_brought_up_again_with_growing_patience(up):
    waits = []
    for _ in range(6):
        up.present.remove('camera')
        up.run(0.5)
        assert up.why_not('camera') == 'gone'
        assert 'camera' in up.plan.restarted()
        up.present.add('camera')
        up.states['camera'] = LifecycleState.UNCONFIGURED
        back = up.now
        while not up.plan.is_active('camera'):
            up.step()
        waits.append(up.now - back)
    assert [round(w) for w in waits] == [1, 1, 2, 4, 4, 4]


def test_a_node_that_flickers_on_the_graph_is_not_lost(up):
    for _ in range(5):
        up.present.remove('camera')
        up.run(0.2)
        up.present.add('camera')
        up.run(0.1)
        assert up.plan.all_active
    assert up.plan.restarted() == []


def test_a_process_replaced_quicker_than_discovery_noticed_is_a_new_one(up):
    up.plan.restarted()
    up.states['camera'] = LifecycleState.UNCONFIGURED
    up.run(4.0)
    assert up.plan.restarted() == ['camera']
    assert up.plan.all_active


def test_a_failed_node_that_was_started_again_is_known_by_its_process_and_tried_again():
    world = World()
    world.failing['camera'] = 'no such device'
    world.plan.on_process(0.0, 'camera', '100')
    world.run(5.0)
    world.failing.clear()
    world.plan.on_process(world.now, 'camera', '100')
    world.run(5.0)
    assert world.why_not('camera') == 'no such device'
    world.plan.on_process(world.now, 'camera', '200')
    world.run(2.0)
    assert world.plan.all_active


def test_a_healthy_node_is_not_disturbed_by_reports_of_its_process():
    world = World()
    world.plan.on_process(0.0, 'camera', '100')
    world.run(1.0)
    assert not world.plan.found_restarted
    world.plan.on_process(world.now, 'camera', '200')
    assert world.plan.all_active
    assert world.plan.found_restarted


def test_a_node_deactivated_by_an_operator_stays_so_until_an_operator_step(up):
    up.states['camera'] = LifecycleState.INACTIVE
    up.run(10.0)
    assert up.why_not('camera') == 'deactivated by another client'
    up.plan.retry(up.now)
    up.run(1.0)
    assert up.plan.all_active


def test_a_finalized_node_needs_a_new_process(up):
    up.states['camera'] = LifecycleState.FINALIZED
    up.run(2.0)
    up.plan.retry(up.now)
    up.run(5.0)
    assert up.why_not('camera') == 'finalized: its process has to be restarted'


def test_nodes_found_active_at_the_first_look_reveal_a_restarted_supervisor():
    world = World(states={'camera': LifecycleState.ACTIVE})
    world.run(2.0)
    assert world.plan.found_active
    assert world.plan.all_active
    assert ('camera', 'configure') not in world.requests


def test_nodes_found_inactive_are_activated():
    world = World(states=dict.fromkeys(NAMES, LifecycleState.INACTIVE))
    world.run(1.0)
    assert world.plan.all_active
    assert not world.plan.found_active


def test_states_in_between_and_unknown_ones_change_nothing():
    plan = LifecycleManager(('camera',), TIMING, 0.0)
    plan.on_graph(0.0, ('camera',))
    for now, state in enumerate((0, 10, 13, 255)):
        (query,) = plan.calls(2.0 * now)
        assert query.request is LifecycleRequest.STATE
        plan.on_state(2.0 * now, query, state)
        assert plan.why_not('camera') == 'does not answer'


def test_the_operator_reads_once_that_a_node_is_late_and_once_that_one_has_failed():
    world = slow(59.0)
    log = BringUpLog(world.plan)
    assert log.new_lines(True) == []
    world.run(5.0)
    assert log.new_lines(True) == [
        'brain is not up: still configuring after 64 s (expected within 60 s). '
        'It is used as soon as it is ready'
    ]
    world.run(5.0)
    assert log.new_lines(True) == []
    world.plan.on_reason('brain', 'configure failed: no model')
    assert log.new_lines(True) == [
        'INACTIVE: brain is not up: configure failed: no model. Fix it (a parameter: ros2 param '
        'set), then: ros2 run vla_supervisor command arm'
    ]
    assert log.new_lines(True) == []

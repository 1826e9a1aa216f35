# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Token, sessions, origins, lease, requests, the feed, stops; without ROS and network."""

import asyncio
import contextlib
import itertools
import json
import math
import threading
import time
from concurrent.futures import Future

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_monitor.dashboard import feed as feed_module
from vla_monitor.dashboard import stops as stops_module
from vla_monitor.dashboard.access import GRACE, SESSION_TIME, Access, Lease, read_token
from vla_monitor.dashboard.feed import Feed
from vla_monitor.dashboard.requests import Answer, Seen, Situation, Step, read_request
from vla_monitor.dashboard.skeleton import Skeleton
from vla_monitor.dashboard.status import dump, number
from vla_monitor.dashboard.stops import Stops
from vla_robot import load_robot
from vla_supervisor.local_stops import LocalStops

TOKEN = 'the-token-of-a-test'


# -- token, sessions, origins ----------------------------------------------------------------------


def test_a_new_token_is_written_for_its_owner_alone_and_kept(tmp_path):
    path = tmp_path / 'new' / 'token'
    token = read_token(path)
    assert len(token) >= 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_token(path) == token


@pytest.mark.parametrize(
    ('case', 'content', 'mode'),
    [
        ('a token file that others may read', 'a' * 32, 0o644),
        ('a token that is too short', 'secret', 0o600),
    ],
)
def test_a_token_that_protects_nothing_is_refused(tmp_path, case, content, mode):
    path = tmp_path / 'token'
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(ConfigError) as error:
        read_token(path)
    documented('Dashboard', case, error.value, tmp_path)
    assert content not in str(error.value)


def test_a_folder_in_the_place_of_the_token_is_one_error(tmp_path):
    with pytest.raises(ConfigError, match='wanted a file that can be read and written'):
        read_token(tmp_path)


def test_the_right_token_alone_makes_a_session_which_expires_and_ends():
    access = Access(TOKEN)
    assert access.login('', 0.0) is None
    assert access.login(TOKEN + 'x', 0.0) is None
    session, other = access.login(TOKEN, 0.0), access.login(TOKEN, 0.0)
    assert session != other
    assert access.is_operator(session, SESSION_TIME - 1.0)
    assert not access.is_operator(session, SESSION_TIME)
    assert not access.is_operator(None, 0.0)
    assert not access.is_operator(TOKEN, 0.0)
    access.logout(other)
    assert not access.is_operator(other, 1.0)
    assert access.is_operator(session, 1.0)


def test_sessions_are_bounded():
    access = Access(TOKEN)
    sessions = [access.login(TOKEN, float(i)) for i in range(100)]
    assert not access.is_operator(sessions[0], 100.0)
    assert access.is_operator(sessions[-1], 100.0)


@pytest.mark.parametrize(
    ('host', 'allowed'),
    [
        ('localhost:8600', True),
        ('127.0.0.1:8600', True),
        ('[::1]:8600', True),
        ('192.168.1.7', True),
        ('robot.lab:80', True),
        ('ROBOT.LAB', True),
        ('evil.example:8600', False),
        ('localhost.evil.example', False),
        ('127.0.0.1.evil.example', False),
        ('', False),
        ('[::1', False),
    ],
)
def test_a_name_that_was_made_to_resolve_to_this_machine_is_not_a_host_of_it(host, allowed):
    assert Access(TOKEN, ['robot.lab']).host_allowed(host) is allowed


@pytest.mark.parametrize(
    ('origin', 'same'),
    [
        ('http://localhost:8600', True),
        ('https://localhost:8600', True),
        ('http://localhost:8601', False),
        ('http://evil.example', False),
        ('http://localhost:8600.evil.example', False),
        ('null', False),
        ('', False),
        ('file://localhost:8600', False),
    ],
)
def test_an_origin_is_that_of_the_page_itself(origin, same):
    assert Access.same_origin(origin, 'localhost:8600') is same


# -- lease -----------------------------------------------------------------------------------------


def test_one_page_holds_the_lease_and_another_takes_it_only_where_nothing_may_move():
    lease = Lease()
    assert not lease.held_by('')
    assert lease.take('a', 'Ann', True, 0.0)
    assert not lease.take('b', 'Bo', True, 1.0)
    assert lease.held_by('a') and lease.name == 'Ann'
    assert lease.take('b', 'Bo', False, 2.0)
    assert lease.held_by('b') and not lease.held_by('a')
    lease.release('a')
    assert lease.held_by('b')
    lease.release('b')
    assert lease.name == '' and not lease.held_by('b')


def test_a_page_that_is_reloaded_keeps_the_lease_and_one_that_stays_away_loses_it():
    lease = Lease()
    lease.take('a', 'Ann', True, 0.0)
    lease.disconnected('a', 10.0)
    assert not lease.expire(10.0 + GRACE - 0.1)
    lease.connected('a')
    assert not lease.expire(100.0)
    assert lease.held_by('a')
    lease.disconnected('a', 100.0)
    assert not lease.take('b', 'Bo', True, 101.0)
    assert lease.take('b', 'Bo', True, 100.0 + GRACE)


@given(
    st.lists(st.tuples(st.sampled_from('tdrc'), st.sampled_from('abc'), st.booleans()), max_size=30)
)
def test_the_lease_never_changes_hands_while_the_robot_may_move_and_its_page_is_there(steps):
    lease, connected = Lease(), {'a', 'b', 'c'}
    for now, (what, page, moving) in enumerate(steps):
        before = next((p for p in 'abc' if lease.held_by(p)), '')
        if what == 't':
            lease.take(page, page, moving, float(now))
        elif what == 'd':
            connected.discard(page)
            lease.disconnected(page, float(now))
        elif what == 'c':
            connected.add(page)
            lease.connected(page)
        else:
            lease.release(page)
        assert sum(lease.held_by(p) for p in 'abc') <= 1
        if what == 't' and moving and before in connected and before:
            assert lease.held_by(before)


# -- requests --------------------------------------------------------------------------------------

STEP = {'op': 'step', 'id': 1, 'step': 'reset', 'seen': {'mode': 'ESTOP', 'epoch': 7, 'causes': []}}


@pytest.mark.parametrize(
    'message',
    [
        '',
        '[]',
        'nan',
        '{"op":"estop"}',
        '{"op":"take"}',
        '{"op":"take","name":""}',
        '{"op":"take","name":"a","more":1}',
        '{"op":"hello","page":"xyz"}',
        '{"op":"checkin","response":-1,"pressed":false,"leaving":false}',
        '{"op":"checkin","response":"1","pressed":"yes","leaving":false}',
        '{"op":"run","id":1,"text":"","time_limit":0}',
        '{"op":"run","id":1,"text":"wave","time_limit":NaN}',
        '{"op":"run","id":1,"text":"wave","time_limit":1e9}',
        json.dumps({'op': 'run', 'id': 1, 'text': 'x' * 1001, 'time_limit': 0}),
        json.dumps(STEP | {'step': 'start'}),
        json.dumps({**STEP, 'seen': {}}),
        '{"op":"take","name":"' + 'x' * 20_000 + '"}',
        '{"op":"take","name":"\ud800"}',
    ],
)
def test_what_is_no_request_is_one_line(message):
    with pytest.raises(ValueError, match='.') as error:
        read_request(message)
    assert '\n' not in str(error.value)


def test_a_step_names_what_its_operator_saw():
    request = read_request(json.dumps(STEP))
    assert isinstance(request, Step)
    assert request.seen.epoch == 7


def test_a_step_is_refused_for_what_its_operator_has_not_seen():
    now = Situation('ESTOP', 7, ('fall (supervisor)', 'estop_request (operator)'))
    seen = Seen(mode='ESTOP', epoch=7, causes=['estop_request (operator)', 'fall (supervisor)'])
    assert now.changed_since(seen) == ''
    assert Situation('ESTOP', 7, ()).changed_since(seen) == '', 'what is gone is no news'
    fewer = Seen(mode='ESTOP', epoch=7, causes=['estop_request (operator)'])
    assert now.changed_since(fewer) == 'new causes since: fall (supervisor)'
    assert 'stopped again' in Situation('ESTOP', 8, ()).changed_since(seen)
    assert 'READY now' in Situation('READY', 7, ()).changed_since(seen)


def test_numbers_that_json_does_not_have_are_null():
    assert [number(v) for v in (math.nan, math.inf, 0.12345)] == [None, None, 0.1235]
    with pytest.raises(ValueError, match='JSON'):
        dump({'forgotten': math.nan})


# -- the feed --------------------------------------------------------------------------------------


def served(feed: Feed, send, seconds: float = 0.2, during=lambda: None):
    async def run():
        feed.bind(asyncio.get_running_loop())
        task = asyncio.create_task(feed.serve(send))
        await asyncio.sleep(0.01)
        await asyncio.to_thread(during)
        await asyncio.sleep(seconds)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(run())


def test_a_viewer_gets_what_was_there_and_what_comes():
    feed, got = Feed(), []

    async def send(content):
        got.append(content)

    feed.put('robot', 'R')
    served(feed, send, during=lambda: feed.put('state', 'S'))
    assert got == ['R', 'S']
    assert feed.viewers == 0


def test_a_slow_viewer_gets_the_newest_and_nothing_waits_for_it():
    feed, got = Feed(), []
    release = threading.Event()

    async def send(content):
        while not release.is_set():
            await asyncio.sleep(0.005)
        got.append(content)

    def during():
        for i in range(10_000):
            feed.put('state', f'{i}')
        release.set()

    feed.put('state', 'first')
    served(feed, send, during=during)
    assert got[0] == 'first', 'that which was being sent'
    assert got[-1] == '9999'
    assert len(got) <= 3


def test_a_viewer_that_reads_nothing_is_given_up_and_delays_no_other(monkeypatch):
    monkeypatch.setattr(feed_module, 'SLOWEST_SEND', 0.1)
    feed, got = Feed(), []

    async def never(_content):
        await asyncio.sleep(60.0)

    async def send(content):
        got.append(content)

    async def run():
        feed.bind(asyncio.get_running_loop())
        feed.put('state', 'a')
        stuck, good = asyncio.create_task(feed.serve(never)), asyncio.create_task(feed.serve(send))
        await asyncio.sleep(0.02)
        feed.put('state', 'b')
        await asyncio.sleep(0.02)
        assert got == ['a', 'b']
        with pytest.raises(TimeoutError):
            await stuck
        good.cancel()

    asyncio.run(run())


def test_values_put_after_the_loop_ended_are_kept_for_the_next_one():
    feed = Feed()
    asyncio.run(asyncio.sleep(0))
    feed.put('state', 'x')
    got = []

    async def send(content):
        got.append(content)

    served(feed, send, 0.02)
    feed.put('state', 'y')
    served(feed, send, 0.02)
    assert got == ['x', 'y']


# -- stops -----------------------------------------------------------------------------------------

DOMAINS = itertools.count(90_000)


def never_answered(_step: str) -> Future:
    return Future()


def test_a_stop_reaches_the_supervisors_socket_once_however_often_it_is_pressed():
    domain = next(DOMAINS)
    served_stops = []
    stops = Stops(domain, never_answered)
    first = stops.request('estop')
    assert stops.request('estop') is first
    assert stops.pending == ('estop',)
    local = LocalStops(domain)
    deadline = time.monotonic() + 10.0
    while not first.done() and time.monotonic() < deadline:
        for step, sender in local.requests():
            served_stops.append(step)
            local.answer(sender, {'success': True, 'message': 'mode ESTOP'})
        time.sleep(0.005)
    local.close()
    assert first.result(1.0) == Answer(True, 'mode ESTOP')
    assert set(served_stops) == {'estop'}
    assert stops.pending == ()


def test_a_stop_is_granted_by_the_service_of_another_machine():
    def call(step: str) -> Future:
        done: Future = Future()
        done.set_result(Answer(True, f'{step} by service'))
        return done

    answer = Stops(next(DOMAINS), call).request('safe_stop').result(10.0)
    assert answer == Answer(True, 'safe_stop by service')


def test_a_refused_stop_is_repeated_until_it_is_granted(monkeypatch):
    answers = [Answer(False, 'not active'), Answer(False, 'not active'), Answer(True, 'mode ESTOP')]

    def call(_step: str) -> Future:
        done: Future = Future()
        done.set_result(answers.pop(0))
        return done

    assert Stops(next(DOMAINS), call).request('estop').result(10.0).success
    assert not answers


def test_a_stop_without_any_supervisor_ends_and_reports_it(monkeypatch):
    monkeypatch.setattr(stops_module, 'PATIENCE', 0.2)
    answer = Stops(next(DOMAINS), never_answered).request('estop').result(10.0)
    assert answer.success is None
    assert 'did not answer' in answer.message


# -- the robot as points ---------------------------------------------------------------------------


@pytest.fixture(scope='module')
def skeleton():
    return Skeleton(load_robot('humanoid32'))


def test_the_links_form_one_tree_of_which_the_feet_stand_on_the_ground(skeleton):
    robot = load_robot('humanoid32')
    values = skeleton.description()
    assert values['joints'] == list(robot.joint_names)
    assert len(values['links']) > robot.n
    assert len(values['bones']) == len(values['links']) - 1
    assert all(a < b for a, b in values['bones'])
    assert skeleton.joints(robot.joint_names, robot.poses['ready'])
    points = np.array(skeleton.points(None, None), float)
    assert points.shape == (len(values['links']), 3)
    assert points[:, 2].min() == 0.0
    assert 1.0 < points[:, 2].max() < 2.5


def test_the_points_lean_with_the_base_and_follow_the_centre_of_mass(skeleton):
    robot = load_robot('humanoid32')
    skeleton.joints(robot.joint_names, np.zeros(robot.n))
    com = np.array([0.1, 0.2, 0.9])
    upright = np.array(skeleton.points(np.array([1.0, 0, 0, 0]), com), float)
    turned = np.array(skeleton.points(np.array([0.7, 0, 0, 0.7]), com), float)
    np.testing.assert_allclose(upright, turned, atol=2e-3)  # its heading is the frame's
    leaning = np.array(skeleton.points(np.array([math.cos(0.2), 0, math.sin(0.2), 0]), com), float)
    assert leaning[:, 2].max() < upright[:, 2].max()
    assert np.ptp(leaning[:, 0]) > np.ptp(upright[:, 0]) + 0.2


def test_joints_of_another_robot_and_nan_draw_nothing(skeleton):
    with pytest.raises(KeyError):
        skeleton.joints(['elbow'], [0.0])
    robot = load_robot('humanoid32')
    values = np.zeros(robot.n)
    values[3] = math.nan
    assert skeleton.joints(robot.joint_names, values)[3] is None
    assert skeleton.points(None, None) == []

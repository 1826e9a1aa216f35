# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Preflight: each check on a good robot and on one that is wrong in one way."""

import dataclasses
import math
import pathlib
import shutil
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from vla_common.cameras import heartbeat_topic
from vla_common.errors import ConfigError
from vla_common.parameter_files import NODES, effective
from vla_common.parameters import ParameterSchema
from vla_common.preflight_record import CheckState, Moment, PreflightRecord
from vla_common.states import Behaviour, Mode
from vla_robot import load_robot
from vla_validation.preflight import catalogue, command, graph
from vla_validation.preflight.catalogue import CHECKS, Checklist, Needs
from vla_validation.preflight.observed import CameraSeen, Exercise, Observed
from vla_validation.preflight.subject import Subject

ROOT = pathlib.Path(__file__).resolve().parents[3]
PASS, FAIL, CHECK = CheckState
NOW = Moment(1_000_000.0, 5_000.0, 'a boot')


@pytest.fixture(scope='module')
def shipped():
    """Parameters by node, as config/ has them, with the scripted bundle of the source tree."""
    schemas = {node: ParameterSchema.load(package, node) for node, package in NODES.items()}
    found = effective(schemas, ROOT / 'config')
    values = {node: {k: s.value for k, s in settings.items()} for node, settings in found.items()}
    values['inference']['policy'] = str(ROOT / 'models' / 'scripted')
    return values


def with_values(values, **changed):
    """Some parameters changed: node={name: value}."""
    return {node: {**found, **changed.get(node, {})} for node, found in values.items()}


@pytest.fixture
def subject(shipped):
    return Subject(shipped)


@pytest.fixture
def real(shipped):
    """The same, as a robot that is not simulated."""
    return Subject(with_values(shipped, hardware_driver={'driver': 'topics'}))


@pytest.fixture(scope='module')
def good(shipped):
    """What a robot looks like that is fit to move."""
    robot = load_robot('humanoid32')
    subject = Subject(shipped)
    return Observed(
        mode='INACTIVE',
        nodes_active=subject.nodes,
        joint_rate=200.0,
        joint_age=0.002,
        positions=dict(zip(robot.joint_names, robot.poses['standing'].tolist(), strict=True)),
        cameras={'camera': CameraSeen(16.0, 0.05, 320, 240, 300.0, (160.0, 120.0))},
        publishers={heartbeat_topic(node): 1 for node in subject.nodes},
        values={
            'supervisor': {'configuration': subject.digests()['configuration']},
            'recorder': {'': 'recording, 0 messages dropped or lost', 'session': '/tmp/a'},
        },
        exercised=(Exercise('estop: damped after', 0.01, 0.3), Exercise('watchdog', 0.1, 0.6)),
    )


def result_of(name, subject, seen):
    check = (catalogue.BY_NAME[name],)
    return command.examine(subject, seen, None, lambda: NOW, checks=check)[0]


ONLINE = [c.name for c in CHECKS if c.needs in (Needs.GRAPH, Needs.EXERCISE)]
SHORT = [c for c in CHECKS if c.name not in ('computer', 'disk')]  # not of this computer


def test_a_good_robot_passes_every_check_and_its_record_permits_motion(subject, good):
    found = command.examine(subject, good, None, lambda: NOW, checks=SHORT)
    assert [c for c in found if c.result is not PASS] == []
    record = PreflightRecord('humanoid32', subject.digests(), tuple(found))
    assert record.why_not(subject.digests(), NOW) == ''


def moved(good, name, value):
    return {'positions': {**good.positions, name: value}}


WRONG = {
    'same_configuration': lambda g: {'values': {'supervisor': {'configuration': 'other'}}},
    'nodes_active': lambda g: {'nodes_missing': ('camera: not on the graph',)},
    'robot_connection': lambda g: {'joint_rate': 120.0},
    'joint_order': lambda g: {'positions': dict(reversed(g.positions.items()))},
    'joint_limits': lambda g: moved(g, next(iter(g.positions)), 57.0),
    'temperatures': lambda g: {'values': {'hardware_driver': {'temperature.left_elbow': '81 C'}}},
    'battery': lambda g: {'battery': (0.2, 23.1)},
    'cameras': lambda g: {'cameras': {'camera': CameraSeen(3.0, 0.05, 320, 240, 0.0, (0.0, 0.0))}},
    'endpoints': None,  # below: of a real robot only
    'watchdogs': lambda g: {'publishers': {**g.publishers, '/hardware/status': 2}},
    'recording': lambda g: {'values': {'recorder': {'': 'not recording: disk full'}}},
    'estop': lambda g: {'exercised': (Exercise('estop: damped after', None, 0.3),)},
    'watchdogs_tripped': lambda g: {'exercised': (Exercise('watchdog of camera', 0.7, 0.6),)},
}


def test_every_check_of_the_running_robot_has_a_case_that_fails():
    assert list(WRONG) == ONLINE


@pytest.mark.parametrize('name', [name for name, change in WRONG.items() if change])
def test_a_robot_that_is_wrong_in_one_way_fails_that_check(name, subject, good):
    seen = dataclasses.replace(good, **WRONG[name](good))
    found = result_of(name, subject, seen)
    assert found.result is FAIL, found
    assert found.evidence
    assert found.remedy


@pytest.mark.parametrize(
    ('name', 'change', 'evidence'),
    [
        ('nodes_active', {'nodes_active': ('camera',)}, 'not supervised'),
        ('robot_connection', {'fault': 'bus off'}, 'bus off'),
        ('robot_connection', {'errors': 3}, '3 errors'),
        ('joint_order', {'positions': {'elbow': 0.0}}, "unknown: ['elbow']"),
        ('joint_limits', {'positions': {}}, 'no joint was read'),
        ('cameras', {'cameras': {}}, 'no image arrived'),
        (
            'cameras',
            {'cameras': {'camera': CameraSeen(16.0, 0.05, 640, 480, 300.0, (160.0, 120.0))}},
            'its calibration is of another size',
        ),
        (
            'cameras',
            {'cameras': {'camera': CameraSeen(16.0, 0.9, 320, 240, 300.0, (160.0, 120.0))}},
            '900 ms old',
        ),
        ('battery', {'battery': (0.1, 20.0)}, '10%'),
        ('temperatures', {'values': {'d': {'temperature': 'hot'}}}, "'hot'"),
        ('recording', {'values': {}}, 'no recorder runs'),
        ('recording', {'lost': 70}, '70 messages were lost'),
    ],
)
def test_the_evidence_names_what_is_wrong(name, change, evidence, subject, good):
    found = result_of(name, subject, dataclasses.replace(good, **change))
    assert (found.result, evidence in found.evidence) == (FAIL, True), found


def test_a_position_that_is_no_number_fails(subject, good):
    name = next(iter(good.positions))
    seen = dataclasses.replace(good, **moved(good, name, math.nan))
    assert result_of('joint_limits', subject, seen).result is FAIL


def test_a_real_robot_needs_an_endpoint_and_people(real, good):
    assert result_of('endpoints', real, good).result is FAIL
    found = command.examine(real, good, None, lambda: NOW, checks=SHORT)
    people = {c.name for c in found if c.result is CHECK}
    assert people >= {'hardware_estop', 'area_clear', 'battery', 'temperatures', 'stage', 'network'}


def test_what_does_not_run_is_named_with_what_to_start(subject):
    seen = Observed(absent='no supervisor publishes in ROS domain 7')
    found = {c.name: c for c in command.examine(subject, seen, None, lambda: NOW, checks=SHORT)}
    for name in ONLINE:
        assert (found[name].result, found[name].evidence) == (FAIL, seen.absent)
        assert 'ros2 launch vla_bringup humanoid.launch.py' in found[name].remedy


def test_offline_only_the_files_are_checked(subject):
    found = command.examine(subject, None, None, lambda: NOW, checks=SHORT)
    assert {c.name for c in found} == {c.name for c in SHORT if c.needs is Needs.FILES}
    assert all(c.result is PASS for c in found)


# -- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('node', 'change', 'name', 'evidence'),
    [
        ('safety_filter', {'limits.velocity_fraction': 1.5}, 'safety_limits', 'velocity_fraction'),
        ('safety_filter', {'workspace.upper': [0.1, 0.1, 0.1]}, 'safety_limits', 'out of work'),
        ('safety_filter', {'workspace.lower': [9, 0, 0]}, 'safety_limits', 'is not below'),
        ('safety_filter', {'chunk.max_age': 0.2}, 'bundle_latency', 'leaves -0.100 s'),
        ('inference', {'policy': '/nowhere/bundle'}, 'bundle_hashed', 'no policy.yaml'),
        ('inference', {'policy': '/nowhere/bundle'}, 'bundle_loads', 'no policy.yaml'),
        ('inference', {'policy': '/nowhere/bundle'}, 'bundle_verified', 'no policy.yaml'),
    ],
)
def test_a_file_or_value_that_is_wrong_fails(shipped, node, change, name, evidence):
    subject = Subject(with_values(shipped, **{node: change}))
    found = result_of(name, subject, None)
    assert (found.result, evidence in found.evidence) == (FAIL, True), found


def test_a_byte_changed_in_the_bundle_fails_by_its_name(shipped, tmp_path):
    bundle = tmp_path / 'bundle'
    shutil.copytree(ROOT / 'models' / 'humanoid_vla', bundle)
    model = next(bundle.glob('*.onnx'))
    model.write_bytes(model.read_bytes() + b'x')
    subject = Subject(with_values(shipped, inference={'policy': str(bundle)}))
    for name in ('bundle_hashed', 'bundle_loads'):
        found = result_of(name, subject, None)
        assert (found.result, model.name in found.evidence) == (FAIL, True), found


def test_a_policy_server_is_for_a_person(shipped):
    subject = Subject(with_values(shipped, inference={'policy': 'ws://localhost:1'}))
    assert result_of('bundle_hashed', subject, None).result is CHECK
    assert subject.digests()['bundle']


def test_an_instruction_is_no_part_of_the_configuration_and_a_limit_is(shipped):
    digest = Subject(shipped).digests()['configuration']
    same = with_values(shipped, inference={'instruction': 'wave'}, recorder={'budget': 1.0})
    other = with_values(shipped, safety_filter={'limits.power': 1.0})
    assert Subject(same).digests()['configuration'] == digest
    assert Subject(other).digests()['configuration'] != digest


# -- records --------------------------------------------------------------------------------------


def record_of(subject, seen):
    found = command.examine(subject, seen, None, lambda: NOW, checks=SHORT)
    return PreflightRecord('humanoid32', subject.digests(), tuple(found))


def test_an_exercise_and_a_confirmation_are_kept_until_they_expire(real, good):
    record = command.confirm(record_of(real, good), 'area_clear', 'Ada', True, NOW)
    without = dataclasses.replace(good, exercised=())

    def after(seconds):
        later = Moment(NOW.wall + seconds, NOW.uptime + seconds, NOW.boot)
        found = command.examine(real, without, record, lambda: later, checks=SHORT)
        return {c.name: c.result for c in found}

    soon = after(3599.0)
    assert (soon['area_clear'], soon['estop'], soon['hardware_estop']) == (PASS, PASS, CHECK)
    later = after(3601.0)
    assert (later['area_clear'], later['estop']) == (CHECK, PASS)
    assert after(12 * 3600 + 1.0)['estop'] is FAIL
    assert after(-10.0)['area_clear'] is CHECK, 'the clock was set back'


def test_what_was_found_wrong_since_is_not_covered_by_an_old_confirmation(real, good):
    record = command.confirm(record_of(real, good), 'battery', 'Ada', True, NOW)
    empty = dataclasses.replace(good, battery=(0.1, 20.0))
    found = command.examine(real, empty, record, lambda: NOW, checks=SHORT)
    assert next(c for c in found if c.name == 'battery').result is FAIL


def test_a_confirmation_names_the_person_and_whether_it_was_a_script(real, good):
    record = record_of(real, good)
    for terminal, text in (
        (True, '(confirmed by Ada)'),
        (False, '(confirmed by Ada, by a program: no terminal)'),
    ):
        found = command.confirm(record, 'area_clear', 'Ada', terminal, NOW)
        check = next(c for c in found.checks if c.name == 'area_clear')
        assert (check.result, check.confirmed_by) == (PASS, 'Ada')
        assert check.evidence == f'not confirmed {text}'
    again = command.confirm(found, 'area_clear', 'Bob', True, NOW)
    check = next(c for c in again.checks if c.name == 'area_clear')
    assert check.evidence == 'not confirmed (confirmed by Bob)'


@pytest.mark.parametrize('name', ['endpoints', 'nodes_active', 'nonsense'])
def test_a_person_cannot_confirm_what_a_program_decides(real, good, name):
    with pytest.raises(ConfigError, match=f'--confirm: found {name}'):
        command.confirm(record_of(real, good), name, 'Ada', True, NOW)


def test_a_record_is_read_back_as_it_was_written(tmp_path, subject, good):
    record = record_of(subject, good)
    record.write(tmp_path / 'deep' / 'record.json')
    assert PreflightRecord.read(tmp_path / 'deep' / 'record.json') == record


@pytest.mark.parametrize(
    'given', [['--confirm', 'a'], ['--offline', '--exercise'], ['--by', ' ', '--confirm', 'a']]
)
def test_options_that_make_no_sense_are_refused(given, capsys):
    with pytest.raises(SystemExit) as end:
        command.main(given)
    assert end.value.code == 2


# -- the exercise ---------------------------------------------------------------------------------


class Robot:
    """A RobotClient whose robot obeys at once, or not."""

    def __init__(self, mode=Mode.INACTIVE, damps=True, notices=True, resets=True, late=0):
        self.mode, self.called, self.late = mode, [], late
        self.state = SimpleNamespace(nodes_missing=[])
        self.damps, self.notices, self.resets = damps, notices, resets
        self.frozen = []

    def add_listener(self, listener):
        self.listener = listener

    def remove_listener(self, listener):
        assert self.listener == listener

    def report(self, second, **fields):
        stamp = SimpleNamespace(sec=second, nanosec=0)
        self.listener(SimpleNamespace(header=SimpleNamespace(stamp=stamp), **fields))

    def call(self, service):
        self.called.append(service)
        if service == '/supervisor/estop':
            self.mode = Mode.ESTOP
            self.report(99, behaviour=Behaviour.HOLD)
            self.report(100, mode=Mode.ESTOP)
            if self.damps:
                self.report(100 + self.late, behaviour=Behaviour.DAMP)
        if service == '/supervisor/reset' and self.resets:
            self.mode = Mode.INACTIVE
        return service != '/supervisor/reset' or self.resets, 'because'

    def poll_until(self, condition, timeout):
        for _ in range(100):  # a signal takes a moment
            stopped = [node for node, process in self.frozen if state_of(process.pid) == 'T']
            self.state.nodes_missing = [f'{node}: stopped' for node in stopped if self.notices]
            if condition():
                return True
            time.sleep(0.005)
        return False


def state_of(pid):
    return pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0]


@pytest.fixture
def processes(subject):
    """A process for each node."""
    made = {
        node: subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)
        for node in subject.nodes
    }
    yield made
    for process in made.values():
        process.kill()
        process.communicate()


def exercised(robot, subject, processes):
    robot.frozen = list(processes.items())
    pids = {node: process.pid for node, process in processes.items()}
    return graph.exercise_stops(robot, subject, pids, lambda text: None)


def test_the_exercise_damps_freezes_every_node_and_resets(subject, processes):
    robot = Robot()
    found = exercised(robot, subject, processes)
    assert [e.good for e in found] == [True] * (len(subject.nodes) + 2)
    assert robot.mode is Mode.INACTIVE
    assert {state_of(p.pid) for p in processes.values()} <= {'S', 'R'}, 'all continue'
    assert '/supervisor/arm' not in robot.called


@pytest.mark.parametrize('mode', [Mode.RUNNING, Mode.ESTOP])
def test_a_running_or_stopped_robot_is_not_exercised(subject, processes, mode):
    robot = Robot(mode)
    assert not any(e.good for e in exercised(robot, subject, processes))
    assert robot.called == []


def test_a_robot_that_does_not_damp_fails_and_nothing_is_frozen(subject, processes):
    found = exercised(Robot(damps=False), subject, processes)
    assert [e.good for e in found] == [False]


def test_a_robot_that_damps_late_fails(subject, processes):
    found = exercised(Robot(late=1), subject, processes)
    assert (found[0].good, str(found[0])) == (False, 'estop: damped after 1000 ms (limit 300)')


def test_a_watchdog_that_misses_nothing_fails(subject, processes):
    found = exercised(Robot(notices=False), subject, processes)
    assert {e.name.split()[0]: e.good for e in found} == {'estop:': True, 'watchdog': False}


def test_an_estop_that_stays_latched_is_reported(subject, processes, monkeypatch):
    monkeypatch.setattr(graph, 'RESET_WITHIN', 0.2)
    found = exercised(Robot(resets=False), subject, processes)
    assert (found[-1].good, 'because' in str(found[-1])) == (False, True)


def test_the_driver_of_a_real_robot_is_not_frozen(real, processes):
    robot = Robot()
    names = [e.name for e in exercised(robot, real, processes)]
    assert not [name for name in names if 'hardware_driver' in name]
    assert '/sim/reset' not in robot.called


# -- the page -------------------------------------------------------------------------------------


def test_the_checklists_of_the_guide_are_the_table():
    """python -m vla_validation.preflight.catalogue prints them."""
    page = (ROOT / 'docs' / 'preflight.md').read_text(encoding='utf-8')
    begin, end = '<!-- checklists: begin -->\n', '<!-- checklists: end -->'
    assert page.partition(begin)[2].partition(end)[0] == catalogue.markdown()
    for name in Checklist:
        assert any(name in check.lists for check in CHECKS)
    assert all(check.lists and check.remedy and check.valid_for > 0 for check in CHECKS)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The driver contract: kept by ours, and each clause broken by drivers made to break it."""

import functools
import json
from dataclasses import replace

import pytest
from broken_drivers import BROKEN, FeedsTheWatchdog, GoodDriver, Wire

from vla_common.clock import ManualClock
from vla_common.parameters import ParameterSchema
from vla_hardware.doubles import DOUBLES
from vla_hardware.doubles.in_process import InProcess
from vla_hardware.drivers import DRIVERS
from vla_hardware.drivers.mock import MockDriver
from vla_hardware.drivers.so101 import So101Driver
from vla_hardware.drivers.topic_state import TopicConfig
from vla_hardware.drivers.unitree import driver as unitree
from vla_hardware.drivers.unitree.config import G1Config
from vla_hardware.drivers.ur import driver as ur
from vla_hardware.drivers.ur.config import UrConfig
from vla_hardware.drivers.xarm import driver as xarm
from vla_hardware.drivers.xarm.config import XArmConfig
from vla_hardware.limits import ServoLimits
from vla_robot import load_robot
from vla_validation.driver_contract import command, faults, operation
from vla_validation.driver_contract.clauses import CLAUSES
from vla_validation.driver_contract.rig import Pace, Rig
from vla_validation.fuzz.small_robot import write_small_robot

BY_NAME = {clause.name: clause for clause in CLAUSES}


@pytest.fixture(scope='module')
def robot(tmp_path_factory):
    directory = tmp_path_factory.mktemp('robots') / 'smallbot'
    write_small_robot(directory)
    return load_robot(str(directory))


def rig(robot, folder, kind=GoodDriver, clock=None) -> Rig:
    clock = clock or ManualClock(100.0)
    kind.wire = double = Wire(robot, clock)
    limits = ServoLimits.load()
    params = ParameterSchema.load('vla_hardware').defaults(**vars(limits))
    return Rig('test', kind, robot, double, params, limits, clock, folder, pulls=2)


def outcome(made: Rig, *clauses: str) -> dict[str, tuple[str, str]]:
    chosen = [BY_NAME[name] for name in clauses or BY_NAME]
    rows = command.examine(made, chosen)
    return {clause.name: (result, detail) for clause, result, detail in rows}


def test_a_driver_behind_a_wire_keeps_every_clause(robot, tmp_path):
    found = outcome(rig(robot, tmp_path))
    assert found.pop('gripper') == ('skipped', 'the robot has no gripper')
    assert {name: found[name] for name in found if found[name][0] != 'passed'} == {}
    found['gripper'] = ('skipped', '')
    assert set(found) == set(BY_NAME)


@pytest.mark.parametrize(
    ('clause', 'kind'),
    [(clause, kind) for clause, kinds in BROKEN.items() for kind in kinds],
    ids=lambda value: getattr(value, '__name__', value),
)
def test_a_driver_that_breaks_a_clause_fails_it(clause, kind, robot, tmp_path):
    clock = Pace() if kind is FeedsTheWatchdog else None  # it has a thread
    made = rig(load_robot('panda') if clause == 'gripper' else robot, tmp_path, kind, clock)
    if clause == 'gripper':
        made.double = InProcess.start(made.robot, tmp_path)
    result, detail = outcome(made, clause)[clause]
    assert result == 'failed', detail
    assert not detail.startswith(('TypeError', 'AttributeError', 'NameError')), detail


def test_each_clause_has_a_driver_that_breaks_it():
    assert set(BROKEN) == set(BY_NAME)


def test_the_mock_keeps_the_contract_and_what_has_no_wire_is_skipped(robot, tmp_path):
    made = rig(robot, tmp_path)
    made.kind, made.double = MockDriver, InProcess.start(robot, tmp_path)
    found = outcome(made)
    skipped = {name for name, (result, _) in found.items() if result == 'skipped'}
    assert skipped == {'stale', 'errors', 'gripper'}
    assert {name: found[name] for name in found if found[name][0] == 'failed'} == {}


@pytest.mark.parametrize('name', ['mock', 'mujoco'])
def test_a_gripper_outlasts_every_stop(name, tmp_path):
    made = rig(load_robot('panda'), tmp_path)
    made.kind, made.double = (
        DRIVERS.load(name, 'test', 'driver'),
        InProcess.start(made.robot, tmp_path),
    )
    found = outcome(made, 'first_command', 'stop', 'gripper')
    assert {clause: found[clause] for clause in found if found[clause][0] != 'passed'} == {}


def test_the_simulated_robot_keeps_the_contract(robot, tmp_path):
    from vla_hardware.drivers.mujoco import MujocoDriver

    made = rig(robot, tmp_path)
    made.kind, made.double = MujocoDriver, InProcess.start(robot, tmp_path)
    found = outcome(made, *(name for name in BY_NAME if name != 'cost'))
    assert {name: found[name] for name in found if found[name][0] == 'failed'} == {}
    assert made.simulated


def _older(load, change, kind, *arguments):
    return replace(load(kind, *arguments), max_age=0.6, **change)


@pytest.fixture
def patient(monkeypatch):
    """For doubles in processes of their own, on a machine that keeps them from running: what is
    done, not how fast. The command measures that."""
    for name, value in {'STALE': 1.2, 'STOPPED': 3.0, 'PULLED_MS': 5000.0}.items():
        monkeypatch.setattr(faults, name, value)
    monkeypatch.setattr(operation, 'ERRORS', 1.0)
    monkeypatch.setattr(operation, 'EXCHANGE', 100.0)
    # A cycle that comes late counts for less time in the servo loop than has passed.
    monkeypatch.setattr(operation, 'RISEN', 2.0)
    configs = {TopicConfig: {}, G1Config: {}, UrConfig: {'deadline': 5.0}, XArmConfig: {}}
    for config, change in configs.items():
        load = config.load.__func__
        older = functools.partial(_older, load, change)
        monkeypatch.setattr(config, 'load', classmethod(older))
    for name, seconds in {'SILENT': 2.0, 'STARTED': 10.0, 'FIRST_STATE': 10.0}.items():
        monkeypatch.setattr(ur, name, seconds)
    for name, seconds in {
        'SILENT': 2.0,
        'ANSWER': 10.0,
        'ENTERED': 10.0,
        'FIRST_REPORTS': 10.0,
    }.items():
        monkeypatch.setattr(xarm, name, seconds)
    for name, seconds in {'CONNECT': 60.0, 'FIRST_STATE': 10.0, 'MATCHED': 10.0}.items():
        monkeypatch.setattr(unitree, name, seconds)
    monkeypatch.setattr(operation, 'CONNECT', 60.0)
    monkeypatch.setattr(command, 'LONGEST', 600.0)
    make = So101Driver.__init__
    patiently = functools.partialmethod(make, oldest=0.6, answer=0.3)
    monkeypatch.setattr(So101Driver, '__init__', patiently)
    return {
        'read_deadline': 1.0,
        'errors_to_fault': 10,
        'command_timeout': 5.0,
        'supervisor_timeout': 5.0,
    }


OURS = {'topics': '', 'so101': '', 'unitree': 'unitree_g1_upper', 'ur': 'ur5e', 'xarm': 'xarm7'}
"""The robot directory of each; '' for the small one."""


@pytest.mark.parametrize('name', OURS)
def test_a_driver_of_ours_keeps_the_contract_against_its_double(name, robot, tmp_path, patient):
    robot = load_robot(OURS[name]) if OURS[name] else robot
    kind = DRIVERS.load(name, 'test', 'driver')
    double = DOUBLES.load(name, 'test', 'driver').start(robot, tmp_path)
    try:
        limits = ServoLimits.load()
        params = ParameterSchema.load('vla_hardware').defaults(**vars(limits), **double.params)
        made = Rig(name, kind, robot, double, params, limits, Pace(), tmp_path, pulls=1)
        made.limits = replace(made.limits, **patient)
        found = outcome(made, *(clause for clause in BY_NAME if clause not in ('stale', 'cost')))
    finally:
        double.close()
    assert found.pop('gripper') == ('skipped', 'the robot has no gripper')
    assert {clause: row for clause, row in found.items() if row[0] != 'passed'} == {}
    assert len(found) == len(BY_NAME) - 3


def test_a_clause_that_hangs_fails_and_ends_the_test(robot, tmp_path, monkeypatch):
    class Hangs(GoodDriver):
        def connect(self):
            import time

            time.sleep(60.0)

    monkeypatch.setattr(command, 'LONGEST', 0.2)
    monkeypatch.setattr(command, 'PULL', 0.0)
    found = outcome(rig(robot, tmp_path, Hangs))
    assert list(found) == ['connect']
    assert found['connect'][0] == 'failed'


def test_the_command_reports_what_the_guide_promises(robot, capsys):
    status = command.main(
        [
            '--driver',
            'mock',
            '--robot',
            str(robot.directory),
            '--only',
            'connect',
            'stale',
            '--json',
        ]
    )
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert status == 0
    assert (result['driver'], result['passed'], result['failed']) == ('mock', 1, 0)
    assert result['counterpart'] == InProcess.what
    assert set(result['cable_pull_ms']) >= {'p50', 'p99', 'n'}
    assert 'cpu_percent' in result


def test_a_driver_without_a_double_is_not_tested_on_the_robot_unasked(capsys, monkeypatch):
    monkeypatch.setitem(DRIVERS._built_in, 'arm', 'vla_hardware.drivers.mock:MockDriver')
    assert command.main(['--driver', 'arm', '--json']) == 2
    assert '--on-robot' in json.loads(capsys.readouterr().out)['error']

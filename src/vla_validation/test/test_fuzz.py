# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The short form of `ros2 run vla_validation fuzz`, and that it can find something."""

import json
import os
import sys
from pathlib import Path

import planted_subjects as planted
import pytest

from vla_balance.assessment import BalanceAssessment, BalanceVerdict
from vla_common import parameter_files
from vla_common.registry import load_object
from vla_common.stamps import StampSequence
from vla_common.states import Level
from vla_common.yaml_file import ConfigReader
from vla_hardware.command_gate import CommandGate
from vla_safety.supervisor_command import MotionGate
from vla_supervisor.core import Supervisor
from vla_validation.fuzz import command
from vla_validation.fuzz.command import SUBJECTS, fuzz, main
from vla_validation.fuzz.outcome import Outcome

PLANTED = {'planted': 'planted_subjects:Planted'}


@pytest.fixture
def workers_find_this_folder(monkeypatch):
    here, before = str(Path(__file__).parent), os.environ.get('PYTHONPATH', '')
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join([here, before]))


@pytest.fixture(autouse=True)
def logs_of_mujoco_go_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def last_line(capsys):
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def test_a_few_hundred_cases_work_or_are_refused_by_name(capsys):
    assert main(['--cases', '320', '--jobs', '1', '--json']) == 0
    result = last_line(capsys)
    assert result == {
        'cases': 320,
        'silent': 0,
        'tracebacks': 0,
        'hangs': 0,
        'unexpected_motion': 0,
        'findings': [],
    }


def test_planted_mistakes_are_found_and_the_next_case_runs(workers_find_this_folder, capsys):
    findings = fuzz(10, 0, PLANTED, 2, sys.stderr, longest=3.0)
    found = {each['seed']: each['outcome'] for each in findings.found}
    assert found == {
        planted.SILENT: 'silent',
        planted.TRACEBACK: 'traceback',
        planted.HANG: 'hang',
        planted.MOTION: 'unexpected_motion',
        planted.DIES: 'traceback',
        planted.ACCEPTED: 'silent',
        planted.LONG: 'traceback',
        planted.CRASHES: 'traceback',
    }
    result = findings.result()
    counts = [result[key] for key in command.COUNTS]
    assert (result['cases'], counts) == (10, [2, 4, 1, 1])
    details = {each['seed']: each['detail'] for each in result['findings']}
    assert details[planted.DIES].startswith('the process ended with 3')
    assert 'Segmentation fault' in details[planted.CRASHES]
    assert 'planted_subjects.py' in details[planted.TRACEBACK]
    error = capsys.readouterr().err
    assert f'traceback: --only planted --seed {planted.TRACEBACK} --cases 1: mistake' in error


def test_a_finding_is_exit_status_1_and_is_repeated_by_its_seed(
    workers_find_this_folder, monkeypatch, capsys
):
    monkeypatch.setitem(SUBJECTS, 'planted', PLANTED['planted'])
    repeat = ['--only', 'planted', '--cases', '1', '--jobs', '1', '--json', '--seed']
    assert main([*repeat, str(planted.MOTION)]) == 1
    result = last_line(capsys)
    assert (result['cases'], result['unexpected_motion']) == (1, 1)
    assert result['findings'][0]['detail'] == 'moves in ESTOP'
    assert main([*repeat, str(planted.REFUSED)]) == 0


def test_a_subject_that_cannot_be_prepared_is_no_result(
    workers_find_this_folder, monkeypatch, capsys
):
    monkeypatch.setitem(SUBJECTS, 'planted', 'planted_subjects:Unprepared')
    assert main(['--only', 'planted', '--cases', '5', '--json']) == 2
    assert 'RuntimeError: no robot here' in last_line(capsys)['error']


@pytest.fixture(scope='module')
def subjects():
    return {name: load_object(target, 'fuzz', name)() for name, target in SUBJECTS.items()}


@pytest.mark.parametrize('name', SUBJECTS)
def test_a_seed_makes_the_same_case_again(subjects, name):
    assert [subjects[name].run(seed) for seed in (3, 4, 5)] == [
        subjects[name].run(seed) for seed in (3, 4, 5)
    ]


def _always_safe(assessment, estimate, now, imu_disagreement=None):
    return BalanceVerdict(Level.SAFE, '', (), False, False)


MUTANTS = {
    'robot': (ConfigReader, 'close', lambda reader: None, Outcome.SILENT),
    'bundle': (ConfigReader, 'close', lambda reader: None, Outcome.SILENT),
    'parameters': (parameter_files, 'check_sections', lambda *_: None, Outcome.SILENT),
    'observation': (StampSequence, 'reject', lambda *_: '', Outcome.SILENT),
    'filter': (MotionGate, 'allowed', True, Outcome.MOTION),
    'driver': (CommandGate, '_check', lambda *_: (None, ''), Outcome.MOTION),
    'balance': (BalanceAssessment, 'update', _always_safe, Outcome.SILENT),
    'supervisor': (Supervisor, '_stop', lambda *_: None, Outcome.SILENT),
}
"""Where a check is taken out, and what the subject must find then."""


@pytest.mark.parametrize('name', SUBJECTS)
def test_each_subject_finds_that_a_check_is_missing(subjects, name, monkeypatch):
    owner, attribute, value, expected = MUTANTS[name]
    monkeypatch.setattr(owner, attribute, value)
    outcomes = {subjects[name].run(seed).outcome for seed in range(60)}
    assert expected in outcomes

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The table of causes: each row seen where it should be, none in a healthy session; the guide."""

import json
from pathlib import Path

import numpy as np
import pytest

from vla_common.states import Level
from vla_monitor.diagnosis import command, guide, outcome
from vla_monitor.diagnosis.diagnose import diagnose, findings_of
from vla_monitor.diagnosis.rows import Result, Symptom
from vla_monitor.diagnosis.table import TABLE
from vla_monitor.report.load import SessionData
from vla_monitor.report.reversals import ReversalCounter, Reversals

DURATION = 100.0
PAGE = Path(__file__).resolve().parents[3] / 'docs' / 'troubleshooting.md'
NO_FAILURE = {'finished': 0, 'successes': 0, 'failures': {}}


def healthy() -> SessionData:
    """100 s: READY, RUNNING from 10 s to 60 s with one instruction that is done, READY."""
    t = np.arange(0.0, DURATION, 0.02)

    def of(value: float) -> tuple[np.ndarray, np.ndarray]:
        return t, np.full(len(t), value)

    latencies = {
        'policy_call_ms': {'p95': 15.0, 'max': 20.0, 'n': 1000},
        'observation_to_chunk_ms': {'p95': 40.0, 'max': 80.0, 'n': 1000},
        'observation_age_ms': {'p95': 80.0, 'max': 100.0, 'n': 1000},
        'filter_tick_ms': {'p95': 1.0, 'max': 4.0, 'n': 1000},
        'driver_loop_ms': {'p95': 1.5, 'max': 9.0, 'n': 1000},
    }
    return SessionData(
        Path('healthy'),
        {'parameters': {'images': 'both'}, 'machine': {'cores': 2}},
        {
            'duration': DURATION,
            'modes': {'READY': 50.0, 'RUNNING': 50.0},
            'instructions': {'finished': 1, 'successes': 1, 'failures': {}},
            'interventions': 10,
            'filter_counters': {'jerk': 100},
            'latencies': latencies,
            'topics': {'/camera/color/image_raw': {'messages': 1500, 'lost': 0}},
        },
        [
            {'t': 1.0, 'event': 'mode', 'to': 'READY', 'from': 'INACTIVE', 'armed': True},
            {'t': 1.0, 'event': 'nodes', 'missing': [], 'active': ['camera']},
            {'t': 1.0, 'event': 'filter', 'state': 'GATED', 'reason': 'mode READY'},
            {'t': 9.9, 'event': 'instruction', 'instruction': 'wave'},
            {'t': 10.0, 'event': 'mode', 'to': 'RUNNING', 'from': 'READY', 'causes': []},
            {'t': 10.0, 'event': 'inference', 'state': 'ACTIVE', 'reason': ''},
            {'t': 10.01, 'event': 'filter', 'state': 'NO_CHUNK',
             'reason': 'no chunk since the start'},
            {'t': 10.1, 'event': 'filter', 'state': 'TRACKING', 'reason': ''},
            {'t': 60.0, 'event': 'mode', 'to': 'READY', 'from': 'RUNNING', 'causes': []},
            {'t': 60.0, 'event': 'filter', 'state': 'GATED', 'reason': 'mode READY'},
            {'t': 60.0, 'event': 'instruction_finished', 'instruction': 'wave', 'result': 'done',
             'success': True},
        ],
        [{'t': 11.0 + i, 'confidence': 0.9} for i in range(40)],
        [{'t': float(i), 'kind': 'machine', 'cpu_percent': 50.0, 'load': 1.0} for i in range(100)],
        series={
            'driver_loop_ms': of(1.0), 'commands_rejected': of(7.0), 'clamped': of(0.0),
            'real_time_factor': of(1.0), 'speed_scale': of(1.0), 'held_for': of(0.0),
            'filter_speed_scale': of(1.0), 'late_chunks': of(0.0), 'velocity_jump': of(0.3),
        },
        configuration={
            'safety_filter': {'stage': 'sim', 'control_frequency': 100.0, 'chunk.max_age': 0.5}
        },
    )  # fmt: skip


def event(data: SessionData, t: float, kind: str, **facts) -> None:
    data.events.append({'t': t, 'event': kind, **facts})
    data.events.sort(key=lambda e: e['t'])


def stop(data: SessionData, *causes: str, mode: str = 'SAFE_STOP') -> None:
    listed = [{'name': name, 'detail': 'why', 'clears': ''} for name in causes]
    event(data, 40.0, 'mode', to=mode, **{'from': 'RUNNING'}, causes=listed)


def violate(data: SessionData, kind: str, level='WARNING', seconds=10.0, source='safety_filter'):
    facts = {'subject': 'left_elbow', 'value': 1.2, 'limit': 1.0, 'ticks': 9}
    facts |= {'source': source, 'violation': kind, 'seconds': seconds, 'level': level}
    event(data, 30.0, 'violation', **facts)


def fail(data: SessionData, result: str) -> None:
    event(data, 50.0, 'instruction_finished', instruction='reach', result=result, success=False)
    data.summary['instructions'] = {'finished': 2, 'successes': 1, 'failures': {result: 1}}


def late(data: SessionData, name: str, p95: float) -> None:
    data.summary['latencies'][name] = {'p95': p95, 'max': 2 * p95, 'n': 100}


def during(data: SessionData, name: str, value: float, begin=20.0, end=80.0) -> None:
    t, values = data.series[name]
    values[(t >= begin) & (t < end)] = value


def counted(data: SessionData, kind: str, n: int) -> None:
    data.summary['filter_counters'][kind] = n


CASES = {
    'fall': lambda d: event(d, 40.0, 'balance', falling=True, fallen=False, cause='tilt'),
    'operator': lambda d: stop(d, 'estop_request', mode='ESTOP'),
    'endpoint_silent': lambda d: stop(d, 'endpoint_lost:dashboard'),
    'driver': lambda d: event(d, 40.0, 'driver', fault=True, fault_detail='bus'),
    'sensors': lambda d: stop(d, 'imu_disagreement'),
    'camera_silent': lambda d: stop(d, 'node_stale:camera_head'),
    'policy': lambda d: stop(d, 'chunks_stopped'),
    'filter': lambda d: stop(d, 'filter_infeasible'),
    'node': lambda d: stop(d, 'node_lost:balance_monitor'),
    'stop_failed': lambda d: stop(d, 'stop_not_slowing', 'estop_request', mode='ESTOP'),
    'host': lambda d: stop(d, 'supervisor_stalled'),
    'other_stop': lambda d: stop(d, 'something_new'),
    'balance_limits': lambda d: violate(d, 'tilt', source='balance_monitor'),
    'policy_slow': lambda d: late(d, 'policy_call_ms', 45.0),
    'chunks_old': lambda d: late(d, 'observation_to_chunk_ms', 300.0),
    'images_old': lambda d: late(d, 'observation_age_ms', 250.0),
    'filter_slow': lambda d: late(d, 'filter_tick_ms', 6.0),
    'driver_slow': lambda d: late(d, 'driver_loop_ms', 4.0),
    'machine_busy': lambda d: [line.update(cpu_percent=99.0) for line in d.machine[:30]],
    'simulation_slow': lambda d: during(d, 'real_time_factor', 0.5),
    'chunks_run_out': lambda d: event(d, 30.0, 'filter', state='BRAKING', reason='chunk ended'),
    'chunks_late': lambda d: d.series['late_chunks'][1].__iadd__(np.arange(5000) // 20),
    'chunks_disagree': lambda d: during(d, 'velocity_jump', 1.5),
    'trembling': lambda d: d.reversals.append(Reversals(30.0, 'left_elbow', 14)),
    'commands_lost': lambda d: during(d, 'commands_rejected', 12.0, 30.0, 101.0),
    'speed_changes': lambda d: [during(d, 'speed_scale', 0.5, s, s + 2) for s in (20, 30, 40)],
    'late_ticks': lambda d: counted(d, 'late_tick', 3),
    'nodes_missing': lambda d: event(d, 70.0, 'nodes', missing=['camera: no device']),
    'not_armed': lambda d: event(
        d, 70.0, 'mode', to='INACTIVE', armed=False, causes=[], **{'from': 'READY'}
    ),
    'stop_latched': lambda d: stop(d, 'estop_request', mode='ESTOP'),
    'refused': lambda d: fail(d, 'refused: I know wave; not "coffee"'),
    'never_started': lambda d: (
        event(d, 80.0, 'instruction', instruction='reach'),
        event(d, 82.0, 'instruction_finished', result='aborted: start refused', success=False),
    ),
    'policy_blocked': lambda d: event(d, 30.0, 'inference', state='BLOCKED', reason='old (0.7 s)'),
    'no_images': lambda d: d.summary['topics'].clear() or d.summary['topics'].update(x={}),
    'held': lambda d: during(d, 'held_for', 3.0, 30.0, 31.0),
    'slow': lambda d: during(d, 'filter_speed_scale', 0.25, 0.0),
    'time_limit': lambda d: fail(d, 'time limit'),
    'held_by_filter': lambda d: fail(d, 'time limit: not done, held by the safety filter (power)'),
    'lost_again': lambda d: fail(d, 'lost again: the cube moved'),
    'not_possible': lambda d: fail(d, 'aborted: no such cube in view'),
    'stopped': lambda d: fail(d, 'aborted: mode ESTOP'),
    'other_failure': lambda d: fail(d, 'cancelled'),
    'unsure': lambda d: [step.update(confidence=0.2) for step in d.steps],
    'changed_often': lambda d: d.summary.update(interventions=2000),
    'joint_limits': lambda d: violate(d, 'velocity'),
    'collision': lambda d: violate(d, 'collision'),
    'workspace': lambda d: violate(d, 'workspace'),
    'support': lambda d: violate(d, 'power'),
    'chunks_invalid': lambda d: violate(d, 'not_finite', 'DANGER', 0.0),
    'chunks_stale': lambda d: counted(d, 'stale', 9),
    'infeasible': lambda d: violate(d, 'infeasible', 'DANGER', 0.1),
    'not_read': lambda d: d.problems.append('steps.jsonl: 1 lines are torn; run recover'),
    'interrupted': lambda d: d.summary.update(
        recorder={'interruptions': [{'t': 5.0, 'end': 9.0, 'reason': 'disk full'}]}
    ),
    'messages_missing': lambda d: d.summary['topics']['/camera/color/image_raw'].update(lost=4),
    'clock': lambda d: event(d, 30.0, 'clock', jump=2.0),
}
"""What makes a healthy session show each cause."""


def results(data: SessionData) -> dict[str, Result]:
    return {cause.row.key: cause.result for d in diagnose(data) for cause in d.causes}


def test_a_healthy_session_shows_nothing_and_all_is_known():
    assert set(results(healthy()).values()) == {Result.NOT_SEEN}
    assert findings_of(diagnose(healthy())) == []


def test_each_row_has_a_case():
    assert [row.key for row in TABLE] == list(CASES), 'keep CASES in the order of the table'


@pytest.mark.parametrize('key', CASES)
def test_each_cause_is_seen_with_numbers_and_a_remedy(key):
    data = healthy()
    CASES[key](data)
    found = {cause.row.key: cause for d in diagnose(data) for cause in d.causes}
    assert found[key].result is Result.SEEN, found[key].reason
    assert all(evidence.text for evidence in found[key].evidence)
    listed = [finding for finding in findings_of(diagnose(data)) if finding.row.key == key]
    assert listed, 'what to look at first has it, too'
    assert listed[0].row.plain_remedy


@pytest.mark.parametrize('key', CASES)
def test_a_cause_does_not_show_up_in_rows_of_its_symptom_that_it_does_not_belong_to(key):
    data = healthy()
    CASES[key](data)
    rows = {row.key: row for row in TABLE}
    together = {key, 'stop_failed', 'fall', 'driver'} if key == 'stop_failed' else {key}
    same = {k for k, r in results(data).items() if r is Result.SEEN}
    same = {k for k in same if rows[k].symptom is rows[key].symptom}
    assert same <= together


def test_a_session_without_recordings_is_not_known_rather_than_not_seen():
    data = SessionData(Path('empty'), {}, {}, [], [], [])
    found = results(data)
    assert found['policy_slow'] is found['machine_busy'] is found['held'] is Result.NOT_KNOWN
    assert {d.symptom: d.result for d in diagnose(data)}[Symptom.LATENCY] is Result.NOT_KNOWN


def test_files_of_another_form_lose_one_row_and_not_the_report():
    data = healthy()
    data.summary['interventions'] = {'count': 3}
    for line in data.machine:
        line['load'] = 'high'
    found = results(data)
    assert found['changed_often'] is Result.NOT_KNOWN
    assert found['policy_slow'] is Result.NOT_SEEN


def test_one_stop_is_in_one_row_and_the_severest_comes_first():
    data = healthy()
    stop(data, 'estop_request', 'balance_danger', 'fall', mode='ESTOP')
    fail(data, 'aborted: mode ESTOP')
    found = findings_of(diagnose(data))
    assert [f.level for f in found] == sorted((f.level for f in found), reverse=True)
    assert found[0].level is Level.EMERGENCY
    assert sum('ESTOP out of RUNNING' in f.text for f in found) == 1


def test_success_is_given_with_its_interval():
    data = healthy()
    fail(data, 'time limit')
    (text,) = [f.text for f in findings_of(diagnose(data)) if f.row.key == 'time_limit']
    assert text.endswith('done: 1 of 2, so 9 to 91 % (95 %)')


def test_the_operator_s_stop_of_a_robot_at_rest_is_no_symptom():
    data = healthy()
    cause = {'name': 'operator_stop', 'detail': 'stop requested'}
    event(data, 99.9, 'mode', to='SAFE_STOP', **{'from': 'READY'}, causes=[cause])
    assert results(data)['operator'] is Result.NOT_SEEN


def test_every_row_that_names_stops_or_results_exists():
    keys = {row.key for row in TABLE}
    assert {*outcome.STOP_CAUSES, *outcome.FAMILIES, 'other_stop', 'other_failure'} <= keys
    assert len(keys) == len(TABLE)


def test_a_joint_that_trembles_is_told_from_one_that_waves():
    """Sign of the velocity: 2 Hz has 4 reversals a second, 8 Hz 16; in standing none count."""
    found = {}
    for hertz in (2.0, 8.0):
        counter = ReversalCounter()
        for i in range(500):
            t = i / 100
            speed = np.array([np.sin(2 * np.pi * hertz * t + 0.1), 0.04 * (-1) ** i, np.nan])
            counter.add(t, ['a', 'b', 'c'], speed, moving=True)
        found[hertz] = counter.close()
        counter.add(9.0, ['a'], np.array([1.0]), moving=False)
    assert {window.joint for windows in found.values() for window in windows} == {'a'}
    assert max(window.count for window in found[2.0]) == 4
    assert max(window.count for window in found[8.0]) == 16


def test_the_guide_is_the_table():
    wanted = guide.with_tables(PAGE)
    assert PAGE.read_text(encoding='utf-8') == wanted, (
        'run python -m vla_monitor.diagnosis.guide docs/troubleshooting.md'
    )


def test_links_of_the_table_lead_to_files():
    for row in TABLE:
        for target in row.plain_remedy.split('(')[1:]:
            name = target.partition(')')[0]
            if name.startswith('docs/') or name.endswith('.md'):
                assert (PAGE.parents[1] / name).exists(), f'{row.key}: {name}'


def test_the_command_prints_symptoms_and_its_status_says_whether_one_was_seen(
    tmp_path, capsys, monkeypatch
):
    data = healthy()
    monkeypatch.setattr(command, 'load_session', lambda folder: data)
    assert command.command([str(tmp_path)]) == 0
    assert capsys.readouterr().out.count(': not seen') == len(Symptom)
    CASES['policy_slow'](data)
    assert command.command([str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert 'policy call: p95 45 ms, max 90 ms; the period is 50 ms' in out
    assert '(docs/faster_model.md)' in out
    assert command.command([str(tmp_path), '--json']) == 1
    content = json.loads(capsys.readouterr().out)
    assert content['seen'] == 1
    (latency,) = [s for s in content['symptoms'] if s['symptom'] == 'latency']
    assert latency['result'] == 'seen'
    assert [c['cause'] for c in latency['causes'] if c['result'] == 'seen'] == ['policy_slow']
    assert command.command([str(tmp_path), '--all']) == 1
    assert 'the machine has too little processor time: not seen' in capsys.readouterr().out

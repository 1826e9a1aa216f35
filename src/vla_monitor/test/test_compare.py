# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Comparison of two sessions: what differs comes first, and chance is called chance."""

import copy
import json

import numpy as np
import pytest
from test_diagnosis import CASES, event, fail, healthy
from test_report import Page

from vla_monitor.compare import command
from vla_monitor.compare.differences import Group, differences_of, most
from vla_monitor.compare.settings import different_settings, unknown_settings
from vla_monitor.report.latencies import latency_of

MARKUP = 'reach <script>alert(1)</script>'


def described(**changed):
    data = healthy()
    data.description |= {
        'fingerprints': {
            'bundle': {'name': 'reacher', 'sha256': 'a' * 64},
            'robot': {'name': 'two', 'sha256': 'b' * 64},
            'commit': 'c' * 40,
            'code': {'vla_safety': 'd' * 64, 'vla_common': 'e' * 64},
        },
        **changed,
    }
    data.summary['policies'] = ['reacher 1']
    return data


def with_latency(milliseconds, n=1000):
    data = described()
    rng = np.random.default_rng(1)
    values = milliseconds * rng.uniform(0.9, 1.1, n)
    data.series['policy_call_ms'] = (np.linspace(0.0, 100.0, n), values)
    data.summary['latencies']['policy_call_ms'] = {
        'p95': float(np.percentile(values, 95)),
        'max': float(values.max()),
        'n': n,
    }
    return data


def with_instructions(done, count):
    data = described()
    data.events = [e for e in data.events if not e['event'].startswith('instruction')]
    for i in range(count):
        result = 'done' if i < done else 'time limit'
        facts = {'instruction': 'reach', 'result': result, 'success': i < done}
        event(data, 20.0 + i, 'instruction_finished', **facts)
    return data


def named(differences, name):
    return next(one for one in differences if one.name == name)


def test_equal_sessions_differ_in_nothing():
    a, b = described(), described()
    assert different_settings(a, b) == []
    assert most(differences_of(a, b)) == []
    assert unknown_settings(a, b) == []


def test_settings_that_differ_are_listed_bundle_first_and_places_are_not():
    a, b = described(), described()
    b.description['fingerprints'] = copy.deepcopy(a.description['fingerprints'])
    b.description['fingerprints']['bundle']['sha256'] = 'f' * 64
    b.description['fingerprints']['code']['vla_safety'] = '0' * 64
    b.configuration['safety_filter'] = {**a.configuration['safety_filter'], 'stage': 'slow'}
    b.configuration['recorder'] = {'directory': '/elsewhere', 'queue': 32.0}
    found = [(s.what, s.name, s.a, s.b) for s in different_settings(a, b)]
    assert found == [
        ('bundle', '', 'reacher aaaaaaaaaaaa', 'reacher ffffffffffff'),
        ('code', 'vla_safety', 'dddddddddddd', '000000000000'),
        ('/recorder', 'queue', 'default', '32.0'),
        ('/safety_filter', 'stage', 'sim', 'slow'),
    ]


def test_what_cannot_be_compared_is_said():
    a, b = described(), healthy()
    b.configuration = {}
    assert unknown_settings(a, b) == [
        'B has no parameter files (configuration/)',
        'B has no hash of the bundle',
        'B has no hash of the robot',
        'B has no hashes of the code',
    ]


def test_one_of_one_against_none_of_one_cannot_be_told_and_twenty_can():
    few = differences_of(with_instructions(1, 1), with_instructions(0, 1))
    assert not named(few, 'instructions done').told
    assert named(few, 'instructions done').a == '1 of 1 (21–100 %)'
    many = differences_of(with_instructions(19, 20), with_instructions(4, 20))
    found = named(many, 'instructions done')
    assert found.told
    assert found.difference.startswith('-75 points')
    assert [d.group for d in many][:2] == [Group.SUCCESS, Group.SUCCESS]


def test_a_latency_differs_where_its_ranges_over_the_session_do_not_overlap():
    found = named(differences_of(with_latency(10.0), with_latency(20.0)), 'policy call')
    assert found.told
    assert found.difference == 'p95 × 2.00'
    same = named(differences_of(with_latency(10.0), with_latency(10.05)), 'policy call')
    assert not same.told
    drifting = with_latency(10.0)
    drifting.series['policy_call_ms'][1][:] *= np.linspace(0.5, 3.0, 1000)
    assert not named(differences_of(with_latency(20.0), drifting), 'policy call').told
    few = named(differences_of(with_latency(10.0, 8), with_latency(20.0, 8)), 'policy call')
    assert not few.told
    assert 'too few values' in few.difference


def test_p50_of_a_session_from_before_it_was_in_the_summary_comes_from_the_bag():
    data = with_latency(10.0)
    assert latency_of(data, 'policy_call_ms').p50 == pytest.approx(10.0, rel=0.05)
    assert latency_of(data, 'model_ms') is None


def test_violations_and_stops_are_rates_of_running():
    a, b = described(), described()
    for i in range(12):
        facts = {'source': 'safety_filter', 'violation': 'collision', 'subject': 'x'}
        event(b, 20.0 + i, 'violation', **facts, seconds=0.1, value=1, limit=1, level='WARNING')
    CASES['filter'](b)
    found = differences_of(a, b)
    collision = named(found, 'safety_filter: collision')
    assert collision.told
    assert collision.values[1]['count'] == 12
    assert 'in one session only' in collision.difference
    stop = named(found, 'SAFE_STOP: filter_infeasible')
    assert not stop.told
    assert 'by chance' in stop.difference
    assert most(found)[0] is collision


def test_violations_of_a_robot_made_passive_by_an_estop_are_not_counted():
    b = described()
    CASES['operator'](b)
    facts = {'source': 'balance_monitor', 'violation': 'tilt', 'subject': ''}
    event(b, 41.0, 'violation', **facts, seconds=0.1, value=1, limit=1, level='EMERGENCY')
    assert not [d for d in differences_of(described(), b) if d.group is Group.VIOLATION]


def test_the_page_is_one_file_without_a_network_and_shows_markup_as_text(tmp_path, monkeypatch):
    a, b = with_latency(10.0), with_latency(20.0)
    fail(b, 'time limit')
    b.events[-1]['instruction'] = MARKUP
    event(b, 55.0, 'instruction_finished', instruction=MARKUP, result='time limit', success=False)
    b.problems.append('summary.json is missing')
    sessions = {'a': a, 'b': b}
    monkeypatch.setattr(command, 'load_session', lambda folder: sessions[folder.name])
    out = tmp_path / 'out.html'
    assert command.command([str(tmp_path / 'a'), str(tmp_path / 'b'), '--out', str(out)]) == 0
    page = Page(out.read_text(encoding='utf-8'))
    text = ' '.join(' '.join(page.texts).split())
    assert all(address.startswith('data:image/') for address in page.addresses)
    assert 'script' not in page.tags
    assert MARKUP in text
    assert 'B: summary.json is missing' in text
    titles = ('What differs most', 'Configuration and bundle', 'Success and failure', 'Stops')
    assert [text.index(title) for title in titles] == sorted(text.index(t) for t in titles)
    assert set(page.pictures) >= {'Success and failure modes', 'Latencies', 'Timelines'}
    assert 'policy call' in text[text.index('What differs most') : text.index('Configuration and')]


def test_json_has_the_numbers_and_writes_no_file(tmp_path, monkeypatch, capsys):
    sessions = {'a': with_latency(10.0), 'b': with_latency(20.0)}
    monkeypatch.setattr(command, 'load_session', lambda folder: sessions[folder.name])
    assert command.command([str(tmp_path / 'a'), str(tmp_path / 'b'), '--json']) == 0
    found = json.loads(capsys.readouterr().out)
    (call,) = [d for d in found['differences'] if d['name'] == 'policy call']
    assert call['told'] is True
    assert call['b']['p95'] == pytest.approx(21.9, abs=0.2)
    assert list(tmp_path.iterdir()) == []

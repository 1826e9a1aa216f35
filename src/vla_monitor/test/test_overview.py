# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Many sessions: hours, success, stops, links to reports; some of them broken."""

import json
import shutil
from dataclasses import replace

import pytest
from test_diagnosis import CASES, fail, healthy, violate
from test_report import Page

from vla_common.errors import ConfigError
from vla_monitor.overview import command
from vla_monitor.overview.sessions import read_sessions
from vla_monitor.overview.totals import totals_of
from vla_monitor.recording.json_lines import as_json
from vla_monitor.report.facts import facts_of, failure_mode


def write(folder, data, **description):
    """A session as the recorder leaves it, without a bag."""
    folder.mkdir(parents=True)
    description = {'version': 1, 'start_ns': 1, 'robot': 'two', **data.description, **description}
    (folder / 'session.json').write_text(as_json(description))
    (folder / 'summary.json').write_text(as_json(data.summary))
    lines = ''.join(as_json(one) + '\n' for one in data.events)
    (folder / 'events.jsonl').write_text(lines)
    return folder


@pytest.fixture
def folder(tmp_path):
    """Three sessions in order: healthy, with a stop, with a failure and a violation."""
    top = tmp_path / 'sessions'
    stopped, failed = healthy(), healthy()
    CASES['filter'](stopped)
    fail(failed, 'time limit')
    violate(failed, 'collision', seconds=2.0)
    write(top / '2026-11-30_10-00-00', healthy(), start_ns=1)
    write(top / '2026-11-30_11-00-00', stopped, start_ns=2)
    write(top / '2026-11-30_12-00-00', failed, start_ns=3)
    return top


def test_totals_of_three_sessions(folder, capsys):
    assert command.command([str(folder), '--json']) == 0
    found = json.loads(capsys.readouterr().out)
    assert found['sessions'] == 3
    assert found['hours'] == pytest.approx(300.0 / 3600.0)
    # 50 s each; the second one was stopped at 40 s.
    assert found['running_hours'] == pytest.approx((50.0 + 30.0 + 50.0) / 3600.0)
    assert (found['successes'], found['instructions']) == (3, 4)
    low, high = found['success_ci95']
    assert low < 0.75 < high
    assert found['failures'] == {'time limit': 1}
    assert [(s['cause'], s['count']) for s in found['stops']] == [('filter_infeasible', 1)]
    # 50 s, 30 s, and 20 s of the third until the violation, which lasts 2 s.
    assert found['hours_without_violation']['longest'] == pytest.approx(100.0 / 3600.0)
    assert found['hours_without_violation']['present'] == pytest.approx(28.0 / 3600.0)
    assert found['hours_without_danger']['present'] == pytest.approx(130.0 / 3600.0)
    assert found['running_hours_per_danger']['mean'] is None
    assert found['running_hours_per_danger']['high'] is None
    assert [row['session'][-8:] for row in found['rows']] == ['10-00-00', '11-00-00', '12-00-00']


def test_the_page_links_to_reports_relative_to_itself(folder, tmp_path, capsys):
    (folder / '2026-11-30_11-00-00' / 'report.html').write_text('x')
    assert command.command([str(folder)]) == 0
    out = folder / 'overview.html'
    assert capsys.readouterr().out.strip() == str(out)
    page = Page(out.read_text(encoding='utf-8'))
    links = [address for address in page.addresses if not address.startswith('data:image/')]
    assert links == ['2026-11-30_11-00-00/report.html']
    assert 'script' not in page.tags
    assert set(page.pictures) == {
        'Success rate over time', 'Failure modes over time', 'Operation over time'
    }  # fmt: skip
    elsewhere = tmp_path / 'pages' / 'o.html'
    elsewhere.parent.mkdir()
    command.command([str(folder), '--out', str(elsewhere)])
    links = Page(elsewhere.read_text(encoding='utf-8')).addresses
    assert '../sessions/2026-11-30_11-00-00/report.html' in links


def test_reports_that_are_missing_are_written(folder):
    assert command.command([str(folder), '--reports']) == 0
    assert len(list(folder.glob('*/report.html'))) == 3


def test_sessions_may_be_named_one_by_one_and_count_once(folder):
    one = folder / '2026-11-30_11-00-00'
    found = read_sessions([one, folder, one])
    assert [facts.name[-8:] for facts in found.facts] == ['10-00-00', '11-00-00', '12-00-00']
    assert command.command([str(one)]) == 0
    assert (folder / 'overview.html').exists()


def test_a_newer_version_and_a_torn_session_do_not_hide_the_others(folder, capsys):
    write(folder / '2026-11-30_13-00-00', healthy(), version=99)
    torn = folder / '2026-11-30_12-00-00'
    (torn / 'summary.json').unlink()
    with open(torn / 'events.jsonl', 'a') as file:
        file.write('{"t": 9')
    odd = write(folder / '2026-11-30_14-00-00', healthy(), start_ns=4)
    (odd / 'events.jsonl').write_text('{"event": "mode"}\n')
    assert command.command([str(folder), '--json']) == 1
    printed = capsys.readouterr()
    assert 'found version 99, wanted 1 or earlier' in printed.err
    assert '2026-11-30_14-00-00: its files have another form' in printed.err
    found = json.loads(printed.out)
    assert found['sessions'] == 3
    row = found['rows'][-1]
    assert (row['instructions'], row['successes']) == (2, 1), 'from the events'
    assert any('summary.json is missing' in problem for problem in row['problems'])
    assert any('1 lines are torn' in problem for problem in row['problems'])
    command.command([str(folder)])
    text = (folder / 'overview.html').read_text(encoding='utf-8')
    assert 'Not read: 2026-11-30_13-00-00' in text
    assert 'not complete' in text


def test_a_folder_without_sessions_is_refused(tmp_path):
    with pytest.raises(ConfigError, match='no session'):
        command.command([str(tmp_path)])
    with pytest.raises(ConfigError, match='no directory'):
        command.command([str(tmp_path / 'x')])


def test_no_session_at_all_has_no_share_and_no_bound(folder):
    for one in folder.iterdir():
        shutil.rmtree(one)
    totals = totals_of([])
    assert totals.success_ci95 == (0.0, 1.0)
    assert totals.hours_between(0) == (None, 0.0, None)


def test_slowest_first_and_those_without_latencies_are_left_out():
    facts = facts_of(healthy())
    slow = replace(facts, latencies={'observation_to_chunk_ms': {'p95': 300.0}})
    none = replace(facts, latencies={})
    assert totals_of([facts, none, slow]).slowest == (slow, facts)


@pytest.mark.parametrize(
    ('result', 'mode'),
    [
        ('refused: I know wave; not "coffee"', 'refused'),
        ('time limit', 'time limit'),
        ('time limit: not done, elbow is 0.41 rad short', 'time limit'),
        ('aborted: mode ESTOP: fall', 'aborted: mode ESTOP'),
        ('stopped: ESTOP (button)', 'stopped: ESTOP'),
        ('', 'no result'),
    ],
)
def test_failure_modes_leave_out_what_differs_each_time(result, mode):
    assert failure_mode(result) == mode

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Groups of diagnostics: the semantics of diagnostic_aggregator, its files, and bad ones."""

from pathlib import Path

import pytest

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_monitor.aggregation.analyzers import (
    Aggregator,
    AnalyzerGroup,
    GenericAnalyzer,
    Status,
    StatusLevel,
)
from vla_monitor.aggregation.configuration import AggregatorFile

OK, WARN, ERROR, STALE = StatusLevel
CONFIG = Path(__file__).resolve().parents[3] / 'config'


def status(name, level=OK, message='fine'):
    return Status(name, level, message)


def grouped(**options):
    """An aggregator with one group, /Robot/Arms, of what begins with 'arm'."""
    arms = GenericAnalyzer('Arms', '/Robot/Arms', startswith=['arm'], **options)
    return Aggregator(AnalyzerGroup('', '/Robot', [arms]))


def levels(aggregator, now):
    found, top = aggregator.report(now)
    return {s.name: (s.level, s.message) for s in found}, top


def test_a_group_is_as_bad_as_its_worst_status_and_so_is_the_robot():
    aggregator = grouped()
    aggregator.add(status('arm left'), 0.0)
    aggregator.add(status('arm right', WARN, 'hot'), 0.0)
    found, top = levels(aggregator, 1.0)
    assert found == {
        '/Robot/Arms': (WARN, 'Warning'),
        '/Robot/Arms/arm left': (OK, 'fine'),
        '/Robot/Arms/arm right': (WARN, 'hot'),
        '/Robot': (WARN, 'Warning'),
    }
    assert top == WARN


def test_what_falls_silent_is_stale_and_its_group_an_error_until_all_are_silent():
    aggregator = grouped(timeout=2.0)
    aggregator.add(status('arm left'), 0.0)
    aggregator.add(status('arm right'), 3.0)
    found, top = levels(aggregator, 4.0)
    assert found['/Robot/Arms/arm left'][0] == STALE
    assert found['/Robot/Arms'] == (ERROR, 'Error')
    assert top == ERROR
    found, top = levels(aggregator, 6.0)
    assert {level for level, _ in found.values()} == {STALE}
    assert top == STALE


def test_without_a_timeout_nothing_becomes_stale():
    aggregator = grouped(timeout=0.0)
    aggregator.add(status('arm left'), 0.0)
    assert levels(aggregator, 1e6)[1] == OK


def test_discarded_stale_items_vanish_and_the_empty_group_is_ok():
    aggregator = grouped(timeout=2.0, discard_stale=True)
    aggregator.add(status('arm left', ERROR), 0.0)
    assert levels(aggregator, 1.0)[0]['/Robot/Arms'] == (ERROR, 'Error')
    found, _ = levels(aggregator, 3.0)
    assert found == {'/Robot/Arms': (OK, 'OK'), '/Robot': (OK, 'OK')}


def test_a_group_that_received_nothing_is_stale():
    assert levels(grouped(), 0.0)[0]['/Robot/Arms'] == (STALE, 'Stale')


def test_an_expected_status_is_missing_until_it_comes():
    aggregator = grouped(expected=['arm left'])
    assert levels(aggregator, 0.0)[0]['/Robot/Arms/arm left'] == (STALE, 'Missing')
    aggregator.add(status('arm right'), 0.0)
    assert levels(aggregator, 0.0)[0]['/Robot/Arms'] == (ERROR, 'Error')
    aggregator.add(status('arm left'), 0.0)
    assert levels(aggregator, 0.0)[0]['/Robot/Arms'] == (OK, 'OK')


@pytest.mark.parametrize(
    ('wanted', 'received', 'header'),
    [
        (2, ['arm a'], (ERROR, 'Expected 2, found 1')),
        (2, [], (STALE, 'No items found, expected 2')),
        (1, ['arm a'], (OK, 'OK')),
        (0, [], (OK, 'OK')),
        (0, ['arm a'], (OK, 'OK')),
    ],
)
def test_the_number_of_items_may_be_required(wanted, received, header):
    aggregator = grouped(num_items=wanted)
    for name in received:
        aggregator.add(status(name), 0.0)
    assert levels(aggregator, 0.0)[0]['/Robot/Arms'] == header


@pytest.mark.parametrize(
    ('options', 'matching', 'other'),
    [
        ({'startswith': ['arm']}, 'arm: motor', 'left arm'),
        ({'contains': ['motor']}, 'arm: motor', 'arm'),
        ({'regex': ['arm_[0-9]+']}, 'arm_12', 'arm_12: motor'),
        ({'names': ['arm']}, 'arm', 'arm 2'),
    ],
)
def test_ways_to_match(options, matching, other):
    analyzer = GenericAnalyzer('A', '/A', **options)
    assert analyzer.match(matching)
    assert not analyzer.match(other)


def test_prefixes_and_slashes_leave_the_reported_name():
    arms = GenericAnalyzer('Arms', '/Arms', startswith=['/arm'], remove_prefix=['/arm'])
    arms.analyze(status('/arm: motor/left'), 0.0)
    assert [s.name for s in arms.report(0.0)] == ['/Arms', '/Arms/motor left']


def test_what_belongs_to_no_group_is_other_and_forgotten_when_it_falls_silent():
    aggregator = grouped()
    aggregator.add(status('leg'), 0.0)
    assert levels(aggregator, 1.0)[0]['/Robot/Other/leg'] == (OK, 'fine')
    assert not any('Other' in name for name in levels(aggregator, 10.0)[0])


def test_a_status_goes_to_every_group_that_matches(tmp_path):
    file = tmp_path / 'a.yaml'
    file.write_text("""
analyzers:
  ros__parameters:
    path: Robot
    other_as_errors: true
    all:
      type: diagnostic_aggregator/GenericAnalyzer
      path: All
      contains: ['']
    sides:
      type: diagnostic_aggregator/AnalyzerGroup
      path: Sides
      analyzers:
        left: {type: diagnostic_aggregator/GenericAnalyzer, path: Left, contains: [left]}
        right: {type: diagnostic_aggregator/GenericAnalyzer, path: Right, contains: [right]}
    z_ignored: {type: diagnostic_aggregator/IgnoreAnalyzer, path: Ignored}
""")
    aggregator = AggregatorFile(file).aggregator()
    aggregator.add(status('left arm', ERROR, 'broken'), 0.0)
    found, top = levels(aggregator, 0.0)
    assert list(found) == [
        '/Robot/All',
        '/Robot/All/left arm',
        '/Robot/Sides/Left',
        '/Robot/Sides/Left/left arm',
        '/Robot/Sides/Right',
        '/Robot/Sides',
        '/Robot',
    ]
    assert found['/Robot/Sides'] == (ERROR, 'Error')
    assert top == ERROR


def test_what_is_discarded_is_in_no_group(tmp_path):
    file = tmp_path / 'a.yaml'
    file.write_text("""
analyzers:
  ros__parameters:
    noise: {type: diagnostic_aggregator/DiscardAnalyzer, path: Noise, startswith: [noise]}
""")
    aggregator = AggregatorFile(file).aggregator()
    aggregator.add(status('noise 1', ERROR), 0.0)
    assert aggregator.report(0.0) == ([], ERROR), 'no level at all counts as an error'


def test_the_shipped_file_knows_every_node_and_a_dead_one_is_stale():
    aggregator = AggregatorFile(CONFIG / 'diagnostics.yaml').aggregator()
    nodes = [
        'hardware_driver',
        'balance_monitor',
        'safety_filter',
        'supervisor',
        'camera',
        'camera_left',
        'inference',
        'recorder',
        'dashboard',
        'monitor',
    ]
    for node in nodes:
        for task in ('lifecycle', 'status'):
            aggregator.add(status(f'{node}: {task}'), 0.0)
    found, top = levels(aggregator, 1.0)
    assert top == OK
    assert not any('Other' in name for name in found)
    for node in nodes[:-1]:
        for task in ('lifecycle', 'status'):
            aggregator.add(status(f'{node}: {task}'), 6.0)
    found, top = levels(aggregator, 7.0)
    assert found['/Robot/Observers/monitor: status'][0] == STALE
    assert top == ERROR


GOOD = """\
analyzers:
  ros__parameters:
    path: Robot
    arms:
      type: diagnostic_aggregator/GenericAnalyzer
      path: Arms
      startswith: [arm]
"""


REFUSED = {
    'diagnostics.yaml of another node': ('analyzers:', 'analysers:', 'analyzers'),
    'an unknown type': ('GenericAnalyzer', 'GenericAnalyser', 'GenericAnalyzer'),
    'an analyzer without path': ('      path: Arms\n', '', 'arms.path'),
    'a text for a list': ('startswith: [arm]', 'startswith: arm', 'a list of texts'),
    'an unknown key': ('startswith: [arm]', 'starts_with: [arm]', 'one of startswith'),
    'name, which Jazzy does not read': ('startswith: [arm]', 'name: [arm]', 'regex'),
    'an analyzer that matches nothing': ('startswith: [arm]', 'expected: [arm]', 'what it matches'),
    'no regular expression': ('startswith: [arm]', 'regex: ["(arm"]', 'a regular expression'),
    'a timeout without a point': (
        'startswith: [arm]',
        'startswith: [arm]\n      timeout: 5',
        '5.0',
    ),
    'an expected name that is not matched': (
        'startswith: [arm]',
        'startswith: [arm]\n      expected: [leg]',
        'match',
    ),
    'a rate of 0': ('path: Robot', 'path: Robot\n    pub_rate: 0.0', '0.01 to 100'),
}


@pytest.mark.parametrize('case', REFUSED)
def test_a_file_that_cannot_be_used_is_refused_with_its_key(tmp_path, case):
    old, new, wanted = REFUSED[case]
    file = tmp_path / 'diagnostics.yaml'
    file.write_text(GOOD)
    AggregatorFile(file)
    file.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError, match=wanted) as error:
        AggregatorFile(file)
    assert str(file) in str(error.value)
    documented('Diagnostics by group', case, error.value, tmp_path)

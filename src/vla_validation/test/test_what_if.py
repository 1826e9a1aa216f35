# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What-if: the simulated decisions are those of the supervisor's own core and health monitor."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from vla_common.errors import ConfigError
from vla_common.states import Behaviour, Mode
from vla_validation.what_if import command
from vla_validation.what_if.configuration import configuration
from vla_validation.what_if.script import KINDS, parse
from vla_validation.what_if.simulation import Simulation

SHIPPED = Path(__file__).parents[3] / 'config' / 'supervisor.yaml'
CONFIGURATION = configuration([SHIPPED], None)


def modes_after(*events: str, begin: Mode = Mode.RUNNING, then: float = 3.0) -> list[Mode]:
    """Modes in their order, each once per stay."""
    modes = [m.decision.mode for m in Simulation(CONFIGURATION, begin).run(parse(events), then)]
    return [mode for i, mode in enumerate(modes) if i == 0 or modes[i - 1] is not mode]


@pytest.mark.parametrize('begin', [Mode.INACTIVE, Mode.READY, Mode.RUNNING])
def test_a_script_begins_in_the_requested_mode_and_stays_there_while_nothing_happens(begin):
    # auto_arm is on in the shipped file: INACTIVE becomes READY by itself there.
    wanted = [Mode.READY] if begin is Mode.INACTIVE else [begin]
    assert modes_after('wait', begin=begin) == wanted


@pytest.mark.parametrize('node', ['balance_monitor', 'camera', 'safety_filter', 'inference'])
@pytest.mark.parametrize('how', ['kill', 'freeze'])
def test_a_silent_node_stops_the_robot_standing_after_its_timeout(how, node):
    moments = Simulation(CONFIGURATION, Mode.RUNNING).run(parse([f'1 {how} {node}']), 3.0)
    stop = next(m for m in moments if m.decision.mode is Mode.SAFE_STOP)
    timeout = CONFIGURATION.settings.limits.timeouts[node]
    assert stop.decision.behaviour is Behaviour.STAND
    # From its last message on, and seen at the next tick.
    assert timeout - 0.08 <= stop.t - 1.0 <= timeout + 0.03
    assert any(node in c.condition.name for c in stop.decision.causes)


def test_the_way_back_is_refused_until_the_cause_is_gone_and_then_never_moves_by_itself():
    modes = modes_after(
        'kill inference', '+3 resume', '+1 restart inference', '+3 resume', then=5.0
    )
    assert modes == [Mode.RUNNING, Mode.SAFE_STOP, Mode.READY]


def test_an_estop_takes_reset_arm_and_start():
    modes = modes_after('estop', '+2 start', 'arm', 'reset', 'arm', 'start')
    assert modes == [Mode.RUNNING, Mode.ESTOP, Mode.INACTIVE, Mode.READY, Mode.RUNNING]


@pytest.mark.parametrize(
    ('events', 'wanted'),
    [
        (['balance danger'], Mode.SAFE_STOP),
        (['balance emergency'], Mode.ESTOP),
        (['fall'], Mode.ESTOP),
        (['filter infeasible'], Mode.SAFE_STOP),
        (['filter starved'], Mode.SAFE_STOP),
        (['camera frozen'], Mode.SAFE_STOP),
        (['driver fault'], Mode.ESTOP),
        (['driver limp'], Mode.ESTOP),
        (['driver disobeys', 'safe_stop'], Mode.ESTOP),
        (['kill hardware_driver'], Mode.ESTOP),
        (['endpoint b register', 'endpoint b press'], Mode.ESTOP),
        (['endpoint b register', '+0.5 endpoint b lose', '+0.7 wait'], Mode.ESTOP),
        (['publishers /joint_command 2'], Mode.SAFE_STOP),
        (['stall 0.3'], Mode.SAFE_STOP),
        (['clock_back 1'], Mode.SAFE_STOP),
        (['finish'], Mode.READY),
        (['policy unloaded'], Mode.RUNNING),
    ],
    ids=str,
)
def test_each_kind_of_event_leads_where_the_table_says(events, wanted):
    assert modes_after(*events)[-1] is wanted


def test_an_endpoint_that_falls_silent_stops_softly_first():
    modes = modes_after('endpoint b register', '+0.5 endpoint b lose', then=3.0)
    assert modes == [Mode.RUNNING, Mode.SAFE_STOP, Mode.ESTOP]


@pytest.mark.parametrize(
    ('script', 'message'),
    [
        ('kil camera', 'script: event 1: found kil, wanted kill?'),
        ('kill antenna', 'script: event 1: found kill antenna, wanted kill hardware_driver|'),
        ('2 estop, 1 reset', 'script: event 2: found time 1 s, wanted not before'),
        ('publishers /joint_command many', 'wanted publishers TEXT N'),
        ('stall nan', 'wanted stall S'),
    ],
)
def test_a_script_that_cannot_be_played_says_where_and_what_may_stand_there(script, message):
    with pytest.raises(ConfigError) as caught:
        parse([script])
    assert message in str(caught.value)


def test_times_are_absolute_relative_or_a_second_later():
    script = parse(['2.5 estop  # comment', '+0.25 reset, arm', '', 'start'])
    assert [h.at for h in script] == [2.5, 2.75, 3.75, 4.75]


def test_every_kind_of_event_that_the_help_names_can_be_played():
    for kind in KINDS:
        first = {'TEXT': 'b', 'S': '0.1', 'N': '1'}
        words = [first[w] if isinstance(w, str) else w[0] for w in kind.words]
        assert modes_after(' '.join([kind.name, *words]), then=0.1)


def test_the_configuration_is_the_users_own_with_later_files_over_earlier_ones(tmp_path):
    mine = tmp_path / 'mine.yaml'
    mine.write_text('/**:\n  ros__parameters:\n    timeouts: {camera: 2}\n    auto_arm: false\n')
    chosen = configuration([SHIPPED, mine], None)
    assert chosen.settings.limits.timeouts['camera'] == 2.0
    moments = Simulation(chosen, Mode.RUNNING).run(parse(['1 kill camera']), 4.0)
    stop = next(m for m in moments if m.decision.mode is Mode.SAFE_STOP)
    assert 2.8 < stop.t < 3.1


def test_a_value_that_the_node_would_refuse_is_refused_here_with_its_file(tmp_path):
    bad = tmp_path / 'bad.yaml'
    bad.write_text('supervisor:\n  ros__parameters:\n    timeouts.camera: 99.0\n')
    with pytest.raises(ConfigError) as caught:
        configuration([SHIPPED, bad], None)
    assert str(caught.value).startswith(f'{SHIPPED}, {bad}: timeouts.camera: found 99.0')


def test_the_command_prints_one_json_object_and_needs_no_ros_graph(capsys):
    assert command.main(['--params', str(SHIPPED), '--json', 'estop', 'reset']) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result['final']['mode'] == 'INACTIVE'
    assert [m['event'] for m in result['moments'] if m['event']] == ['estop', 'reset']
    code = 'import sys, vla_validation.what_if.command; print("rclpy" in sys.modules)'
    out = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == 'False'

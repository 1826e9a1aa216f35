# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Every way in which the parameters can be wrong, with the message that it gives."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from vla_common.errors import ConfigError
from vla_common.parameters import ParameterSchema, flatten
from vla_common.testing_refusals import documented
from vla_supervisor.settings import check_cameras, settings, supervised_nodes

ROOT = Path(__file__).parents[3]
SCHEMA = ParameterSchema.from_file(Path(__file__).parents[1] / 'parameters.yaml')
STOPS = SimpleNamespace(estop='damp', safe_stop_duration=2.0, supervisor_lost='stand')


CONFIG = ROOT / 'config' / 'supervisor.yaml'
SHIPPED = flatten(yaml.safe_load(CONFIG.read_text())['supervisor']['ros__parameters'], '__')


def made(stops=STOPS, **changes):
    return settings(SCHEMA.defaults(**{**SHIPPED, **changes}), stops, 'parameters of /supervisor')


def test_the_shipped_parameters_are_valid_and_reach_their_places():
    s = made()
    assert s.limits.timeouts['hardware_driver'] == 0.1
    assert s.core.danger_speed_scale == 0.5
    assert s.core.estop_behaviour.value == 'damp'


@pytest.mark.parametrize(
    ('name', 'value', 'message'),
    [
        ('safe_stop.rest_within', 1.0, 'more than safe_stop.slow_within (4 s)'),
        ('estop.rest_within', 2.0, 'more than estop.slow_within (2 s)'),
        ('estop.rest_speed', 1.9, 'at most estop.slow_speed (1.5 rad/s)'),
        ('safe_stop.slow_within', 1.0, 'more than 2 s'),
    ],
)
def test_parameters_that_contradict_each_other_are_named(name, value, message):
    with pytest.raises(ConfigError) as error:
        made(**{name.replace('.', '__'): value})
    wanted = f'parameters of /supervisor: {name}: found {value:g}, wanted {message}'
    assert str(error.value).startswith(wanted)
    documented('Parameters that contradict each other', name, error.value)


def test_a_stop_that_is_due_before_it_is_obeyed_is_named():
    with pytest.raises(ConfigError) as error:
        made(safe_stop__slow_within=0.2)
    wanted = 'safe_stop.obey_within: found 0.3, wanted less than safe_stop.slow_within (0.2 s)'
    assert str(error.value).startswith(f'parameters of /supervisor: {wanted}')
    case = 'a stop that is due before it is obeyed'
    documented('Parameters that contradict each other', case, error.value)


def test_a_robot_that_stands_slower_than_its_stop_is_watched_is_refused():
    slow = SimpleNamespace(estop='damp', safe_stop_duration=5.0)
    with pytest.raises(ConfigError, match=r'stops\.safe_stop_duration') as error:
        made(slow)
    case = 'a robot that stops slower than it is watched'
    documented('Parameters that contradict each other', case, error.value)


@pytest.mark.parametrize('name', [e.name for e in SCHEMA.entries if e.required])
def test_a_safety_parameter_has_no_default(name):
    given = {key: value for key, value in SHIPPED.items() if key != name.replace('.', '__')}
    with pytest.raises(ConfigError, match=name):
        SCHEMA.defaults(**given)


def test_every_number_has_a_range_and_every_time_a_unit():
    for entry in SCHEMA.entries:
        if entry.type == 'double':
            assert entry.lo is not None, entry.name
            assert entry.unit or entry.name == 'danger.speed_scale', entry.name


@pytest.mark.parametrize('feet', [{}, {'left_foot': 1, 'right_foot': 2}])
def test_a_robot_without_feet_is_supervised_without_a_balance_monitor(feet):
    nodes = supervised_nodes(SimpleNamespace(foot_boxes=feet))
    assert ('balance_monitor' in nodes) == bool(feet)
    assert set(nodes) | {'balance_monitor'} == {
        'hardware_driver',
        'balance_monitor',
        'camera',
        'safety_filter',
        'inference',
    }
    assert tuple(settings(SCHEMA.defaults(**SHIPPED), STOPS, '', nodes).limits.timeouts) == nodes


def test_each_named_camera_is_supervised_with_the_timeout_of_cameras():
    nodes = supervised_nodes(SimpleNamespace(foot_boxes={}), ['head', 'left_wrist'])
    assert nodes == (
        'hardware_driver',
        'camera_head',
        'camera_left_wrist',
        'safety_filter',
        'inference',
    )
    timeouts = settings(SCHEMA.defaults(**SHIPPED), STOPS, '', nodes).limits.timeouts
    assert tuple(timeouts) == nodes
    assert timeouts['camera_left_wrist'] == timeouts['camera_head'] == SHIPPED['timeouts__camera']


@pytest.mark.parametrize(
    ('names', 'message'),
    [
        (['head', 'head'], 'cameras: found head, head, wanted each once'),
        (['head', ''], "cameras: found '', wanted a lower-case letter"),
        (['Head'], 'cameras: found Head, wanted a lower-case letter'),
    ],
)
def test_cameras_that_cannot_be_nodes_are_refused(names, message):
    with pytest.raises(ConfigError, match=message):
        check_cameras(names, 'parameters')
    check_cameras([''], 'parameters')
    check_cameras(['head', 'left_wrist'], 'parameters')

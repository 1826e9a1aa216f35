# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
import re
from dataclasses import dataclass

import pytest

from vla_common.errors import ConfigError
from vla_common.parameters import ParameterSchema, flatten, nest

SCHEMA = """\
command_timeout:
  type: double
  unit: s
  range: [0.01, 1.0]
  description: Age above which a command is not executed.
stops.kind:
  type: string
  choices: [stand, damp]
  default: stand
  description: What to do.
gains:
  type: double_array
  range: [0, null]
  default: [1.0, 2.0]
  description: Gains.
"""


@pytest.fixture
def schema(tmp_path):
    (tmp_path / 'parameters.yaml').write_text(SCHEMA)
    return ParameterSchema.from_file(tmp_path / 'parameters.yaml')


def test_names_with_dots_nest(schema):
    parameters = schema.defaults(command_timeout=0.1, stops__kind='damp')
    assert parameters.stops.kind == 'damp'
    assert parameters.command_timeout == 0.1
    assert parameters.gains == [1.0, 2.0]


def test_values_cannot_be_set(schema):
    with pytest.raises(AttributeError, match='read once'):
        schema.defaults(command_timeout=0.1).command_timeout = 5.0


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ({}, 'command_timeout: found nothing, wanted a finite number from 0.01 to 1 (s)'),
        ({'command_timeout': 7.0}, 'command_timeout: found 7.0, wanted a finite number'),
        ({'command_timeout': float('nan')}, 'command_timeout: found nan'),
        ({'command_timeout': 0.1, 'stops__kind': 'fly'}, "found 'fly', wanted one of stand, damp"),
        ({'command_timeout': 0.1, 'gains': [1.0, -2.0]}, 'gains: found [1.0, -2.0]'),
        ({'command_timeout': 0.1, 'speed': 1.0}, 'speed: found an unknown parameter'),
    ],
)
def test_each_invalid_value_is_reported(schema, given, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        schema.defaults(**given)


def test_a_schema_with_a_default_outside_its_range_is_refused(tmp_path):
    path = tmp_path / 'parameters.yaml'
    path.write_text('a:\n  type: double\n  range: [0, 1]\n  default: 3.0\n  description: x\n')
    with pytest.raises(ConfigError, match=r'a\.default: found 3\.0'):
        ParameterSchema.from_file(path)


@dataclass(frozen=True)
class Stops:
    kind: str


@dataclass(frozen=True)
class Settings:
    stops_kind: str
    gains: list
    stops: Stops


def test_a_section_becomes_a_dataclass_by_field_name(schema):
    parameters = schema.defaults(command_timeout=0.1)
    stops = parameters.stops.to(Stops)
    assert stops == Stops('stand')
    assert parameters.select(Settings, stops=stops) == Settings('stand', [1.0, 2.0], stops)


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('missing', 'stops: found nothing, wanted a parameter for Settings.stops'),
        ('extra', 'command_timeout: found a parameter, wanted a field of Stops'),
    ],
)
def test_a_missing_and_an_extra_field_are_one_configuration_error(schema, name, message):
    parameters = schema.defaults(command_timeout=0.1)
    convert = {
        'missing': lambda: parameters.select(Settings),
        'extra': lambda: parameters.to(Stops),
    }
    with pytest.raises(ConfigError) as error:
        convert[name]()
    assert str(error.value) == f'parameters: {message}'


def test_flatten_reverses_nest():
    values = {'a.b.c': 1, 'a.d': [2]}
    assert flatten(nest(values)) == values
    assert flatten({'a': {'b': {'c': 1}, 'd': [2]}}) == values

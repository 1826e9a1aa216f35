# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
import pytest

from vla_common.errors import ConfigError
from vla_common.parameters import ParameterSchema, write_readme_table

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
def test_each_bad_value_is_told(schema, given, message):
    with pytest.raises(ConfigError) as error:
        schema.defaults(**given)
    assert message in str(error.value)


def test_a_schema_with_a_default_outside_its_range_is_refused(tmp_path):
    path = tmp_path / 'parameters.yaml'
    path.write_text('a:\n  type: double\n  range: [0, 1]\n  default: 3.0\n  description: x\n')
    with pytest.raises(ConfigError, match=r'a\.default: found 3\.0'):
        ParameterSchema.from_file(path)


def test_the_readme_table_is_written_once_and_then_unchanged(tmp_path, schema):
    (tmp_path / 'README.md').write_text(
        'x\n<!-- parameters: begin -->\n<!-- parameters: end -->\ny\n'
    )
    assert write_readme_table(tmp_path)
    assert (
        '| `command_timeout` | double | s | 0.01 … 1 | **must be given** |'
        in (tmp_path / 'README.md').read_text()
    )
    assert not write_readme_table(tmp_path)

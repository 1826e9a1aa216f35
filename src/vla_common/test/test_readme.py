# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
import pathlib
import shutil

import pytest

from vla_common.errors import ConfigError
from vla_common.readme import write_tables

SOURCES = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = """\
command_timeout:
  type: double
  unit: s
  range: [0.01, 1.0]
  description: Age above which a command is not executed.
"""


def markers(name):
    return f'<!-- {name}: begin -->\n<!-- {name}: end -->\n'


def test_the_tables_are_written_once_and_then_unchanged(tmp_path):
    readme = tmp_path / 'README.md'
    (tmp_path / 'parameters.yaml').write_text(SCHEMA)
    names = ('parameters', 'inputs of safety_filter', 'outputs of safety_filter', 'transitions')
    readme.write_text('x\n' + ''.join(map(markers, names)) + 'y\n')
    assert write_tables(tmp_path)
    text = readme.read_text()
    assert '| `command_timeout` | double | s | 0.01 … 1 | **must be given** |' in text
    inputs, outputs = text.split('<!-- inputs of safety_filter: end -->')
    assert '| `/vla/action_chunk` | `trajectory_msgs/msg/JointTrajectory` | COMMAND |' in inputs
    assert '| `/safety/status` | `vla_interfaces/msg/SafetyStatus` | STATE | state, ' in outputs
    assert markers('transitions') in text
    assert not write_tables(tmp_path)


def test_a_readme_without_a_place_for_the_parameters_is_an_error(tmp_path):
    (tmp_path / 'parameters.yaml').write_text(SCHEMA)
    (tmp_path / 'README.md').write_text('x\n')
    with pytest.raises(ConfigError, match='found no markers, wanted <!-- parameters: begin -->'):
        write_tables(tmp_path)


@pytest.mark.parametrize('package', sorted(p.parent.name for p in SOURCES.glob('*/README.md')))
def test_the_tables_of_every_readme_are_up_to_date(package, tmp_path):
    for path in (SOURCES / package / 'README.md', *(SOURCES / package).glob('*parameters.yaml')):
        shutil.copy(path, tmp_path)
    assert not write_tables(tmp_path), f'run: python -m vla_common.readme src/{package}'

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the filter's process loads, and its parameter files."""

import os
import pathlib
import subprocess
import sys

import pytest

from vla_common.errors import ConfigError
from vla_common.parameters import ParameterSchema
from vla_common.readme import write_tables
from vla_safety.parameters import load_parameters

PACKAGE = pathlib.Path(__file__).resolve().parents[1]
FILES = sorted((PACKAGE / 'test' / 'config_errors').glob('*.yaml'))
"""One per mistake; the first line is what the error must contain."""

FORBIDDEN = (
    'torch',
    'onnxruntime',
    'onnx',
    'tensorflow',
    'vla_inference',
    'vla_policy',
    'vla_models',
    'vla_deploy',
    'vla_camera',
    'vla_sim',
    'mujoco',
)


def loaded_by(statement: str) -> set[str]:
    code = f'{statement}; import sys; print("LOADED", *sorted(sys.modules))'
    result = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, timeout=60, env=os.environ
    )
    assert result.returncode == 0, result.stderr
    line = next(line for line in result.stdout.splitlines() if line.startswith('LOADED'))
    return {name.split('.')[0] for name in line.split()[1:]}


def test_the_process_loads_neither_torch_nor_policy_code():
    loaded = loaded_by(
        'import vla_safety.node; from vla_robot import load_robot; '
        "load_robot('humanoid32').kinematics()"
    )
    assert 'vla_safety' in loaded
    assert 'pinocchio' in loaded
    assert loaded.isdisjoint(FORBIDDEN)


def test_the_core_needs_no_ros_client_library():
    loaded = loaded_by('import vla_safety.filter, vla_safety.filter_runtime, vla_safety.pipeline')
    assert 'rclpy' not in loaded


def test_no_parameter_has_a_default():
    # A safety value without an entry is a value without a decision.
    for entry in ParameterSchema.from_file(PACKAGE / 'parameters.yaml').entries:
        assert entry.required, entry.name


def test_the_readme_shows_the_parameters_as_they_are(tmp_path):
    for name in ('README.md', 'parameters.yaml'):
        (tmp_path / name).write_text((PACKAGE / name).read_text())
    assert not write_tables(tmp_path), 'run: python -m vla_common.readme src/vla_safety'


@pytest.mark.parametrize('file', sorted(PACKAGE.rglob('*.py')), ids=lambda path: path.name)
def test_every_file_names_its_license(file):
    assert 'SPDX-License-Identifier: Apache-2.0' in file.read_text().splitlines()[0]


@pytest.mark.parametrize('file', FILES, ids=lambda path: path.stem)
def test_a_malformed_parameter_file_gives_one_error_naming_file_key_found_and_wanted(file):
    message = file.read_text().splitlines()[0].removeprefix('# wanted: ')
    with pytest.raises(ConfigError) as caught:
        load_parameters(file)
    assert str(caught.value).startswith(str(file))
    assert message in str(caught.value)


def test_a_missing_file_is_named():
    with pytest.raises(ConfigError, match=r'nowhere\.yaml: found no such file'):
        load_parameters('nowhere.yaml')


def test_there_is_a_file_for_each_kind_of_mistake():
    assert len(FILES) == 9

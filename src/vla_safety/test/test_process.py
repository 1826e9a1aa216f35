# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the filter's process is made of."""

import os
import pathlib
import subprocess
import sys

import pytest

from vla_common.parameters import ParameterSchema
from vla_common.readme import write_tables

PACKAGE = pathlib.Path(__file__).resolve().parents[1]

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
def test_every_file_says_under_which_licence_it_is(file):
    assert 'SPDX-License-Identifier: Apache-2.0' in file.read_text().splitlines()[0]

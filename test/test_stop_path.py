# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The processes of the stop path: what they import, and what their parameters declare."""

import subprocess
import sys

import pytest

from vla_common.parameters import ParameterSchema

STOP_PATH = ['vla_safety', 'vla_supervisor', 'vla_hardware', 'vla_balance']
POLICY = {
    'torch',
    'onnxruntime',
    'onnx',
    'tensorflow',
    'vla_policy',
    'vla_inference',
    'vla_models',
    'vla_deploy',
}
DIMENSIONLESS = ('fraction', 'scale', 'factor')


@pytest.mark.parametrize('package', STOP_PATH)
def test_no_process_of_the_stop_path_loads_torch_or_policy_code(package):
    code = f'import {package}.node, sys; print("LOADED", *sys.modules)'
    result = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    line = next(line for line in result.stdout.splitlines() if line.startswith('LOADED'))
    loaded = {name.split('.')[0] for name in line.split()[1:]}
    assert package in loaded
    assert loaded.isdisjoint(POLICY)


@pytest.mark.parametrize('package', STOP_PATH)
def test_every_number_has_a_range_and_a_unit(package):
    for entry in ParameterSchema.load(package).entries:
        if entry.type in ('int', 'double', 'double_array'):
            assert entry.lo is not None, entry.name
            assert entry.hi is not None, entry.name
        if entry.type in ('double', 'double_array') and not entry.name.endswith(DIMENSIONLESS):
            assert entry.unit, entry.name

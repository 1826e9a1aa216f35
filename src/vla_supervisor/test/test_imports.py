# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The stop path stays light: no torch, no policy code, and a core without ROS."""

import subprocess
import sys

import pytest

FORBIDDEN = (
    'torch',
    'onnxruntime',
    'vla_policy',
    'vla_inference',
    'vla_models',
    'vla_deploy',
    'transformers',
)


def modules_after(statement):
    code = f'{statement}; import sys; print(" ".join(m.split(".")[0] for m in sys.modules))'
    out = subprocess.run(
        [sys.executable, '-c', code], check=True, capture_output=True, text=True, timeout=60
    )
    return set(out.stdout.split())


@pytest.mark.parametrize('module', ['node', 'operator_command'])
def test_the_supervisor_imports_neither_torch_nor_policy_code(module):
    loaded = modules_after(f'import vla_supervisor.{module}')
    assert 'rclpy' in loaded
    assert loaded.isdisjoint(FORBIDDEN)


def test_the_core_imports_no_middleware():
    pure = (
        'core',
        'health_monitor',
        'lifecycle_manager',
        'endpoints',
        'heartbeats',
        'transitions',
        'settings',
    )
    loaded = modules_after('import ' + ', '.join(f'vla_supervisor.{name}' for name in pure))
    assert 'vla_supervisor' in loaded
    assert loaded.isdisjoint({'rclpy', 'vla_interfaces', *FORBIDDEN})

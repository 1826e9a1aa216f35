# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The layout of the workspace, read from its imports: package order, cycles, ROS-free cores, sizes.

Imports under `TYPE_CHECKING` do not count; imports inside functions do.
"""

from __future__ import annotations

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]

LAYERS = (
    ('vla_interfaces',),
    ('vla_common',),
    ('vla_robot',),
    ('vla_sim', 'vla_supervisor'),
    ('vla_balance', 'vla_camera'),
    ('vla_policy', 'vla_safety', 'vla_hardware'),
    ('vla_inference', 'vla_serving'),
    ('vla_models',),
    ('vla_deploy',),
    ('vla_monitor',),
    ('vla_validation',),
)
"""From the ground up. A package imports packages of lower layers only."""

ROS = ('rclpy', 'launch', 'launch_ros', 'diagnostic_updater', 'vla_interfaces')

ROS_MODULES = {
    'vla_balance': {'node'},
    'vla_camera': {'node', 'image_messages', 'calibration.live'},
    'vla_common': {
        'guarded_node',
        'lifecycle',
        'node_main',
        'qos',
        'testing',
        'executor_thread',
        'messages',
        'cdr',
        'image_cdr',
    },
    'vla_hardware': {
        'node',
        'telemetry',
        'drivers.topics',
        'drivers.unitree.link',
        'doubles.topic_robot',
        'doubles.g1_robot',
    },
    'vla_inference': {'node', 'action_server', 'messages', 'configure'},
    'vla_monitor': {
        'node',
        'recording.observer',
        'export.load',
        'report.load',
        'replay.session',
        'dashboard.node',
        'dashboard.robot_link',
        'monitor.node',
        'monitor.diagnostics',
        'monitor.markers',
        'monitor.messages',
        'monitor.transform_publisher',
    },
    'vla_policy': set(),
    'vla_robot': set(),
    'vla_safety': {'node', 'gripper_input', 'obstacle_input'},
    'vla_serving': set(),
    'vla_sim': {'snapshot'},
    'vla_supervisor': {'node', 'lifecycle_calls', 'messages', 'operator_command'},
    'vla_models': set(),
    'vla_deploy': {'comparing.shadow_node', 'commands.compare'},
}
"""Modules that may import ROS, by package; all others are cores. vla_validation drives robots and
is free to."""

LARGEST_FILE = 400  # lines
LARGEST_PACKAGE = 0.20  # of all product lines


def product() -> dict[str, pathlib.Path]:
    """Modules of the packages by dotted name."""
    found = {}
    for package in sorted((ROOT / 'src').iterdir()):
        for path in sorted((package / package.name).rglob('*.py')):
            parts = path.relative_to(package).with_suffix('').parts
            found['.'.join(parts[:-1] if parts[-1] == '__init__' else parts)] = path
    return found


MODULES = product()


def imported(path: pathlib.Path) -> set[str]:
    """Dotted names that a module imports; `from a import b` is a.b where that is a module."""
    tree = ast.parse(path.read_text(encoding='utf-8'))
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and 'TYPE_CHECKING' in ast.unparse(node.test):
            skipped |= {inner for statement in node.body for inner in ast.walk(statement)}
    names: set[str] = set()
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f'{node.module}.{alias.name}' for alias in node.names}
            modules = {name for name in inner if name in MODULES}
            names |= modules or {node.module}
    return names


IMPORTS = {name: imported(path) for name, path in MODULES.items()}


def test_packages_import_only_from_lower_layers():
    layer = {package: i for i, packages in enumerate(LAYERS) for package in packages}
    wrong = []
    for module, names in IMPORTS.items():
        package = module.partition('.')[0]
        for name in names:
            other = name.partition('.')[0]
            if other.startswith('vla_') and other != package and layer[other] >= layer[package]:
                wrong.append(f'{module} imports {name}')
    assert not wrong, '\n'.join(wrong)


def test_no_modules_import_each_other_in_a_circle():
    edges = {m: {n for n in names if n in MODULES and n != m} for m, names in IMPORTS.items()}
    done: set[str] = set()
    path: list[str] = []

    def visit(module: str) -> None:
        if module in path:
            pytest.fail(' -> '.join([*path[path.index(module) :], module]))
        if module in done:
            return
        path.append(module)
        for name in sorted(edges[module]):
            visit(name)
        path.pop()
        done.add(module)

    for module in edges:
        visit(module)


@pytest.mark.parametrize('package', sorted(ROS_MODULES))
def test_cores_do_not_import_ros(package):
    wrong = []
    for module, names in IMPORTS.items():
        head, _, rest = module.partition('.')
        if head == package and rest not in ROS_MODULES[package]:
            wrong += [
                f'{module} imports {name}'
                for name in names
                if name.partition('.')[0] in ROS or name.endswith(('_msgs.msg', '_srvs.srv'))
            ]
    assert not wrong, '\n'.join(wrong)


def test_no_product_file_is_longer_than_400_lines():
    lengths = {m: path.read_text(encoding='utf-8').count('\n') for m, path in MODULES.items()}
    assert not {m: n for m, n in lengths.items() if n > LARGEST_FILE}


def test_no_package_holds_more_than_a_fifth_of_the_product():
    lines: dict[str, int] = {}
    for module, path in MODULES.items():
        package = module.partition('.')[0]
        lines[package] = lines.get(package, 0) + path.read_text(encoding='utf-8').count('\n')
    total = sum(lines.values())
    assert not {p: n for p, n in lines.items() if n > LARGEST_PACKAGE * total}

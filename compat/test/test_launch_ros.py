# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Nodes: what they are started with."""

import ast

import pytest
import yaml

# Stands in for a node: shows its arguments, and what is in its parameter files.
SHOW = """
import os, sys
print("ARGS", sys.argv[1:], flush=True)
for word, path in zip(sys.argv, sys.argv[1:]):
    if word == "--params-file":
        print("FILE", repr(open(path).read()), flush=True)
"""

HEADER = f"""
from launch_ros.actions import *
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackagePrefix, FindPackageShare

SHOW = {SHOW!r}


def show(arguments=(), **kwargs):
    return Node(executable=sys.executable, arguments=['-c', SHOW, *arguments], output='screen',
                **kwargs)
"""


class Loader(yaml.SafeLoader):
    """Reads the real package's files, too, which say that a list was a Python tuple."""


Loader.add_constructor(
    'tag:yaml.org,2002:python/tuple', lambda loader, node: loader.construct_sequence(node)
)


def shown(launched, key: str) -> list:
    """What the stand-in nodes have printed, in order of their process names."""
    lines = sorted(line for line in launched.lines if f'] {key} ' in line)
    return [ast.literal_eval(line.partition(f'] {key} ')[2]) for line in lines]


def test_names_remappings_and_arguments_become_ros_arguments(run):
    code, launched = run(
        """
        return LaunchDescription([
            show(name='n', namespace='ns',
                 arguments=['own', LaunchConfiguration('x', default='y')],
                 ros_arguments=['--log-level', 'debug'],
                 remappings=[('a', 'b'), ('c', ['d', 'e'])]),
            show(exec_name='other')])
        """,
        header=HEADER,
    )
    assert code == 0, launched.text
    first, second = shown(launched, 'ARGS')
    if first[0] != 'own':
        first, second = second, first
    assert ' '.join(first) == (
        'own y --ros-args --log-level debug --ros-args -r __node:=n -r __ns:=/ns -r a:=b -r c:=de'
    )
    assert second == ['--ros-args']
    assert '[INFO] [other-2]: process started' in launched.text


def test_dict_parameters_become_a_file_for_exactly_this_node(run):
    code, launched = run(
        """
        return LaunchDescription([
            show(name='n', namespace='/ns', parameters=[{
                'int': 1, 'float': 2.5, 'bool': True, 'text': '5', 'list': [1, 2.5],
                'texts': ['a', '1'], 'nested': {'a': {'b': 'c'}},
                'read': PythonExpression('1 + 1'),
                'joined': ['a', TextSubstitution(text='b')],
                'kept': ParameterValue(TextSubstitution(text='7'), value_type=str),
                'made': ParameterValue(TextSubstitution(text='7'), value_type=float),
                'small': ParameterValue(TextSubstitution(text='1e-06'), value_type=float),
                'on': ParameterValue(TextSubstitution(text='1'), value_type=bool),
                'off': ParameterValue(TextSubstitution(text='0'), value_type=bool),
                TextSubstitution(text='named'): [TextSubstitution(text='[1, 2]')],
            }])])
        """,
        header=HEADER,
    )
    assert code == 0, launched.text
    (content,) = [yaml.load(text, Loader) for text in shown(launched, 'FILE')]
    assert content == {
        '/ns/n': {
            'ros__parameters': {
                'int': 1,
                'float': 2.5,
                'bool': True,
                'text': '5',
                'list': [1.0, 2.5],
                'texts': ['a', '1'],
                'nested.a.b': 'c',
                'read': 2,
                'joined': 'ab',
                'kept': '7',
                'made': 7.0,
                'small': 1e-06,
                'on': True,
                'off': False,
                'named': [1, 2],
            }
        }
    }


def test_without_a_full_name_dict_parameters_are_for_any_node(run):
    _, launched = run("return LaunchDescription([show(parameters=[{'a': 1}])])", header=HEADER)
    assert [yaml.load(text, Loader) for text in shown(launched, 'FILE')] == [
        {'/**': {'ros__parameters': {'a': 1}}}
    ]


def test_parameter_files_are_passed_as_they_are_and_a_missing_one_is_reported(run, tmp_path):
    plain = tmp_path / 'plain.yaml'
    plain.write_text('/**: {ros__parameters: {a: "$(var x)"}}\n')
    code, launched = run(
        f"""
        return LaunchDescription([
            show(parameters=[{str(plain)!r}, {{'b': 1}}, {str(tmp_path / 'missing.yaml')!r}])])
        """,
        header=HEADER,
    )
    assert code == 0, launched.text
    first, second = [yaml.load(text, Loader) for text in shown(launched, 'FILE')]
    if 'b' in first['/**']['ros__parameters']:  # shown in the order of their text
        first, second = second, first
    assert first == {'/**': {'ros__parameters': {'a': '$(var x)'}}}
    assert second == {'/**': {'ros__parameters': {'b': 1}}}
    (arguments,) = shown(launched, 'ARGS')
    assert arguments[:3] == ['--ros-args', '--params-file', str(plain)]
    assert 'Parameter file path is not a file' in launched.text


def test_a_scope_gives_its_nodes_remappings(run):
    code, launched = run(
        """
        return LaunchDescription([
            GroupAction([
                SetRemap('s', 't'),
                show(exec_name='inside', name='n', remappings=[('u', 'v')])]),
            show(exec_name='outside', name='n')])
        """,
        header=HEADER,
    )
    assert code == 0, launched.text
    inside, outside = shown(launched, 'ARGS')
    assert inside == ['--ros-args', '-r', '__node:=n', '-r', 's:=t', '-r', 'u:=v']
    assert outside == ['--ros-args', '-r', '__node:=n']


@pytest.mark.parametrize(
    ('action', 'message'),
    [
        ("show(name='no good')", 'no good'),
        ("show(name='n', namespace='1')", '/1'),
        ("Node(package='no_such_package', executable='x')", 'no_such_package'),
        ("Node(package='rclpy', executable='x')", 'rclpy'),
        ("say(FindPackageShare('no_such_package'))", 'no_such_package'),
        ("show(parameters=[{'a': TextSubstitution(text='{b: 1}')}])", 'ParameterValue'),
        ("show(parameters=[{'a': [[TextSubstitution(text='1')], 'x']}])", 'uniform type'),
    ],
)
def test_a_node_that_cannot_be_described_fails_the_launch(run, action, message):
    code, launched = run(f'return LaunchDescription([{action}])', header=HEADER)
    assert code == 1
    assert message in launched.text
    assert 'process started' not in launched.text


@pytest.mark.parametrize('parameters', ["'file.yaml'", "[{'a': object()}]"])
def test_parameters_of_a_wrong_type_are_refused_when_the_node_is_described(parameters):
    from launch_ros.actions import Node

    with pytest.raises(TypeError):
        Node(executable='x', parameters=eval(parameters))


def test_a_lifecycle_node_is_a_node_with_name_and_namespace(run):
    from launch_ros.actions import LifecycleNode

    with pytest.raises(TypeError, match='name'):
        LifecycleNode(executable='x')
    code, launched = run(
        """
        return LaunchDescription([
            LifecycleNode(executable=sys.executable, arguments=['-c', SHOW], name='n',
                          namespace='', output='screen', parameters=[{'a': 1}])])
        """,
        header=HEADER,
    )
    assert code == 0, launched.text
    assert [yaml.load(text, Loader) for text in shown(launched, 'FILE')] == [
        {'/n': {'ros__parameters': {'a': 1}}}
    ]

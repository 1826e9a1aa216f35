# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Nodes: what they are started with, and lifecycle transitions."""

import ast

import pytest
import yaml
from conftest import IS_STAND_IN

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
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue
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
                'named': [1, 2],
            }
        }
    }


def test_without_a_full_name_dict_parameters_are_for_any_node(run):
    _, launched = run("return LaunchDescription([show(parameters=[{'a': 1}])])", header=HEADER)
    assert [yaml.load(text, Loader) for text in shown(launched, 'FILE')] == [
        {'/**': {'ros__parameters': {'a': 1}}}
    ]


def test_parameter_files_are_passed_in_order_with_substitutions_where_allowed(run, tmp_path):
    plain = tmp_path / 'plain.yaml'
    plain.write_text('/**: {ros__parameters: {a: "$(var x)"}}\n')
    allowed = tmp_path / 'allowed.yaml'
    allowed.write_text(
        '/**:\n  ros__parameters:\n    a: $(var x)\n    quoted: "$(var x)"\n'
        '    b: "$(env PARAM_TEST unset)-$(var y z)"\n'
    )
    code, launched = run(
        f"""
        return LaunchDescription([
            SetLaunchConfiguration('x', '3'),
            show(parameters=[{str(plain)!r}, ParameterFile({str(allowed)!r}, allow_substs=True),
                             {str(tmp_path / 'missing.yaml')!r}])])
        """,
        header=HEADER,
    )
    assert code == 0, launched.text
    first, second = [yaml.load(text, Loader) for text in shown(launched, 'FILE')]
    if first['/**']['ros__parameters']['a'] != '$(var x)':
        first, second = second, first
    assert first == {'/**': {'ros__parameters': {'a': '$(var x)'}}}
    assert second == {'/**': {'ros__parameters': {'a': 3, 'quoted': '3', 'b': 'unset-z'}}}
    assert 'Parameter file path is not a file' in launched.text


def test_scopes_give_nodes_namespace_parameters_and_remappings(run):
    code, launched = run(
        """
        return LaunchDescription([
            GroupAction([
                PushRosNamespace('a'), PushRosNamespace('b'),
                SetParameter('p', 1.5), SetParameter(name='q', value=True), SetRemap('s', 't'),
                show(exec_name='inside', name='n', namespace='c', parameters=[{'p': 2}]),
                show(exec_name='absolute', name='n', namespace='/c')]),
            show(exec_name='outside', name='n')])
        """,
        header=HEADER,
    )
    assert code == 0, launched.text
    absolute, inside, outside = shown(launched, 'ARGS')
    assert inside[:11] == [
        *('--ros-args', '-r', '__node:=n', '-r', '__ns:=/a/b/c'),
        *('-p', 'p:=1.5', '-p'),
        inside[8],
        '--params-file',
        inside[10],
    ]
    assert inside[8].lower() == 'q:=true'
    assert inside[11:] == ['-r', 's:=t']
    assert absolute[4] == '__ns:=/c'
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


LIFECYCLE_NODE = """
import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn

class Tested(LifecycleNode):
    def __init__(self):
        super().__init__("unnamed")
        self.declare_parameter("answer", 0)

    def on_configure(self, state):
        print("answer", self.get_parameter("answer").value, flush=True)
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state):
        super().on_activate(state)
        return TransitionCallbackReturn.SUCCESS

rclpy.init()
executor = SingleThreadedExecutor()
executor.add_node(Tested())
try:
    executor.spin()
except (KeyboardInterrupt, ExternalShutdownException):
    pass
"""

LIFECYCLE_HEADER = f"""
import lifecycle_msgs.msg
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState

NODE = {LIFECYCLE_NODE!r}
Transition = lifecycle_msgs.msg.Transition


def change(node, transition_id):
    return EmitEvent(event=ChangeState(
        lifecycle_node_matcher=matches_action(node), transition_id=transition_id))
"""


def test_lifecycle_nodes_change_state_and_report_it(run):
    code, launched = run(
        """
        node = LifecycleNode(
            executable=sys.executable, arguments=['-c', NODE], name='tested', namespace='/ns',
            parameters=[{'answer': 42}], output='screen')
        return LaunchDescription([
            RegisterEventHandler(OnProcessStart(
                target_action=node, on_start=[change(node, Transition.TRANSITION_CONFIGURE)])),
            RegisterEventHandler(OnStateTransition(
                target_lifecycle_node=node, start_state='configuring', goal_state='inactive',
                entities=[say('inactive'), change(node, Transition.TRANSITION_ACTIVATE)])),
            RegisterEventHandler(OnStateTransition(
                target_lifecycle_node=node, goal_state='active',
                entities=[say('active'), Shutdown(reason='done')])),
            node])
        """,
        header=HEADER + LIFECYCLE_HEADER,
    )
    assert code == 0, launched.text
    assert launched.said() == ['inactive', 'active']
    assert any(line.endswith('] answer 42') for line in launched.lines)
    assert 'process has finished cleanly' in launched.text
    assert launched.survivors() == []


def test_waiting_for_a_lifecycle_node_that_never_comes_ends_with_the_launch(run):
    if not IS_STAND_IN:
        pytest.skip('the real package destroys the client under the waiting thread')
    code, launched = run(
        """
        node = LifecycleNode(
            executable=sys.executable, arguments=['-c', 'import time; time.sleep(99)'],
            name='never', namespace='')
        return LaunchDescription([
            node, change(node, Transition.TRANSITION_CONFIGURE),
            TimerAction(period=1.0, actions=[Shutdown()])])
        """,
        header=HEADER + LIFECYCLE_HEADER,
    )
    assert code == 0, launched.text
    assert 'Abandoning wait for' in launched.text
    assert launched.survivors() == []


def test_unknown_transitions_are_refused():
    from launch_ros.events.lifecycle import ChangeState

    with pytest.raises(ValueError, match='99'):
        ChangeState(lifecycle_node_matcher=lambda node: True, transition_id=99)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Arguments, conditions, substitutions and scopes."""

import pytest


def test_an_argument_has_its_default_unless_given(run):
    body = """
    return LaunchDescription([
        DeclareLaunchArgument('a', default_value='first'),
        DeclareLaunchArgument('b', default_value=[LaunchConfiguration('a'), '+']),
        say(LaunchConfiguration('a'), ' ', LaunchConfiguration('b'))])
    """
    assert run(body)[1].said() == ['first first+']
    assert run(body, 'a:=second')[1].said() == ['second second+']
    assert run(body, 'b:=given', 'unknown:=is allowed')[1].said() == ['first given']


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        ((), "missing required argument 'needed' (description: 'what for')"),
        (('needed:=1', 'speed:=7'), 'Argument "speed" provided value "7" is not valid.'),
    ],
)
def test_a_missing_or_wrong_argument_starts_nothing_and_fails(run, words, message):
    code, launched = run(
        """
        return LaunchDescription([
            DeclareLaunchArgument('needed', description='what for'),
            DeclareLaunchArgument('speed', default_value='slow', choices=['slow', 'fast']),
            py('print("started")')])
        """,
        *words,
    )
    assert code == 1
    assert message in launched.text
    assert 'started' not in launched.text


def test_conditions_decide_what_is_executed(run):
    code, launched = run(
        """
        a = LaunchConfiguration('a')
        return LaunchDescription([
            SetLaunchConfiguration('a', 'TRUE'),
            say('if', condition=IfCondition(a)), say('unless', condition=UnlessCondition(a)),
            say('if 0', condition=IfCondition('0')),
            say('unless 0', condition=UnlessCondition('0')),
            GroupAction([say('inside')], condition=UnlessCondition(a)),
            say('invalid', condition=IfCondition('perhaps'))])
        """
    )
    assert launched.said() == ['if', 'unless 0']
    assert code == 1
    assert "'perhaps'" in launched.text


SUBSTITUTIONS = [
    ("TextSubstitution(text='t')", 't'),
    ("LaunchConfiguration('unset', default='d')", 'd'),
    ("LaunchConfiguration('unset', default=3)", '3'),
    ("LaunchConfiguration('unset', default=['a', TextSubstitution(text='b')])", 'ab'),
    ("PathJoinSubstitution(['/a', 'b', TextSubstitution(text='c')])", '/a/b/c'),
    ("EnvironmentVariable('NOT_SET_AT_ALL', default_value='x')", 'x'),
    ("PythonExpression(['1 + ', '2'])", '3'),
    ("PythonExpression('math.floor(pi)')", '3'),
    ("PythonExpression('os.path.basename(\"/a/b\")', ['os'])", 'b'),
    ('PythonExpression([\'"\', ThisLaunchFileDir(), \'".startswith("/")\'])', 'True'),
]


def test_substitutions_give_their_text(run):
    says = ',\n'.join(f"say('{i}=', {text})" for i, (text, _) in enumerate(SUBSTITUTIONS))
    code, launched = run(f'return LaunchDescription([\n{says}\n])')
    assert code == 0, launched.text
    for i, (substitution, expected) in enumerate(SUBSTITUTIONS):
        line = next(line for line in launched.said() if line.startswith(f'{i}='))
        assert line == f'{i}={expected}', substitution


@pytest.mark.parametrize(
    ('substitution', 'message'),
    [
        ("LaunchConfiguration('unset')", "launch configuration 'unset' does not exist"),
        ("EnvironmentVariable('NOT_SET_AT_ALL')", "'NOT_SET_AT_ALL'"),
    ],
)
def test_a_substitution_without_a_value_fails_the_launch(run, substitution, message):
    code, launched = run(f'return LaunchDescription([say({substitution})])')
    assert code == 1
    assert message in launched.text


def test_a_scoped_group_gives_configurations_and_environment_back(run):
    _, launched = run(
        """
        def show(label):
            return say(label, ' ', LaunchConfiguration('a', default='-'), ' ',
                       EnvironmentVariable('SCOPE_TEST', default_value='-'))
        def change(value):
            return [SetLaunchConfiguration('a', value), SetEnvironmentVariable('SCOPE_TEST', value)]
        return LaunchDescription([
            *change('1'),
            GroupAction([show('in'), *change('2'), show('changed')]),
            show('after'),
            GroupAction(change('4'), scoped=False),
            show('unscoped')])
        """
    )
    assert launched.said() == ['in 1 1', 'changed 2 2', 'after 1 1', 'unscoped 4 4']


def test_an_include_gets_arguments_and_is_no_scope(run, write_launch_file):
    inner = write_launch_file(
        """
        return LaunchDescription([
            DeclareLaunchArgument('x'),
            SetLaunchConfiguration('y', [LaunchConfiguration('x'), '!']),
            say('inner ', LaunchConfiguration('x'), ' ', ThisLaunchFileDir())])
        """,
        name='inner.launch.py',
    )
    code, launched = run(
        f"""
        def include(**arguments):
            return IncludeLaunchDescription(
                PythonLaunchDescriptionSource({str(inner)!r}), launch_arguments=arguments.items())
        return LaunchDescription([
            include(x='1'), say('outer ', LaunchConfiguration('y')),
            GroupAction([include(x='2')]), say('outer ', LaunchConfiguration('y'))])
        """
    )
    assert code == 0, launched.text
    assert launched.said() == [
        f'inner 1 {inner.parent}',
        'outer 1!',
        f'inner 2 {inner.parent}',
        'outer 1!',
    ]


def test_opaque_functions_see_the_context_and_yield_entities(run):
    code, launched = run(
        """
        def function(context, word, *, end):
            return [say(word, context.launch_configurations['a'], end)]
        return LaunchDescription([
            SetLaunchConfiguration('a', '1'),
            OpaqueFunction(function=function, args=['x'], kwargs={'end': 'y'}),
            OpaqueFunction(function=lambda context: None)])
        """
    )
    assert (code, launched.said()) == (0, ['x1y'])


def test_arguments_are_found_without_launching(write_launch_file):
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    inner = write_launch_file(
        "return LaunchDescription([DeclareLaunchArgument('inner', default_value='i')])",
        name='inner.launch.py',
    )
    outer = write_launch_file(
        f"""
        return LaunchDescription([
            DeclareLaunchArgument('a', default_value='1', description='the a', choices=['1', '2']),
            DeclareLaunchArgument('b', condition=IfCondition('false')),
            IncludeLaunchDescription(PythonLaunchDescriptionSource({str(inner)!r})),
            GroupAction([DeclareLaunchArgument('grouped', default_value='g')]),
            DeclareLaunchArgument('a', default_value='2')])
        """
    )
    source = PythonLaunchDescriptionSource(str(outer))
    found = source.try_get_launch_description_without_context().get_launch_arguments()
    assert [argument.name for argument in found] == ['a', 'b', 'inner', 'grouped']
    assert found[0].description == "the a. Valid choices are: ['1', '2']"
    assert found[0].default_value[0].perform(None) == '1'
    assert found[1].description == 'no description given'


@pytest.mark.parametrize('name', ['ExecuteProcess', 'TimerAction', 'GroupAction', 'LogInfo'])
def test_unknown_keyword_arguments_are_a_type_error_that_names_them(name):
    import launch.actions

    required = {
        'ExecuteProcess': {'cmd': ['x']},
        'TimerAction': {'period': 1.0, 'actions': []},
        'GroupAction': {'actions': []},
        'LogInfo': {'msg': 'x'},
    }[name]
    with pytest.raises(TypeError, match='surprise'):
        getattr(launch.actions, name)(**required, surprise=1)


@pytest.mark.parametrize(
    'module', ['launch', 'launch.actions', 'launch.substitutions', 'launch.conditions']
)
def test_importing_what_is_not_there_names_it(module):
    with pytest.raises(ImportError, match='NoSuchThing'):
        exec(f'from {module} import NoSuchThing')

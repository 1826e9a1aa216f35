# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
import pytest

from vla_common.errors import ConfigError
from vla_common.parameter_files import (
    Setting,
    check_sections,
    effective,
    read_sections,
    values_of,
    write_node_file,
)
from vla_common.parameters import Parameter, ParameterSchema
from vla_common.testing_refusals import documented
from vla_common.yaml_file import load_yaml

SCHEMAS = {
    'safety_filter': ParameterSchema(
        [
            Parameter('robot', 'string', '', default='humanoid32'),
            Parameter('stage', 'string', '', choices=('sim', 'slow', 'fast')),
            Parameter('chunk.max_age', 'double', '', 's', lo=0.0, hi=5.0, default=0.5),
            Parameter('workspace.frames', 'string_array', '', default=['hand']),
        ]
    ),
    'supervisor': ParameterSchema(
        [Parameter('robot', 'string', '', default='humanoid32'), Parameter('auto_arm', 'bool', '')]
    ),
}
STAGE_SLOW = '{ros__parameters: {stage: slow}}'


@pytest.fixture
def config(tmp_path):
    """A folder of the files that ship, as config/."""
    folder = tmp_path / 'config'
    folder.mkdir()
    (folder / 'safety_filter.yaml').write_text(
        'safety_filter:\n  ros__parameters:\n    stage: sim\n    chunk: {max_age: 1}\n'
    )
    (folder / 'supervisor.yaml').write_text('supervisor:\n  ros__parameters: {auto_arm: true}\n')
    return folder


def users_file(tmp_path, text):
    path = tmp_path / 'params.yaml'
    path.write_text(text)
    return path


def test_a_given_argument_overrides_the_users_file_that_the_shipped_one_that_the_default(
    tmp_path, config
):
    users = users_file(
        tmp_path,
        'safety_filter:\n  ros__parameters:\n    stage: slow\n'
        'supervisor: {ros__parameters: {auto_arm: false}}\n',
    )
    given = {'safety_filter': {'stage': Setting('fast', 'argument stage:=')}}
    found = effective(SCHEMAS, config, users)
    assert found['safety_filter'] == {
        'robot': Setting('humanoid32', 'default'),
        'stage': Setting('slow', f'{users}:3'),
        'chunk.max_age': Setting(1.0, f'{config}/safety_filter.yaml:4'),
        'workspace.frames': Setting(['hand'], 'default'),
    }
    assert found['supervisor']['auto_arm'] == Setting(False, f'{users}:4')
    found = effective(SCHEMAS, config, users, given)
    assert found['safety_filter']['stage'] == Setting('fast', 'argument stage:=')
    assert found['supervisor']['auto_arm'].value is False
    assert effective(SCHEMAS, config)['safety_filter']['stage'].value == 'sim'


@pytest.mark.parametrize(
    'key', ['safety_filter', '/safety_filter', '/**', '/*', '"**"', '"*"', '/**/safety_filter']
)
def test_each_form_that_rcl_accepts_is_in_force(tmp_path, config, key):
    users = users_file(tmp_path, f'{key}: {STAGE_SLOW}')
    assert effective(SCHEMAS, config, users)['safety_filter']['stage'].value == 'slow'


def test_a_wildcard_reaches_the_nodes_that_have_the_parameter(tmp_path, config):
    users = users_file(tmp_path, '/**: {ros__parameters: {robot: mine, auto_arm: false}}')
    found = effective(SCHEMAS, config, users)
    assert found['safety_filter']['robot'].value == found['supervisor']['robot'].value == 'mine'
    assert found['supervisor']['auto_arm'].value is False
    assert 'auto_arm' not in found['safety_filter']


@pytest.mark.parametrize('order', [1, -1])
def test_an_exact_name_wins_over_a_wildcard_in_any_order(tmp_path, config, order):
    lines = [f'safety_filter: {STAGE_SLOW}', '/**: {ros__parameters: {stage: fast}}'][::order]
    users = users_file(tmp_path, '\n'.join(lines))
    assert effective(SCHEMAS, config, users)['safety_filter']['stage'].value == 'slow'


def test_what_rclpy_and_the_diagnostics_declare_is_known(tmp_path, config):
    users = users_file(tmp_path, '/**: {ros__parameters: {diagnostic_updater: {period: 2}}}')
    found = effective(SCHEMAS, config, users)['supervisor']
    assert found['diagnostic_updater.period'].value == 2.0
    assert 'use_sim_time' not in found


@pytest.mark.parametrize(
    ('case', 'text', 'message'),
    [
        ('a misspelt node',
         'safety_fliter: {ros__parameters: {stage: slow}}',
         'safety_fliter: found a node that this launch does not start, '
         'wanted /safety_filter (in no namespace)'),
        ('a node in a namespace',
         '/robot1/safety_filter: {ros__parameters: {stage: slow}}',
         '/robot1/safety_filter: found a node that this launch does not start, '
         'wanted /safety_filter (in no namespace)'),
        ('a node in a nested namespace',
         'robot1: {supervisor: {ros__parameters: {auto_arm: false}}}',
         'robot1/supervisor: found a node that this launch does not start, '
         'wanted /supervisor (in no namespace)'),
        ('a node that does not exist',
         'localizer: {ros__parameters: {x: 1}}',
         'localizer: found a node that this launch does not start, '
         'wanted safety_filter, supervisor'),
        ('a misspelt parameter',
         'safety_filter: {ros__parameters: {stag: slow}}',
         'safety_filter.stag: found an unknown parameter, wanted stage'),
        ('a parameter without its section',
         'safety_filter: {ros__parameters: {max_age: 1.0}}',
         'safety_filter.max_age: found an unknown parameter, wanted chunk.max_age'),
        ('a parameter of another node',
         'safety_filter: {ros__parameters: {auto_arm: false}}',
         'safety_filter.auto_arm: found an unknown parameter, wanted it under supervisor'),
        ('an unknown parameter for all nodes',
         '/**: {ros__parameters: {zzz: 1}}',
         '/**.zzz: found an unknown parameter, wanted auto_arm, chunk.max_age, robot, stage, '
         'workspace.frames'),
        ('an unknown choice',
         'safety_filter: {ros__parameters: {stage: slwo}}',
         "safety_filter.stage: found 'slwo', wanted one of sim, slow, fast"),
        ('a number out of range',
         'safety_filter: {ros__parameters: {chunk.max_age: 9}}',
         'safety_filter.chunk.max_age: found 9.0, wanted a finite number from 0 to 5 (s)'),
        ('a key without a value',
         'safety_filter: {ros__parameters: {stage: }}',
         'safety_filter.stage: found None, wanted one of sim, slow, fast'),
        ('an empty list',
         'safety_filter: {ros__parameters: {workspace: {frames: []}}}',
         'safety_filter.workspace.frames: found [], wanted a list of texts; rcl has no empty '
         'lists'),
        ('values without ros__parameters',
         'safety_filter: {stage: slow}',
         'safety_filter: found stage directly under it, wanted ros__parameters: and the values '
         'under it'),
        ('a key beside ros__parameters',
         'safety_filter: {ros__parameters: {stage: slow}, stage: fast}',
         'safety_filter.stage: found a key beside ros__parameters, wanted ros__parameters: only'),
        ('a number for ros__parameters',
         'safety_filter: {ros__parameters: 3}',
         'safety_filter.ros__parameters: found 3, wanted a mapping of keys to values'),
        ('a parameter nested and dotted',
         'safety_filter: {ros__parameters: {chunk: {max_age: 1.0},\n  chunk.max_age: 2.0}}',
         'safety_filter.chunk.max_age: found it at FILE:1 and again in line 2, '
         'wanted each parameter once'),
        ('a node with and without its slash',
         'safety_filter: {ros__parameters: {stage: slow}}\n'
         '/safety_filter: {ros__parameters: {stage: fast}}',
         '/safety_filter.stage: found it at FILE:1 and at FILE:2, wanted each parameter once'),
        ('a node twice',
         'supervisor: {ros__parameters: {auto_arm: true}}\n'
         'supervisor: {ros__parameters: {auto_arm: false}}',
         'supervisor: found the key in line 1 and again in line 2, wanted each key once'),
    ],
)  # fmt: skip
def test_what_a_users_file_cannot_mean_is_refused(tmp_path, config, case, text, message):
    users = users_file(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        effective(SCHEMAS, config, users)
    assert str(error.value) == f'{users}: {message}'.replace('FILE', str(users))
    documented('Parameter files', case, error.value, tmp_path)


def test_a_shipped_file_may_set_its_own_node_only(tmp_path, config):
    sections = read_sections(config / 'supervisor.yaml')
    with pytest.raises(ConfigError, match='a node that this launch does not start'):
        check_sections(sections, {'safety_filter': SCHEMAS['safety_filter']})


def test_rcl_reads_the_written_file_as_the_values_that_were_meant(tmp_path, config):
    """Texts that look like numbers, exponents, characters beyond ASCII; defaults are left out."""
    import rclpy
    from rclpy.node import Node

    settings = {
        'device': Setting('017322071690', 'argument camera_device:='),
        'word': Setting('12e5', '-'),
        'on': Setting('true', '-'),
        'text': Setting('a "b" \\ é 😀\n#: {', '-'),
        'empty': Setting('', '-'),
        'small': Setting(1e-06, '-'),
        'chunk.max_age': Setting(5.0, '-'),
        'list': Setting([1.0, 2.5], '-'),
        'names': Setting(['', '1'], '-'),
        'count': Setting(3, '-'),
        'flag': Setting(False, '-'),
    }
    path = tmp_path / 'parameters' / 'n.yaml'
    write_node_file(path, 'n', settings | {'kept': Setting(1, 'default')})
    context = rclpy.Context()
    context.init(args=['--ros-args', '--params-file', str(path)])
    node = Node(
        'n',
        context=context,
        automatically_declare_parameters_from_overrides=True,
        start_parameter_services=False,
    )
    try:
        found = {name: node.get_parameter(name).value for name in settings}
        assert not node.has_parameter('kept')
    finally:
        node.destroy_node()
        context.try_shutdown()
    wanted = {name: setting.value for name, setting in settings.items()}
    assert {k: list(v) if hasattr(v, 'tolist') else v for k, v in found.items()} == wanted
    assert {type(found[k]) for k in ('device', 'word', 'on')} == {str}
    assert load_yaml(path) == {'/n': {'ros__parameters': wanted}}
    assert '017322071690"  # argument camera_device:=' in path.read_text()
    assert path.stat().st_mode & 0o077 == 0, 'a URL in it may hold a password'


def test_values_of_two_wildcards_are_those_of_the_later(tmp_path):
    users = users_file(
        tmp_path, '/**: {ros__parameters: {a: 1, b: 1}}\n/*: {ros__parameters: {a: 2}}'
    )
    found = values_of(read_sections(users), 'n')
    assert {name: setting.value for name, setting in found.items()} == {'a': 2, 'b': 1}

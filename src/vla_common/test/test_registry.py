# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
import re

import pytest

from vla_common.errors import ConfigError, first_line
from vla_common.registry import Registry, load_object


@pytest.fixture
def user_package(tmp_path, monkeypatch):
    """A package of a user, as pip or colcon installs it, with entry points in `vla.test`."""
    metadata = tmp_path / 'user_robot-1.0.dist-info'
    metadata.mkdir()
    (metadata / 'METADATA').write_text('Metadata-Version: 2.1\nName: user-robot\nVersion: 1.0\n')
    (metadata / 'entry_points.txt').write_text(
        '[vla.test]\n'
        'user = user_robot:Driver\n'
        'renamed = user_robot:Missing\n'
        'broken = user_robot_broken:Driver\n'
        'ordered = user_robot:Driver\n'
    )
    (tmp_path / 'user_robot.py').write_text('class Driver:\n    pass\n')
    (tmp_path / 'user_robot_broken.py').write_text('raise OSError("libvendor.so: not found\\nx")\n')
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.fixture
def registry():
    return Registry('vla.test', {'ordered': 'collections:OrderedDict', 'none': 'nowhere:Driver'})


def test_a_built_in_name_is_imported_when_it_is_loaded(registry):
    from collections import OrderedDict

    assert registry.names() == ('ordered', 'none')
    assert registry.load('ordered', 'parameters', 'driver') is OrderedDict


def test_an_entry_point_adds_a_name_but_replaces_no_built_in(registry, user_package):
    from collections import OrderedDict

    assert registry.names() == ('ordered', 'none', 'broken', 'renamed', 'user')
    assert registry.load('user', 'parameters', 'driver').__module__ == 'user_robot'
    assert registry.load('ordered', 'parameters', 'driver') is OrderedDict


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        (
            'spot',
            "parameters: driver: found 'spot', wanted one of ordered, none, broken, renamed, user",
        ),
        (
            'none',
            'parameters: driver: found nowhere:Driver '
            "(ModuleNotFoundError: No module named 'nowhere'), wanted an importable name",
        ),
        ('broken', 'found user_robot_broken:Driver (OSError: libvendor.so: not found), wanted an'),
        (
            'renamed',
            'found user_robot:Missing '
            "(AttributeError: module 'user_robot' has no attribute 'Missing'), wanted an",
        ),
    ],
)
def test_a_name_that_cannot_be_loaded_is_one_configuration_error(
    registry, user_package, name, message
):
    with pytest.raises(ConfigError, match=re.escape(message)):
        registry.load(name, 'parameters', 'driver')


def test_an_object_is_named_by_module_and_name():
    assert load_object('os.path:join', 'policy.yaml', 'factory')('a', 'b') == 'a/b'
    with pytest.raises(ConfigError, match=r'factory: found os\.path\.join, wanted package\.module'):
        load_object('os.path.join', 'policy.yaml', 'factory')


@pytest.mark.parametrize(
    ('error', 'line'),
    [(ValueError('a\nb'), 'a'), (ValueError(), 'ValueError'), (KeyError('\n'), "'\\n'")],
)
def test_the_first_line_of_an_exception_is_its_message_or_its_type(error, line):
    assert first_line(error) == line

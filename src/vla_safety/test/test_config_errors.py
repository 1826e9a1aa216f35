# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""One malformed file per mistake; its first line is what the error must say."""

import pathlib

import pytest

from vla_common.errors import ConfigError
from vla_safety.parameters import load_parameters

FILES = sorted((pathlib.Path(__file__).parent / 'config_errors').glob('*.yaml'))


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

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
import pytest

from vla_common.errors import ConfigError
from vla_common.yaml_file import ConfigReader, load_yaml


def write(tmp_path, text):
    path = tmp_path / 'robot.yaml'
    path.write_text(text)
    return path


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r'nowhere\.yaml: found no such file, wanted a YAML file'):
        load_yaml(tmp_path / 'nowhere.yaml')


def test_malformed_yaml_is_located(tmp_path):
    with pytest.raises(ConfigError, match='line 3: found'):
        load_yaml(write(tmp_path, 'a: 1\nb: [1, 2\nc: 3\n'))


def test_a_list_is_not_a_configuration(tmp_path):
    with pytest.raises(ConfigError, match='found a list, wanted a mapping'):
        load_yaml(write(tmp_path, '- 1\n'))


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('kp: fast', 'joints.knee.kp: found fast, wanted a finite number of at least 0'),
        ('kp: .nan', 'joints.knee.kp: found nan, wanted a finite number of at least 0'),
        ('kp: -1', 'joints.knee.kp: found -1, wanted a finite number of at least 0'),
        ('kp: true', 'joints.knee.kp: found True, wanted a finite number of at least 0'),
        ('kv: 1', 'joints.knee.kp: found nothing, wanted a finite number of at least 0'),
    ],
)
def test_a_bad_number_is_named_with_its_path(tmp_path, text, message):
    fields = ConfigReader('robot.yaml', load_yaml(write(tmp_path, text)), 'joints.knee')
    with pytest.raises(ConfigError) as error:
        fields.number('kp', lo=0)
    assert str(error.value) == f'robot.yaml: {message}'


def test_an_unknown_key_suggests_the_nearest_known():
    fields = ConfigReader('robot.yaml', {'stiffnes': 3.0, 'damping': 1.0})
    fields.number('damping')
    fields.number('stiffness', default=1.0)
    with pytest.raises(ConfigError, match="stiffnes: found an unknown key, wanted 'stiffness'"):
        fields.close()


def test_a_list_of_another_length_is_refused():
    with pytest.raises(ConfigError, match='pose: found 2 values, wanted a list of 3'):
        ConfigReader('robot.yaml', {'pose': [1, 2]}).numbers('pose', length=3)


@pytest.mark.parametrize(
    ('text', 'value'), [('1e-06', 1e-6), ('-2E3', -2000.0), ('1e+2', 100.0), ('1.5e-3', 0.0015)]
)
def test_a_number_in_scientific_notation_needs_no_point(tmp_path, text, value):
    path = tmp_path / 'a.yaml'
    path.write_text(f'speed: {text}\nname: e10\n')
    content = load_yaml(path)
    assert content == {'speed': value, 'name': 'e10'}
    assert ConfigReader(path, content).number('speed') == value

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
import pytest

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_common.yaml_file import ConfigReader, dump_yaml, load_yaml, load_yaml_lines


def write(tmp_path, text):
    path = tmp_path / 'robot.yaml'
    path.write_text(text)
    return path


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(
        ConfigError, match=r'nowhere\.yaml: found no such file, wanted a YAML file'
    ) as error:
        load_yaml(tmp_path / 'nowhere.yaml')
    documented('Any YAML file', 'a file that does not exist', error.value, tmp_path)


def test_malformed_yaml_is_located(tmp_path):
    with pytest.raises(ConfigError, match='line 3: found') as error:
        load_yaml(write(tmp_path, 'a: 1\nb: [1, 2\nc: 3\n'))
    documented('Any YAML file', 'a bracket that is not closed', error.value, tmp_path)


def test_a_list_is_not_a_configuration(tmp_path):
    with pytest.raises(ConfigError, match='found a list, wanted a mapping') as error:
        load_yaml(write(tmp_path, '- 1\n'))
    documented('Any YAML file', 'a list', error.value, tmp_path)


@pytest.mark.parametrize(
    ('case', 'text', 'message'),
    [
        (
            'a text for a number',
            'kp: fast',
            'joints.knee.kp: found fast, wanted a finite number of at least 0',
        ),
        (
            'a number that is not finite',
            'kp: .nan',
            'joints.knee.kp: found nan, wanted a finite number of at least 0',
        ),
        (
            'a number out of range',
            'kp: -1',
            'joints.knee.kp: found -1, wanted a finite number of at least 0',
        ),
        (
            'true for a number',
            'kp: true',
            'joints.knee.kp: found True, wanted a finite number of at least 0',
        ),
        (
            'a missing key',
            'kv: 1',
            'joints.knee.kp: found nothing, wanted a finite number of at least 0',
        ),
    ],
)
def test_a_bad_number_is_named_with_its_path(tmp_path, case, text, message):
    fields = ConfigReader('robot.yaml', load_yaml(write(tmp_path, text)), 'joints.knee')
    with pytest.raises(ConfigError) as error:
        fields.number('kp', lo=0)
    assert str(error.value) == f'robot.yaml: {message}'
    documented('Any YAML file', case, error.value)


def test_an_unknown_key_suggests_the_nearest_known():
    fields = ConfigReader('robot.yaml', {'stiffnes': 3.0, 'damping': 1.0})
    fields.number('damping')
    fields.number('stiffness', default=1.0)
    with pytest.raises(
        ConfigError, match="stiffnes: found an unknown key, wanted 'stiffness'"
    ) as error:
        fields.close()
    documented('Any YAML file', 'a misspelt key', error.value)


def test_a_list_of_another_length_is_refused():
    with pytest.raises(ConfigError, match='pose: found 2 values, wanted a list of 3') as error:
        ConfigReader('robot.yaml', {'pose': [1, 2]}).numbers('pose', length=3)
    documented('Any YAML file', 'a list of another length', error.value)


@pytest.mark.parametrize(
    ('case', 'text', 'message'),
    [
        ('a key twice', 'stops:\n  estop: damp\n  joints: []\n  estop: off\n',
         'stops.estop: found the key in line 2 and again in line 4, wanted each key once'),
        ('a key twice, once in quotes', 'a: 1\n"a": 2\n',
         'a: found the key in line 1 and again in line 2, wanted each key once'),
        ('a key twice in one line', 'a: {x: 1, y: 2, x: 3}\n',
         'a.x: found the key in line 1 and again in line 1, wanted each key once'),
        ('a key twice inside a list', 'pairs:\n- {p: 1}\n- p: 1\n  p: 1\n',
         'pairs[1].p: found the key in line 3 and again in line 4, wanted each key once'),
        ('a key twice in two spellings', 'yes: 1\ntrue: 2\n',
         'True: found the key in line 1 and again in line 2, wanted each key once'),
    ],
)  # fmt: skip
def test_a_key_that_occurs_twice_is_refused_with_both_lines(tmp_path, case, text, message):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        load_yaml(path)
    assert str(error.value) == f'{path}: {message}'
    documented('Any YAML file', case, error.value, tmp_path)


def test_the_same_key_in_two_mappings_and_over_a_merged_one_is_no_duplicate(tmp_path):
    text = 'base: &base {x: 1, y: 2}\na: {x: 1}\nb: {<<: *base, x: 3}\nc: *base\n'
    base = {'x': 1, 'y': 2}
    content = {'base': base, 'a': {'x': 1}, 'b': {'x': 3, 'y': 2}, 'c': base}
    assert load_yaml(write(tmp_path, text)) == content


@pytest.mark.parametrize(
    ('case', 'text', 'message'),
    [
        (
            'a value that contains itself',
            'a: &a\n  b: *a\n',
            'a.b: found a value that contains itself, wanted another value',
        ),
        (
            '3000 nested lists',
            'a: ' + '[' * 3000,
            'found too many nested values, wanted a readable YAML file',
        ),
        (
            'a date that does not exist',
            'day: 2026-13-45\n',
            '(month must be in 1..12), wanted valid YAML',
        ),
        ('a list as a key', '? [a]\n: 1\n', '(unhashable key), wanted valid YAML'),
    ],
)
def test_what_yaml_cannot_read_is_one_error(tmp_path, case, text, message):
    with pytest.raises(ConfigError) as error:
        load_yaml(write(tmp_path, text))
    assert message in str(error.value)
    documented('Any YAML file', case, error.value, tmp_path)


@pytest.mark.parametrize(('text', 'value'), [('1e-06', 1e-6), ('12E5', 12e5), ('-.5e+1', -5.0)])
def test_exponents_are_numbers_as_they_are_for_rcl(tmp_path, text, value):
    assert load_yaml(write(tmp_path, f'a: {text}')) == {'a': value}


def test_a_text_that_looks_like_a_number_is_written_so_that_it_stays_a_text(tmp_path):
    content = {'serial': '12e5', 'version': '1e-06', 'n': 1e-6, 'name': 'a', 'on': 'off'}
    assert load_yaml(write(tmp_path, dump_yaml(content))) == content


def test_each_key_has_its_line(tmp_path):
    _, lines = load_yaml_lines(write(tmp_path, '# a file\na:\n  b: 1\n  c.d: 2\n'))
    assert lines == {('a',): 2, ('a', 'b'): 3, ('a', 'c.d'): 4}


@pytest.mark.parametrize(
    ('text', 'value'), [('1e-06', 1e-6), ('-2E3', -2000.0), ('1e+2', 100.0), ('1.5e-3', 0.0015)]
)
def test_a_number_in_scientific_notation_needs_no_point(tmp_path, text, value):
    path = tmp_path / 'a.yaml'
    path.write_text(f'speed: {text}\nname: e10\n')
    content = load_yaml(path)
    assert content == {'speed': value, 'name': 'e10'}
    assert ConfigReader(path, content).number('speed') == value

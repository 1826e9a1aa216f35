# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
import json
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_common.errors import ConfigError
from vla_sim import Cube, Scene

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=50, deadline=None)
@given(seeds)
def test_a_scene_survives_the_trip_through_json(seed):
    scene = Scene.sample(seed)
    again = Scene.from_json(scene.to_json())
    assert again == scene
    assert again.digest == scene.digest


@settings(max_examples=50, deadline=None)
@given(seeds)
def test_sampled_cubes_lie_on_the_table_apart_and_each_in_its_own_colour(seed):
    scene = Scene.sample(seed)
    assert 2 <= len(scene.cubes) <= 5
    assert len({cube.color for cube in scene.cubes}) == len(scene.cubes)
    table = scene.table
    for cube in scene.cubes:
        assert cube.position[2] == pytest.approx(table.height + cube.size / 2)
        assert abs(cube.position[0] - table.position[0]) + cube.size < table.size[0] / 2
        assert abs(cube.position[1] - table.position[1]) + cube.size < table.size[1] / 2
    for a, b in combinations(scene.cubes, 2):
        apart = np.hypot(*np.subtract(a.position, b.position)[:2])
        assert apart > (a.size + b.size) / np.sqrt(2)


def test_the_same_seed_gives_the_same_scene_and_another_seed_another():
    assert Scene.sample(3) == Scene.sample(3)
    digests = {Scene.sample(seed).digest for seed in range(20)}
    assert len(digests) == 20


def test_sampling_varies_number_table_light_and_camera():
    scenes = [Scene.sample(seed) for seed in range(30)]
    assert {len(scene.cubes) for scene in scenes} == {2, 3, 4, 5}
    assert np.ptp([scene.table.height for scene in scenes]) > 0.03
    assert np.ptp([scene.light.ambient for scene in scenes]) > 0.05
    assert np.ptp([scene.camera.rotation[0] for scene in scenes]) > 0.02


def test_ranges_are_respected_and_impossible_ones_rejected():
    scene = Scene.sample(1, cubes=(1, 1), colors=('white',), table_height=(0.5, 0.5))
    assert [cube.name for cube in scene.cubes] == ['white_cube']
    assert scene.table.height == 0.5
    with pytest.raises(ValueError, match='do not fit'):
        Scene.sample(1, cubes=(5, 5), cube_x=(0.4, 0.41), cube_y=(0.0, 0.01))
    with pytest.raises(ValueError, match='wanted at most'):
        Scene.sample(1, cubes=(3, 3), colors=('red', 'blue'))


def test_a_scene_with_a_cube_twice_or_of_no_colour_cannot_be_made():
    cube = Cube('a', 'red', 0.05, (0.4, 0.0, 0.9))
    with pytest.raises(ValueError, match='each once'):
        Scene(cubes=(cube, cube))
    with pytest.raises(ValueError, match='pink'):
        Scene(cubes=(Cube('a', 'pink', 0.05, (0.4, 0.0, 0.9)),))


def without(key):
    return lambda content: content.pop(key)


def setting(*path):
    *inner, last, value = path

    def change(content):
        for step in inner:
            content = content[step]
        content[last] = value

    return change


MALFORMED = {
    'format': (without('format'), 'format', 'nothing'),
    'other_format': (setting('format', 9), 'format', '9'),
    'table': (without('table'), 'table', 'nothing'),
    'nan': (setting('table', 'height', float('nan')), 'table.height', 'nan'),
    'too_high': (setting('table', 'height', 9.0), 'table.height', '9.0'),
    'color': (setting('cubes', 0, 'color', 'pink'), 'cubes[0].color', 'pink'),
    'position': (setting('cubes', 1, 'position', [1, 2]), 'cubes[1].position', '2 values'),
    'unknown': (setting('cubes', 0, 'colour', 'red'), 'cubes[0].colour', 'unknown key'),
    'cubes': (setting('cubes', 'none'), 'cubes', 'none'),
    'twins': (setting('cubes', 1, 'name', 'red_cube'), 'cubes', 'red_cube'),
    'dark': (setting('light', 'direction', [0, 0, 0]), 'light.direction', '0'),
    'jitter': (setting('start_jitter', -1), 'start_jitter', '-1'),
    'rgb': (setting('floor_rgb', [2, 0, 0]), 'floor_rgb[0]', '2'),
}


@pytest.mark.parametrize('case', MALFORMED)
def test_a_malformed_scene_file_is_one_error_with_file_key_found_and_wanted(case, tmp_path):
    change, key, found = MALFORMED[case]
    content = json.loads(Scene.default().to_json())
    change(content)
    path = tmp_path / 'scene.json'
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigError) as caught:
        Scene.load(path)
    assert caught.value.file == str(path)
    assert caught.value.key == key
    assert found in str(caught.value.found)


def test_a_scene_file_that_is_missing_or_not_json_is_reported(tmp_path):
    with pytest.raises(ConfigError, match=r'(?i)no such file'):
        Scene.load(tmp_path / 'scene.json')
    (tmp_path / 'scene.json').write_text('{"format": 1,')
    with pytest.raises(ConfigError, match='valid JSON'):
        Scene.load(tmp_path / 'scene.json')

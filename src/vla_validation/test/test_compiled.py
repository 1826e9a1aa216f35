# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The compiled modules equal their sources; a source that was edited since runs instead."""

import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

import vla_safety
from vla_safety.compiled import not_compiled
from vla_safety.kernel import barriers, joints

MOTION = """
import hashlib
import numpy as np
from vla_robot import load_robot
from vla_validation.filter.box_attack import attack
from vla_validation.filter.benchmark import PARAMETERS
from vla_safety.chunk import Chunk
from vla_safety.compiled import not_compiled
from vla_safety.pipeline import SafetyPipeline

robot = load_robot('humanoid32')
pipeline = SafetyPipeline(robot, PARAMETERS)
rng = np.random.default_rng(7)
q, v, sent = robot.poses['ready'].copy(), np.zeros(robot.n), hashlib.sha256()
pipeline.reset(q)
low, high = robot.limits.lower, robot.limits.upper
times = np.arange(1, 9) * 0.1
changed = set()
for k in range(150):
    now = 10.0 + 0.01 * k
    if k % 25 == 0:
        upper = robot.groups['upper_body']
        goal = rng.uniform(low, high)[upper]
        way = q[upper] + np.clip(times / 0.4, 0.0, 1.0)[:, None] * (goal - q[upper])
        pipeline.accept(Chunk(upper, times, way, now), now)
    output = pipeline.tick(now, 0.01, q + rng.normal(0.0, 1e-4, robot.n), v)
    q, v = output.position, output.velocity
    sent.update(q.tobytes() + v.tobytes())
    changed |= {kind.value for kind in output.counts}
print(len(not_compiled()), sorted(changed), sent.hexdigest())
"""


def run(code: str, plain: bool, folder: pathlib.Path) -> str:
    environment = dict(os.environ, VLA_SAFETY_PLAIN='1' if plain else '')
    # A process looks for modules first where it runs.
    return subprocess.run(
        [sys.executable, '-c', code],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    ).stdout.strip()


def test_the_built_modules_run():
    assert not_compiled() == [], 'colcon build --packages-select vla_safety'


def test_compiled_and_plain_send_the_same_commands_to_the_last_bit(tmp_path):
    compiled, plain = run(MOTION, False, tmp_path), run(MOTION, True, tmp_path)
    assert "'collision'" in compiled
    assert compiled.startswith('0 ')
    assert not plain.startswith('0 ')
    assert compiled.partition(' ')[2] == plain.partition(' ')[2]


def test_a_source_edited_since_the_build_runs_instead_whatever_the_file_times(tmp_path):
    copy = tmp_path / 'vla_safety'
    shutil.copytree(
        pathlib.Path(vla_safety.__file__).parent, copy, ignore=shutil.ignore_patterns('__pycache__')
    )
    look = 'from vla_safety.kernel import joints; print(joints.__file__, joints.COMPILED)'
    built = run(look, False, tmp_path)
    assert built.startswith(str(tmp_path))
    assert built.endswith('True')
    source = copy / 'kernel' / 'joints.py'
    source.touch()
    assert run(look, False, tmp_path) == built, 'the same, only newer'
    before = source.stat().st_mtime - 3600.0
    source.write_text(source.read_text() + '\n# edited\n')
    os.utime(source, (before, before))
    assert run(look, False, tmp_path) == f'{source} False'


def test_arrays_of_another_size_are_an_exception():
    with pytest.raises(IndexError):
        joints.commit(np.zeros(4), np.zeros((2, 3)), np.zeros(4), 0.01)
    with pytest.raises(IndexError):
        barriers.candidates(
            np.zeros((6, 3)), np.zeros(3), np.ones(3), np.zeros((3, 5)), np.zeros((2, 4)),
            np.zeros((2, 3)), np.zeros((4, 3)), np.zeros((4, 4)), np.zeros((2, 4)), 0.01, 0.0, 1.0,
        )  # fmt: skip


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_bounds_with_a_nan_or_infinity_are_the_full_brake(bad):
    limits = np.array([[-1.0], [1.0], [2.0], [10.0]])
    bounds, window = np.zeros((3, 1)), np.full((2, 1), bad)
    joints.bound(
        limits, np.array([[0.2], [1.0]]), window, np.zeros((4, 1)), np.zeros((4, 1)), bounds,
        0.01, 1.0, 1.0,
    )  # fmt: skip
    low, high, brake = bounds[:, 0]
    assert brake == pytest.approx(0.9)
    assert -2.0 <= low <= brake <= high <= 1.1

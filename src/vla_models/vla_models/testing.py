# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A tiny dataset of noise, without a simulator."""

import json
import os
import shutil
import subprocess

import numpy as np
import pytest

from vla_models.dataset import DatasetLayout, Episode, EpisodeWriter, Labels, finalise
from vla_models.tasks import ALL_TASKS
from vla_robot import load_robot

HORIZON, SIDE, LABELS, FRAMES = 8, 32, 3, 4
SMALL_NETWORK = {
    'vision_width': 8,
    'hidden_size': 16,
    'heads': 2,
    'fusion_layers': 1,
    'head_width': 32,
    'head_layers': 1,
}


def episode_of_noise(layout: DatasetLayout, seed: int) -> Episode:
    """Four frames whose chunks stay at the present posture; one label has a target in view."""
    rng = np.random.default_rng(seed)
    frames, m = FRAMES, layout.labels
    side = layout.image_size
    state = rng.normal(0, 0.3, (frames, len(layout.state_joints)))
    places = [layout.state_joints.index(name) for name in layout.action_joints]
    shape = (frames, m, layout.horizon, len(places))
    labels = None
    if m:
        target = np.full((frames, m, 3), np.nan)
        pixel = np.full((frames, m, 2), np.nan)
        target[:, 0], pixel[:, 0] = rng.normal(0, 0.1, (frames, 3)), rng.uniform(-1, 1, (frames, 2))
        labels = Labels(
            rng.integers(0, len(ALL_TASKS), (frames, m)),
            np.broadcast_to(state[:, None, None, places], shape).copy(),
            rng.normal(0, 0.7, (frames, m, 2)),
            target,
            pixel,
            **_cubes(layout, rng, target, pixel),
        )
    image = rng.integers(0, 255, (frames, 4, 4, 3), np.uint8)
    image = image.repeat(side // 4, axis=1).repeat(side // 4, axis=2)
    return Episode(ALL_TASKS[seed % len(ALL_TASKS)], image, state, state[:, places], labels)


def _cubes(layout: DatasetLayout, rng: np.random.Generator, target, pixel) -> dict:
    """Where a layout has cubes: four are there, of which two are in view."""
    if not layout.cubes:
        return {}
    shapes = {n.removeprefix('labels.'): (FRAMES, *s) for n, s in layout.label_shapes.items()}
    cubes = rng.uniform(-0.2, 0.2, shapes['cubes'])
    pixels = rng.uniform(-1, 1, shapes['cube_pixels'])
    cubes[:, 4:], pixels[:, 2:] = np.nan, np.nan
    return {
        'cubes': cubes,
        'cube_pixels': pixels,
        'reason': rng.integers(-1, 3, shapes['reason']),
        'near': rng.normal(0, 0.3, shapes['near']),
        'done': rng.integers(0, 2, shapes['done']),
    }


def write_noise(directory, layout: DatasetLayout, episodes: int = 8):
    """A finished dataset of `episodes` episodes."""
    writer = EpisodeWriter(directory, layout)
    for attempt in range(episodes):
        writer.write(attempt, episode_of_noise(layout, attempt))
    finalise(directory)
    return directory


def doctor_passes(directory) -> None:
    """Fail where lerobot-doctor finds a fault in a dataset; skip where it is not installed.

    See environment/lerobot_doctor.in: it needs an environment of its own.
    """
    program = shutil.which(os.environ.get('VLA_LEROBOT_DOCTOR') or 'lerobot-doctor')
    if program is None:
        pytest.skip('lerobot-doctor is not installed (environment/lerobot_doctor.in)')
    command = [program, 'check', str(directory), '--json']
    # Not with the packages of this environment.
    environment = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    report = json.loads(done.stdout)
    bad = [check for check in report['checks'] if check['severity'] == 'FAIL']
    assert report['checks'] and not bad, bad


@pytest.fixture(scope='session')
def layout() -> DatasetLayout:
    """humanoid32's joints; head and arms act."""
    robot = load_robot('humanoid32')
    moved = [i for part in ('head', 'left_arm', 'right_arm') for i in robot.groups[part]]
    names = robot.joint_names
    acting = tuple(names[i] for i in moved)
    return DatasetLayout(
        robot.name, tuple(names), acting, 10.0, SIDE, HORIZON, 0.1, 2.0, labels=LABELS, seed=0
    )


@pytest.fixture
def noise_dataset(tmp_path, layout):
    """A dataset directory of 8 episodes of 4 frames."""
    return write_noise(tmp_path / 'data', layout)

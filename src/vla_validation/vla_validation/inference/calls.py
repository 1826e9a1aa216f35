# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Times of a policy called directly, and of the same bundle behind the openpi protocol."""

import subprocess
import sys
import time
from typing import Any

import numpy as np

from vla_common.errors import ConfigError
from vla_policy.bundle.model_inputs import ImageInput
from vla_policy.load import load_policy
from vla_policy.preprocess import ImagePreprocessor
from vla_policy.types import Observation, Policy

WARM_UP = 10


def observations(policy: Policy, robot: Any, width: int, height: int):
    """Random images and joints, for ever."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, height, width, 3), np.uint8)
    depth = rng.uniform(0.3, 3.0, (height, width)).astype(np.float32)
    words = policy.bundle.tasks[0] if policy.bundle.tasks else 'hold still'
    i = 0
    while True:
        yield Observation(
            images={camera: images[i % 4] for camera in policy.bundle.cameras},
            depths={camera: depth for camera in policy.bundle.depth_cameras},
            position=robot.poses['standing'] + 0.01 * rng.standard_normal(robot.n),
            velocity=np.zeros(robot.n),
            orientation=np.array([1.0, 0.0, 0.0, 0.0]),
            instruction=words,
            stamp_ns=0,
            elapsed=0.1 * i,
        )
        i += 1


def call_times(policy: Policy, robot: Any, times: int, size: tuple[int, int]):
    """(outside, inside): s outside and inside the model of each call, one after the other."""
    without, within = [], []
    for i, observation in enumerate(observations(policy, robot, *size)):
        if i == WARM_UP + times:
            return without, within
        began = time.perf_counter()
        policy.predict(observation)
        took = time.perf_counter() - began
        if i >= WARM_UP:
            model = min(took, policy.run_s)
            without.append(took - model)
            within.append(model)


def preprocessing(times: int, size: tuple[int, int], to: int) -> list[float]:
    """s that an image of `size` (width, height) takes to a normalised tensor, to x to pixels."""
    spec = ImageInput(
        'image', 'head', to, to, 'nchw', (0.0, 1.0), (0.5,) * 3, (0.5,) * 3, 'stretch'
    )
    preprocess = ImagePreprocessor(spec)
    images = np.random.default_rng(0).integers(0, 256, (8, size[1], size[0], 3), np.uint8)
    took = []
    for i in range(WARM_UP + times):
        began = time.perf_counter()
        preprocess(images[i % 8])
        if i >= WARM_UP:
            took.append(time.perf_counter() - began)
    return took


def openpi_loopback(
    bundle: str, robot_name: str, robot: Any, times: int, size: tuple[int, int], threads: int
) -> list[float]:
    """s outside the model of each call over the openpi protocol, server in its own process."""
    command = [sys.executable, '-m', 'vla_serving.serve', '--bundle', bundle]
    command += ['--robot', robot_name, '--port', '0', '--threads', str(threads)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = server.stdout.readline()
        if ' at ws://' not in line:
            server.wait(10.0)
            raise ConfigError(bundle, 'serve', server.stderr.read().strip(), 'a server')
        url = line.split(' at ')[1].strip()
        policy = load_policy(url, robot, timeout=5.0)
        without, _ = call_times(policy, robot, times, size)
        policy.close()
        return without
    finally:
        server.terminate()
        server.wait(10.0)

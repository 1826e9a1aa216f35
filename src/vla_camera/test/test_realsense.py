# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The RealSense source, in a process of its own: see realsense_playback.py."""

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).with_name('realsense_playback.py')


@pytest.mark.timeout(900)
def test_the_realsense_source_against_recordings_and_software_devices():
    """librealsense's playback has aborted the process by itself (one of three whole runs,
    2026-12-01), and with it the tests of the whole package. That, and nothing else, is repeated."""
    command = [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', str(TESTS)]
    for _ in range(3):
        done = subprocess.run(
            command, cwd=TESTS.parents[1], capture_output=True, text=True, timeout=280
        )
        if done.returncode >= 0:
            break
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]

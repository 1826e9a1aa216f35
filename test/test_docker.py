# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""docker/, as far as it can be checked without a Docker engine."""

import os
import pathlib
import re
import subprocess

import pytest
import yaml

from vla_common.testing import own_domain

ROOT = pathlib.Path(__file__).resolve().parents[1]
DOCKERFILE = ROOT / 'docker' / 'workstation.Dockerfile'


def instructions(text: str) -> list[tuple[str, str]]:
    joined = re.sub(r'\\\n(\s*#.*\n)*', ' ', re.sub(r'^#.*\n', '', text, flags=re.MULTILINE))
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def test_every_path_that_a_step_copies_exists():
    for word, rest in instructions(DOCKERFILE.read_text()):
        if word == 'COPY':
            *sources, _ = [part for part in rest.split() if not part.startswith('--')]
            for source in sources:
                assert (ROOT / source).exists(), f'COPY {source}'


def test_the_scripts_that_the_image_runs_exist_and_are_executable():
    text = DOCKERFILE.read_text()
    scripts = re.findall(r'"/workspace/(docker/\w+\.bash)"', text)
    assert len(scripts) == 2
    for script in scripts:
        assert os.access(ROOT / script, os.X_OK), script


def test_the_image_does_not_run_as_root():
    users = [rest for word, rest in instructions(DOCKERFILE.read_text()) if word == 'USER']
    assert users
    assert users[-1] != 'root'


def test_the_container_is_given_time_to_bring_the_robot_to_rest():
    service = yaml.safe_load((ROOT / 'docker' / 'compose.yaml').read_text())['services']['robot']
    assert int(service['stop_grace_period'].removesuffix('s')) >= 10
    assert (ROOT / 'docker' / service['build']['context']).resolve() == ROOT
    assert (ROOT / service['build']['dockerfile']) == DOCKERFILE


def test_without_a_supervisor_the_health_check_fails():
    own_domain()
    result = subprocess.run(
        [ROOT / 'docker' / 'healthcheck.bash'], capture_output=True, text=True, timeout=60
    )
    assert result.returncode != 0
    assert 'supervisor' in (result.stdout + result.stderr).lower()


@pytest.mark.parametrize('command', [['true'], ['false']])
def test_the_entrypoint_becomes_its_command(command):
    result = subprocess.run(
        [ROOT / 'docker' / 'entrypoint.bash', *command],
        capture_output=True,
        timeout=120,
        env={**os.environ, 'VLA_NO_BUILD': '1'},
    )
    assert result.returncode == (command == ['false']), result.stderr

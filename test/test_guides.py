# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The guides in docs/ as written: their files are put into a folder and used.

A fenced block whose first line names a file (```yaml arm2/robot.yaml) is that file. Entry points
come from the guide's setup.cfg, as an installed package would declare them.
"""

import configparser
import json
import pathlib
import re
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from vla_hardware.drivers import DRIVERS
from vla_hardware.drivers.base import DriverError
from vla_policy.load import load_policy
from vla_policy.types import Observation
from vla_robot import load_robot

DOCS = pathlib.Path(__file__).resolve().parents[1] / 'docs'


def write_files(guide: str, folder: pathlib.Path) -> None:
    text = (DOCS / guide).read_text(encoding='utf-8')
    files = re.findall(r'^```\w+ (\S+)\n(.*?)^```$', text, re.M | re.S)
    assert files, f'{guide} names no file'
    for name, content in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding='utf-8')


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Write a guide's files, and make the package in them importable with its entry points."""

    def into(guide: str, package: str) -> pathlib.Path:
        write_files(guide, tmp_path)
        folder = tmp_path / 'src' / package
        config = configparser.ConfigParser()
        config.read(folder / 'setup.cfg')
        info = folder / f'{package}-{config["metadata"]["version"]}.dist-info'
        info.mkdir()
        (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {package}\nVersion: 0.1.0\n')
        groups = config['options.entry_points'].items()
        points = '\n'.join(f'[{group}]{value}\n' for group, value in groups)
        (info / 'entry_points.txt').write_text(points)
        monkeypatch.syspath_prepend(folder)
        monkeypatch.chdir(tmp_path)
        return tmp_path

    return into


def observation(robot) -> Observation:
    return Observation(
        images={'head': np.zeros((240, 320, 3), np.uint8)},
        position=robot.poses['ready'].copy(),
        velocity=np.zeros(robot.n),
        orientation=np.array([1.0, 0.0, 0.0, 0.0]),
        instruction='wave',
        stamp_ns=10**9,
        elapsed=0.0,
    )


def test_the_robot_of_the_guide_loads_and_its_policy_waves(tmp_path):
    write_files('add_a_robot.md', tmp_path)
    robot = load_robot(str(tmp_path / 'arm2'))
    assert robot.joint_names == ('shoulder', 'elbow')
    policy = load_policy(tmp_path / 'arm2_wave', robot)
    policy.check('wave')
    assert policy.predict(observation(robot)).joints == ('shoulder', 'elbow')
    scripted = load_policy(DOCS.parent / 'models' / 'scripted', robot)
    for text in ('wave with your left hand', 'move left arm', 'go to ready'):
        scripted.check(text)


def test_the_driver_of_the_guide_keeps_the_driver_contract(install, capsys):
    from vla_validation.driver_contract import command

    folder = install('add_a_driver.md', 'my_robot_driver')
    write_files('add_a_robot.md', folder)
    given = ['--driver', 'my_robot', '--robot', str(folder / 'arm2'), '--pulls', '3', '--json']
    status = command.main(given)
    out, printed = capsys.readouterr()
    result = json.loads(out.splitlines()[-1])
    # Skipped: the clause for grippers, of which this robot has none.
    assert (status, result['failed'], result['skipped']) == (0, 0, 1), printed
    assert result['counterpart'] == 'double of the bus, in the process'


def test_the_driver_of_the_guide_refuses_a_reading_that_is_old(install):
    folder = install('add_a_driver.md', 'my_robot_driver')
    write_files('add_a_robot.md', folder)
    robot = load_robot(str(folder / 'arm2'))
    kind = DRIVERS.load('my_robot', 'parameters', 'driver')
    driver = kind.from_parameters(robot, SimpleNamespace(), time.monotonic)
    driver.connect()
    assert np.allclose(driver.read().position, robot.poses['standing'])
    driver.close()
    time.sleep(0.2)
    with pytest.raises(DriverError, match='ms old'):
        driver.read()


def test_the_camera_of_the_guide_delivers_new_frames(install):
    from vla_camera.sources import SOURCES

    install('add_a_camera.md', 'my_camera')
    kind = SOURCES.load('pattern', 'parameters', 'source')
    source = kind.from_parameters(SimpleNamespace(width=32, height=24, rate=100.0), None)
    facts = source.open()
    frames = [source.grab(1.0) for _ in range(3)]
    source.close()
    assert (facts.width, facts.height) == (32, 24)
    assert all(frame.color.shape == (24, 32, 3) for frame in frames)
    assert not np.array_equal(frames[0].color, frames[1].color)


def test_the_runtime_of_the_guide_runs_the_bundle_of_the_guide(install):
    folder = install('add_a_runtime.md', 'my_runtime')
    subprocess.run([sys.executable, 'make_bundle.py'], cwd=folder, check=True, timeout=60)
    robot = load_robot('humanoid32')
    policy = load_policy(folder / 'numpy_bundle', robot)
    chunk = policy.predict(observation(robot))
    elbows = [robot.joint_names.index(name) for name in chunk.joints]
    assert np.allclose(chunk.positions, robot.poses['ready'][elbows], atol=1e-6)


def test_the_policy_of_the_guide_is_exported_and_answers(tmp_path, monkeypatch):
    from vla_deploy.commands import export

    write_files('add_a_policy.md', tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    given = ['--module', 'my_policy:make', '--policy', 'my_policy.yaml', '--out', 'my_bundle']
    assert export.main(given) == 0
    robot = load_robot('humanoid32')
    chunk = load_policy(tmp_path / 'my_bundle', robot).predict(observation(robot))
    assert chunk.joints == ('left_elbow', 'right_elbow')


@pytest.mark.parametrize('page', sorted([*DOCS.glob('*.md'), DOCS.parent / 'README.md']))
def test_links_in_the_guides_and_the_readme_lead_to_files(page):
    text = page.read_text(encoding='utf-8')
    for target in re.findall(r'\]\(([^)#]+)(?:#[^)]*)?\)', text):
        if '://' not in target:
            assert (page.parent / target).exists(), target


SHIPPED = ('models', 'docs', 'config', 'src/*/doc', 'src/*/README.md', 'README.md')
MACHINES_PATH = re.compile(r'(?<![\w.$}])(?:/home/|/root/|/Users/|/mnt/|/media/|/work/|[A-Z]:\\)')


def records() -> list[pathlib.Path]:
    top = DOCS.parent
    found = [path for pattern in SHIPPED for path in top.glob(pattern)]
    files = [f for path in found for f in (path.rglob('*') if path.is_dir() else [path])]
    return sorted(f for f in files if f.suffix in ('.json', '.yaml', '.yml', '.md', '.csv'))


def texts(value: object) -> list[str]:
    """All texts of a JSON or YAML document, keys too."""
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in texts(part)]
    if isinstance(value, list):
        return [text for part in value for text in texts(part)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize('file', records(), ids=lambda f: str(f.relative_to(DOCS.parent)))
def test_no_shipped_record_holds_the_path_of_a_machine(file):
    content = file.read_text(encoding='utf-8')
    assert not MACHINES_PATH.search(content), MACHINES_PATH.search(content)
    if file.is_relative_to(DOCS.parent / 'models') and file.suffix in ('.json', '.yaml'):
        read = json.loads if file.suffix == '.json' else yaml.safe_load
        # Names only: also /tmp/... and a drive's letter.
        absolute = [text for text in texts(read(content)) if re.match(r'[~/][\w.-]|\w:\\', text)]
        assert not absolute


def test_a_path_of_a_machine_is_recognised():
    for text in ('/home/a/b', '"bundle": "/work/x"', 'see /root/.cache', 'C:\\Users\\a'):
        assert MACHINES_PATH.search(text), text
    for text in ('$PWD/home/a', 'src/home/a', '/camera/color', 'a/work/b', '${HOME}/work/x'):
        assert not MACHINES_PATH.search(text), text

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The command `ros2 launch`."""

import subprocess
import sys

import pytest
from conftest import IS_STAND_IN

ROS2 = [sys.executable, '-c', 'import sys; from ros2cli.cli import main; sys.exit(main())']


@pytest.fixture
def ros2_launch(environment):
    def call(*words, **extra) -> tuple[int, str]:
        done = subprocess.run(
            [*ROS2, 'launch', *map(str, words)],
            env=environment | extra,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stdout

    return call


@pytest.fixture
def package(tmp_path, write_launch_file):
    """An ament prefix with a package `tested_package` that has launch files."""
    prefix = tmp_path / 'prefix'
    marker = prefix / 'share/ament_index/resource_index/packages/tested_package'
    marker.parent.mkdir(parents=True)
    marker.touch()
    folder = prefix / 'share/tested_package/launch'
    folder.mkdir(parents=True)
    path = write_launch_file(
        """
        return LaunchDescription([
            DeclareLaunchArgument('speed', default_value='slow', choices=['slow', 'fast'],
                                  description='how fast'),
            DeclareLaunchArgument('plain', default_value=['a', EnvironmentVariable('X')],
                                  condition=IfCondition('false')),
            DeclareLaunchArgument('needed'),
            say(LaunchConfiguration('speed'), ' ', LaunchConfiguration('needed'), ' ',
                LaunchConfiguration('extra', default='-'))])
        """
    )
    path.rename(folder / 'it.launch.py')
    return prefix


def test_a_file_of_a_package_or_a_path_is_launched_with_arguments(ros2_launch, package):
    path = package / 'share/tested_package/launch/it.launch.py'
    code, text = ros2_launch(path, 'needed:=1', 'speed:=slow', 'speed:=fast', 'extra:=a:=b')
    assert code == 0, text
    assert '[INFO] [launch.user]: fast 1 a:=b' in text
    code, text = ros2_launch(
        'tested_package', 'it.launch.py', 'needed:=2', AMENT_PREFIX_PATH=str(package)
    )
    assert code == 0, text
    assert '[INFO] [launch.user]: slow 2 -' in text


def test_show_args_shows_names_descriptions_choices_and_defaults(ros2_launch, package):
    code, text = ros2_launch(package / 'share/tested_package/launch/it.launch.py', '--show-args')
    assert code == 0
    assert text == (
        "Arguments (pass arguments as '<name>:=<value>'):\n"
        '\n'
        "    'speed':\n"
        "        how fast. Valid choices are: ['slow', 'fast']\n"
        "        (default: 'slow')\n"
        '\n'
        "    'plain':*\n"
        '        no description given\n'
        "        (default: 'a' + EnvVar('X'))\n"
        '\n'
        "    'needed':\n"
        '        no description given\n'
        '\n'
        '* argument(s) which are only used if specific conditions occur\n'
    )


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (('no_such_package', 'x.launch.py'), "Package 'no_such_package' not found"),
        (('tested_package', 'no.launch.py'), "file 'no.launch.py' was not found in the share"),
        (
            ('tested_package', 'it.launch.py', 'speed=fast'),
            "malformed launch argument 'speed=fast'",
        ),
        (('tested_package', 'it.launch.py'), "missing required argument 'needed'"),
    ],
)
def test_mistakes_are_named(ros2_launch, package, words, message):
    code, text = ros2_launch(*words, AMENT_PREFIX_PATH=str(package))
    assert code == 1
    assert message in text


def test_the_launch_files_that_there_are_are_named(ros2_launch, package):
    if not IS_STAND_IN:
        pytest.skip('the real package does not')
    _, text = ros2_launch('tested_package', 'no.launch.py', AMENT_PREFIX_PATH=str(package))
    assert 'it.launch.py' in text

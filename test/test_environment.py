# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""setup.bash and the shape of the workspace."""

import configparser
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGES = [ROOT / 'compat', *sorted(path.parent for path in ROOT.glob('src/*/package.xml'))]


def bash(script: str, **environment: str) -> subprocess.CompletedProcess:
    """Run a script in a shell without this environment."""
    bare = {'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME': '/tmp'}
    if 'VLA_ROS_FOUND' in os.environ:
        bare['VLA_ROS'] = os.environ['VLA_ROS_FOUND']
    return subprocess.run(
        ['bash', '-c', script],
        cwd=ROOT,
        env={**bare, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_second_time_it_only_overlays():
    result = bash(
        'source setup.bash && ros2 --help >/dev/null && echo "$ROS_DISTRO $ROS_DOMAIN_ID"',
        VLA_NO_BUILD='1',
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ''
    distro, domain = result.stdout.split()
    assert distro == 'jazzy'
    assert 1 <= int(domain) <= 100


def test_it_may_be_sourced_twice_in_a_shell_and_the_paths_do_not_grow():
    result = bash(
        'source setup.bash && one="$PATH:$LD_LIBRARY_PATH:$AMENT_PREFIX_PATH" && '
        'source setup.bash && [ "$one" = "$PATH:$LD_LIBRARY_PATH:$AMENT_PREFIX_PATH" ]',
        VLA_NO_BUILD='1',
    )
    assert result.returncode == 0, result.stderr


def test_a_users_own_domain_and_range_are_left_alone():
    result = bash(
        'source setup.bash && echo "$ROS_DOMAIN_ID $ROS_AUTOMATIC_DISCOVERY_RANGE"',
        VLA_NO_BUILD='1',
        ROS_DOMAIN_ID='77',
        ROS_AUTOMATIC_DISCOVERY_RANGE='SUBNET',
    )
    assert result.stdout.split() == ['77', 'SUBNET'], result.stderr


def test_no_socket_is_bound_to_another_interface_unless_requested():
    script = (
        'source setup.bash && python - <<EOF\n'
        'import os, psutil, rclpy, time\n'
        'rclpy.init(); node = rclpy.create_node("alone"); time.sleep(0.5)\n'
        'udp = psutil.Process().net_connections("udp")\n'
        'multicast = {"239.255.0.1"}\n'
        'print(sorted({c.laddr.ip for c in udp} - multicast))\n'
        'EOF'
    )
    result = bash(script, VLA_NO_BUILD='1')
    found = result.stdout.strip()
    # 0.0.0.0: the multicast receiver; it joins its group on the loopback interface only.
    assert found in ("['127.0.0.1']", "['0.0.0.0', '127.0.0.1']"), result.stdout + result.stderr


@pytest.mark.parametrize(
    ('environment', 'message'),
    [
        ({'VLA_ROS': 'kilted'}, "VLA_ROS is 'kilted'; wanted 'wheels' or 'installed'"),
        (
            {'VLA_ROS': 'wheels', 'AMENT_PREFIX_PATH': '/opt/elsewhere'},
            'another ROS environment (AMENT_PREFIX_PATH=/opt/elsewhere) is active',
        ),
        ({'ROS_DOMAIN_ID': 'abc'}, "ROS_DOMAIN_ID is 'abc'; wanted a whole number from 0 to 232"),
        ({'ROS_DOMAIN_ID': '233'}, "ROS_DOMAIN_ID is '233'; wanted a whole number from 0 to 232"),
        (
            {'RMW_IMPLEMENTATION': 'rmw_no_such_cpp'},
            "RMW_IMPLEMENTATION is 'rmw_no_such_cpp', which is not installed; wanted one of: rmw_",
        ),
    ],
)
def test_what_cannot_work_is_reported_and_the_shell_stays(environment, message):
    result = bash('source setup.bash; echo "status $?"', VLA_NO_BUILD='1', **environment)
    assert message in result.stderr
    assert result.stdout.strip() == 'status 1'


@pytest.mark.parametrize('home', ['', '/proc/nowhere'])
def test_without_a_home_that_can_be_written_the_logs_are_kept_in_this_folder(home):
    script = 'source setup.bash; echo "$ROS_LOG_DIR"; python -c "import rclpy; rclpy.init()"'
    result = bash(script, VLA_NO_BUILD='1', HOME=home)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == str(ROOT / 'log' / 'ros')
    assert result.stderr.splitlines() == [
        f"setup.bash: HOME is '{home}' and cannot be written: logs go to {ROOT}/log/ros"
    ]


def test_running_it_instead_of_sourcing_it_is_an_error():
    result = bash('bash setup.bash')
    assert result.returncode == 1
    assert 'source it' in result.stderr


def test_colcon_sees_every_package_as_an_ament_package():
    # An invalid package.xml makes colcon treat the package as plain Python, silently.
    result = subprocess.run(['colcon', 'list'], cwd=ROOT, capture_output=True, text=True)
    kinds = {line.split()[0]: line.split()[-1] for line in result.stdout.splitlines()}
    named = {re.search('<name>(.+)</name>', (p / 'package.xml').read_text())[1] for p in PACKAGES}
    assert set(kinds) == named, result.stdout + result.stderr
    assert set(kinds.values()) <= {'(ros.ament_python)', '(ros.ament_cmake)'}, kinds


@pytest.mark.parametrize('package', PACKAGES, ids=lambda path: path.name)
def test_each_package_has_a_readme_and_a_licence(package):
    assert (package / 'README.md').is_file()
    manifest = (package / 'package.xml').read_text()
    assert '<license>Apache-2.0</license>' in manifest
    if (package / 'setup.py').exists():
        # colcon runs no pytest without it, silently.
        config = configparser.ConfigParser()
        config.read(package / 'setup.cfg')
        assert config['options.extras_require']['test'].split() == ['pytest']


def test_the_code_is_clean_for_ruff():
    for command in (['ruff', 'check', '-q', '.'], ['ruff', 'format', '-q', '--check', '.']):
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr


def test_the_repository_names_no_package_registry():
    hosts = re.compile(r'pypi\.org|pythonhosted\.org|registry\.npmjs|packages\.ros\.org')
    listed = subprocess.run(
        ['git', 'ls-files'], cwd=ROOT, capture_output=True, text=True
    ).stdout.split()
    for name in listed:
        file = ROOT / name
        if file == pathlib.Path(__file__) or not file.is_file() or file.stat().st_size > 1_000_000:
            continue
        assert not hosts.search(file.read_text(errors='ignore')), name


@pytest.mark.parametrize(
    'package', sorted(p.parent.name for p in ROOT.glob('compat/*/pyproject.toml'))
)
def test_a_stand_in_is_in_the_ament_index(package):
    result = bash(f'source setup.bash && ros2 pkg prefix --share {package}', VLA_NO_BUILD='1')
    assert result.returncode == 0, result.stderr
    assert pathlib.Path(result.stdout.strip()).is_dir()

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`host`: what the kernel's files of made-up computers lead to."""

import json
import resource
import struct

import pytest

from vla_common.errors import ConfigError
from vla_common.preflight_record import CheckState
from vla_validation.host import checks, command
from vla_validation.host.ping import checksum, request, round_trips

PASS, FAIL, CHECK = CheckState
LATE = {'p50': 0.05, 'p99': 0.2, 'max': 3.0, 'n': 1000, 'stolen_ms': 0.0}


@pytest.fixture
def computer(tmp_path):
    """A folder that looks like / of an ordinary user's computer; returns (root, write)."""

    def write(path: str, text: str) -> None:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    write('proc/self/status', 'Name:\tpython3\nCapEff:\t0000000000000000\n')
    (tmp_path / 'dev/shm').mkdir(parents=True)
    return tmp_path, write


def test_memory_lock_by_limit_or_by_capability(computer):
    root, write = computer
    found = checks.memory_lock(root, limit=8_000_000)
    assert (found.result, found.evidence) == (FAIL, '8.0 MB may be locked')
    assert 'memlock unlimited' in found.remedy
    assert checks.memory_lock(root, resource.RLIM_INFINITY).result is PASS
    write('proc/self/status', f'CapEff:\t{1 << checks.CAP_IPC_LOCK:016x}\n')
    assert checks.memory_lock(root, limit=8_000_000).result is PASS


@pytest.mark.parametrize(('limit', 'result'), [(0, FAIL), (29, FAIL), (30, PASS), (40, PASS)])
def test_the_model_needs_nice_minus_10(computer, limit, result):
    assert checks.nice(computer[0], limit).result is result


def test_a_containers_quota_counts_as_fewer_cores(computer):
    root, write = computer
    assert checks.cores(root, usable=2).result is PASS
    assert checks.cores(root, usable=1).result is FAIL
    write('sys/fs/cgroup/cpu.max', '150000 100000\n')
    found = checks.cores(root, usable=8)
    assert (found.result, found.evidence) == (FAIL, '8 usable, quota 1.5')
    write('sys/fs/cgroup/cpu.max', 'max 100000\n')
    assert checks.cores(root, usable=8).result is PASS


def test_one_core_that_saves_power_fails_the_governor(computer):
    root, write = computer
    assert checks.governor(root).result is PASS, 'a virtual machine has none'
    for cpu in (0, 1):
        write(f'sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor', 'performance\n')
    assert checks.governor(root).result is PASS
    write('sys/devices/system/cpu/cpu1/cpufreq/scaling_governor', 'powersave\n')
    found = checks.governor(root)
    assert (found.result, found.evidence) == (FAIL, 'performance, powersave')


def test_isolated_cores_are_named_and_not_required(computer):
    root, write = computer
    assert checks.isolated_cores(root).result is PASS
    write('sys/devices/system/cpu/isolated', '2-3\n')
    assert checks.isolated_cores(root).evidence == 'cores 2-3'


def test_dockers_default_shared_memory_is_too_small(computer):
    root, _ = computer
    assert checks.shared_memory(root, free=64.0).result is FAIL
    assert checks.shared_memory(root, free=500.0).result is PASS
    assert checks.shared_memory(root / 'nowhere').result is FAIL


def test_a_disk_is_that_of_the_folder_that_will_be_made(tmp_path):
    folder = tmp_path / 'not' / 'yet'
    assert checks.disk(folder, 5.0, free=4.9).result is FAIL
    assert checks.disk(folder, 5.0, free=5.1).result is PASS
    assert checks.disk(folder, 0.0).result is PASS


@pytest.mark.parametrize(('state', 'result'), [(0, PASS), (5, CHECK), (-1, CHECK)])
def test_a_clock_without_synchronisation_is_for_a_person(state, result):
    assert checks.clock(state).result is result


@pytest.mark.parametrize(
    ('late', 'result'),
    [
        (LATE, PASS),
        (LATE | {'p99': 1.1}, FAIL),
        (LATE | {'max': 26.0}, FAIL),
        (LATE | {'p99': float('nan')}, FAIL),
        ({'p50': None, 'p99': None, 'max': None, 'n': 0, 'stolen_ms': 0.0}, FAIL),
    ],
)
def test_a_late_timer_fails(late, result):
    assert checks.timer('timer_idle', late).result is result


def test_a_lost_or_slow_ping_fails():
    assert checks.round_trip('robot', [0.2, 0.3], 2).result is PASS
    assert '1 of 3 lost' in checks.round_trip('robot', [0.2, 0.3], 3).evidence
    assert checks.round_trip('robot', [0.2, 0.3], 3).result is FAIL
    assert checks.round_trip('robot', [0.2, 11.0], 2).result is FAIL
    assert 'no answer' in checks.round_trip('robot', [], 5).evidence


def test_real_time_priority_that_is_switched_off_is_named(monkeypatch):
    monkeypatch.setenv('VLA_REALTIME', '0')
    found = checks.realtime_priority()
    assert found.result is FAIL
    assert 'VLA_REALTIME=0' in found.evidence


def test_an_echo_request_has_the_checksum_of_rfc_1071():
    assert checksum(bytes.fromhex('0001f203f4f5f6f7')) == 0x220D, 'the example of RFC 1071, 3'
    packet = request(0x1234, 7)
    assert checksum(packet) == 0, 'over a packet with its checksum it is zero'
    assert struct.unpack('!BBHHH', packet[:8])[3:] == (0x1234, 7)


def test_an_address_that_is_none_is_refused():
    with pytest.raises(ConfigError, match='--address: found no such host'):
        round_trips('no such host')


def test_this_computer_answers_itself():
    try:
        times = round_trips('127.0.0.1', count=3)
    except ConfigError as error:
        pytest.skip(str(error))  # nobody may ping here
    assert len(times) == 3


def test_the_command_prints_each_check_and_its_remedy(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(command, 'lateness', lambda seconds, burners: LATE)
    given = ['--directory', str(tmp_path), '--room', '1e9', '--json']
    assert command.main(given) == 1
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    found = {check['name']: check for check in result['checks']}
    assert not result['passed']
    assert found['disk']['result'] == 'FAIL'
    assert found['disk']['remedy']
    assert found['timer_loaded'] == {
        'name': 'timer_loaded', 'result': 'PASS', 'remedy': '',
        'evidence': found['timer_loaded']['evidence'],
    }  # fmt: skip
    command.main(given[:-1])
    lines = capsys.readouterr().out.splitlines()
    assert next(s for s in lines if ' disk ' in s).startswith('FAIL ')
    assert ' → remove old sessions' in next(s for s in lines if ' disk ' in s)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the workspace expects of the `ros2` command, whoever provides it.

Runs against the stand-in in compat/ or the real ros2cli 0.32, whichever is imported. Where the two
differ on purpose (a better error, a strict conversion) the test is for the stand-in alone.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from ros2_command import Result, run_all

domain_coordinator = pytest.importorskip('domain_coordinator')
pytest.importorskip('rclpy')
pytest.importorskip('ros2cli')

RUN = [sys.executable, '-c', 'import sys; from ros2cli.cli import main; sys.exit(main())']
IS_STAND_IN = '+compat' in version('ros2cli')
stand_in_only = pytest.mark.skipif(not IS_STAND_IN, reason='the real ros2cli is installed')
try:
    import vla_interfaces  # noqa: F401

    HAS_ACTION = True
except ImportError:
    HAS_ACTION = False


class Lab:
    """A domain of its own with the peer in it."""

    def __init__(self, environment: dict[str, str], peer: subprocess.Popen) -> None:
        self._environment = environment
        self.peer = peer

    def start(self, *words: str, out: int = subprocess.PIPE) -> subprocess.Popen:
        """Start the command as a shell does, to talk to while it runs."""
        return subprocess.Popen(
            [*RUN, *words], env=self._environment, stdout=out, stderr=out, text=True
        )

    def ros2(self, *words: str) -> Result:
        return self.together([words])[0]

    def together(self, commands: list[tuple[str, ...]]) -> list[Result]:
        """Run commands that do not depend on one another at the same time."""
        return run_all(commands, self._environment)

    def graph(self, *words: str) -> Result:
        """Ask without a daemon and with time to discover: the same for both implementations."""
        return self.graphs(words)[0]

    def graphs(self, *commands: tuple[str, ...]) -> list[Result]:
        return self.together([(*words, '--no-daemon', '--spin-time', '2') for words in commands])


@pytest.fixture(scope='module')
def lab() -> Iterator[Lab]:
    with domain_coordinator.domain_id() as domain:
        environment = dict(
            os.environ,
            ROS_DOMAIN_ID=str(domain),
            ROS_AUTOMATIC_DISCOVERY_RANGE='LOCALHOST',
            PYTHONUNBUFFERED='1',
        )
        peer = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name('contract_peer.py'))],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert peer.stdout.readline().strip() == 'ready'
            yield Lab(environment, peer)
        finally:
            if not IS_STAND_IN:
                subprocess.run([*RUN, 'daemon', 'stop'], env=environment, check=False)
            peer.terminate()
            peer.wait(10)
            peer.stdout.close()


# ------------------------------------------------------------------ the command itself


def test_help_lists_the_commands_and_exits_with_zero(lab: Lab) -> None:
    for words in ((), ('--help',)):
        result = lab.ros2(*words)
        assert result.code == 0, result
        for command in ('action', 'lifecycle', 'node', 'param', 'run', 'service', 'topic'):
            assert re.search(rf'^\s+{command}\s', result.out, re.M), result


def test_a_command_without_a_verb_prints_its_help(lab: Lab) -> None:
    result = lab.ros2('topic')
    assert result.code == 0
    assert 'echo' in result.out


def test_an_unknown_command_or_verb_exits_with_two(lab: Lab) -> None:
    assert lab.ros2('topik').code == 2
    assert lab.ros2('topic', 'ecco').code == 2


@stand_in_only
def test_what_is_left_out_says_so_and_names_it(lab: Lab) -> None:
    for words in (('doctor',), ('topic', 'find', 'x'), ('param', 'load', 'x', 'y')):
        result = lab.ros2(*words)
        assert result.code == 2
        assert 'is not part of the stand-in in compat/; install the real package' in result.err
        assert words[0] in result.err, result


# ------------------------------------------------------------------ run and pkg


@pytest.fixture
def package(tmp_path: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package 'toolbox' with one executable, in a prefix of its own."""
    index = tmp_path / 'share/ament_index/resource_index/packages'
    index.mkdir(parents=True)
    (index / 'toolbox').touch()
    folder = tmp_path / 'lib/toolbox'
    folder.mkdir(parents=True)
    script = folder / 'hammer'
    script.write_text(
        f'#!{sys.executable}\n'
        'import signal, sys, time\n'
        'print("args", sys.argv[1:], flush=True)\n'
        'if "wait" in sys.argv:\n'
        '    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))\n'
        '    print("waiting", flush=True)\n'
        '    time.sleep(60)\n'
        'sys.exit(7)\n'
    )
    script.chmod(0o755)
    (folder / 'notes.txt').write_text('not executable')
    path = f'{tmp_path}:{os.environ.get("AMENT_PREFIX_PATH", "")}'
    monkeypatch.setitem(lab._environment, 'AMENT_PREFIX_PATH', path)
    return tmp_path


def test_run_passes_arguments_and_the_exit_status(lab: Lab, package: Path) -> None:
    result = lab.ros2('run', 'toolbox', 'hammer', '--ros-args', '-r', '__node:=x', '--help')
    assert result.code == 7
    assert "args ['--ros-args', '-r', '__node:=x', '--help']" in result.out


def test_run_with_a_prefix_puts_it_before_the_executable(lab: Lab, package: Path) -> None:
    result = lab.ros2('run', '--prefix', 'env -i', 'toolbox', 'hammer', 'a')
    assert result.code == 7
    assert "args ['a']" in result.out


def test_an_interrupt_reaches_the_executable_once(lab: Lab, package: Path) -> None:
    process = subprocess.Popen(
        [*RUN, 'run', 'toolbox', 'hammer', 'wait'],
        env=lab._environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline().startswith('args')
    assert process.stdout.readline().strip() == 'waiting'
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(20) == 0
    process.stdout.close()


def test_the_installed_command_runs_an_executable(lab: Lab, package: Path) -> None:
    def ros2(*words: str) -> subprocess.CompletedProcess:
        command = ['ros2', 'run', *words]
        return subprocess.run(command, env=lab._environment, capture_output=True, text=True)

    result = ros2('toolbox', 'hammer', 'a b', '*', '', '--help')
    assert result.returncode == 7, result.stderr
    assert "args ['a b', '*', '', '--help']" in result.stdout
    result = ros2('--prefix', 'env -i', 'toolbox', 'hammer', 'a')
    assert result.returncode == 7 and "args ['a']" in result.stdout
    for words in (('toolbox', 'notes.txt'), ('toolbox', '../toolbox/hammer'), ('../toolbox', 'x')):
        assert ros2(*words).returncode == 1
    nested = package / 'lib/toolbox/other/hammer'
    nested.parent.mkdir()
    (package / 'lib/toolbox/hammer').rename(nested)
    assert ros2('toolbox', 'hammer').returncode == 7


def test_run_of_something_that_is_not_there_names_it(lab: Lab, package: Path) -> None:
    result = lab.ros2('run', 'toolbux', 'hammer')
    assert result.code == 1
    assert "Package 'toolbux' not found" in result.err
    result = lab.ros2('run', 'toolbox', 'notes.txt')
    assert result.code == 1
    assert 'No executable found' in result.err


def test_pkg_finds_prefix_and_executables(lab: Lab, package: Path) -> None:
    assert 'toolbox' in lab.ros2('pkg', 'list').out.split()
    assert lab.ros2('pkg', 'prefix', 'toolbox').out.strip() == str(package)
    assert lab.ros2('pkg', 'executables', 'toolbox').out == 'toolbox hammer\n'
    result = lab.ros2('pkg', 'prefix', 'nothing_like_it')
    assert result.code == 1
    assert 'Package not found' in result.err


# ------------------------------------------------------------------ topic


def test_topic_list_shows_names_and_types(lab: Lab) -> None:
    options = ((), ('-t',), ('-c',), ('-v',))
    plain, typed, count, verbose = lab.graphs(*(('topic', 'list', *words) for words in options))
    assert plain.code == 0
    assert {'/joints', '/latched', '/words'} <= set(plain.out.split())
    assert '/joints [sensor_msgs/msg/JointState]' in typed.out
    assert int(count.out) >= 4
    assert ' * /joints [sensor_msgs/msg/JointState] 1 publisher\n' in verbose.out
    assert ' * /words [std_msgs/msg/String] 1 subscriber\n' in verbose.out


def test_topic_type_and_info_describe_a_topic(lab: Lab) -> None:
    result = lab.graph('topic', 'type', '/joints')
    assert (result.code, result.out) == (0, 'sensor_msgs/msg/JointState\n')
    result = lab.graph('topic', 'info', '/joints')
    assert result.code == 0
    assert result.out == (
        'Type: sensor_msgs/msg/JointState\nPublisher count: 1\nSubscription count: 0\n'
    )
    verbose = lab.graph('topic', 'info', '-v', '/latched').out
    assert 'Node name: peer' in verbose
    assert 'Durability: TRANSIENT_LOCAL' in verbose


def test_an_unknown_topic_is_an_error(lab: Lab) -> None:
    result = lab.graph('topic', 'info', '/jointz')
    assert result.code == 1
    assert "Unknown topic '/jointz'" in result.err
    assert lab.graph('topic', 'type', '/jointz').code == 1
    result = lab.graph('topic', 'echo', '/jointz', '--once')
    assert result.code == 1
    assert 'Could not determine the type for the passed topic' in result.err


@stand_in_only
def test_an_unknown_topic_is_answered_with_the_nearest_one(lab: Lab) -> None:
    assert "did you mean '/joints'" in lab.graph('topic', 'info', '/jointz').err


def test_echo_hears_a_best_effort_publisher_and_prints_yaml(lab: Lab) -> None:
    result = lab.graph('topic', 'echo', '/joints', '--once')
    assert result.code == 0
    assert result.out.endswith('---\n')
    document = yaml.safe_load(result.out.removesuffix('---\n'))
    assert list(document) == ['header', 'name', 'position', 'velocity', 'effort']
    assert document['header']['frame_id'] == 'lab'
    assert document['position'] == [0.25, -1.0]


def test_echo_hears_what_was_published_before_it_came(lab: Lab) -> None:
    result = lab.graph('topic', 'echo', '/latched', '--once')
    assert (result.code, result.out) == (0, 'data: said once\n---\n')


def test_echo_selects_shortens_and_flattens(lab: Lab) -> None:
    def echo(*words: str) -> str:
        result = lab.graph('topic', 'echo', '/joints', '--once', *words)
        assert result.code == 0, result
        return result.out

    assert echo('--field', 'header.frame_id') == 'lab\n---\n'
    assert "position: '<sequence type: double, length: 2>'" in echo('--no-arr')
    assert "frame_id: '<string length: <3>>'" in echo('--no-str')
    assert re.fullmatch(r'\d+,\d+,lab,left,right,0.25,-1.0,,\n', echo('--csv'))
    assert "position:\n- 0.25\n- '...'\n" in echo('-l', '1')
    assert 'position: [0.25, -1.0]' in echo('--flow-style')
    assert 'frame_id: lab' in echo('--filter', 'm.position[0] > 0')
    # With both, the expression is about the field.
    assert echo('--filter', 'm == "lab"', '--field', 'header.frame_id') == 'lab\n---\n'


def test_echo_of_a_field_that_is_not_there_names_it(lab: Lab) -> None:
    result = lab.graph('topic', 'echo', '/joints', '--once', '--field', 'header.frame')
    assert result.code == 1
    assert "Invalid field 'header.frame'" in result.err


def test_echo_gives_up_after_its_timeout(lab: Lab) -> None:
    begin = time.monotonic()
    result = lab.graph('topic', 'echo', '/words', 'std_msgs/msg/String', '--timeout', '1')
    assert (result.code, result.out) == (0, '')
    assert time.monotonic() - begin < 30.0


def test_echo_reports_an_unknown_type(lab: Lab) -> None:
    result = lab.graph('topic', 'echo', '/words', 'std_msgs/msg/Sting')
    assert result.code == 1
    assert 'The passed message type is invalid' in result.err


def test_echo_ends_on_a_signal_with_its_number(lab: Lab) -> None:
    # The real one ends with 0 on SIGTERM if that arrives between two waits.
    for number, codes in ((signal.SIGINT, {2}), (signal.SIGTERM, {15} if IS_STAND_IN else {0, 15})):
        process = lab.start('topic', 'echo', '/joints')
        assert process.stdout.readline()
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
        assert process.returncode in codes, err
        assert 'Traceback' not in err


@stand_in_only
@pytest.mark.parametrize('verb', ['echo', 'hz'])
def test_a_signal_between_two_waits_ends_with_its_number_too(lab: Lab, verb: str) -> None:
    # The filter runs in a callback: the context is down before the executor waits again.
    kill = 'os.kill(os.getpid(), signal.SIGTERM), time.sleep(0.5)'
    names = ', '.join(f'{name}=__import__("{name}")' for name in ('os', 'signal', 'time'))
    result = lab.graph('topic', verb, '/joints', '--filter', f'(lambda {names}: ({kill}))()')
    assert result.code == signal.SIGTERM, result
    assert 'Traceback' not in result.err


def test_hz_prints_the_rate(lab: Lab) -> None:
    process = lab.start('topic', 'hz', '/joints')
    rate = process.stdout.readline()
    while 'average rate' not in rate:
        assert rate, process.stderr.read()
        rate = process.stdout.readline()
    spread = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert 10.0 < float(rate.split(':')[1]) < 60.0
    pattern = r'\tmin: [\d.]+s max: [\d.]+s std dev: [\d.]+s window: \d+\n'
    assert re.fullmatch(pattern, spread)


def test_pub_once_waits_for_the_listener_and_is_heard(lab: Lab) -> None:
    result = lab.ros2('topic', 'pub', '--once', '/words', 'std_msgs/msg/String', '{data: hello}')
    assert result.code == 0, result
    assert "publishing #1: std_msgs.msg.String(data='hello')" in result.out
    assert lab.peer.stdout.readline().strip() == 'heard hello'


def test_pub_publishes_as_often_as_told(lab: Lab) -> None:
    words = ('topic', 'pub', '--times', '3', '--rate', '20', '/words', 'std_msgs/String')
    result = lab.ros2(*words, 'data: three')
    assert result.code == 0, result
    assert result.out.count('publishing #') == 3
    assert [lab.peer.stdout.readline().strip() for _ in range(3)] == ['heard three'] * 3


def test_pub_stops_waiting_when_told(lab: Lab) -> None:
    words = ('topic', 'pub', '--once', '--max-wait-time-secs', '0.5', '/unheard')
    result = lab.ros2(*words, 'std_msgs/msg/String', '{data: x}')
    assert result.code == 1
    assert 'Timed out waiting for subscribers' in result.err


def test_pub_fills_now_and_auto(lab: Lab) -> None:
    values = '{header: auto, name: [a, b], position: [1, 2.5]}'
    words = ('topic', 'pub', '-t', '1', '-w', '0', '/x', 'sensor_msgs/msg/JointState', values)
    result = lab.ros2(*words)
    assert result.code == 0, result
    assert int(re.search(r'sec=(\d+)', result.out)[1]) > 1_600_000_000
    assert 'position=[1.0, 2.5]' in result.out


def test_values_that_do_not_fit_are_refused(lab: Lab) -> None:
    def error(kind: str, values: str) -> str:
        result = lab.ros2('topic', 'pub', '-t', '1', '-w', '0', '/x', kind, values)
        assert result.code == 1, result
        return result.err

    assert 'Failed to populate field' in error('std_msgs/msg/String', '{dat: x}')
    assert 'dat' in error('std_msgs/msg/String', '{dat: x}')
    assert 'Failed to populate field' in error('geometry_msgs/msg/Point', '{x: much}')
    assert 'needs to be a dictionary' in error('std_msgs/msg/String', 'x')
    assert 'The passed message type is invalid' in error('std_msgs/msg/Sting', '{}')


@stand_in_only
def test_the_error_for_a_value_begins_with_the_path_of_the_field(lab: Lab) -> None:
    values = '{points: [{positions: [1.0]}, {positions: [far]}]}'
    kind = 'trajectory_msgs/msg/JointTrajectory'
    result = lab.ros2('topic', 'pub', '-t', '1', '-w', '0', '/x', kind, values)
    assert result.code == 1
    assert "points[1].positions[0]: expected double, got str 'far'" in result.err
    result = lab.ros2(
        'topic', 'pub', '-t', '1', '-w', '0', '/x', 'std_msgs/msg/Int8', '{data: 1000}'
    )
    assert result.code == 1
    assert 'Failed to populate field: data: ' in result.err
    result = lab.ros2('service', 'call', '/arm', 'std_srvs/srv/SetBool', '{data: "false"}')
    assert result.code == 1
    assert "data: expected boolean, got str 'false'" in result.err


# ------------------------------------------------------------------ node, service, action


def test_node_list_and_info(lab: Lab) -> None:
    result = lab.graph('node', 'list')
    assert (result.code, result.out) == (0, '/peer\n')
    result = lab.graph('node', 'info', '/peer')
    assert result.code == 0
    assert result.out.startswith('/peer\n  Subscribers:\n')
    for line in (
        '    /words: std_msgs/msg/String',
        '  Publishers:',
        '    /joints: sensor_msgs/msg/JointState',
        '  Service Servers:',
        '    /arm: std_srvs/srv/SetBool',
        '  Service Clients:',
        '  Action Servers:',
        '  Action Clients:',
    ):
        assert f'{line}\n' in result.out, result
    result = lab.graph('node', 'info', '/pier')
    assert result.code == 1
    assert "Unable to find node '/pier'" in result.err


def test_service_list_and_type(lab: Lab) -> None:
    result = lab.graph('service', 'list', '-t')
    assert result.code == 0
    assert '/arm [std_srvs/srv/SetBool]\n' in result.out
    # This verb takes no arguments for discovery in the real command, which asks its daemon.
    deadline = time.monotonic() + 30.0
    while (result := lab.ros2('service', 'type', '/arm')).code != 0:
        assert time.monotonic() < deadline, result
    assert result.out == 'std_srvs/srv/SetBool\n'
    assert lab.ros2('service', 'type', '/harm').code == 1


def test_service_call_prints_request_and_response(lab: Lab) -> None:
    result = lab.ros2('service', 'call', '/arm', 'std_srvs/srv/SetBool', '{data: true}')
    assert result.code == 0
    assert 'requester: making request: std_srvs.srv.SetBool_Request(data=True)\n' in result.out
    assert "response:\nstd_srvs.srv.SetBool_Response(success=True, message='armed')\n" in result.out


def test_service_call_with_a_wrong_type_or_field_fails(lab: Lab) -> None:
    result = lab.ros2('service', 'call', '/arm', 'std_srvs/srv/SetBol', '{data: true}')
    assert result.code == 1
    assert 'The passed service type is invalid' in result.err
    result = lab.ros2('service', 'call', '/arm', 'std_srvs/srv/SetBool', '{date: true}')
    assert result.code == 1
    assert 'Failed to populate field' in result.err
    assert 'date' in result.err


@pytest.mark.skipif(not HAS_ACTION, reason='vla_interfaces is not built')
def test_action_goal_runs_with_feedback_and_result(lab: Lab) -> None:
    deadline = time.monotonic() + 30.0
    while '/run' not in (result := lab.ros2('action', 'list', '-t')).out:
        assert time.monotonic() < deadline, result
    assert result.out == '/run [vla_interfaces/action/RunInstruction]\n'
    assert 'Action servers: 1\n    /peer\n' in lab.ros2('action', 'info', '/run').out
    kind = 'vla_interfaces/action/RunInstruction'
    words = ('action', 'send_goal', '/run', kind)
    result = lab.ros2(*words, '{instruction: wave}', '--feedback')
    assert result.code == 0, result
    assert re.search(r'^Goal accepted with ID: [0-9a-f]{32}$', result.out, re.M)
    assert 'Feedback:\n    phase: walking\n' in result.out
    assert 'reason: wave\n' in result.out
    assert result.out.endswith('Goal finished with status: SUCCEEDED\n')
    result = lab.ros2(*words, '{instruction: ""}')
    assert result.code == 0
    assert result.out.endswith('Goal was rejected.\n')
    result = lab.ros2(*words, '{instructions: wave}')
    assert result.code == 1
    assert 'Failed to populate message fields' in result.err


@stand_in_only
@pytest.mark.skipif(not HAS_ACTION, reason='vla_interfaces is not built')
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_goal_is_cancelled(lab: Lab, number: int) -> None:
    # The real one has shut its context down by then and leaves the goal running.
    kind = 'vla_interfaces/action/RunInstruction'
    process = lab.start('action', 'send_goal', '/run', kind, '{instruction: forever}')
    while 'Goal accepted' not in (line := process.stdout.readline()):
        assert line, process.stderr.read()
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert 'Goal canceled.' in out, err
    assert process.returncode == number
    assert lab.peer.stdout.readline().strip() == 'heard a cancel'


@stand_in_only
@pytest.mark.skipif(not HAS_ACTION, reason='vla_interfaces is not built')
def test_a_goal_is_cancelled_when_its_terminal_is_closed(lab: Lab) -> None:
    kind = 'vla_interfaces/action/RunInstruction'
    terminal, other_end = os.openpty()
    process = lab.start(
        'action', 'send_goal', '/run', kind, '{instruction: forever}', out=other_end
    )
    os.close(other_end)
    seen = b''
    while b'Goal accepted' not in seen:
        seen += os.read(terminal, 4096)
    os.close(terminal)  # printing fails from here on
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) in (signal.SIGHUP, signal.SIGTERM)
    assert lab.peer.stdout.readline().strip() == 'heard a cancel'


# ------------------------------------------------------------------ lifecycle and param


def test_lifecycle_nodes_and_transitions(lab: Lab) -> None:
    def run(verb: str, *words: str) -> Result:
        return lab.graph('lifecycle', verb, *words)

    assert run('nodes').out == '/peer\n'
    assert run('get', '/peer').out == 'unconfigured [1]\n'
    assert run('get').out == '/peer: unconfigured [1]\n'
    assert (
        '- configure [1]\n\tStart: unconfigured\n\tGoal: configuring\n' in run('list', '/peer').out
    )
    result = run('set', '/peer', 'activate')
    assert result.code == 1
    assert 'Unknown transition requested, available ones are:\n- configure [1]' in result.err
    result = run('set', '/peer', 'configure')
    assert (result.code, result.out) == (0, 'Transitioning successful\n')
    assert run('get', 'peer').out == 'inactive [2]\n'
    result = run('set', '/peer', '3')
    # The number works as the label does; the peer refuses, and the real verb exits with 0 then.
    assert (result.code, result.out) == (0, '')
    assert 'Transitioning failed' in result.err
    result = run('get', '/pier')
    assert result.code == 1
    assert 'Node not found' in result.err


def test_param_list_get_set_describe_dump(lab: Lab) -> None:
    def run(verb: str, *words: str) -> Result:
        return lab.graph('param', verb, '/peer', *words)

    assert '  gain\n  limits.counts\n  limits.joints\n' in run('list').out
    assert run('get', 'gain').out == 'Double value is: 1.5\n'
    assert run('get', 'limits.joints').out == "String values are: ['left', 'right']\n"
    assert run('get', 'limits.counts', '--hide-type').out == '[1, 2, 3]\n'
    result = run('get', 'pain')
    assert (result.code, 'Parameter not set' in result.out + result.err) == (1, True), result
    result = run('set', 'gain', '2.5')
    assert (result.code, result.out) == (0, 'Set parameter successful\n')
    result = run('set', 'gain', '11.0')
    assert result.code == 0
    assert 'Setting parameter failed' in result.err
    out = run('describe', 'gain').out
    for part in ('Parameter name: gain', 'Type: double', 'Description: how strongly'):
        assert part in out
    assert 'Min value: 0.0' in out
    assert 'Max value: 10.0' in out
    parameters = yaml.safe_load(run('dump').out)['/peer']['ros__parameters']
    assert parameters['gain'] == 2.5
    assert parameters['limits'] == {'counts': [1, 2, 3], 'joints': ['left', 'right']}


# ------------------------------------------------------------------ interface


def test_interface_list_and_show(lab: Lab) -> None:
    result = lab.ros2('interface', 'list', '-m')
    assert result.out.startswith('Messages:\n')
    assert '    std_msgs/msg/String\n' in result.out
    assert '    std_srvs/srv/Trigger\n' in lab.ros2('interface', 'list', '-s').out

    def show(name: str) -> str:
        result = lab.ros2('interface', 'show', name, '--no-comments')
        assert result.code == 0, result
        # The real one leaves the # of some comments that it cuts off.
        lines = (line.rstrip(' #') for line in result.out.splitlines())
        return '\n'.join(line for line in lines if line)

    assert show('std_srvs/srv/SetBool') == 'bool data\n---\nbool success\nstring message'
    assert show('sensor_msgs/msg/JointState') == (
        'std_msgs/Header header\n'
        '\tbuiltin_interfaces/Time stamp\n\t\tint32 sec\n\t\tuint32 nanosec\n'
        '\tstring frame_id\n'
        'string[] name\nfloat64[] position\nfloat64[] velocity\nfloat64[] effort'
    )
    assert lab.ros2('interface', 'show', 'std_msgs/msg/Sting').code == 1

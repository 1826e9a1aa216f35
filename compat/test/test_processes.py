# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Processes: output, events, respawn, and signals."""

import signal

import pytest
from conftest import IS_STAND_IN

# Says what it gets; ends on SIGTERM only if told to.
STUBBORN = """
import os, signal, sys, time
def told(number, frame):
    os.write(1, f"got {signal.Signals(number).name}\\n".encode())  # print is not reentrant
    if signal.Signals(number).name in sys.argv[1:]:
        sys.exit(0)
for one in (signal.SIGINT, signal.SIGTERM):
    signal.signal(one, told)
os.write(1, b"ready\\n")
while True:
    time.sleep(0.02)
"""

HEADER = f"""
STUBBORN = {STUBBORN!r}


def stubborn(*ends_on, **kwargs):
    kwargs.setdefault('output', 'screen')
    return ExecuteProcess(cmd=[sys.executable, '-c', STUBBORN, *ends_on], **kwargs)
"""


def test_output_is_prefixed_line_by_line_and_nothing_is_lost(run):
    code, launched = run(
        """
        code = ('import sys\\n'
                'print("out")\\n'
                'print("err", file=sys.stderr)\\n'
                'sys.stdout.buffer.write("größe\\\\n".encode())\\n'
                'sys.stdout.write("no end")\\n')
        return LaunchDescription([py(code, name='talker')])
        """
    )
    assert code == 0, launched.text
    for line in ('out', 'err', 'größe', 'no end'):
        assert f'[talker-1] {line}' in launched.lines, launched.text
    assert any(
        line.startswith('[INFO] [talker-1]: process started with pid [') for line in launched.lines
    )
    assert any(
        line.startswith('[INFO] [talker-1]: process has finished cleanly [pid ')
        for line in launched.lines
    )


def test_output_destinations(run, tmp_path):
    code, launched = run(
        """
        code = 'import sys; print("out-%s"); print("err-%s", file=sys.stderr)'
        return LaunchDescription([
            py(code % (where, where), name=where, output=where) for where in
            ('screen', 'log', 'both')])
        """
    )
    assert code == 0, launched.text
    log = (tmp_path / 'log' / 'latest' / 'launch.log').read_text()
    assert {word for word in WORDS if f'] {word}\n' in launched.text} == {
        'out-screen',
        'err-screen',
        'err-log',
        'out-both',
        'err-both',
    }
    assert {word for word in WORDS if f'] {word}\n' in log} == {
        'out-log',
        'err-log',
        'out-both',
        'err-both',
    }
    assert f'All log files can be found below {tmp_path / "log"}' in launched.text


WORDS = [f'{stream}-{where}' for stream in ('out', 'err') for where in ('screen', 'log', 'both')]


def test_a_process_that_dies_is_reported_and_is_no_failure_of_the_launch(run):
    code, launched = run("return LaunchDescription([py('exit(3)', name='x')])")
    assert code == 0, launched.text
    assert '[ERROR] [x-1]: process has died [pid ' in launched.text
    assert ', exit code 3, cmd ' in launched.text


def test_a_program_that_does_not_exist_is_reported_and_the_others_run(run):
    code, launched = run(
        """
        return LaunchDescription([
            ExecuteProcess(cmd=['no-such-program']), py('print("alive")', name='x')])
        """
    )
    assert code == 0, launched.text
    assert 'exception occurred while executing process' in launched.text
    assert '[x-2] alive' in launched.lines


def test_working_directory_and_environment(run, tmp_path):
    code, launched = run(
        f"""
        show = 'import os; print(os.getcwd(), os.environ.get("A"), os.environ.get("HOME") != None)'
        return LaunchDescription([
            SetEnvironmentVariable('A', '1'),
            py(show, name='cwd', cwd={str(tmp_path)!r}),
            py(show, name='more', cwd='/',
               additional_env={{'A': LaunchConfiguration('x', default='y')}})])
        """
    )
    assert code == 0, launched.text
    assert {f'[cwd-1] {tmp_path} 1 True', '[more-2] / y True'} <= set(launched.lines), launched.text


def test_event_handlers_see_start_output_exit_and_shutdown(run):
    code, launched = run(
        """
        p = py('print("hello"); exit(4)', name='p')
        q = py('import time; time.sleep(0.3)', name='q')
        def seen(event):
            return say('io ', event.process_name) if b'hello' in event.text else None
        return LaunchDescription([
            RegisterEventHandler(OnProcessStart(target_action=p, on_start=[say('started')])),
            RegisterEventHandler(OnProcessIO(target_action=p, on_stdout=seen)),
            RegisterEventHandler(OnProcessExit(target_action=p, on_exit=lambda event, context:
                say(f'exit {event.returncode} {event.pid == p.process_details["pid"]}'))),
            RegisterEventHandler(OnProcessExit(
                target_action=lambda action: action is q, on_exit=say('q out'))),
            RegisterEventHandler(OnShutdown(on_shutdown=lambda event, context: say(event.reason))),
            p, q])
        """
    )
    assert code == 0, launched.text
    said = launched.said()
    assert sorted(said) == sorted(['started', 'io p-1', 'exit 4 True', 'q out', 'idle'])
    assert said.index('started') < said.index('io p-1') < said.index('exit 4 True')
    assert said[-1] == 'idle'


def test_on_exit_shutdown_makes_a_process_required(run):
    code, launched = run(
        """
        return LaunchDescription([
            ExecuteProcess(cmd=['sleep', '1000'], name='other', respawn=True),
            py('import time; time.sleep(0.5)', name='required', on_exit=Shutdown(reason='it left'),
               respawn=True)])
        """
    )
    assert code == 0, launched.text
    assert 'process[required-2] was required: shutting down launched system' in launched.text
    assert "sending signal 'SIGINT' to process[other-1]" in launched.text
    assert launched.survivors() == []


def test_a_required_process_is_not_respawned_by_the_exit_that_shuts_down(run):
    if not IS_STAND_IN:
        pytest.skip('the real package starts it once more and ends it again')
    _, launched = run("return LaunchDescription([py('pass', on_exit=Shutdown(), respawn=True)])")
    assert launched.text.count('process started with pid') == 1


def test_respawn_is_limited_and_delayed(run):
    code, launched = run(
        """
        return LaunchDescription([
            py('print("run")', name='x', respawn=True, respawn_max_retries=2, respawn_delay=0.1),
            py('print("run")', name='y', respawn=LaunchConfiguration('no', default='0'))])
        """
    )
    assert code == 0, launched.text
    assert launched.lines.count('[x-1] run') == 3
    assert launched.lines.count('[y-2] run') == 1


def test_shutdown_ends_the_wait_for_a_respawn(start):
    launched = start(
        "return LaunchDescription([py('print(1)', name='x', respawn=True, respawn_delay=1000.0)])"
    )
    launched.wait_for('process has finished cleanly')
    launched.signal(signal.SIGINT)
    assert launched.wait() == 0
    assert launched.text.count('process started') == 1


def test_timers_fire_in_order_and_do_not_hold_up_the_shutdown(run):
    code, launched = run(
        """
        return LaunchDescription([
            TimerAction(period=0.6, actions=[say('late'), Shutdown()]),
            TimerAction(period=LaunchConfiguration('p', default='0.1'), actions=[say('early')]),
            TimerAction(period=1000.0, actions=[say('never')]),
            ExecuteProcess(cmd=['sleep', '1000'])])
        """
    )
    assert (code, launched.said()) == (0, ['early', 'late'])


def test_an_exception_ends_everything_that_was_started_and_fails(run):
    code, launched = run(
        """
        def fail(context):
            raise RuntimeError('on purpose')
        return LaunchDescription([
            ExecuteProcess(cmd=['sleep', '1000']),
            TimerAction(period=0.5, actions=[OpaqueFunction(function=fail)])])
        """
    )
    assert code == 1
    assert 'Caught exception in launch (see debug for traceback): on purpose' in launched.text
    assert launched.survivors() == []


def test_sigint_to_the_launch_alone_is_passed_on_without_a_terminal(start):
    launched = start("return LaunchDescription([stubborn('SIGINT')])", header=HEADER)
    launched.wait_for('ready')
    launched.signal(signal.SIGINT)
    assert launched.wait() == 0
    assert launched.text.count('got SIGINT') == 1
    assert 'user interrupted with ctrl-c (SIGINT)' in launched.text
    assert launched.survivors() == []


def test_ctrl_c_in_a_terminal_reaches_each_process_once(start):
    launched = start(
        "return LaunchDescription([stubborn('SIGINT'), stubborn('SIGINT')])",
        mode='interactive',
        header=HEADER,
    )
    launched.wait_for('ready', count=2)
    launched.signal(signal.SIGINT, group=True)
    assert launched.wait() == 0
    assert launched.text.count('got SIGINT') == 2
    assert "sending signal 'SIGINT'" not in launched.text
    assert launched.survivors() == []


def test_a_second_ctrl_c_is_ignored(start):
    launched = start(
        "return LaunchDescription([stubborn('SIGTERM', sigterm_timeout='2')])", header=HEADER
    )
    launched.wait_for('ready')
    launched.signal(signal.SIGINT)
    launched.wait_for('got SIGINT')
    launched.signal(signal.SIGINT)
    launched.wait_for('again, ignoring...')
    assert launched.wait() == 0
    assert launched.text.count('got SIGINT') == 1


def test_what_does_not_end_on_sigint_gets_sigterm_then_sigkill_all_at_the_same_time(start):
    launched = start(
        """
        quick = dict(sigterm_timeout='1', sigkill_timeout=LaunchConfiguration('k', default='1'))
        return LaunchDescription([
            stubborn(name='a', **quick), stubborn(name='b', respawn=True, **quick),
            stubborn('SIGTERM', name='c', **quick)])
        """,
        header=HEADER,
    )
    launched.wait_for('ready', count=3)
    launched.signal(signal.SIGINT)
    assert launched.wait() == 0
    for name, received in {'a-1': 'SIGKILL', 'b-2': 'SIGKILL', 'c-3': 'SIGTERM'}.items():
        assert f"sending signal '{received}' to process[{name}]" in launched.text
    assert "sending signal 'SIGKILL' to process[c-3]" not in launched.text
    # Each rung is reached by all before any reaches the next.
    assert launched.text.rindex("'SIGTERM' to process") < launched.text.index(
        "'SIGKILL' to process"
    )
    assert launched.text.count('process started') == 3
    assert launched.survivors() == []


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGQUIT])
def test_sigterm_to_the_launch_ends_every_process_in_order(start, number):
    if not IS_STAND_IN:
        pytest.skip('the real package leaves its processes behind')
    launched = start("return LaunchDescription([stubborn('SIGINT')])", header=HEADER)
    launched.wait_for('ready')
    launched.signal(number)
    assert launched.wait() == 1
    assert 'got SIGINT' in launched.text
    assert 'process has finished cleanly' in launched.text
    assert launched.survivors() == []


def test_a_second_sigterm_kills_at_once(start):
    if not IS_STAND_IN:
        pytest.skip('the real package leaves its processes behind')
    launched = start("return LaunchDescription([stubborn(sigterm_timeout='1000')])", header=HEADER)
    launched.wait_for('ready')
    launched.signal(signal.SIGTERM)
    launched.wait_for('got SIGINT')
    launched.signal(signal.SIGTERM)
    assert launched.wait() == 1
    assert launched.survivors() == []


def test_a_grandchild_that_keeps_the_pipe_open_does_not_hold_up_the_launch(run):
    code, launched = run(
        """
        return LaunchDescription([ExecuteProcess(
            cmd=['sh', '-c', 'echo said; sleep 1000 &'], output='screen', name='x')])
        """
    )
    assert code == 0, launched.text
    assert '[x-1] said' in launched.lines


def test_much_output_arrives_complete_also_from_a_process_that_is_killed(start):
    launched = start(
        """
        code = ('import os, signal\\n'
                'for i in range(20000): print(i)\\n'
                'os.kill(os.getpid(), signal.SIGKILL)\\n')
        return LaunchDescription([py(code, name='x')])
        """
    )
    assert launched.wait() == 0
    numbers = [line.removeprefix('[x-1] ') for line in launched.lines if line[:6] == '[x-1] ']
    assert numbers == [str(i) for i in range(20000)]
    assert 'exit code -9' in launched.text

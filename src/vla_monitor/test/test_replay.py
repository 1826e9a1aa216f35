# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`replay` on a session of the real filter and supervisor: exact, and differences are found."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from synthetic import recording, stamp

from vla_common import topics
from vla_common.cdr import uint8_array
from vla_common.errors import ConfigError
from vla_common.parameter_files import load_node_parameters
from vla_common.states import Behaviour, Mode
from vla_monitor.recording.settings import Received
from vla_monitor.replay.command import command
from vla_robot import load_robot
from vla_safety.filter_runtime import create_runtime
from vla_safety.input_log import InputLog
from vla_safety.supervisor_command import SupervisorCommand
from vla_supervisor.core import Supervisor
from vla_supervisor.decision import DriverReport, OperatorStep, SupervisorInputs
from vla_supervisor.decision_log import DecisionLog
from vla_supervisor.settings import settings

CONFIG = Path(__file__).resolve().parents[3] / 'config'
S = 10**9
PADDING = b'', b'\0', b'\0\0', b'\0\0\0'
TICKS, RUNS_AT, STOPS_AT = 400, 120, 330
STANDING = DriverReport(Behaviour.HOLD, True, True, True, 0.01)
MOVING = DriverReport(Behaviour.STAND, False, False, False, 0.5)


def supervisor_decisions(core, log, i, now):
    """The decision of tick i: start, then a stop after which the joints do not rest."""
    fine = SupervisorInputs(nodes_active=True, driver=STANDING, policy_ready=True)
    if i >= STOPS_AT:
        return core.update(now, replace(fine, driver=MOVING))
    steps = {RUNS_AT: OperatorStep.START}
    if i == STOPS_AT - 1:
        return core.request(now, OperatorStep.SAFE_STOP, fine)[0]
    return core.request(now, steps[i], fine)[0] if i in steps else core.update(now, fine)


def filter_tick(robot, runtime, log, decision, i, now, now_ns, q):
    """One tick of the filter under this decision; the joints are where the command is."""
    order = SupervisorCommand(decision.mode, decision.motion_epoch, 1.0, now_ns, i + 1)
    log.supervisor(order, now)
    runtime.on_supervisor(order, now)
    for reference, readings in ((False, runtime.measured), (True, runtime.reference)):
        reading = q, np.zeros(robot.n), now_ns, now, now_ns
        log.joints(reference, *reading)
        readings.update(*reading)
    if decision.mode is Mode.RUNNING and i % 20 == 0:
        times = 0.1 * np.arange(1.0, 11.0)
        names = ['left_elbow', 'right_shoulder_pitch']
        index = [robot.joint_names.index(name) for name in names]
        positions = q[index] + np.linspace(0.05, 0.5, 10)[:, None] * [-1.0, -1.0]
        chunk = names, times, positions, None, now_ns, 0.0, now
        log.chunk(*chunk)
        runtime.on_chunk(*chunk)
    report = runtime.tick(now)
    log.tick(now, now_ns, report)
    return report


@pytest.fixture(scope='module')
def recorded(tmp_path_factory):
    """A session of 4 s: the real classes with the shipped parameters, recorded."""
    folder = tmp_path_factory.mktemp('replay')
    robot = load_robot('humanoid32')
    log, decisions = InputLog(robot.n), DecisionLog()
    parameters = load_node_parameters('vla_safety', 'safety_filter', CONFIG / 'safety_filter.yaml')
    runtime = create_runtime(robot, parameters, log.clock)
    log.enabled = True
    runtime.restart()
    log.restart()
    found = load_node_parameters('vla_supervisor', 'supervisor', CONFIG / 'supervisor.yaml')
    core = Supervisor(settings(found, robot.stops, 'test').core, decisions)
    decisions.take(core, enabled=True)
    made = recording(folder)
    made._configuration = CONFIG
    names, q = list(robot.joint_names), np.array(robot.poses['standing'])
    messages = []
    for i in range(TICKS):
        now, now_ns = 100.0 + 0.01 * i, made.start_ns + i * S // 100
        # A supervisor's tick is longer: its stop takes seconds.
        decision = supervisor_decisions(core, decisions, i, 100.0 + 0.1 * i)
        report = filter_tick(robot, runtime, log, decision, i, now, now_ns, q)
        command_ = report.command
        q = command_.position if decision.mode is Mode.RUNNING else q
        message = JointState(
            name=names,
            position=command_.position.tolist(),
            velocity=command_.velocity.tolist(),
            effort=command_.effort.tolist(),
        )
        message.header.stamp = stamp(now_ns)
        messages.append((topics.JOINT_COMMAND, serialize_message(message), now_ns))
        if log.due:
            messages.append(
                (topics.TICK_LOG, uint8_array(log.take()) + PADDING[i // 10 % 4], now_ns)
            )
        if i % 50 == 49:
            text = String(data=decisions.take(core, enabled=True))
            messages.append((topics.DECISION_LOG, serialize_message(text), now_ns))
    assert core.mode is Mode.ESTOP
    made.put(Received(topic.name, data, at, at) for topic, data, at in messages)
    while made.folder is None:
        time.sleep(0.01)
    made.end()
    assert made.finished(60.0)
    return made.folder


@pytest.fixture
def session(recorded, tmp_path):
    folder = tmp_path / 'session'
    shutil.copytree(recorded, folder)
    shutil.copytree(CONFIG, folder / 'configuration', dirs_exist_ok=True)
    return folder


def test_with_the_same_code_every_command_and_decision_is_the_recorded_one(session, capsys):
    assert command([str(session), '--json']) == 0
    result = json.loads(capsys.readouterr().out)
    assert result['filter'] == {
        'ticks_replayed': TICKS, 'ticks_skipped': 0, 'differences': 0, 'gaps': 0,
        'first_difference': None,
    }  # fmt: skip
    assert result['supervisor']['decisions_replayed'] == TICKS
    assert result['supervisor']['differences'] == 0
    assert result['supervisor']['mode_changes'] == 3  # armed by auto_arm; RUNNING, SAFE_STOP, ESTOP


def test_a_changed_parameter_is_shown_where_it_first_matters(session, tmp_path, capsys):
    changed = tmp_path / 'changed.yaml'
    changed.write_text(
        'safety_filter:\n  ros__parameters: {limits.acceleration_fraction: 0.05}\n'
        'supervisor:\n  ros__parameters: {safe_stop.rest_within: 5.0}\n'
    )
    assert command([str(session), '--json', '--params', str(changed)]) == 1
    result = json.loads(capsys.readouterr().out)
    first = result['filter']['first_difference']
    assert first['joint'] in ('left_elbow', 'right_shoulder_pitch')
    assert first['quantity'] == 'position'
    assert 0.01 * RUNS_AT <= first['t'] < 0.01 * RUNS_AT + 0.1
    assert first['recorded'] != first['replayed']
    decided = result['supervisor']['first_difference']
    assert decided['recorded']['mode'] == 'SAFE_STOP'
    assert decided['replayed']['mode'] == 'ESTOP'
    assert command([str(session), '--params', str(changed)]) == 1
    shown = capsys.readouterr().out
    assert f'first different command at {first["t"]:.3f} s: {first["joint"]} position' in shown
    assert 'mode SAFE_STOP' in shown


def test_a_bad_parameter_and_a_session_without_logs_end_in_one_error(session, tmp_path):
    changed = tmp_path / 'changed.yaml'
    changed.write_text('safety_filter:\n  ros__parameters: {limits.effort_fraction: 7.0}\n')
    with pytest.raises(ConfigError, match=r'limits\.effort_fraction'):
        command([str(session), '--params', str(changed)])
    for path in session.glob('*.mcap'):
        path.unlink()
    with pytest.raises(ConfigError, match=r'/safety/tick_log: found no messages'):
        command([str(session)])

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Recordings whose writer was killed: at most the open chunk is lost."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore
from synthetic import recording, run_of

from vla_common.errors import ConfigError
from vla_monitor import recover_command
from vla_monitor.recording.bag_reader import BagReader
from vla_monitor.recording.json_lines import read_lines
from vla_monitor.recording.recording import FLUSH_PERIOD
from vla_monitor.recording.recover import recover

KILLS = int(os.environ.get('VLA_RECORDER_KILLS', '6'))
WRITER = Path(__file__).with_name('writer_process.py')


def killed(folder, seconds):
    """A session whose writer was killed after `seconds` of recording; and the time of that, ns."""
    process = subprocess.Popen([sys.executable, WRITER, folder], stdout=subprocess.PIPE, text=True)
    try:
        process.stdout.readline()
        assert process.stdout.readline(), 'messages are recorded'
        time.sleep(seconds)
    finally:
        process.send_signal(signal.SIGKILL)
        at = time.time_ns()
        process.wait()
        process.stdout.close()
    (session,) = folder.iterdir()
    return session, at


@pytest.mark.parametrize('number', range(KILLS))
def test_killed_at_any_time_at_most_the_open_chunk_is_lost(tmp_path, number):
    session, at = killed(tmp_path, random.Random(number).uniform(0.0, 4.0))
    done = recover(session)
    assert not done.problems
    start_ns = json.loads((session / 'session.json').read_text())['start_ns']
    # Not their bytes: rclpy's serializer does not initialize padding.
    messages = [(m.topic, m.log_ns, len(m.content)) for m in BagReader(session).messages()]
    seconds = 1e-9 * (at - start_ns)
    sent = [(m.topic, m.log_ns, len(m.content)) for m in run_of(start_ns, seconds)]
    assert messages == sent[: len(messages)], 'a message is missing or changed'
    last_ns = start_ns  # a writer that was killed in its first second has written nothing yet
    if messages:
        with AnyReader([session], default_typestore=get_typestore(Stores.ROS2_JAZZY)) as reader:
            assert reader.message_count == len(messages)
            last_ns = reader.end_time
    # Of the writer's own lateness on a busy machine nothing is known here: ten times.
    assert 1e-9 * (at - last_ns) < 10 * FLUSH_PERIOD
    again = recover(session)
    assert again.nothing_to_do
    summary = json.loads((session / 'summary.json').read_text())
    assert (summary['complete'], summary['recovered']) == (False, True)


def test_recovered_events_and_steps_are_those_of_the_recorder(tmp_path):
    made = recording(tmp_path, images='bag')
    made.put(run_of(made.start_ns))
    made.end()
    assert made.finished(60.0)
    names = ('events.jsonl', 'steps.jsonl')
    before = {name: read_lines(made.folder / name)[0] for name in names}
    summary = json.loads((made.folder / 'summary.json').read_text())
    (made.folder / 'summary.json').unlink()
    (made.folder / 'steps.jsonl').write_text('{"t": 1.0, "chu')
    bag = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in made.folder.glob('*.mcap')}
    done = recover(made.folder)
    assert not done.files
    assert bag == {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in bag}, 'a good file is kept'
    for name in names:
        by_time = sorted(before[name], key=lambda line: line['t'])
        assert sorted(read_lines(made.folder / name)[0], key=lambda line: line['t']) == by_time
    recovered = json.loads((made.folder / 'summary.json').read_text())
    for key in ('modes', 'instructions', 'violations', 'latencies', 'stops', 'interventions'):
        assert recovered[key] == summary[key], key


def test_a_complete_session_is_not_touched(tmp_path, capsys):
    made = recording(tmp_path)
    made.put(run_of(made.start_ns, 1.0))
    made.end()
    assert made.finished(60.0)
    files = {p: p.read_bytes() for p in made.folder.rglob('*') if p.is_file()}
    assert recover_command.command([str(made.folder)]) == 0
    assert 'complete, nothing to do' in capsys.readouterr().out
    assert files == {p: p.read_bytes() for p in made.folder.rglob('*') if p.is_file()}


def test_a_session_that_is_being_recorded_is_refused(tmp_path):
    made = recording(tmp_path)
    made.put(run_of(made.start_ns, 1.0))
    while made.folder is None:
        time.sleep(0.01)
    try:
        with pytest.raises(ConfigError, match='being recorded'):
            recover(made.folder)
    finally:
        made.end()
        assert made.finished(60.0)


def test_another_folder_and_a_newer_session_are_refused_in_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r'no session, wanted the directory of a session'):
        recover(tmp_path)
    with pytest.raises(ConfigError, match='no directory'):
        recover(tmp_path / 'missing')
    (tmp_path / 'session.json').write_text('{"version": 2}')
    with pytest.raises(ConfigError, match='version: found version 2, wanted 1 or earlier'):
        recover(tmp_path)


def test_what_is_no_recording_is_reported_and_the_rest_recovered(tmp_path, capsys):
    made = recording(tmp_path)
    made.put(run_of(made.start_ns, 1.0))
    made.end()
    assert made.finished(60.0)
    (made.folder / 'x_9.mcap.active').write_bytes(b'nothing of the kind')
    assert recover_command.command([str(made.folder)]) == 1
    assert 'found no MCAP header' in capsys.readouterr().err

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A session on disk; disks that are full, slow or read-only; who calls never waits."""

import json
import os
import subprocess
import threading
import time

import pytest
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore
from synthetic import MARKUP, recording, run_of

from vla_common import topics
from vla_common.testing import wait_until
from vla_monitor.recording import recording as recording_module
from vla_monitor.recording.bag_reader import BagReader
from vla_monitor.recording.json_lines import read_lines
from vla_monitor.recording.recover import recover


@pytest.fixture
def tmpfs(tmp_path):
    """A disk of 2 MB of its own."""
    folder = tmp_path / 'disk'
    folder.mkdir()
    command = ['mount', '-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True).returncode:
        pytest.skip('no permission to mount a tmpfs')
    yield folder
    subprocess.run(['umount', '-l', str(folder)], check=True)


def ended(made):
    made.end()
    assert made.finished(60.0)
    return made.folder


def test_a_session_has_the_bag_events_steps_video_and_summary(tmp_path):
    made = recording(tmp_path)
    messages = list(run_of(made.start_ns))
    for i in range(0, len(messages), 100):
        made.put(messages[i : i + 100])
    folder = ended(made)
    read = [(m.topic, m.content) for m in BagReader(folder).messages()]
    assert read == [(m.topic, m.content) for m in messages]

    summary = json.loads((folder / 'summary.json').read_text())
    assert summary['complete'] is True
    assert summary['duration'] == pytest.approx(19.99)
    assert summary['instructions'] == {
        'begun': 2, 'finished': 2, 'successes': 1, 'success_rate': 0.5,
        'failures': {'stopped: ESTOP': 1},
    }  # fmt: skip
    assert summary['modes'] == pytest.approx({'READY': 4.0, 'RUNNING': 11.0, 'ESTOP': 4.99})
    assert summary['stops'] == [{'t': 15.0, 'mode': 'ESTOP', 'causes': ['estop_request']}]
    assert summary['interventions'] == 100
    assert summary['violations']['position']['episodes'] == 1
    assert summary['violations']['position']['ticks'] == 100
    assert summary['latencies']['policy_call_ms'] == pytest.approx(
        {'mean': 30.0, 'p50': 30.0, 'p95': 30.0, 'max': 30.0, 'n': 110}, rel=0.01
    )
    assert summary['lowest_balance_margin'] == pytest.approx(0.01)
    assert summary['recorder']['dropped'] == 0
    assert summary['recorder']['unreadable'] == {}
    assert set(summary['recorder']['videos']) == {topics.COLOR_IMAGE.name}
    assert summary['recorder']['videos'][topics.COLOR_IMAGE.name]['error'] == ''

    events, torn = read_lines(folder / 'events.jsonl')
    assert not torn
    kinds = {event['event'] for event in events}
    assert kinds >= {'mode', 'cause', 'instruction', 'instruction_finished', 'violation'}
    (violation,) = [e for e in events if e['event'] == 'violation']
    assert (violation['subject'], violation['value'], violation['limit'], violation['t']) == (
        'right_elbow', 1.05, 1.0, 4.0,
    )  # fmt: skip
    assert [e['instruction'] for e in events if e['event'] == 'instruction'] == ['reach', MARKUP]

    steps, _ = read_lines(folder / 'steps.jsonl')
    assert len(steps) == summary['steps'] == 110
    first = steps[0]
    assert first['tracked'] is True
    assert first['joints'] == ['left_elbow', 'right_elbow']
    assert first['proposed'] == pytest.approx([0.1, 0.99])  # the chunk at 0.1 s, its first point
    assert first['safe'][0] == pytest.approx(first['state'][0] + 0.01)
    assert first['instruction'] in ('', 'reach')
    assert first['latencies_ms']['policy_call'] == 30.0
    assert first['latencies_ms']['observation_to_track'] == pytest.approx(50.0)
    description = json.loads((folder / 'session.json').read_text())
    assert description['start_ns'] == made.start_ns
    assert not list(folder.glob('.*')) and not list(folder.glob('*.active'))


def test_the_video_shows_each_image_at_its_time(tmp_path):
    import cv2

    made = recording(tmp_path, images='video')
    images = [m for m in run_of(made.start_ns, 6.0) if m.topic == topics.COLOR_IMAGE.name]
    put = []
    for message in images:  # a camera that pauses for a second
        if not 2.0 < 1e-9 * (message.log_ns - made.start_ns) < 3.0:
            made.put([message])
            put.append(message)
            wait_until(lambda: sum(v.frames for v in made._videos.values()) == len(put))
    folder = ended(made)
    assert sum(1 for _ in BagReader(folder).messages()) == 0
    lines, _ = read_lines(folder / 'video' / 'camera_color_image_raw.jsonl')
    capture = cv2.VideoCapture(str(folder / 'video' / 'camera_color_image_raw.mkv'))
    shown = []
    while capture.grab():
        at = 1e-3 * capture.get(cv2.CAP_PROP_POS_MSEC)
        shown.append((at, capture.retrieve()[1].mean()))
    assert len(lines) == 51
    assert len(shown) == lines[-1]['frame'] + 1
    for line in lines:
        at, level = shown[line['frame']]
        assert at == pytest.approx(line['at'], abs=0.02)
        assert at == pytest.approx(1e-9 * (line['log_ns'] - made.start_ns), abs=0.05)
        assert level == pytest.approx(40 + (line['log_ns'] // 10**8) % 200, abs=6)


def test_a_full_disk_ends_the_writing_not_the_recorder_and_what_is_there_can_be_read(tmpfs):
    lines = []
    made = recording(tmpfs, lines, images='none', compression='none')
    messages = list(run_of(made.start_ns, 60.0, image=False))
    slowest = 0.0
    for i in range(0, len(messages), 100):
        begin = time.perf_counter()
        made.put(messages[i : i + 100])
        slowest = max(slowest, time.perf_counter() - begin)
        time.sleep(0.001)
    wait_until(lambda: 'No space' in made.problem or 'free' in made.problem)
    assert any('not recording: ' in line for line in lines)
    folder = ended(made)
    with AnyReader([folder], default_typestore=get_typestore(Stores.ROS2_JAZZY)) as reader:
        assert sum(1 for _ in reader.messages()) == reader.message_count
    kept = sum(1 for _ in BagReader(folder).messages())
    assert 1000 < kept < len(messages)
    summary = json.loads((folder / 'summary.json').read_text())
    assert summary['recorder']['interruptions'][0]['reason']
    recorder = summary['recorder']
    assert kept + recorder['dropped'] + recorder['lost_in_open_chunks'] == len(messages)
    assert slowest < 1.0, 'the caller waited for the disk'
    assert recover(folder).nothing_to_do


def test_recording_continues_when_there_is_room_again(tmpfs, monkeypatch):
    monkeypatch.setattr(recording_module, 'RETRY_PERIOD', 0.2)
    filler = tmpfs / 'filler'
    filler.write_bytes(bytes(1_900_000))
    made = recording(tmpfs, images='none', compression='none')
    messages = list(run_of(made.start_ns, 20.0, image=False))
    half = len(messages) // 2
    made.put(messages[:half])
    wait_until(lambda: bool(made.problem) and made.counts.dropped.total() > 0)
    wait_until(lambda: made.counts.received.total() == half)
    filler.unlink()
    wait_until(lambda: not made.problem)
    made.put(messages[half : half + 500])
    folder = ended(made)
    read = [(m.topic, m.content) for m in BagReader(folder).messages()]
    assert read[-500:] == [(m.topic, m.content) for m in messages[half : half + 500]]
    gaps = json.loads((folder / 'summary.json').read_text())['recorder']['interruptions']
    assert all(gap['end'] >= gap['t'] for gap in gaps)


def test_a_folder_that_cannot_be_written_is_reported_and_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(recording_module, 'RETRY_PERIOD', 0.1)
    place = tmp_path / 'sessions'
    place.write_text('a file, where the folder should be')
    made = recording(place / 'below')
    messages = list(run_of(made.start_ns, 2.0, image=False))
    made.put(messages)
    wait_until(lambda: made.counts.dropped.total() == len(messages))
    assert made.problem not in ('', 'not begun')
    place.unlink()
    wait_until(lambda: not made.problem)
    made.put(messages)
    folder = ended(made)
    assert sum(1 for _ in BagReader(folder).messages()) == len(messages)
    summary = json.loads((folder / 'summary.json').read_text())
    assert len(summary['recorder']['interruptions']) == 1
    assert summary['recorder']['dropped'] == len(messages)


def test_a_disk_that_hangs_drops_messages_and_nobody_waits(tmp_path, monkeypatch):
    hang = threading.Event()
    write = os.write

    def slow(descriptor, data):
        if len(data) > 20_000:
            hang.wait(60.0)
        return write(descriptor, data)

    monkeypatch.setattr(os, 'write', slow)
    made = recording(tmp_path, images='none', compression='none', queue=1_000_000)
    slowest, count = 0.0, 0
    for message in run_of(made.start_ns, 60.0, image=False):
        begin = time.perf_counter()
        made.put([message])
        slowest = max(slowest, time.perf_counter() - begin)
        count += 1
    assert made.counts.dropped.total() > 0
    assert slowest < 1.0
    hang.set()
    folder = ended(made)
    kept = sum(1 for _ in BagReader(folder).messages())
    assert 0 < kept == count - made.counts.dropped.total()


def test_two_recorders_in_one_folder_have_a_session_each(tmp_path):
    made = [recording(tmp_path) for _ in range(2)]
    for one in made:
        one.put(run_of(one.start_ns, 1.0))
    folders = {ended(one) for one in made}
    assert len(folders) == 2
    counts = [sum(1 for _ in BagReader(folder).messages()) for folder in folders]
    assert counts[0] == counts[1] > 0


def test_above_the_budget_old_sessions_go_and_then_files_without_an_incident(tmp_path, monkeypatch):
    monkeypatch.setattr(recording_module, 'SIZE_PERIOD', 0.0)
    monkeypatch.setattr(recording_module, 'FLUSH_PERIOD', 0.02)
    monkeypatch.setattr(recording_module, 'BEFORE_INCIDENT', 1.0)
    kept, old = tmp_path / '2020-01-01_00-00-00', tmp_path / '2020-01-02_00-00-00'
    for folder in (kept, old):
        folder.mkdir()
        (folder / 'session.json').write_text('{"version": 1}')
        (folder / 'data').write_bytes(bytes(100_000))
    (kept / 'keep').touch()
    foreign = tmp_path / 'photos'
    foreign.mkdir()
    made = recording(tmp_path, images='none', compression='none', split_time=2.0, budget=3_000_000)
    for message in run_of(made.start_ns, 40.0, image=False):
        made.put([message])
        if message.topic == topics.HARDWARE_STATUS.name:
            time.sleep(0.0005)
    folder = ended(made)
    assert kept.is_dir() and foreign.is_dir()
    assert not old.exists()
    assert made.removed[0] == old.name
    sizes = sum(path.stat().st_size for path in folder.iterdir() if path.suffix == '.mcap')
    assert sizes < 3_500_000
    with AnyReader([folder], default_typestore=get_typestore(Stores.ROS2_JAZZY)) as reader:
        times = [1e-9 * (at - made.start_ns) for _, at, _ in reader.messages()]
    assert any(14.5 < t < 15.5 for t in times), 'the e-stop at 15 s is kept'
    assert not any(1.0 < t < 12.0 for t in times)
    assert max(times) == pytest.approx(39.99, abs=0.1)

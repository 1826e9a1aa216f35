# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`export`: recorded sessions as a dataset, whole and damaged ones."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState
from synthetic import JOINTS, MARKUP, S, recording, run_of

from vla_common import topics
from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_models.dataset import DatasetLayout, EpisodeWriter, open_dataset
from vla_models.dataset.columns import to_numpy
from vla_models.testing import doctor_passes
from vla_monitor.export import command
from vla_monitor.recording import session, video

TABLE = 'data/chunk-000/file-000.parquet'
EPISODES = 'meta/episodes/chunk-000/file-000.parquet'


def session_of(folder, seconds=20.0, change=lambda message, t: message, **given):
    """A session of `run_of`. change(message, t): another message, or None for none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(video, 'WAITING', 10_000)
        made = recording(folder, **given)
        begin = made.start_ns
        changed = (change(m, (m.log_ns - begin) / S) for m in run_of(begin, seconds))
        messages = [message for message in changed if message is not None]
        for i in range(0, len(messages), 200):
            made.put(messages[i : i + 200])
        made.end()
        assert made.finished(120.0)
    return made.folder


@pytest.fixture(scope='module')
def recorded(tmp_path_factory):
    """An instruction that was carried out, one that an e-stop ended; 20 s."""
    return session_of(tmp_path_factory.mktemp('sessions'))


@pytest.fixture(scope='module')
def dataset(tmp_path_factory, recorded):
    target = tmp_path_factory.mktemp('datasets') / 'made'
    assert command.command([str(recorded), '--dataset', str(target)]) == 0
    return target


def column(directory, name):
    return to_numpy(pq.read_table(directory / TABLE)[name])


def test_an_instruction_is_an_episode_with_what_was_known_and_commanded(dataset):
    r"""
    instruction   |2.0  reach            8.0|      |10.0  <script>  15.0| e-stop
    frames         0 1 2 …              59          60 61 …       109
    """
    rows = pq.read_table(dataset / EPISODES).to_pylist()
    assert [row['tasks'] for row in rows] == [['reach'], [MARKUP]]
    assert [row['length'] for row in rows] == [60, 50]
    assert [row['result'] for row in rows] == ['done', 'stopped: ESTOP']
    t = column(dataset, 'recorded_time')
    assert t[0] == pytest.approx(2.0, abs=1e-3) and t[60] == pytest.approx(10.0, abs=1e-3)
    state, action = column(dataset, 'observation.state'), column(dataset, 'action')
    assert np.allclose(state[:, 0], 0.5 * np.sin(t), atol=0.006)
    assert np.allclose(action[:, 0], 0.5 * np.sin(t + 0.1) + 0.01, atol=0.006)
    assert np.allclose(column(dataset, 'proposed_action')[:40], [0.1, 0.99], atol=1e-6)
    assert column(dataset, 'proposed_action_known')[:59].all()
    counts = column(dataset, 'interventions')
    assert counts.sum() == 100 and not counts[:19].any() and (counts[21:29] == 10).all()
    assert (column(dataset, 'success') == (np.arange(110) < 60)).all()
    assert np.flatnonzero(column(dataset, 'next.done')).tolist() == [59, 109]
    assert not column(dataset, 'next.truncated').any()
    assert (np.abs(column(dataset, 'image_age.head')) < 0.2).all()


def test_times_are_exact_no_value_is_nan_and_each_column_has_statistics(dataset):
    info = json.loads((dataset / 'meta/info.json').read_text())
    stats = json.loads((dataset / 'meta/stats.json').read_text())
    assert set(stats) == set(info['features'])
    exact = (np.array([*range(60), *range(50)]) / info['fps']).astype(np.float32)
    assert np.array_equal(column(dataset, 'timestamp'), exact)
    for name, feature in info['features'].items():
        if feature['dtype'] != 'image':
            values = column(dataset, name)
            assert np.isfinite(values).all(), name
            assert np.allclose(stats[name]['mean'], values.mean(0), atol=1e-5), name
    assert info['total_tasks'] == 2


def test_our_reader_and_lerobot_doctor_take_it(dataset):
    frames = open_dataset(dataset, image_size=32)
    assert frames.layout.state_joints == tuple(JOINTS) and len(frames) == 110
    # The brightness of the synthetic image follows the time.
    brightness = frames.image.reshape(110, -1).mean(1)
    assert np.allclose(np.diff(brightness[:60]), 1.0, atol=1.01)
    doctor_passes(dataset)


def test_sessions_are_added_once_and_earlier_files_stay(dataset, recorded, tmp_path, capsys):
    target = tmp_path / 'copy'
    shutil.copytree(dataset, target)
    before = (target / TABLE).stat().st_mtime_ns
    other = session_of(tmp_path / 'sessions', 9.0)
    assert command.command([str(recorded), str(other), '--dataset', str(target), '--json']) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result['episodes'], result['already'], result['total']) == (1, 2, 3)
    assert (target / TABLE).stat().st_mtime_ns == before
    assert len(open_dataset(target)) == 170
    assert command.command([str(other), '--dataset', str(target)]) == 0
    out = capsys.readouterr().out
    assert 'nothing added; 3 episodes in all' in out
    assert '1 instructions were in the dataset already' in out


def test_only_successes(recorded, tmp_path, capsys):
    target = tmp_path / 'made'
    assert command.command([str(recorded), '--dataset', str(target), '--successes']) == 0
    assert 'no success (stopped: ESTOP)' in capsys.readouterr().out
    assert column(target, 'success').all()


def test_a_killed_recording_gives_what_is_whole(recorded, tmp_path):
    folder = tmp_path / 'killed'
    shutil.copytree(recorded, folder)
    (folder / 'summary.json').unlink()
    (bag,) = folder.glob('*.mcap')
    content = bag.read_bytes()
    (folder / f'{bag.name}.active').write_bytes(content[: int(len(content) * 0.65)])
    bag.unlink()
    target = tmp_path / 'made'
    assert command.command([str(folder), '--dataset', str(target)]) == 0
    rows = pq.read_table(target / EPISODES).to_pylist()
    assert [row['result'] for row in rows] == ['done', 'its end was not recorded']
    truncated = column(target, 'next.truncated')
    assert np.flatnonzero(truncated).tolist() == [len(truncated) - 1]


def test_images_come_from_the_video_where_the_bag_has_none(tmp_path):
    folder = session_of(tmp_path / 'sessions', 9.0, images='video')
    target = tmp_path / 'made'
    assert command.command([str(folder), '--dataset', str(target)]) == 0
    brightness = open_dataset(target, image_size=32).image.reshape(60, -1).mean(1)
    assert np.allclose(np.diff(brightness), 1.0, atol=3.0) and np.ptp(brightness) > 50
    (folder / 'video/camera_color_image_raw.mkv').write_bytes(b'')
    other = tmp_path / 'other'
    assert command.command([str(folder), '--dataset', str(other)]) == 2 and not other.exists()


def test_an_episode_with_a_gap_is_left_out_and_the_next_one_is_not(tmp_path, capsys):
    def blind(message, t):
        return None if message.topic == topics.COLOR_IMAGE.name and 4 < t < 6 else message

    folder = session_of(tmp_path / 'sessions', change=blind)
    target = tmp_path / 'made'
    assert command.command([str(folder), '--dataset', str(target)]) == 1
    assert '"reach": no images of the camera head for more than 0.5 s, at 4.' in (
        capsys.readouterr().out
    )
    assert open_dataset(target, image_size=32).instructions[0].text == MARKUP


def test_readings_that_are_not_finite_are_left_out_and_reported(tmp_path, capsys):
    def broken(message, t):
        if message.topic != topics.JOINT_STATES.name or not 3.0 < t < 3.2:
            return message
        bad = JointState(name=JOINTS, position=[float('nan'), 0.0])
        return message._replace(content=serialize_message(bad))

    folder = session_of(tmp_path / 'sessions', 9.0, change=broken)
    target = tmp_path / 'made'
    assert command.command([str(folder), '--dataset', str(target)]) == 1
    assert '/joint_states: 19 messages left out' in capsys.readouterr().err
    assert np.isfinite(column(target, 'observation.state')).all()


def test_a_clock_that_was_set_back_leaves_out_the_episode(tmp_path, capsys):
    def back(message, t):
        return message._replace(log_ns=message.log_ns - S) if t > 5.0 else message

    folder = session_of(tmp_path / 'sessions', 9.0, change=back)
    assert command.command([str(folder), '--dataset', str(tmp_path / 'made')]) == 2
    assert 'the clock was set back in it' in capsys.readouterr().out


def refused(capsys, case, *arguments):
    """The refusal of a command; documented."""
    try:
        assert command.command([str(a) for a in arguments]) == 2
        message = capsys.readouterr().err.strip()
    except ConfigError as error:
        message = str(error)
    folders = [a for a in arguments if not str(a).startswith('--') and '/' in str(a)]
    varying = sorted(map(str, folders), key=len, reverse=True)
    documented('Export', case, message, *varying, *(f.name for f in folders if f.name[:2] == '20'))


def test_what_cannot_be_exported_is_one_line(recorded, dataset, tmp_path, capsys):
    target = tmp_path / 'made'
    refused(capsys, 'no session', tmp_path, '--dataset', target)
    refused(capsys, 'a camera that was not recorded', recorded, '--dataset', target,
            '--camera', 'left_wrist')  # fmt: skip
    refused(capsys, 'another rate than that of the dataset', recorded, '--dataset', dataset,
            '--fps', '15')  # fmt: skip
    newer = tmp_path / 'newer'
    shutil.copytree(recorded, newer)
    description = json.loads((newer / 'session.json').read_text())
    (newer / 'session.json').write_text(json.dumps({**description, 'version': 99}))
    refused(capsys, 'a session of a newer version', newer, '--dataset', target)
    mark = session.lock(recorded)
    refused(capsys, 'a session that is being recorded', recorded, '--dataset', target)
    session.unlock(mark)
    idle = session_of(tmp_path / 'idle', 1.5)
    refused(capsys, 'a session without instructions', idle, '--dataset', target)
    none = session_of(tmp_path / 'none', 3.0, images='none')
    refused(capsys, 'a session without images', none, '--dataset', target)
    assert not target.exists()


def test_another_folder_is_not_written_into(recorded, dataset, tmp_path, capsys):
    other = tmp_path / 'other'
    other.mkdir()
    (other / 'thesis.tex').write_text('')
    refused(capsys, 'a folder with other files', recorded, '--dataset', other)
    foreign = tmp_path / 'foreign'
    shutil.copytree(dataset, foreign)
    (foreign / 'meta/vla.json').unlink()
    refused(capsys, 'a dataset that another program wrote', recorded, '--dataset', foreign)
    collected = tmp_path / 'collected'
    EpisodeWriter(collected, DatasetLayout('two', tuple(JOINTS), tuple(JOINTS)))
    refused(capsys, 'a dataset of collect', recorded, '--dataset', collected)
    smaller = tmp_path / 'smaller'
    shutil.copytree(dataset, smaller)
    path = smaller / 'meta/vla.json'
    layout = json.loads(path.read_text())
    layout['cameras'][0]['width'] = 32
    path.write_text(json.dumps(layout))
    refused(capsys, 'images of another size than in the dataset', recorded, '--dataset', smaller)

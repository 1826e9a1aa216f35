# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The report: one file, offline, with what matters first."""

import base64
import shutil
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from synthetic import MARKUP, recording, run_of

from vla_common.errors import ConfigError
from vla_common.states import Level
from vla_monitor.diagnosis.diagnose import diagnose, findings_of
from vla_monitor.recording import video
from vla_monitor.report import command
from vla_monitor.report.load import load_session


@pytest.fixture(scope='module')
def session(tmp_path_factory):
    # 20 s come at once here: what a slow encoder drops then is no matter of the report.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(video, 'WAITING', 10_000)
        made = recording(tmp_path_factory.mktemp('sessions'))
        messages = list(run_of(made.start_ns))
        for i in range(0, len(messages), 200):
            made.put(messages[i : i + 200])
        made.note('machine', cpu_percent=50.0, recorder_cpu_s=0.1)
        made.end()
        assert made.finished(60.0)
    return made.folder


class Page(HTMLParser):
    """Texts, pictures and addresses of a page."""

    def __init__(self, text):
        super().__init__()
        self.texts, self.pictures, self.addresses, self.tags = [], {}, [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.add(tag)
        self.addresses += [given[key] for key in ('src', 'href') if key in given]
        if tag == 'img':
            self.pictures[given['alt']] = given['src']

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope='module')
def page(session):
    assert command.command([str(session)]) == 0
    return Page((session / 'report.html').read_text(encoding='utf-8'))


def test_the_file_needs_no_network_and_runs_nothing(page):
    assert all(address.startswith('data:image/') for address in page.addresses)
    assert 'script' not in page.tags
    assert any(MARKUP in text for text in page.texts), 'the instruction is shown as a text'


def test_it_shows_stop_violation_failure_and_their_pictures(page):
    text = ' '.join(' '.join(page.texts).split())
    assert 'ESTOP out of RUNNING: estop_request: button' in text
    assert 'position right_elbow once, 1.0 s in all; worst 1.05, limit 1' in text
    assert '1 instruction ended with "stopped: ESTOP"' in text
    assert '1 of 2 done (50 %)' in text
    for title in ('Timeline', 'Latencies', 'Joints against their limits', 'Speed scale'):
        kind, content = page.pictures[title].split(',')
        assert kind == 'data:image/png;base64'
        image = cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR)
        assert image.std() > 5.0, f'{title}: an empty picture'
    assert 'camera_color_image_raw at 15.00 s' in page.pictures


def test_the_most_severe_comes_first(session):
    found = findings_of(diagnose(load_session(session)))
    assert [finding.level for finding in found] == sorted(
        (finding.level for finding in found), reverse=True
    )
    assert found[0].level is Level.EMERGENCY
    assert found[0].t == 15.0


def test_joints_are_measured_against_the_limits_of_the_recorded_urdf(session):
    data = load_session(session)
    assert data.limits['left_elbow'].upper == 1.0
    used = data.joints['right_elbow']
    assert (used.lowest, used.highest, used.commanded_highest) == pytest.approx((0.98, 0.98, 0.99))
    assert data.joints['left_elbow'].fastest == pytest.approx(0.5, abs=0.01)


def test_without_bag_video_or_summary_it_shows_what_there_is(session, tmp_path):
    folder = tmp_path / 'session'
    shutil.copytree(session, folder)
    for path in [*folder.glob('*.mcap'), folder / 'summary.json']:
        path.unlink()
    shutil.rmtree(folder / 'video')
    with open(folder / 'events.jsonl', 'a', encoding='utf-8') as file:
        file.write('{"t": 19.0, "ev')
    assert command.command([str(folder), '--out', str(tmp_path / 'out.html')]) == 0
    page = Page((tmp_path / 'out.html').read_text(encoding='utf-8'))
    text = ' '.join(page.texts)
    assert 'summary.json is missing' in text
    assert 'events.jsonl: 1 lines are torn' in text
    assert 'ESTOP out of RUNNING' in text


def test_a_folder_that_is_no_session_is_refused(tmp_path):
    with pytest.raises(ConfigError, match='no session'):
        command.command([str(tmp_path)])

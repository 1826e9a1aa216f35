# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Results are written whole or not at all, and third-party tools are silenced."""

import functools
import json
import logging
import resource
import sys
import time
import warnings

import numpy as np
import pytest
from rich.console import Console

from vla_common.terminal import progress, working
from vla_deploy.atomic_io import as_json, write_whole
from vla_deploy.charts import Bar, draw_bars, new_chart, write_chart
from vla_deploy.silence import silence
from vla_models.parallel import each


def test_json_has_null_where_a_number_is_not_finite():
    content = {'rad': float('inf'), 'rows': [(float('nan'), 1.5)], 'name': 'b'}
    assert json.loads(as_json(content), parse_constant=pytest.fail) == {
        'rad': None,
        'rows': [[None, 1.5]],
        'name': 'b',
    }


def test_a_disk_that_is_full_leaves_the_old_file_and_names_it(tmp_path):
    report, picture = tmp_path / 'report.md', tmp_path / 'times.png'
    write_whole(report, 'old')
    noisy, axes = new_chart(300, 300, 'noise')
    axes.imshow(np.random.default_rng(0).random((99, 99)))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
    try:
        with pytest.raises(OSError, match='report.md'):
            write_whole(report, 'new' * 9000)
        with pytest.raises(OSError, match='times.png'):
            write_chart(picture, noisy)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ['report.md']
    assert report.read_text() == 'old'


def test_a_picture_that_cannot_be_written_is_not_silent(tmp_path):
    with pytest.raises(OSError, match='nowhere'):
        draw_bars(tmp_path / 'nowhere' / 'times.png', 'title', 'ms', [Bar('a', 1.0, 2.0)])


def test_a_tail_beyond_the_picture_is_drawn_as_such(tmp_path):
    for name, tail in (('within', 1.6), ('beyond', 30.0), ('further', 40.0)):
        draw_bars(tmp_path / name, 'title', 'ms', [Bar('a', 1.0, tail)])
    drawn = [(tmp_path / name).read_bytes() for name in ('within', 'beyond', 'further')]
    assert len({*drawn}) == 3


def test_silence_discards_the_output_of_tools_but_passes_exceptions_and_our_bars(capsys):
    def tool() -> None:
        print('on stdout')
        print('on stderr', file=sys.stderr)
        logging.getLogger('a.tool').critical('on the log')
        warnings.warn('a warning', stacklevel=1)
        Console(stderr=True).print('our bar')
        raise ValueError('wrong')

    with pytest.raises(ValueError, match='wrong'), silence(), silence():
        tool()
    assert capsys.readouterr() == ('', 'our bar\n')
    assert logging.root.manager.disable == logging.NOTSET


def test_closing_the_results_of_several_processes_does_not_wait_for_their_work():
    began = time.monotonic()
    answers = each(functools.partial, (time.sleep,), [0.0, 600.0, 601.0, 602.0], 2)
    assert next(answers) == (0.0, None)
    answers.close()  # as Ctrl-C does
    assert time.monotonic() - began < 300


def test_off_a_terminal_no_bar_of_what_is_passing_is_printed(capsys):
    with working() as log, progress('layers', passing=True) as bar:
        log('quantising')
        bar.add_task('sensitivity', total=None)
    assert capsys.readouterr() == ('', '')

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""docs/refusals.md has a row for every documented refusal, and none that no test produces."""

import pathlib

import pytest

from vla_common.testing_refusals import HEADER, documented, read_rows, unnamed_rows

PAGE = pathlib.Path(__file__).resolve().parents[1] / 'docs' / 'refusals.md'


def test_each_row_is_named_in_its_test_file():
    assert not unnamed_rows(PAGE)


def test_each_row_is_one_line_with_what_was_wanted():
    rows = read_rows(PAGE)
    assert len(rows) >= 60
    assert PAGE.read_text('utf-8').startswith(HEADER)
    assert not [row for row in rows.values() if row.count('|') - row.count('\\|') != 4]


def test_no_row_has_a_folder_of_a_test_run():
    assert not [case for case, row in read_rows(PAGE).items() if 'pytest-' in row]


def test_a_missing_row_and_another_text_fail_the_test_that_sees_them(monkeypatch):
    monkeypatch.delenv('VLA_WRITE_REFUSALS', raising=False)
    for case in ('a case that no page has', 'axis zero'):
        with pytest.raises(AssertionError, match='VLA_WRITE_REFUSALS=1'):
            documented('URDFs', case, 'another text')

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Text and time limit of instructions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_inference.session import LONGEST, LONGEST_TIME, check_time_limit, instruction_text


def test_line_breaks_and_spaces_become_one_space():
    assert instruction_text('  wave\nwith your\t left  hand \r\n') == 'wave with your left hand'
    assert instruction_text(' \n ') == ''
    assert (
        instruction_text('winke mit der linken Hand, 请挥手') == 'winke mit der linken Hand, 请挥手'
    )


@given(st.text(max_size=40))
def test_accepted_text_is_one_printable_line(text):
    try:
        words = instruction_text(text)
    except ValueError:
        return
    assert words.isprintable() and words == words.strip() and len(words) <= LONGEST


@pytest.mark.parametrize(
    ('text', 'message'),
    [('x' * (LONGEST + 1), '1001 characters, wanted at most 1000'), ('wave\x1b[2J', 'printed')],
)
def test_what_is_no_instruction_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        instruction_text(text)


@pytest.mark.parametrize('seconds', [float('nan'), float('inf'), -1.0, 1e300])
def test_a_time_limit_that_never_comes_is_refused(seconds):
    with pytest.raises(ValueError, match='time_limit is .* wanted 0 to 3600'):
        check_time_limit(seconds)
    check_time_limit(0.0)
    check_time_limit(LONGEST_TIME)

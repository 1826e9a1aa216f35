# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The tokenizer: words, typing errors, unknown words, other scripts."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from vla_common.errors import ConfigError
from vla_models.language import Step, misspell, phrase
from vla_models.references import sample_relation
from vla_models.tasks import ALL_TASKS
from vla_models.tokenizer import (
    TOKENS,
    UNKNOWN_ID,
    build_tokenizer,
    count_tokens,
    encode,
    fitting_instruction,
    misspellings,
    vocabulary,
)

TOKENIZER = build_tokenizer()
ABOUT_CUBES = [task for task in ALL_TASKS if task.has_target]


def words_of(text: str) -> list[str]:
    return TOKENIZER.encode(text).tokens


@given(
    st.sampled_from(ABOUT_CUBES), st.sampled_from(ABOUT_CUBES), st.integers(0, 9999), st.booleans()
)
def test_every_instruction_is_known_and_fits_whole(first, second, seed, held_out):
    words = random.Random(seed)
    steps = (Step.plain(first), Step(second, sample_relation(words), named=False))
    for chosen in (steps[:1], steps):
        text = fitting_instruction(chosen, words, held_out=held_out)
        ids = TOKENIZER.encode(text).ids
        assert len(ids) == count_tokens(text)
        assert 0 < len(ids) <= TOKENS and UNKNOWN_ID not in ids


def test_the_tokenizer_is_the_same_every_time_and_after_a_file():
    text = TOKENIZER.to_str()
    assert build_tokenizer().to_str() == text
    again = Tokenizer.from_str(text)
    assert again.encode('tuoch the bule cube').ids == TOKENIZER.encode('touch the blue cube').ids


def test_padding_is_zero():
    ids = encode(TOKENIZER, ['wave', ''])
    assert ids.shape == (2, TOKENS)
    assert ids[0, -1] == 0 and ids[0, 0] > 1 and not ids[1].any()


def test_case_and_apostrophes_do_not_matter():
    first, second = encode(TOKENIZER, ['Look at the RED cube', 'look at the red cube'])
    assert (first == second).all()


@pytest.mark.parametrize(
    ('text', 'unknown'),
    [
        ('make me a coffee', [0, 3]),
        ('touch the purple elephant with your nose', [3, 6]),
        ('请用你的右手触摸蓝色的方块', [0]),
        ('paint the red cube', [0]),
        ('touch the red cube, Roboter', [5]),
        ('torch the red cube', [0]),
    ],
)
def test_a_word_that_is_not_known_is_one_unknown_token(text, unknown):
    ids = TOKENIZER.encode(text).ids
    assert [i for i, token in enumerate(ids) if token == UNKNOWN_ID] == unknown


def test_a_typing_error_is_its_word_in_most_cases():
    """The others are unknown words: that is the safe side."""
    words, wrong, unknown = random.Random(3), 0, 0
    for number in range(1000):
        text = phrase(ALL_TASKS[number % len(ALL_TASKS)], words)
        typed = misspell(text, words)
        found, wanted = words_of(typed), words_of(text)
        unknown += '[UNK]' in found
        wrong += '[UNK]' not in found and found != wanted
    assert unknown < 60
    assert wrong < 10


def test_no_typing_error_of_a_word_is_another_word():
    known = set(vocabulary())
    for word in ('left', 'right', 'red', 'green', 'blue', 'hand', 'touch', 'point'):
        for wrong in misspellings(word) & known:
            assert words_of(wrong) == [wrong]


def test_an_instruction_that_does_not_fit_is_rejected_and_not_cut():
    long = ' '.join(['look at the red cube'] * 8) + ' with your left hand'
    with pytest.raises(ConfigError) as error:
        encode(TOKENIZER, ['wave', long])
    count = len(TOKENIZER.encode(long).ids)
    assert error.value.key == f'instruction "{long}"' and error.value.found == f'{count} tokens'

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Properties of the instruction grammar and its tokenizer."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_common.errors import ConfigError
from vla_models.language import HELD_OUT, TOKENS, TRAIN, build_tokenizer, encode, phrase
from vla_models.tasks import ALL_TASKS, TaskKind

TOKENIZER = build_tokenizer()


@given(st.sampled_from(ALL_TASKS), st.integers(0, 10_000), st.booleans())
def test_an_instruction_names_the_hand_and_the_colour_of_its_task(task, seed, held_out):
    text = phrase(task, random.Random(seed), held_out=held_out)
    for word in (task.hand, task.colour):
        assert word is None or word in text
    assert 'None' not in text and '{' not in text


def test_held_out_phrasings_are_never_trained_on():
    for kind in TaskKind:
        assert not set(TRAIN[kind]) & set(HELD_OUT[kind])
        assert HELD_OUT[kind]


@given(st.sampled_from(ALL_TASKS), st.integers(0, 10_000), st.booleans())
def test_every_instruction_fits_into_the_tokens_whole(task, seed, held_out):
    text = phrase(task, random.Random(seed), held_out=held_out, typos=0.5)
    assert 0 < len(TOKENIZER.encode(text).ids) <= TOKENS


def test_the_tokenizer_is_the_same_every_time_it_is_built():
    assert build_tokenizer().to_str() == TOKENIZER.to_str()


def test_padding_is_zero_and_letters_of_unknown_words_are_known():
    ids = encode(TOKENIZER, ['wave', 'zyxwvq'])
    assert ids.shape == (2, TOKENS)
    assert ids[0, -1] == 0 and ids[0, 0] > 1
    assert 1 not in ids[1]


def test_words_in_another_case_are_the_same_words():
    first, second = encode(TOKENIZER, ['Look at the RED cube', 'look at the red cube'])
    assert (first == second).all()


def test_an_instruction_that_does_not_fit_is_rejected_and_not_cut():
    long = ' '.join(['look at the red cube'] * 6) + ' with your left hand'
    with pytest.raises(ConfigError) as error:
        encode(TOKENIZER, ['wave', long])
    count = len(TOKENIZER.encode(long).ids)
    assert error.value.key == f'instruction "{long}"' and error.value.found == f'{count} tokens'

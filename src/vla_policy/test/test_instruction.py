# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Instructions reach the model whole, padded as the tokenizer's file says, or they are refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_policy.bundle.bundle import load_bundle
from vla_policy.instruction import InstructionTokenizer
from vla_policy.load import load_policy
from vla_policy.testing.bundles import WORDS, edit, write_bundle, write_policy
from vla_policy.types import InstructionRefused, PolicyError

MODELS = Path(__file__).parents[3] / 'models'


def put(key, value):
    return lambda content: edit(content, {key: value})


def tokenizer(directory, **sections):
    """The tokenizer of a bundle whose tokenizer.json has these sections more."""
    content = write_bundle(directory, put('inputs instruction length', 4))
    path = directory / 'tokenizer.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | sections))
    del content['files']
    write_policy(directory, content, 'model.onnx', 'tokenizer.json')
    bundle = load_bundle(directory)
    return InstructionTokenizer(bundle, bundle.model.inputs.instruction)


def padding(length=None, side='Right', id_=0, multiple=None):
    return {
        'strategy': 'BatchLongest' if length is None else {'Fixed': length},
        'direction': side,
        'pad_to_multiple_of': multiple,
        'pad_id': id_,
        'pad_type_id': 0,
        'pad_token': '[PAD]',
    }


@pytest.mark.parametrize(
    ('given_', 'ids'),
    [
        (None, [2, 3, 0, 0]),
        (padding(4, 'Left', 1), [1, 1, 2, 3]),
        (padding(None, 'Left', 5), [5, 5, 2, 3]),
        (padding(4, 'Right', 1), [2, 3, 1, 1]),
        (padding(3, 'Left', 1, multiple=4), [1, 1, 2, 3]),
        (padding(None, 'Right', 1, multiple=2), [2, 3, 1, 1]),
    ],
)
def test_padding_is_that_of_the_file(tmp_path, given_, ids):
    tokenize = tokenizer(tmp_path, padding=given_)
    assert tokenize('Wave left').tolist() == [ids]
    assert tokenize('wave left right hand').tolist() == [[2, 3, 4, 5]]
    assert tokenize('Wave left').tolist() == [ids]


@pytest.mark.parametrize(
    ('case', 'given_', 'wanted'),
    [
        ('a tokenizer that pads to more tokens', padding(8), '8, to which tokenizer.json pads'),
        ('a tokenizer that pads to fewer tokens', padding(2, 'Left'), '2, to which'),
        ('a tokenizer that pads to a multiple', padding(multiple=8), '8, to which'),
    ],
)
def test_padding_to_another_length_than_the_models_is_rejected_at_configure(
    tmp_path, case, given_, wanted
):
    with pytest.raises(ConfigError) as error:
        tokenizer(tmp_path, padding=given_)
    assert error.value.key == 'inputs.instruction.length' and error.value.found == 4
    assert error.value.wanted.startswith(wanted)
    documented('Instructions', case, error.value, tmp_path)


def test_words_are_padded_unknown_ones_too_and_none_gives_padding_only(tmp_path):
    tokenize = tokenizer(tmp_path)
    assert tokenize('quickly').tolist() == [[1, 0, 0, 0]]
    assert tokenize('').tolist() == [[0, 0, 0, 0]]


def test_an_instruction_that_does_not_fit_is_refused_with_the_part_that_would_be_lost(tmp_path):
    tokenize = tokenizer(tmp_path)
    for call in (tokenize, tokenize.check):
        with pytest.raises(InstructionRefused) as refused:
            call('Wave wave wave wave with the RIGHT hand')
        assert str(refused.value).startswith(
            'the instruction has 8 tokens, the policy takes 4: "with the RIGHT hand" would be lost'
        )
    documented('Instructions', 'more tokens than the policy takes', refused.value)
    assert tokenize('wave wave wave wave').tolist() == [[2, 2, 2, 2]]


def test_truncation_of_the_file_lowers_the_limit_and_never_cuts(tmp_path):
    truncation = {'direction': 'Right', 'max_length': 3, 'strategy': 'LongestFirst', 'stride': 0}
    tokenize = tokenizer(tmp_path, truncation=truncation)
    assert tokenize('wave left hand').tolist() == [[2, 3, 5, 0]]
    with pytest.raises(
        InstructionRefused, match='4 tokens, the policy takes 3: "hand" would be'
    ) as refused:
        tokenize('wave the left hand')
    documented('Instructions', 'more tokens than the tokenizer keeps', refused.value)


def special(*ids):
    """A post-processor that puts [PAD] as an end token behind the words."""
    tokens = {'[PAD]': {'id': '[PAD]', 'ids': [0], 'tokens': ['[PAD]']}}
    single = [{'Sequence': {'id': 'A', 'type_id': 0}}]
    single += [{'SpecialToken': {'id': '[PAD]', 'type_id': 0}} for _ in ids]
    pair = [*single, {'Sequence': {'id': 'B', 'type_id': 1}}]
    return {'type': 'TemplateProcessing', 'single': single, 'pair': pair, 'special_tokens': tokens}


def test_special_tokens_count_and_the_lost_words_are_named_without_them(tmp_path):
    tokenize = tokenizer(tmp_path, post_processor=special(0))
    assert tokenize('wave left hand').tolist() == [[2, 3, 5, 0]]
    with pytest.raises(InstructionRefused, match='5 tokens, the policy takes 4: "hand" would be'):
        tokenize('wave the left hand')
    with pytest.raises(ConfigError, match='a limit of 4 tokens, 4 of them special ones') as error:
        tokenizer(tmp_path / 'full', post_processor=special(0, 0, 0, 0))
    documented('Instructions', 'a tokenizer that leaves no room', error.value, tmp_path)


def test_a_tokenizer_without_a_token_for_unknown_words_is_rejected_at_configure(tmp_path):
    model = {'type': 'WordLevel', 'vocab': {'[PAD]': 0, 'wave': 1}, 'unk_token': '[UNK]'}
    with pytest.raises(ConfigError, match='wanted ids for any text') as error:
        tokenizer(tmp_path, model=model)
    documented('Instructions', 'a tokenizer without unknown words', error.value, tmp_path)


def test_the_shipped_policy_does_not_take_left_for_right(robot, observe):
    policy = load_policy(MODELS / 'humanoid_vla', robot)
    long = 'please ' * 30 + 'touch the red cube with your {} hand'
    for hand in ('left', 'right'):
        with pytest.raises(InstructionRefused, match=rf'takes 36: ".*{hand} hand" would be lost'):
            policy.check(long.format(hand))
        with pytest.raises(PolicyError, match=f'{hand} hand" would be lost'):
            policy.predict(observe(instruction=long.format(hand)))
    policy.check('reach for the red cube with your left hand')


@pytest.fixture(scope='module')
def tokenize(tmp_path_factory):
    return tokenizer(tmp_path_factory.mktemp('shared'))


@settings(max_examples=60, deadline=None)
@given(words=st.lists(st.sampled_from([*list(WORDS)[2:], 'quick']), max_size=7))
def test_every_text_is_refused_or_reaches_the_model_whole(tokenize, words):
    ids = [WORDS.get(word, 1) for word in words]
    if len(words) > 4:
        with pytest.raises(InstructionRefused, match=f'{len(words)} tokens'):
            tokenize(' '.join(words))
    else:
        found = tokenize(' '.join(words))
        np.testing.assert_array_equal(found[0], ids + [0] * (4 - len(ids)))

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Before motion: whether an instruction is carried out, and the reason; instructions to stop."""

from itertools import product

import pytest

from vla_common.testing_refusals import documented
from vla_inference.admission import Admission, AdmissionLimits, known_tasks, mean, refusal
from vla_inference.stop_words import is_stop
from vla_policy.bundle.judged_outputs import Acceptance
from vla_policy.types import Assessment

TASKS = (
    'wave with your left hand',
    'wave with your right hand',
    'look at the red cube',
    'please touch the blue cube with your right hand',
    'get ready',
    'stand still',
)
KNOWN = 'I know wave, look, touch, get ready, stand still'
BOTH = Acceptance(0.5, 0.5, 0.5, ('no such cube in view', 'out of reach: "{words}"'))


def seen(understood=1.0, possible=1.0, reasons=None, words=(), unknown=()):
    reasons = (1.0 - possible, 0.0) if reasons is None else reasons
    return Assessment(understood, possible, 0.0, words, unknown, reasons)


def test_the_reason_names_the_words_that_do_not_fit():
    words = (('make', 0.1), ('me', 0.6), ('a', 0.9), ('coffee', 0.4))
    found = seen(understood=0.1, words=words)
    why = refusal(found, BOTH, 'make me a coffee', TASKS)
    assert why == f'{KNOWN}; not "make", "coffee"'
    documented('Instructions', 'words that the policy cannot follow', why)


def test_words_that_the_tokenizer_lacks_are_named_too_and_each_once():
    found = seen(0.1, words=(('paint', 0.2), ('it', 0.9)), unknown=('paint', 'Ωmega'))
    assert refusal(found, BOTH, 'paint it', TASKS) == f'{KNOWN}; not "paint", "Ωmega"'


def test_without_words_the_whole_instruction_is_quoted_and_a_long_list_is_cut():
    assert refusal(seen(0.1), BOTH, '你好', TASKS) == f'{KNOWN}; not "你好"'
    many = tuple((f'w{i}', 0.0) for i in range(9))
    assert refusal(seen(0.1, words=many), BOTH, '', ()) == 'I do not know "w0", "w1", "w2", "w3" …'


def test_impossible_has_the_most_probable_reason_with_the_instruction_in_it():
    here = seen(possible=0.2, reasons=(0.7, 0.1))
    why = refusal(here, BOTH, 'touch it', TASKS)
    assert why == 'no such cube in view'
    documented('Instructions', 'impossible in what the policy sees', why)
    far = seen(possible=0.2, reasons=(0.3, 0.5))
    assert refusal(far, BOTH, 'touch it', TASKS) == 'out of reach: "touch it"'


def test_every_combination_of_answers_and_thresholds():
    values = (-1.0, 0.0, 0.49, 0.5, 1.0)
    for understood, possible in product(values, values):
        found = seen(understood, possible, reasons=(0.5, 0.0))
        for a, b in product((None, 0.5), (None, 0.5)):
            accept = Acceptance(a, b, None, BOTH.reasons if b else ())
            why = refusal(found, accept, 'x', TASKS)
            if a is not None and understood < 0.5:
                assert why.startswith(KNOWN)
            elif b is not None and possible < 0.5:
                assert why == 'no such cube in view'
            else:
                assert why == ''


def test_known_tasks_are_the_beginnings_of_the_examples():
    assert known_tasks(('reach', 'point')) == ['reach', 'point']
    assert known_tasks(('the red one', '', '  look AT it')) == ['the red one', 'look']
    assert known_tasks(()) == []


def test_three_observations_are_judged_by_their_mean():
    judge = Admission(AdmissionLimits(observations=3, window=10.0))
    answers = []
    for k, understood in enumerate((0.2, 0.2, 0.8)):
        judged = judge.judge(seen(understood), BOTH, 'x', TASKS, 0.1 * k)
        answers.append(judged)
    assert answers[:2] == [None, None]
    assert answers[2].refusal and abs(answers[2].assessment.understood - 0.4) < 1e-9
    judge.begin()
    assert [judge.judge(seen(p), BOTH, 'x', TASKS, 0.0) is None for p in (0.2, 0.9, 0.9)] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(('second', 'decides'), [(0.29, False), (0.31, True), (9.0, True)])
def test_slow_observations_are_judged_when_the_window_is_over(second, decides):
    judge = Admission(AdmissionLimits(observations=3, window=0.3))
    assert judge.judge(seen(), BOTH, 'x', TASKS, 100.0) is None
    judged = judge.judge(seen(), BOTH, 'x', TASKS, 100.0 + second)
    assert (judged is not None) is decides
    assert judged is None or judged.refusal == ''


def test_mean_is_of_every_probability():
    first = Assessment(0.0, 0.2, 0.4, (('wave', 0.0),), ('it',), (0.8, 0.0))
    other = Assessment(1.0, 0.6, 0.0, (('wave', 1.0),), ('it',), (0.2, 0.2))
    found = mean([first, other])
    assert (found.understood, found.done) == (0.5, 0.2)
    assert abs(found.possible - 0.4) < 1e-9
    assert found.words == (('wave', 0.5),) and found.unknown == ('it',)
    assert found.reasons == (0.5, 0.1)


STOPS = (
    'stop', 'STOP!', 'Stop.', 'please stop', 'stop now', 'halt', 'freeze', 'stop waving',
    'robot, stop', 'no, stop!', 'wait stop', 'can you stop', 'stop and wave', 'okay robot halt',
    '"stop"', 'stop stop stop', 'you must stop at once', 'please, just stop moving',
)  # fmt: skip
OTHERS = (
    '', 'wave', 'do not stop', "don't stop", 'point at the stop sign', 'stopping', 'unstoppable',
    'wave and then stop', 'never halt', 'nonstop', 'look at the red cube', '停',
)  # fmt: skip


@pytest.mark.parametrize('text', STOPS)
def test_instruction_to_stop(text):
    assert is_stop(text)


@pytest.mark.parametrize('text', OTHERS)
def test_other_instruction(text):
    assert not is_stop(text)

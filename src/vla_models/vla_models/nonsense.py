# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Sentences that the policy cannot follow, generated for training.

Those written by others, for evaluation, are in unfollowable.yaml and are never trained on.
"""

import random
import string

from vla_models.language import Step, instruction_of, words_of
from vla_models.tasks import ALL_TASKS, COLOURS, HANDS, TaskKind
from vla_models.tokenizer import vocabulary

_POLITE = {
    'please',
    'now',
    'again',
    'for',
    'me',
    'thank',
    'you',
    'ok',
    'hey',
    'robot',
    'could',
    'can',
}
_COLOURS = set(COLOURS)


def strange_word(rng: random.Random) -> str:
    """A word that no vocabulary has."""
    return 'q' + ''.join(rng.choice(string.ascii_lowercase) for _ in range(rng.randint(3, 7))) + 'x'


def nonsense(rng: random.Random) -> str:
    """One sentence."""
    maker = rng.choice(_MAKERS)
    while True:
        text = maker(rng)
        if text.strip(' ,.!?'):
            return text


def _sense(rng: random.Random) -> list[str]:
    tasks = rng.choice((ALL_TASKS, _ABOUT_CUBES))
    step = Step.plain(rng.choice(tasks))
    return instruction_of((step,), rng).replace(',', ' ,').split()


def _strange_in_sense(rng: random.Random) -> str:
    words = _sense(rng)
    for _ in range(rng.choice((1, 1, 2, 3))):
        words[rng.randrange(len(words))] = strange_word(rng)
    return ' '.join(words)


def _strange_inserted(rng: random.Random) -> str:
    words = _sense(rng)
    words.insert(rng.randint(0, len(words)), strange_word(rng))
    return ' '.join(words)


def _strange_only(rng: random.Random) -> str:
    """As a sentence in another language: strange words, some that look like known ones."""
    known = vocabulary()
    count = rng.choice((1, 2, 4, 7, 11))
    share = rng.uniform(0.0, 0.6)
    words = [rng.choice(known) if rng.random() < share else strange_word(rng) for _ in range(count)]
    return ' '.join([*words, strange_word(rng)])


def _known_at_random(rng: random.Random) -> str:
    """At least three words: two at random are a sentence too often ('arms down')."""
    return ' '.join(rng.choice(vocabulary()) for _ in range(rng.randint(3, 12)))


def _shuffled(rng: random.Random) -> str:
    words = [word for word in _sense(rng) if word not in _POLITE]
    while len(words) < 5:
        words = [word for word in _sense(rng) if word not in _POLITE]
    rng.shuffle(words)
    return ' '.join(words)


def _without_key(rng: random.Random) -> str:
    """Without the colour: which cube?"""
    words = _sense(rng)
    while not _COLOURS & set(words):
        words = _sense(rng)
    return ' '.join(word for word in words if word not in _COLOURS)


def _cut(rng: random.Random) -> str:
    """Only the words before the cube."""
    words = _sense(rng)
    while not _COLOURS & set(words):
        words = _sense(rng)
    last = min(i for i, word in enumerate(words) if word in _COLOURS)
    return ' '.join(words[: rng.randint(1, max(1, last))])


def _no_verb(rng: random.Random) -> str:
    colour, hand = rng.choice(COLOURS), rng.choice(HANDS)
    return rng.choice(
        (
            f'the {colour} cube',
            f'{colour} block please',
            f'your {hand} hand',
            f'the {colour} cube with your {hand} hand',
            f'the {colour} cube is on the table',
            f'the {colour} cube and the {rng.choice(COLOURS)} cube',
        )
    )


def _negated(rng: random.Random) -> str:
    words = words_of(Step.plain(rng.choice(_ABOUT_CUBES)), rng)
    return rng.choice(('do not ', 'please do not ', 'you can not ', 'not ')) + words


def _mixed(rng: random.Random) -> str:
    """The beginning of one instruction and the end of another kind."""
    first, second = rng.sample([TaskKind.WAVE, TaskKind.REACH, TaskKind.REST, TaskKind.LOOK], 2)
    a, b = (
        words_of(Step.plain(rng.choice([t for t in ALL_TASKS if t.kind is kind])), rng).split()
        for kind in (first, second)
    )
    return ' '.join(a[: rng.randint(1, max(1, len(a) // 2))] + b[-rng.randint(1, 2) :])


def _other_whole(rng: random.Random) -> str:
    """What no task does, in known words."""
    colour, other = rng.sample(COLOURS, 2)
    hand = rng.choice(HANDS)
    return rng.choice(
        (
            f'put the {colour} cube on the {other} cube',
            f'move the {colour} cube to the left',
            f'move the {colour} cube to the {other} one',
            f'bring me the {colour} cube',
            f'take the {colour} block and put it on the table',
            f'raise the {colour} cube with your {hand} hand',
            f'turn the {colour} cube to the right',
            f'turn the {colour} block to the {hand}',
            f'put the {colour} block down',
            f'put the {colour} box in the middle of the table',
            f'bring the {colour} cube to the {other} cube',
            f'touch your {hand} hand with your {rng.choice(HANDS)} hand',
            f'touch the table with your {hand} hand',
            'touch your head',
            f'point at me with your {hand} hand',
            'look at me',
            f'look at your {hand} hand',
            f'where is the {colour} cube ?',
            f'find the {colour} cube',
            'go to the table',
            'go away',
            f'turn to the {hand}',
            'move your head',
            f'move away from the {colour} cube',
            f'say hello to the {colour} cube',
            f'wave the {colour} cube',
            f'hold the {colour} cube in your {hand} hand',
            f'take the {colour} cube with your {hand} hand',
            f'put your {hand} hand on the table',
            f'let the {colour} cube go',
            f'the {colour} cube is left of the {other} cube',
            f'could you see the {colour} cube ?',
            'thank you',
            'hello robot',
            'do it again',
            'again',
            'the other one',
        )
    )


_ABOUT_CUBES = tuple(task for task in ALL_TASKS if task.has_target)
_MAKERS = (
    *(_strange_in_sense, _strange_in_sense, _strange_inserted, _strange_only, _strange_only),
    *(_known_at_random, _shuffled, _without_key, _cut, _no_verb, _negated, _mixed),
    *(_other_whole, _other_whole, _other_whole),
)

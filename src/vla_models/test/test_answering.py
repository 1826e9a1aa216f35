# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""AnsweringVLA: shapes, its memory of two steps, and what its answers depend on."""

import pytest
import torch

from vla_models.network.answering import MEMORY, NEXT_MEMORY, OUTPUTS, AnsweringVLA, build_network
from vla_models.network.humanoid_vla import HumanoidVLA, HumanoidVLAConfig
from vla_models.network.objects import Pointer
from vla_models.testing import SMALL_NETWORK

HISTORY = 4


def tiny(**given) -> AnsweringVLA:
    torch.manual_seed(1)
    sizes = {
        'image_size': 32,
        'text_layers': 1,
        'joints': 6,
        'action_dim': 4,
        'moved': (1, 2, 3, 4),
        'camera': (0,),
        'vocabulary': 40,
        'tokens': 8,
        'horizon': 5,
        'objects': 6,
        'history': HISTORY,
    }
    network = build_network(HumanoidVLAConfig.small(**{**SMALL_NETWORK, **sizes, **given}))
    assert isinstance(network, AnsweringVLA)
    return network.eval()


def inputs(batch: int, network: AnsweringVLA):
    torch.manual_seed(0)
    config = network.config
    shape = (batch, config.history, config.joints)
    return (
        torch.rand(batch, 3, config.image_size, config.image_size),
        torch.randint(2, config.vocabulary, (batch, config.tokens)),
        torch.randn(*(shape if config.history > 1 else (batch, config.joints))),
        torch.randn(batch, 2),
        torch.zeros(batch, MEMORY),
    )


@pytest.mark.parametrize('history', [1, HISTORY])
def test_it_returns_a_chunk_and_three_answers(history):
    network = tiny(history=history)
    with torch.no_grad():
        chunk, understood, possible, done, memory = network(*inputs(3, network))
    assert network.output_names == (*OUTPUTS, NEXT_MEMORY)
    assert memory.shape == (3, MEMORY)
    assert chunk.shape == (3, 5, 4)
    assert understood.shape == (3, 9) and possible.shape == (3, 3) and done.shape == (3, 1)
    for answer in (understood, possible, done):
        assert ((answer >= 0) & (answer <= 1)).all()
    torch.testing.assert_close(possible.sum(1), torch.ones(3))


def test_without_objects_it_is_the_network_without_answers():
    assert type(build_network(HumanoidVLAConfig.small(image_size=32))) is HumanoidVLA


def test_torchscript_compiles_it_and_answers_the_same_for_any_batch():
    network = tiny()
    with torch.no_grad():
        compiled = torch.jit.freeze(torch.jit.script(network))
        for batch in (1, 3):
            given = inputs(batch, network)
            for found, wanted in zip(compiled(*given), network(*given), strict=True):
                torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_padding_fits_and_the_words_alone_decide_what_is_understood():
    network = tiny()
    image, ids, state, phase, memory = inputs(1, network)
    ids[:, 5:] = 0
    with torch.no_grad():
        first = network(image, ids, state, phase, memory)[1]
        second = network(image.flip(-1), ids, -state, phase, 1 - memory)[1]
        other = network(image, ids.clone().fill_(3), state, phase, memory)[1]
    assert (first[:, 6:] > 0.999).all()
    torch.testing.assert_close(first, second)
    assert not torch.allclose(first[:, 0], other[:, 0])


def test_where_the_arms_are_changes_nothing_of_what_is_possible():
    network = tiny(history=1)
    _, ids, state, *_ = inputs(2, network)
    raised, turned = state.clone(), state.clone()
    raised[:, 1:] += 0.7  # joint 0 carries the camera
    turned[:, 0] += 0.7
    with torch.no_grad():
        text = network.words(ids).steps[:, 0]
        where = network.where(torch.randn(2, 3), torch.ones(2))
        before = network.possible_logits(text, state, where)
        torch.testing.assert_close(network.possible_logits(text, raised, where), before)
        assert not torch.allclose(network.possible_logits(text, turned, where), before)


class Memory:
    """A network whose step i counts as done in the states whose joint i is above 0."""

    def __init__(self, monkeypatch, two: float, lasting: float = -1.0) -> None:
        self.network = tiny()
        words, encode = self.network.words, self.network.words.forward

        def read(ids):
            found = encode(ids)
            steps = torch.zeros_like(found.steps)
            steps[:, 1] = 1.0
            whole = torch.full_like(found.two, two)
            return found._replace(
                steps=steps, two=whole, lasting=torch.full_like(found.lasting, lasting)
            )

        def done(text, state, where):
            second = text[:, :1] > 0.5
            return torch.where(second, state[..., 1], state[..., 0]) * 9

        monkeypatch.setattr(words, 'forward', read)
        monkeypatch.setattr(self.network, 'done_logit', done)
        self._acted = []
        known = self.network.known

        def act(text, *rest):
            self._acted.append(float(text[0, 0]))
            return known(text, *rest)

        monkeypatch.setattr(self.network, 'known', act)
        self.kept = torch.zeros(1, MEMORY)

    def __call__(
        self, first: list[int], second: list[int], still=False, begin=True
    ) -> tuple[int, bool]:
        """The step it acts on, and whether it reports done; states the oldest first. begin: of an
        instruction."""
        image, ids, state, phase, nothing = inputs(1, self.network)
        if begin:
            self.kept = nothing
        state[0, :, 0] = torch.tensor(first) * 2.0 - 1
        state[0, :, 1] = torch.tensor(second) * 2.0 - 1
        if still:
            state[:] = state[:, :1]
        with torch.no_grad():
            *_, done, self.kept = self.network(image, ids, state, phase, self.kept)
        return round(self._acted[-1]), bool(done[0, 0] > 0.5)


def test_two_steps_are_done_one_after_the_other(monkeypatch):
    run = Memory(monkeypatch, two=1.0)
    assert run([0, 0, 0, 0], [0, 0, 0, 0]) == (0, False)
    assert run([0, 0, 0, 1], [0, 0, 0, 0]) == (0, False)  # passed by, not held
    assert run([0, 0, 1, 1], [0, 0, 0, 0]) == (1, False)
    assert run([1, 1, 0, 0], [0, 0, 0, 0]) == (1, False)  # it remembers
    assert run([0, 1, 1, 0], [0, 0, 0, 1]) == (1, True)
    assert run([0, 0, 0, 0], [0, 0, 1, 1]) == (0, False)  # the second alone is not enough


def test_a_completed_step_stays_completed_until_the_instruction_ends(monkeypatch):
    run = Memory(monkeypatch, two=1.0)
    assert run([0, 0, 1, 1], [0, 0, 0, 0]) == (1, False)
    assert run([0, 0, 0, 0], [0, 0, 0, 0], begin=False) == (1, False)
    assert run([0, 0, 0, 0], [0, 0, 1, 1], begin=False) == (1, True)
    assert run([0, 0, 0, 0], [0, 0, 1, 1]) == (0, False)


def test_an_object_that_the_hand_hides_is_where_it_was_seen_last_and_is_forgotten_later(
    monkeypatch,
):
    network = tiny()
    place, certain = torch.tensor([[0.4, 0.1, 0.1], [0.5, -0.1, 0.1]]), torch.ones(2)
    elsewhere, nothing = torch.full((2, 3), 9.0), torch.tensor([0.02, 1.0])
    given = [(place, certain)] + [(torch.stack([elsewhere[0], place[1]]), nothing)] * 60
    found = iter(given)
    monkeypatch.setattr(network, 'chosen', lambda *_: next(found))
    used = []
    monkeypatch.setattr(network, 'where', lambda p, c: used.append((p, c)) or _where(p, c))
    _where = AnsweringVLA.where.__get__(network)
    *start, memory = inputs(1, network)
    for _ in given:
        with torch.no_grad():
            *_, memory = network(*start, memory)
    torch.testing.assert_close(used[1][0], place)  # hidden: from memory, as certain as before
    torch.testing.assert_close(used[1][1], certain)
    torch.testing.assert_close(used[-1][0][0], elsewhere[0])  # not seen for too long
    assert used[-1][1][0] < 0.1 and used[-1][1][1] == 1.0
    remembered = sum(bool((p[0] == place[0]).all()) for p, _ in used)
    assert 20 < remembered < 50


def test_a_place_that_was_never_seen_is_not_kept(monkeypatch):
    network = tiny()
    monkeypatch.setattr(
        network, 'chosen', lambda *_: (torch.full((2, 3), 9.0), torch.full((2,), 0.3))
    )
    with torch.no_grad():
        *_, memory = network(*inputs(1, network))
    assert not memory[:, 1:].any()


def test_one_step_needs_no_memory_and_a_lasting_one_all_of_it(monkeypatch):
    run = Memory(monkeypatch, two=-1.0)
    assert run([0, 0, 0, 1], [1, 1, 1, 1]) == (0, True)
    assert run([1, 1, 1, 0], [1, 1, 1, 1]) == (0, False)  # lost again
    lasting = Memory(monkeypatch, two=-1.0, lasting=1.0)
    assert lasting([1, 1, 1, 1], [0, 0, 0, 0], still=True) == (0, False)  # copies of one state
    assert lasting([0, 1, 1, 1], [0, 0, 0, 0]) == (0, False)
    assert lasting([1, 1, 1, 1], [0, 0, 0, 0]) == (0, True)


def test_the_ranks_of_the_pointer_count_what_is_left_and_nearer():
    pointer = Pointer(4, 16)
    along = torch.tensor([[[-0.2, 0.40], [0.1, 0.30], [-0.05, 0.35], [0.0, 0.0]]])
    seen = torch.tensor([[1.0, 1.0, 1.0, 0.0]])
    wanted = torch.tensor([[0.0, 2.0], [2.0, 0.0], [1.0, 1.0]])
    torch.testing.assert_close(pointer.ranks(along, seen)[0, :3], wanted, atol=0.03, rtol=0)


def test_an_object_that_is_not_seen_is_hardly_ever_meant():
    torch.manual_seed(0)
    pointer = Pointer(4, 16).eval()
    text, place = torch.randn(8, 16), torch.randn(8, 4, 3) * 0.2
    seen = torch.tensor([1.0, 1.0, 0.0, 0.0]).expand(8, 4)
    with torch.no_grad():
        share = torch.softmax(pointer(text, place, seen), -1)
    assert share[:, 2:4].sum(1).max() < 0.05

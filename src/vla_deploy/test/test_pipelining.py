# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A network in pipeline stages, a process for each."""

import itertools
import os
import signal

import numpy as np
import pytest
import torch
import torch.distributed as dist
from conftest import humanoid_reference
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx, nn

from vla_common.errors import ConfigError
from vla_deploy.commands import pipeline
from vla_deploy.pipelining import runner
from vla_deploy.pipelining.partition import (
    Block,
    blocks_of,
    check_budget,
    fewest_parts,
    fewest_stages,
    part_sizes,
    partition,
    plan_stages,
)
from vla_deploy.pipelining.runner import run_in_stages
from vla_deploy.pipelining.stages import chain_stages
from vla_deploy.pipelining.worker import first_failure, held_mb, place, record_failure
from vla_deploy.reference_model import ReferenceModel
from vla_deploy.runners import EagerRunner, answers
from vla_deploy.verification import ExpectedAnswers
from vla_policy.bundle.action_space import ActionSpace
from vla_policy.bundle.model_spec import ActionOutput

FLOW = {
    'image_size': 32, 'vision': 'convolutional', 'vision_width': 8, 'vision_layers': 1,
    'vocabulary': 16, 'tokens': 6, 'hidden_size': 32, 'heads': 2, 'text_layers': 2,
    'fusion_layers': 1, 'head': 'flow', 'head_width': 64, 'head_layers': 1, 'head_steps': 2,
}  # fmt: skip
SIZES = st.lists(st.integers(0, 20), min_size=1, max_size=7)


@settings(deadline=None)
@given(SIZES, st.data())
def test_no_other_cut_has_a_lighter_heaviest_part(sizes, data):
    parts = data.draw(st.integers(1, len(sizes)))
    begins = partition(sizes, parts)
    assert begins[0] == 0 and begins == sorted(set(begins)) and len(begins) == parts
    others = itertools.combinations(range(1, len(sizes)), parts - 1)
    lightest = min(max(part_sizes(sizes, [0, *other])) for other in others)
    assert max(part_sizes(sizes, begins)) == lightest


@settings(deadline=None)
@given(SIZES, st.integers(1, 40))
def test_the_fewest_parts_within_a_limit_are_within_it_and_one_less_is_not(sizes, limit):
    parts = fewest_parts(sizes, limit)
    if parts is None:
        assert max(sizes) > limit
        return
    assert max(part_sizes(sizes, partition(sizes, parts))) <= limit
    assert parts == 1 or max(part_sizes(sizes, partition(sizes, parts - 1))) > limit


def test_a_head_that_is_called_repeatedly_stays_whole_and_is_named(references):
    blocks = blocks_of(references['diffusion'])
    loops = [block for block in blocks if block.loop > 1]
    assert [block.loop for block in loops] == [2] and blocks[-1] is loops[0]
    with pytest.raises(ConfigError, match=r'--stages: found 40, .* stays whole: its layers are'):
        plan_stages(blocks, 40)
    with pytest.raises(ConfigError, match=r'--budget: found 2 MB, wanted 3.00 MB for head alone'):
        fewest_stages([Block('a', 1.0), Block('head', 3.0, 16)], 2.0)


def test_a_budget_gives_the_number_of_stages_and_an_exceeded_one_suggests_more():
    blocks = [Block(str(i), 1.0) for i in range(6)]
    assert fewest_stages(blocks, 2.0) == 3 and plan_stages(blocks, 3) == ['0', '2', '4']
    check_budget(blocks, [2.0, 2.0, 2.0], 2.0)
    with pytest.raises(ConfigError, match=r'found 4.00 MB in stage 1 of 2, .*: try --stages 3'):
        check_budget(blocks, [2.0, 4.0], 2.0)
    # Weights that two stages use are in both: three were planned.
    with pytest.raises(ConfigError, match=r'try --stages 4'):
        check_budget(blocks, [2.5, 2.0, 2.5], 2.0)


def test_every_weight_is_in_a_block_and_no_layer_is_cut_in_two(references):
    reference: ReferenceModel = references['act']
    blocks = blocks_of(reference)
    held = [*reference.module.parameters(), *reference.module.buffers()]
    whole = sum(t.numel() * t.element_size() for t in held) / 1e6
    assert sum(block.mb for block in blocks) == pytest.approx(whole)
    assert not any(block.name.startswith(('encoder.', 'decoder.')) for block in blocks)


@pytest.mark.parametrize('kind', ['act', 'diffusion'])
def test_two_processes_with_a_part_of_the_network_each_give_its_answers(
    bundles, observed, json_of, kind
):
    arguments = ['--bundle', bundles[kind], *observed, '--count', 3, '--rounds', 4]
    found = json_of(pipeline.main, *arguments, '--micro-batches', 2, '--stages', 2)
    held = [stage['held_mb'] for stage in found['stages']]
    assert 0 < min(held) <= max(held) < found['whole_mb'] and sum(held) < 1.05 * found['whole_mb']
    assert found['passed'] and found['max_error_rad'] < 1e-4
    assert all(found[scheme]['throughput_hz'] > 0 for scheme in ('split', 'whole'))
    for process in found['processes']:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_a_mask_crosses_a_cut_and_a_head_called_twice_is_held_once(monkeypatch):
    """The reference card in small: words with a mask, and flow matching."""
    reference = humanoid_reference(**FLOW)
    inputs = [
        dict(zip(reference.inputs, (x.numpy() for x in reference.sample(1, seed)), strict=True))
        for seed in range(2)
    ]
    right = answers(EagerRunner(reference), inputs)
    # Between two layers of the words, where their mask is needed on both sides.
    monkeypatch.setattr(runner, 'plan_stages', lambda *_: ['', 'policy.text.layers.1'])
    joints = tuple(str(i) for i in range(32))
    action = ActionOutput(
        'targets', ActionSpace('joint_position', joints), 16, 0.1, np.zeros(32), np.ones(32)
    )
    expected = ExpectedAnswers('eager', None, inputs, right)
    ran = run_in_stages(reference, expected, action, 2, micro_batches=2, rounds=3)
    assert ran.parity.max_error_rad < 1e-4
    assert sum(ran.held_mb) < 1.05 * ran.whole_mb


class _Leaf(nn.Module):
    def forward(self, *given):
        return sum(given).t(), given[0]


class _Skipping(nn.Module):
    """The last stage needs the input, and one of the two things that the first gave."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = _Leaf(), _Leaf(), _Leaf()

    def forward(self, x, y):
        first, again = self.a(x, y)
        return self.c(self.b(first)[0], again, y)[0]


def test_stages_that_talk_to_their_neighbours_only_give_what_the_graph_gives():
    class Leaves(fx.Tracer):
        def is_leaf_module(self, module, name):
            return True

    whole = _Skipping()
    stages = chain_stages(fx.GraphModule(whole, Leaves().trace(whole)))
    assert len(stages) == 3
    given = torch.rand(3, 3), torch.rand(3, 3)
    values = given
    for stage in stages[:-1]:
        values = stage(*values)
        assert all(value.is_contiguous() for value in values)
    assert [len(list(stage.graph.find_nodes(op='placeholder'))) for stage in stages] == [2, 3, 3]
    assert torch.equal(stages[-1](*values), whole(*given))


def test_the_first_failure_is_reported_and_not_its_effect_on_the_others(tmp_path):
    assert first_failure(tmp_path, [0, 0, 0]) is None
    assert first_failure(tmp_path, [None, 7, None]) == (1, 'exit code 7')
    try:
        raise RuntimeError('args: every\nshape') from ValueError('why\n.')
    except RuntimeError as error:
        record_failure(tmp_path, 2, error)
    record_failure(tmp_path, 0, ConnectionError('closed by peer'))
    assert first_failure(tmp_path, [1, None, 1]) == (2, 'ValueError: why')
    # What was killed could not leave a note: the others' are of its silence.
    assert first_failure(tmp_path, [1, -signal.SIGKILL, 1]) == (1, 'killed by SIGKILL')


def test_memory_that_two_names_share_is_moved_and_counted_once():
    module = nn.Module()
    module.a, module.b, module.c = nn.Linear(4, 5), nn.Linear(4, 5), nn.Linear(4, 5)
    module.b.weight = nn.Parameter(module.a.weight.detach())
    assert module.b.weight is not module.a.weight
    place(module, torch.device('cpu'))
    assert module.b.weight is module.a.weight is not module.c.weight
    assert held_mb(module) == pytest.approx(4 * (2 * 20 + 3 * 5) / 1e6)


def test_what_cannot_be_is_one_line(bundles, observed, capsys, monkeypatch):
    arguments = ['--bundle', str(bundles['act']), *observed, '--count', '1']
    monkeypatch.setattr(dist, 'is_nccl_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    for more, output in (
        ([], 'neither --stages nor --budget'),
        (['--budget', 'nan'], '--budget: found nan'),
        (['--budget', '0.0001'], 'which stays whole'),
        (['--stages', '500'], '--stages: found 500, wanted at most'),
        (['--stages', '2', '--device', 'cuda'], '1 GPU(s), wanted one for each of 2 stages'),
    ):
        assert pipeline.main([*arguments, *more]) == 2
        text = capsys.readouterr().err
        assert output in text and sum('wanted' in line for line in text.splitlines()) == 1
    monkeypatch.setattr(dist, 'is_gloo_available', lambda: False)
    assert pipeline.main([*arguments, '--stages', '2']) == 2
    assert 'found PyTorch without gloo' in capsys.readouterr().err

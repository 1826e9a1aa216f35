# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Pruned networks are smaller, load by their own configuration, and are verified."""

import copy
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_common.errors import ConfigError
from vla_deploy.commands import prune as command
from vla_deploy.exporting import export
from vla_deploy.fine_tuning import FineTuning, fine_tune
from vla_deploy.parity import ParityLimits
from vla_deploy.pruning.groups import find_groups
from vla_deploy.pruning.importance import IMPORTANCES, scores
from vla_deploy.pruning.pruning import PruningPlan, count, prune
from vla_deploy.pruning.removal import (
    least_important,
    mask_units,
    prunable,
    remove_units,
    sparsity,
    zero_keeper,
    zero_least,
)
from vla_deploy.publishing import VerificationOptions, expected_answers
from vla_deploy.quantisation.qat import round_while_training
from vla_deploy.quantisation.quantising import quantise
from vla_deploy.reference_model import from_bundle, from_run
from vla_models.testing import SMALL_NETWORK, write_noise
from vla_models.training import Trainer, TrainingOptions
from vla_policy.bundle.bundle import load_bundle
from vla_policy.load import load_policy

QUICK = 'torchscript-trace'  # written ten times as fast as ONNX; what counts is the source
ANY = ParityLimits(100.0, -1.0)  # random weights, cut down: only the machinery is under test


@pytest.fixture(scope='session')
def data(tmp_path_factory, layout):
    return write_noise(tmp_path_factory.mktemp('noise') / 'data', layout)


@pytest.fixture(scope='session')
def humanoid(tmp_path_factory, data, recording, robot):
    """A bundle of a tiny HumanoidVLA, hardly trained."""
    out = tmp_path_factory.mktemp('humanoid')
    torch.set_num_threads(1)
    options = TrainingOptions(
        epochs=1, batch=8, threads=1, validation=0.25, warmup=0, imagined=8, network=SMALL_NETWORK
    )
    Trainer(data, out / 'run', options).run()
    export(from_run(out / 'run'), out / 'bundle', QUICK, VerificationOptions(robot, recording))
    return out / 'bundle'


@pytest.fixture(scope='session')
def traced(tmp_path_factory, references, options, humanoid):
    """Bundles of all three."""
    out = tmp_path_factory.mktemp('traced')
    for kind, reference in references.items():
        export(reference, out / kind, QUICK, options)
    return {**{kind: out / kind for kind in references}, 'humanoid': humanoid}


@pytest.fixture(scope='session')
def expected(traced, options):
    return expected_answers(traced['act'], options)


@pytest.fixture(scope='session')
def grouped(traced):
    """Of each network: module, inputs, groups."""
    found = {}
    for kind, path in traced.items():
        reference = from_bundle(path)
        inputs = reference.sample(2)
        found[kind] = reference.module, inputs, find_groups(reference.module, inputs)
    return found


def answer(module, inputs):
    with torch.no_grad():
        out = module(*inputs)
    return out[0] if isinstance(out, tuple) else out


@pytest.mark.parametrize('kind', ['act', 'diffusion', 'humanoid'])
@settings(max_examples=5, deadline=None)
@given(draw=st.data())
def test_removing_units_gives_the_answer_that_masking_them_gives(grouped, kind, draw):
    module, inputs, groups = grouped[kind]
    silenced, smaller = copy.deepcopy(module), copy.deepcopy(module)
    group = draw.draw(st.sampled_from(groups))
    units = sorted(draw.draw(st.sets(st.integers(0, group.units - 1), max_size=group.units - 1)))
    mask_units(silenced, group, units)
    remove_units(smaller, group, units)
    assert torch.allclose(answer(silenced, inputs), answer(smaller, inputs), rtol=1e-4, atol=1e-5)
    assert (count(smaller) < count(module)) == bool(units)


def test_channels_neurons_heads_and_modulated_layers_of_humanoid_vla_are_found(grouped):
    module, _, groups = grouped['humanoid']
    assert {group.kind for group in groups} == {'channels', 'neurons', 'heads'}
    places = {group.name.split('.')[1] for group in groups}
    assert places >= {'vision', 'text', 'locator', 'fusion', 'head'}
    width = module.policy.config.head_width
    modulated = [g for g in groups if 'trunk' in g.name]
    assert [g.units for g in modulated] == [width] * len(modulated) != []


@pytest.fixture(scope='session')
def pruned(tmp_path_factory, humanoid, data, options):
    """HumanoidVLA pruned in two steps, fine-tuned after each; its place and result."""
    out = tmp_path_factory.mktemp('pruned') / 'b'
    plan = PruningPlan(amount=0.6, steps=2)
    tuning = FineTuning(data, epochs=1, batch=8, threads=1)
    return out, prune(humanoid, out, plan, replace(options, limits=ANY), form=QUICK, tuning=tuning)


def test_a_pruned_humanoid_vla_is_smaller_and_loads_by_its_own_configuration(pruned, robot):
    """The second step starts from the sizes of the first."""
    out, made = pruned
    first, last = made.steps
    assert last.parameters < first.parameters < made.before
    assert last.sparsity == pytest.approx(1 - last.parameters / made.before, abs=1e-3)
    assert count(from_bundle(out).module) == last.parameters and last.held_out > 0
    bundle = load_bundle(out, robot)
    assert bundle.verification.passed and bundle.source.config['sizes']
    assert not bundle.source.factory.endswith('resized')
    load_policy(out, robot).close()


@pytest.mark.parametrize('importance', IMPORTANCES)
def test_the_least_important_weights_become_zero_and_no_more_than_requested(
    importance, references, expected
):
    reference = references['act']
    module = copy.deepcopy(reference.module)
    importances = scores(module, importance, expected.inputs[:3], reference.inputs)
    zero_least(module, 0.4, importances)
    assert sparsity(module) == pytest.approx(0.4, abs=0.01)
    gone, stay = [], []
    for name, layer in prunable(module).items():
        zero = layer.weight == 0
        gone.append(importances[f'{name}.weight'][zero])
        stay.append(importances[f'{name}.weight'][~zero])
    assert torch.cat(gone).max() <= torch.cat(stay).min()


def test_a_weight_without_effect_has_no_importance(references, expected):
    """A unit that its ReLU blocks for every observation has no gradient."""
    module = copy.deepcopy(references['act'].module)
    with torch.no_grad():
        module.encoder.linear1.bias[3] = -1e4
    inputs = expected.inputs[:3]
    for importance in ('gradient', 'fisher'):
        found = scores(module, importance, inputs, references['act'].inputs)
        importances = found['encoder.linear1.weight'].sum(1)
        assert importances[3] == 0 and (importances > 0).sum() > len(importances) // 2
        assert all(bool((score >= 0).all()) for score in found.values())


def test_the_remaining_units_are_a_multiple_of_eight_and_never_none():
    assert len(least_important(torch.arange(32.0), 0.3)) == 8  # 24 are left
    assert least_important(torch.tensor([3.0, 1.0, 2.0, 4.0]), 0.3) == [1]
    assert len(least_important(torch.ones(4), 0.99)) == 3
    assert least_important(torch.ones(32), 0.01) == []


def test_zeros_stay_zero_while_the_rest_is_trained(humanoid, data):
    teacher, pruned = from_bundle(humanoid), from_bundle(humanoid)
    zero_least(pruned.module, 0.5, scores(pruned.module, 'magnitude', [], []))
    before = copy.deepcopy(pruned.module.state_dict())

    def keep(trainer):
        zeros = zero_keeper(trainer.model)
        trainer.optimiser.optimizer.register_step_post_hook(lambda *_: zeros())

    after, error = fine_tune(pruned, teacher, FineTuning(data, epochs=1, batch=8, threads=1), keep)
    assert error > 0
    for name, layer in prunable(after.module).items():
        assert bool((layer.weight[before[f'{name}.weight'] == 0] == 0).all())
    assert any(not torch.equal(v, before[k]) for k, v in after.module.state_dict().items())


def test_the_command_measures_speed_stops_early_and_rejects_another_policy(
    traced, observed, robot, tmp_path, capsys, json_of
):
    out = tmp_path / 'b'
    common = ['--bundle', str(traced['diffusion']), *observed]
    common += ['--out', str(out), '--rounds', '3', '--importance', 'fisher', '--amount', '0.9']
    assert command.main([*common, '--form', QUICK, '--max-error', '1e-6']) == 3
    assert 'verification failed' in capsys.readouterr().err
    assert not out.exists() and (tmp_path / 'b.worst.npz').exists()
    wide = ['--max-error', '100', '--cosine', '-1', '--steps', '2', '--form', QUICK]
    found = json_of(command.main, *common, *wide, '--stop-above', '1e-9')
    assert [step['amount'] for step in found['steps']] == [pytest.approx(0.45)]
    assert 'wanted at most 1e-09' in found['stopped']
    assert 0 < found['sparsity'] < 1 and found['speedup'] > 0
    assert [entry['name'] for entry in found['bundles']] == ['given', 'pruned']
    assert found['bundles'][1]['size_mb'] < found['bundles'][0]['size_mb']
    bundle = load_bundle(out, robot)
    assert bundle.source.factory.endswith('resized') and bundle.source.config['sizes']
    assert count(from_bundle(out).module) == found['parameters'][1]


@pytest.mark.parametrize(
    ('arguments', 'output'),
    [
        (['--amount', '1.5'], '--amount: found 1.5, wanted a share between 0 and 1'),
        (['--parts', 'nowhere'], "--parts: found ['nowhere'], wanted a part with channels"),
        (['--data', 'DATA'], 'wanted HumanoidVLA: the trainer trains no other network'),
    ],
)
def test_what_cannot_be_pruned_is_one_clear_error(
    traced, observed, data, tmp_path, capsys, arguments, output
):
    common = ['--bundle', str(traced['act']), *observed]
    arguments = [str(data) if part == 'DATA' else part for part in arguments]
    assert command.main([*common, '--out', str(tmp_path / 'b'), *arguments]) == 2
    assert output in capsys.readouterr().err
    assert not (tmp_path / 'b').exists()


def test_a_network_learns_while_it_rounds_and_keeps_nothing_of_the_rounding(
    pruned, humanoid, data, options, tmp_path
):
    """A pruned network, from its own sizes. (Its export to ONNX and int8 takes 20 s: the verbs'
    other tests do that.)"""
    given, _ = pruned
    tuning = FineTuning(data, epochs=1, batch=8, threads=1, learning_rate=1e-3)
    with pytest.raises(ConfigError, match='found fp16, wanted int8'):
        quantise(given, tmp_path / 'f', 'fp16', options, tuning=tuning)
    rounding = []

    def prepare(trainer):
        exact = trainer.validate()['error']
        round_while_training(trainer, keep=('text',))
        trainer.learner.train()
        trainer._one_step()
        rounding.append((exact, trainer.validate()['error']))

    teacher = from_bundle(humanoid)
    tuned, error = fine_tune(from_bundle(given), teacher, tuning, prepare)
    assert error > 0 and rounding[0][0] != rounding[0][1]  # validated while it rounds
    old, new = from_bundle(given).module.state_dict(), tuned.module.state_dict()
    assert list(old) == list(new)
    assert any(not torch.equal(old[k], new[k]) for k in old if k.endswith('weight'))

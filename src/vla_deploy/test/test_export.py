# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Every form is the same policy, and a mistake is one line and no bundle."""

import errno
import json
import resource
import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from conftest import ACT, DIFFUSION, HORIZON, describe, policy_of
from torch import nn

from vla_common.errors import ConfigError
from vla_deploy import atomic_io, convert, exporting
from vla_deploy.commands import export as export_command
from vla_deploy.commands import prune as prune_command
from vla_deploy.convert import write_onnx
from vla_deploy.exporting import FORMS, export
from vla_deploy.observations import observations_of
from vla_deploy.onnx_files import write_optimised
from vla_deploy.parity import EXACT
from vla_deploy.reference_model import from_bundle, from_module
from vla_deploy.verification import VerificationFailed
from vla_policy.load import load_policy
from vla_policy.registry import RUNTIMES

OTHERS = [form for form in FORMS if FORMS[form].runtime in {*RUNTIMES.names()} - {'onnx'}]


def observation_from(robot, recording):
    return replace(observations_of(recording, robot)[0], elapsed=0.0)


@pytest.mark.parametrize('kind', ['act', 'diffusion'])
def test_the_onnx_bundle_is_verified_and_answers_in_the_inference_node(
    bundles, kind, robot, recording
):
    policy = load_policy(bundles[kind], robot)
    verification = policy.bundle.verification
    assert verification.passed and verification.observations == len(recording)
    assert verification.max_error_rad <= EXACT.max_error_rad
    chunk = policy.predict(observation_from(robot, recording))
    assert chunk.positions.shape == (HORIZON, len(robot.groups['arms']))
    policy.close()


@pytest.mark.parametrize('form', OTHERS)
@pytest.mark.parametrize('kind', ['act', 'diffusion'])
def test_every_other_form_gives_the_same_chunk(
    references, bundles, kind, form, options, robot, recording, tmp_path
):
    result = export(references[kind], tmp_path / 'b', form, options)
    assert result.passed
    observation = observation_from(robot, recording)
    chunks = [
        load_policy(path, robot).predict(observation).positions
        for path in (bundles[kind], tmp_path / 'b')
    ]
    np.testing.assert_allclose(chunks[0], chunks[1], atol=1e-4)


def test_onnx_laid_out_for_the_processor_is_the_same_policy_for_a_batch_of_one(
    references, bundles, options, robot, recording, tmp_path, monkeypatch
):
    given = bundles['diffusion'] / 'model.onnx'  # exported once is enough
    monkeypatch.setattr(exporting, 'write_onnx', lambda _, path, opset: shutil.copy(given, path))
    assert export(references['diffusion'], tmp_path / 'b', 'onnx-all', options).passed
    before, after = (onnx.load(path).graph for path in (given, tmp_path / 'b' / 'model.onnx'))
    assert len(after.node) < len(before.node)
    assert [node.type.tensor_type.shape.dim[0].dim_value for node in after.input] == [1, 1]
    load_policy(tmp_path / 'b', robot).predict(observation_from(robot, recording))


def test_onnx_has_the_promised_names_and_a_free_batch(bundles):
    graph = onnx.load(bundles['act'] / 'model.onnx').graph
    assert [node.name for node in graph.input] == ['image', 'proprioception', 'language_features']
    assert [node.name for node in graph.output] == ['joint_targets', 'gripper_actions']
    for node in (*graph.input, *graph.output):
        assert node.type.tensor_type.shape.dim[0].dim_param, node.name


def test_a_bundle_remembers_the_module_it_was_made_from(bundles, references):
    again = from_bundle(bundles['act'])
    for name, value in references['act'].module.state_dict().items():
        assert torch.equal(value, again.module.state_dict()[name])


class Bessel(nn.Module):
    """Uses an operator that neither ONNX nor LiteRT has."""

    def forward(self, x):
        return torch.special.bessel_j0(x)


class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.shape = nn.Linear(14, 14 * HORIZON)
        self.bend = Bessel()

    def forward(self, image, state):
        return self.bend(self.shape(state)).reshape(-1, HORIZON, 14) + 0 * image.mean()


def odd(**config):
    return Odd()


class Branching(nn.Module):
    def forward(self, image, state):
        if state.sum() > 0:
            state = -state
        return state.unsqueeze(1).repeat(1, HORIZON, 1)


def branching(**config):
    return Branching()


def own_module(robot, directory, factory):
    path = describe(directory, robot, 'diffusion')
    return from_module(f'{__name__}:{factory}', {}, None, path)


def test_an_operator_that_onnx_lacks_is_named_with_its_module(robot, tmp_path):
    reference = own_module(robot, tmp_path, 'odd')
    with pytest.raises(ConfigError) as error:
        write_onnx(reference, tmp_path / 'model.onnx')
    assert 'special_bessel_j0' in str(error.value) and 'bend (Bessel)' in str(error.value)


def test_what_tracing_freezes_is_caught_by_the_verification(robot, options, tmp_path):
    reference = own_module(robot, tmp_path, 'branching')
    with pytest.raises(VerificationFailed) as error:
        export(reference, tmp_path / 'b', 'torchscript-trace', options)
    assert 'rad off' in str(error.value)
    assert not (tmp_path / 'b').exists()
    assert error.value.worst.is_file()
    assert not [p for p in tmp_path.iterdir() if p.name.startswith('.b.')]


@pytest.mark.parametrize('opset', [9, 99])
def test_an_opset_out_of_range_is_rejected_before_any_work(references, tmp_path, opset):
    with pytest.raises(ConfigError, match=f'found {opset}, wanted 18 to'):
        write_onnx(references['act'], tmp_path / 'm.onnx', opset)


def test_weights_of_another_shape_are_reported_by_name(references, robot, tmp_path):
    path = describe(tmp_path, robot, 'act')
    (tmp_path / 'w.safetensors').write_bytes(references['act'].weights())
    config = {'joints': 14, 'horizon': HORIZON, 'width': 16}
    with pytest.raises(ConfigError, match=r'body.bias: found \(32,\), wanted \(16,\)'):
        from_module(ACT, config, tmp_path / 'w.safetensors', path)


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        ({'joints': 13}, r'forward: found .*shapes.*\(in condition\), wanted a module that takes'),
        ({'horizon': 9}, rf'joint_targets: found \(1, 9, 14\), wanted \(1, {HORIZON}, 14\)'),
        ({'width': 'wide'}, 'config: found TypeError'),
    ],
)
def test_shapes_that_do_not_match_are_reported_before_any_conversion(
    robot, tmp_path, config, message
):
    path = describe(tmp_path, robot, 'diffusion')
    with pytest.raises(ConfigError, match=message):
        from_module(DIFFUSION, {'joints': 14, 'horizon': HORIZON, **config}, None, path)


def test_a_policy_yaml_without_a_size_is_rejected(robot, tmp_path):
    path = describe(tmp_path, robot, 'diffusion')
    path.write_text(path.read_text().replace('height: 32', ''))
    with pytest.raises(ConfigError, match="inputs, outputs: found no 'height'"):
        from_module(DIFFUSION, {'joints': 14, 'horizon': HORIZON}, None, path)


def without_weights(**config):
    raise KeyError('weights')


def test_a_factory_that_raises_is_one_line(robot, tmp_path):
    with pytest.raises(ConfigError, match="config: found KeyError: 'weights'"):
        own_module(robot, tmp_path, 'without_weights')


def test_code_that_cannot_be_traced_is_reported_with_its_line_and_nothing_else(
    robot, tmp_path, capfd
):
    reference = own_module(robot, tmp_path, 'branching')
    with pytest.raises(ConfigError, match=r'at: if state.sum\(\) > 0: .*test_export.py'):
        write_onnx(reference, tmp_path / 'model.onnx')
    assert capfd.readouterr() == ('', '')


def test_outputs_that_policy_yaml_does_not_promise_are_refused(references, options, tmp_path):
    policy = json.loads(json.dumps(references['act'].policy))
    policy['outputs']['action']['horizon'] = HORIZON + 1
    wrong = references['act'].__class__(
        references['act'].module, policy, ACT, {}, references['act'].attachments
    )
    with pytest.raises(ConfigError, match='joint_targets'):
        export(wrong, tmp_path / 'b', 'torchscript-trace', options)
    assert not (tmp_path / 'b').exists()


def test_without_room_on_the_disk_nothing_is_left(references, options, tmp_path, monkeypatch):
    usage = type('Usage', (), {'free': 1000})
    monkeypatch.setattr(atomic_io.shutil, 'disk_usage', lambda path: usage)
    with pytest.raises(ConfigError, match='disk: found 0.0 MB free'):
        export(references['act'], tmp_path / 'b', 'torchscript-trace', options)
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_while_writing_leaves_the_old_bundle(
    bundles, references, options, tmp_path, monkeypatch
):
    out = tmp_path / 'b'
    export(references['act'], out, 'torchscript-trace', options)
    before = (out / 'policy.yaml').read_bytes()

    def full(*arguments, **keywords):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr('vla_deploy.publishing.write_policy', full)
    with pytest.raises(ConfigError, match='disk'):
        export(references['act'], out, 'torchscript-trace', options)
    assert (out / 'policy.yaml').read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ['b']


@pytest.mark.parametrize('form', ['torchscript-trace', 'torch_export', 'onnx', 'onnx-all'])
def test_a_model_that_cannot_be_written_is_one_error_and_leaves_nothing(
    references, bundles, options, tmp_path, monkeypatch, form
):
    """No file may grow beyond 8 kB: writers in C++ meet that as they meet a full disk."""
    given = bundles['diffusion'] / 'model.onnx'  # exported once is enough
    monkeypatch.setattr(convert.torch.onnx, 'export', lambda *a, **_: shutil.copy(given, a[2]))
    plain = tmp_path / 'plain.onnx'
    shutil.copy(given, plain)
    monkeypatch.setattr(exporting, 'write_onnx', lambda *_: None)
    monkeypatch.setattr(exporting, 'write_optimised', lambda _, *a: write_optimised(plain, *a))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
    try:
        with pytest.raises(ConfigError, match=r'b.*: (--out: found File too large|disk: found)'):
            export(references['diffusion'], tmp_path / 'b', form, options)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == [plain]


def test_a_directory_that_is_no_bundle_is_not_overwritten(references, options, tmp_path):
    (tmp_path / 'thesis.tex').write_text('years of work')
    with pytest.raises(ConfigError, match='something that is no bundle'):
        export(references['act'], tmp_path, 'torchscript-trace', options)
    assert (tmp_path / 'thesis.tex').read_text() == 'years of work'


def test_files_beside_a_bundle_outlive_its_replacement_and_its_own_do_not(tmp_path):
    out = tmp_path / 'b'
    (out / 'pictures').mkdir(parents=True)
    (out / 'pictures' / 'loss.png').write_bytes(b'a picture')
    (out / 'README.md').write_text('what it is')
    (out / 'model.old').write_text('the model')
    atomic_io.write_policy(out, {'model': 'model.old'}, ['model.old'])
    with atomic_io.staged(out) as draft:
        (draft / 'model.new').write_text('another')
        atomic_io.write_policy(draft, {'model': 'model.new'}, ['model.new'])
    assert (out / 'README.md').read_text() == 'what it is'
    assert (out / 'pictures' / 'loss.png').read_bytes() == b'a picture'
    names = {path.name for path in out.iterdir()}
    assert names == {'README.md', 'pictures', 'model.new', 'policy.yaml'}
    assert [path.name for path in tmp_path.iterdir()] == ['b']


def test_a_place_that_cannot_be_written_is_reported_before_any_work(
    bundles, tmp_path, monkeypatch, capsys
):
    (tmp_path / 'thesis.tex').write_text('years of work')
    for out in (tmp_path, tmp_path / 'thesis.tex' / 'b'):
        monkeypatch.setattr(
            'vla_deploy.publishing.expected_answers', lambda *_: pytest.fail('worked first')
        )
        assert prune_command.main(['--bundle', str(bundles['act']), '--out', str(out)]) == 2
        assert '--out: found' in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ['thesis.tex']


def test_the_command_reports_its_result_as_json(robot, observed, tmp_path, json_of):
    path = describe(tmp_path / 'mine', robot, 'diffusion')
    arguments = ['--module', 'vla_deploy.examples.diffusion:make', '--policy', path]
    arguments += ['--config', '{"joints": 14, "horizon": 8}', '--form', 'torchscript-script']
    output = json_of(export_command.main, *arguments, *observed, '--out', tmp_path / 'b')
    assert output['passed'] and output['observations'] == 24
    assert len(output['joints']) == 14


def test_a_missing_run_is_one_line_and_exit_code_2(tmp_path, capsys):
    assert export_command.main(['--run', str(tmp_path), '--out', str(tmp_path / 'b')]) == 2
    assert 'a checkpoint that train wrote' in capsys.readouterr().err


def test_the_tiny_policies_match_their_descriptions(references, robot):
    for kind, reference in references.items():
        assert reference.policy['inputs'] == policy_of(robot, kind)['inputs']
        with torch.no_grad():
            answer = reference.module(*reference.sample(3))
        action = answer[0] if kind == 'act' else answer
        assert action.shape == (3, HORIZON, 14)


def test_forms_are_those_that_inference_runs_or_will(bundles):
    assert {'onnx', 'torchscript'} <= {form.runtime for form in exporting.FORMS.values()}

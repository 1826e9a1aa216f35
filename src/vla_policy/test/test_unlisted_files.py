# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Only bytes whose hash is listed reach a runtime, wherever the process was started."""

import hashlib
import io
import json
import re
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import yaml
from onnx import helper

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_policy.bundle.bundle import load_bundle
from vla_policy.load import load_policy
from vla_policy.runtimes.onnx_external import PARTS, external_files
from vla_policy.testing.bundles import HORIZON, ONNX, write_bundle, write_policy, write_tokenizer

SHA256 = re.compile('[0-9a-f]{64}')


def externalise(directory, model='model.onnx', location='weights.bin'):
    """Move all weights of a bundle's model into another file, and bring the hash up to date."""
    (directory / model).parent.mkdir(exist_ok=True)
    onnx.save(
        onnx.load(str(directory / 'model.onnx')),
        str(directory / model),
        save_as_external_data=True,
        location=location,
        size_threshold=80,  # not the axes: ONNX Runtime reads those while it infers shapes
        convert_attribute=True,
    )
    relist(directory, model, 'tokenizer.json')


def relist(directory, model, *others):
    content = yaml.safe_load((directory / 'policy.yaml').read_text())
    content['model'] = model
    content['files'] = {
        name: hashlib.sha256((directory / name).read_bytes()).hexdigest()
        for name in (model, *others)
    }
    (directory / 'policy.yaml').write_text(yaml.safe_dump(content))


@pytest.mark.parametrize('start', ['the bundle', 'elsewhere'])
def test_unlisted_external_data_is_rejected_with_both_remedies(tmp_path, robot, monkeypatch, start):
    write_bundle(tmp_path / 'bundle')
    externalise(tmp_path / 'bundle')
    monkeypatch.chdir(tmp_path / 'bundle' if start == 'the bundle' else tmp_path)
    with pytest.raises(ConfigError) as error:
        load_policy(tmp_path / 'bundle', robot)
    assert error.value.key == 'files.weights.bin'
    assert error.value.found == 'nothing, and model.onnx has weights in weights.bin'
    assert 'sha256sum weights.bin' in error.value.wanted and 'onnx.save' in error.value.wanted
    documented('Unlisted bytes', 'weights outside an ONNX model', error.value, tmp_path)


@pytest.mark.parametrize('model', ['model.onnx', 'onnx/model.onnx'])
def test_listed_external_data_is_taken_from_the_checked_bytes(
    tmp_path, robot, observe, monkeypatch, model
):
    write_bundle(tmp_path / 'whole')
    wanted = load_policy(tmp_path / 'whole', robot).predict(observe()).positions
    bundle = tmp_path / 'split'
    write_bundle(bundle)
    externalise(bundle, model)
    beside = str(Path(model).parent / 'weights.bin')
    relist(bundle, model, beside, 'tokenizer.json')
    # Another file of that name, where ONNX Runtime would look.
    (tmp_path / 'weights.bin').write_bytes(np.ones(3 * HORIZON, np.float32).tobytes())
    monkeypatch.chdir(tmp_path)
    found = load_policy(bundle, robot).predict(observe()).positions
    np.testing.assert_array_equal(found, wanted)
    (bundle / beside).write_bytes(b'changed')
    with pytest.raises(ConfigError, match=f'files.{beside}: found a file with SHA-256') as error:
        load_policy(bundle, robot)
    if model == 'model.onnx':
        documented('Unlisted bytes', 'listed weights that changed', error.value, bundle, SHA256)


def test_a_verification_does_not_outlive_its_external_weights(tmp_path):
    write_bundle(tmp_path)
    assert load_bundle(tmp_path).model_sha256 == load_bundle(tmp_path).files['model.onnx']
    externalise(tmp_path)
    relist(tmp_path, 'model.onnx', 'weights.bin', 'tokenizer.json')
    before = load_bundle(tmp_path).model_sha256
    (tmp_path / 'weights.bin').write_bytes(b'other weights')
    relist(tmp_path, 'model.onnx', 'weights.bin', 'tokenizer.json')
    assert load_bundle(tmp_path).model_sha256 != before


@pytest.mark.parametrize('location', ['../weights.bin', '/etc/hostname', '*/_ORT_MEM_ADDR_/*'])
def test_external_data_outside_the_bundle_cannot_be_listed(tmp_path, robot, location):
    write_bundle(tmp_path)
    externalise(tmp_path)
    model = onnx.load(str(tmp_path / 'model.onnx'), load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == 'location':
                entry.value = location
    (tmp_path / 'model.onnx').write_bytes(model.SerializeToString())
    relist(tmp_path, 'model.onnx', 'tokenizer.json')
    with pytest.raises(ConfigError) as error:
        load_policy(tmp_path, robot)
    assert location in str(error.value.found)
    if location == '../weights.bin':
        documented('Unlisted bytes', 'weights beside the bundle', error.value, tmp_path)


def test_every_path_to_a_tensor_in_an_onnx_model_is_walked():
    """The table against the package onnx: no message that holds tensors is left out."""
    pending, seen = [onnx.ModelProto.DESCRIPTOR], {}

    def holds_tensors(message, above=()):
        return message.name == 'TensorProto' or any(
            field.message_type is not None
            and field.message_type.name not in above
            and holds_tensors(field.message_type, (*above, message.name))
            for field in message.fields
        )

    while pending:
        message = pending.pop()
        if message.name in seen or message.name == 'TensorProto':
            continue
        inner = {f.number: f.message_type for f in message.fields if f.message_type is not None}
        seen[message.name] = {n: m.name for n, m in inner.items() if holds_tensors(m)}
        pending += [m for m in inner.values() if m.name in seen[message.name].values()]
    # A graph's quantisation names tensors, and holds none.
    assert {name: parts for name, parts in seen.items() if parts} == {
        name: parts for name, parts in PARTS.items() if name != 'TensorProto'
    }
    (entry,) = [f for f in onnx.TensorProto.DESCRIPTOR.fields if f.name == 'external_data']
    assert PARTS['TensorProto'] == {entry.number: entry.message_type.name}


def test_external_data_is_found_inside_branches_and_functions():
    def outside(name, location):
        tensor = onnx.TensorProto(name=name, data_type=1, dims=[1])
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key='location', value=location)
        tensor.external_data.add(key='offset', value='0')
        return tensor

    constant = helper.make_node('Constant', [], ['c'], value=outside('c', 'in_a_branch'))
    branch = helper.make_graph([constant], 'b', [], [])
    function = helper.make_function(
        'd',
        'f',
        [],
        ['c'],
        [helper.make_node('Constant', [], ['c'], value=outside('c', 'in_a_function'))],
        [helper.make_opsetid('', 17)],
    )
    graph = helper.make_graph(
        [helper.make_node('If', ['x'], ['y'], then_branch=branch, else_branch=branch)],
        'g',
        [],
        [],
        [outside('w', 'plain')],
    )
    model = helper.make_model(graph, functions=[function])
    assert external_files(model.SerializeToString()) == ['in_a_branch', 'in_a_function', 'plain']
    graph.node.add(op_type='EPContext', domain='com.microsoft')
    with pytest.raises(ValueError, match='EPContext'):
        external_files(helper.make_model(graph).SerializeToString())


@pytest.mark.parametrize(
    'content', [b'not a model at all', b'\x0a\xff\xff\xff\xff\x0f', b'\xff' * 9]
)
def test_bytes_that_are_no_protobuf_are_rejected(content):
    with pytest.raises(ValueError, match='no protobuf message|cut off'):
        external_files(content)


def test_torchscript_that_opens_a_file_is_rejected(tmp_path, robot):
    class Opens(torch.nn.Module):
        def forward(self, image: torch.Tensor, state: torch.Tensor, words: torch.Tensor):
            return torch.from_file('weights.bin', False, 15).reshape(1, 5, 3)

    content = write_bundle(tmp_path, runtime='torchscript')
    torch.jit.save(torch.jit.script(Opens()), str(tmp_path / 'model.pt'))
    relist(tmp_path, content['model'], 'tokenizer.json')
    with pytest.raises(ConfigError, match='model: found the operator aten::from_file') as error:
        load_policy(tmp_path, robot)
    documented('Unlisted bytes', 'TorchScript that opens a file', error.value, tmp_path)


def test_exported_program_with_compiled_code_is_rejected(tmp_path, robot):
    class Plain(torch.nn.Module):
        def forward(self, image, state, words):
            return state.unsqueeze(1).repeat(1, HORIZON, 1)

    example = (torch.zeros(1, 3, 8, 8), torch.zeros(1, 3), torch.zeros(1, 4).long())
    file = io.BytesIO()
    torch.export.save(torch.export.export(Plain(), example), file)
    with zipfile.ZipFile(file, 'a') as archive:
        root = archive.namelist()[0].split('/')[0]
        archive.writestr(f'{root}/data/aotinductor/model/model.so', b'\x7fELF')
    (tmp_path / 'model.pt2').write_bytes(file.getvalue())
    write_tokenizer(tmp_path / 'tokenizer.json')
    described = ONNX | {'runtime': 'torch_export', 'model': 'model.pt2'}
    write_policy(tmp_path, described, 'model.pt2', 'tokenizer.json')
    with pytest.raises(ConfigError, match=r'model.so, compiled code') as error:
        load_policy(tmp_path, robot)
    documented('Unlisted bytes', 'compiled code in a .pt2', error.value, tmp_path)


@pytest.mark.parametrize('entry', ['', 'absolute'])
def test_a_factory_that_lies_in_the_bundle_is_rejected_before_it_runs(tmp_path, monkeypatch, entry):
    """A process started inside the bundle has that directory on its path."""
    (tmp_path / 'own_network.py').write_text('raise SystemExit("the code of the bundle has run")')
    (tmp_path / 'w.safetensors').write_bytes(b'')

    def change(content):
        content.update(
            runtime='pytorch', source={'factory': 'own_network:make', 'weights': 'w.safetensors'}
        )
        del content['model']
        content['files']['w.safetensors'] = hashlib.sha256(b'').hexdigest()

    write_bundle(tmp_path, change)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'path', [entry and str(tmp_path), *sys.path])
    with pytest.raises(
        ConfigError, match=r'source.factory: found own_network:make in the bundle'
    ) as error:
        load_bundle(tmp_path)
    documented('Unlisted bytes', 'a factory inside the bundle', error.value, tmp_path)


def test_packages_in_the_bundle_do_not_replace_installed_ones(tmp_path, robot, monkeypatch):
    write_bundle(tmp_path)
    (tmp_path / 'onnxruntime.py').write_text('raise SystemExit("the code of the bundle has run")')
    (tmp_path / 'evil.dist-info').mkdir()
    (tmp_path / 'evil.dist-info' / 'METADATA').write_text('Name: evil\nVersion: 1\n')
    (tmp_path / 'evil.dist-info' / 'entry_points.txt').write_text('[vla.runtimes]\nevil = a:b\n')
    monkeypatch.chdir(tmp_path)
    path = ['', str(tmp_path), *sys.path]
    monkeypatch.setattr(sys, 'path', path.copy())
    for name in [n for n in sys.modules if n.partition('.')[0] == 'onnxruntime']:
        monkeypatch.delitem(sys.modules, name)
    load_policy('.', robot).close()
    assert sys.path == path
    content = yaml.safe_load((tmp_path / 'policy.yaml').read_text()) | {'runtime': 'evil'}
    (tmp_path / 'policy.yaml').write_text(json.dumps(content))
    with pytest.raises(ConfigError, match='runtime: found evil, wanted one of onnx, ') as error:
        load_bundle('.')
    documented('Unlisted bytes', 'a runtime that the bundle registers', error.value, tmp_path)

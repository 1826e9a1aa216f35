# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""torch.export programs, eager modules, TensorRT engines, providers, devices and precision."""

import io
import json
import pickle
import re
import sys
import types
import zipfile

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save

from vla_common.errors import ConfigError
from vla_policy.bundle.bundle import load_bundle
from vla_policy.load import load_policy
from vla_policy.runtimes import CALLS
from vla_policy.runtimes.onnx import providers
from vla_policy.runtimes.torch_module import torch_device
from vla_policy.testing import tensorrt_double
from vla_policy.testing.bundles import (
    HORIZON,
    JOINTS,
    LENGTH,
    ONNX,
    SIZE,
    expected,
    write_bundle,
    write_policy,
    write_tokenizer,
)
from vla_policy.types import PolicyError


class Tiny(torch.nn.Module):
    """0.1 state + 0.01 image mean + 0.001 token, with the first two as weights."""

    def __init__(self, horizon: int) -> None:
        super().__init__()
        self.horizon = horizon
        self.scale = torch.nn.Parameter(torch.tensor([0.1, 0.01]))

    def forward(self, image, state, words):
        row = self.scale[0] * state + self.scale[1] * image.mean() + 0.001 * words[:, :1]
        return row.unsqueeze(1).repeat(1, self.horizon, 1).to(self.scale.dtype)


def make_tiny(horizon: int) -> torch.nn.Module:
    return Tiny(horizon)


def make_nothing() -> str:
    return 'no module'


EXAMPLE = (torch.zeros(1, 3, SIZE, SIZE), torch.zeros(1, 3), torch.zeros(1, LENGTH).long())


def write(directory, runtime, name, content, **changes):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_bytes(content)
    write_tokenizer(directory / 'tokenizer.json')
    policy = ONNX | {'runtime': runtime, 'model': name} | changes
    return write_policy(directory, policy, name, 'tokenizer.json')


def program() -> bytes:
    file = io.BytesIO()
    torch.export.save(torch.export.export(Tiny(HORIZON).eval(), EXAMPLE), file)
    return file.getvalue()


def write_eager(directory, **changes):
    source = {
        'factory': f'{__name__}:make_tiny',
        'config': {'horizon': HORIZON},
        'weights': 'weights.safetensors',
    } | changes.pop('source', {})
    weights = changes.pop('weights', None) or save(Tiny(HORIZON).state_dict())
    return write(directory, 'pytorch', 'weights.safetensors', weights, source=source, **changes)


def right(policy, robot, position):
    values = {name: position[robot.index[name]] for name in JOINTS}
    # The picture is grey: 128 / 255 between 0 and 1, minus the mean, over the deviation.
    return expected(policy, values, (128 / 255 - 0.5) / 0.5, 2)


@pytest.mark.parametrize('form', ['torch_export', 'pytorch'])
def test_each_form_gives_the_targets_computed_by_hand(tmp_path, robot, observe, form):
    if form == 'pytorch':
        described = write_eager(tmp_path)
    else:
        described = write(tmp_path, form, 'model.pt2', program())
    policy = load_policy(tmp_path, robot)
    observation = observe()
    chunk = policy.predict(observation)
    wanted = right(described, robot, observation.position)
    np.testing.assert_allclose(chunk.positions, wanted, atol=1e-5)
    assert policy.bundle.runtime == form
    policy.close()


@pytest.mark.parametrize('precision', ['bfloat16', 'float16'])
def test_half_precision_is_near_and_not_the_same(tmp_path, robot, observe, precision):
    described = write_eager(tmp_path, precision=precision)
    policy = load_policy(tmp_path, robot)
    observation = observe(position=robot.poses['ready'].copy())
    chunk = policy.predict(observation)
    wanted = right(described, robot, observation.position)
    np.testing.assert_allclose(chunk.positions, wanted, atol=5e-3)
    assert np.abs(chunk.positions - wanted).max() > 1e-6
    policy.close()


def test_program_keeps_the_precision_of_its_export(tmp_path, robot):
    write(tmp_path, 'torch_export', 'model.pt2', program(), precision='bfloat16')
    with pytest.raises(ConfigError, match='precision: found bfloat16, wanted none'):
        load_policy(tmp_path, robot)


class Bomb:
    def __reduce__(self):
        return (sys.exit, (7,))


def with_entry(content: bytes, end: str, entry: bytes, new: str = '') -> bytes:
    """The archive with the entry that ends so replaced, or with a new one beside it."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, 'w') as made:
        for name in old.namelist():
            hit = name.endswith(end)
            made.writestr(name, entry if hit and not new else old.read(name))
            if hit and new:
                made.writestr(name.rsplit('/', 1)[0] + '/' + new, entry)
    return out.getvalue()


def test_program_that_would_run_code_is_refused_before_it_is_read(tmp_path, robot):
    good = program()
    bomb = pickle.dumps(Bomb())
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        names = archive.namelist()
    weights = next(name for name in names if name.endswith('weights_config.json'))
    marked = {'config': {'scale': {'path_name': 'weight_0', 'use_pickle': True}}}
    for content, reason in (
        (with_entry(good, 'model.pt', bomb), 'which would run code'),
        (with_entry(good, weights, bomb, 'opaque_obj_0'), 'a pickled object'),
        (with_entry(good, weights, json.dumps(marked).encode()), 'marks pickled tensors'),
        (with_entry(good, 'archive_format', b'', 'x')[:50], 'no archive'),
    ):
        write(tmp_path, 'torch_export', 'model.pt2', content)
        with pytest.raises(ConfigError, match=reason):
            load_policy(tmp_path, robot)


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({'source': {'factory': 'nowhere:make'}}, 'source.factory: found nowhere:make'),
        ({'source': {'factory': f'{__name__}:make_nothing', 'config': {}}}, 'of a torch Module'),
        ({'source': {'config': {'size': 3}}}, 'source.config'),
        ({'weights': b'garbage'}, 'a safetensors file'),
        ({'weights': save({'other': torch.zeros(2)})}, 'the tensors of'),
        ({'weights': save({'scale': torch.zeros(5)})}, 'the tensors of'),
        ({'precision': 'int8'}, 'precision: found int8'),
    ],
)
def test_eager_module_that_does_not_fit_is_refused(tmp_path, robot, changes, reason):
    write_eager(tmp_path, **changes)
    with pytest.raises(ConfigError, match=re.escape(reason)):
        load_policy(tmp_path, robot)


def test_eager_bundle_without_a_source_is_refused(tmp_path):
    policy = write_eager(tmp_path)
    del policy['source']
    (tmp_path / 'policy.yaml').write_text(yaml.safe_dump(policy))
    with pytest.raises(ConfigError, match='source: found nothing'):
        load_bundle(tmp_path)


def test_large_model_is_spread_by_accelerate(tmp_path, robot, observe, monkeypatch):
    described = write_eager(tmp_path, device_map='auto')
    monkeypatch.setitem(sys.modules, 'accelerate', None)
    with pytest.raises(ConfigError, match='device_map: found auto, wanted .* accelerate installed'):
        load_policy(tmp_path, robot)
    spread = []
    double = types.ModuleType('accelerate')
    double.infer_auto_device_map = lambda module, no_split_module_classes: {'': 'cpu'}
    double.dispatch_model = lambda module, where: spread.append(where) or module
    monkeypatch.setitem(sys.modules, 'accelerate', double)
    observation = observe()
    chunk = load_policy(tmp_path, robot).predict(observation)
    assert spread == [{'': 'cpu'}]
    wanted = right(described, robot, observation.position)
    np.testing.assert_allclose(chunk.positions, wanted, atol=1e-5)


@pytest.mark.parametrize('device_map', ['auto', {'': 'cpu'}])
def test_accelerate_itself_spreads_over_what_is_there(tmp_path, robot, observe, device_map):
    pytest.importorskip('accelerate')
    described = write_eager(tmp_path, device_map=device_map)
    observation = observe()
    chunk = load_policy(tmp_path, robot).predict(observation)
    wanted = right(described, robot, observation.position)
    np.testing.assert_allclose(chunk.positions, wanted, atol=1e-5)


@pytest.mark.parametrize(
    ('device_map', 'reason'),
    [
        ('balanced', 'device_map: found balanced, wanted auto, or modules'),
        ({}, 'device_map: found {}, wanted auto, or modules'),
        ({'head': 0}, 'device_map: found head: 0, wanted auto, or modules'),
        ({'': 'cuda:0'}, 'device_map.: found cuda:0, wanted cpu: torch sees no CUDA device'),
        ({'': 'tpu'}, 'device_map.: found tpu, wanted cpu or cuda:N'),
        ({'nowhere': 'cpu'}, 'wanted every part of the model on one device'),
    ],
)
def test_impossible_device_map_is_rejected_with_its_reason(
    tmp_path, robot, monkeypatch, device_map, reason
):
    pytest.importorskip('accelerate')
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    write_eager(tmp_path, device_map=device_map)
    with pytest.raises(ConfigError, match=re.escape(reason)):
        load_policy(tmp_path, robot)


# --- devices ---


@pytest.mark.parametrize('device', ['cuda:0', 'cuda:7', 'mps', 'nonsense', ''])
def test_device_that_is_not_there_is_refused_and_never_replaced(device, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: device == 'cuda:7')
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    with pytest.raises(ConfigError, match=f'device: found {device}'):
        torch_device(torch, device)


class Ort:
    def __init__(self, *there):
        self._there = [f'{name}ExecutionProvider' for name in there]

    def get_available_providers(self):
        return self._there


def test_onnx_providers_follow_the_device():
    options = {'device_id': '1'}
    everything = Ort('Tensorrt', 'CUDA', 'CPU')
    assert providers(everything, 'cpu') == ['CPUExecutionProvider']
    assert providers(everything, 'cuda:1') == [
        ('CUDAExecutionProvider', options),
        'CPUExecutionProvider',
    ]
    assert providers(everything, 'tensorrt:1')[0] == ('TensorrtExecutionProvider', options)
    with pytest.raises(ConfigError, match='found tensorrt, wanted cpu or cuda: this ONNX Runtime'):
        providers(Ort('CUDA', 'CPU'), 'tensorrt')
    for nonsense in ('cuda:x', 'cpu:1', 'npu'):
        with pytest.raises(ConfigError, match='wanted cpu, cuda:N or tensorrt:N'):
            providers(everything, nonsense)


def test_onnx_on_cuda_is_refused_where_there_is_none(tmp_path, robot):
    write_bundle(tmp_path)
    with pytest.raises(ConfigError, match='device: found cuda:0, wanted cpu'):
        load_policy(tmp_path, robot, device='cuda:0')


# --- TensorRT ---


def engine(**changes) -> bytes:
    tensors = {
        'image': {'mode': 'INPUT', 'dtype': 'HALF', 'shape': [1, 3, SIZE, SIZE]},
        'proprioception': {'mode': 'INPUT', 'dtype': 'FLOAT', 'shape': [-1, 3]},
        'language_features': {'mode': 'INPUT', 'dtype': 'INT64', 'shape': [1, LENGTH]},
        'joint_targets': {'mode': 'OUTPUT', 'dtype': 'FLOAT', 'shape': [1, HORIZON, 3]},
        'attention': {'mode': 'OUTPUT', 'dtype': 'FLOAT', 'shape': [1, 4]},
    }
    for name, change in changes.pop('tensors', {}).items():
        if change is None:
            del tensors[name]
        else:
            tensors[name] = tensors.get(name, {}) | change
    content = {'gpu': tensorrt_double.GPU, 'tensors': tensors} | changes
    return json.dumps(content).encode()


def test_engine_runs_by_named_tensors(tmp_path, robot, observe, monkeypatch):
    tensorrt_double.install(monkeypatch)
    described = write(tmp_path, 'tensorrt', 'model.engine', engine())
    policy = load_policy(tmp_path, robot, device='cuda:0')
    observation = observe()
    chunk = policy.predict(observation)
    inputs = policy.inputs(observation)
    raw = 0.5 * np.mean([float(np.mean(tensor)) for tensor in inputs.values()])
    action = described['outputs']['action']
    wanted = raw * np.array(action['std']) + np.array(action['mean'])
    np.testing.assert_allclose(chunk.positions, np.tile(wanted, (HORIZON, 1)), atol=1e-3)
    assert policy._runtime.memory() > 4096
    policy.close()


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({'gpu': 'older'}, 'wanted one built for this GPU (another GPU) with TensorRT 10.13.0'),
        ({'tensors': {'image': {'shape': [1, 3, 9, 9]}}}, 'input image: found float16'),
        ({'tensors': {'image': {'dtype': 'INT8'}}}, 'input image'),
        ({'tensors': {'language_features': {'dtype': 'FLOAT'}}}, 'input language_features'),
        ({'tensors': {'joint_targets': {'shape': [1, 2, 3]}}}, 'output joint_targets'),
        ({'tensors': {'image': None}}, 'image: found only'),
        ({'tensors': {'attention': {'shape': [-1, 4]}}}, 'output attention'),
        (
            {'tensors': {'depth': {'mode': 'INPUT', 'dtype': 'FLOAT', 'shape': [1]}}},
            'input depth: found an input, wanted only those of policy.yaml',
        ),
    ],
)
def test_engine_that_does_not_fit_is_refused_with_the_reason(
    tmp_path, robot, monkeypatch, changes, reason
):
    tensorrt_double.install(monkeypatch)
    write(tmp_path, 'tensorrt', 'model.engine', engine(**changes))
    with pytest.raises(ConfigError, match=re.escape(reason)):
        load_policy(tmp_path, robot, device='cuda:0')


BUILT = {
    'gpu': 'another GPU',
    'compute_capability': '8.7',
    'tensorrt': '10.13.0',
    'precision': 'fp16',
    'onnx_sha256': 64 * 'a',
}


def with_engine(tmp_path, **changes):
    described = write(tmp_path, 'tensorrt', 'model.engine', engine())
    described['engine'] = BUILT | changes
    (tmp_path / 'policy.yaml').write_text(yaml.safe_dump(described, sort_keys=False))


@pytest.mark.parametrize(
    ('key', 'value'), [('gpu', 'Orin'), ('compute_capability', '9.0'), ('tensorrt', '10.3.0')]
)
def test_an_engine_of_another_computer_is_refused_before_it_is_read(
    tmp_path, robot, monkeypatch, key, value
):
    tensorrt_double.install(monkeypatch)
    with_engine(tmp_path)
    load_policy(tmp_path, robot, device='cuda:0').close()
    with_engine(tmp_path, **{key: value})
    reason = f'engine.{key}: found {value}, wanted {BUILT[key]}, as here: build it again'
    with pytest.raises(ConfigError, match=reason):
        load_policy(tmp_path, robot, device='cuda:0')


@pytest.mark.parametrize(
    ('key', 'value'), [('compute_capability', '87'), ('onnx_sha256', 'no'), ('colour', 'red')]
)
def test_a_malformed_section_about_the_engine_is_refused_by_key(tmp_path, robot, key, value):
    with_engine(tmp_path, **{key: value})
    with pytest.raises(ConfigError, match=f'engine.{key}'):
        load_policy(tmp_path, robot, device='cuda:0')


def test_engine_that_fails_is_a_policy_error(tmp_path, robot, observe, monkeypatch):
    tensorrt_double.install(monkeypatch)
    write(tmp_path, 'tensorrt', 'model.engine', engine(fails_after=0))
    with pytest.raises(ConfigError, match='execute_async_v3 failed'):
        load_policy(tmp_path, robot, device='cuda:0')
    write(tmp_path, 'tensorrt', 'model.engine', engine(fails_after=CALLS))
    policy = load_policy(tmp_path, robot, device='cuda:0')
    with pytest.raises(PolicyError, match='execute_async_v3 failed'):
        policy.predict(observe())


def test_missing_or_old_tensorrt_is_reported(tmp_path, robot, monkeypatch):
    write(tmp_path, 'tensorrt', 'model.engine', engine())
    monkeypatch.setitem(sys.modules, 'tensorrt', None)
    with pytest.raises(ConfigError, match='runtime: found tensorrt, wanted the Python package'):
        load_policy(tmp_path, robot, device='cuda:0')
    tensorrt_double.install(monkeypatch, version='8.6.1')
    with pytest.raises(ConfigError, match='version: found 8.6.1, wanted 10 or later'):
        load_policy(tmp_path, robot, device='cuda:0')

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Engines by a double of TensorRT that is strict about the API; graphs in ONNX Runtime."""

import shutil
import sys
from dataclasses import replace

import onnx
import pytest
import tensorrt_builder_double
import yaml
from conftest import HORIZON
from test_export import observation_from

from vla_common.errors import ConfigError
from vla_deploy.commands import build_engine as command
from vla_deploy.parity import ParityLimits
from vla_deploy.tensorrt.building import EngineSettings, build
from vla_deploy.tensorrt.engine_bundle import build_engine, ranges_for
from vla_deploy.tensorrt.precision import PRECISIONS, Ranges, write_typed
from vla_policy.bundle.bundle import load_bundle
from vla_policy.load import load_policy


@pytest.fixture
def tensorrt(monkeypatch):
    tensorrt_builder_double.install(monkeypatch)
    return tensorrt_builder_double


def made(bundles, options, out, precision='fp16', kind='act', **settings):
    ranges = ranges_for(bundles[kind], precision, options, None)
    chosen = EngineSettings(**settings)
    return build_engine(bundles[kind], out, precision, options, ranges, settings=chosen)


@pytest.mark.parametrize('kind', ['act', 'diffusion'])
@pytest.mark.parametrize('precision', ['fp32', 'fp16', 'int8', 'fp8'])
def test_an_engine_is_verified_names_its_computer_and_answers_in_the_inference_node(
    tensorrt, bundles, options, robot, recording, tmp_path, kind, precision
):
    ranges = ranges_for(bundles[kind], precision, options, None)
    wide = ParityLimits(0.3, 0.97)  # untrained networks bear eight bits badly
    built = build_engine(
        bundles[kind], tmp_path / 'e', precision, replace(options, limits=wide), ranges
    )
    assert built.result.passed
    bundle = load_bundle(tmp_path / 'e', robot)
    assert bundle.runtime == 'tensorrt' and bundle.model.engine.precision == precision
    assert (bundle.model.engine.gpu, bundle.model.engine.compute_capability) == (
        'Double 3000',
        '8.7',
    )
    assert bundle.model.engine.tensorrt == tensorrt.VERSION
    policy = load_policy(tmp_path / 'e', robot, device='cuda:0')
    chunk = policy.predict(observation_from(robot, recording))
    assert chunk.positions.shape == (HORIZON, len(robot.groups['arms']))
    policy.close()


def test_the_builder_gets_workspace_effort_profile_and_timing_cache(
    tensorrt, bundles, options, tmp_path
):
    cache = tmp_path / 'timing'
    cache.write_bytes(b'timings of another GPU')  # is left aside, then replaced
    requested = {'batches': (1, 2, 8), 'workspace_mb': 64, 'level': 5, 'timing_cache': cache}
    made(bundles, options, tmp_path / 'e', 'fp32', **requested)
    (config,) = tensorrt.builds
    assert config.pools[tensorrt.MemoryPoolType.WORKSPACE] == 64 << 20
    assert config.builder_optimization_level == 5
    assert tensorrt.BuilderFlag.TF32 not in config.flags
    shapes = config.profiles[0].shapes
    assert shapes['proprioception'] == ((1, 14), (2, 14), (8, 14))
    assert config.cache.content == b'' and cache.read_bytes() == b'timings of Double 3000'
    # With several outputs of a free batch only the action is left, and it loads.
    policy = load_bundle(tmp_path / 'e')
    assert policy.model.gripper is None
    made(bundles, options, tmp_path / 'e', 'fp32', timing_cache=cache, tf32=True)
    second = tensorrt.builds[1]
    assert second.cache.content == b'timings of Double 3000' and not second.profiles
    assert tensorrt.BuilderFlag.TF32 in second.flags


@pytest.mark.parametrize('precision', PRECISIONS)
def test_the_precision_is_in_the_graph(bundles, options, tmp_path, precision):
    path = tmp_path / 'typed.onnx'
    ranges = ranges_for(bundles['diffusion'], precision, options, None)
    write_typed(bundles['diffusion'], path, precision, ranges)
    model = onnx.load(path)
    assert not [n for n in model.graph.node if n.domain]
    types = {onnx.TensorProto.DataType.Name(t.data_type) for t in model.graph.initializer}
    wanted = {
        'fp32': 'FLOAT',
        'fp16': 'FLOAT16',
        'bf16': 'BFLOAT16',
        'int8': 'INT8',
        'fp8': 'FLOAT8E4M3FN',
    }
    assert wanted[precision] in types
    borders = (*model.graph.input, *model.graph.output)
    assert all(v.type.tensor_type.elem_type == onnx.TensorProto.FLOAT for v in borders)
    pairs = [n.op_type for n in model.graph.node].count('QuantizeLinear')
    assert bool(pairs) == (precision in ('int8', 'fp8'))


def test_an_engine_that_is_another_policy_is_refused_with_its_worst_input(
    tensorrt, bundles, observed, tmp_path, monkeypatch
):
    # A TensorRT that builds from weights of its own.
    real = tensorrt_builder_double.Builder.build_serialized_network

    def wrong(self, network, config):
        for weight in network.model.graph.initializer:
            if len(weight.dims) == 3 and weight.data_type == onnx.TensorProto.FLOAT:
                values = 1.5 * onnx.numpy_helper.to_array(weight)
                weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
        return real(self, network, config)

    monkeypatch.setattr(tensorrt_builder_double.Builder, 'build_serialized_network', wrong)
    out = tmp_path / 'e'
    arguments = ['--bundle', str(bundles['diffusion']), '--out', str(out), '--precision', 'fp32']
    assert command.main([*arguments, *observed]) == 3
    assert not out.exists() and (tmp_path / 'e.worst.npz').is_file()


def test_without_tensorrt_nothing_starts_and_its_installation_is_explained(
    bundles, options, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, 'tensorrt', None)
    arguments = ['--bundle', str(bundles['act']), '--out', str(tmp_path / 'e')]
    assert command.main(arguments) == 2
    text = capsys.readouterr().err
    assert 'TensorRT 10 or later for Python: on a Jetson part of JetPack' in text
    assert len(text.strip().splitlines()) == 1 and list(tmp_path.iterdir()) == []
    tensorrt_builder_double.install(monkeypatch, version='8.6.1')
    with pytest.raises(ConfigError, match='version: found 8.6.1, wanted TensorRT 10 or later'):
        made(bundles, options, tmp_path / 'e')
    tensorrt_builder_double.install(monkeypatch)
    with pytest.raises(ConfigError, match='--device: found cpu'):
        made(bundles, options, tmp_path / 'e', device='cpu')


def test_what_tensorrt_rejects_is_reported_by_operator_and_leaves_nothing(
    tensorrt, bundles, options, tmp_path
):
    with pytest.raises(ConfigError, match='--batch'):
        made(bundles, options, tmp_path / 'e', batches=(1, 8, 2))
    with pytest.raises(ConfigError, match='no engine within 0 MB'):
        made(bundles, options, tmp_path / 'e', workspace_mb=0)
    with pytest.raises(ConfigError, match='no observation'):
        build_engine(bundles['act'], tmp_path / 'e', 'int8', options, Ranges())
    assert [p.name for p in tmp_path.iterdir()] == []
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node('Celu', ['x'], ['y'], 'bend/Celu')],
        'g',
        [value('x', 1, [1])],
        [value('y', 1, [1])],
    )
    onnx.save(onnx.helper.make_model(graph), tmp_path / 'odd.onnx')
    bundle = load_bundle(bundles['act'])
    with pytest.raises(ConfigError, match=r'Celu \(bend/Celu\): no importer registered'):
        build(sys.modules['tensorrt'], tmp_path / 'odd.onnx', bundle, EngineSettings())


def test_bfloat16_needs_the_source(bundles, options, tmp_path):
    shutil.copytree(bundles['act'], tmp_path / 'b')
    content = yaml.safe_load((tmp_path / 'b' / 'policy.yaml').read_text())
    del content['source']
    (tmp_path / 'b' / 'policy.yaml').write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match='source: found nothing'):
        write_typed(tmp_path / 'b', tmp_path / 'x.onnx', 'bf16')


def test_the_graph_alone_is_verified_without_a_gpu(bundles, observed, tmp_path, json_of):
    arguments = ['--bundle', str(bundles['act']), '--graph', str(tmp_path / 'typed.onnx')]
    arguments += observed
    output = json_of(command.main, *arguments, '--precision', 'int8', '--search')
    assert output['passed'] and output['cosine'] >= 0.999
    assert (tmp_path / 'typed.onnx').is_file()
    strict = ['--precision', 'fp8', '--max-error', '1e-6']
    assert command.main([*arguments[:3], str(tmp_path / 'no.onnx'), *arguments[4:], *strict]) == 3
    assert not (tmp_path / 'no.onnx').exists() and (tmp_path / 'no.onnx.worst.npz').is_file()

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Optimised and quantised bundles give the answers of the reference model, or are not written."""

from dataclasses import replace

import onnx
import pytest

from vla_common.errors import ConfigError
from vla_deploy.commands import build_engine as build_engine_command
from vla_deploy.commands import optimise as optimise_command
from vla_deploy.commands import quantise as quantise_command
from vla_deploy.exporting import export
from vla_deploy.optimising import optimise_onnx, optimise_torchscript
from vla_deploy.parity import LOSSY, Parity, ParityLimits
from vla_deploy.quantisation.quantising import quantise
from vla_deploy.quantisation.schemes import SCHEMES, QuantisationSettings
from vla_deploy.quantisation.sensitivity import Layer, fewest_in_float
from vla_deploy.verification import VerificationFailed
from vla_policy.bundle.bundle import load_bundle

WIDE = ParityLimits(0.5, 0.9)  # random weights are less forgiving than trained ones


@pytest.mark.parametrize('level', ['basic', 'extended'])
@pytest.mark.parametrize('kind', ['act', 'diffusion'])
def test_an_optimised_graph_is_smaller_and_the_same(bundles, kind, level, options, tmp_path):
    assert optimise_onnx(bundles[kind], tmp_path / 'b', options, level=level).passed
    before, after = (onnx.load(p / 'model.onnx') for p in (bundles[kind], tmp_path / 'b'))
    assert len(after.graph.node) < len(before.graph.node)
    assert load_bundle(tmp_path / 'b').verification.passed


def test_channels_last_torchscript_is_the_same_policy(bundles, options, tmp_path):
    made = optimise_torchscript(bundles['diffusion'], tmp_path / 'b', options, channels_last=True)
    assert made.passed


@pytest.mark.parametrize('scheme', SCHEMES)
@pytest.mark.parametrize('kind', ['act', 'diffusion'])
def test_every_scheme_gives_a_bundle_that_inference_loads(
    bundles, kind, scheme, options, robot, tmp_path
):
    if kind == 'diffusion' and scheme.endswith('weights'):
        with pytest.raises(ConfigError, match=f'nothing for {scheme}'):
            quantise(bundles[kind], tmp_path / 'b', scheme, replace(options, limits=WIDE))
        return
    made = quantise(
        bundles[kind], tmp_path / 'b', scheme, replace(options, limits=WIDE), search=True
    )
    assert made.quantised > 0 and made.result.passed
    bundle = load_bundle(tmp_path / 'b', robot)
    assert bundle.verification.passed and bundle.source is not None


def test_sensitive_layers_stay_in_float_until_the_policy_is_the_same(bundles, options, tmp_path):
    with pytest.raises(VerificationFailed):
        quantise(bundles['act'], tmp_path / 'b', 'int4-weights', replace(options, limits=LOSSY))
    assert not (tmp_path / 'b').exists()
    made = quantise(bundles['act'], tmp_path / 'b', 'int4-weights', options, search=True)
    assert made.kept and made.result.passed
    assert made.layers[0].name in made.kept  # the most sensitive first
    assert [x.cosine for x in made.layers] == sorted(x.cosine for x in made.layers)


def test_layers_named_by_hand_stay_in_float(bundles, options, tmp_path):
    made = quantise(
        bundles['diffusion'],
        tmp_path / 'b',
        'int8-static',
        replace(options, limits=WIDE),
        keep=['conv'],
    )
    operators = [node.op_type for node in onnx.load(tmp_path / 'b' / 'model.onnx').graph.node]
    assert made.kept and 'Conv' in operators
    assert operators.count('QuantizeLinear') > 0


def test_static_needs_observations_and_known_methods(bundles, options, tmp_path):
    with pytest.raises(ConfigError, match='--method: found guess, wanted one of minmax'):
        quantise(
            bundles['act'],
            tmp_path / 'b',
            'int8-static',
            options,
            settings=QuantisationSettings(method='guess'),
        )
    target = tmp_path / 'x.onnx'
    with pytest.raises(ConfigError, match='--calibration: found no observation'):
        SCHEMES['int8-static'].apply(
            bundles['act'] / 'model.onnx', target, QuantisationSettings(), []
        )
    arguments = ['--bundle', str(bundles['act']), '--scheme', 'int8-static', '--out']
    arguments += [str(tmp_path / 'b'), '--calibration', str(tmp_path / 'none.npz')]
    assert quantise_command.main(arguments) == 2


def test_a_bundle_without_source_or_onnx_is_rejected(
    references, options, observed, tmp_path, capsys
):
    export(references['act'], tmp_path / 'a', 'torchscript-trace', options)
    content = (tmp_path / 'a' / 'policy.yaml').read_text()
    start, end = content.index('source:\n'), content.index('files:')
    (tmp_path / 'a' / 'policy.yaml').write_text(content[:start] + content[end:])
    arguments = ['--bundle', str(tmp_path / 'a'), *observed]
    assert optimise_command.main([*arguments, '--out', str(tmp_path / 'b')]) == 2
    assert 'onnx, or a source to export from' in capsys.readouterr().err


def parity(error: float) -> Parity:
    return Parity(error, error, 1.0, {}, 0, 1)


@pytest.mark.parametrize('needed', [0, 1, 3, 6])
def test_bisection_finds_the_fewest_layers(needed):
    layers = [Layer(str(i), 'Gemm', 1.0, 0.5) for i in range(7)]
    tried = []

    def attempt(keep):
        tried.append(keep)
        return parity(0.0 if len(keep) >= needed else 1.0)

    found = fewest_in_float(layers, attempt, lambda p: p.max_error_rad < 0.5)
    assert found == [str(i) for i in range(needed)]
    assert len(tried) <= 3
    assert fewest_in_float(layers, lambda keep: parity(1.0), lambda p: False) is None


@pytest.mark.parametrize('verb', ['quantise', 'build-engine'])
def test_an_unknown_node_to_keep_is_reported_with_the_nearest_name(
    bundles, observed, tmp_path, capsys, verb
):
    """A misspelt name would be quantised without notice."""
    arguments = ['--bundle', str(bundles['diffusion']), '--keep', 'node_konv2d', *observed]
    if verb == 'quantise':
        arguments += ['--scheme', 'int8-static', '--out', str(tmp_path / 'b')]
        assert quantise_command.main(arguments) == 2
    else:
        arguments += ['--precision', 'int8', '--graph', str(tmp_path / 'typed.onnx')]
        assert build_engine_command.main(arguments) == 2
    output = capsys.readouterr().err
    assert '--keep: found node_konv2d, wanted part of the name of a node, like node_conv' in output
    assert not [*tmp_path.iterdir()]

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Costs are counted right, estimates are physically consistent, and profiles load."""

import json
from dataclasses import replace

import cv2
import numpy as np
import onnx
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from vla_common.errors import ConfigError
from vla_common.parameters import ParameterSchema
from vla_deploy.commands import size
from vla_deploy.sizing.advice import Fits, advise, ranked
from vla_deploy.sizing.calibration import DEFAULT_CALIBRATION, RooflineCalibration
from vla_deploy.sizing.deployment import default_rate, parameters_of, write_profile
from vla_deploy.sizing.graph_cost import MATRIX, GraphCost, NodeCost, cost_of, cost_of_bundle
from vla_deploy.sizing.hardware import load_device, shipped
from vla_deploy.sizing.roofline import estimate

WANTED = [
    'jetson_orin_agx',
    'jetson_orin_nx',
    'jetson_orin_nano',
    'jetson_thor',
    'jetson_xavier_nx',
    'rtx_4090',
    'l4',
    'h100',
    'intel_n100',
    'intel_nuc',
    'up_board',
    'raspberry_pi_4',
    'raspberry_pi_5',
    'coral',
]


def work(operations=1e8, weights=1e7, count=20) -> GraphCost:
    node = NodeCost('n', 'Gemm', MATRIX, operations / count, 1e4, weights / count, 4096)
    return GraphCost((node,) * count, weights, 1e5, 1e5, ())


def advice_for(name, cost=None, rate=12.0):
    return advise(cost or work(), load_device(name), rate, DEFAULT_CALIBRATION, 2.0)


@pytest.mark.parametrize('kind', ['act', 'diffusion'])
def test_matrix_operations_are_as_many_as_torch_counts(bundles, references, kind):
    # With gradients: else torch takes a fused kernel whose products the counter does not see.
    with FlopCounterMode(display=False) as counter:
        references[kind].module(*references[kind].sample(1))
    cost = cost_of_bundle(bundles[kind])
    assert not cost.unknown
    # The first convolution of the diffusion policy's first of two steps is of a constant: folded.
    assert cost.matrix_operations == pytest.approx(counter.get_total_flops(), rel=0.04)
    parameters = sum(p.numel() for p in references[kind].module.parameters())
    assert cost.weight_bytes == pytest.approx(4 * parameters, rel=0.2)


def test_the_cost_of_one_matrix_product_is_that_of_its_formula():
    value = onnx.helper.make_tensor_value_info
    weight = onnx.numpy_helper.from_array(np.zeros((30, 7), np.float32), 'w')
    node = onnx.helper.make_node('MatMul', ['x', 'w'], ['y'])
    odd = onnx.helper.make_node('Celu', ['y'], ['z'])
    graph = onnx.helper.make_graph(
        [node, odd], 'g', [value('x', 1, [5, 30])], [value('z', 1, [5, 7])], [weight]
    )
    cost = cost_of(onnx.helper.make_model(graph))
    assert cost.operations == 2 * 5 * 30 * 7
    assert cost.weight_bytes == 4 * 30 * 7 and cost.io_bytes == 4 * (5 * 30 + 5 * 7)
    assert cost.peak_bytes == 4 * (5 * 30 + 5 * 7)
    assert cost.unknown == ('Celu',)


def test_every_computer_of_the_issue_is_there_with_a_source_for_every_figure():
    assert shipped() == sorted(WANTED)
    for name in WANTED:
        device = load_device(name)
        assert all(len(figure.source) > 5 for figure in device.figures.values())
        assert device.precisions and device.free_bytes > 0


@given(st.sampled_from(WANTED), st.floats(1e6, 1e13), st.floats(1e4, 1e10), st.floats(1.0, 100.0))
@settings(max_examples=25)
def test_more_work_is_never_faster_and_ranges_are_in_order(name, operations, weights, more):
    device, host = load_device(name), load_device('raspberry_pi_4')
    little, much = work(operations, weights), work(more * operations, more * weights)
    for precision in device.precisions:
        a = estimate(little, device, precision, DEFAULT_CALIBRATION, host)
        b = estimate(much, device, precision, DEFAULT_CALIBRATION, host)
        assert 0 < a.low_ms <= a.expected_ms <= a.high_ms
        for key in ('low_ms', 'expected_ms', 'high_ms', 'memory_mb'):
            assert getattr(b, key) >= getattr(a, key)
        # Never better than the paper allows.
        peak = 1e12 * max(f.value for f in (*device.tops.values(), *host.tops.values()))
        assert a.low_ms >= 1e3 * operations / peak / 1.001


def test_seven_billion_weights_do_not_fit_a_raspberry_and_fit_a_thor_in_half_precision():
    large = work(14e9 * 50, 28e9, 500)
    small = advice_for('raspberry_pi_5', large)
    assert small.fits is Fits.NO and small.chosen.binds == 'memory size'
    assert 'MB are needed' in small.why
    with pytest.raises(ValueError, match='raspberry_pi_5'):
        parameters_of(small, 12.0)
    thor = advice_for('jetson_thor', large)
    assert thor.chosen.fits_memory and thor.chosen.precision != 'fp32'
    # Every weight crosses the bus for every chunk: 14 GB at 273 GB/s are 51 ms.
    half = next(e for e in thor.others if e.precision == 'fp16')
    assert half.binds in ('memory bandwidth', 'compute') and half.low_ms > 51


def test_a_small_policy_needs_no_lost_accuracy_and_the_least_power_comes_first():
    order = ranked([advice_for(name) for name in ('rtx_4090', 'raspberry_pi_5', 'intel_n100')])
    assert [one.device.name for one in order] == ['intel_n100', 'raspberry_pi_5', 'rtx_4090']
    assert all(one.chosen.precision == 'fp32' for one in order)
    hard = advice_for('raspberry_pi_5', work(3e9, 1e8), 12.0)
    assert hard.chosen.precision == 'int8'


def test_what_the_edge_tpu_lacks_runs_on_its_host(bundles):
    found = advice_for('coral', cost_of_bundle(bundles['act']))
    assert 'is no operator of the Edge TPU' in found.chosen.remarks[0]
    assert not advice_for('coral', work()).chosen.remarks


@pytest.mark.parametrize('name', WANTED)
def test_a_profile_is_one_that_the_inference_node_takes(name, tmp_path):
    path = write_profile(tmp_path, advice_for(name), 12.0, 'tiny')
    content = yaml.safe_load(path.read_text())
    assert list(content) == ['inference']
    entries = {entry.name: entry for entry in ParameterSchema.load('vla_inference').entries}

    def each(values, prefix=''):
        for key, value in values.items():
            if isinstance(value, dict):
                yield from each(value, f'{prefix}{key}.')
            else:
                yield prefix + key, value

    for key, value in each(content['inference']['ros__parameters']):
        assert entries[key].check(value) is None, key


def test_a_profile_repeats_no_frequency_that_the_node_has_anyway():
    advice = advice_for('raspberry_pi_5')
    for rate, output in ((default_rate(), None), (12.0, 12.0), (500.0, 100.0)):
        found = parameters_of(advice, rate)['inference']['ros__parameters']
        assert found.get('inference_frequency') == output


SPOILT = {
    'kind: cpu': ('kind: abacus', 'kind: found abacus'),
    'threads: 2': ('threads: 9', 'threads: found 9, wanted at most the 4 of units'),
    'tops:': ('tips:', 'tops'),
    'value: 12, source': ('value: -12, source', 'power_w.value'),
    'device: "cpu"': ('device: "cpu"\ncolour: red', 'colour'),
}


@pytest.mark.parametrize('key', SPOILT)
def test_a_malformed_computer_is_refused_by_key(key, tmp_path):
    from importlib.resources import files

    text = (files('vla_deploy.sizing') / 'hardware' / 'raspberry_pi_5.yaml').read_text()
    assert key in text
    path = tmp_path / 'mine.yaml'
    path.write_text(text.replace(key, SPOILT[key][0], 1))
    with pytest.raises(ConfigError, match=SPOILT[key][1]):
        load_device(str(path))
    with pytest.raises(ConfigError, match='one of coral, h100'):
        load_device('abacus')


def test_a_figure_without_a_source_is_no_figure(tmp_path):
    path = tmp_path / 'mine.yaml'
    text = 'title: a\nkind: cpu\nruntime: onnx\ndevice: cpu\nthreads: 1\ncannot: []\n'
    path.write_text(text + 'tops: {fp32: {value: 1, source: ""}}\n')
    with pytest.raises(ConfigError, match='tops.fp32.source'):
        load_device(str(path))


def test_calibration_files_are_checked(tmp_path):
    path = tmp_path / 'c.json'
    DEFAULT_CALIBRATION.save(path)
    assert RooflineCalibration.load(path) == DEFAULT_CALIBRATION
    path.write_text(json.dumps({**vars(DEFAULT_CALIBRATION), 'efficiency': -1}))
    with pytest.raises(ConfigError, match='not above 0'):
        RooflineCalibration.load(path)
    path.write_text('{')
    with pytest.raises(ConfigError, match='a file of size --calibrate'):
        RooflineCalibration.load(path)
    slower = replace(DEFAULT_CALIBRATION, efficiency=0.1)
    device = load_device('raspberry_pi_5')
    a, b = (estimate(work(), device, 'fp32', c).expected_ms for c in (DEFAULT_CALIBRATION, slower))
    assert b > 2 * a


@pytest.mark.parametrize('kind', ['act', 'diffusion'])
def test_size_measures_recommends_and_writes_a_report(bundles, kind, observed, tmp_path, json_of):
    out = tmp_path / 'out'
    arguments = ['--bundle', bundles[kind], '--out', out, '--calibrate', '--rounds', 5]
    output = json_of(size.main, *arguments, *observed)
    assert {d['device'] for d in output['devices']} == set(WANTED)
    assert output['recommended'] == 'up_board' and output['here']['measured_ms'] > 0
    assert 0 < output['calibration']['efficiency'] <= 1
    report = (out / 'report.md').read_text()
    assert 'Data Sheet' in report and '(latency.png)' in report
    for picture in ('latency.png', 'roofline.png'):
        assert cv2.imread(str(out / picture)).std() > 1
    assert (out / 'profiles' / 'jetson_orin_nano.yaml').is_file()
    assert RooflineCalibration.load(out / 'calibration.json').bundle == kind


def test_size_rejects_wrong_input_in_one_line(bundles, tmp_path, capsys):
    bundle = str(bundles['act'])
    for wrong, text in (
        (['--bundle', str(tmp_path)], 'policy.yaml'),
        (['--bundle', bundle, '--device', 'abacus'], 'abacus'),
        (['--bundle', bundle, '--rate', '0'], '--rate'),
        ([], '--bundle'),
    ):
        assert size.main([*wrong, '--out', str(tmp_path / 'o')]) == 2
        output = capsys.readouterr().err.strip()
        assert text in output and len(output.splitlines()) == 1
    assert not (tmp_path / 'o').exists()

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Timing is fair, its figures are consistent, and tuning writes what it promises."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_common.yaml_file import load_yaml
from vla_deploy.atomic_io import write_policy
from vla_deploy.charts import Bar, Dot, draw_bars, draw_scatter
from vla_deploy.closed_loop import pair
from vla_deploy.commands import benchmark as benchmark_command
from vla_deploy.commands import tune as tune_command
from vla_deploy.parity import LOSSY
from vla_deploy.publishing import expected_answers
from vla_deploy.timing.benchmark import EAGER, benchmark, best_of, unique_names
from vla_deploy.timing.interleaved import Times, batched, time_interleaved
from vla_deploy.timing.platform import joules, memory
from vla_deploy.tuning import tune
from vla_deploy.verification import record, verify_policy
from vla_policy.bundle.bundle import load_bundle
from vla_policy.load import load_policy

KEYS = {'name', 'p50_ms', 'p99_ms', 'size_mb', 'cosine', 'max_error_rad', 'success', 'speedup'}


class Noted:
    def __init__(self, name, log):
        self.name, self.log = name, log

    def run(self, inputs):
        self.log.append((self.name, inputs['i']))
        return np.zeros(1)


def test_runners_take_turns_on_the_same_input_in_changing_order():
    log = []
    names = ['a', 'b', 'c']
    inputs = [{'i': i} for i in range(4)]
    times = time_interleaved({n: Noted(n, log) for n in names}, inputs, 40, warm_up=2)
    rounds = [log[i : i + 3] for i in range(0, len(log), 3)]
    assert len(rounds) == 42
    for some in rounds:
        assert sorted(name for name, _ in some) == names
        assert len({i for _, i in some}) == 1
    assert len({tuple(name for name, _ in some) for some in rounds}) == 6
    assert all(len(times[n].wall_ms) == 40 for n in names)


def test_energy_is_reported_where_the_platform_measures_it(tmp_path):
    assert joules(tmp_path) is None
    for name, value in (('intel-rapl:0', 5_000_000), ('intel-rapl:0:0', 3_000_000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'energy_uj').write_text(str(value))
    assert joules(tmp_path) == 5.0
    ticks = iter(np.arange(1000) * 0.002)
    times = time_interleaved(
        {'a': Noted('a', [])}, [{'i': 0}], 10, energy=lambda: float(next(ticks))
    )
    assert times['a'].figures()['energy_mj'] == pytest.approx(2.0)
    silent = time_interleaved({'a': Noted('a', [])}, [{'i': 0}], 10)
    assert silent['a'].figures()['energy_mj'] is None


def test_figures_are_those_of_the_distribution():
    wall = np.arange(1.0, 101.0)
    figures = Times(wall, wall / 2, batch=4).figures()
    assert figures['p50_ms'] == 50.5 and figures['max_ms'] == 100.0
    assert figures['cpu_p50_ms'] == 25.25
    assert figures['throughput_hz'] == pytest.approx(4e3 / 50.5, rel=1e-3)


def test_batches_hold_the_observations_in_turn():
    made = batched([{'x': np.full((1, 2), i)} for i in range(3)], 2)
    assert [b['x'][:, 0].tolist() for b in made] == [[0, 1], [1, 2], [2, 0]]


def test_bundles_of_the_same_name_get_longer_names(tmp_path):
    paths = [tmp_path / 'a' / 'best', tmp_path / 'b' / 'best']
    assert list(unique_names(paths)) == ['best', 'b/best']


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_a_paired_difference_lies_in_its_interval_and_is_antisymmetric(outcomes):
    before, after = zip(*outcomes, strict=True)
    there, back = pair(before, after), pair(after, before)
    assert there.difference == pytest.approx(-back.difference)
    assert there.interval[0] <= 0.98 * there.difference <= there.interval[1] or len(outcomes) < 5
    assert there.interval[0] == pytest.approx(-back.interval[1])


def test_losing_most_scenes_is_not_equal_and_losing_none_is():
    assert pair([True] * 30, [True] * 30).equal
    assert not pair([True] * 30, [False] * 20 + [True] * 10).equal
    assert pair([False] * 30, [True] * 30).equal


@pytest.mark.parametrize(
    ('scenes', 'lost', 'verdict'),
    [
        (17, 0, 'too few scenes to call it no worse'),
        (18, 0, 'no worse'),
        (30, 1, 'worse'),
        (33, 1, 'worse'),
        (35, 1, 'too few scenes to call it no worse'),
        (36, 1, 'no worse'),
        (60, 1, 'no worse'),
        (60, 2, 'worse'),
        (200, 4, 'no worse'),
        (200, 5, 'worse'),  # a little, and beyond chance
        (200, 7, 'worse'),
    ],
)
def test_no_worse_is_at_most_three_points_lost_and_a_loss_of_ten_ruled_out(scenes, lost, verdict):
    found = pair([True] * scenes, [False] * lost + [True] * (scenes - lost))
    assert (found.verdict, found.equal) == (verdict, verdict == 'no worse')


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_what_is_no_worse_stays_so_when_a_lost_scene_is_won(outcomes):
    before, after = (list(side) for side in zip(*outcomes, strict=True))
    if pair(before, after).equal and (True, False) in outcomes:
        after[outcomes.index((True, False))] = True
        assert pair(before, after).equal
    assert not pair([*before, *[True] * 90], [*after, *[False] * 90]).equal


def test_the_best_is_the_fastest_that_is_the_same_policy(bundles, options):
    entries = benchmark({'act': bundles['act']}, options, rounds=5)
    assert [entry.name for entry in entries] == [EAGER, 'act']
    assert entries[0].speedup == 1.0 and entries[0].parity.max_error_rad == 0.0
    assert best_of(entries, ['act']) == 'act'
    assert best_of([], ['act']) is None


def test_a_bundle_of_another_robot_is_refused(bundles, observed, capsys):
    """It ended in a traceback."""
    testbot = Path(__file__).parents[2] / 'vla_robot' / 'test' / 'testbot'
    arguments = [str(bundles['act']), '--robot', str(testbot), '--rounds', '1']
    assert benchmark_command.main([*arguments, *observed]) == 2
    error = capsys.readouterr().err.strip()
    documented('Commands', 'a benchmark of the bundle of another robot', error, bundles['act'])


def test_a_policy_accepted_in_closed_loop_is_the_same_beside_that_bundle_only(
    spoiled, bundles, options, tmp_path
):
    given = bundles['diffusion']
    expected = expected_answers(given, options)
    result = verify_policy(spoiled, expected, LOSSY)
    assert not result.passed
    model = load_bundle(given).files['model.onnx']
    result = replace(result, reason='', success=(1.0, 1.0), judged='60 scenes', against=model)
    record(spoiled, load_bundle(spoiled), expected, result)
    # The same weights in another file: no closed loop ran beside that one.
    other = tmp_path / 'other'
    shutil.copytree(given, other)
    changed = onnx.load(other / 'model.onnx')
    changed.doc_string = 'another file'
    onnx.save(changed, other / 'model.onnx')
    content = load_yaml(other / 'policy.yaml')
    del content['verification']
    write_policy(other, content, list(content['files']))

    def raced(first):
        entries = benchmark({'first': first, 'acts': spoiled}, options, rounds=2, eager=False)
        screen = Console(width=160, record=True, file=io.StringIO())
        screen.print(benchmark_command.table_of(entries))
        return entries[1], screen.export_text(), best_of(entries, ['acts'])

    acts, output, best = raced(given)
    assert acts.judged and acts.passed and best == 'acts'
    assert ' scenes' in output.splitlines()[4] and 'benchmark' not in output
    acts, output, best = raced(other)
    assert not acts.judged and not acts.passed and best is None
    here = load_bundle(other).files['model.onnx'][:12]
    why = f'its closed loop ran beside model {model[:12]}, this benchmark beside {here}'
    assert why in acts.reason and why in ' '.join(output.split()) and acts.to_dict()['reason']
    record(spoiled, load_bundle(spoiled), expected, replace(result, against=''))
    assert 'beside an unnamed model' in raced(given)[0].reason
    record(spoiled, load_bundle(spoiled), expected, replace(result, judged='', against=model))
    assert 'beside' not in raced(given)[0].reason and not raced(given)[0].passed


def test_policies_of_other_shapes_cannot_be_compared(bundles, options):
    with pytest.raises(ConfigError, match='outputs'):
        benchmark({k: bundles[k] for k in ('diffusion', 'act')}, options, rounds=2)


def test_the_command_prints_the_promised_json_and_a_picture(bundles, observed, tmp_path, json_of):
    shutil.copytree(bundles['act'], tmp_path / 'copy')
    arguments = [bundles['act'], tmp_path / 'copy', '--rounds', 6, '--batch', 2, *observed]
    output = json_of(benchmark_command.main, *arguments, '--plot', tmp_path / 'p.png')
    assert set(output) >= {'bundles', 'best'}
    assert [b['name'] for b in output['bundles']] == [EAGER, 'act', 'copy']
    assert all(set(b) >= KEYS for b in output['bundles'])
    assert output['best'] in ('act', 'copy')
    assert output['by_batch']['act']['2']['throughput_hz'] > 0
    assert cv2.imread(str(tmp_path / 'p.png')).shape[1] == 900


def test_memory_is_that_of_a_process_of_its_own(bundles):
    found = memory(bundles['act'])
    assert 20 < found['peak_mb'] < 3000 and found['added_mb'] >= 0


@pytest.mark.parametrize('kind', ['act', 'diffusion'])
def test_tuning_walks_the_whole_way(
    bundles, kind, spoiled, observed, robot, tmp_path, json_of, monkeypatch
):
    bundles_run = []

    def act(bundle, *_, **__):
        """The second bundle that runs fails every scene."""
        bundles_run.append(bundle)
        return [len(bundles_run) != 2] * 40

    monkeypatch.setattr('vla_deploy.closed_loop.successes', act)
    out = tmp_path / 'out'
    arguments = ['--bundle', bundles[kind], '--out', out, '--rounds', 8, *observed]
    # int8 takes its time with the larger of the two, and quantising has tests of its own.
    arguments += {'act': ['--only', 'onnx-basic', 'onnx-all']}.get(kind, ['--quick'])
    also = {'diffusion': ['--also', spoiled]}.get(kind, [])  # another policy of its shape
    output = json_of(tune_command.main, *arguments, *also, '--scenes', 40)
    names = [b['name'] for b in output['bundles']]
    assert names[:2] == [EAGER, 'given'] and 'onnx-basic' in names
    fell = [b for b in output['bundles'] if b['success'] == 0.0]
    if len(bundles_run) > 1:  # the given itself may be the fastest
        assert (
            bundles_run[0] == bundles[kind] and len(fell) == 1 and fell[0]['name'] != output['best']
        )
        assert '40 lost, 0 won' in output['refused'][fell[0]['name']]
    assert len(set(bundles_run)) == len(bundles_run) and output['closed_loop']['after'] == 1.0
    assert load_bundle(out / 'best').verification.success == (1.0, 1.0)
    assert all(set(b) >= KEYS for b in output['bundles'])
    assert json.loads((out / 'tune.json').read_text())['best'] == output['best']
    assert load_bundle(out / 'best', robot).verification.passed
    load_policy(out / 'best', robot).close()
    report = (out / 'report.md').read_text()
    assert f'**{output["best"]}**' in report and '(latency.png)' in report
    assert ('spoiled' in output['refused']) == ('- spoiled: ' in report) == bool(also)
    assert ('spoiled' in names) == bool(also) and output['best'] != 'spoiled'
    for picture in ('latency.png', 'tradeoff.png'):
        assert cv2.imread(str(out / picture)).std() > 1


def test_tuning_for_a_gpu_that_is_not_there_is_refused(bundles, options, tmp_path, monkeypatch):
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    with pytest.raises(ConfigError, match='torch sees no CUDA device'):
        tune(bundles['act'], tmp_path, options, target='cuda:0')


def test_charts_draw_extreme_values(tmp_path):
    draw_bars(tmp_path / 'a.png', 't', 'ms', [Bar('zero', 0.0, 0.0), Bar('much', 1.0, 1e6)])
    draw_scatter(
        tmp_path / 'b.png', 't', ('x', 'y'), [Dot('a', 1.0, 0.0), Dot('b', 2.0, float('inf'))]
    )
    assert (tmp_path / 'a.png').stat().st_size and (tmp_path / 'b.png').stat().st_size


def test_a_missing_gpu_and_a_missing_later_bundle_are_reported_before_timing(
    bundles, observed, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    timed = []
    monkeypatch.setattr(
        'vla_deploy.timing.benchmark.time_interleaved', lambda *_, **__: timed.append(1)
    )
    given = str(bundles['diffusion'])
    for rest, message in (
        (['--device', 'cuda:0'], '--device: found cuda:0, wanted cpu'),
        ([str(tmp_path / 'nowhere')], 'nowhere: bundle: found no such directory'),
    ):
        assert benchmark_command.main([given, *rest, *observed]) == 2
        assert message in capsys.readouterr().err
    assert not timed


def test_tune_checks_its_place_first(bundles, tmp_path, capsys):
    (tmp_path / 'thesis.tex').write_text('years of work')
    out = tmp_path / 'thesis.tex' / 'tuned'
    assert tune_command.main(['--bundle', str(bundles['diffusion']), '--out', str(out)]) == 2
    output = capsys.readouterr().err.splitlines()
    assert len(output) == 1 and '--out: found a file at' in output[0]

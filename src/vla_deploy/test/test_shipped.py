# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Every verb on the bundle that ships, as its user runs it. What it makes loads by the code with
which the inference node loads, and answers as the shipped one does."""

import shutil
import sys
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest

from vla_deploy.commands import (
    benchmark,
    build_engine,
    compare,
    edge,
    export,
    optimise,
    overview,
    pipeline,
    prune,
    quantise,
    size,
    tune,
    verify,
)
from vla_deploy.observations import observations_of, simulated
from vla_deploy.parity import EXACT, LOSSY
from vla_deploy.pruning.pruning import count
from vla_deploy.reference_model import from_bundle
from vla_deploy.verification import MINIMUM
from vla_policy.bundle.bundle import load_bundle
from vla_policy.load import load_policy

SHIPPED = next(
    path
    for parent in Path(__file__).resolve().parents
    if (path := parent / 'models' / 'humanoid_vla' / 'policy.yaml').exists()
).parent
ONE = ['--bundle', str(SHIPPED)]
KEYS = {'name', 'p50_ms', 'p99_ms', 'size_mb', 'cosine', 'max_error_rad', 'success', 'speedup'}


@pytest.fixture(scope='module')
def seen(robot, tmp_path_factory):
    """Observations of six scenes, as options of a verb and as the policy's."""
    recording = simulated(robot, load_bundle(SHIPPED).tasks[4:8], MINIMUM, seed=3)
    path = tmp_path_factory.mktemp('seen') / 'r.npz'
    recording.save(path)
    return ['--observations', str(path)], observations_of(recording, robot)


@pytest.fixture(scope='module')
def wanted(robot, seen):
    return answers(SHIPPED, robot, seen[1])


@pytest.fixture(scope='module')
def optimised(seen, tmp_path_factory):
    out = tmp_path_factory.mktemp('optimised') / 'b'
    assert optimise.main([*ONE, *seen[0], '--out', str(out), '--level', 'all']) == 0
    return out


def answers(directory, robot, observations) -> np.ndarray:
    """Chunks, rad, each as of a first call."""
    policy = load_policy(directory, robot)
    chunks = []
    for one in observations:
        policy.reset()
        chunks.append(policy.predict(one).positions.copy())
    policy.close()
    return np.array(chunks)


def check(out, robot, seen, wanted, limits) -> None:
    found = load_bundle(out, robot).verification
    assert found.passed and found.observations == len(wanted)
    chunks = answers(out, robot, seen[1])
    assert chunks.shape == wanted.shape and np.abs(chunks - wanted).max() <= limits.max_error_rad


def test_shipped_it_answers_differently_to_different_words(wanted):
    assert np.isfinite(wanted).all() and np.abs(wanted[0] - wanted[1]).max() > 0.1


@pytest.mark.parametrize('form', ['torchscript-trace', 'torchscript-script'])
def test_export_in_another_form(robot, seen, wanted, tmp_path, json_of, form):
    arguments = [*ONE, *seen[0], '--out', tmp_path / 'b', '--form', form]
    assert json_of(export.main, *arguments)['passed']
    check(tmp_path / 'b', robot, seen, wanted, EXACT)


def test_optimise(robot, optimised, seen, wanted):
    check(optimised, robot, seen, wanted, EXACT)


def test_verify(robot, seen, wanted, tmp_path, json_of):
    out = shutil.copytree(SHIPPED, tmp_path / 'b')
    before = (out / 'policy.yaml').read_bytes()
    assert json_of(verify.main, '--bundle', out, *seen[0])['cosine'] > EXACT.cosine
    assert (out / 'policy.yaml').read_bytes() == before  # a record is replaced on request only
    limits = ['--max-error', EXACT.max_error_rad, '--cosine', EXACT.cosine]
    limits += ['--probability', EXACT.probability]
    json_of(verify.main, '--bundle', out, *seen[0], *limits, '--write')
    check(out, robot, seen, wanted, EXACT)


def test_quantise(robot, seen, wanted, tmp_path, json_of):
    arguments = [*ONE, *seen[0], '--out', tmp_path / 'b', '--scheme', 'int8-weights']
    found = json_of(quantise.main, *arguments)
    assert found['quantised'] > 10 and 0 < found['max_error_rad'] <= LOSSY.max_error_rad
    check(tmp_path / 'b', robot, seen, wanted, LOSSY)
    sizes = [(path / 'model.onnx').stat().st_size for path in (tmp_path / 'b', SHIPPED)]
    assert sizes[0] < 0.9 * sizes[1]


def test_prune(robot, seen, wanted, tmp_path, json_of):
    """A few units: more would need fine-tuning."""
    arguments = [*ONE, *seen[0], '--out', str(tmp_path / 'b'), '--form', 'torchscript-trace']
    arguments += ['--parts', 'words', 'finder', '--amount', '0.03', '--rounds', '2']
    before, after = json_of(prune.main, *arguments)['parameters']
    assert count(from_bundle(tmp_path / 'b').module) == after < before
    check(tmp_path / 'b', robot, seen, wanted, LOSSY)


def test_build_engine_writes_the_graph_and_refuses_the_engine_without_tensorrt(
    seen, tmp_path, capsys, json_of, monkeypatch
):
    monkeypatch.setitem(sys.modules, 'tensorrt', None)
    assert build_engine.main([*ONE, '--out', str(tmp_path / 'e')]) == 2
    output = capsys.readouterr().err.strip().splitlines()
    assert len(output) == 1 and output[0].startswith('tensorrt: package: found nothing')
    graph = tmp_path / 'typed.onnx'
    assert json_of(build_engine.main, *ONE, *seen[0], '--graph', graph)['passed']
    assert [path.name for path in tmp_path.iterdir()] == ['typed.onnx']


def test_benchmark(optimised, seen, json_of):
    found = json_of(benchmark.main, SHIPPED, optimised, *seen[0], '--rounds', 3)
    assert [set(one) >= KEYS for one in found['bundles']] == [True] * 3
    assert found['best'] in ('humanoid_vla', 'b')


def test_pipeline(seen, json_of):
    three = ['--budget', 3, '--rounds', 3, '--micro-batches', 2]
    found = json_of(pipeline.main, *ONE, *seen[0], *three)
    assert len(found['stages']) == len(set(found['processes'])) == 3
    assert max(stage['held_mb'] for stage in found['stages']) <= 3 < found['whole_mb']
    assert found['passed'] and found['max_error_rad'] < EXACT.max_error_rad


def test_size(tmp_path, json_of):
    found = json_of(size.main, *ONE, '--out', tmp_path / 'o')
    assert found['recommended'] and len(found['devices']) == 14
    assert (tmp_path / 'o' / 'profiles' / 'jetson_orin_nano.yaml').is_file()


def test_edge(robot, seen, wanted, tmp_path):
    arguments = [*ONE, *seen[0], '--out', str(tmp_path / 'b'), '--target', 'raspberry_pi_5']
    assert edge.main(arguments) == 0
    check(tmp_path / 'b', robot, seen, wanted, EXACT)


def test_compare(optimised, seen, tmp_path, json_of):
    arguments = [SHIPPED, optimised, *seen[0], '--rounds', 3, '--out', tmp_path / 'o']
    found = json_of(compare.main, *arguments)
    assert found['recorded']['largest_rad'] <= EXACT.max_error_rad
    assert (tmp_path / 'o' / 'report.md').is_file()


def test_tune(robot, seen, wanted, tmp_path, capsys, json_of):
    arguments = [*ONE, *seen[0], '--out', str(tmp_path / 'o'), '--rounds', '5']
    found = json_of(tune.main, *arguments, '--only', 'onnx-all', 'int8-weights')
    names = [one['name'] for one in found['bundles']]
    assert names == ['eager fp32', 'given', 'onnx-all', 'int8-weights']
    assert found['best'] in names[1:]
    chunks = answers(tmp_path / 'o' / 'best', robot, seen[1])
    assert np.abs(chunks - wanted).max() <= LOSSY.max_error_rad
    assert f'**{found["best"]}**' in (tmp_path / 'o' / 'report.md').read_text()
    assert tune.main([*arguments, '--only', 'abacus']) == 2
    assert '--only: found abacus, wanted some of onnx, ' in capsys.readouterr().err


def test_help_names_every_verb_and_no_other(capsys):
    assert overview.main() == 0
    output = capsys.readouterr().out
    named = {verb for verbs in overview.VERBS.values() for verb in verbs}
    scripts = entry_points(group='console_scripts')
    there = {one.name for one in scripts if one.value.startswith('vla_deploy.commands.')}
    assert named == there - {'help'}
    assert all(f'  {verb} ' in output for verb in named)

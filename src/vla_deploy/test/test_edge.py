# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Bundles for small computers. ONNX Runtime's are made; LiteRT's converter is a double here, and
the real one where it is installed (VLA_LITERT_CONVERTER names its interpreter)."""

import json
import os
import stat
import sys
import types
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import HORIZON, describe
from test_export import observation_from

from vla_common.errors import ConfigError
from vla_deploy.commands import edge
from vla_deploy.edge.litert import compile_for_edge_tpu, off_chip, write_litert
from vla_deploy.edge.targets import port, targets
from vla_deploy.parity import ParityLimits
from vla_deploy.reference_model import from_module
from vla_policy.load import load_policy

REAL = os.environ.get('VLA_LITERT_CONVERTER')


def script(path, body: str) -> str:
    """An executable Python program, without site-packages: it starts in no time."""
    path.write_text(f'#!{sys.executable} -S\n{body}')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


# In the place of an interpreter with litert-torch: reads the job as the script does. Its "model" is
# the program that it was given, which the double of LiteRT below runs.
CONVERTER = """
import json, shutil, sys, zipfile
job = json.load(open(sys.argv[2]))
assert zipfile.is_zipfile(job['program'])
assert job['mode'] != 'int8' or len(job['calibration']) > 1
shutil.copyfile(job['program'], job['out'])
print('words of a compiler')
print(json.dumps({'operators': {'CONV_2D': 2, 'GELU': 3}}))
"""


class Runner:
    def __init__(self, content):
        import io

        self._module = torch.export.load(io.BytesIO(content)).module()
        names = ['image', 'proprioception', 'language_features', 'phase']
        kinds = self._module.graph.find_nodes(op='placeholder')
        self._inputs = {
            next(n for n in names if n in node.name): {
                'shape': np.array(node.meta['val'].shape, np.int32),
                'dtype': np.int32 if node.meta['val'].dtype == torch.int64 else np.float32,
                'quantization': (0.0, 0),
            }
            for node in kinds
        }

    def get_input_details(self):
        return self._inputs

    def get_output_details(self):
        shape = np.array([1, HORIZON, 14], np.int32)
        about = {'shape': shape, 'dtype': np.float32, 'quantization': (0.0, 0)}
        return {'joint_targets': about}

    def __call__(self, **given):
        assert all(given[n].dtype == about['dtype'] for n, about in self._inputs.items())
        tensors = {n: torch.from_numpy(v) for n, v in given.items()}
        wide = {n: t.long() if t.dtype == torch.int32 else t for n, t in tensors.items()}
        with torch.no_grad():
            return {n: t.numpy() for n, t in self._module(**wide).items()}


@pytest.fixture
def litert(monkeypatch, tmp_path):
    """A double of LiteRT, and of the interpreter that has its converter."""

    class Interpreter:
        def __init__(self, model_content, num_threads, experimental_delegates):
            self._content = model_content

        def allocate_tensors(self):
            pass

        def get_signature_runner(self, name):
            return Runner(self._content)

    package, module = (
        types.ModuleType(n) for n in ('ai_edge_litert', 'ai_edge_litert.interpreter')
    )
    module.Interpreter, package.interpreter = Interpreter, module
    monkeypatch.setitem(sys.modules, 'ai_edge_litert', package)
    monkeypatch.setitem(sys.modules, 'ai_edge_litert.interpreter', module)
    return script(tmp_path / 'converter', CONVERTER)


def answers(directory, robot, recording):
    policy = load_policy(directory, robot)
    try:
        return policy.predict(observation_from(robot, recording)).positions
    finally:
        policy.close()


@pytest.mark.parametrize('kind', ['act', 'diffusion'])
@pytest.mark.parametrize(
    ('name', 'mode'), [('raspberry_pi_5', 'float'), ('intel_n100', 'int8'), ('jetson_thor', 'fp16')]
)
def test_targets_of_onnx_runtime_get_a_verified_bundle_that_answers(
    bundles, options, robot, recording, tmp_path, kind, name, mode
):
    made = port(bundles[kind], tmp_path / 'b', name, options, mode=mode)
    assert made.result.passed and made.runtime == 'onnx'
    assert any(note.startswith('not: ') for note in made.notes)
    assert answers(tmp_path / 'b', robot, recording).shape == (HORIZON, 14)


@pytest.mark.parametrize('kind', ['act', 'diffusion'])
def test_a_litert_bundle_is_verified_and_answers_as_the_original(
    litert, bundles, options, robot, recording, tmp_path, kind
):
    made = port(
        bundles[kind], tmp_path / 'b', 'raspberry_pi_4', options, runtime='litert', converter=litert
    )
    assert made.result.passed and made.operators == {'CONV_2D': 2, 'GELU': 3}
    np.testing.assert_allclose(
        answers(tmp_path / 'b', robot, recording),
        answers(bundles[kind], robot, recording),
        atol=1e-4,
    )


def test_coral_notes_list_unsupported_operators_and_that_nothing_was_compiled(
    litert, bundles, options, tmp_path
):
    made = port(bundles['act'], tmp_path / 'b', 'coral', options, converter=litert)
    assert made.mode == 'int8'
    assert 'not on the Edge TPU: 3 GELU' in made.notes[0]
    assert 'without edgetpu_compiler' in made.notes[1]
    assert off_chip({'CONV_2D': 1, 'BATCH_MATMUL': 2, 'GELU': 1}) == {'BATCH_MATMUL': 2, 'GELU': 1}


@pytest.mark.skipif(REAL is None, reason='VLA_LITERT_CONVERTER names no interpreter')
@pytest.mark.parametrize('kind', ['act', 'diffusion'])
@pytest.mark.parametrize('mode', ['float', 'dynamic', 'int8'])
def test_the_real_converter_makes_what_the_real_runtime_answers_from(
    bundles, options, robot, recording, tmp_path, kind, mode
):
    wide = ParityLimits(0.3, 0.97)  # untrained networks bear eight bits badly
    options = replace(options, limits=wide)
    arguments = {'runtime': 'litert', 'mode': mode, 'converter': REAL}
    made = port(bundles[kind], tmp_path / 'b', 'raspberry_pi_5', options, **arguments)
    assert made.result.passed
    assert answers(tmp_path / 'b', robot, recording).shape == (HORIZON, 14)


def test_a_missing_tool_is_reported_with_how_to_get_it(
    bundles, options, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, 'ai_edge_litert', None)
    arguments = ['--bundle', str(bundles['act']), '--out', str(tmp_path / 'b')]
    assert edge.main([*arguments, '--target', 'coral']) == 2
    text = capsys.readouterr().err.strip()
    assert 'environment/edge.in' in text and len(text.splitlines()) == 1
    for wrong, output in (
        ([], '--target'),
        (['--target', 'abacus'], 'one of coral, intel_n100'),
        (['--target', 'coral', '--runtime', 'onnx'], 'litert for coral'),
        (['--target', 'raspberry_pi_5', '--mode', 'dynamic'], 'with --runtime onnx'),
        (['--target', 'raspberry_pi_5', '--compile'], 'wanted coral'),
    ):
        assert edge.main([*arguments, *wrong]) == 2
        assert output in capsys.readouterr().err
    assert not (tmp_path / 'b').exists()
    assert edge.main(['--list']) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in targets()) and 'not: ' in listed


@pytest.mark.parametrize(
    ('body', 'text'),
    [
        ('print(\'{"error": "no module x", "missing": "litert_torch"}\')', 'litert_torch'),
        ('import sys; sys.exit("Killed")', 'Killed'),
        ('print("not JSON")', 'exit code 0'),
    ],
)
def test_a_converter_that_fails_is_reported_in_one_line(references, tmp_path, body, text):
    python = script(tmp_path / 'python', body)
    with pytest.raises(ConfigError, match=text) as error:
        write_litert(references['diffusion'], tmp_path / 'm.tflite', 'float', python=python)
    assert '\n' not in str(error.value)


def test_a_missing_interpreter_is_reported(references, tmp_path):
    nowhere = str(tmp_path / 'none')
    with pytest.raises(ConfigError, match='No such file'):
        write_litert(references['diffusion'], tmp_path / 'm.tflite', 'float', python=nowhere)


def test_an_operator_that_is_not_lowered_is_named_with_its_module(robot, tmp_path):
    reference = from_module('test_export:odd', {}, None, describe(tmp_path, robot, 'diffusion'))
    output = {'error': 'RuntimeError: Lowering not found: aten.special_bessel_j0.default'}
    python = REAL or script(tmp_path / 'python', f'print({json.dumps(json.dumps(output))})')
    with pytest.raises(ConfigError) as error:
        write_litert(reference, tmp_path / 'm.tflite', 'float', python=python)
    assert 'aten.special_bessel_j0, from bend (Bessel)' in str(error.value)


def test_the_edge_tpus_compiler_is_run_where_it_is(tmp_path, monkeypatch):
    source, target = tmp_path / 'model.tflite', tmp_path / 'out.tflite'
    source.write_bytes(b'model')
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(ConfigError, match='edgetpu_compiler, for x86-64 Linux'):
        compile_for_edge_tpu(source, target)
    body = (
        'import sys, pathlib\n'
        'out = pathlib.Path(sys.argv[sys.argv.index("--out_dir") + 1])\n'
        'content = pathlib.Path(sys.argv[-1]).read_bytes()\n'
        'if content != b"model": sys.exit("Model not quantized")\n'
        '(out / "model_edgetpu.tflite").write_bytes(b"compiled")\n'
        'print("Number of operations that will run on Edge TPU: 5")\n'
    )
    script(tmp_path / 'edgetpu_compiler', body)
    assert 'on Edge TPU: 5' in compile_for_edge_tpu(source, target)
    assert target.read_bytes() == b'compiled'
    source.write_bytes(b'floats')
    with pytest.raises(ConfigError, match='Model not quantized'):
        compile_for_edge_tpu(source, target)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The part of ai-edge-litert's API that the runtime uses.

A "model" is a JSON file: its tensors with shape, type and (scale, zero point). It answers with the
mean of what its inputs stand for, in the type of its output, and takes nothing of another type, as
the real one does.
"""

import json
import sys
import types

import numpy as np

KINDS = {'float32': np.float32, 'int8': np.int8, 'int32': np.int32}


class Runner:
    def __init__(self, content):
        self._noise = content.get('noise', 0.0)
        self._about = {
            side: {
                name: {
                    'shape': np.array(tensor['shape'], np.int32),
                    'dtype': KINDS[tensor['dtype']],
                    'quantization': tuple(tensor.get('quantization', (0.0, 0))),
                }
                for name, tensor in content[side].items()
            }
            for side in ('inputs', 'outputs')
        }

    def get_input_details(self):
        return self._about['inputs']

    def get_output_details(self):
        return self._about['outputs']

    def __call__(self, **given):
        means = []
        assert set(given) == set(self._about['inputs'])
        for name, value in given.items():
            about = self._about['inputs'][name]
            if value.dtype != about['dtype'] or value.shape != tuple(about['shape']):
                raise ValueError(f'Cannot set tensor: Got value of type {value.dtype}')
            scale, zero = about['quantization'] if about['dtype'] is np.int8 else (1.0, 0)
            means.append((value.astype(np.float64) - zero).mean() * scale)
        answers = {}
        for name, about in self._about['outputs'].items():
            noise = self._noise * np.random.default_rng().standard_normal()
            answer = np.full(tuple(about['shape']), np.mean(means) + noise)
            if about['dtype'] is np.int8:
                scale, zero = about['quantization']
                answer = np.rint(answer / scale) + zero
            answers[name] = answer.astype(about['dtype'])
        return answers


class Interpreter:
    def __init__(self, model_content, num_threads, experimental_delegates):
        try:
            self._content = json.loads(model_content)
        except ValueError as error:
            raise ValueError('Model provided has model identifier "odd"') from error
        self.threads, self.delegates = num_threads, experimental_delegates

    def allocate_tensors(self):
        self._allocated = True

    def get_signature_runner(self, name):
        assert self._allocated
        if name != 'serving_default':
            raise ValueError('Invalid signature_key provided.')
        return Runner(self._content)


def load_delegate(library, options):
    raise ValueError('Failed to load delegate from libedgetpu.so.1')


def install(monkeypatch):
    package, module = (
        types.ModuleType(n) for n in ('ai_edge_litert', 'ai_edge_litert.interpreter')
    )
    module.Interpreter, module.load_delegate = Interpreter, load_delegate
    package.interpreter = module
    monkeypatch.setitem(sys.modules, 'ai_edge_litert', package)
    monkeypatch.setitem(sys.modules, 'ai_edge_litert.interpreter', module)

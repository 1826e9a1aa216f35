# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The part of TensorRT 10's API that the engine uses, with torch on the CPU behind it.

An "engine" is a JSON file: its tensors, and the GPU that it was built for. Executing writes
`output = 0.5 * mean of all inputs` through the addresses that were set, as the real one would.
"""

import ctypes
import json
import math
import types
from enum import Enum

import numpy as np

GPU = 'double'


class TensorIOMode(Enum):
    INPUT = 1
    OUTPUT = 2


class DataType(Enum):
    FLOAT = 1
    HALF = 2
    INT64 = 3
    INT8 = 4


class Logger:
    ERROR = 1

    def __init__(self, level):
        self.level = level


class Context:
    def __init__(self, engine):
        self._engine = engine
        self.addresses = {}
        self.shapes = {}

    def set_input_shape(self, name, shape):
        self.shapes[name] = tuple(shape)
        return shape[0] <= 1

    def set_tensor_address(self, name, address):
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream):
        values = []
        for name, tensor in self._engine.tensors.items():
            if tensor['mode'] == 'INPUT':
                values.append(self._view(name, tensor).astype(np.float64).mean())
        for name, tensor in self._engine.tensors.items():
            if tensor['mode'] == 'OUTPUT':
                noise = self._engine.noise * np.random.default_rng().standard_normal()
                self._view(name, tensor)[...] = 0.5 * np.mean(values) + noise
        self._engine.calls += 1
        return self._engine.calls <= self._engine.fails_after

    def _view(self, name, tensor):
        shape = self.shapes.get(name, tuple(tensor['shape']))
        kind = {'FLOAT': np.float32, 'HALF': np.float16, 'INT64': np.int64}[tensor['dtype']]
        size = int(np.prod(shape)) * np.dtype(kind).itemsize
        buffer = (ctypes.c_char * size).from_address(self.addresses[name])
        return np.frombuffer(buffer, kind).reshape(shape)


class Engine:
    device_memory_size_v2 = 4096

    def __init__(self, content):
        self.tensors = content['tensors']
        self.fails_after, self.calls = content.get('fails_after', math.inf), 0
        self.noise = content.get('noise', 0.0)
        self._names = list(self.tensors)

    @property
    def num_io_tensors(self):
        return len(self._names)

    def get_tensor_name(self, i):
        return self._names[i]

    def get_tensor_mode(self, name):
        return TensorIOMode[self.tensors[name]['mode']]

    def get_tensor_dtype(self, name):
        return DataType[self.tensors[name]['dtype']]

    def get_tensor_shape(self, name):
        return tuple(self.tensors[name]['shape'])

    def create_execution_context(self):
        return Context(self)


class Runtime:
    def __init__(self, logger):
        pass

    def deserialize_cuda_engine(self, content):
        try:
            engine = json.loads(content)
        except ValueError:
            return None
        return Engine(engine) if engine['gpu'] == GPU else None


def install(monkeypatch, version='10.13.0'):
    """Put the double into sys.modules, and a torch whose cuda is the CPU."""
    import sys

    import torch

    module = types.ModuleType('tensorrt')
    module.__version__ = version
    for thing in (TensorIOMode, DataType, Logger, Runtime):
        setattr(module, thing.__name__, thing)
    monkeypatch.setitem(sys.modules, 'tensorrt', module)

    class Nothing:
        cuda_stream = 0

        def __init__(self, *_):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def synchronize(self):
            pass

    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'get_device_name', lambda device: 'another GPU')
    monkeypatch.setattr(torch.cuda, 'get_device_capability', lambda device: (8, 7))
    monkeypatch.setattr(torch.cuda, 'device', Nothing)
    monkeypatch.setattr(torch.cuda, 'Stream', Nothing)
    monkeypatch.setattr(torch.cuda, 'stream', Nothing)
    real = torch.device
    monkeypatch.setattr(torch, 'device', lambda name: real('cpu'))

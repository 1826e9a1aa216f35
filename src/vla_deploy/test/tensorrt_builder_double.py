# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A TensorRT of the size that is used, with ONNX Runtime behind it.

It has what TensorRT 10 and 11 have both, and nothing that 11 took away: no precision flags, no
calibrators, no implicit batch; to use one is an AttributeError. As the real one it wants networks
that are strongly typed, quantisation that is symmetric, and a profile where a dimension is free. An
engine is the graph with the name of the GPU that it was built for; running it reads and writes
through the addresses that were set.
"""

from __future__ import annotations

import base64
import ctypes
import json
import sys
import types
from enum import Enum, IntEnum

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

GPU, CAPABILITY, VERSION = 'Double 3000', (8, 7), '10.13.3'
KINDS = {1: 'FLOAT', 10: 'HALF', 7: 'INT64', 16: 'BF16'}
TYPES = {'FLOAT': np.float32, 'HALF': np.float16, 'INT64': np.int64}
builds: list = []  # the configurations that engines were built with


class NetworkDefinitionCreationFlag(IntEnum):
    STRONGLY_TYPED = 1


class MemoryPoolType(Enum):
    WORKSPACE = 0


class BuilderFlag(Enum):
    TF32 = 7


class TensorIOMode(Enum):
    INPUT = 1
    OUTPUT = 2


DataType = Enum('DataType', list(KINDS.values()))


class Logger:
    ERROR, WARNING = 1, 2

    def __init__(self, level):
        self.level = level


class _Network:
    def __init__(self):
        self.model = None

    @property
    def num_inputs(self):
        return len(self.model.graph.input)

    def get_input(self, i):
        value = self.model.graph.input[i]
        shape = tuple(d.dim_value or -1 for d in value.type.tensor_type.shape.dim)
        return types.SimpleNamespace(name=value.name, shape=shape)


class _ParserError:
    def __init__(self, node, words):
        self._node, self._words = node, words

    def node_operator(self):
        return self._node.op_type

    def node_name(self):
        return self._node.name

    def desc(self):
        return self._words


class OnnxParser:
    def __init__(self, network, logger):
        assert isinstance(network, _Network) and isinstance(logger, Logger)
        self._network, self._errors = network, []

    def parse(self, content):
        model = onnx.load_from_string(content)
        weights = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        for node in model.graph.node:
            if node.domain or node.op_type in ('Celu', 'MatMulInteger', 'QLinearConv'):
                self._errors.append(_ParserError(node, 'no importer registered'))
            if node.op_type == 'QuantizeLinear' and len(node.input) > 2:
                zero = weights[node.input[2]]
                if zero.dtype == np.uint8 or np.any(zero.astype(np.float32) != 0):
                    self._errors.append(_ParserError(node, 'only zero points of zero'))
        self._network.model = model
        return not self._errors

    @property
    def num_errors(self):
        return len(self._errors)

    def get_error(self, i):
        return self._errors[i]


class _Profile:
    def __init__(self):
        self.shapes = {}

    def set_shape(self, name, smallest, usual, largest):
        self.shapes[name] = (tuple(smallest), tuple(usual), tuple(largest))


class _Cache:
    def __init__(self, content):
        self.content = content

    def serialize(self):
        return memoryview(b'timings of ' + GPU.encode())


class _Config:
    __slots__ = ('builder_optimization_level', 'cache', 'flags', 'pools', 'profiles')

    def __init__(self):
        self.pools, self.profiles, self.cache, self.flags = {}, [], None, {BuilderFlag.TF32}
        self.builder_optimization_level = 3

    def set_memory_pool_limit(self, pool, size):
        assert isinstance(pool, MemoryPoolType)
        self.pools[pool] = size

    def clear_flag(self, flag):
        self.flags.discard(BuilderFlag(flag))

    def add_optimization_profile(self, profile):
        for smallest, usual, largest in profile.shapes.values():
            if not smallest <= usual <= largest:
                return -1
        self.profiles.append(profile)
        return len(self.profiles) - 1

    def create_timing_cache(self, content):
        return _Cache(bytes(content))

    def set_timing_cache(self, cache, ignore_mismatch):
        if cache.content and GPU.encode() not in cache.content and not ignore_mismatch:
            return False
        self.cache = cache
        return True

    def get_timing_cache(self):
        return self.cache


class Builder:
    def __init__(self, logger):
        assert isinstance(logger, Logger)

    def create_network(self, flags):
        if not flags & 1 << NetworkDefinitionCreationFlag.STRONGLY_TYPED:
            raise AssertionError('a network of TensorRT 10 that is not strongly typed is float32')
        return _Network()

    def create_builder_config(self):
        return _Config()

    def create_optimization_profile(self):
        return _Profile()

    def build_serialized_network(self, network, config):
        free = [i for i in range(network.num_inputs) if -1 in network.get_input(i).shape]
        if (free and not config.profiles) or config.pools[MemoryPoolType.WORKSPACE] < 1 << 20:
            return None
        builds.append(config)
        graph = base64.b64encode(network.model.SerializeToString()).decode()
        return memoryview(json.dumps({'gpu': GPU, 'graph': graph}).encode())


class _Engine:
    def __init__(self, model):
        self.model = model
        self._values = {v.name: v for v in (*model.graph.input, *model.graph.output)}
        self._inputs = {v.name for v in model.graph.input}

    @property
    def num_io_tensors(self):
        return len(self._values)

    def get_tensor_name(self, i):
        return list(self._values)[i]

    def get_tensor_mode(self, name):
        return TensorIOMode.INPUT if name in self._inputs else TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name):
        return DataType[KINDS[self._values[name].type.tensor_type.elem_type]]

    def get_tensor_shape(self, name):
        return tuple(d.dim_value or -1 for d in self._values[name].type.tensor_type.shape.dim)

    def create_execution_context(self):
        return _Context(self)


class _Context:
    def __init__(self, engine):
        self._engine, self._addresses, self._shapes = engine, {}, {}
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads, options.log_severity_level = 1, 4
        self._session = onnxruntime.InferenceSession(
            engine.model.SerializeToString(), options, providers=['CPUExecutionProvider']
        )

    def set_input_shape(self, name, shape):
        self._shapes[name] = tuple(shape)
        return True

    def set_tensor_address(self, name, address):
        self._addresses[name] = address
        return True

    def execute_async_v3(self, stream):
        names = [self._engine.get_tensor_name(i) for i in range(self._engine.num_io_tensors)]
        reads = [n for n in names if self._engine.get_tensor_mode(n) is TensorIOMode.INPUT]
        writes = [n for n in names if n not in reads]
        fed = {name: self._view(name, self._shape(name)).copy() for name in reads}
        for name, answer in zip(writes, self._session.run(writes, fed), strict=True):
            self._view(name, answer.shape)[...] = answer
        return True

    def _shape(self, name):
        return self._shapes.get(name) or self._engine.get_tensor_shape(name)

    def _view(self, name, shape):
        kind = TYPES[self._engine.get_tensor_dtype(name).name]
        size = int(np.prod(shape)) * np.dtype(kind).itemsize
        buffer = (ctypes.c_char * size).from_address(self._addresses[name])
        return np.frombuffer(buffer, kind).reshape(shape)


class Runtime:
    def __init__(self, logger):
        assert isinstance(logger, Logger)

    def deserialize_cuda_engine(self, content):
        engine = json.loads(content)
        if engine['gpu'] != GPU:
            return None
        return _Engine(onnx.load_from_string(base64.b64decode(engine['graph'])))


THINGS = (NetworkDefinitionCreationFlag, MemoryPoolType, BuilderFlag, TensorIOMode, DataType)
THINGS += (Logger, OnnxParser, Builder, Runtime)


def install(monkeypatch, version=VERSION):
    """Put the double into sys.modules, and a torch whose GPU is the CPU."""
    import torch

    module = types.ModuleType('tensorrt')
    module.__version__ = version
    for thing in THINGS:
        setattr(module, thing.__name__, thing)
    monkeypatch.setitem(sys.modules, 'tensorrt', module)
    builds.clear()

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
    monkeypatch.setattr(torch.cuda, 'get_device_name', lambda device: GPU)
    monkeypatch.setattr(torch.cuda, 'get_device_capability', lambda device: CAPABILITY)
    for name in ('device', 'Stream', 'stream'):
        monkeypatch.setattr(torch.cuda, name, Nothing)
    real = torch.device
    monkeypatch.setattr(
        torch, 'device', lambda name: real('cpu' if 'cuda' in str(name) else str(name))
    )

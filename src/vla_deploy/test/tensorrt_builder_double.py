# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Double of the builder of TensorRT, with ONNX Runtime behind it.

It has what TensorRT 10 and 11 both have: a precision flag, a calibrator or an implicit batch is an
AttributeError. Like the real one it needs strongly typed networks, symmetric quantisation, and a
profile where a dimension is free. An engine is the graph with the name of its GPU.
"""

import base64
import json
import sys
import types
from enum import Enum, IntEnum

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper

from vla_policy.testing import tensorrt_double
from vla_policy.testing.tensorrt_double import Context, Engine

GPU, VERSION = 'Double 3000', '10.13.3'
KINDS = {1: 'FLOAT', 10: 'HALF', 7: 'INT64'}
builds: list = []  # the configurations that engines were built with


class NetworkDefinitionCreationFlag(IntEnum):
    STRONGLY_TYPED = 1


class MemoryPoolType(Enum):
    WORKSPACE = 0


class BuilderFlag(Enum):
    TF32 = 7


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


class _Engine(Engine):
    def __init__(self, model):
        tensors = {}
        for mode, values in (('INPUT', model.graph.input), ('OUTPUT', model.graph.output)):
            for value in values:
                kind = value.type.tensor_type
                shape = [d.dim_value or -1 for d in kind.shape.dim]
                tensors[value.name] = {'mode': mode, 'dtype': KINDS[kind.elem_type], 'shape': shape}
        super().__init__({'tensors': tensors})
        self.model = model

    def create_execution_context(self):
        return _Context(self)


class _Context(Context):
    def __init__(self, engine):
        super().__init__(engine)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads, options.log_severity_level = 1, 4
        self._session = onnxruntime.InferenceSession(
            engine.model.SerializeToString(), options, providers=['CPUExecutionProvider']
        )

    def set_input_shape(self, name, shape):
        self.shapes[name] = tuple(shape)
        return True

    def execute_async_v3(self, stream):
        tensors = self._engine.tensors
        reads = [name for name, tensor in tensors.items() if tensor['mode'] == 'INPUT']
        writes = [name for name in tensors if name not in reads]
        fed = {name: self._view(name, tensors[name]).copy() for name in reads}
        for name, answer in zip(writes, self._session.run(writes, fed), strict=True):
            self.shapes[name] = answer.shape
            self._view(name, tensors[name])[...] = answer
        return True


class Runtime:
    def __init__(self, logger):
        assert isinstance(logger, Logger)

    def deserialize_cuda_engine(self, content):
        engine = json.loads(content)
        if engine['gpu'] != GPU:
            return None
        return _Engine(onnx.load_from_string(base64.b64decode(engine['graph'])))


def install(monkeypatch, version=VERSION):
    """Put the double into sys.modules, and a torch whose GPU is the CPU."""
    tensorrt_double.install(monkeypatch, version)
    for thing in (NetworkDefinitionCreationFlag, MemoryPoolType, BuilderFlag, Logger, OnnxParser):
        setattr(sys.modules['tensorrt'], thing.__name__, thing)
    sys.modules['tensorrt'].Builder, sys.modules['tensorrt'].Runtime = Builder, Runtime
    monkeypatch.setattr(torch.cuda, 'get_device_name', lambda device: GPU)
    builds.clear()

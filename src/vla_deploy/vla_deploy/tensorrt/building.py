# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""From a typed ONNX graph to a serialised engine, with the API that TensorRT 10 and 11 share.

TensorRT is imported when an engine is asked for: no package registry reached by this workspace has
it. What the tests run is a double that is strict about the API; on a GPU this was never executed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vla_common.errors import ConfigError
from vla_policy.bundle.bundle import Bundle

OLDEST = 10
HOW = (
    'TensorRT 10 or later for Python: on a Jetson part of JetPack 6.1 and later, on a PC with an '
    'NVIDIA GPU the package tensorrt from NVIDIA; build on the computer that will run the engine'
)


@dataclass(frozen=True)
class EngineSettings:
    """batches: smallest, usual and largest batch of the optimisation profile. workspace_mb: of the
    memory pool for tactics. level: builder_optimization_level, 0 (quick) to 5 (thorough).
    timing_cache: kept from build to build, so that the second takes seconds. tf32: whether float32
    products may drop mantissa bits."""

    batches: tuple[int, int, int] = (1, 1, 1)
    workspace_mb: int = 1024
    level: int = 3
    timing_cache: Path | None = None
    tf32: bool = False
    device: str = 'cuda:0'


@dataclass(frozen=True)
class Computer:
    """The GPU and the TensorRT at hand."""

    gpu: str
    compute_capability: str
    tensorrt: str


def find(device: str) -> tuple[Any, Computer]:
    """The module tensorrt, and what it will build for. Raises ConfigError saying how to get it."""
    try:
        import tensorrt
    except ImportError as error:
        raise ConfigError('tensorrt', 'package', 'nothing', HOW) from error
    import torch

    version = str(tensorrt.__version__)
    if int(version.split('.')[0]) < OLDEST:
        raise ConfigError('tensorrt', 'version', version, HOW)
    if not device.startswith('cuda') or not torch.cuda.is_available():
        raise ConfigError('--device', '', device, 'cuda:N, and a GPU that torch sees')
    major, minor = torch.cuda.get_device_capability(torch.device(device))
    gpu = torch.cuda.get_device_name(torch.device(device))
    return tensorrt, Computer(gpu, f'{major}.{minor}', version)


def build(tensorrt: Any, graph: Path, bundle: Bundle, settings: EngineSettings) -> bytes:
    """The serialised engine. Raises ConfigError: an operator that TensorRT lacks (named), no
    tactic, no memory."""
    log = tensorrt.Logger(tensorrt.Logger.WARNING)
    builder = tensorrt.Builder(log)
    # Needed by TensorRT 10, ignored by 11, where nothing else is left.
    typed = 1 << int(tensorrt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(typed)
    parser = tensorrt.OnnxParser(network, log)
    if not parser.parse(graph.read_bytes()):
        raise _refusal(parser, graph)
    config = builder.create_builder_config()
    config.set_memory_pool_limit(tensorrt.MemoryPoolType.WORKSPACE, settings.workspace_mb << 20)
    config.builder_optimization_level = settings.level
    if not settings.tf32:
        config.clear_flag(tensorrt.BuilderFlag.TF32)
    _add_profile(builder, config, network, bundle, settings.batches)
    cache = _timing_cache(config, settings.timing_cache)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        found = f'no engine within {settings.workspace_mb} MB (its words are above)'
        raise ConfigError(str(graph), 'TensorRT', found, 'more --workspace, or another --precision')
    if settings.timing_cache is not None and cache is not None:
        _keep(settings.timing_cache, bytes(config.get_timing_cache().serialize()))
    return bytes(engine)


def _refusal(parser: Any, graph: Path) -> ConfigError:
    words = []
    for i in range(parser.num_errors):
        error = parser.get_error(i)
        words.append(f'{error.node_operator() or "?"} ({error.node_name()}): {error.desc()}')
    found = '; '.join(words[:3]) or 'something that its parser refuses'
    return ConfigError(str(graph), 'operator', found, 'operators that TensorRT has')


def _add_profile(
    builder: Any, config: Any, network: Any, bundle: Bundle, batches: tuple[int, int, int]
) -> None:
    shapes: Mapping[str, tuple[int, ...]] = {
        part.tensor: part.shape for part in bundle.model.inputs
    }
    free = False
    profile = builder.create_optimization_profile()
    for i in range(network.num_inputs):
        tensor = network.get_input(i)
        if -1 not in tuple(tensor.shape):
            continue
        free = True
        sizes = [(batch, *shapes[tensor.name][1:]) for batch in batches]
        profile.set_shape(tensor.name, *sizes)
    if free and config.add_optimization_profile(profile) < 0:
        raise ConfigError('--batch', '', batches, 'smallest <= usual <= largest')


def _timing_cache(config: Any, path: Path | None) -> Any:
    """What was timed before, if the file is of this GPU and this TensorRT; an empty one else."""
    content = b''
    if path is not None:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            content = b''
        except OSError as error:
            raise ConfigError(str(path), '', str(error.strerror), 'a readable file') from error
    cache = config.create_timing_cache(content)
    if not config.set_timing_cache(cache, False):  # False: not one of another GPU
        cache = config.create_timing_cache(b'')
        config.set_timing_cache(cache, False)
    return cache


def _keep(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.name}.partial')
    partial.write_bytes(content)
    os.replace(partial, path)

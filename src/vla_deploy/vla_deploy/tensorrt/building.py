# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Engine builder: a serialised engine from a typed ONNX graph, by the API of TensorRT 10 and 11.

TensorRT is not installable here, so it is imported only to build an engine. The tests run a double
that is strict about the API; this was never executed on a GPU.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vla_common.errors import ConfigError
from vla_deploy.atomic_io import write_whole
from vla_policy.bundle.bundle import Bundle
from vla_policy.bundle.provenance import EngineMetadata

OLDEST = 10
INSTALL = (
    'TensorRT 10 or later for Python: on a Jetson part of JetPack 6.1 and later, on a PC with an '
    'NVIDIA GPU the package tensorrt from NVIDIA; build on the computer that will run the engine'
)


@dataclass(frozen=True)
class EngineSettings:
    """batches: smallest, usual and largest batch of the optimisation profile. workspace_mb: memory
    pool for tactics. level: builder_optimization_level, 0 (quick) to 5 (thorough). timing_cache:
    file that makes the next build quick. tf32: float32 products may drop mantissa bits."""

    batches: tuple[int, int, int] = (1, 1, 1)
    workspace_mb: int = 1024
    level: int = 3
    timing_cache: Path | None = None
    tf32: bool = False
    device: str = 'cuda:0'


def detect(device: str) -> tuple[Any, EngineMetadata]:
    """The module tensorrt, and what it builds for, without precision and graph. Raises ConfigError
    with how to install it."""
    try:
        import tensorrt
    except ImportError as error:
        raise ConfigError('tensorrt', 'package', 'nothing', INSTALL) from error
    import torch

    version = str(tensorrt.__version__)
    if int(version.split('.')[0]) < OLDEST:
        raise ConfigError('tensorrt', 'version', version, INSTALL)
    if not device.startswith('cuda') or not torch.cuda.is_available():
        raise ConfigError('--device', '', device, 'cuda:N, and a GPU that torch sees')
    major, minor = torch.cuda.get_device_capability(torch.device(device))
    gpu = torch.cuda.get_device_name(torch.device(device))
    return tensorrt, EngineMetadata(gpu, f'{major}.{minor}', version, '', '')


def build(tensorrt: Any, graph: Path, bundle: Bundle, settings: EngineSettings) -> bytes:
    """The serialised engine. Raises ConfigError: an operator that TensorRT lacks, no tactic, no
    memory."""
    log = tensorrt.Logger(tensorrt.Logger.WARNING)
    builder = tensorrt.Builder(log)
    # Needed by TensorRT 10, ignored by 11, which has no other kind.
    typed = 1 << int(tensorrt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(typed)
    parser = tensorrt.OnnxParser(network, log)
    if not parser.parse(graph.read_bytes()):
        raise _parse_error(parser, graph)
    config = builder.create_builder_config()
    config.set_memory_pool_limit(tensorrt.MemoryPoolType.WORKSPACE, settings.workspace_mb << 20)
    config.builder_optimization_level = settings.level
    if not settings.tf32:
        config.clear_flag(tensorrt.BuilderFlag.TF32)
    _add_profile(builder, config, network, bundle, settings.batches)
    cache = _timing_cache(config, settings.timing_cache)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        found = f'no engine within {settings.workspace_mb} MB (see its log above)'
        raise ConfigError(str(graph), 'TensorRT', found, 'more --workspace, or another --precision')
    if settings.timing_cache is not None and cache is not None:
        settings.timing_cache.parent.mkdir(parents=True, exist_ok=True)
        write_whole(settings.timing_cache, bytes(config.get_timing_cache().serialize()))
    return bytes(engine)


def _parse_error(parser: Any, graph: Path) -> ConfigError:
    words = []
    for i in range(parser.num_errors):
        error = parser.get_error(i)
        words.append(f'{error.node_operator() or "?"} ({error.node_name()}): {error.desc()}')
    found = '; '.join(words[:3]) or 'a graph that its parser rejects'
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
    """The timing cache of the file, or an empty one if it is of another GPU or TensorRT."""
    content = b''
    if path is not None:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            content = b''
        except OSError as error:
            raise ConfigError(str(path), '', str(error.strerror), 'a readable file') from error
    cache = config.create_timing_cache(content)
    if not config.set_timing_cache(cache, False):  # False: reject that of another GPU
        cache = config.create_timing_cache(b'')
        config.set_timing_cache(cache, False)
    return cache

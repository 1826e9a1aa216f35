# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Eager PyTorch modules: `source` in policy.yaml names an installed factory, and the weights, a
safetensors file. A bundle contains no code.

A model that is too large for one device is distributed with Hugging Face Accelerate: `device_map:
auto` over all devices, the CPU last; `{encoder: cuda:0, head: cuda:1}` by module paths.
"""

from collections.abc import Mapping
from typing import Any

from vla_common.errors import ConfigError, first_line
from vla_common.registry import load_object
from vla_policy.bundle.bundle import Bundle
from vla_policy.runtimes import Runtime, last_line
from vla_policy.runtimes.flow import FlowRuntime
from vla_policy.runtimes.torch_module import TorchModule, cast, open_torch, torch_device


def load_pytorch(bundle: Bundle, threads: int = 1, device: str = 'cpu') -> Runtime:
    """Raises ConfigError for a module that cannot be used."""
    torch, where = open_torch(bundle, threads, device)
    spec = bundle.model
    module = _create(torch, bundle)
    module, dtype = cast(torch, module.eval(), spec.precision)
    if spec.device_map:
        module = _distribute(torch, str(bundle.file), spec.device_map, module)
    else:
        module = module.to(where)
    if spec.flow is not None:
        return FlowRuntime(bundle, spec.flow, module, where, dtype)
    return TorchModule(bundle, 'pytorch', module, where, dtype)


def _create(torch: Any, bundle: Bundle) -> Any:
    file, source = str(bundle.file), bundle.source
    assert source is not None
    factory = load_object(source.factory, file, 'source.factory')
    try:
        module = factory(**source.config)
    except (TypeError, ValueError, RuntimeError) as error:
        wanted = f'arguments of {source.factory}'
        raise ConfigError(file, 'source.config', str(error), wanted) from error
    if not isinstance(module, torch.nn.Module):
        found = type(module).__name__
        raise ConfigError(file, 'source.factory', found, 'a factory of a torch Module')
    weights = str(bundle.directory / source.weights)
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        module.load_state_dict(load(bundle.read(source.weights)), strict=True)
    except SafetensorError as error:
        raise ConfigError(weights, 'weights', str(error), 'a safetensors file') from error
    except RuntimeError as error:
        wanted = f'the tensors of {source.factory}'
        raise ConfigError(weights, 'weights', last_line(error), wanted) from error
    return module


def _distribute(torch: Any, file: str, device_map: str | Mapping[str, str], module: Any) -> Any:
    try:
        from accelerate import dispatch_model, infer_auto_device_map
    except ImportError as error:
        raise ConfigError(
            file, 'device_map', device_map, 'the Python package accelerate installed'
        ) from error
    if device_map == 'auto':
        # A layer with a residual connection must stay on one device; models of the transformers
        # library list them in this attribute.
        whole = list(getattr(module, '_no_split_modules', None) or ())
        where = infer_auto_device_map(module, no_split_module_classes=whole)
    else:
        where = dict(device_map)
        for path, device in where.items():
            try:
                torch_device(torch, device)
            except ConfigError as error:
                raise ConfigError(file, f'device_map.{path}', device, error.wanted) from error
    try:
        return dispatch_model(module, where)
    except ValueError as error:  # a module that is not in the map, or a path that is no module
        wanted = 'every part of the model on one device'
        raise ConfigError(file, 'device_map', first_line(error), wanted) from error

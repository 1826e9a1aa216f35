# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""An eager PyTorch module: `source` in policy.yaml names its factory, something installed here, and
its weights, a safetensors file. A bundle brings no code.

A model that is too large for one device is spread over several with Hugging Face Accelerate:
`device_map: auto` over all that there are, the CPU last; `{encoder: cuda:0, head: cuda:1}` as it
says, by the paths of its modules.
"""

from __future__ import annotations

import importlib
from typing import Any

from vla_common.errors import ConfigError
from vla_policy.bundle.bundle import Bundle
from vla_policy.runtimes import Runtime
from vla_policy.runtimes.flow_head import FlowHead
from vla_policy.runtimes.torch_module import TorchModule, cast, import_torch, torch_device


def load_pytorch(bundle: Bundle, threads: int = 1, device: str = 'cpu') -> Runtime:
    """Raises ConfigError for what cannot be used."""
    torch = import_torch(bundle)
    where = torch_device(torch, device)
    torch.set_num_threads(threads)
    module = _made(torch, bundle)
    module, dtype = cast(torch, module.eval(), bundle.precision)
    module = _spread(torch, bundle, module) if bundle.device_map else module.to(where)
    if bundle.flow is not None:
        return FlowHead(bundle, module, where, dtype)
    return TorchModule(bundle, 'pytorch', module, where, dtype)


def _made(torch: Any, bundle: Bundle) -> Any:
    file, source = str(bundle.file), bundle.source
    assert source is not None
    package, _, function = source.factory.partition(':')
    try:
        make = getattr(importlib.import_module(package), function)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            file, 'source.factory', f'{source.factory} ({error})', 'something importable'
        ) from error
    try:
        module = make(**source.config)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(
            file, 'source.config', str(error), f'what {source.factory} takes'
        ) from error
    if not isinstance(module, torch.nn.Module):
        raise ConfigError(file, 'source.factory', type(module).__name__, 'what makes a Module')
    weights = str(bundle.directory / source.weights)
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        module.load_state_dict(load(bundle.read(source.weights)), strict=True)
    except SafetensorError as error:
        raise ConfigError(weights, 'weights', str(error), 'a safetensors file') from error
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ConfigError(
            weights, 'weights', lines[-1], f'what {source.factory} makes, tensor by tensor'
        ) from error
    return module


def _spread(torch: Any, bundle: Bundle, module: Any) -> Any:
    file = str(bundle.file)
    try:
        from accelerate import dispatch_model, infer_auto_device_map
    except ImportError as error:
        raise ConfigError(
            file, 'device_map', bundle.device_map, 'the Python package accelerate installed'
        ) from error
    if bundle.device_map == 'auto':
        # A layer whose input goes around it (a residual) must stay in one piece; models of the
        # transformers library name theirs so.
        whole = list(getattr(module, '_no_split_modules', None) or ())
        where = infer_auto_device_map(module, no_split_module_classes=whole)
    else:
        where = dict(bundle.device_map)
        for path, device in where.items():
            _there(torch, file, path, device)
    try:
        return dispatch_model(module, where)
    except ValueError as error:  # a module that is not in the map, or the other way around
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise ConfigError(
            file, 'device_map', lines[0], 'every part of the model on one device'
        ) from error


def _there(torch: Any, file: str, path: str, device: str) -> None:
    try:
        torch_device(torch, device)
    except ConfigError as error:
        raise ConfigError(file, f'device_map.{path}', device, error.wanted) from error

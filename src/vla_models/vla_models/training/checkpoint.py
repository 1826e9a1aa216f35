# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Checkpoints as safetensors: tensors and JSON, no code.

`checkpoint.safetensors` is the complete state of a run, from which a killed run is resumed;
`best.safetensors` has the averaged weights at the lowest validation error, for export. Everything
that is not a tensor is JSON under the key `about` of the metadata of the file.
"""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vla_common.errors import ConfigError
from vla_common.yaml_file import load_yaml

BEST = 'best.safetensors'
CHECKPOINT = 'checkpoint.safetensors'
TOKENIZER = 'tokenizer.json'
POLICY, SOURCE = 'policy.yaml', 'source.safetensors'  # of a bundle


def save(path: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Write a file atomically."""
    partial = path.with_suffix('.partial')
    whole = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    save_file(whole, str(partial), metadata={'about': json.dumps(about)})
    os.replace(partial, path)


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and `about`. Raises ConfigError."""
    if not Path(path).is_file():
        raise ConfigError(path, '(file)', 'nothing', 'a checkpoint that train wrote')
    try:
        with safe_open(str(path), framework='pt') as file:
            about = json.loads((file.metadata() or {}).get('about', '{}'))
            return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118
    except (SafetensorError, ValueError) as error:
        raise ConfigError(path, '(file)', str(error), 'a safetensors file') from error


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Adam's moments and step counts by parameter number."""
    return {
        f'optimiser.{number}.{name}': torch.as_tensor(value)
        for number, values in optimiser.state_dict()['state'].items()
        for name, value in values.items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """The inverse of `optimiser_tensors`."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith('optimiser.'):
            _, number, name = key.split('.')
            state.setdefault(int(number), {})[name] = value
    groups = optimiser.state_dict()['param_groups']
    optimiser.load_state_dict({'state': state, 'param_groups': groups})


def under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors with this prefix, without it in their names."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def weights_in(path: Path) -> tuple[dict[str, Tensor], dict[str, Any], Path]:
    """Initial weights from a run, a bundle with its source, or a safetensors file.

    Returns tensors by the names of the network, their metadata (`state_joints`, `mean`, `std` where
    known) and their directory. Raises ConfigError.
    """
    path = Path(path)
    if (path / POLICY).is_file():
        tensors, _ = load(path / SOURCE)
        state = load_yaml(path / POLICY).get('inputs', {}).get('state', {})
        about = {key: state[key] for key in ('mean', 'std') if key in state}
        about['state_joints'] = state.get('joints')
        # The module of a bundle is wrapped, for inputs in the order of policy.yaml.
        return under(tensors, 'policy.') or tensors, about, path
    if (path / BEST).is_file():
        path = path / BEST
    tensors, about = load(path)
    return tensors, about, path.parent

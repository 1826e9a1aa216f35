# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Checkpoints as safetensors: numbers and a JSON text, nothing that could run.

`checkpoint.safetensors` holds all that a killed run needs to go on as if it had not been;
`best.safetensors` the averaged weights at the lowest validation error, which are what is exported.
What is not a tensor is JSON under the key `about` of the file's metadata.
"""

from __future__ import annotations

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
    """Write a file; a kill while writing leaves the one that was there."""
    partial = path.with_suffix('.partial')
    whole = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    save_file(whole, str(partial), metadata={'about': json.dumps(about)})
    os.replace(partial, path)


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and `about`. ConfigError where the file is none of ours."""
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
    """Those whose name begins with `prefix`, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def weights_in(path: Path) -> tuple[dict[str, Tensor], dict[str, Any], Path]:
    """Weights to begin from: a run, a bundle with its source, or a safetensors file.

    Returns tensors by the network's names, what is known of them (`state_joints`, `mean`, `std`
    where it is), and the directory that they come from. ConfigError where there are none.
    """
    path = Path(path)
    if (path / POLICY).is_file():
        tensors, _ = load(path / SOURCE)
        state = load_yaml(path / POLICY).get('inputs', {}).get('state', {})
        about = {key: state[key] for key in ('mean', 'std') if key in state}
        about['state_joints'] = state.get('joints')
        # The module of a bundle is wrapped: its inputs come in the order of policy.yaml.
        return under(tensors, 'policy.') or tensors, about, path
    if (path / BEST).is_file():
        path = path / BEST
    tensors, about = load(path)
    return tensors, about, path.parent

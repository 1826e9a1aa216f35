# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The original: a torch module, and the policy.yaml that says what it eats and gives.

It comes from a training run, from a bundle that names its `source`, or from a module of the user's
own (`package.module:factory`, a safetensors file, a policy.yaml). Its `forward` takes the inputs of
policy.yaml by position (image, state, instruction, phase: those that are there) and returns the
action, or a tuple of the action and the gripper.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import nn

from vla_common.errors import ConfigError
from vla_common.yaml_file import load_yaml
from vla_deploy.silence import first_line
from vla_policy.bundle.bundle import MODEL_KEYS, load_bundle

WEIGHTS = 'source.safetensors'
INPUTS = ('image', 'state', 'instruction', 'phase')


@dataclass(frozen=True)
class ReferenceModel:
    """module: eval, float32, on the CPU. policy: policy.yaml without what depends on the model
    file. attachments: the other files of the bundle (tokenizer), by name."""

    module: nn.Module
    policy: Mapping[str, Any]
    factory: str
    config: Mapping[str, Any]
    attachments: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Tensor names, in the order of `forward`."""
        given = self.policy['inputs']
        return tuple(given[name]['tensor'] for name in INPUTS if name in given)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Tensor names, in the order in which `forward` returns them."""
        given = self.policy['outputs']
        return tuple(given[name]['tensor'] for name in ('action', 'gripper') if name in given)

    def sample(self, batch: int, seed: int = 0) -> tuple[torch.Tensor, ...]:
        """Random inputs of the right shapes and ranges, for tracing."""
        generator = torch.Generator().manual_seed(seed)
        given = self.policy['inputs']
        tensors = []
        for name in INPUTS:
            if name not in given:
                continue
            part = given[name]
            if name == 'image':
                size = (part['height'], part['width'])
                shape = (3, *size) if part.get('layout', 'nchw') == 'nchw' else (*size, 3)
                tensors.append(torch.rand(batch, *shape, generator=generator) * 2 - 1)
            elif name == 'state':
                tensors.append(torch.randn(batch, len(part['mean']), generator=generator))
            elif name == 'instruction':
                ids = torch.randint(0, 6, (batch, part['length']), generator=generator)
                ids[:, 0] = 2
                tensors.append(ids)
            else:
                tensors.append(torch.randn(batch, 2, generator=generator))
        return tuple(tensors)

    def with_module(
        self, module: nn.Module, config: Mapping[str, Any] | None = None
    ) -> ReferenceModel:
        """The same policy with other weights, and another configuration if its shapes changed."""
        return replace(self, module=module, config=self.config if config is None else config)

    def weights(self) -> bytes:
        """The module's state as a safetensors file."""
        state = {name: value.contiguous() for name, value in self.module.state_dict().items()}
        return save_safetensors(state)


def build(factory: str, config: Mapping[str, Any], file: str = '--module') -> nn.Module:
    """`package.module:function` called with `config`. Raises ConfigError."""
    match = re.fullmatch(r'([\w.]+):(\w+)', factory)
    if match is None:
        raise ConfigError(file, 'factory', factory, 'package.module:function')
    try:
        make = getattr(importlib.import_module(match[1]), match[2])
    except (ImportError, AttributeError) as error:
        wanted = 'something importable (a file of your own: its directory on PYTHONPATH)'
        raise ConfigError(file, 'factory', f'{factory} ({error})', wanted) from error
    try:
        module = make(**config)
    except Exception as error:  # someone's code raises whatever it likes
        said = f'{type(error).__name__}: {error}'
        raise ConfigError(file, 'config', said, f'what {factory} takes') from error
    if not isinstance(module, nn.Module):
        raise ConfigError(file, 'factory', type(module).__name__, 'a function that makes a Module')
    return module


def fill(module: nn.Module, weights: bytes, file: str) -> nn.Module:
    """Load a safetensors file into `module`, all of it; eval mode. Raises ConfigError."""
    try:
        state = load_safetensors(weights)
    except SafetensorError as error:
        raise ConfigError(file, 'weights', str(error), 'a safetensors file') from error
    own = module.state_dict()
    for name in sorted({*own, *state}):
        found = tuple(state[name].shape) if name in state else 'nothing'
        wanted = tuple(own[name].shape) if name in own else 'no such tensor'
        if found != wanted:
            raise ConfigError(file, name, found, f'{wanted}, as the module has it')
    module.load_state_dict(state)
    return module.float().eval()


def from_run(run: Path, version: str = '0.1.0') -> ReferenceModel:
    """A directory that `train` wrote. Raises ConfigError."""
    from vla_models.policy_description import describe, load_checkpoint
    from vla_models.training.checkpoint import BEST

    model, content = load_checkpoint(run / BEST)
    tokenizer = run / 'tokenizer.json'
    if not tokenizer.is_file():
        raise ConfigError(str(tokenizer), '(file)', 'nothing', 'the tokenizer that train wrote')
    config = model.config.to_dict()
    factory = 'vla_deploy.architectures:humanoid_vla'
    module = build(factory, config)
    module.policy.load_state_dict(model.state_dict())
    return ReferenceModel(
        module.eval(),
        describe(model.config, content, version),
        factory,
        config,
        {'tokenizer.json': tokenizer.read_bytes()},
    )


def from_module(
    factory: str, config: Mapping[str, Any], weights: Path | None, policy: Path
) -> ReferenceModel:
    """A module of the user's own. `policy` is a policy.yaml; what it names beside the model (its
    tokenizer) lies next to it. Without weights the module keeps those it was made with. Raises
    ConfigError.
    """
    described = load_yaml(policy)
    for key in ('inputs', 'outputs', 'name'):
        if key not in described:
            raise ConfigError(str(policy), key, 'nothing', 'a section, as in any policy.yaml')
    module = build(factory, config)
    if weights is not None:
        try:
            content = weights.read_bytes()
        except OSError as error:
            raise ConfigError(str(weights), '', str(error.strerror), 'a readable file') from error
        module = fill(module, content, str(weights))
    attachments = {}
    words = described['inputs'].get('instruction')
    if words:
        name = words.get('tokenizer', '')
        path = policy.parent / name
        if not path.is_file():
            raise ConfigError(str(policy), 'inputs.instruction.tokenizer', name, 'a file beside it')
        attachments[name] = path.read_bytes()
    original = ReferenceModel(
        module.float().eval(), _without_model(described), factory, dict(config), attachments
    )
    _try(original, policy)
    return original


def _try(original: ReferenceModel, file: Path) -> None:
    """Ask the module once, so that shapes that do not match are told as such, by the submodule that
    they stopped at, and not as a converter's trouble. Raises ConfigError."""
    try:
        sample = original.sample(1)
        action = original.policy['outputs']['action']
        wanted = (1, action['horizon'], len(action['joints']))
    except (KeyError, TypeError) as error:
        raise ConfigError(
            str(file), 'inputs, outputs', f'no {error}', 'the keys of any policy.yaml'
        ) from error
    entered = ['']
    hooks = [
        part.register_forward_pre_hook(lambda _, __, name=name: entered.append(name))
        for name, part in original.module.named_modules()
    ]
    given = ', '.join(f'{n} {tuple(x.shape)}' for n, x in zip(original.inputs, sample, strict=True))
    try:
        with torch.no_grad():
            answer = original.module(*sample)
    except Exception as error:  # someone's code raises whatever it likes
        where = f' (in {entered[-1]})' if entered[-1] else ''
        said = f'{first_line(error)}{where}'
        wanted = f'a module that takes {given}'
        raise ConfigError(original.factory, 'forward', said, wanted) from error
    finally:
        for hook in hooks:
            hook.remove()
    first = answer[0] if isinstance(answer, (tuple, list)) else answer
    found = tuple(getattr(first, 'shape', ())) or type(first).__name__
    if found != wanted:
        raise ConfigError(original.factory, original.outputs[0], found, f'{wanted}, as {file} says')


def from_bundle(directory: Path) -> ReferenceModel:
    """The `source` of a bundle. Raises ConfigError where it has none."""
    bundle = load_bundle(directory, accept_failed=True)
    source = bundle.source
    if source is None:
        raise ConfigError(
            str(bundle.file), 'source', 'nothing', 'the module it was made from (export writes it)'
        )
    module = build(source.factory, source.config, str(bundle.file))
    module = fill(module, bundle.read(source.weights), str(directory / source.weights))
    others = {name for name in bundle.files if name not in (bundle.model.file, source.weights)}
    return ReferenceModel(
        module,
        _without_model(load_yaml(bundle.file)),
        source.factory,
        source.config,
        {name: bundle.read(name) for name in sorted(others)},
    )


def load_original(path: Path) -> ReferenceModel:
    """A training run or a bundle with a source. Raises ConfigError."""
    path = Path(path)
    if (path / 'policy.yaml').is_file():
        return from_bundle(path)
    return from_run(path)


def _without_model(policy: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in policy.items() if key not in MODEL_KEYS}

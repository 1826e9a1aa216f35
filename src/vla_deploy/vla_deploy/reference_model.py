# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Reference model: a torch module and the policy.yaml that describes its inputs and outputs.

It is loaded from a training run, from a bundle with a `source`, or from a module of the user
(`package.module:factory`, a safetensors file, a policy.yaml). `forward` takes the inputs of
policy.yaml by position (image, state, instruction, phase, memory; absent ones are left out) and
returns the action alone, a tuple in the order action, gripper, understood, possible, done, next
memory (those in policy.yaml; an attribute `output_names` of the module says the same), or a
dictionary by tensor name.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import nn

from vla_common.errors import ConfigError, first_line
from vla_common.registry import load_object
from vla_common.yaml_file import load_yaml
from vla_models.policy_description import describe, load_checkpoint
from vla_models.training import checkpoint
from vla_policy.bundle.bundle import MODEL_KEYS, load_bundle

HUMANOID_VLA = 'vla_deploy.architectures:humanoid_vla'
WEIGHTS = 'source.safetensors'
INPUTS = ('image', 'state', 'instruction', 'phase', 'memory')
OUTPUTS = ('action', 'gripper', 'understood', 'possible', 'done')


@dataclass(frozen=True)
class ReferenceModel:
    """module: eval mode, float32, on the CPU. policy: policy.yaml without MODEL_KEYS.
    attachments: the bundle's other files (tokenizer), by name."""

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
        return self._returned(OUTPUTS)

    @property
    def answered(self) -> tuple[str, ...]:
        """Of these, those that a policy reads: all but the gripper."""
        return self._returned(tuple(name for name in OUTPUTS if name != 'gripper'))

    def _returned(self, names: tuple[str, ...]) -> tuple[str, ...]:
        given = self.policy['outputs']
        memory = self.policy['inputs'].get('memory')
        following = (memory['following'],) if memory else ()
        return (*(given[name]['tensor'] for name in names if name in given), *following)

    def frames(self, name: str) -> int:
        """Length of the time axis of the input `name`; 1 without one."""
        history = self.policy['inputs'].get('history', {}).get('frames', 1)
        return self.policy['inputs'][name].get('frames', history)

    def sample(self, batch: int, seed: int = 0) -> tuple[torch.Tensor, ...]:
        """Random inputs of the right shapes and ranges, for tracing."""
        generator = torch.Generator().manual_seed(seed)
        given = self.policy['inputs']
        tensors = []
        for name in (name for name in INPUTS if name in given):
            part = given[name]
            if name == 'image':
                size = (part['height'], part['width'])
                shape = (3, *size) if part.get('layout', 'nchw') == 'nchw' else (*size, 3)
                shape = (*self._time(name), *shape)
                tensors.append(torch.rand(batch, *shape, generator=generator) * 2 - 1)
            elif name == 'state':
                shape = (*self._time(name), len(part['mean']))
                tensors.append(torch.randn(batch, *shape, generator=generator))
            elif name == 'instruction':
                ids = torch.randint(0, 6, (batch, part['length']), generator=generator)
                ids[:, 0] = 2
                tensors.append(ids)
            elif name == 'memory':
                tensors.append(torch.rand(batch, *part['shape'], generator=generator))
            else:
                tensors.append(torch.randn(batch, 2, generator=generator))
        return tuple(tensors)

    def _time(self, name: str) -> tuple[int, ...]:
        """The time axis of an input: with a history of one frame there is none."""
        frames = self.frames(name)
        return () if frames == 1 else (frames,)

    def with_module(self, module: nn.Module) -> Self:
        """The same policy with `module`, which returns the outputs `answered`."""
        policy = {**self.policy, 'outputs': without_gripper(self.policy['outputs'])}
        return replace(self, module=module.eval(), policy=policy)

    def weights(self) -> bytes:
        """The module's state as a safetensors file."""
        state = {name: value.contiguous() for name, value in self.module.state_dict().items()}
        return save_safetensors(state)


def without_gripper(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """The section `outputs` without what is not executed yet."""
    gripper = outputs.get('gripper')
    if gripper is not None and not gripper.get('ignored', False):
        wanted = '`ignored: true`: this conversion leaves the gripper output out'
        raise ConfigError('policy.yaml', 'outputs.gripper', 'one that is followed', wanted)
    return {name: output for name, output in outputs.items() if name != 'gripper'}


def outputs_of(answer: Any, names: tuple[str, ...]) -> tuple[torch.Tensor, ...]:
    """All outputs of a module, in the order of `names`. Raises ValueError for others."""
    if isinstance(answer, dict):
        missing = [name for name in names if name not in answer]
        if missing:
            raise ValueError(f'no output {", ".join(missing)}, only {", ".join(answer)}')
        return tuple(answer[name] for name in names)
    found = tuple(answer) if isinstance(answer, (tuple, list)) else (answer,)
    if len(found) != len(names):
        raise ValueError(f'{len(found)} outputs, wanted {", ".join(names)}')
    return found


def action_of(answer: Any) -> torch.Tensor:
    """The action among the outputs of a module, which it is the first of."""
    if isinstance(answer, dict):
        return next(iter(answer.values()))
    return answer[0] if isinstance(answer, (tuple, list)) else answer


@contextmanager
def on_forward(module: nn.Module, call: Callable[[str, tuple], None]) -> Iterator[None]:
    """Call `call(name, inputs)` before each submodule runs."""
    hooks = [
        part.register_forward_pre_hook(lambda _, given, name=name: call(name, given))
        for name, part in module.named_modules()
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def build(factory: str, config: Mapping[str, Any], file: str = '--module') -> nn.Module:
    """Call the factory `package.module:function` with `config`. Raises ConfigError."""
    make = load_object(factory, file, 'factory')
    try:
        module = make(**config)
    except Exception as error:  # user code raises any type
        found = f'{type(error).__name__}: {error}'
        raise ConfigError(file, 'config', found, f'the arguments of {factory}') from error
    if not isinstance(module, nn.Module):
        raise ConfigError(file, 'factory', type(module).__name__, 'a function that makes a Module')
    return module


def load_weights(module: nn.Module, weights: bytes, file: str) -> nn.Module:
    """Load a safetensors file into `module`; eval mode. Raises ConfigError, which names the first
    tensor that is missing, unknown or of another shape."""
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
    """Load a directory that `train` wrote. Raises ConfigError."""
    model, content = load_checkpoint(run / checkpoint.BEST)
    tokenizer = run / checkpoint.TOKENIZER
    if not tokenizer.is_file():
        raise ConfigError(str(tokenizer), '(file)', 'nothing', 'the tokenizer that train wrote')
    config = model.config.to_dict()
    module = build(HUMANOID_VLA, config)
    module.policy.load_state_dict(model.state_dict())
    described = describe(model.config, content, version)
    files = {checkpoint.TOKENIZER: tokenizer.read_bytes()}
    return ReferenceModel(module.eval(), described, HUMANOID_VLA, config, files)


def from_module(
    factory: str, config: Mapping[str, Any], weights: Path | None, policy: Path
) -> ReferenceModel:
    """Load a module of the user. policy: its policy.yaml, with the tokenizer beside it. Without
    weights the module keeps its initial ones. Raises ConfigError."""
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
        module = load_weights(module, content, str(weights))
    attachments = {}
    words = described['inputs'].get('instruction')
    if words:
        name = words.get('tokenizer', '')
        path = policy.parent / name
        if not path.is_file():
            raise ConfigError(str(policy), 'inputs.instruction.tokenizer', name, 'a file beside it')
        attachments[name] = path.read_bytes()
    kept = without_model(described)
    reference = ReferenceModel(module.float().eval(), kept, factory, dict(config), attachments)
    _check_forward(reference, policy)
    return reference


def _check_forward(reference: ReferenceModel, file: Path) -> None:
    """Run the module once, so that a wrong shape is reported with the submodule that raised, and
    not by a converter. Raises ConfigError."""
    try:
        sample = reference.sample(1)
        action = reference.policy['outputs']['action']
        wanted = (1, action['horizon'], len(action['joints']))
    except (KeyError, TypeError) as error:
        raise ConfigError(
            str(file), 'inputs, outputs', f'no {error}', 'the keys of any policy.yaml'
        ) from error
    entered = ['']
    shapes = (f'{n} {tuple(x.shape)}' for n, x in zip(reference.inputs, sample, strict=True))
    try:
        with torch.no_grad(), on_forward(reference.module, lambda name, _: entered.append(name)):
            answer = reference.module(*sample)
    except Exception as error:  # user code raises any type
        where = f' (in {entered[-1]})' if entered[-1] else ''
        takes = f'a module that takes {", ".join(shapes)}'
        raise ConfigError(
            reference.factory, 'forward', f'{first_line(error)}{where}', takes
        ) from error
    named = getattr(reference.module, 'output_names', reference.outputs)
    if tuple(named) != reference.outputs:
        found = ', '.join(named)
        wanted = f'{", ".join(reference.outputs)}, as {file} says, in this order'
        raise ConfigError(reference.factory, 'output_names', found, wanted)
    try:
        first = outputs_of(answer, reference.outputs)[0]
    except ValueError as error:
        wanted = f'those of {file}'
        raise ConfigError(reference.factory, 'outputs', str(error), wanted) from error
    found = tuple(getattr(first, 'shape', ())) or type(first).__name__
    if found != wanted:
        described = f'{wanted}, as {file} says'
        raise ConfigError(reference.factory, reference.outputs[0], found, described)


def from_bundle(directory: Path) -> ReferenceModel:
    """Load the `source` of a bundle. Raises ConfigError where it has none."""
    bundle = load_bundle(directory, accept_failed=True)
    source = bundle.source
    if source is None:
        raise ConfigError(
            str(bundle.file), 'source', 'nothing', 'the module it was made from (export writes it)'
        )
    module = build(source.factory, source.config, str(bundle.file))
    module = load_weights(module, bundle.read(source.weights), str(directory / source.weights))
    others = sorted({*bundle.files} - {bundle.model.file, source.weights})
    policy = without_model(load_yaml(bundle.file))
    files = {name: bundle.read(name) for name in others}
    return ReferenceModel(module, policy, source.factory, source.config, files)


def without_model(policy: Mapping[str, Any]) -> dict[str, Any]:
    """policy.yaml without MODEL_KEYS."""
    return {key: value for key, value in policy.items() if key not in MODEL_KEYS}

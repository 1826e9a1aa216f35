# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Prune in steps, train on after each, stop when it gets too wrong; the result is a bundle."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from vla_common.errors import ConfigError
from vla_deploy.architectures import described_with
from vla_deploy.exporting import export
from vla_deploy.fine_tuning import Tuning, fine_tuned
from vla_deploy.observations import Tensors
from vla_deploy.parity import LOSSY, ParityLimits, compare
from vla_deploy.pruning.groups import Group, find_groups
from vla_deploy.pruning.importance import IMPORTANCES, scores
from vla_deploy.pruning.masks import keeper, sparsity, zero_least
from vla_deploy.pruning.removal import cut, least, silence
from vla_deploy.publishing import VerificationOptions, reference_of
from vla_deploy.reference_model import ReferenceModel, build, from_bundle
from vla_deploy.runners import EagerRunner, answers
from vla_deploy.verification import VerificationReference, VerificationResult
from vla_models.dataset import open_dataset
from vla_models.network.sizes import changed_sizes
from vla_policy.bundle.bundle import load_bundle

KINDS = ('structured', 'unstructured')


@dataclass(frozen=True)
class PruningPlan:
    """amount: share of weights (unstructured) or of the units of each group (structured), reached
    in `steps`. norm: n of Ln. remove: cut units out; else they are only silenced. parts: of layers'
    names that may be pruned; none: all. stop_above: rad, mean error against the original."""

    kind: str = 'structured'
    importance: str = 'magnitude'
    amount: float = 0.3
    steps: int = 1
    norm: float = 2.0
    remove: bool = True
    parts: tuple[str, ...] = ()
    stop_above: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.importance not in IMPORTANCES:
            found = f'{self.kind}, {self.importance}'
            raise ConfigError('prune', 'kind', found, f'one of {KINDS} and one of {IMPORTANCES}')
        if not 0.0 < self.amount < 1.0:
            raise ConfigError('prune', '--amount', self.amount, 'a share between 0 and 1')


@dataclass(frozen=True)
class PruningStep:
    """After one step. sparsity: share of weights that are zero or gone. error: mean over joints and
    observations, against the original, rad; held_out: on a dataset's held-out episodes."""

    amount: float
    sparsity: float
    parameters: int
    error: float
    held_out: float | None = None


@dataclass(frozen=True)
class Pruned:
    """What was made. before: parameters of the original. stopped: why earlier than planned."""

    finding: VerificationResult | None
    steps: tuple[PruningStep, ...]
    before: int
    groups: int
    stopped: str = ''


def prune(
    directory: Path,
    out: Path,
    plan: PruningPlan,
    proof: VerificationOptions,
    *,
    form: str = 'onnx',
    tuning: Tuning | None = None,
    limits: ParityLimits = LOSSY,
    reference: VerificationReference | None = None,
    told: Callable[[str], None] = lambda text: None,
    advance: Callable[[int, float], None] = lambda frames, loss: None,
) -> Pruned:
    """The bundle `out` in `form` (of exporting.FORMS), from the source of `directory`. Raises
    ConfigError and VerificationFailed."""
    if tuning is not None:
        open_dataset(tuning.data)  # a wrong one is told now
    original = from_bundle(directory)
    reference = reference or reference_of(directory, proof, original)
    action = load_bundle(directory, accept_failed=True).model.action
    assert action is not None
    before = count(original.module)
    current, steps, stopped, groups = original, [], '', 0
    for number in range(1, plan.steps + 1):
        amount = plan.amount * number / plan.steps
        told(f'step {number} of {plan.steps}: {amount:.0%}')
        changed, keep, groups = _pruned_once(original, current, plan, amount, reference.inputs)
        held_out = None
        if tuning is not None:
            changed, held_out = fine_tuned(changed, original, tuning, keep, advance)
        found = answers(EagerRunner(changed), reference.inputs)
        error = compare(reference.outputs, found, action).mean_error_rad
        share = 1 - (1 - sparsity(changed.module)) * count(changed.module) / before
        step = PruningStep(amount, share, count(changed.module), error, held_out)
        told(f'{share:.0%} sparse, {error:.2g} rad from the original')
        if plan.stop_above is not None and error > plan.stop_above and steps:
            stopped = f'{error:.2g} rad at {amount:.0%}, wanted at most {plan.stop_above:g}'
            break
        steps.append(step)
        current = changed
    finding = export(current, out, form, proof, limits=limits, reference=reference)
    return Pruned(finding, tuple(steps), before, groups, stopped)


def count(module: nn.Module) -> int:
    """Parameters."""
    return sum(p.numel() for p in module.parameters())


def _pruned_once(
    original: ReferenceModel,
    current: ReferenceModel,
    plan: PruningPlan,
    amount: float,
    inputs: Sequence[Tensors],
):
    """`current` pruned up to `amount` of the original; what keeps its zeros while training."""
    module = copy.deepcopy(current.module)
    names = current.inputs
    worth = scores(module, plan.importance, inputs, names, norm=plan.norm, seed=plan.seed)
    if plan.kind == 'unstructured':
        for name, score in worth.items():  # what is zero already goes first, whatever chance says
            score[dict(module.named_parameters())[name] == 0] = -1.0
        zero_least(module, amount, worth)
        return replace(current, module=module), _keeping(plan), 0
    sample = tuple(torch.from_numpy(inputs[0][name]) for name in names)
    groups = find_groups(module, sample, lambda name: _wanted(name, plan))
    if not groups:
        raise ConfigError(
            current.factory, '--parts', list(plan.parts), 'a part with channels that can be cut'
        )
    full = {group.name: _units_of(original.module, group) for group in groups}
    for group in groups:
        units = _units_to_go(group.worth(module, worth), amount, full[group.name])
        (cut if plan.remove else silence)(module, group, units)
    if not plan.remove:
        return replace(current, module=module), _keeping(plan), len(groups)
    base = build(original.factory, original.config)
    factory, config = described_with(original.factory, original.config, changed_sizes(base, module))
    # Made again from its configuration, so that this is what is trained on and shipped.
    made = build(factory, config)
    made.load_state_dict(module.state_dict())
    changed = replace(current, module=made.eval(), factory=factory, config=config)
    return changed, lambda trainer: None, len(groups)


def _units_of(original: nn.Module, group: Group) -> int:
    """How many units the group had at the beginning."""
    part = next(p for p in group.slices if p.out)
    rows = original.get_submodule(part.layer).weight.shape[0]
    return rows // len(part.indices[0])


def _units_to_go(worth: torch.Tensor, amount: float, full: int) -> list[int]:
    """Of the units that are left, those that bring the group down to 1 - amount of `full`."""
    padded = torch.cat([worth, worth.new_full((full - len(worth),), -1.0)])
    gone = set(least(padded, amount))
    return sorted(i for i in gone if i < len(worth))


def _wanted(name: str, plan: PruningPlan) -> bool:
    return not plan.parts or any(part in name for part in plan.parts)


def _keeping(plan: PruningPlan):
    def prepare(trainer) -> None:
        keep = keeper(trainer.model)
        trainer.optimiser.optimizer.register_step_post_hook(lambda *_: keep())

    return prepare

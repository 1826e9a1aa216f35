# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Pruning in steps with fine-tuning after each; the result is a verified bundle."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from vla_common.errors import ConfigError
from vla_deploy.architectures import described_with
from vla_deploy.exporting import export
from vla_deploy.fine_tuning import FineTuning, fine_tune
from vla_deploy.observations import Tensors
from vla_deploy.parity import LOSSY, compare
from vla_deploy.pruning.groups import find_groups
from vla_deploy.pruning.importance import IMPORTANCES, scores
from vla_deploy.pruning.removal import (
    Group,
    least_important,
    mask_units,
    remove_units,
    sparsity,
    zero_keeper,
    zero_least,
)
from vla_deploy.publishing import VerificationOptions
from vla_deploy.reference_model import ReferenceModel, build, from_bundle
from vla_deploy.runners import EagerRunner, answers
from vla_deploy.verification import VerificationResult
from vla_models.dataset import open_dataset
from vla_models.network.sizes import changed_sizes
from vla_policy.bundle.bundle import load_bundle

KINDS = ('structured', 'unstructured')


@dataclass(frozen=True)
class PruningPlan:
    """amount: share of weights (unstructured) or of the units of each group (structured), reached
    in `steps`. norm: n of Ln. remove: remove units; else they are only masked. parts: parts of the
    names of layers that may be pruned; empty: all. stop_above: mean error, rad, at which to
    stop."""

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
    """State after one step. sparsity: share of weights that are zero or removed. error: mean over
    joints and observations, rad; held_out: the same on a dataset's held-out episodes."""

    amount: float
    sparsity: float
    parameters: int
    error: float
    held_out: float | None = None


@dataclass(frozen=True)
class PruningResult:
    """before: parameters of the reference model. stopped: why pruning ended early; else empty."""

    result: VerificationResult | None
    steps: tuple[PruningStep, ...]
    before: int
    groups: int
    stopped: str = ''


def prune(
    directory: Path,
    out: Path,
    plan: PruningPlan,
    options: VerificationOptions,
    *,
    form: str = 'onnx',
    tuning: FineTuning | None = None,
    log: Callable[[str], None] = lambda text: None,
    advance: Callable[[int, float], None] = lambda frames, loss: None,
) -> PruningResult:
    """Write the bundle `out` in `form` (of exporting.FORMS) from the source of `directory`. Raises
    ConfigError and VerificationFailed."""
    if tuning is not None:
        open_dataset(tuning.data)  # raises before any work
    reference = from_bundle(directory)
    options = options.with_expected(directory, reference)
    options = replace(options, limits=options.limits or LOSSY)
    expected = options.expected
    action = load_bundle(directory, accept_failed=True).model.action
    assert action is not None and expected is not None
    before = count(reference.module)
    current, steps, stopped, groups = reference, [], '', 0
    for number in range(1, plan.steps + 1):
        amount = plan.amount * number / plan.steps
        log(f'step {number} of {plan.steps}: {amount:.0%}')
        changed, keep, groups = _pruned_once(reference, current, plan, amount, expected.inputs)
        held_out = None
        if tuning is not None:
            changed, held_out = fine_tune(changed, reference, tuning, keep, advance)
        found = answers(EagerRunner(changed), expected.inputs)
        error = compare(expected.outputs, found, action).mean_error_rad
        share = 1 - (1 - sparsity(changed.module)) * count(changed.module) / before
        step = PruningStep(amount, share, count(changed.module), error, held_out)
        log(f'{share:.0%} sparse, {error:.2g} rad from the reference')
        if plan.stop_above is not None and error > plan.stop_above and steps:
            stopped = f'{error:.2g} rad at {amount:.0%}, wanted at most {plan.stop_above:g}'
            break
        steps.append(step)
        current = changed
    result = export(current, out, form, options)
    return PruningResult(result, tuple(steps), before, groups, stopped)


def count(module: nn.Module) -> int:
    """Number of parameters."""
    return sum(p.numel() for p in module.parameters())


def _pruned_once(
    reference: ReferenceModel,
    current: ReferenceModel,
    plan: PruningPlan,
    amount: float,
    inputs: Sequence[Tensors],
):
    """`current` pruned up to `amount` of the reference model; the hook that keeps its zeros during
    training; the number of groups."""
    module = copy.deepcopy(current.module)
    names = current.inputs
    importances = scores(module, plan.importance, inputs, names, norm=plan.norm, seed=plan.seed)
    if plan.kind == 'unstructured':
        parameters = dict(module.named_parameters())
        for name, score in importances.items():  # existing zeros go first
            score[parameters[name] == 0] = -1.0
        zero_least(module, amount, importances)
        return replace(current, module=module), _keep_zeros, 0
    sample = tuple(torch.from_numpy(inputs[0][name]) for name in names)
    groups = find_groups(
        module, sample, lambda name: not plan.parts or any(part in name for part in plan.parts)
    )
    if not groups:
        raise ConfigError(
            current.factory, '--parts', list(plan.parts), 'a part with channels that can be removed'
        )
    full = {group.name: _units_of(reference.module, group) for group in groups}
    for group in groups:
        units = _units_to_go(group.importances(module, importances), amount, full[group.name])
        (remove_units if plan.remove else mask_units)(module, group, units)
    if not plan.remove:
        return replace(current, module=module), _keep_zeros, len(groups)
    base = build(reference.factory, reference.config)
    factory, config = described_with(
        reference.factory, reference.config, changed_sizes(base, module)
    )
    # Built again from its configuration, which is what is trained and shipped.
    made = build(factory, config)
    made.load_state_dict(module.state_dict())
    changed = replace(current, module=made.eval(), factory=factory, config=config)
    return changed, lambda trainer: None, len(groups)


def _units_of(reference: nn.Module, group: Group) -> int:
    """Number of units of the group in the reference model."""
    part = next(p for p in group.slices if p.out)
    rows = reference.get_submodule(part.layer).weight.shape[0]
    return rows // len(part.indices[0])


def _units_to_go(importances: torch.Tensor, amount: float, full: int) -> list[int]:
    """The remaining units to remove, so that 1 - amount of `full` stay."""
    padded = torch.cat([importances, importances.new_full((full - len(importances),), -1.0)])
    gone = set(least_important(padded, amount))
    return sorted(i for i in gone if i < len(importances))


def _keep_zeros(trainer) -> None:
    keep = zero_keeper(trainer.model)
    trainer.optimiser.optimizer.register_step_post_hook(lambda *_: keep())

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Search for the layers that have to stay in float: each is quantised alone to rank the layers."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vla_common.errors import ConfigError
from vla_deploy.onnx_files import load_onnx, run_onnx
from vla_deploy.parity import Parity, ParityLimits, compare
from vla_deploy.quantisation.schemes import QuantisationSettings, Scheme
from vla_deploy.verification import ExpectedAnswers
from vla_policy.bundle.model_spec import ActionOutput

PROBES = 6  # observations for the sensitivity of each layer


@dataclass(frozen=True)
class Layer:
    """A node, and the error of the policy when this node alone is quantised."""

    name: str
    operator: str
    max_error_rad: float
    cosine: float


def kept_in_float(nodes: Sequence[str], keep: Sequence[str]) -> list[str]:
    """Those of `nodes` whose names contain one of `keep`. Raises ConfigError for a part that no
    name contains: a misspelt name would be quantised."""
    for part in keep:
        if not any(part in name for name in nodes):
            near = difflib.get_close_matches(part, nodes, 1, 0.0) or ['none is']
            raise ConfigError('--keep', '', part, f'part of the name of a node, like {near[0]}')
    return [name for name in nodes if any(part in name for part in keep)]


def sensitivities(
    scheme: Scheme,
    source: Path,
    settings: QuantisationSettings,
    expected: ExpectedAnswers,
    action: ActionOutput,
    advance: Callable[[], None] = lambda: None,
) -> list[Layer]:
    """Every quantisable node, the most sensitive first."""
    model = load_onnx(source)
    operators = {node.name: node.op_type for node in model.graph.node}
    names = scheme.quantisable(model, settings)
    target = source.with_name('one.onnx')
    inputs, outputs = expected.inputs[:PROBES], expected.outputs[:PROBES]
    layers = []
    for name in names:
        scheme.apply(source, target, settings, [other for other in names if other != name])
        parity = compare(outputs, run_onnx(target, action.tensor, inputs), action)
        layers.append(Layer(name, operators[name], parity.max_error_rad, parity.cosine))
        advance()
    return sorted(layers, key=lambda layer: (layer.cosine, -layer.max_error_rad))


def search_float_layers(
    scheme: Scheme,
    source: Path,
    target: Path,
    settings: QuantisationSettings,
    kept: list[str],
    expected: ExpectedAnswers,
    action: ActionOutput,
    limits: ParityLimits,
    advance: Callable[[], None] = lambda: None,
    *,
    ranked_by: Scheme | None = None,
    fused: bool = True,
) -> tuple[list[str], list[Layer]]:
    """`kept` and the fewest more nodes in float that bring the policy within `limits`; the layers
    by sensitivity, if they were needed. ranked_by: a faster scheme that ranks the layers alike."""

    def attempt(more: list[str]) -> Parity:
        scheme.apply(source, target, settings, [*kept, *more])
        found = run_onnx(target, action.tensor, expected.inputs, fused=fused)
        return compare(expected.outputs, found, action)

    if not attempt([]).reason(limits):
        return kept, []
    layers = sensitivities(ranked_by or scheme, source, settings, expected, action, advance)
    layers = [layer for layer in layers if layer.name not in kept]
    more = fewest_in_float(layers, attempt, lambda parity: not parity.reason(limits))
    # None: the verification will fail and save the worst input.
    return [*kept, *(more or [])], layers


def fewest_in_float(
    layers: Sequence[Layer],
    attempt: Callable[[list[str]], Parity],
    enough: Callable[[Parity], bool],
) -> list[str] | None:
    """The fewest of the most sensitive layers that have to stay in float, by bisection; None if
    all but one are not enough."""
    low, high = 0, len(layers) - 1
    best: list[str] | None = None
    while low <= high:
        middle = (low + high) // 2
        keep = [layer.name for layer in layers[:middle]]
        if enough(attempt(keep)):
            best, high = keep, middle - 1
        else:
            low = middle + 1
    return best

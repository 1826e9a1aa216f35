# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Factories that a bundle's `source` names: configuration in, module in the bundle's order out."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from vla_deploy.reference_model import HUMANOID_VLA, build
from vla_models.network.answering import AnsweringVLA, build_network
from vla_models.network.humanoid_vla import HumanoidVLA, HumanoidVLAConfig
from vla_models.network.sizes import Sizes, resize

RESIZED = 'vla_deploy.architectures:resized'
PREFIX = 'policy.'  # of HumanoidVLA's layers in InBundleOrder


class InBundleOrder(nn.Module):
    """HumanoidVLA with its inputs in the order of policy.yaml: state before instruction."""

    def __init__(self, policy: HumanoidVLA) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, image: Tensor, state: Tensor, words: Tensor, phase: Tensor) -> Tensor:
        return self.policy(image, words, state, phase)


class AnswersInBundleOrder(nn.Module):
    """AnsweringVLA likewise: the action, its answers, the next memory."""

    output_names = AnsweringVLA.output_names

    def __init__(self, policy: AnsweringVLA) -> None:
        super().__init__()
        self.policy = policy

    def forward(
        self, image: Tensor, state: Tensor, words: Tensor, phase: Tensor, memory: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        return self.policy(image, words, state, phase, memory)


def in_bundle_order(policy: nn.Module) -> nn.Module:
    """The network with its inputs in the order of policy.yaml."""
    if isinstance(policy, AnsweringVLA):
        return AnswersInBundleOrder(policy)
    return InBundleOrder(policy)


def humanoid_vla(**config: Any) -> nn.Module:
    """The network of a HumanoidVLAConfig."""
    return in_bundle_order(build_network(HumanoidVLAConfig(**config)))


def resized(factory: str, config: Mapping[str, Any], sizes: Sizes) -> nn.Module:
    """The module of `factory` and `config` with some layers in other sizes (pruned)."""
    module = build(factory, config)
    resize(module, sizes)
    return module


def described_with(
    factory: str, config: Mapping[str, Any], sizes: Sizes
) -> tuple[str, dict[str, Any]]:
    """Factory and configuration of the same network with layers in `sizes`. HumanoidVLA's
    configuration stores them itself, so that `train` can continue with a pruned network."""
    if not sizes:
        return factory, dict(config)
    if factory == HUMANOID_VLA:
        inner = {name.removeprefix(PREFIX): size for name, size in sizes.items()}
        return factory, {**config, 'sizes': {**config.get('sizes', {}), **inner}}
    if factory == RESIZED:
        return factory, {**config, 'sizes': {**config['sizes'], **sizes}}
    return RESIZED, {'factory': factory, 'config': dict(config), 'sizes': sizes}

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Factories that a bundle's `source` names: configuration in, module in the bundle's order out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from vla_models.network.humanoid_vla import HumanoidVLA, HumanoidVLAConfig
from vla_models.network.sizes import Sizes, resize

HUMANOID_VLA = 'vla_deploy.architectures:humanoid_vla'
RESIZED = 'vla_deploy.architectures:resized'
PREFIX = 'policy.'  # of HumanoidVLA's layers in the module that `humanoid_vla` makes


class InBundleOrder(nn.Module):
    """HumanoidVLA with its inputs in the order of policy.yaml: state before words."""

    def __init__(self, policy: HumanoidVLA) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, image: Tensor, state: Tensor, words: Tensor, phase: Tensor) -> Tensor:
        return self.policy(image, words, state, phase)


def humanoid_vla(**config: Any) -> nn.Module:
    """HumanoidVLA of a HumanoidVLAConfig."""
    return InBundleOrder(HumanoidVLA(HumanoidVLAConfig(**config)))


def resized(factory: str, config: Mapping[str, Any], sizes: Sizes) -> nn.Module:
    """What `factory` makes of `config`, with some of its layers in other sizes: pruned."""
    from vla_deploy.reference_model import build

    module = build(factory, config)
    resize(module, sizes)
    return module


def described_with(
    factory: str, config: Mapping[str, Any], sizes: Sizes
) -> tuple[str, dict[str, Any]]:
    """Factory and configuration of the same network with layers in `sizes`. HumanoidVLA's own
    configuration has a place for them, which is what lets `train` go on with it."""
    if not sizes:
        return factory, dict(config)
    if factory == HUMANOID_VLA:
        inner = {name.removeprefix(PREFIX): size for name, size in sizes.items()}
        return factory, {**config, 'sizes': {**config.get('sizes', {}), **inner}}
    if factory == RESIZED:
        return factory, {**config, 'sizes': {**config['sizes'], **sizes}}
    return RESIZED, {'factory': factory, 'config': dict(config), 'sizes': sizes}

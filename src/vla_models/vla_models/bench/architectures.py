# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Factories that a bundle's `source` names: configuration in, module in the bundle's order out."""

from __future__ import annotations

from torch import Tensor, nn

from vla_models.network.humanoid_vla import HumanoidVLA, HumanoidVLAConfig


class InBundleOrder(nn.Module):
    """HumanoidVLA with its inputs in the order of policy.yaml: state before words."""

    def __init__(self, policy: HumanoidVLA) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, image: Tensor, state: Tensor, words: Tensor, phase: Tensor) -> Tensor:
        return self.policy(image, words, state, phase)


def humanoid_vla(**config: object) -> nn.Module:
    """HumanoidVLA of a HumanoidVLAConfig."""
    return InBundleOrder(HumanoidVLA(HumanoidVLAConfig(**config)))

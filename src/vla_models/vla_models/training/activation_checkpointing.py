# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Activation checkpointing (Chen et al. 2016): what a transformer layer computed is forgotten and
computed again on the way back, so that a larger network, or batch, trains in the same memory."""

from __future__ import annotations

import functools

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from vla_models.network.layers import TransformerLayer


def checkpoint_activations(model: nn.Module) -> int:
    """Let every transformer layer of `model` do so while it trains; returns how many there are.
    Convolutions keep theirs: to run twice would count twice in what their normalisation learns."""
    layers = [layer for layer in model.modules() if isinstance(layer, TransformerLayer)]
    for layer in layers:
        layer.forward = functools.partial(_forward, layer)  # type: ignore[method-assign]
    return len(layers)


def _forward(layer: TransformerLayer, *given):
    whole = functools.partial(type(layer).forward, layer)
    if not torch.is_grad_enabled():
        return whole(*given)
    return checkpoint(whole, *given, use_reentrant=False)

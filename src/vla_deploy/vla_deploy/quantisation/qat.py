# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Quantisation-aware training (QAT): weights and inputs are rounded to int8 while the trainer runs.

The rounding, with its straight-through gradient, is FakeQuantize of torch.ao. The result is a float
network with the same layers, which ONNX Runtime's quantiser then converts.
"""

import torch
from torch import Tensor, nn
from torch.ao.quantization import (
    FakeQuantize,
    MovingAverageMinMaxObserver,
    PerChannelMinMaxObserver,
)

from vla_models.network.sizes import LAYERS
from vla_models.training.trainer import Trainer

OBSERVED = 0.98  # share of the old range that an activation's range keeps, per call


class FakeQuantized:
    """The forward pass of a layer with its input rounded to uint8 (one range) and its weight to
    int8 (one scale for each output, like ONNX Runtime's per-channel quantiser)."""

    def __init__(self, layer: nn.Module) -> None:
        self.weight = FakeQuantize(
            PerChannelMinMaxObserver,
            quant_min=-127,
            quant_max=127,
            dtype=torch.qint8,
            qscheme=torch.per_channel_symmetric,
            ch_axis=0,
        )
        self.given = FakeQuantize(
            MovingAverageMinMaxObserver,
            quant_min=0,
            quant_max=255,
            dtype=torch.quint8,
            averaging_constant=1 - OBSERVED,
        )
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        layer = self.layer
        # The range of a weight is its current one; that of an input is learnt, and fixed in eval
        # mode.
        self.weight.activation_post_process.reset_min_max_vals()
        if layer.training:
            self.given.enable_observer()
        else:
            self.given.disable_observer()
        weight, given = self.weight(layer.weight), self.given(x)
        if isinstance(layer, nn.Linear):
            return nn.functional.linear(given, weight, layer.bias)
        return layer._conv_forward(given, weight, layer.bias)


def round_while_training(trainer: Trainer, keep: tuple[str, ...] = ()) -> None:
    """Round in every layer of the trainer's network and of its average, except those whose name
    contains one of `keep`. The modules themselves do not change, nor do checkpoints."""
    student = dict(trainer.model.named_modules())
    average = dict(trainer.average.named_modules())
    for name, layer in student.items():
        if not isinstance(layer, LAYERS) or any(part in name for part in keep):
            continue
        rounded = FakeQuantized(layer)
        layer.forward = rounded.forward  # type: ignore[method-assign]
        validated = FakeQuantized(average[name])
        validated.given = rounded.given  # the ranges that were learnt
        average[name].forward = validated.forward  # type: ignore[method-assign]

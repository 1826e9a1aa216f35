# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Quantisation-aware fine-tuning: the network trains while its weights and inputs are rounded to
int8, so that it learns weights that bear it. The rounding, with its straight-through gradient, is
torch.ao's FakeQuantize; the training is the trainer's.

What comes out is a float network with the same layers: ONNX Runtime's quantiser does the rest.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.ao.quantization import (
    FakeQuantize,
    MovingAverageMinMaxObserver,
    PerChannelMinMaxObserver,
)

from vla_models.network.sizes import LAYERS
from vla_models.training.trainer import Trainer

OBSERVED = 0.98  # how much of the old range an activation's range keeps, per call


class Rounded:
    """Stands before a layer: rounds its input (uint8, one range) and its weight (int8, one scale
    for each output, as ONNX Runtime's per-channel quantiser does)."""

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
        # A weight's range is what it is now; an input's is learnt, and rests while one judges.
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
    """Let every layer of the trainer's network, and of its average, round; but for those whose
    name contains one of `keep`. The modules themselves stay what they are, so nothing of this is
    in a checkpoint."""
    student = dict(trainer.model.named_modules())
    average = dict(trainer.average.named_modules())
    for name, layer in student.items():
        if not isinstance(layer, LAYERS) or any(part in name for part in keep):
            continue
        rounded = Rounded(layer)
        layer.forward = rounded.forward  # type: ignore[method-assign]
        judged = Rounded(average[name])
        judged.given = rounded.given  # the ranges that were learnt
        average[name].forward = judged.forward  # type: ignore[method-assign]

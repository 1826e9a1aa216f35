# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Graph optimisation of a bundle's model: the same arithmetic in fewer steps."""

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from vla_deploy.convert import write_torchscript
from vla_deploy.onnx_files import fetch_onnx, write_optimised
from vla_deploy.parity import EXACT, LOSSY
from vla_deploy.publishing import Parts, VerificationOptions, publish
from vla_deploy.reference_model import ReferenceModel, action_of, from_bundle, outputs_of
from vla_deploy.verification import VerificationResult


def optimise_onnx(
    directory: Path,
    out: Path,
    options: VerificationOptions,
    *,
    level: str = 'basic',
    batch_one: bool = True,
) -> VerificationResult | None:
    """Write an ONNX bundle with an optimised graph, by default for a batch of one. Raises
    ConfigError and VerificationFailed."""
    options = options.with_expected(directory)
    parts = Parts.of_bundle(directory)
    with tempfile.TemporaryDirectory() as scratch:
        given = Path(scratch) / 'given.onnx'
        fetch_onnx(directory, given)
        write = partial(write_optimised, given, level=level, batch_one=batch_one)
        return publish(out, parts, 'onnx', 'model.onnx', write, options, EXACT)


class _ChannelsLast(nn.Module):
    """Images in the memory order that convolutions on CPUs and tensor cores prefer."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module.to(memory_format=torch.channels_last)

    def forward(self, image: Tensor, *rest: Tensor) -> Tensor | tuple[Tensor, ...]:
        return self.module(image.contiguous(memory_format=torch.channels_last), *rest)


class ReducedPrecision(nn.Module):
    """`dtype` inside, float32 outside; the outputs are those of `ReferenceModel.answered`."""

    def __init__(self, reference: ReferenceModel, dtype: torch.dtype) -> None:
        super().__init__()
        self.module, self.dtype = reference.module.to(dtype), dtype
        self.outputs, self.answered = reference.outputs, reference.answered

    # Named arguments: torch's ONNX exporter names each input by itself.
    def forward(
        self,
        first: Tensor,
        second: Tensor | None = None,
        third: Tensor | None = None,
        fourth: Tensor | None = None,
        fifth: Tensor | None = None,
    ) -> Tensor | tuple[Tensor, ...]:
        given = [x for x in (first, second, third, fourth, fifth) if x is not None]
        inputs = (x.to(self.dtype) if x.is_floating_point() else x for x in given)
        answer = self.module(*inputs)
        if len(self.answered) == 1:
            return action_of(answer).float()
        named = dict(zip(self.outputs, outputs_of(answer, self.outputs), strict=True))
        return tuple(named[name].float() for name in self.answered)


def optimise_torchscript(
    directory: Path,
    out: Path,
    options: VerificationOptions,
    *,
    channels_last: bool = False,
    dtype: torch.dtype | None = None,
) -> VerificationResult | None:
    """Write a traced and frozen TorchScript bundle from the bundle's source, with channels-last
    images or with arithmetic in `dtype`. Raises ConfigError (also where there is no source) and
    VerificationFailed.

    The results of torch.jit.optimize_for_inference and torch.compile cannot be saved.
    """
    options = options.with_expected(directory)
    changed = from_bundle(directory)
    if channels_last and 'image' in changed.policy['inputs']:
        changed = replace(changed, module=_ChannelsLast(changed.module).eval())
    if dtype is not None:
        changed = changed.with_module(ReducedPrecision(changed, dtype))
    parts = Parts.of_bundle(directory)
    write = partial(write_torchscript, changed)
    limits = EXACT if dtype is None else LOSSY
    return publish(out, parts, 'torchscript', 'model.pt', write, options, limits)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The same arithmetic in fewer steps: graph optimisation of a bundle's model."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from vla_deploy.convert.torchscript import write_torchscript
from vla_deploy.onnx_files import fetch_onnx, write_optimised
from vla_deploy.parity import EXACT, ParityLimits
from vla_deploy.publishing import Parts, VerificationOptions, publish, reference_of
from vla_deploy.reference_model import ReferenceModel, from_bundle
from vla_deploy.verification import VerificationReference, VerificationResult


def optimise_onnx(
    directory: Path,
    out: Path,
    proof: VerificationOptions,
    *,
    level: str = 'basic',
    batch_one: bool = True,
    limits: ParityLimits = EXACT,
    reference: VerificationReference | None = None,
) -> VerificationResult | None:
    """An ONNX bundle with an optimised graph, for a batch of one unless told otherwise. Raises
    ConfigError, VerificationFailed."""
    reference = reference or reference_of(directory, proof)
    with tempfile.TemporaryDirectory() as scratch:
        given = Path(scratch) / 'given.onnx'
        fetch_onnx(directory, given)
        return publish(
            out,
            Parts.of_bundle(directory),
            'onnx',
            'model.onnx',
            lambda path: write_optimised(given, path, level, batch_one=batch_one),
            limits,
            proof,
            reference,
        )


class _ChannelsLast(nn.Module):
    """Images in the memory order that convolutions on CPUs and tensor cores prefer."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module.to(memory_format=torch.channels_last)

    def forward(self, image: Tensor, *rest: Tensor) -> Tensor | tuple[Tensor, ...]:
        return self.module(image.contiguous(memory_format=torch.channels_last), *rest)


class _Half(nn.Module):
    """`dtype` inside, float32 outside."""

    def __init__(self, module: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.module, self.dtype = module.to(dtype), dtype

    def forward(self, *inputs: Tensor) -> Tensor:
        answer = self.module(*(x.to(self.dtype) if x.is_floating_point() else x for x in inputs))
        return (answer[0] if isinstance(answer, (tuple, list)) else answer).float()


def optimise_torchscript(
    directory: Path,
    out: Path,
    proof: VerificationOptions,
    *,
    channels_last: bool = False,
    dtype: torch.dtype | None = None,
    limits: ParityLimits = EXACT,
    reference: VerificationReference | None = None,
) -> VerificationResult | None:
    """A traced and frozen TorchScript bundle from the bundle's source, its images channels-last, or
    its arithmetic in `dtype`. Raises ConfigError (also where there is no source),
    VerificationFailed.

    torch.jit.optimize_for_inference and torch.compile leave nothing that could be saved; they are
    the runtime's to do at load.
    """
    reference = reference or reference_of(directory, proof)
    original = from_bundle(directory)
    module: nn.Module = original.module
    if channels_last and 'image' in original.policy['inputs']:
        module = _ChannelsLast(module)
    if dtype is not None:
        module = _Half(module, dtype)
    changed: ReferenceModel = original.with_module(module.eval())
    if dtype is not None:  # one output is left
        outputs = {'action': original.policy['outputs']['action']}
        changed = ReferenceModel(
            changed.module,
            {**original.policy, 'outputs': outputs},
            original.factory,
            original.config,
            original.attachments,
        )
    return publish(
        out,
        Parts.of_bundle(directory),
        'torchscript',
        'model.pt',
        lambda path: write_torchscript(changed, path, 'trace'),
        limits,
        proof,
        reference,
    )

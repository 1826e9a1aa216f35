# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Action heads: from what was understood to a chunk of joint targets.

`HEADS` names those that a configuration can ask for; what all of them promise is `ActionHead`.
"""

from vla_models.network.heads.autoregressive import AutoregressiveHead
from vla_models.network.heads.denoising import DiffusionHead, FlowHead
from vla_models.network.heads.interface import ActionHead, HeadShape
from vla_models.network.heads.mlp import GaussianMlpHead, MlpHead

HEADS: dict[str, type[ActionHead]] = {
    'mlp': MlpHead,
    'gaussian': GaussianMlpHead,
    'transformer': AutoregressiveHead,
    'flow': FlowHead,
    'diffusion': DiffusionHead,
}

__all__ = ['HEADS', 'ActionHead', 'HeadShape']

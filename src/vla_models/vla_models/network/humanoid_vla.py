# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""HumanoidVLA: looks, reads, feels its joints, and says where they should go."""

# Annotations are not postponed here: TorchScript reads those of a NamedTuple as they are.
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vla_models.network.fusion import Fusion
from vla_models.network.goal_snap import GoalSnap
from vla_models.network.heads import HEADS, HeadShape
from vla_models.network.sizes import Sizes, resize
from vla_models.network.spatial_attention import (
    Keypoints,
    Landmarks,
    LanguageQueriedAttention,
    Locator,
)
from vla_models.network.text import TextEncoder
from vla_models.network.vision import VISION


@dataclass(frozen=True)
class HumanoidVLAConfig:
    """Sizes of the network; saved in every checkpoint.

    The defaults are the reference card: a whole humanoid, a 224-pixel image, a vision transformer.
    `small()` is what ships. `moved` are the places of the action's joints among the state's,
    `camera` those of the joints that carry the camera; empty stands for all, in order.
    """

    image_size: int = 224
    vocabulary: int = 512
    tokens: int = 24
    joints: int = 32  # proprioception
    action_dim: int = 32
    horizon: int = 16
    history: int = 1  # states, the newest first
    moved: tuple[int, ...] = ()
    camera: tuple[int, ...] = ()
    vision: str = 'transformer'
    vision_width: int = 192
    vision_layers: int = 6
    vision_heads: int = 6
    hidden_size: int = 256
    heads: int = 8
    text_layers: int = 2
    fusion_layers: int = 4
    keypoints: int = 4
    landmarks: int = 8
    head: str = 'flow'
    head_width: int = 512
    head_layers: int = 3
    head_steps: int = 5
    settle: float = 0.08  # rad; see `settling`
    sizes: Sizes = field(default_factory=dict)  # of layers that were pruned; see `sizes`

    def __post_init__(self) -> None:
        for name, table in (('vision', VISION), ('head', HEADS)):
            if getattr(self, name) not in table:
                found = getattr(self, name)
                raise ValueError(f'{name}: found {found!r}, wanted one of {sorted(table)}')
        # JSON has no tuples.
        object.__setattr__(self, 'moved', tuple(self.moved) or tuple(range(self.action_dim)))
        object.__setattr__(self, 'camera', tuple(self.camera) or tuple(range(self.joints)))
        if len(self.moved) != self.action_dim:
            raise ValueError(f'moved: found {len(self.moved)} joints, wanted {self.action_dim}')

    @classmethod
    def small(cls, **given) -> 'HumanoidVLAConfig':
        """Sizes that two CPU cores can train in half an hour."""
        sizes = {
            'image_size': 112,
            'vision': 'convolutional',
            'vision_width': 32,
            'vision_layers': 1,
            'hidden_size': 128,
            'heads': 4,
            'text_layers': 1,
            'fusion_layers': 2,
            'head': 'mlp',
            'head_width': 384,
        }
        return cls(**{**sizes, **given})

    def to_dict(self) -> dict:
        """As plain values, for JSON and checkpoints."""
        content = asdict(self)
        if not self.sizes:
            del content['sizes']
        return {**content, 'moved': list(self.moved), 'camera': list(self.camera)}


class Understanding(NamedTuple):
    """What the head acts on, and what the auxiliary losses supervise on the way there."""

    context: Tensor
    text: Tensor
    current: Tensor
    phase: Tensor
    target: Tensor  # (B, 3) m, base frame
    seen: Tensor  # (B,) logit
    keypoints: Keypoints | None


class HumanoidVLA(nn.Module):
    """Image, words, joint positions and phase to a chunk of normalised joint targets.

    State and action share one normalisation. `forward` is what is exported; training asks
    `understand` (from visual features on) and `imagine` (without an image) instead.
    """

    def __init__(self, config: HumanoidVLAConfig) -> None:
        super().__init__()
        self.config = config
        self.history, self.joints = config.history, config.joints
        hidden, vision = config.hidden_size, config.vision_width
        self.vision = VISION[config.vision](
            config.image_size, vision, config.vision_layers, config.vision_heads
        )
        self.text = TextEncoder(
            config.vocabulary, config.tokens, hidden, config.heads, config.text_layers
        )
        side = self.vision.side
        self.looking = LanguageQueriedAttention(vision, hidden, side, config.keypoints)
        self.landmarks = Landmarks(vision, side, config.landmarks)
        seen = config.keypoints * (4 + vision) + self.landmarks.width + len(config.camera)
        self.locator = Locator(seen, hidden)
        self.fusion = Fusion(
            hidden,
            vision,
            config.joints,
            config.history,
            config.keypoints,
            config.heads,
            config.fusion_layers,
        )
        shape = HeadShape(
            context=2 * hidden + config.joints + 2 + 4 * 5,
            text=hidden,
            joints=config.action_dim,
            horizon=config.horizon,
            width=config.head_width,
            layers=config.head_layers,
            heads=config.heads,
            steps=config.head_steps,
        )
        self.head = HEADS[config.head](shape)
        self.settling = GoalSnap(config.action_dim, config.settle)
        self.register_buffer('moved', torch.tensor(config.moved), persistent=False)
        self.register_buffer('camera', torch.tensor(config.camera), persistent=False)
        resize(self, config.sizes)

    def understand(
        self, features: Tensor, text: Tensor, state: Tensor, phase: Tensor
    ) -> Understanding:
        """From visual features (B/M, S, width), M instructions each, to what the head needs.

        `text` (B, hidden) from the text encoder, `state` (B, T·k), `phase` (B, 2).
        """
        states = state.reshape(-1, self.history, self.joints)
        points = self.looking(features, text)
        landmarks = self.landmarks(features)
        # As often as each image is asked (`len` would fix the batch in an exported graph).
        asked = text.shape[0] // landmarks.shape[0]
        landmarks = landmarks.unsqueeze(1).expand(-1, asked, -1).reshape(text.shape[0], -1)
        flat = torch.cat([points.place, points.spread * 8, points.answer], dim=-1)
        carried = states[:, 0].index_select(1, self.camera)
        target, seen = self.locator(torch.cat([flat.flatten(1), landmarks, carried], dim=-1))
        return self._act_on(text, states, phase, target, seen, torch.sigmoid(seen), points, flat)

    def imagine(self, text: Tensor, state: Tensor, phase: Tensor, target: Tensor) -> Understanding:
        """The same without an image, from true targets (B, 3) m, NaN where there is none."""
        states = state.reshape(-1, self.history, self.joints)
        known = torch.isfinite(target).all(-1)
        target = torch.where(known[:, None], target, self.locator.mean)
        seen = known.to(state.dtype)
        return self._act_on(text, states, phase, target, seen, seen, None, None)

    def _act_on(
        self,
        text: Tensor,
        states: Tensor,
        phase: Tensor,
        target: Tensor,
        seen: Tensor,
        certain: Tensor,
        points: Keypoints | None,
        flat: Tensor | None,
    ) -> Understanding:
        where = (target - self.locator.mean) / self.locator.scale * certain[:, None]
        where = torch.cat([where, certain[:, None]], dim=-1)
        fused = self.fusion(text, states, phase, where, flat)
        # Waves of what has to be exact: an MLP on raw coordinates learns fine detail last (Tancik
        # et al., "Fourier features", 2020).
        slow, fast = where * 1.5, where * 3.0
        waves = [torch.sin(slow), torch.cos(slow), torch.sin(fast), torch.cos(fast)]
        # Text, posture and target go past the fusion too: a short way for what decides most.
        context = torch.cat([fused, text, states[:, 0], phase, where] + waves, dim=-1)
        current = states[:, 0].index_select(1, self.moved)
        return Understanding(context, text, current, phase, target, seen, points)

    def act(self, known: Understanding) -> Tensor:
        """The chunk (B, h, k), normalised."""
        chunk = self.head(known.context, known.text, known.current, known.phase)
        return self.settling(chunk, known.current)

    def forward(self, image: Tensor, ids: Tensor, state: Tensor, phase: Tensor) -> Tensor:
        """Image (B, 3, H, W), ids (B, L), state (B, T·k), phase (B, 2) to chunk (B, h, k)."""
        return self.act(self.understand(self.vision(image), self.text(ids), state, phase))

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""HumanoidVLA: from image, instruction and joint positions to a chunk of joint targets."""

# Annotations are not postponed here: TorchScript reads those of a NamedTuple as they are.
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vla_models.network.encoders import VISION, TextEncoder
from vla_models.network.heads import HEADS, ActionHead, HeadShape
from vla_models.network.layers import TransformerLayer, perceptron
from vla_models.network.sizes import Sizes, resize
from vla_models.network.spatial_attention import (
    Keypoints,
    Landmarks,
    LanguageQueriedAttention,
    Locator,
)


class Fusion(nn.Module):
    """A transformer over [readout, text, phase, target, body…, keypoints…]; the readout leaves.

    `history` body tokens, the newest first. Without keypoints the head can be trained on postures
    and true targets alone, which needs no image.
    """

    def __init__(
        self,
        width: int,
        vision: int,
        state: int,
        history: int,
        keypoints: int,
        heads: int,
        layers: int,
    ) -> None:
        super().__init__()
        self.readout = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.kind = nn.Parameter(torch.randn(4 + history + keypoints, width) * 0.02)
        self.phase = nn.Linear(2, width)
        self.target = perceptron(4, width, width)
        self.body = perceptron(state, width, width)
        self.keypoint = perceptron(4 + vision, width, width)
        self.layers = nn.ModuleList(TransformerLayer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(
        self, text: Tensor, states: Tensor, phase: Tensor, target: Tensor, points: Tensor | None
    ) -> Tensor:
        """Text (B, width), states (B, T, k), phase (B, 2), target (B, 4), points (B, K, 4 + vision)
        or None, to (B, width)."""
        parts = [
            self.readout.expand(text.shape[0], -1, -1),
            text.unsqueeze(1),
            self.phase(phase).unsqueeze(1),
            self.target(target).unsqueeze(1),
            self.body(states),
        ]
        if points is not None:
            parts.append(self.keypoint(points))
        tokens = torch.cat(parts, dim=1)
        tokens = tokens + self.kind[: tokens.shape[1]]
        for layer in self.layers:
            tokens = layer(tokens)
        return self.norm(tokens[:, 0])


MOVING = 0.03  # rad between the last step of a chunk and the third before it: still moving


class GoalSnap(nn.Module):
    """Sends joints within `reach` rad of the rest position of a chunk there at once.

    Near the end of a motion a trained head keeps a share of the present posture (0.6, measured).
    Arms that sag by 0.03 rad then stall 0.1 rad short, since only the first steps of each chunk are
    executed. No change beyond twice `reach`, nor for joints that still move at the end of the chunk
    (a wave); in between it fades.
    """

    def __init__(self, joints: int, reach: float) -> None:
        super().__init__()
        self.reach = reach
        self.moving = MOVING  # TorchScript sees no globals
        # rad of one normalised unit, for each joint of the action; set by training.
        self.register_buffer('unit', torch.ones(joints))

    def forward(self, chunk: Tensor, current: Tensor) -> Tensor:
        """Chunk (B, h, k) and present positions (B, k), both normalised, to such a chunk."""
        if not self.reach:
            return chunk
        end = chunk[:, -1]
        away = (end - current).abs() * self.unit
        motion = (end - chunk[:, -min(4, chunk.shape[1])]).abs() * self.unit
        near = ((2 * self.reach - away) / self.reach).clamp(0.0, 1.0)
        resting = ((self.moving - motion) / (0.5 * self.moving)).clamp(0.0, 1.0)
        return torch.lerp(chunk, end.unsqueeze(1), (near * resting).unsqueeze(1))


@dataclass(frozen=True)
class HumanoidVLAConfig:
    """Sizes of the network; saved in every checkpoint.

    The defaults are the reference card: a whole humanoid, a 224-pixel image, a vision transformer;
    `small()` is the shipped network. moved: places of the joints of the action among those of the
    state. camera: places of the joints that carry the camera. Empty: all, in order.
    """

    image_size: int = 224
    vocabulary: int = 512
    tokens: int = 24
    joints: int = 32  # proprioception
    action_dim: int = 32
    horizon: int = 16
    history: int = 1  # states, the newest first (AnsweringVLA: the oldest first)
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
    objects: int = 0  # that the image is searched for; with some it is an AnsweringVLA
    head: str = 'flow'
    head_width: int = 512
    head_layers: int = 3
    head_steps: int = 5
    settle: float = 0.08  # rad; see GoalSnap
    sizes: Sizes = field(default_factory=dict)  # of pruned layers; see `sizes`

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
        """Sizes that two CPU cores train in half an hour."""
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

    def make_head(self, context: int) -> ActionHead:
        """The head that `head` names, for a context vector of this width."""
        shape = HeadShape(
            context=context,
            text=self.hidden_size,
            joints=self.action_dim,
            horizon=self.horizon,
            width=self.head_width,
            layers=self.head_layers,
            heads=self.heads,
            steps=self.head_steps,
        )
        return HEADS[self.head](shape)

    def to_dict(self) -> dict:
        """As plain values, for JSON and checkpoints."""
        content = asdict(self)
        if not self.sizes:
            del content['sizes']
        return {**content, 'moved': list(self.moved), 'camera': list(self.camera)}


class Understanding(NamedTuple):
    """Inputs of the head, and intermediate results that auxiliary losses supervise."""

    context: Tensor
    text: Tensor
    current: Tensor
    phase: Tensor
    target: Tensor  # (B, 3) m, base frame
    seen: Tensor  # (B,) logit
    keypoints: Keypoints | None


class HumanoidVLA(nn.Module):
    """Image, words, joint positions and phase to a chunk of normalised joint targets.

    State and action share one normalisation. `forward` is exported; training calls `understand`
    (from visual features on) and `imagine` (without an image). The names of the parts are those of
    the tensors in checkpoints and bundles.
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
        self.head = config.make_head(2 * hidden + config.joints + 2 + 4 * 5)
        self.settling = GoalSnap(config.action_dim, config.settle)
        self.register_buffer('moved', torch.tensor(config.moved), persistent=False)
        self.register_buffer('camera', torch.tensor(config.camera), persistent=False)
        resize(self, config.sizes)

    def understand(
        self, features: Tensor, text: Tensor, state: Tensor, phase: Tensor
    ) -> Understanding:
        """From visual features (B/M, S, width), M instructions each, to the inputs of the head.

        `text` (B, hidden) from the text encoder, `state` (B, T·k), `phase` (B, 2).
        """
        states = state.reshape(-1, self.history, self.joints)
        points = self.looking(features, text)
        landmarks = self.landmarks(features)
        # Once for each instruction (`len` would fix the batch size in an exported graph).
        repeats = text.shape[0] // landmarks.shape[0]
        landmarks = landmarks.unsqueeze(1).expand(-1, repeats, -1).reshape(text.shape[0], -1)
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
        # Raw coordinates are learned in detail last (Tancik et al., "Fourier features", 2020).
        slow, fast = where * 1.5, where * 3.0
        waves = [torch.sin(slow), torch.cos(slow), torch.sin(fast), torch.cos(fast)]
        # Text, posture and target also bypass the fusion: they decide most.
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

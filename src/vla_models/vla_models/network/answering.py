# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""AnsweringVLA: a chunk of joint targets, and three answers: are the words understood, is it
possible here, is it done.

    words -> first and second step, understood     image -> objects, in metres
    step, objects -> which one is meant            place, step, state -> chunk, possible, done

Two steps need a memory: past states (`history`). The first step counts as completed while the
history has two consecutive states in which it was done; the policy then acts on the second.
"""

# Annotations are not postponed here: TorchScript reads those of a NamedTuple as they are.
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vla_models.network.encoders import VISION
from vla_models.network.heads import HEADS, HeadShape, Modulated
from vla_models.network.humanoid_vla import Fusion, GoalSnap, HumanoidVLA, HumanoidVLAConfig
from vla_models.network.layers import TransformerLayer
from vla_models.network.objects import ObjectFinder, Objects, Pointer
from vla_models.network.sizes import resize
from vla_models.network.spatial_attention import Landmarks
from vla_models.tasks import REASONS

OUTPUTS = ('joint_targets', 'understood', 'possible', 'done')
STEPS = 2
CHANGE, MOSTLY = 0.1, 0.7  # normalised, of a joint that moves; share of the history in motion


class Words(NamedTuple):
    """steps (B, STEPS, width); two, lasting (B, STEPS)…: logits.

    two (B,): a second step; lasting (B, STEPS): a step that is done when it has lasted (a wave);
    sense (B,): the sentence can be followed; fits (B, L): so can the token.
    """

    steps: Tensor
    two: Tensor
    lasting: Tensor
    sense: Tensor
    fits: Tensor


class InstructionEncoder(nn.Module):
    """Token ids (B, L), 0 = padding, to `Words`: a transformer over readouts and tokens."""

    def __init__(self, vocabulary: int, length: int, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.steps = STEPS  # TorchScript sees no globals
        self.embedding = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(torch.randn(length, width) * 0.02)
        self.readout = nn.Parameter(torch.randn(STEPS + 1, width) * 0.2)
        self.layers = nn.ModuleList(TransformerLayer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.lasting = nn.Linear(width, 1)
        self.sentence = nn.Linear(width, 2)
        self.token = nn.Linear(width, 1)

    def forward(self, ids: Tensor) -> Words:
        batch, count = ids.shape[0], self.steps + 1
        tokens = self.embedding(ids) + self.position[: ids.shape[1]]
        tokens = torch.cat([self.readout.unsqueeze(0).expand(batch, -1, -1), tokens], dim=1)
        known = torch.cat([torch.ones_like(ids[:, :1]).expand(-1, count), ids], dim=1) > 0
        for layer in self.layers:
            tokens = layer(tokens, known.unsqueeze(1))
        tokens = self.norm(tokens)
        steps = tokens[:, : self.steps]
        whole = self.sentence(tokens[:, self.steps])
        fits = self.token(tokens[:, count:]).squeeze(-1)
        # Padding fits.
        fits = torch.where(ids > 0, fits, torch.full_like(fits, 20.0))
        return Words(steps, whole[:, 1], self.lasting(steps).squeeze(-1), whole[:, 0], fits)


class Answer(nn.Module):
    """A small network that the words modulate: features (B, n), text (B, width) to (B, outputs)."""

    def __init__(self, features: int, text: int, width: int, outputs: int, layers: int = 2) -> None:
        super().__init__()
        self.first = nn.Linear(features + text, width)
        self.layers = nn.ModuleList(Modulated(width, text) for _ in range(layers))
        self.last = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, outputs))

    def forward(self, features: Tensor, text: Tensor) -> Tensor:
        hidden = self.first(torch.cat([features, text], dim=-1))
        for layer in self.layers:
            hidden = layer(hidden, text)
        return self.last(hidden)


class Known(NamedTuple):
    """Inputs of the action head for one step."""

    context: Tensor
    text: Tensor
    current: Tensor
    phase: Tensor


class AnsweringVLA(nn.Module):
    """Image, words, joint positions and phase to a chunk and three answers.

    `forward` is exported and returns OUTPUTS. The names of the parts are those of the tensors in
    checkpoints and bundles. Biases of calibration are added to the logits; training leaves them 0.
    """

    output_names = OUTPUTS

    def __init__(self, config: HumanoidVLAConfig) -> None:
        super().__init__()
        self.config = config
        self.history, self.joints = config.history, config.joints
        self.change, self.mostly = CHANGE, MOSTLY  # TorchScript sees no globals
        hidden, vision, carried = config.hidden_size, config.vision_width, len(config.camera)
        self.vision = VISION[config.vision](
            config.image_size, vision, config.vision_layers, config.vision_heads
        )
        self.words = InstructionEncoder(
            config.vocabulary, config.tokens, hidden, config.heads, config.text_layers
        )
        side = self.vision.side
        self.landmarks = Landmarks(vision, side, config.landmarks)
        self.finder = ObjectFinder(
            vision, side, config.objects, self.landmarks.width, carried, hidden
        )
        self.pointer = Pointer(config.objects, hidden, config.heads)
        self.fusion = Fusion(
            hidden, vision, config.joints, 1, 0, config.heads, config.fusion_layers
        )
        where = 4 * 5
        shape = HeadShape(
            context=2 * hidden + config.joints + 2 + where,
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
        self.possible = Answer(where + config.joints, hidden, hidden, 1 + len(REASONS))
        self.done = Answer(where + 4 * 2 + config.joints, hidden, 2 * hidden, 1, 3)
        # Set by calibration: slope and offset of each answer's logits.
        self.register_buffer('slope', torch.ones(len(OUTPUTS) - 1))
        self.register_buffer('offset', torch.zeros(len(OUTPUTS) - 1))
        self.register_buffer('moved', torch.tensor(config.moved), persistent=False)
        self.register_buffer('camera', torch.tensor(config.camera), persistent=False)
        resize(self, config.sizes)

    # --- parts, which training calls -----------------------------------------------------------

    def find(self, features: Tensor, state: Tensor) -> Objects:
        """The objects, from visual features (B, S, width) and the newest state (B, k)."""
        carried = state.index_select(1, self.camera)
        return self.finder(features, self.landmarks(features), carried)

    def where(self, place: Tensor, certain: Tensor) -> Tensor:
        """The place (B, 3) m of what is meant, and how certain it is (B,), as features (B, 4)."""
        scaled = (place - self.finder.mean) / self.finder.scale * certain.unsqueeze(-1)
        return torch.cat([scaled, certain.unsqueeze(-1)], dim=-1)

    def meant(self, text: Tensor, objects: Objects) -> Tensor:
        """`where` for a step: of what the pointer chooses."""
        seen = torch.sigmoid(objects.seen)
        share = torch.softmax(self.pointer(text, objects.place, seen), dim=-1)[:, :-1]
        some = share.sum(1, keepdim=True).clamp(min=1e-6)
        place = ((share / some).unsqueeze(-1) * objects.place).sum(1)
        return self.where(place, (share * seen).sum(1))

    def _waves(self, where: Tensor) -> Tensor:
        # Raw coordinates are learned in detail last (Tancik et al., "Fourier features", 2020).
        slow, fast = where * 1.5, where * 3.0
        waves = [where, torch.sin(slow), torch.cos(slow), torch.sin(fast), torch.cos(fast)]
        return torch.cat(waves, dim=-1)

    def known(self, text: Tensor, state: Tensor, phase: Tensor, where: Tensor) -> Known:
        """Text (B, width), state (B, k), phase (B, 2), where (B, 4)."""
        fused = self.fusion(text, state.unsqueeze(1), phase, where, None)
        # Text, posture and target also bypass the fusion: they decide most.
        context = torch.cat([fused, text, state, phase, self._waves(where)], dim=-1)
        return Known(context, text, state.index_select(1, self.moved), phase)

    def act(self, known: Known) -> Tensor:
        """The chunk (B, h, k), normalised."""
        chunk = self.head(known.context, known.text, known.current, known.phase)
        return self.settling(chunk, known.current)

    def possible_logits(self, text: Tensor, state: Tensor, where: Tensor) -> Tensor:
        """(B, 1 + reasons)."""
        return self.possible(torch.cat([self._waves(where), state], dim=-1), text)

    def done_logit(self, text: Tensor, state: Tensor, where: Tensor) -> Tensor:
        """(B,): whether the step is achieved in this state."""
        finest = torch.cat([torch.sin(where * 6.0), torch.cos(where * 6.0)], dim=-1)
        features = torch.cat([self._waves(where), finest, state], dim=-1)
        return self.done(features, text).squeeze(-1)

    # --- the whole -----------------------------------------------------------------------------

    def forward(
        self, image: Tensor, ids: Tensor, state: Tensor, phase: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Image (B, 3, H, W), ids (B, L), phase (B, 2); state (B, T, k), the oldest first, or
        (B, k). Returns the chunk (B, h, k), understood (B, 1 + L), possible (B, 1 + reasons) and
        done (B, 1)."""
        states = state.reshape(-1, self.history, self.joints)
        newest = states[:, -1]
        words = self.words(ids)
        objects = self.find(self.vision(image), newest)
        first, second = words.steps[:, 0], words.steps[:, 1]
        at_first, at_second = self.meant(first, objects), self.meant(second, objects)
        was_first = self._achieved(first, states, at_first)
        was_second = self._achieved(second, states, at_second)
        completed, two = self._completed(was_first), words.two > 0
        now_second = (two & completed).unsqueeze(-1)
        text = torch.where(now_second, second, first)
        place = torch.where(now_second, at_second, at_first)
        chunk = self.act(self.known(text, newest, phase, place))
        # Both steps must be possible; the worse one answers.
        possible = self._possible(first, newest, at_first)
        other = self._possible(second, newest, at_second)
        worse = (two & (other[:, 0] < possible[:, 0])).unsqueeze(-1)
        possible = torch.where(worse, other, possible)
        moving = self._moving(states)
        alone = self._ends(was_first, words.lasting[:, 0], moving)
        last = self._ends(was_second, words.lasting[:, 1], moving)
        last = torch.where(completed, last, torch.zeros_like(last))
        done = torch.where(two, last, alone).unsqueeze(-1)
        sense = words.sense * self.slope[0] + self.offset[0]
        fits = torch.sigmoid(words.fits)
        understood = torch.cat([torch.sigmoid(sense).unsqueeze(-1), fits], dim=-1)
        return chunk, understood, possible, done

    def _possible(self, text: Tensor, state: Tensor, where: Tensor) -> Tensor:
        logits = self.possible_logits(text, state, where)
        own = torch.cat([self.offset[1:2], torch.zeros_like(logits[0, 1:])])
        return torch.softmax(logits * self.slope[1] + own, dim=-1)

    def _achieved(self, text: Tensor, states: Tensor, where: Tensor) -> Tensor:
        """Probability (B, T) that the step is achieved in each state, with the objects as they are
        seen now."""
        batch = states.shape[0]
        rows = batch * self.history
        logit = self.done_logit(
            text.unsqueeze(1).expand(-1, self.history, -1).reshape(rows, -1),
            states.reshape(rows, -1),
            where.unsqueeze(1).expand(-1, self.history, -1).reshape(rows, -1),
        )
        logit = logit * self.slope[2] + self.offset[2]
        return torch.sigmoid(logit).reshape(batch, self.history)

    def _completed(self, achieved: Tensor) -> Tensor:
        """(B,): two consecutive states of the history, so that the step was held."""
        if self.history < 2:
            return achieved[:, 0] > 0.5
        pairs = torch.minimum(achieved[:, 1:], achieved[:, :-1])
        return pairs.amax(1) > 0.5

    def _moving(self, states: Tensor) -> Tensor:
        """(B,): 1 where most states of the history differ from the one before, else 0. A history
        begins with copies of its first state: in those, nothing has lasted."""
        if self.history < 2:
            return torch.ones_like(states[:, 0, 0])
        change = (states[:, 1:] - states[:, :-1]).abs().amax(-1) > self.change
        share = change.to(states.dtype).mean(1)
        return (share > self.mostly).to(states.dtype)

    def _ends(self, achieved: Tensor, lasting: Tensor, moving: Tensor) -> Tensor:
        """(B,): achieved now; for a lasting step, in the whole history, in motion."""
        return torch.where(lasting > 0, achieved.amin(1) * moving, achieved[:, -1])


def build_network(config: HumanoidVLAConfig) -> nn.Module:
    """AnsweringVLA where the configuration has objects, else HumanoidVLA."""
    return AnsweringVLA(config) if config.objects else HumanoidVLA(config)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""AnsweringVLA: a chunk of joint targets, and three answers: are the words understood, is it
possible here, is it done.

    words -> first and second step, understood     image -> objects, in metres
    step, objects -> which one is meant            place, step, state -> chunk, possible, done

Two steps need a memory. The first step is completed once two consecutive past states (`history`)
achieved it; the policy then acts on the second. `Memory` keeps that between the calls of an
instruction, and where the object of each step was seen last: the hand that reaches for it hides it.
"""

# Annotations are not postponed here: TorchScript reads those of a NamedTuple as they are.
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vla_models.network.encoders import VISION
from vla_models.network.heads import Modulated
from vla_models.network.humanoid_vla import GoalSnap, HumanoidVLA, HumanoidVLAConfig
from vla_models.network.layers import TransformerLayer, perceptron
from vla_models.network.objects import ObjectFinder, Objects, Pointer
from vla_models.network.sizes import resize
from vla_models.network.spatial_attention import Landmarks
from vla_models.tasks import REASONS

OUTPUTS = ('joint_targets', 'understood', 'possible', 'done')
NEXT_MEMORY = 'next_memory'
STEPS = 2
FREQUENCIES = (1.5, 3.0, 6.0)
PLACE = 4 * (1 + 2 * len(FREQUENCIES))  # features of a place
DONE_WIDTH = 96  # of a network that runs on each state of the history
MEMORY = 1 + 4 * STEPS  # numbers of a Memory
COMPLETED = 0.7  # probability that a step was achieved, from which it is completed
SEEN, FADES = 0.5, 0.98  # certainty from which an object is seen; of a place that is not, per call
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


class Memory(NamedTuple):
    """What a call keeps for the next one of the instruction; zeros before the first.

    completed (B,): 1 where the first of two steps is. place (STEPS · B, 3) m in the base frame,
    certain (STEPS · B,): where the object of each step was seen last; certain fades while it is
    not seen.
    """

    completed: Tensor
    place: Tensor
    certain: Tensor


class ReadingLayer(nn.Module):
    """A pre-norm transformer layer in which some tokens read from all."""

    def __init__(self, width: int, heads: int, inner: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.before_attention = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, inner * width),
            nn.GELU(),
            nn.Linear(inner * width, width),
        )

    def forward(self, readers: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        """readers (B, R, width), the first of tokens (B, N, width); mask (B, 1, N)."""
        batch, count, width = readers.shape
        tokens = self.before_attention(tokens)
        query = self.query(tokens[:, :count]).reshape(batch, count, self.heads, -1)
        parts = self.key_value(tokens).reshape(batch, -1, 2, self.heads, width // self.heads)
        key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        scores = query.transpose(1, 2) @ key.transpose(-2, -1) * self.scale
        scores = scores.masked_fill(~mask.unsqueeze(1), -1e9)
        mixed = torch.softmax(scores, dim=-1) @ value
        readers = readers + self.output(mixed.transpose(1, 2).reshape(batch, count, -1))
        return readers + self.feed_forward(readers)


class InstructionEncoder(nn.Module):
    """Token ids (B, L), 0 = padding, to `Words`: a transformer over readouts and tokens, of
    which the last layer computes the readouts alone."""

    def __init__(self, vocabulary: int, length: int, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.steps = STEPS  # TorchScript sees no globals
        self.embedding = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(torch.randn(length, width) * 0.02)
        self.readout = nn.Parameter(torch.randn(STEPS + 1, width) * 0.2)
        self.layers = nn.ModuleList(TransformerLayer(width, heads) for _ in range(layers - 1))
        self.last = ReadingLayer(width, heads)
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
        # After the last layer only the readouts are needed: most of its cost is saved.
        read = self.norm(self.last(tokens[:, :count], tokens, known.unsqueeze(1)))
        steps = read[:, : self.steps]
        whole = self.sentence(read[:, self.steps])
        fits = self.token(tokens[:, count:]).squeeze(-1)
        # Padding fits.
        fits = torch.where(ids > 0, fits, torch.full_like(fits, 20.0))
        return Words(steps, whole[:, 1], self.lasting(steps).squeeze(-1), whole[:, 0], fits)


class Answer(nn.Module):
    """A small network on one or several states, which the words modulate.

    Of the place (B, n) and the text (B, width), which all states share, everything is computed
    once. States (B, k) or (B, T, k) to (B, outputs) or (B, T, outputs).
    """

    def __init__(
        self, place: int, state: int, text: int, width: int, outputs: int, layers: int = 2
    ) -> None:
        super().__init__()
        self.first = nn.Linear(state, width)
        self.common = nn.Linear(place + text, width)
        self.layers = nn.ModuleList(Modulated(width, text) for _ in range(layers))
        self.last = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, outputs))

    def forward(self, place: Tensor, state: Tensor, text: Tensor) -> Tensor:
        common = self.common(torch.cat([place, text], dim=-1))
        if state.dim() == 3:
            common, text = common.unsqueeze(1), text.unsqueeze(1)
        hidden = self.first(state) + common
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

    `forward` is exported and returns OUTPUTS and NEXT_MEMORY. The names of the parts are those of
    the tensors in checkpoints and bundles. Biases of calibration are added to the logits; training
    leaves them 0.
    """

    output_names = (*OUTPUTS, NEXT_MEMORY)

    def __init__(self, config: HumanoidVLAConfig) -> None:
        super().__init__()
        self.config = config
        self.history, self.joints = config.history, config.joints
        # TorchScript sees no globals.
        self.steps, self.change, self.mostly = STEPS, CHANGE, MOSTLY
        self.seen, self.fades, self.enough = SEEN, FADES, COMPLETED
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
        self.pointer = Pointer(config.objects, hidden)
        self.head = config.make_head(hidden + config.joints + 2 + PLACE)
        self.settling = GoalSnap(config.action_dim, config.settle)
        joints = config.joints
        # Where the arms are changes nothing of what can be reached, but where the camera looks does
        # of what can be seen.
        self.possible = perceptron(PLACE + carried + hidden, hidden, hidden, 1 + len(REASONS))
        self.done = Answer(PLACE, joints, hidden, DONE_WIDTH, 1)
        self.register_buffer(
            'frequencies', torch.tensor(FREQUENCIES).unsqueeze(-1), persistent=False
        )
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
        """The place (B, 3) m of what is meant, and how certain it is (B,), as features (B, PLACE);
        the first four are the plain numbers."""
        certain = certain.unsqueeze(-1)
        plain = torch.cat([(place - self.finder.mean) / self.finder.scale * certain, certain], -1)
        # Raw coordinates are learned in detail last (Tancik et al., "Fourier features", 2020).
        waves = (plain.unsqueeze(1) * self.frequencies).flatten(1)
        return torch.cat([plain, torch.sin(waves), torch.cos(waves)], dim=-1)

    def meant(self, text: Tensor, places: Tensor, seen: Tensor) -> Tensor:
        """`where` for a step, of what `chosen` chooses."""
        place, certain = self.chosen(text, places, seen)
        return self.where(place, certain)

    def chosen(self, text: Tensor, places: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Place (B, 3) m and certainty (B,) of what the pointer chooses among objects at `places`
        (B, C, 3), m, with logits `seen` (B, C)."""
        seen = torch.sigmoid(seen)
        share = torch.softmax(self.pointer(text, places, seen), dim=-1)[:, :-1]
        some = share.sum(1, keepdim=True).clamp(min=1e-6)
        place = ((share / some).unsqueeze(-1) * places).sum(1)
        return place, (share * seen).sum(1)

    def known(self, text: Tensor, state: Tensor, phase: Tensor, where: Tensor) -> Known:
        """Text (B, width), state (B, k), phase (B, 2), where (B, PLACE)."""
        context = torch.cat([text, state, phase, where], dim=-1)
        return Known(context, text, state.index_select(1, self.moved), phase)

    def act(self, known: Known) -> Tensor:
        """The chunk (B, h, k), normalised."""
        chunk = self.head(known.context, known.text, known.current, known.phase)
        return self.settling(chunk, known.current)

    def possible_logits(self, text: Tensor, state: Tensor, where: Tensor) -> Tensor:
        """(B, 1 + reasons)."""
        carried = state.index_select(1, self.camera)
        return self.possible(torch.cat([where, carried, text], dim=-1))

    def done_logit(self, text: Tensor, state: Tensor, where: Tensor) -> Tensor:
        """Whether the step is achieved in this state: (B,), or (B, T) for states (B, T, k)."""
        return self.done(where, state, text).squeeze(-1)

    # --- the whole -----------------------------------------------------------------------------

    def forward(
        self, image: Tensor, ids: Tensor, state: Tensor, phase: Tensor, memory: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Image (B, 3, H, W), ids (B, L), phase (B, 2), memory (B, MEMORY); state (B, T, k), the
        oldest first, or (B, k). Returns the chunk (B, h, k), understood (B, 1 + L), possible
        (B, 1 + reasons), done (B, 1) and the next memory (B, MEMORY)."""
        states = state.reshape(-1, self.history, self.joints)
        newest = states[:, -1]
        words = self.words(ids)
        objects = self.find(self.vision(image), newest)
        # All steps at once, as rows (STEPS · B): a call has few numbers and many operators.
        texts = words.steps.transpose(0, 1).flatten(0, 1)
        found, certain = self.chosen(texts, _for_steps(objects.place), _for_steps(objects.seen))
        kept = self._recall(memory)
        hidden = certain < self.seen
        remembered = hidden & (kept.certain > self.seen)
        found = torch.where(remembered.unsqueeze(-1), kept.place, found)
        places = self.where(found, torch.where(remembered, torch.ones_like(certain), certain))
        achieved = self._achieved(texts, _for_steps(states), places)
        can = _by_step(self._possible(texts, _for_steps(newest), places))
        achieved = _by_step(achieved)
        two = words.two > 0
        completed = two & (self._completed(achieved[0]) | (kept.completed > 0.5))
        ends = self._ends(achieved, words.lasting.transpose(0, 1), self._moving(states))
        text, place = _choose(completed, _by_step(texts)), _choose(completed, _by_step(places))
        chunk = self.act(self.known(text, newest, phase, place))
        # Both steps must be possible, or what is left of them: the worse one answers.
        possible = _choose(completed | (two & (can[1, :, 0] < can[0, :, 0])), can)
        ended = completed.to(ends.dtype)
        done = torch.where(two, ends[1] * ended, ends[0]).unsqueeze(-1)
        sense = words.sense * self.slope[0] + self.offset[0]
        fits = torch.sigmoid(words.fits)
        understood = torch.cat([torch.sigmoid(sense).unsqueeze(-1), fits], dim=-1)
        # A place that is not seen is not kept, unless it was.
        unknown = (hidden & ~remembered).unsqueeze(-1)
        found = torch.where(unknown, torch.zeros_like(found), found)
        faded = torch.where(hidden, kept.certain * self.fades, certain)
        return chunk, understood, possible, done, self._keep(Memory(ended, found, faded))

    def _recall(self, memory: Tensor) -> Memory:
        """From (B, MEMORY)."""
        rows = memory[:, 1:].reshape(-1, self.steps, 4).transpose(0, 1).flatten(0, 1)
        return Memory(memory[:, 0], rows[:, :3], rows[:, 3])

    def _keep(self, memory: Memory) -> Tensor:
        """(B, MEMORY)."""
        rows = torch.cat([memory.place, memory.certain.unsqueeze(-1)], dim=-1)
        rows = rows.reshape(self.steps, -1, 4).transpose(0, 1).flatten(1)
        return torch.cat([memory.completed.unsqueeze(-1), rows], dim=-1)

    def _possible(self, text: Tensor, state: Tensor, where: Tensor) -> Tensor:
        logits = self.possible_logits(text, state, where)
        own = torch.cat([self.offset[1:2], torch.zeros_like(logits[0, 1:])])
        return torch.softmax(logits * self.slope[1] + own, dim=-1)

    def _achieved(self, text: Tensor, states: Tensor, where: Tensor) -> Tensor:
        """Probability (B, T) that the step is achieved in each state, with the objects as they are
        seen now."""
        logit = self.done_logit(text, states, where)
        return torch.sigmoid(logit * self.slope[2] + self.offset[2])

    def _completed(self, achieved: Tensor) -> Tensor:
        """(B,): two consecutive states of the history, so that the step was held."""
        if self.history < 2:
            return achieved[:, 0] > self.enough
        pairs = torch.minimum(achieved[:, 1:], achieved[:, :-1])
        return pairs.amax(1) > self.enough

    def _moving(self, states: Tensor) -> Tensor:
        """(B,): 1 where most states of the history differ from the one before, else 0. A history
        begins with copies of its first state: in those, nothing has lasted."""
        if self.history < 2:
            return torch.ones_like(states[:, 0, 0])
        change = (states[:, 1:] - states[:, :-1]).abs().amax(-1) > self.change
        share = change.to(states.dtype).mean(1)
        return (share > self.mostly).to(states.dtype)

    def _ends(self, achieved: Tensor, lasting: Tensor, moving: Tensor) -> Tensor:
        """(STEPS, B): achieved now; for a lasting step, in the whole history, in motion."""
        return torch.where(lasting > 0, achieved.amin(2) * moving, achieved[:, :, -1])


def _for_steps(value: Tensor) -> Tensor:
    """(B, …) to (STEPS · B, …): the same for each step."""
    return torch.cat([value, value])


def _by_step(value: Tensor) -> Tensor:
    """(STEPS · B, n) to (STEPS, B, n)."""
    return value.reshape(2, -1, value.shape[1])


def _choose(second: Tensor, value: Tensor) -> Tensor:
    """Of (STEPS, B, n) the second step where `second` (B,), else the first; (B, n)."""
    return torch.where(second.unsqueeze(-1), value[1], value[0])


def build_network(config: HumanoidVLAConfig) -> nn.Module:
    """AnsweringVLA where the configuration has objects, else HumanoidVLA."""
    return AnsweringVLA(config) if config.objects else HumanoidVLA(config)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Losses of AnsweringVLA: those of `losses`, for all cubes of an image, and of the three answers.

The chunk is trained on the place of the cube that is meant, whatever the pointer says; the pointer
is trained on its own, so that a wrong choice early on teaches the arm nothing wrong.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from vla_models.network.answering import AnsweringVLA
from vla_models.network.objects import Objects
from vla_models.tokenizer import UNKNOWN_ID
from vla_models.training.answer_batches import IGNORED, NONE
from vla_models.training.losses import HEAT_SIGMA, Learner, mean_where
from vla_models.training.options import TrainingOptions

# Of the cross entropies, against radians; heads that only one of them trains do not depend on it.
WEIGHTS = {
    'heat': 0.05,
    'place': 0.5,
    'target': 1.5,
    'seen': 0.05,
    'pointer': 0.02,
    'order': 0.02,
    'reason': 0.01,
    'border': 0.01,
    'done': 0.02,
    'near': 0.02,
    'sense': 0.02,
    'fits': 0.005,
    'two': 0.01,
    'lasting': 0.005,
}
POINTED = 96  # imagined samples that teach the pointer, which costs as much as the head
CERTAIN = 12.0  # logit of a cube that is given


class AnswerLearner(Learner):
    """AnsweringVLA with its losses."""

    model: AnsweringVLA

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        model = self.model
        words = model.words(batch['ids'])
        parts = self._words(words, batch)
        per_image = len(batch['phrase']) // len(batch['image'])
        found = model.find(model.vision(batch['image']), batch['state'][::per_image])
        parts |= self._objects(found, batch)
        objects = Objects(*(value.repeat_interleave(per_image, dim=0) for value in found))
        text = words.steps[batch['phrase'], batch['step']]
        parts['pointer'], _ = self._pointer(text, objects, batch['meant'])
        where = self._where(objects, batch['referent'])
        known = model.known(text, batch['state'], batch['phase'], where)
        parts['chunk'] = self._acted(known, batch['action'], batch['acted'])
        parts['reason'], parts['done'] = self._answers(text, batch, where.detach(), '')
        total = parts['chunk']
        if 'imagined_state' in batch:
            parts |= self._imagined(words.steps, batch)
            total = total + parts['imagined']
        if 'place_state' in batch:
            text = words.steps[batch['place_phrase'], batch['place_step']]
            where = self._imagined_where(batch['place_target'])
            logits = model.possible_logits(text, batch['place_state'], where)
            parts['border'] = functional.cross_entropy(logits, batch['place_reason'])
        total = total + sum(WEIGHTS[n] * v for n, v in parts.items() if n in WEIGHTS)
        if not self.training:
            parts |= self._figures(text, objects, batch)
        return {**parts, 'total': total}

    def _where(self, objects: Objects, referent: Tensor) -> Tensor:
        """The features of the true object, as it is seen; those of none without one."""
        index = referent.clamp(max=NONE - 1)
        rows = torch.arange(len(index), device=index.device)
        real = (referent < NONE).to(objects.place.dtype)
        certain = torch.sigmoid(objects.seen)[rows, index] * real
        return self.model.where(objects.place[rows, index], certain)

    def _imagined_where(self, target: Tensor) -> Tensor:
        there = torch.isfinite(target).all(-1)
        place = torch.where(there[:, None], target, self.model.finder.mean)
        return self.model.where(place, there.to(target.dtype))

    @torch.no_grad()
    def chunks(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        model = self.model
        steps = model.words(batch['ids']).steps
        per_image = len(batch['phrase']) // len(batch['image'])
        found = model.find(model.vision(batch['image']), batch['state'][::per_image])
        objects = Objects(*(value.repeat_interleave(per_image, dim=0) for value in found))
        text, where = steps[batch['phrase'], batch['step']], self._where(objects, batch['referent'])
        known = model.known(text, batch['state'], batch['phase'], where)
        out = {'action': model.act(known)}
        if 'imagined_state' in batch:
            text = steps[batch['imagined_phrase'], batch['imagined_step']]
            where = self._imagined_where(batch['imagined_target'])
            state, phase = batch['imagined_state'], batch['imagined_phase']
            out['imagined_action'] = model.act(model.known(text, state, phase, where))
        return out

    def _imagined(self, steps: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        model, parts = self.model, {}
        text = steps[batch['imagined_phrase'], batch['imagined_step']]
        state, phase = batch['imagined_state'], batch['imagined_phase']
        where = self._imagined_where(batch['imagined_target'])
        known = model.known(text, state, phase, where)
        acted = batch['imagined_acted']
        parts['imagined'] = self._acted(known, batch['imagined_action'], acted)
        given = _given(batch['imagined_cubes'], batch['imagined_seen'])
        some = slice(0, POINTED)
        few = Objects(*(value[some] for value in given))
        pointer, _ = self._pointer(text[some], few, batch['imagined_meant'][some])
        reason, done = self._answers(text, batch, where, 'imagined_')
        near = model.done_logit(text, batch['imagined_near_state'], where)
        near = functional.binary_cross_entropy_with_logits(near, batch['imagined_near_done'])
        orders = _given(batch['order_cubes'], batch['order_seen'])
        words = steps[batch['order_phrase'], 0]
        order, _ = self._pointer(words, orders, batch['order_meant'])
        # Both kinds of samples teach the same heads.
        parts['order'], parts['near'] = order + pointer, near + done + reason
        return parts

    def _words(self, words, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        sense, good = words.sense, batch['sense'] > 0.5
        each = functional.binary_cross_entropy_with_logits(sense, batch['sense'], reduction='none')
        ids = batch['ids']
        fits = functional.binary_cross_entropy_with_logits(
            words.fits, (ids != UNKNOWN_ID).to(sense.dtype), reduction='none'
        )
        return {
            # Balanced: as many of the one as of the other.
            'sense': mean_where(each, good) + mean_where(each, ~good),
            'fits': mean_where(fits, ids == UNKNOWN_ID) + mean_where(fits, ids > UNKNOWN_ID),
            'two': _binary(words.two, batch['two']),
            'lasting': _binary(words.lasting, batch['lasting']),
        }

    def _objects(self, found: Objects, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        pixel, cubes = batch['cube_pixels'], batch['cubes']
        visible = torch.isfinite(pixel).all(-1)
        pixel = torch.where(visible[..., None], pixel, 0.0)
        cubes = torch.where(visible[..., None], cubes, 0.0)
        cells = self.model.finder.coordinates
        cell = 2.0 / cells.shape[0] ** 0.5
        distance = (cells[None, None] - pixel[:, :, None]).square().sum(-1)
        wanted = torch.softmax(-distance / (2 * (HEAT_SIGMA * cell) ** 2), dim=-1)
        heat = -(wanted * torch.log_softmax(found.scores, dim=-1)).sum(-1)
        return {
            'heat': mean_where(heat, visible),
            'place': mean_where((found.pixel - pixel).abs().mean(-1), visible),
            'target': mean_where((found.place - cubes).abs().mean(-1), visible),
            'seen': functional.binary_cross_entropy_with_logits(
                found.seen, visible.to(found.seen.dtype)
            ),
        }

    def _pointer(self, text: Tensor, objects: Objects, meant: Tensor) -> tuple[Tensor, Tensor]:
        """The loss, and the choice."""
        logits = self.model.pointer(
            text, objects.place.detach(), torch.sigmoid(objects.seen).detach()
        )
        known = (meant != IGNORED).sum().clamp(min=1)
        loss = functional.cross_entropy(logits, meant, ignore_index=IGNORED, reduction='sum')
        return loss / known, logits.argmax(-1)

    def _acted(self, known, action: Tensor, acted: Tensor) -> Tensor:
        head = self.model.head
        loss = head.loss(known.context, known.text, known.current, known.phase, action, self.scale)
        return mean_where(loss, acted)

    def _answers(
        self, text: Tensor, batch: dict[str, Tensor], where: Tensor, prefix: str
    ) -> tuple[Tensor, Tensor]:
        state, reason = batch[f'{prefix}state'], batch[f'{prefix}reason']
        logits = self.model.possible_logits(text, state, where)
        known = (reason != IGNORED).sum().clamp(min=1)
        can = functional.cross_entropy(logits, reason, ignore_index=IGNORED, reduction='sum')
        done = self.model.done_logit(text, state, where)
        ended = functional.binary_cross_entropy_with_logits(done, batch[f'{prefix}done'])
        return can / known, ended

    @torch.no_grad()
    def _figures(
        self, text: Tensor, objects: Objects, batch: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """What the robot would do: with the pointer's choice."""
        model = self.model
        where = model.meant(text, objects.place, objects.seen)
        acted = model.act(model.known(text, batch['state'], batch['phase'], where))
        right = (batch['meant'] == batch['referent']) & batch['acted']
        error = ((acted - batch['action']).abs() * self.std).mean((1, 2))
        done = (model.done_logit(text, batch['state'], where) > 0) == (batch['done'] > 0.5)
        seen = (objects.seen > 0) == torch.isfinite(
            batch['cube_pixels'].repeat_interleave(len(text) // len(batch['cubes']), 0)
        ).all(-1)
        given = _given(batch['order_cubes'], batch['order_seen'])
        words = model.words(batch['ids'])
        _, chosen = self._pointer(
            words.steps[batch['order_phrase'], 0], given, batch['order_meant']
        )
        order = batch['order_meant']
        reason = model.possible_logits(text, batch['state'], where).argmax(-1)
        return {
            'error': mean_where(error, right),
            'done_right': done.float().mean(),
            'seen_right': seen.float().mean(),
            'order_right': mean_where((chosen == order).float(), order != IGNORED),
            'reason_right': mean_where(
                (reason == batch['reason']).float(), batch['reason'] != IGNORED
            ),
            'sense_right': ((words.sense > 0) == (batch['sense'] > 0.5)).float().mean(),
        }


def _given(cubes: Tensor, seen: Tensor) -> Objects:
    nothing = cubes.new_zeros(1)
    return Objects(cubes, (seen * 2 - 1) * CERTAIN, nothing, nothing)


def _binary(logit: Tensor, wanted: Tensor) -> Tensor:
    known = torch.isfinite(wanted)
    wanted = torch.where(known, wanted, 0.0)
    each = functional.binary_cross_entropy_with_logits(logit, wanted, reduction='none')
    return mean_where(each, known)


def learner_of(model: nn.Module, std: Tensor, options: TrainingOptions) -> Learner:
    """The losses for a network."""
    kind = AnswerLearner if isinstance(model, AnsweringVLA) else Learner
    return kind(model, std, options)

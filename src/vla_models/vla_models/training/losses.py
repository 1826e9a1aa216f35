# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Losses: the chunk, and auxiliary losses on the place of the target.

Half an hour on two cores is too short to learn attention from the chunk alone. So the first
keypoint is supervised with the pixel (as a map over the cells, which is stronger than a coordinate)
and the locator with the place in the base frame, both where the dataset has them. The part after
the locator needs no image and is also trained on true targets, at a fraction of the cost.
"""

import torch
from torch import Tensor, nn

from vla_models.network.humanoid_vla import HumanoidVLA
from vla_models.training.options import TrainingOptions

HEAT_SIGMA = 1.0  # cells
FIRST, LAST = 0.6, 1.4  # weights of the first and the last step of a chunk


def mean_where(values: Tensor, known: Tensor) -> Tensor:
    """Mean over the known values; 0 without any."""
    return torch.where(known, values, 0.0).sum() / known.sum().clamp(min=1)


class Learner(nn.Module):
    """The network with its losses as one module, which Accelerate wraps for several GPUs."""

    def __init__(self, model: HumanoidVLA, std: Tensor, options: TrainingOptions) -> None:
        """`std` (k,) rad: one normalised unit of each action joint."""
        super().__init__()
        self.model, self.options = model, options
        steps = torch.linspace(FIRST, LAST, model.config.horizon)
        self.register_buffer('scale', steps[:, None] * std, persistent=False)
        self.register_buffer('std', std, persistent=False)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """`total` to minimise, its parts, and `error`, the mean error of the chunk, rad."""
        model, options = self.model, self.options
        text = model.text(batch['ids'])
        known = model.understand(
            model.vision(batch['image']), text[batch['phrase']], batch['state'], batch['phase']
        )
        parts = self._where(known, batch['pixel'], batch['target'])
        parts['chunk'] = self._chunk(known, batch['action'])
        total = parts['chunk'] + sum(
            getattr(options, f'{name}_weight') * value
            for name, value in parts.items()
            if name != 'chunk'
        )
        if 'imagined_state' in batch:
            imagined = model.imagine(
                text[batch['imagined_phrase']],
                batch['imagined_state'],
                batch['imagined_phase'],
                batch['imagined_target'],
            )
            parts['imagined'] = self._chunk(imagined, batch['imagined_action'])
            total = total + parts['imagined']
        with torch.no_grad():
            acted = model.act(known) if not self.training else None
            if acted is not None:
                parts['error'] = ((acted - batch['action']).abs() * self.std).mean()
        return {**parts, 'total': total}

    @torch.no_grad()
    def chunks(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The network's own chunks, by the names that the demonstrated ones have in a batch."""
        model = self.model
        text, seen = model.text(batch['ids']), model.vision(batch['image'])
        known = model.understand(seen, text[batch['phrase']], batch['state'], batch['phase'])
        found = {'action': model.act(known)}
        if 'imagined_state' in batch:
            known = model.imagine(
                text[batch['imagined_phrase']],
                batch['imagined_state'],
                batch['imagined_phase'],
                batch['imagined_target'],
            )
            found['imagined_action'] = model.act(known)
        return found

    def _chunk(self, known, action: Tensor) -> Tensor:
        head = self.model.head
        loss = head.loss(known.context, known.text, known.current, known.phase, action, self.scale)
        return loss.mean()

    def _where(self, known, pixel: Tensor, target: Tensor) -> dict[str, Tensor]:
        known_pixel = torch.isfinite(pixel).all(-1)
        pixel = torch.where(known_pixel[:, None], pixel, 0.0)
        points = known.keypoints
        cells = self.model.looking.coordinates
        cell = 2.0 / cells.shape[0] ** 0.5
        distance = (cells[None] - pixel[:, None]).square().sum(-1)
        wanted = torch.softmax(-distance / (2 * (HEAT_SIGMA * cell) ** 2), dim=-1)
        heat = -(wanted * torch.log_softmax(points.scores[:, 0], dim=-1)).sum(-1)
        placed = torch.isfinite(target).all(-1)
        target = torch.where(placed[:, None], target, 0.0)
        return {
            'heat': mean_where(heat, known_pixel),
            'place': mean_where((points.place[:, 0] - pixel).abs().mean(-1), known_pixel),
            'target': mean_where((known.target - target).abs().mean(-1), placed),
            'seen': nn.functional.binary_cross_entropy_with_logits(
                known.seen, placed.to(known.seen.dtype)
            ),
        }

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""One episode, as collection hands it to the writer."""

from dataclasses import dataclass

import numpy as np

from vla_models.dataset.layout import DatasetLayout
from vla_models.language import TRAIN
from vla_models.tasks import ALL_TASKS, Task


@dataclass(frozen=True)
class Labels:
    """The chunks of the expert for M instructions, from each of F frames.

    task (F, M) places in `ALL_TASKS`; action (F, M, h, k) joint targets, rad; phase (F, M, 2) sine
    and cosine; target (F, M, 3) the cube in the base frame, m, and pixel (F, M, 2) in the image,
    in [-1, 1], both NaN where there is none in view.
    """

    task: np.ndarray
    action: np.ndarray
    phase: np.ndarray
    target: np.ndarray
    pixel: np.ndarray


@dataclass(frozen=True)
class Episode:
    """F frames of one scene: image (F, S, S, 3) uint8 RGB, state and action (F, k) rad.

    action: the joint target for the next frame. text: the instruction, empty for the first phrasing
    of the task.
    """

    task: Task
    image: np.ndarray
    state: np.ndarray
    action: np.ndarray
    labels: Labels | None = None
    text: str = ''

    @property
    def instruction(self) -> str:
        return self.text or canonical(self.task)

    def check(self, layout: DatasetLayout) -> None:
        """Raises ValueError for the first mismatch: what was found and what was wanted."""
        frames, side = len(self.image), layout.image_size
        if not frames:
            raise ValueError('an episode without frames')
        wanted = {
            'image': (frames, side, side, 3),
            'state': (frames, len(layout.state_joints)),
            'action': (frames, len(layout.action_joints)),
        }
        arrays = {name: getattr(self, name) for name in wanted}
        if (self.labels is not None) != bool(layout.labels):
            raise ValueError(f'labels: found {self.labels}, wanted {layout.labels} of them')
        if self.labels is not None:
            for name, shape in layout.label_shapes.items():
                wanted[name] = (frames, *shape)
                arrays[name] = getattr(self.labels, name.removeprefix('labels.'))
        for name, shape in wanted.items():
            if arrays[name].shape != shape:
                raise ValueError(f'{name}: found shape {arrays[name].shape}, wanted {shape}')
            if (
                name not in ('labels.target', 'labels.pixel')
                and not np.isfinite(arrays[name]).all()
            ):
                raise ValueError(f'{name}: found a value that is not finite')
        if self.image.dtype != np.uint8:
            raise ValueError(f'image: found {self.image.dtype}, wanted uint8')


def canonical(task: Task) -> str:
    """The plainest phrasing of a task."""
    return TRAIN[task.kind][0].format(hand=task.hand, colour=task.colour)


def task_named(name: str) -> Task | None:
    """The task of a stored name, or None."""
    return next((task for task in ALL_TASKS if task.name == name), None)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""One episode, as collection hands it to the writer."""

from dataclasses import dataclass

import numpy as np

from vla_models.dataset.layout import MAY_BE_NAN, DatasetLayout
from vla_models.language import canonical
from vla_models.tasks import ALL_TASKS, Task


@dataclass(frozen=True)
class Labels:
    """The chunks of the expert for M instructions, from each of F frames.

    task (F, M) places in `ALL_TASKS`; action (F, M, h, k) joint targets, rad; phase (F, M, 2) sine
    and cosine; target (F, M, 3) the cube in the base frame, m, and pixel (F, M, 2) in the image,
    in [-1, 1], both NaN where there is none in view.

    Where the layout has cubes: cubes (F, C, 3) m in the base frame, by colour, and cube_pixels
    (F, C, 2), NaN as above; reason (F, M): 0 possible, 1 no such cube, 2 out of reach, -1 not known
    in this view; near (F, M, k) a posture about the end of the chunk, rad; done (F, M, 7)
    whether the task is achieved in the posture of the frame, in those of the chunk's steps
    `layout.judged`, and in `near`.
    """

    task: np.ndarray
    action: np.ndarray
    phase: np.ndarray
    target: np.ndarray
    pixel: np.ndarray
    cubes: np.ndarray | None = None
    cube_pixels: np.ndarray | None = None
    reason: np.ndarray | None = None
    near: np.ndarray | None = None
    done: np.ndarray | None = None


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
            found = np.shape(arrays[name])
            if found != shape:
                raise ValueError(f'{name}: found shape {found}, wanted {shape}')
            if name not in MAY_BE_NAN and not np.isfinite(arrays[name]).all():
                raise ValueError(f'{name}: found a value that is not finite')
        if self.image.dtype != np.uint8:
            raise ValueError(f'image: found {self.image.dtype}, wanted uint8')


def task_named(name: str) -> Task | None:
    """The task of a stored name, or None."""
    return next((task for task in ALL_TASKS if task.name == name), None)

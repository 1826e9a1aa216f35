# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""One episode, as collection hands it to the writer."""

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from vla_models.dataset.column_statistics import PixelStatistics, Statistics
from vla_models.dataset.images import encode_png
from vla_models.dataset.layout import ACTION, IMAGE, KNOWN, MAY_BE_UNKNOWN, STATE, DatasetLayout
from vla_models.language import canonical
from vla_models.tasks import ALL_TASKS, Task


@dataclass(frozen=True)
class StoredEpisode:
    """An episode as a dataset has it, without the numbers that the dataset gives.

    text: the instruction; name: of its task, '' for none. images: by column, F encoded images;
    pixels: their statistics. values: by column, (F, …). facts: for the table of episodes.
    """

    text: str
    name: str
    images: dict[str, list[bytes]]
    pixels: dict[str, Statistics]
    values: dict[str, np.ndarray]
    facts: dict[str, str | int | float] = field(default_factory=dict)


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

    def stored(self, layout: DatasetLayout) -> StoredEpisode:
        """As it is stored. Raises ValueError for the first mismatch with the layout."""
        self.check(layout)
        pixels = PixelStatistics()
        for image in self.image:
            pixels.add(image)
        values = {STATE: self.state.astype(np.float32), ACTION: self.action.astype(np.float32)}
        for name in layout.label_shapes:
            label = getattr(self.labels, name.removeprefix('labels.'))
            label = label.astype(np.int64 if name == 'labels.task' else np.float32)
            if name in MAY_BE_UNKNOWN:
                label, values[f'{name}{KNOWN}'] = without_nan(label)
            values[name] = label
        return StoredEpisode(
            self.instruction,
            self.task.name,
            {IMAGE: [encode_png(image) for image in self.image]},
            {IMAGE: pixels.result()},
            values,
        )

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
        check_arrays(arrays, wanted, may_be_unknown=MAY_BE_UNKNOWN)
        if self.image.dtype != np.uint8:
            raise ValueError(f'image: found {self.image.dtype}, wanted uint8')


def check_arrays(
    arrays: dict[str, np.ndarray],
    shapes: dict[str, tuple[int, ...]],
    may_be_unknown: Collection[str] = (),
) -> None:
    """Raises ValueError for the first array of another shape, or with a value that is not finite
    (in `may_be_unknown`: where not all of the last axis is NaN)."""
    for name, shape in shapes.items():
        found = np.shape(arrays[name])
        if found != shape:
            raise ValueError(f'{name}: found shape {found}, wanted {shape}')
        values = np.asarray(arrays[name])
        if name in may_be_unknown:
            values = values[~np.isnan(values).all(-1)]
        if not np.isfinite(values).all():
            raise ValueError(f'{name}: found a value that is not finite')


def without_nan(label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A label (…, n) with 0 for NaN, and (…) 1 where it is known, 0 where not."""
    known = np.isfinite(label).all(-1)
    return np.where(known[..., None], label, 0).astype(label.dtype), known.astype(np.int64)


def task_named(name: str) -> Task | None:
    """The task of a stored name, or None."""
    return next((task for task in ALL_TASKS if task.name == name), None)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""An episode of a recorded run, as export hands it to the writer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vla_models.dataset.column_statistics import Statistics
from vla_models.dataset.episode import StoredEpisode, check_arrays
from vla_models.dataset.layout import (
    ACTION,
    DONE,
    IMAGE_AGE,
    INTERVENTIONS,
    PROPOSED,
    PROPOSED_KNOWN,
    RECORDED_TIME,
    STATE,
    SUCCESS,
    TRUNCATED,
    DatasetLayout,
)


@dataclass(frozen=True)
class RecordedEpisode:
    """F frames of one instruction, from the robot's own messages.

    Args:
        text: the instruction.
        images: by camera, F images as PNG.
        pixels: by camera, their statistics.
        state: (F, n) rad, measured at the frame.
        action: (F, k) rad, what the safety filter commanded for one frame after.
        proposed: (F, k) rad, what the policy proposed for that time; `action` where unknown.
        proposed_known: (F,) whether the filter followed a chunk then.
        interventions: (F,) ticks until the next frame in which the filter changed the command.
        time: (F,) s since the begin of the recording.
        image_age: by camera, (F,) s since the image was taken.
        success: whether the instruction was carried out.
        finished: whether its end was recorded.
        facts: for the table of episodes: where the episode comes from.
    """

    text: str
    images: dict[str, list[bytes]]
    pixels: dict[str, Statistics]
    state: np.ndarray
    action: np.ndarray
    proposed: np.ndarray
    proposed_known: np.ndarray
    interventions: np.ndarray
    time: np.ndarray
    image_age: dict[str, np.ndarray]
    success: bool
    finished: bool
    facts: dict[str, str | int | float]

    def stored(self, layout: DatasetLayout) -> StoredEpisode:
        """As it is stored. Raises ValueError for the first mismatch with the layout."""
        frames, k = len(self.state), len(layout.action_joints)
        if not frames:
            raise ValueError('an episode without frames')
        last = np.arange(frames) == frames - 1
        values = {
            STATE: self.state.astype(np.float32),
            ACTION: self.action.astype(np.float32),
            PROPOSED: self.proposed.astype(np.float32),
            PROPOSED_KNOWN: self.proposed_known.astype(np.int64),
            INTERVENTIONS: self.interventions.astype(np.int64),
            SUCCESS: np.full(frames, self.success, np.int64),
            DONE: last & self.finished,
            TRUNCATED: last & (not self.finished),
            RECORDED_TIME: self.time.astype(np.float64),
        }
        shapes = {name: (frames,) for name in values}
        shapes[STATE] = (frames, len(layout.state_joints))
        shapes |= {name: (frames, k) for name in (ACTION, PROPOSED)}
        for camera in layout.cameras:
            name = IMAGE_AGE.format(camera=camera.name)
            values[name] = self.image_age[camera.name].astype(np.float32)
            shapes[name] = (frames,)
        check_arrays(values, shapes)
        found = {name: len(images) for name, images in self.images.items()}
        wanted = {camera.name: frames for camera in layout.cameras}
        if found != wanted:
            raise ValueError(f'images: found {found}, wanted {wanted}')
        return StoredEpisode(
            self.text,
            '',
            {camera.column: self.images[camera.name] for camera in layout.cameras},
            {camera.column: self.pixels[camera.name] for camera in layout.cameras},
            values,
            self.facts,
        )

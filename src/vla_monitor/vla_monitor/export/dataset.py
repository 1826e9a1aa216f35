# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Sessions into a dataset in LeRobot's layout; see `vla_models.dataset`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from vla_common.errors import ConfigError
from vla_models.dataset import (
    CameraShape,
    DatasetLayout,
    EpisodeWriter,
    RecordedEpisode,
    episode_rows,
    finalise,
    finished_attempts,
)
from vla_models.dataset.column_statistics import PixelStatistics
from vla_models.dataset.images import encode_png
from vla_models.dataset.layout import INFO, OURS, read_ours
from vla_models.dataset.writing import parts
from vla_monitor.export.instructions import (
    FrameTable,
    LeftOutError,
    action_joints,
    frames_of,
    instructions_of,
)
from vla_monitor.export.streams import Streams

FPS = 10.0
BEGIN = 'begin_ns'
"""Column of the table of episodes: when the instruction began. With its text it tells whether an
instruction is in the dataset already."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class LeftOut:
    """An instruction, at `t` s of its session, that gave no episode."""

    session: str
    t: float
    instruction: str
    why: str
    damaged: bool


@dataclass
class Exported:
    """What was added to a dataset. already: episodes that were there."""

    episodes: int = 0
    frames: int = 0
    successes: int = 0
    already: int = 0
    total: int = 0
    cameras: tuple[str, ...] = ()
    fps: float = 0.0
    left_out: list[LeftOut] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Exporter:
    """Adds sessions to a dataset.

    Args:
        dataset: its directory; made with the first episode.
        fps: frames per s; None: those of the dataset, FPS for a new one.
        successes: leave out what was not carried out.

    Raises ConfigError: the directory has other files, or a dataset of another program.
    """

    def __init__(self, dataset: Path, fps: float | None = None, successes: bool = False) -> None:
        self._dataset, self._successes = dataset, successes
        self._layout = self._existing(fps)
        self._fps = self._layout.fps if self._layout else fps or FPS
        self._writer: EpisodeWriter | None = None
        self._known: set[tuple[int, str]] = set()
        self._next = 0
        self.result = Exported(fps=self._fps)
        if self._layout is not None:
            self.finish()  # what an interrupted export has left
            rows = episode_rows(dataset)
            self._known = {(row[BEGIN], row['tasks'][0]) for row in rows}
            self._next = max(finished_attempts(dataset), default=-1) + 1

    def _existing(self, fps: float | None) -> DatasetLayout | None:
        if not self._dataset.exists() or not any(self._dataset.iterdir()):
            return None
        if not (self._dataset / OURS).exists():
            other = (self._dataset / INFO).exists()
            found = 'a dataset that another program wrote' if other else 'other files'
            raise ConfigError(self._dataset, '', found, 'a new folder, or a dataset of export')
        layout = read_ours(self._dataset)
        if not layout.cameras:
            found, wanted = 'a dataset of collect', 'a new folder, or a dataset of export'
            raise ConfigError(self._dataset, '', found, wanted)
        if fps is not None and fps != layout.fps:
            wanted = f'{layout.fps:g}, as the dataset in {self._dataset} has'
            raise ConfigError('export', 'fps', f'{fps:g}', wanted)
        return layout

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the dataset's cameras; () for a new one."""
        return tuple(camera.name for camera in self._layout.cameras) if self._layout else ()

    def add(self, streams: Streams, progress: Progress) -> None:
        """Add a session. progress(done, total): frames.

        Raises ConfigError: it does not fit the dataset, which is as before.
        """
        name = streams.name
        self.result.problems += [f'{name}: {problem}' for problem in streams.problems]
        layout = self._layout_of(streams)
        tables = self._tables(streams, layout.action_joints)
        if not tables:
            return
        total, done = sum(len(table.times_ns) for table in tables), 0
        images = {
            camera: stream.read(np.concatenate([table.images[camera] for table in tables]).tolist())
            for camera, stream in streams.cameras.items()
        }
        for table in tables:
            done += len(table.times_ns)
            try:
                episode = _episode(streams, table, images)
            except LeftOutError as error:
                self._leave_out(streams, table.instruction, error)
            else:
                self._write(layout, episode)
            progress(done, total)

    def finish(self) -> None:
        """Finish the dataset's files, if something was added."""
        if parts(self._dataset):
            finalise(self._dataset)
        self.result.total = len(episode_rows(self._dataset))

    def _layout_of(self, streams: Streams) -> DatasetLayout:
        """The layout of this session's episodes. Raises ConfigError: not that of the dataset."""
        joints = action_joints(streams)
        cameras = tuple(CameraShape(n, s.height, s.width) for n, s in streams.cameras.items())
        known = self._layout
        # A session in which nothing moved has no joints of an action; it gives no episode.
        acting = joints or (known.action_joints if known else ())
        layout = DatasetLayout(
            streams.robot, streams.state.names, acting, fps=self._fps, cameras=cameras
        )
        if known is not None and known != layout:
            mine, theirs = known.to_dict(), layout.to_dict()
            key = next(k for k in mine if mine[k] != theirs[k])
            wanted = f'{_shown(mine[key])}, as the dataset in {self._dataset} has'
            raise ConfigError(streams.name, key, _shown(theirs[key]), wanted)
        return layout

    def _tables(self, streams: Streams, joints: tuple[str, ...]) -> list[FrameTable]:
        tables = []
        for instruction in instructions_of(streams):
            if (instruction.begin_ns, instruction.text) in self._known:
                self.result.already += 1
                continue
            try:
                if self._successes and not instruction.success:
                    why = instruction.result or 'its end was not recorded'
                    raise LeftOutError(f'no success ({why})', damaged=False)
                tables.append(frames_of(streams, instruction, joints, self._fps))
            except LeftOutError as error:
                self._leave_out(streams, instruction, error)
        return tables

    def _leave_out(self, streams: Streams, instruction: Any, error: LeftOutError) -> None:
        t = 1e-9 * (instruction.begin_ns - streams.start_ns)
        self.result.left_out.append(
            LeftOut(streams.name, t, instruction.text, str(error), error.damaged)
        )

    def _write(self, layout: DatasetLayout, episode: RecordedEpisode) -> None:
        if self._writer is None:
            self._writer = EpisodeWriter(self._dataset, layout)
            self._layout = layout
        self._writer.write(self._next, episode)
        self._next += 1
        self._known.add((int(episode.facts[BEGIN]), episode.text))
        self.result.cameras = self.cameras
        self.result.episodes += 1
        self.result.frames += len(episode.state)
        self.result.successes += episode.success


def _shown(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return ', '.join(f'{c["name"]} {c["width"]} x {c["height"]}' for c in value)
    if isinstance(value, list):
        return f'{len(value)} joints ({", ".join(value[:3])} …)'
    return str(value)


def _episode(
    streams: Streams, table: FrameTable, images: dict[str, Iterator[np.ndarray | None]]
) -> RecordedEpisode:
    """The frames with their images. Raises LeftOutError: an image cannot be read."""
    encoded, pixels = {}, {}
    faults: list[str] = []
    for name, stream in images.items():
        camera = streams.cameras[name]
        encoded[name], pixels[name] = [], PixelStatistics()
        last, png = None, b''
        # All are taken, whatever they are: the next episode begins behind them.
        for frame, image in enumerate(islice(stream, len(table.times_ns))):
            if image is None or image.shape[:2] != (camera.height, camera.width):
                at = 1e-9 * (table.times_ns[frame] - streams.start_ns)
                found = 'cannot be read' if image is None else 'has another size than the first'
                faults.append(f'an image of the camera {name} {found}, at {at:.1f} s')
                continue
            if image is not last:
                last, png = image, encode_png(image)
            encoded[name].append(png)
            pixels[name].add(image)
    if faults:
        raise LeftOutError(faults[0], damaged=True)
    given = table.instruction
    return RecordedEpisode(
        given.text, encoded, {name: found.result() for name, found in pixels.items()}, table.state,
        table.action, table.proposed, table.proposed_known, table.interventions,
        1e-9 * (table.times_ns - streams.start_ns), table.image_age, given.success, given.finished,
        {
            'session': streams.name,
            BEGIN: given.begin_ns,
            'result': given.result or 'its end was not recorded',
            'success': given.success,
        },
    )  # fmt: skip

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What stands around the robot: a table with coloured cubes, the light, how the camera is mounted.

World frame: the robot starts at the origin and looks along +x; y left, z up; the floor is z = 0.
Lengths in m, angles in rad.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np

from vla_common.errors import ConfigError
from vla_common.yaml_file import ConfigReader

FORMAT = 1

COLORS = MappingProxyType(
    {
        'red': (0.85, 0.10, 0.10),
        'green': (0.10, 0.65, 0.18),
        'blue': (0.10, 0.25, 0.85),
        'yellow': (0.95, 0.82, 0.08),
        'orange': (0.95, 0.45, 0.05),
        'purple': (0.50, 0.15, 0.65),
        'cyan': (0.10, 0.75, 0.80),
        'white': (0.92, 0.92, 0.92),
    }
)


@dataclass(frozen=True)
class Cube:
    """`position` is its centre; `size` its edge."""

    name: str
    color: str
    size: float
    position: tuple[float, float, float]
    yaw: float = 0.0

    @property
    def rgb(self) -> tuple[float, float, float]:
        return COLORS[self.color]


@dataclass(frozen=True)
class Table:
    """`height` of the top, `size` along x and y, `position` of the top's centre on the floor."""

    height: float = 0.84
    size: tuple[float, float] = (0.50, 1.0)
    position: tuple[float, float] = (0.50, 0.0)
    rgb: tuple[float, float, float] = (0.72, 0.58, 0.42)
    thickness: float = 0.03


@dataclass(frozen=True)
class Light:
    """One distant light; `direction` is where its rays go; brightness from 0 to 1."""

    direction: tuple[float, float, float] = (0.3, -0.4, -1.0)
    diffuse: float = 0.50
    ambient: float = 0.40


@dataclass(frozen=True)
class CameraOffset:
    """How far the head camera is off its place in the URDF: in its own optical axes."""

    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)  # rotation vector


def _default_cubes() -> tuple[Cube, ...]:
    places = {
        'red': (0.36, 0.17),
        'green': (0.42, 0.055),
        'blue': (0.35, -0.065),
        'yellow': (0.39, -0.175),
    }
    size, top = 0.045, Table().height
    return tuple(
        Cube(f'{color}_cube', color, size, (x, y, top + size / 2))
        for color, (x, y) in places.items()
    )


@dataclass(frozen=True)
class Scene:
    """A whole scene. `start_jitter` is how far (rad) each upper-body joint may start off its pose.

    Raises:
        ValueError: (from the constructor) what cannot be a scene.
    """

    table: Table = field(default_factory=Table)
    cubes: tuple[Cube, ...] = field(default_factory=_default_cubes)
    light: Light = field(default_factory=Light)
    camera: CameraOffset = field(default_factory=CameraOffset)
    floor_rgb: tuple[float, float, float] = (0.36, 0.40, 0.43)
    sky_rgb: tuple[float, float, float] = (0.70, 0.80, 0.92)
    start_jitter: float = 0.0

    def __post_init__(self) -> None:
        names = [cube.name for cube in self.cubes]
        if len(set(names)) != len(names):
            raise ValueError(f'cubes: names {names}, wanted each once')
        for cube in self.cubes:
            if cube.color not in COLORS:
                raise ValueError(f'{cube.name}: color {cube.color}, wanted {", ".join(COLORS)}')

    # -- making ----------------------------------------------------------------------------

    @classmethod
    def default(cls) -> Scene:
        """Four cubes, red, green, blue, yellow from left to right, within reach of both hands."""
        return cls()

    @classmethod
    def sample(
        cls,
        seed: int,
        *,
        cubes: tuple[int, int] = (2, 5),
        colors: Sequence[str] = tuple(COLORS)[:6],
        cube_size: tuple[float, float] = (0.038, 0.055),
        cube_x: tuple[float, float] = (0.32, 0.44),
        cube_y: tuple[float, float] = (-0.24, 0.24),
        table_height: tuple[float, float] = (0.80, 0.87),
        brightness: tuple[float, float] = (0.75, 1.15),
        camera_position: float = 0.01,
        camera_rotation: float = 0.03,
        start_jitter: float = 0.05,
    ) -> Scene:
        """A random scene; the same seed and ranges give the same scene.

        Args:
            cubes: fewest and most cubes; all of different colours.
            camera_position, camera_rotation: largest offset per axis of the head camera.

        Raises:
            ValueError: the cubes do not fit into the ranges.
        """
        random = np.random.default_rng(seed)
        count = int(random.integers(cubes[0], cubes[1] + 1))
        if not 0 <= count <= len(colors):
            raise ValueError(f'{count} cubes, wanted at most {len(colors)}, one per colour')
        height = float(random.uniform(*table_height))
        chosen = [str(color) for color in random.permutation(list(colors))[:count]]
        placed = _place_cubes(random, chosen, cube_size, cube_x, cube_y, height)
        bright = float(random.uniform(*brightness))
        light = Light(
            direction=(*(float(v) for v in random.uniform(-0.6, 0.6, 2)), -1.0),
            diffuse=0.50 * bright,
            ambient=0.40 * bright,
        )
        offset = CameraOffset(
            tuple(random.uniform(-camera_position, camera_position, 3).tolist()),
            tuple(random.uniform(-camera_rotation, camera_rotation, 3).tolist()),
        )
        shade = random.uniform(0.8, 1.15)
        table = Table(height=height)
        return cls(
            table=replace(table, rgb=tuple(float(min(1.0, c * shade)) for c in table.rgb)),
            cubes=placed,
            light=light,
            camera=offset,
            floor_rgb=tuple(random.uniform(0.25, 0.5, 3).tolist()),
            sky_rgb=tuple(random.uniform(0.6, 0.95, 3).tolist()),
            start_jitter=start_jitter,
        )

    # -- text ------------------------------------------------------------------------------

    def to_json(self) -> str:
        return json.dumps({'format': FORMAT, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str, source: str | os.PathLike[str] = 'scene') -> Scene:
        """Read what `to_json` wrote.

        Raises:
            ConfigError: with `source` as the file.
        """
        source = os.fspath(source)
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise ConfigError(source, f'line {error.lineno}', error.msg, 'valid JSON') from None
        fields = ConfigReader(source, content)
        if fields.integer('format') != FORMAT:
            raise fields.error('format', fields.integer('format'), str(FORMAT))
        try:
            scene = cls(
                table=_read_table(fields.section('table')),
                cubes=_read_cubes(fields),
                light=_read_light(fields.section('light')),
                camera=_read_camera(fields.section('camera')),
                floor_rgb=_rgb(fields, 'floor_rgb'),
                sky_rgb=_rgb(fields, 'sky_rgb'),
                start_jitter=fields.number('start_jitter', lo=0.0, hi=1.0),
            )
        except ConfigError:
            raise
        except ValueError as error:
            raise ConfigError(source, 'cubes', str(error), 'a scene') from None
        fields.close()
        return scene

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Scene:
        """Read a scene file (JSON).

        Raises:
            ConfigError: the file is missing or is not a scene.
        """
        try:
            text = Path(path).read_text(encoding='utf-8')
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, 'strerror', None) or str(error)
            raise ConfigError(path, '', reason, 'a scene file') from None
        return cls.from_json(text, path)

    @cached_property
    def digest(self) -> str:
        """Equal for equal scenes: 16 hexadecimal digits of the SHA-256 of the JSON."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def cube(self, name: str) -> Cube:
        """By name.

        Raises:
            KeyError: no such cube.
        """
        for cube in self.cubes:
            if cube.name == name:
                return cube
        raise KeyError(name)


def _place_cubes(
    random: np.random.Generator,
    colors: list[str],
    size_range: tuple[float, float],
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    height: float,
) -> tuple[Cube, ...]:
    gap = 0.02  # m between the circles around two cubes
    for _ in range(100):  # whole layouts, because a bad start cannot be repaired
        cubes: list[Cube] = []
        for color in colors:
            size = float(random.uniform(*size_range))
            for _ in range(50):
                x, y = float(random.uniform(*x_range)), float(random.uniform(*y_range))
                if all(
                    np.hypot(x - c.position[0], y - c.position[1])
                    > (size + c.size) / np.sqrt(2) + gap
                    for c in cubes
                ):
                    yaw = float(random.uniform(-np.pi / 4, np.pi / 4))
                    place = (x, y, height + size / 2)
                    cubes.append(Cube(f'{color}_cube', color, size, place, yaw))
                    break
            else:
                break
        if len(cubes) == len(colors):
            return tuple(cubes)
    raise ValueError(f'{len(colors)} cubes do not fit into x {x_range}, y {y_range}')


def _rgb(fields: ConfigReader, key: str) -> tuple[float, float, float]:
    return tuple(fields.numbers(key, length=3, lo=0.0, hi=1.0))


def _read_table(fields: ConfigReader) -> Table:
    table = Table(
        height=fields.number('height', lo=0.1, hi=2.0),
        size=tuple(fields.numbers('size', length=2, lo=0.05, hi=5.0)),
        position=tuple(fields.numbers('position', length=2, lo=-5.0, hi=5.0)),
        rgb=_rgb(fields, 'rgb'),
        thickness=fields.number('thickness', lo=0.005, hi=0.1),
    )
    fields.close()
    return table


def _read_cubes(fields: ConfigReader) -> tuple[Cube, ...]:
    entries = fields.raw('cubes', wanted='a list of cubes')
    if not isinstance(entries, list):
        raise fields.error('cubes', entries, 'a list of cubes')
    cubes = []
    for i, entry in enumerate(entries):
        item = ConfigReader(fields.file, entry, fields.path(f'cubes[{i}]'))
        cubes.append(
            Cube(
                name=item.text('name'),
                color=item.text('color', choices=tuple(COLORS)),
                size=item.number('size', lo=0.01, hi=0.5),
                position=tuple(item.numbers('position', length=3, lo=-5.0, hi=5.0)),
                yaw=item.number('yaw', lo=-7.0, hi=7.0),
            )
        )
        item.close()
    return tuple(cubes)


def _read_light(fields: ConfigReader) -> Light:
    light = Light(
        direction=tuple(fields.numbers('direction', length=3, lo=-10.0, hi=10.0)),
        diffuse=fields.number('diffuse', lo=0.0, hi=2.0),
        ambient=fields.number('ambient', lo=0.0, hi=2.0),
    )
    if not np.linalg.norm(light.direction) > 1e-6:
        raise fields.error('direction', list(light.direction), 'a direction')
    fields.close()
    return light


def _read_camera(fields: ConfigReader) -> CameraOffset:
    offset = CameraOffset(
        position=tuple(fields.numbers('position', length=3, lo=-0.5, hi=0.5)),
        rotation=tuple(fields.numbers('rotation', length=3, lo=-1.0, hi=1.0)),
    )
    fields.close()
    return offset

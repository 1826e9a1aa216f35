# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The scene around the robot: a table with coloured cubes, the light, the camera's mounting.

World frame: the robot starts at the origin and looks along +x; y left, z up; the floor is z = 0.
Lengths in m, angles in rad.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

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
class Solid:
    """A box that stands still: `size` along its axes, `position` of its centre."""

    name: str
    size: tuple[float, float, float]
    position: tuple[float, float, float]
    yaw: float = 0.0
    rgb: tuple[float, float, float] = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Light:
    """One distant light; `direction` is that of its rays; brightness from 0 to 1."""

    direction: tuple[float, float, float] = (0.3, -0.4, -1.0)
    diffuse: float = 0.50
    ambient: float = 0.40


@dataclass(frozen=True)
class CameraOffset:
    """Offset of the head camera from its place in the URDF, in its optical axes."""

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
    """A scene. `start_jitter`: largest offset (rad) of each upper-body joint from the start pose.

    Raises ValueError: (from the constructor) a name twice, or an unknown colour.
    """

    table: Table = field(default_factory=Table)
    cubes: tuple[Cube, ...] = field(default_factory=_default_cubes)
    light: Light = field(default_factory=Light)
    camera: CameraOffset = field(default_factory=CameraOffset)
    floor_rgb: tuple[float, float, float] = (0.36, 0.40, 0.43)
    sky_rgb: tuple[float, float, float] = (0.70, 0.80, 0.92)
    start_jitter: float = 0.0
    solids: tuple[Solid, ...] = ()

    def __post_init__(self) -> None:
        names = [thing.name for thing in (*self.cubes, *self.solids)]
        if len(set(names)) != len(names):
            raise ValueError(f'cubes, solids: names {names}, wanted each once')
        for cube in self.cubes:
            if cube.color not in COLORS:
                raise ValueError(f'{cube.name}: color {cube.color}, wanted {", ".join(COLORS)}')

    # -- making ----------------------------------------------------------------------------

    @classmethod
    def default(cls) -> Self:
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
    ) -> Self:
        """A random scene; the same seed and ranges give the same scene.

        Args:
            cubes: fewest and most cubes; all of different colours.
            camera_position, camera_rotation: largest offset per axis of the head camera.

        Raises ValueError: the cubes do not fit into the ranges.
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
        content = asdict(self)
        if not self.solids:  # as before there were any: equal scenes keep their digest
            del content['solids']
        return json.dumps({'format': FORMAT, **content}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str, source: str | os.PathLike[str] = 'scene') -> Self:
        """Read a scene that `to_json` wrote. Raises ConfigError: with `source` as the file."""
        source = os.fspath(source)
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise ConfigError(source, f'line {error.lineno}', error.msg, 'valid JSON') from None
        reader = ConfigReader(source, content)
        if reader.integer('format') != FORMAT:
            raise reader.error('format', reader.integer('format'), str(FORMAT))
        try:
            scene = cls(
                table=_read(
                    Table,
                    reader.section('table'),
                    height=(0.1, 2.0),
                    size=(0.05, 5.0),
                    position=(-5.0, 5.0),
                    thickness=(0.005, 0.1),
                ),
                cubes=_read_list(reader, 'cubes', Cube, size=(0.01, 0.5)),
                solids=_read_list(reader, 'solids', Solid, size=(0.001, 5.0))
                if reader.has('solids')
                else (),
                light=_read_light(reader.section('light')),
                camera=_read(
                    CameraOffset,
                    reader.section('camera'),
                    position=(-0.5, 0.5),
                    rotation=(-1.0, 1.0),
                ),
                floor_rgb=tuple(reader.numbers('floor_rgb', length=3, lo=0.0, hi=1.0)),
                sky_rgb=tuple(reader.numbers('sky_rgb', length=3, lo=0.0, hi=1.0)),
                start_jitter=reader.number('start_jitter', lo=0.0, hi=1.0),
            )
        except ConfigError:
            raise
        except ValueError as error:
            raise ConfigError(source, 'cubes', str(error), 'a scene') from None
        reader.close()
        return scene

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a scene file (JSON). Raises ConfigError: the file is missing or is not a scene."""
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
        """By name. Raises KeyError: no such cube."""
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
    for _ in range(100):  # whole layouts: a bad start cannot be corrected
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


def _read(kind: type, reader: ConfigReader, **bounds: tuple[float, float]) -> Any:
    """A dataclass from the mapping of its fields: texts, and numbers within bounds (or 0 to 1)."""
    values: dict[str, Any] = {}
    for item in fields(kind):
        lo, hi = bounds.get(item.name, (0.0, 1.0))
        count = str(item.type).count('float')
        if count == 0:
            choices = tuple(COLORS) if item.name == 'color' else None
            values[item.name] = reader.text(item.name, choices=choices)
        elif count == 1:
            values[item.name] = reader.number(item.name, lo=lo, hi=hi)
        else:
            values[item.name] = tuple(reader.numbers(item.name, length=count, lo=lo, hi=hi))
    reader.close()
    return kind(**values)


def _read_list(
    reader: ConfigReader, key: str, kind: type, size: tuple[float, float]
) -> tuple[Any, ...]:
    """Cubes or solids."""
    entries = reader.raw(key, wanted=f'a list of {key}')
    if not isinstance(entries, list):
        raise reader.error(key, entries, f'a list of {key}')
    return tuple(
        _read(
            kind,
            ConfigReader(reader.file, entry, reader.path(f'{key}[{i}]')),
            size=size,
            position=(-5.0, 5.0),
            yaw=(-7.0, 7.0),
        )
        for i, entry in enumerate(entries)
    )


def _read_light(reader: ConfigReader) -> Light:
    light = _read(Light, reader, direction=(-10.0, 10.0), diffuse=(0.0, 2.0), ambient=(0.0, 2.0))
    if not np.linalg.norm(light.direction) > 1e-6:
        raise reader.error('direction', list(light.direction), 'a direction')
    return light

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Calibration files as written by camera_calibration (camera_info YAML)."""

from pathlib import Path

import numpy as np

from vla_camera.lens import rectified
from vla_camera.source import Calibration
from vla_common.yaml_file import ConfigReader, dump_yaml, load_yaml

COEFFICIENTS = {'plumb_bob': 5, 'rational_polynomial': 8, 'equidistant': 4}
"""Distortion models, with their number of coefficients (sensor_msgs/distortion_models.hpp)."""
# Not used: of a single camera both follow from the others.
UNUSED = ('camera_name', 'rectification_matrix', 'projection_matrix')


def read_calibration(path: str | Path, width: int, height: int) -> Calibration:
    """Read the file for images of width x height pixels. Raises ConfigError."""
    top = ConfigReader(path, load_yaml(path))
    for key, size in (('image_width', width), ('image_height', height)):
        found = top.integer(key)
        if found != size:
            raise top.error(key, found, f'{size}, the size of the images')
    k = _matrix(top, 'camera_matrix', 9)
    if not (k[0] > 0.0 and k[4] > 0.0):
        raise top.error('camera_matrix.data', k, 'focal lengths > 0 at [0] and [4]')
    model = top.text('distortion_model', choices=tuple(COEFFICIENTS))
    coefficients = tuple(_matrix(top, 'distortion_coefficients', None))
    if len(coefficients) != COEFFICIENTS[model]:
        found = f'{len(coefficients)} numbers'
        wanted = f'{COEFFICIENTS[model]}, those of the distortion_model {model}'
        raise top.error('distortion_coefficients.data', found, wanted)
    for key in UNUSED:
        top.raw(key, None)
    top.close()
    return Calibration(k[0], k[4], k[2], k[5], model, coefficients)


def read_lens(path: str | Path) -> tuple[Calibration, tuple[int, int]]:
    """The calibration, and the width and height (px) of the images that it is for. Raises
    ConfigError."""
    top = ConfigReader(path, load_yaml(path))
    size = top.integer('image_width', lo=1), top.integer('image_height', lo=1)
    return read_calibration(path, *size), size


def write_calibration(
    path: str | Path, name: str, calibration: Calibration, width: int, height: int
) -> None:
    """Write the file of a single camera, for images of width x height pixels."""
    c, p = calibration, rectified(calibration, width, height)
    k = [c.fx, 0.0, c.cx, 0.0, c.fy, c.cy, 0.0, 0.0, 1.0]
    projection = [p.fx, 0.0, p.cx, 0.0, 0.0, p.fy, p.cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    content = {
        'image_width': width,
        'image_height': height,
        'camera_name': name,
        'camera_matrix': {'rows': 3, 'cols': 3, 'data': k},
        'distortion_model': c.model,
        'distortion_coefficients': {
            'rows': 1,
            'cols': len(c.distortion),
            'data': list(c.distortion),
        },
        'rectification_matrix': {'rows': 3, 'cols': 3, 'data': np.eye(3).ravel().tolist()},
        'projection_matrix': {'rows': 3, 'cols': 4, 'data': projection},
    }
    # In one step: a camera that starts meanwhile reads the old file or the new one.
    part = Path(path).with_suffix('.part')
    part.write_text(dump_yaml(content, default_flow_style=None), 'utf-8')
    part.replace(path)


def _matrix(top: ConfigReader, key: str, length: int | None) -> list[float]:
    section = top.section(key)
    section.raw('rows', None)
    section.raw('cols', None)
    numbers = section.numbers('data', length=length)
    section.close()
    return numbers

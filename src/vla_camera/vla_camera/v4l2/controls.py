# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Controls of a camera, such as exposure, gain, white balance: requested by name, checked, set."""

import difflib
from collections.abc import Sequence

from vla_camera.v4l2.device import VideoDevice
from vla_common.errors import ConfigError

PLACE, KEY = 'parameters', 'controls'
FORM = 'NAME=NUMBER, such as auto_exposure=1'


def read_controls(texts: Sequence[str]) -> dict[str, int]:
    """Values by name, in the given order: an automatic is switched off before what it has in hand
    is set. Empty texts are none. Raises ConfigError."""
    values: dict[str, int] = {}
    for text in texts:
        if not text:
            continue
        name, _, number = text.partition('=')
        if not (name and number.removeprefix('-').isdecimal()):
            raise ConfigError(PLACE, KEY, text, FORM)
        if name in values:
            raise ConfigError(PLACE, KEY, f'{name} twice', 'each control once')
        values[name] = int(number)
    return values


def set_controls(video: VideoDevice, values: dict[str, int]) -> None:
    """Set them. Raises ConfigError: one is unknown, out of its range, in the hand of an automatic,
    or has another value afterwards; OSError as the kernel does."""
    for name, value in values.items():
        known = video.controls()  # each time: the ranges and the automatics follow the others
        control = known.get(name)
        if control is None:
            near = difflib.get_close_matches(name, known, n=3) or sorted(known)
            wanted = f'one of {", ".join(near)}' if known else 'no controls: this camera has none'
            raise ConfigError(PLACE, KEY, name, wanted)
        found = f'{name}={value}'
        if control.inactive:
            wanted = 'its automatic switched off before it'
            raise ConfigError(PLACE, KEY, f'{found}, and an automatic has it in hand', wanted)
        on_grid = (value - control.lowest) % control.step == 0
        if not (control.lowest <= value <= control.highest and on_grid):
            raise ConfigError(PLACE, KEY, found, str(control))
        now = video.set_control(control, value)
        if now != value:
            raise ConfigError(PLACE, KEY, f'{found}, which the camera made {now}', str(control))

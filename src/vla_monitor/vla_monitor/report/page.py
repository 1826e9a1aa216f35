# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Pages that need no network: one style, one base template (`base.html`)."""

from __future__ import annotations

import base64
import math
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def rendered(template: str, **content: Any) -> str:
    """A page from a template of this folder."""
    environment = Environment(
        loader=PackageLoader('vla_monitor.report', '.'),
        autoescape=True,  # instructions and causes are texts of others
        undefined=StrictUndefined,
    )
    return environment.get_template(template).render(number=number, **content)


def inline(content: bytes, kind: str) -> str:
    """A picture as the address of an image."""
    return f'data:image/{kind};base64,{base64.b64encode(content).decode()}'


def number(value: Any, digits: int = 3) -> str:
    """A value as text; a dash where there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return '–'
    return f'{value:.{digits}g}' if isinstance(value, float) else str(value)

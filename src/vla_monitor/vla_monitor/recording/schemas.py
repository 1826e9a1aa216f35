# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Message definitions as MCAP's "ros2msg" schemas, from the installed .msg files.

A schema is the definition of the type, then each type it contains (directly or not) once, after a
line of 80 equals signs and `MSG: package/Name`: https://mcap.dev/spec/registry#ros2msg.
"""

import re
from functools import cache
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

ENCODING = 'ros2msg'
_SEPARATOR = '=' * 80
_FIELD = re.compile(r'^(?P<type>[A-Za-z][\w/]*)(<=\d+)?(\[[^\]]*\])?\s+\w')
_PRIMITIVES = frozenset(
    ('bool', 'byte', 'char', 'float32', 'float64', 'int8', 'uint8', 'int16', 'uint16', 'int32')
    + ('uint32', 'int64', 'uint64', 'string', 'wstring')
)


@cache
def schema_of(type_name: str) -> str:
    """The schema of a message type such as 'sensor_msgs/msg/JointState'.

    Raises LookupError: the package or the file is not installed, or it is no message.
    """
    package, kind, name = type_name.split('/')
    if kind != 'msg':
        raise LookupError(f'{type_name} is not a message of a .msg file')
    texts: dict[str, str] = {}
    _collect(package, name, texts)
    (first, *others) = texts.items()
    return '\n'.join([first[1], *(f'{_SEPARATOR}\nMSG: {key}\n{text}' for key, text in others)])


def _collect(package: str, name: str, texts: dict[str, str]) -> None:
    key = f'{package}/{name}'
    if key in texts:
        return
    try:
        path = Path(get_package_share_directory(package)) / 'msg' / f'{name}.msg'
        texts[key] = path.read_text(encoding='utf-8')
    except (PackageNotFoundError, OSError) as error:
        raise LookupError(f'no definition of {key}: {error}') from error
    for line in texts[key].splitlines():
        field = _FIELD.match(line.strip())
        if field is None or field['type'] in _PRIMITIVES:
            continue
        inner, _, short = field['type'].rpartition('/')
        _collect(inner.removesuffix('/msg') or package, short, texts)

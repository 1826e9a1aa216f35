# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Write ros.txt and workspace.txt (every package pinned) from what is installed.

    .venv/bin/python environment/lock.py

Run it in an environment made from ros.in and workspace.in after changing one of them. `pip freeze`
cannot do this: it lists some ROS wheels under names that pip does not find.
"""

import pathlib
import re
from importlib import metadata

HERE = pathlib.Path(__file__).resolve().parent
NOT_LOCKED = {'pip', 'wheel'}


def canonical(name: str) -> str:
    return re.sub(r'[-_.]+', '-', name).lower()


def main() -> None:
    pins: dict[str, str] = {}
    for distribution in metadata.distributions():
        folder = pathlib.Path(str(distribution._path)).name  # type: ignore[attr-defined]
        name = canonical(folder.removesuffix('.dist-info').rsplit('-', 1)[0])
        if (
            '+compat' in distribution.version
            or name in NOT_LOCKED
            or not folder.endswith('.dist-info')
        ):
            continue
        if canonical(distribution.metadata['Name']).startswith('vla-'):
            continue
        pins[name] = distribution.version.split('+')[0]
    ros = {name for name in pins if name.startswith('ros-')}
    for file, names in (('ros.txt', ros), ('workspace.txt', set(pins) - ros)):
        lines = [f'{name}=={pins[name]}' for name in sorted(names)]
        (HERE / file).write_text('# Written by lock.py.\n' + '\n'.join(lines) + '\n')
        print(f'{file}: {len(lines)} packages')


if __name__ == '__main__':
    main()

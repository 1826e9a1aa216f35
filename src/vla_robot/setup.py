# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from setuptools import setup

package = 'vla_robot'


def files_below(directory: str) -> list[tuple[str, list[str]]]:
    """Each directory of robots/ with its files, meshes included, as share files."""
    folders = sorted({path.parent for path in Path(directory).rglob('*') if path.is_file()})
    return [
        (f'share/{package}/{folder}', [str(f) for f in sorted(folder.iterdir()) if f.is_file()])
        for folder in folders
    ]


# With data_files given here those of setup.cfg do not count: all are listed.
setup(
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{package}']),
        (f'share/{package}', ['package.xml']),
        *files_below('robots'),
    ]
)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from setuptools import find_packages, setup

package = 'vla_robot'


def files_below(directory: str) -> list[tuple[str, list[str]]]:
    """Each directory of robots/ with its files, meshes included, as share files."""
    folders = sorted({path.parent for path in Path(directory).rglob('*') if path.is_file()})
    return [
        (f'share/{package}/{folder}', [str(f) for f in sorted(folder.iterdir()) if f.is_file()])
        for folder in folders
    ]


setup(
    name=package,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{package}']),
        (f'share/{package}', ['package.xml']),
        *files_below('robots'),
    ],
    install_requires=['setuptools'],
    extras_require={'test': ['pytest']},
    zip_safe=True,
    maintainer='VLA ROS 2 maintainers',
    maintainer_email='maintainers@vla-ros2.example',
    description='Robots and the robot model on Pinocchio.',
    license='Apache-2.0',
)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

package = 'vla_sim'

setup(
    name=package,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{package}']),
        (f'share/{package}', ['package.xml']),
    ],
    install_requires=['setuptools'],
    extras_require={'test': ['pytest']},
    zip_safe=True,
    maintainer='VLA ROS 2 maintainers',
    maintainer_email='maintainers@vla-ros2.example',
    description='The simulated world: a scene, its MuJoCo physics, and what a camera sees of it.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': ['view_scene = vla_sim.view_scene:main', 'watch = vla_sim.watch:main']
    },
)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

package = 'vla_supervisor'

setup(
    name=package,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{package}']),
        (f'share/{package}', ['package.xml', 'parameters.yaml']),
        (f'share/{package}/launch', ['launch/drill.launch.py']),
    ],
    install_requires=['setuptools'],
    extras_require={'test': ['pytest']},
    zip_safe=True,
    maintainer='VLA ROS 2 maintainers',
    maintainer_email='maintainers@vla-ros2.example',
    description='Who may move the robot, what stops it, and how it comes back.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'supervisor = vla_supervisor.node:main',
            'command = vla_supervisor.command:main',
            'drill = vla_supervisor.drill.command:main',
            'measure_stops = vla_supervisor.rehearsal.measure_stops:main',
            'what_if = vla_supervisor.what_if.command:main',
        ],
    },
)

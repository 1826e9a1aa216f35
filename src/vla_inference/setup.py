# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

package_name = 'vla_inference'

setup(
    name=package_name,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    data_files=[
        ('share/ament_index/resource_index/packages', ['resource/' + package_name]),
        ('share/' + package_name, ['package.xml', 'parameters.yaml']),
        ('share/' + package_name + '/servers', ['servers/lerobot_server.py']),
    ],
    install_requires=['setuptools'],
    zip_safe=True,
    maintainer='VLA ROS 2 maintainers',
    maintainer_email='maintainers@vla-ros2.example',
    description='Runs a policy bundle and publishes action chunks.',
    license='Apache-2.0',
    extras_require={'test': ['pytest']},
    entry_points={
        'console_scripts': [
            'inference = vla_inference.node:main',
            'benchmark = vla_inference.bench.command:main',
            'serve = vla_inference.remote.serve:main',
            'blending_study = vla_inference.study.command:main',
        ]
    },
)

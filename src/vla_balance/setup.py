# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

package = 'vla_balance'

setup(
    name=package,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{package}']),
        (f'share/{package}', ['package.xml', 'parameters.yaml']),
    ],
    install_requires=['setuptools'],
    extras_require={'test': ['pytest']},
    zip_safe=True,
    maintainer='VLA ROS 2 maintainers',
    maintainer_email='maintainers@vla-ros2.example',
    description='Balance of a standing humanoid: estimate, verdict and correction.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'balance_monitor = vla_balance.node:main',
            'survival = vla_balance.survival.command:main',
        ]
    },
)

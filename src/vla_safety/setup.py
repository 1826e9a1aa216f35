# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name='vla_safety',
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    data_files=[
        ('share/ament_index/resource_index/packages', ['resource/vla_safety']),
        ('share/vla_safety', ['package.xml', 'parameters.yaml']),
    ],
    install_requires=['setuptools'],
    extras_require={'test': ['pytest']},
    zip_safe=True,
    maintainer='VLA ROS 2 maintainers',
    maintainer_email='maintainers@vla-ros2.example',
    description='The safety filter between a policy and the motors.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'safety_filter = vla_safety.node:main',
            'benchmark = vla_safety.benchmark:main',
            'adversarial = vla_safety.adversarial:main',
            'plot_step = vla_safety.plot_step:main',
        ],
    },
)

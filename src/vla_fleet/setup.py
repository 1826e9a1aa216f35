# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

package_name = 'vla_fleet'

setup(
    name=package_name,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    data_files=[
        ('share/ament_index/resource_index/packages', ['resource/' + package_name]),
        ('share/' + package_name, ['package.xml']),
    ],
    install_requires=['setuptools'],
    zip_safe=True,
    maintainer='VLA ROS 2 maintainers',
    maintainer_email='maintainers@vla-ros2.example',
    description='One inference server for many robots, on Ray Serve.',
    license='Apache-2.0',
    extras_require={'test': ['pytest']},
    entry_points={
        'console_scripts': [
            'serve = vla_fleet.serve:main',
            'benchmark = vla_fleet.benchmark:main',
        ]
    },
)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

PACKAGE = 'vla_models'

setup(
    name=PACKAGE,
    version='0.1.0',
    packages=find_packages(exclude=['test']),
    package_data={'vla_models.bench.fitting': ['hardware/*.yaml']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (f'share/{PACKAGE}', ['package.xml']),
    ],
    install_requires=['setuptools'],
    zip_safe=True,
    maintainer='VLA ROS 2 maintainers',
    maintainer_email='maintainers@vla-ros2.example',
    description='HumanoidVLA: tasks, expert, collection, training, export and evaluation.',
    license='Apache-2.0',
    extras_require={'test': ['pytest']},
    entry_points={
        'console_scripts': [
            'collect = vla_models.commands.collect:main',
            'train = vla_models.commands.train:main',
            'export = vla_models.commands.export:main',
            'verify = vla_models.commands.verify:main',
            'optimise = vla_models.commands.optimise:main',
            'prune = vla_models.commands.prune:main',
            'quantise = vla_models.commands.quantise:main',
            'benchmark = vla_models.commands.benchmark:main',
            'pipeline = vla_models.commands.pipeline:main',
            'tune = vla_models.commands.tune:main',
            'fit = vla_models.commands.fit:main',
            'compare = vla_models.commands.compare:main',
            'edge = vla_models.commands.edge:main',
            'build-engine = vla_models.commands.build_engine:main',
            'evaluate = vla_models.commands.evaluate:main',
            'blend = vla_models.commands.blend:main',
            'reproduce = vla_models.commands.reproduce:main',
            'help = vla_models.commands.overview:main',
        ]
    },
)

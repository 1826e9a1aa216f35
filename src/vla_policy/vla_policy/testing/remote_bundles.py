# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Bundles that say how others' servers are asked."""

from __future__ import annotations

import yaml

from vla_policy.testing.bundles import JOINTS, STEP

REMOTE = {
    'format': 1,
    'name': 'pi',
    'version': '1',
    'runtime': 'openpi',
    'inputs': {
        'images': {'observation/image': {'camera': 'head', 'width': 12, 'height': 8}},
        'states': {'observation/state': {'joints': JOINTS}},
        'instruction': 'prompt',
    },
    'outputs': {
        'action': {'parts': {'actions': JOINTS}, 'kind': 'joint_delta', 'step': STEP, 'horizon': 5}
    },
}


def remote_bundle(directory, url, **changes):
    directory.mkdir(exist_ok=True)
    content = REMOTE | {'url': url} | changes
    (directory / 'policy.yaml').write_text(yaml.safe_dump(content, sort_keys=False))
    return directory


def groot_bundle(path, url, dialect='nested', encoding='npy'):
    return remote_bundle(
        path,
        url,
        runtime='groot',
        dialect=dialect,
        encoding=encoding,
        inputs={
            'images': {'ego_view': {'camera': 'head', 'width': 12, 'height': 8}},
            'states': {'left_arm': {'joints': JOINTS[:2]}, 'head': {'joints': JOINTS[2:]}},
            'instruction': 'annotation.human.task_description',
        },
        outputs={'action': {'parts': {'left_arm': JOINTS[:2], 'head': JOINTS[2:]}, 'step': STEP}},
    )

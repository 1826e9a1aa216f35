# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A policy's configuration, from the directory's config.json."""

import json
from pathlib import Path
from types import SimpleNamespace


class PreTrainedConfig:
    @classmethod
    def from_pretrained(cls, directory):
        content = json.loads((Path(directory) / 'config.json').read_text())
        for part in ('input_features', 'output_features'):
            content[part] = {k: SimpleNamespace(**v) for k, v in content[part].items()}
        images = {k for k in content['input_features'] if k.startswith('observation.image')}
        return SimpleNamespace(
            device='cuda', image_features={k: None for k in sorted(images)}, **content
        )

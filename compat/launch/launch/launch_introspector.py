# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A launch description as an indented outline, for people."""

from collections.abc import Iterable


class LaunchIntrospector:
    """What `ros2 launch --print` shows."""

    def format_launch_description(self, launch_description) -> str:
        lines = [f'{launch_description}']
        lines += self._outline(launch_description.entities, depth=1)
        return '\n'.join(lines)

    def _outline(self, entities: Iterable, depth: int) -> list[str]:
        lines = []
        for entity in entities:
            lines.append('    ' * depth + entity.describe())
            lines += self._outline(entity.describe_sub_entities(), depth + 1)
            for reason, sub_entities in entity.describe_conditional_sub_entities():
                lines.append('    ' * (depth + 1) + f'[{reason}]')
                lines += self._outline(sub_entities, depth + 2)
        return lines

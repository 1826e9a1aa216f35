# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A remapping for all the nodes that follow in this scope."""

from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

from launch import Action, SomeSubstitutionsType, Substitution


class SetRemap(Action):
    """Comes before a node's own remappings: the first matching rule wins in ROS."""

    def __init__(self, src: SomeSubstitutionsType, dst: SomeSubstitutionsType, **kwargs) -> None:
        super().__init__(**kwargs)
        self._src = normalize_to_list_of_substitutions(src)
        self._dst = normalize_to_list_of_substitutions(dst)

    @property
    def src(self) -> list[Substitution]:
        return self._src

    @property
    def dst(self) -> list[Substitution]:
        return self._dst

    def execute(self, context) -> None:
        rule = tuple(perform_substitutions(context, part) for part in (self._src, self._dst))
        present = context.launch_configurations.get('ros_remaps', [])
        context.launch_configurations['ros_remaps'] = [*present, rule]

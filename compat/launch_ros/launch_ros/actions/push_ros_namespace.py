# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A namespace for the nodes that follow in this scope."""

from launch.substitutions import SubstitutionFailure
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

from launch import Action, SomeSubstitutionsType, Substitution

from ..utilities import make_namespace_absolute, prefix_namespace


class PushROSNamespace(Action):
    """A relative namespace goes under the present one; a scoped GroupAction takes it back."""

    def __init__(self, namespace: SomeSubstitutionsType, **kwargs) -> None:
        super().__init__(**kwargs)
        self._namespace = normalize_to_list_of_substitutions(namespace)

    @property
    def namespace(self) -> list[Substitution]:
        return self._namespace

    def execute(self, context) -> None:
        from rclpy.exceptions import InvalidNamespaceException
        from rclpy.validate_namespace import validate_namespace

        pushed = perform_substitutions(context, self._namespace)
        present = context.launch_configurations.get('ros_namespace')
        namespace = make_namespace_absolute(prefix_namespace(present, pushed))
        try:
            validate_namespace(namespace)
        except InvalidNamespaceException as error:
            raise SubstitutionFailure(
                f'The resulting namespace is invalid: '
                f"[previous_namespace='{present}', pushed_namespace='{pushed}']"
            ) from error
        context.launch_configurations['ros_namespace'] = namespace


PushRosNamespace = PushROSNamespace

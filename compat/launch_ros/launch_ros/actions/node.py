# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A process that is a ROS node."""

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from launch.actions import ExecuteProcess
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

from launch import SomeSubstitutionsType, logging

from ..parameter_descriptions import Parameter, write_temporary_yaml
from ..substitutions import ExecutableInPackage
from ..utilities import make_namespace_absolute, prefix_namespace
from ..utilities.parameters import evaluate_parameters, normalize_parameters


class Node(ExecuteProcess):
    """Runs an executable (of a package, or by its path) with ROS arguments.

    `parameters` is a list of files and dicts, later ones winning; each dict becomes a temporary
    file. A relative `namespace` goes under what PushRosNamespace has set. `exec_name` names the
    process, `name` the node. All other arguments are ExecuteProcess's.
    """

    UNSPECIFIED_NODE_NAME = '<node_name_unspecified>'
    UNSPECIFIED_NODE_NAMESPACE = '<node_namespace_unspecified>'

    def __init__(
        self,
        *,
        executable: SomeSubstitutionsType,
        package: 'SomeSubstitutionsType | None' = None,
        name: 'SomeSubstitutionsType | None' = None,
        namespace: 'SomeSubstitutionsType | None' = None,
        exec_name: 'SomeSubstitutionsType | None' = None,
        parameters: 'list | None' = None,
        remappings: 'Iterable[tuple] | None' = None,
        ros_arguments: 'Iterable[SomeSubstitutionsType] | None' = None,
        arguments: 'Iterable[SomeSubstitutionsType] | None' = None,
        **kwargs,
    ) -> None:
        if package is not None:
            executable_path = ExecutableInPackage(package=package, executable=executable)
        else:
            executable_path = executable
        cmd = [executable_path, *(arguments or ())]
        if ros_arguments is not None:
            cmd += ['--ros-args', *ros_arguments]
        cmd.append('--ros-args')
        super().__init__(cmd=cmd, name=exec_name, **kwargs)
        self._package = package
        self._executable = executable
        self._given_name = None if name is None else normalize_to_list_of_substitutions(name)
        self._given_namespace = (
            None if namespace is None else normalize_to_list_of_substitutions(namespace)
        )
        self._parameters = normalize_parameters(parameters or [])
        self._remappings = [
            (normalize_to_list_of_substitutions(src), normalize_to_list_of_substitutions(dst))
            for src, dst in remappings or ()
        ]
        self._node_name: str | None = None
        self._expanded_namespace = self.UNSPECIFIED_NODE_NAMESPACE
        self._expanded_remappings: list[tuple[str, str]] = []

    @property
    def node_package(self) -> Any:
        return self._package

    @property
    def node_executable(self) -> Any:
        return self._executable

    @property
    def node_name(self) -> str:
        """The fully qualified name, as far as the launch file tells it."""
        if self._node_name is None:
            raise RuntimeError("cannot access 'node_name' before executing action")
        return self._node_name

    @property
    def expanded_node_namespace(self) -> str:
        return self._expanded_namespace

    @property
    def expanded_remapping_rules(self) -> list[tuple[str, str]]:
        return self._expanded_remappings

    def is_node_name_fully_specified(self) -> bool:
        unspecified = (self.UNSPECIFIED_NODE_NAME, self.UNSPECIFIED_NODE_NAMESPACE)
        return not any(text in self.node_name for text in unspecified)

    def _perform_substitutions(self, context) -> None:
        """Expand names, parameters and remappings into arguments of the command, once."""
        if self._node_name is not None:
            return
        arguments = self._expand_names(context)
        for entry in context.launch_configurations.get('global_params', []):
            arguments += _global_parameter_arguments(entry)
        for parameters in evaluate_parameters(context, self._parameters):
            arguments += self._parameter_arguments(context, parameters)
        self._expanded_remappings = [
            *context.launch_configurations.get('ros_remaps', []),
            *(
                (perform_substitutions(context, src), perform_substitutions(context, dst))
                for src, dst in self._remappings
            ),
        ]
        for src, dst in self._expanded_remappings:
            arguments += ['-r', f'{src}:={dst}']
        self.cmd.extend(normalize_to_list_of_substitutions(argument) for argument in arguments)

    def _expand_names(self, context) -> list[str]:
        from rclpy.validate_namespace import validate_namespace
        from rclpy.validate_node_name import validate_node_name

        arguments = []
        try:
            name = self.UNSPECIFIED_NODE_NAME
            if self._given_name is not None:
                name = perform_substitutions(context, self._given_name)
                validate_node_name(name)
                arguments += ['-r', f'__node:={name}']
            namespace = None
            if self._given_namespace is not None:
                namespace = perform_substitutions(context, self._given_namespace)
            base = context.launch_configurations.get('ros_namespace')
            namespace = make_namespace_absolute(prefix_namespace(base, namespace))
            if namespace is not None:
                validate_namespace(namespace)
                self._expanded_namespace = namespace
                arguments += ['-r', f'__ns:={namespace}']
        except Exception:
            logging.get_logger('launch').error(
                f'Error while expanding or validating node name or namespace for '
                f"'package={self._package}, executable={self._executable}, "
                f"name={self._given_name}, namespace={self._given_namespace}':"
            )
            raise
        self._node_name = prefix_namespace(self._expanded_namespace, name)
        return arguments

    def _parameter_arguments(self, context, parameters: Any) -> list[str]:
        if isinstance(parameters, dict):
            node = self.node_name if self.is_node_name_fully_specified() else '/**'
            content = yaml.safe_dump({node: {'ros__parameters': parameters}})
            return ['--params-file', write_temporary_yaml('launch_params_', content)]
        if isinstance(parameters, Parameter):
            name, value = parameters.evaluate(context)
            return ['-p', f'{name}:={_inline_yaml(value)}']
        return _file_arguments(parameters)

    def execute(self, context) -> None:
        self._perform_substitutions(context)
        super().execute(context)
        if not self.is_node_name_fully_specified():
            return
        if 'unique_ros_node_names' not in context.get_locals_as_dict():
            context.extend_globals({'unique_ros_node_names': Counter()})
        names = context.locals.unique_ros_node_names
        names[self.node_name] += 1
        if names[self.node_name] > 1:
            logging.get_logger(self.process_details['name']).warning(
                f'there are now at least {names[self.node_name]} nodes with the name '
                f'{self.node_name} created within this launch context'
            )


def _inline_yaml(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=2**20).removesuffix('...\n').strip()


def _global_parameter_arguments(entry: Any) -> list[str]:
    if not isinstance(entry, tuple):
        return _file_arguments(Path(entry))
    name, value = entry
    # Text goes as it is, as with the real package: rcl reads '2' as a number then.
    text = value if isinstance(value, str) else _inline_yaml(value)
    return ['-p', f'{name}:={text}']


def _file_arguments(path: Path) -> list[str]:
    if not path.is_file():
        logging.get_logger('launch').warning(f'Parameter file path is not a file: {path}')
        return []
    return ['--params-file', os.path.abspath(path)]

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Nodes, and the remappings that the nodes of a scope share."""

import os
from pathlib import Path

import yaml
from launch.action import Action
from launch.actions import ExecuteProcess
from launch.utilities import normalize, perform

from launch import logging

from .parameter_descriptions import evaluate_parameters, normalize_parameters, write_temporary_yaml
from .substitutions import ExecutableInPackage


class SetRemap(Action):
    """A remapping of the nodes that follow; it wins over theirs: ROS takes the first match."""

    def __init__(self, src, dst, **kwargs) -> None:
        super().__init__(**kwargs)
        self._rule = [normalize(part) for part in (src, dst)]

    def arguments(self, context) -> list[str]:
        src, dst = (perform(context, part) for part in self._rule)
        return ['-r', f'{src}:={dst}']

    def execute(self, context) -> None:
        # A new list: an enclosing scope keeps its own.
        present = context.launch_configurations.get('ros_remaps', [])
        context.launch_configurations['ros_remaps'] = [*present, *self.arguments(context)]


class Node(ExecuteProcess):
    """Runs an executable (of a package, or by its path) with ROS arguments.

    `parameters` is a list of files and dicts, later ones winning; each dict becomes a temporary
    file. `exec_name` names the process, `name` the node. All other arguments are ExecuteProcess's.
    """

    def __init__(
        self,
        *,
        executable,
        package=None,
        name=None,
        namespace=None,
        exec_name=None,
        parameters=(),
        remappings=(),
        ros_arguments=(),
        arguments=(),
        **kwargs,
    ) -> None:
        self.node_package = package
        self.node_executable = executable
        if package is not None:
            executable = ExecutableInPackage(package=package, executable=executable)
        cmd = [executable, *(arguments or ())]
        if ros_arguments:
            cmd += ['--ros-args', *ros_arguments]
        super().__init__(cmd=[*cmd, '--ros-args'], name=exec_name, **kwargs)
        self._given_name = normalize(name)
        self._given_namespace = normalize(namespace)
        self._parameters = normalize_parameters(parameters or [])
        self._remappings = [SetRemap(src, dst) for src, dst in remappings or ()]

    def execute(self, context) -> None:
        """Expand names, parameters and remappings into arguments of the command, and run it."""
        full_name, arguments = self._expand_names(context)
        for parameters in evaluate_parameters(context, self._parameters):
            arguments += self._parameter_arguments(full_name, parameters)
        arguments += context.launch_configurations.get('ros_remaps', [])
        for rule in self._remappings:
            arguments += rule.arguments(context)
        self.cmd.extend(normalize(argument) for argument in arguments)
        super().execute(context)

    def _expand_names(self, context) -> tuple[str, list[str]]:
        """The full name, or the pattern for any if it is not fully given, and the arguments."""
        from rclpy.validate_namespace import validate_namespace
        from rclpy.validate_node_name import validate_node_name

        name = self._given_name and perform(context, self._given_name)
        namespace = self._given_namespace and perform(context, self._given_namespace)
        arguments = []
        try:
            if name is not None:
                validate_node_name(name)
                arguments += ['-r', f'__node:={name}']
            if namespace is not None:
                namespace = '/' + namespace.strip('/')
                validate_namespace(namespace)
                arguments += ['-r', f'__ns:={namespace}']
        except Exception:
            logging.get_logger('launch').error(
                f"invalid name '{name}' or namespace '{namespace}' of a node: "
                f'package={self.node_package}, executable={self.node_executable}'
            )
            raise
        is_full = name is not None and namespace is not None
        return f'{namespace.rstrip("/")}/{name}' if is_full else '/**', arguments

    def _parameter_arguments(self, full_name: str, parameters: 'dict | Path') -> list[str]:
        if isinstance(parameters, dict):
            content = yaml.safe_dump({full_name: {'ros__parameters': parameters}})
            return ['--params-file', write_temporary_yaml(content)]
        if not parameters.is_file():
            logging.get_logger('launch').warning(f'Parameter file path is not a file: {parameters}')
            return []
        return ['--params-file', os.path.abspath(parameters)]


class LifecycleNode(Node):
    """A node that must have a name and a namespace.

    The real one also reports state transitions and requests them, by events that are left out.
    """

    def __init__(self, *, name, namespace, **kwargs) -> None:
        super().__init__(name=name, namespace=namespace, **kwargs)

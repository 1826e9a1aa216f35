# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Nodes, and the settings that the nodes of a scope share."""

import os
import threading
from pathlib import Path
from typing import Any

import yaml
from launch.action import Action
from launch.actions import ExecuteProcess
from launch.event_handler import EventHandler
from launch.utilities import (
    SomeSubstitutionsType,
    SubstitutionFailure,
    normalize,
    perform,
)

from launch import logging

from .parameter_descriptions import (
    evaluate_parameter_dict,
    evaluate_parameters,
    normalize_parameter_dict,
    normalize_parameters,
    write_temporary_yaml,
)
from .substitutions import ExecutableInPackage

_POLL_PERIOD = 0.2  # s, between looks at whether the launch is shutting down


def _absolute_namespace(base: 'str | None', namespace: 'str | None') -> 'str | None':
    """`namespace` under `base` if it is relative; None if there is neither."""
    if namespace is None or (base and not namespace.startswith('/')):
        namespace = base if namespace is None else f'{base.rstrip("/")}/{namespace}'
    return None if namespace is None else '/' + namespace.strip('/')


def _add_to_scope(context, name: str, entries: list) -> None:
    # A new list: an enclosing scope keeps its own.
    present = context.launch_configurations.get(name, [])
    context.launch_configurations[name] = [*present, *entries]


class PushRosNamespace(Action):
    """A namespace for the nodes that follow; relative to the present one."""

    def __init__(self, namespace: SomeSubstitutionsType, **kwargs) -> None:
        super().__init__(**kwargs)
        self._namespace = normalize(namespace)

    def execute(self, context) -> None:
        from rclpy.exceptions import InvalidNamespaceException
        from rclpy.validate_namespace import validate_namespace

        pushed = perform(context, self._namespace)
        present = context.launch_configurations.get('ros_namespace')
        namespace = _absolute_namespace(present, pushed)
        try:
            validate_namespace(namespace)
        except InvalidNamespaceException as error:
            raise SubstitutionFailure(
                f"The namespace '{pushed}' pushed under '{present}' is invalid: {error}"
            ) from error
        context.launch_configurations['ros_namespace'] = namespace


PushROSNamespace = PushRosNamespace


class SetParameter(Action):
    """One parameter of the nodes that follow; a node's own parameters win."""

    def __init__(self, name: SomeSubstitutionsType, value: Any, **kwargs) -> None:
        super().__init__(**kwargs)
        name = tuple(normalize(name))
        self._pairs = normalize_parameter_dict({name: value})

    def execute(self, context) -> None:
        for name, value in evaluate_parameter_dict(context, self._pairs).items():
            # Text goes as it is, as with the real package: rcl reads '2' as a number then.
            text = value if isinstance(value, str) else _inline_yaml(value)
            _add_to_scope(context, 'global_params', ['-p', f'{name}:={text}'])


def _inline_yaml(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=2**20).removesuffix('...\n').strip()


class SetRemap(Action):
    """A remapping of the nodes that follow; it wins over theirs: ROS takes the first match."""

    def __init__(self, src: SomeSubstitutionsType, dst: SomeSubstitutionsType, **kwargs) -> None:
        super().__init__(**kwargs)
        self._rule = [normalize(part) for part in (src, dst)]

    def execute(self, context) -> None:
        src, dst = (perform(context, part) for part in self._rule)
        _add_to_scope(context, 'ros_remaps', ['-r', f'{src}:={dst}'])


class Node(ExecuteProcess):
    """Runs an executable (of a package, or by its path) with ROS arguments.

    `parameters` is a list of files and dicts, later ones winning; each dict becomes a temporary
    file. A relative `namespace` goes under that of PushRosNamespace. `exec_name` names the
    process, `name` the node. All other arguments are ExecuteProcess's.
    """

    UNSPECIFIED_NODE_NAME = '<node_name_unspecified>'
    UNSPECIFIED_NODE_NAMESPACE = '<node_namespace_unspecified>'

    def __init__(
        self,
        *,
        executable,
        package=None,
        name=None,
        namespace=None,
        exec_name=None,
        parameters=None,
        remappings=None,
        ros_arguments=None,
        arguments=None,
        **kwargs,
    ) -> None:
        self.node_package = package
        self.node_executable = executable
        if package is not None:
            executable = ExecutableInPackage(package=package, executable=executable)
        cmd = [executable, *(arguments or ())]
        if ros_arguments is not None:
            cmd += ['--ros-args', *ros_arguments]
        super().__init__(cmd=[*cmd, '--ros-args'], name=exec_name, **kwargs)
        self._given_name = normalize(name)
        self._given_namespace = normalize(namespace)
        self._parameters = normalize_parameters(parameters or [])
        self._remappings = [SetRemap(src, dst)._rule for src, dst in remappings or ()]
        self._node_name: str | None = None

    @property
    def node_name(self) -> str:
        """The fully qualified name, as far as the launch file specifies it."""
        if self._node_name is None:
            raise RuntimeError("cannot access 'node_name' before executing action")
        return self._node_name

    def is_node_name_fully_specified(self) -> bool:
        return '<' not in self.node_name

    def _perform_substitutions(self, context) -> None:
        """Expand names, parameters and remappings into arguments of the command, once."""
        if self._node_name is not None:
            return
        configurations = context.launch_configurations
        arguments = self._expand_names(context)
        arguments += configurations.get('global_params', [])
        for parameters in evaluate_parameters(context, self._parameters):
            arguments += self._parameter_arguments(parameters)
        arguments += configurations.get('ros_remaps', [])
        for rule in self._remappings:
            src, dst = (perform(context, part) for part in rule)
            arguments += ['-r', f'{src}:={dst}']
        self.cmd.extend(normalize(argument) for argument in arguments)

    def _expand_names(self, context) -> list[str]:
        from rclpy.validate_namespace import validate_namespace
        from rclpy.validate_node_name import validate_node_name

        name = self._given_name and perform(context, self._given_name)
        namespace = self._given_namespace and perform(context, self._given_namespace)
        base = context.launch_configurations.get('ros_namespace')
        namespace = _absolute_namespace(base, namespace)
        arguments = []
        try:
            if name is not None:
                validate_node_name(name)
                arguments += ['-r', f'__node:={name}']
            if namespace is not None:
                validate_namespace(namespace)
                arguments += ['-r', f'__ns:={namespace}']
        except Exception:
            logging.get_logger('launch').error(
                f"invalid name '{name}' or namespace '{namespace}' of a node: "
                f'package={self.node_package}, executable={self.node_executable}'
            )
            raise
        namespace = self.UNSPECIFIED_NODE_NAMESPACE if namespace is None else namespace.rstrip('/')
        self._node_name = f'{namespace}/{self.UNSPECIFIED_NODE_NAME if name is None else name}'
        return arguments

    def _parameter_arguments(self, parameters: 'dict | Path') -> list[str]:
        if isinstance(parameters, dict):
            node = self.node_name if self.is_node_name_fully_specified() else '/**'
            content = yaml.safe_dump({node: {'ros__parameters': parameters}})
            return ['--params-file', write_temporary_yaml(content)]
        if not parameters.is_file():
            logging.get_logger('launch').warning(f'Parameter file path is not a file: {parameters}')
            return []
        return ['--params-file', os.path.abspath(parameters)]

    def execute(self, context) -> None:
        self._perform_substitutions(context)
        super().execute(context)


class LifecycleNode(Node):
    """Emits StateTransition events, and changes state on ChangeState events that match it."""

    def __init__(self, *, name, namespace, **kwargs) -> None:
        super().__init__(name=name, namespace=namespace, **kwargs)

    def execute(self, context) -> None:
        # Here: a launch without lifecycle nodes does not wait for these imports.
        import lifecycle_msgs.msg
        import lifecycle_msgs.srv

        from .events.lifecycle import ChangeState, StateTransition
        from .ros_adapters import get_ros_adapter

        self._perform_substitutions(context)
        self._log = logging.get_logger('launch_ros.actions.lifecycle_node')
        self._adapter = get_ros_adapter(context)
        self._service = lifecycle_msgs.srv.ChangeState
        node = self._adapter.ros_node
        self._subscription = node.create_subscription(
            lifecycle_msgs.msg.TransitionEvent,
            f'{self.node_name}/transition_event',
            lambda msg: context.emit_event_sync(StateTransition(action=self, msg=msg)),
            10,
        )
        self._client = node.create_client(self._service, f'{self.node_name}/change_state')
        context.register_event_handler(
            EventHandler(
                matcher=lambda event: (
                    isinstance(event, ChangeState) and event.lifecycle_node_matcher(self)
                ),
                entities=self._on_change_state,
            )
        )
        super().execute(context)

    def _on_change_state(self, event, context) -> None:
        # Off the loop's thread: the service may take its time, or never respond.
        loop = context.asyncio_loop
        context.add_completion_future(
            loop.run_in_executor(None, self._call_change_state, event, context)
        )

    def _call_change_state(self, event, context) -> None:
        with self._adapter.in_use():
            service = f"the '{self._client.srv_name}' service"
            ready = self._client.wait_for_service
            if not self._wait(context, lambda: ready(timeout_sec=_POLL_PERIOD), service):
                return
            request = self._service.Request()
            request.transition.id = event.transition_id
            answered = threading.Event()
            future = self._client.call_async(request)
            future.add_done_callback(lambda _: answered.set())
            if not self._wait(context, lambda: answered.wait(_POLL_PERIOD), f'{service} response'):
                future.cancel()
            elif not future.result().success:
                self._log.error(
                    f"Failed to make transition '{event.valid_transitions[event.transition_id]}' "
                    f"for LifecycleNode '{self.node_name}'"
                )

    def _wait(self, context, is_there, what: str) -> bool:
        """Wait until `is_there()`, which blocks for a while; False when the launch shuts down."""
        while not context.is_shutdown:
            if is_there():
                return True
        self._log.warning(f'Abandoning wait for {what}, due to shutdown.')
        return False

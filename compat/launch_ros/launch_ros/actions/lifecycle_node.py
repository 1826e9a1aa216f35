# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A process that is a ROS lifecycle node."""

import threading

from launch.actions import OpaqueFunction
from launch.event_handler import EventHandler

from launch import SomeSubstitutionsType, logging

from ..events.lifecycle import ChangeState, StateTransition
from ..ros_adapters import get_ros_adapter
from .node import Node

_POLL_PERIOD = 0.2  # s, between looks at whether the launch is shutting down


class LifecycleNode(Node):
    """Emits StateTransition events, and changes state on ChangeState events that match it."""

    def __init__(
        self, *, name: SomeSubstitutionsType, namespace: SomeSubstitutionsType, **kwargs
    ) -> None:
        super().__init__(name=name, namespace=namespace, **kwargs)

    def execute(self, context) -> None:
        import lifecycle_msgs.msg
        import lifecycle_msgs.srv

        self._perform_substitutions(context)
        self._lifecycle_logger = logging.get_logger('launch_ros.actions.lifecycle_node')
        self._adapter = get_ros_adapter(context)
        node = self._adapter.ros_node
        self._subscription = node.create_subscription(
            lifecycle_msgs.msg.TransitionEvent,
            f'{self.node_name}/transition_event',
            lambda msg: context.emit_event_sync(StateTransition(action=self, msg=msg)),
            10,
        )
        self._client = node.create_client(
            lifecycle_msgs.srv.ChangeState, f'{self.node_name}/change_state'
        )
        context.register_event_handler(
            EventHandler(
                matcher=lambda event: isinstance(event, ChangeState),
                entities=OpaqueFunction(function=self._on_change_state),
            )
        )
        super().execute(context)

    def _on_change_state(self, context) -> None:
        event = context.locals.event
        if event.lifecycle_node_matcher(self):
            # Off the loop's thread: the service may take its time, or never answer.
            context.add_completion_future(
                context.asyncio_loop.run_in_executor(
                    None, self._call_change_state, event.transition_id, context
                )
            )

    def _call_change_state(self, transition_id: int, context) -> None:
        with self._adapter.in_use():
            if not context.is_shutdown:
                self._change_state(transition_id, context)

    def _change_state(self, transition_id: int, context) -> None:
        import lifecycle_msgs.srv

        service = self._client.srv_name
        while not self._client.wait_for_service(timeout_sec=_POLL_PERIOD):
            if context.is_shutdown:
                self._lifecycle_logger.warning(
                    f"Abandoning wait for the '{service}' service, due to shutdown."
                )
                return
        request = lifecycle_msgs.srv.ChangeState.Request()
        request.transition.id = transition_id
        answered = threading.Event()
        future = self._client.call_async(request)
        future.add_done_callback(lambda _: answered.set())
        while not answered.wait(_POLL_PERIOD):
            if context.is_shutdown:
                self._lifecycle_logger.warning(
                    f"Abandoning wait for the '{service}' service response, due to shutdown."
                )
                future.cancel()
                return
        if not future.result().success:
            self._lifecycle_logger.error(
                f"Failed to make transition '{ChangeState.valid_transitions[transition_id]}' "
                f"for LifecycleNode '{self.node_name}'"
            )

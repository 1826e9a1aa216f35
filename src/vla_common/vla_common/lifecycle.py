# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The base class of every lifecycle node.

* `setup()` builds everything or raises. The error is logged once and shown in /diagnostics, and
  everything built so far is destroyed; the process stays up and can be configured again.
* Callbacks are guarded (`guarded_node`). What a failing callback should have published is missing,
  and the subscribers' watchdogs act on that.
* `secure()` comes first on deactivation, cleanup, shutdown and on the signals that end a process
  (`node_main`). The steps after it happen even if it raises.
"""

import gc
import os
import pathlib
import traceback
from collections.abc import Callable
from typing import Any

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_updater import DiagnosticStatusWrapper, Updater
from rcl_interfaces.msg import SetParametersResult
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from vla_common.errors import ConfigError
from vla_common.guarded_node import GuardedNode
from vla_common.parameters import Parameters, ParameterSchema
from vla_common.process import host_id
from vla_common.states import Level

_DIAGNOSTIC_LEVEL = {
    Level.SAFE: DiagnosticStatus.OK,
    Level.WARNING: DiagnosticStatus.WARN,
    Level.DANGER: DiagnosticStatus.ERROR,
    Level.EMERGENCY: DiagnosticStatus.ERROR,
}


class VlaLifecycleNode(GuardedNode):
    """A lifecycle node with guarded callbacks, typed parameters and diagnostics.

    Subclasses write the hooks `setup`, `start`, `secure`, `stop`, `teardown`, `diagnose` and
    `finish`, and never override rclpy's `on_*` callbacks.

    Args:
        name: of the node.
        package: whose `<name>_parameters.yaml` or `parameters.yaml` is the parameter schema.
    """

    params: Parameters

    def __init__(self, name: str, package: str, **node_options: Any) -> None:
        super().__init__(name, **node_options)
        self._schema = ParameterSchema.load(package, name)
        self._schema.declare(self)
        self.add_on_set_parameters_callback(self._reject_late_change)
        self._configured = False
        self._lifecycle_message = (Level.WARNING, 'unconfigured')
        reject_impossible_transitions(self, self.transition_veto)
        self._updater = Updater(self)
        self._updater.setHardwareID(self.get_name())
        self._updater.add('lifecycle', self._diagnose_lifecycle)
        self._updater.add('status', self._diagnose_status)

    # -- hooks ---------------------------------------------------------------------------------

    def setup(self) -> None:
        """Build everything from `self.params`. Raise ConfigError for what cannot be used."""

    def start(self) -> None:
        """Begin work; callbacks run from now on."""

    def secure(self) -> None:
        """Make safe whatever this node controls. Called first on every way out; idempotent."""

    def stop(self) -> None:
        """End work that `start` began."""

    def teardown(self) -> None:
        """Release what `setup` acquired and the base does not track."""

    def finish(self, elapsed: float) -> bool:
        """Return True once the process may end; polled after a signal, for a limited time.

        elapsed: seconds since the signal.
        """
        return True

    def transition_veto(self) -> str:
        """Why cleanup and shutdown transitions are rejected now; empty: they are accepted."""
        return ''

    def diagnose(self) -> tuple[Level, str, dict[str, str]]:
        """Return level, one line, and values for /diagnostics. Called while configured."""
        return Level.SAFE, 'running', {}

    # -- facts ---------------------------------------------------------------------------------

    @property
    def configured(self) -> bool:
        return self._configured

    def stamp(self) -> Time:
        """Return the ROS time now, for headers."""
        return self.get_clock().now().to_msg()

    def share(self, package: str, *parts: str) -> pathlib.Path:
        """Return a path in the share folder of `package`."""
        from ament_index_python.packages import get_package_share_directory

        return pathlib.Path(get_package_share_directory(package)).joinpath(*parts)

    # -- rclpy's lifecycle callbacks -----------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            self.params = self._schema.read(self)
            self.setup()
        except Exception as error:
            expected = isinstance(error, ConfigError)
            self.get_logger().error(
                'configure failed' + (f': {error}' if expected else f':\n{traceback.format_exc()}')
            )
            if expected and error.__cause__ is not None:
                # The words of a library that refused it after our own check.
                self.get_logger().debug(f'configure failed: {error.__cause__}')
            self._try('teardown', self.teardown)
            self._destroy_entities()
            message = str(error) if expected else f'{type(error).__name__}: {error}'
            self._report_lifecycle(Level.DANGER, f'configure failed: {message}')
            return TransitionCallbackReturn.FAILURE
        self._configured = True
        self._report_lifecycle(Level.WARNING, 'inactive')
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            result = super().on_activate(state)
            # What exists now stays: keep the garbage collector from walking it in the middle of a
            # tick (several ms with a robot model loaded).
            gc.collect()
            gc.freeze()
            self._clear_polled()
            self._active = True
            self.start()
        except Exception as error:
            self._active = False
            self.get_logger().error(f'activate failed:\n{traceback.format_exc()}')
            self.secure_now()
            super().on_deactivate(state)
            self._report_lifecycle(
                Level.DANGER, f'activate failed: {type(error).__name__}: {error}'
            )
            return TransitionCallbackReturn.FAILURE
        self._report_lifecycle(Level.SAFE, 'active')
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.secure_now()
        self._try('stop', self.stop)
        self._active = False
        self._report_lifecycle(Level.WARNING, 'inactive')
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._ended(Level.WARNING, 'unconfigured')

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._ended(Level.WARNING, 'finalized')

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._ended(Level.DANGER, 'error')

    def _ended(self, level: Level, message: str) -> TransitionCallbackReturn:
        self.end()
        self._report_lifecycle(level, message)
        return TransitionCallbackReturn.SUCCESS

    def secure_now(self) -> None:
        """Call `secure`; an exception of it is reported."""
        self._try('secure', self.secure)

    def end(self) -> None:
        """Secure, stop, tear down and destroy all entities, whatever raises; idempotent."""
        self.secure_now()
        if self._active:
            self._try('stop', self.stop)
            self._active = False
        if self._configured or self._entities:
            self._try('teardown', self.teardown)
        self._destroy_entities()
        self._configured = False

    def _reject_late_change(self, changes: list[Any]) -> SetParametersResult:
        """Parameters are read once, at configure: a later change would have no effect.

        `use_sim_time`, rclpy's own, would move the clock under a running node: the stamps of the
        others, a supervisor's e-stop among them, would be hours old.
        """
        ours = {entry.name for entry in self._schema.entries} | {'use_sim_time'}
        late = [change.name for change in changes if change.name in ours]
        if self._configured and late:
            reason = f'{", ".join(late)}: read at configure only; deactivate and clean up first'
            return SetParametersResult(successful=False, reason=reason)
        return SetParametersResult(successful=True)

    # -- diagnostics ---------------------------------------------------------------------------

    def publish_diagnostics(self) -> None:
        """At once, not at the next period."""
        self._try('diagnostics', self._updater.force_update)

    def _report_lifecycle(self, level: Level, message: str) -> None:
        self._lifecycle_message = (level, message)
        self.publish_diagnostics()  # the supervisor shows it to the operator

    def _diagnose_lifecycle(self, status: DiagnosticStatusWrapper) -> DiagnosticStatusWrapper:
        level, message = self._lifecycle_message
        status.summary(_DIAGNOSTIC_LEVEL[level], message)
        status.add('pid', str(os.getpid()))
        status.add('machine', host_id())
        return status

    def _diagnose_status(self, status: DiagnosticStatusWrapper) -> DiagnosticStatusWrapper:
        level, message, values = Level.SAFE, 'not configured', {}
        if self._configured:
            try:
                level, message, values = self.diagnose()
            except Exception:
                # An exception in a task would escape into the updater's timer.
                self.report_error('diagnose')
                level, message = Level.WARNING, 'diagnose() failed; see the log'
        if self.callback_errors and level == Level.SAFE:
            level, message = Level.WARNING, f'{message}; {self.callback_errors} callback errors'
        status.summary(_DIAGNOSTIC_LEVEL[level], message)
        for key, value in values.items():
            status.add(key, value)
        status.add('callback_errors', str(self.callback_errors))
        if self.last_callback_error:
            status.add('last_callback_error', self.last_callback_error)
        return status


def reject_impossible_transitions(
    node: LifecycleNode, transition_veto: Callable[[], str] = lambda: ''
) -> None:
    """Respond success False to a transition that the node's present state does not have.

    As rclcpp's nodes do. rclpy raises out of the executor, so that a repeated `configure` (by an
    operator, or by a client that lost the first response) would end the process.

    transition_veto: why cleanup and shutdown are rejected now; empty: they are accepted.
    """
    service = node._service_change_state
    change = service.callback

    def respond(request: Any, response: Any) -> Any:
        machine, wanted = node._state_machine, request.transition
        possible = {item[0]: item[1] for item in machine.available_transitions}
        label = wanted.label or possible.get(wanted.id, '')
        veto = transition_veto() if label in ('cleanup', 'shutdown') else ''
        if label and not veto:
            return change(request, response)
        known = ', '.join(f'{label} [{id_}]' for id_, label in possible.items())
        node.get_logger().warning(
            f'{label} rejected: {veto}'
            if veto
            else f'transition {wanted.id} rejected: {machine.current_state[1]} has {known}'
        )
        response.success = False
        return response

    service.callback = respond

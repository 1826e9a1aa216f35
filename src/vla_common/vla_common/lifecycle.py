# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The base class of every lifecycle node here, and its `main`.

What it promises, so that no node has to:

* `setup()` either builds everything or raises; the error is logged once, shown in /diagnostics,
  and everything built so far is destroyed. The process stays up and can be configured again.
* Callbacks run only while the node is active (rclpy runs those of an inactive node too), unless
  made with `always=True`. An exception in one is logged with its traceback, counted and shown in
  /diagnostics; it does not end the process. What a failing callback should have published stays
  away, and that is what the listeners' watchdogs act on.
* `secure()` comes first on deactivation, cleanup, shutdown and on the signals that end a process
  (`shutdown_signals`), and what follows happens even when it raises.
"""

from __future__ import annotations

import gc
import math
import os
import pathlib
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_updater import DiagnosticStatusWrapper, Updater
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from vla_common import qos
from vla_common.cdr import Reader
from vla_common.clock import steady_now
from vla_common.errors import ConfigError
from vla_common.host_id import host_id
from vla_common.parameters import Parameters, ParameterSchema
from vla_common.scheduling import Priority, request_realtime
from vla_common.states import Level
from vla_common.topics import Topic

FINISH_DEADLINE = 4.5
"""s that `finish()` may take after a signal: launch sends SIGTERM 5 s after SIGINT."""

_DIAGNOSTIC_LEVEL = {
    Level.SAFE: DiagnosticStatus.OK,
    Level.WARNING: DiagnosticStatus.WARN,
    Level.DANGER: DiagnosticStatus.ERROR,
    Level.EMERGENCY: DiagnosticStatus.ERROR,
}


class LatestMessage:
    """The newest message of a topic, deserialized when it is taken (`subscribe_latest`)."""

    def __init__(self, reader: Reader, refused: Callable[[], None]) -> None:
        self.reader = reader
        self._refused = refused
        self._serialized: bytes | None = None
        self.arrived = -math.inf
        """Steady time (s) at which the newest message came."""

    def put(self, serialized: bytes) -> None:
        self._serialized, self.arrived = serialized, steady_now()

    def take(self) -> list[Any] | None:
        """The fields' values; None if nothing that can be read came since the last time."""
        serialized, self._serialized = self._serialized, None
        if serialized is None:
            return None
        try:
            return self.reader.read(serialized)
        except Exception:
            self._refused()
            return None


class VlaLifecycleNode(LifecycleNode):
    """A lifecycle node with guarded callbacks, typed parameters and diagnostics.

    Subclasses write the hooks `setup`, `start`, `secure`, `stop`, `teardown`, `diagnose` and
    `finish`, and never override rclpy's `on_*` callbacks.

    Args:
        name: of the node.
        package: whose `parameters.yaml` is the parameter schema.
    """

    params: Parameters

    def __init__(self, name: str, package: str, **node_options: Any) -> None:
        super().__init__(name, **node_options)
        self.package = package
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._schema = ParameterSchema.load(package)
        self._schema.declare(self)
        self.add_on_set_parameters_callback(self._refuse_late_change)
        self._active = False
        self._configured = False
        self._entities: list[Callable[[], object]] = []
        self._lifecycle_message = (Level.WARNING, 'unconfigured')
        self.callback_errors = 0
        self._last_callback_error = ''
        refuse_impossible_transitions(self, self.transition_veto)
        self._updater = Updater(self)
        self._updater.setHardwareID(name)
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
        """After a signal: return True once the process may end.

        Polled while everything keeps running, for at most FINISH_DEADLINE.

        Args:
            elapsed: seconds since the signal.
        """
        return True

    def transition_veto(self) -> str:
        """Why nobody may clean up or shut down this node now by a transition; empty: they may."""
        return ''

    def diagnose(self) -> tuple[Level, str, dict[str, str]]:
        """Return level, one line, and values for /diagnostics. Called while configured."""
        return Level.SAFE, 'running', {}

    # -- facts ---------------------------------------------------------------------------------

    @property
    def active(self) -> bool:
        return self._active

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

    # -- entities ------------------------------------------------------------------------------

    def add_publisher(self, topic: Topic, always: bool = False) -> Any:
        """Create a publisher; silent while the node is not active, unless `always`."""
        kind, profile = topic.message_type(), qos.publisher(topic)
        if always:
            # LifecycleNode.create_publisher would still be a plain one; named for clarity.
            publisher = super().create_publisher(kind, topic.name, profile)
        else:
            publisher = self.create_lifecycle_publisher(kind, topic.name, profile)
        self._entities.append(lambda: self.destroy_publisher(publisher))
        return publisher

    def subscribe(
        self,
        topic: Topic,
        callback: Callable[[Any], None],
        always: bool = False,
        raw: bool = False,
    ) -> Any:
        """Call `callback` with each message; `raw`: with its serialised bytes."""
        guarded = self._guard(callback, f'subscription {topic.name}', always)
        subscription = self.create_subscription(
            topic.message_type(), topic.name, guarded, qos.subscriber(topic), raw=raw
        )
        self._entities.append(lambda: self.destroy_subscription(subscription))
        return subscription

    def subscribe_fields(
        self,
        topic: Topic,
        fields: Sequence[str],
        callback: Callable[..., None],
        always: bool = False,
    ) -> None:
        """Like `subscribe`, for some fields of the message: callback(*values), see wire.Reader.

        For what comes a hundred times a second: it costs a fraction. A message that rclpy cannot
        deserialise counts as a callback error.
        """
        reader = Reader(topic.message_type(), *fields)
        self.subscribe(topic, lambda message: callback(*reader.read(message)), always, raw=True)

    def subscribe_latest(
        self, topic: Topic, fields: Sequence[str], always: bool = False
    ) -> LatestMessage:
        """Like `subscribe_fields`, for a loop that wants the newest message only, when it looks."""
        latest = LatestMessage(
            Reader(topic.message_type(), *fields),
            lambda: self._note_error(f'subscription {topic.name}'),
        )
        self.subscribe(topic, latest.put, always, raw=True)
        return latest

    def add_timer(self, period: float, callback: Callable[[], None], always: bool = False) -> Any:
        """Call back each `period` seconds of the steady clock."""
        guarded = self._guard(callback, f'timer {callback.__name__}', always)
        timer = self.create_timer(period, guarded, clock=self._steady)
        self._entities.append(lambda: self.destroy_timer(timer))
        return timer

    def add_service(
        self,
        kind: type,
        name: str,
        callback: Callable[[Any, Any], Any],
        always: bool = False,
    ) -> Any:
        """Offer a service. While inactive or failing it answers with success/accepted False."""

        def answer(request: Any, response: Any) -> Any:
            if not (self._active or always):
                return _refuse(response, f'{self.get_name()} is not active')
            try:
                return callback(request, response)
            except Exception as error:
                self._note_error(f'service {name}')
                return _refuse(response, f'{type(error).__name__}: {error}')

        service = self.create_service(kind, name, answer)
        self._entities.append(lambda: self.destroy_service(service))
        return service

    def track(self, destroy: Callable[[], object]) -> None:
        """Have `destroy` called at teardown, for entities made without the functions above."""
        self._entities.append(destroy)

    # -- rclpy's lifecycle callbacks -------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            self.params = self._schema.read(self)
            self.setup()
        except ConfigError as error:
            self.get_logger().error(f'configure failed: {error}')
            self._fail_configure(str(error))
            return TransitionCallbackReturn.FAILURE
        except Exception as error:
            self.get_logger().error(f'configure failed:\n{traceback.format_exc()}')
            self._fail_configure(f'{type(error).__name__}: {error}')
            return TransitionCallbackReturn.FAILURE
        self._configured = True
        self._tell(Level.WARNING, 'inactive')
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            result = super().on_activate(state)
            # What exists now stays: keep the garbage collector from walking it in the middle of a
            # tick (several ms with a robot model loaded).
            gc.collect()
            gc.freeze()
            self._active = True
            self.start()
        except Exception as error:
            self._active = False
            self.get_logger().error(f'activate failed:\n{traceback.format_exc()}')
            self._guarded('secure', self.secure)
            super().on_deactivate(state)
            self._tell(Level.DANGER, f'activate failed: {type(error).__name__}: {error}')
            return TransitionCallbackReturn.FAILURE
        self._tell(Level.SAFE, 'active')
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._guarded('secure', self.secure)
        self._guarded('stop', self.stop)
        self._active = False
        self._tell(Level.WARNING, 'inactive')
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._end()
        self._tell(Level.WARNING, 'unconfigured')
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._end()
        self._tell(Level.WARNING, 'finalized')
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._end()
        self._tell(Level.DANGER, 'error')
        return TransitionCallbackReturn.SUCCESS

    # -- the way out -----------------------------------------------------------------------------

    def _end(self) -> None:
        self._guarded('secure', self.secure)
        if self._active:
            self._guarded('stop', self.stop)
            self._active = False
        if self._configured or self._entities:
            self._guarded('teardown', self.teardown)
        while self._entities:
            self._guarded('destroy', self._entities.pop())
        self._configured = False

    def _fail_configure(self, message: str) -> None:
        self._guarded('teardown', self.teardown)
        while self._entities:
            self._guarded('destroy', self._entities.pop())
        self._tell(Level.DANGER, f'configure failed: {message}')

    def _guarded(self, what: str, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception:
            self._note_error(what)

    def _refuse_late_change(self, changes: list[Any]) -> SetParametersResult:
        """Parameters are read once, at configure: a change that had no effect would be a lie.

        And `use_sim_time`, rclpy's own, would move the clock under everything: what the others
        stamp would be hours old, a supervisor's e-stop among it.
        """
        ours = {entry.name for entry in self._schema.entries} | {'use_sim_time'}
        late = [change.name for change in changes if change.name in ours]
        if self._configured and late:
            reason = f'{", ".join(late)}: read at configure only; deactivate and clean up first'
            return SetParametersResult(successful=False, reason=reason)
        return SetParametersResult(successful=True)

    # -- callbacks -------------------------------------------------------------------------------

    def _guard(self, callback: Callable[..., None], what: str, always: bool) -> Callable[..., None]:
        def guarded(*arguments: Any) -> None:
            if not (self._active or always):
                return
            try:
                callback(*arguments)
            except Exception:
                self._note_error(what)

        return guarded

    def _note_error(self, what: str) -> None:
        self.callback_errors += 1
        self._last_callback_error = traceback.format_exc().strip().splitlines()[-1]
        # The first few whole, then one in a hundred: a failing 200 Hz timer must not fill a disk.
        if self.callback_errors <= 5 or self.callback_errors % 100 == 0:
            self.get_logger().error(
                f'{what} failed (error {self.callback_errors}):\n{traceback.format_exc()}'
            )

    # -- diagnostics -----------------------------------------------------------------------------

    def _tell(self, level: Level, message: str) -> None:
        self._lifecycle_message = (level, message)
        # At once, not at the next period: the supervisor shows it to the operator.
        self._guarded('diagnostics', self._updater.force_update)

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
                self._note_error('diagnose')
                level, message = Level.WARNING, 'its own diagnosis failed; see the log'
        if self.callback_errors and level == Level.SAFE:
            level, message = Level.WARNING, f'{message}; {self.callback_errors} callback errors'
        status.summary(_DIAGNOSTIC_LEVEL[level], message)
        for key, value in values.items():
            status.add(key, value)
        status.add('callback_errors', str(self.callback_errors))
        if self._last_callback_error:
            status.add('last_callback_error', self._last_callback_error)
        return status


def refuse_impossible_transitions(
    node: LifecycleNode, transition_veto: Callable[[], str] = lambda: ''
) -> None:
    """Have a node answer a transition that its present state does not have with success False.

    rclcpp's nodes do. rclpy raises out of the executor, so that a `configure` said twice (by a
    person, or by whoever lost the first answer) ends the process.

    Args:
        transition_veto: why it may not be cleaned up or shut down now; both are refused then.
    """
    service = node._service_change_state
    change = service.callback

    def answer(request: Any, response: Any) -> Any:
        host_id, wanted = node._state_machine, request.transition
        possible = {item[0]: item[1] for item in host_id.available_transitions}
        label = wanted.label or possible.get(wanted.id, '')
        why = transition_veto() if label in ('cleanup', 'shutdown') else ''
        if label and not why:
            return change(request, response)
        known = ', '.join(f'{label} [{id_}]' for id_, label in possible.items())
        state = host_id.current_state[1]
        node.get_logger().warning(
            f'{label} refused: {why}'
            if why
            else f'transition {wanted.id} refused: from {state} there is {known}'
        )
        response.success = False
        return response

    service.callback = answer


def _refuse(response: Any, reason: str) -> Any:
    for flag in ('success', 'accepted'):
        if hasattr(response, flag):
            setattr(response, flag, False)
    for text in ('message', 'reason'):
        if hasattr(response, text):
            setattr(response, text, reason)
    return response


def shutdown_signals() -> list[signal.Signals]:
    """The signals that end a node in order.

    SIGHUP is a terminal that was closed or an ssh connection that broke: without this the driver
    would end in the middle of a motion. Where it is ignored (nohup), it stays so.
    """
    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    return signals


def run(
    make_node: Callable[[], VlaLifecycleNode],
    args: list[str] | None = None,
    priority: Priority = Priority.NORMAL,
    autostart: bool = False,
) -> int:
    """Run one node until a signal ends it (`shutdown_signals`); the `main` of every node.

    Args:
        make_node: called once, after rclpy.init.
        args: of the command line; those of the process by default.
        priority: real-time priority to ask for.
        autostart: configure and activate without being asked: for the node that takes up the
            others, whose own restart must not hang on a service call (after a kill, one made too
            early goes to the dead process's server and is never answered).

    On a signal: `secure()`, then the executor goes on until `finish()` says that the process may
    end (at most FINISH_DEADLINE), then teardown. Further signals change nothing: a terminal's
    Ctrl-C reaches a launched process twice, from the terminal and from launch.
    """
    scheduling = request_realtime(priority)
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    received: list[int] = []
    signals = shutdown_signals()
    for number in signals:
        signal.signal(number, lambda signum, frame: received.append(signum))
    try:
        node = make_node()
    except Exception as error:
        print(f'{type(error).__name__}: {error}', file=sys.stderr)
        rclpy.shutdown()
        return 1
    if priority != Priority.NORMAL:
        node.get_logger().info(scheduling)
    # A third to a half of SingleThreadedExecutor's CPU time. Its plain spin() hangs in Jazzy's
    # wheels and would not see Python's signal handlers: spin in slices.
    executor = EventsExecutor()
    executor.add_node(node)
    never = Future()

    def spin(seconds: float) -> None:
        try:
            executor.spin_until_future_complete(never, seconds)
        except ExternalShutdownException:
            raise
        except Exception:
            # Of a callback that rclpy made (parameters, lifecycle, action): ours are guarded.
            node._note_error('a callback of rclpy')

    try:
        if autostart and node.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            node.trigger_activate()
        while not received and rclpy.ok():
            spin(0.1)
        begin = time.monotonic()
        node._guarded('secure', node.secure)
        while rclpy.ok() and time.monotonic() - begin < FINISH_DEADLINE:
            try:
                if node.finish(time.monotonic() - begin):
                    break
            except Exception:
                node._note_error('finish')
                break
            spin(0.02)
    except ExternalShutdownException:
        pass
    finally:
        node._end()
        executor.remove_node(node)
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()
        # The interpreter restores the default of a handled signal while it ends, and the second
        # SIGINT of a Ctrl-C, launch's, would then kill a process that has done everything right.
        for number in signals:
            signal.signal(number, signal.SIG_IGN)
    return 0

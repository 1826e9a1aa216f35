# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node behind the verbs, waiting for discovery, and names in the graph."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable

import rclpy
import rclpy.action
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.expand_topic_name import expand_topic_name
from rclpy.node import HIDDEN_NODE_PREFIX
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from rclpy.topic_or_service_is_hidden import topic_or_service_is_hidden
from rclpy.validate_full_topic_name import validate_full_topic_name

from ros2cli.command import suggest
from ros2cli.messages import get_interface

Names = list[tuple[str, list[str]]]
NODE_NAME_PREFIX = f'{HIDDEN_NODE_PREFIX}ros2cli'

_POLL_S = 0.02
_SIGNAL_POLL_S = 0.1
#: Without a name to wait for: at least this long, and this long without a change.
_LIST_AT_LEAST_S = 0.5
_LIST_STABLE_S = 0.3
_LIST_AT_MOST_S = 1.0
#: With no other node in sight: default Fast DDS settings were seen to take 0.8 s on one machine.
_ALONE_S = 1.5
#: While an endpoint is known whose node is not: names come by a topic of their own, later.
_NAMES_AT_MOST_S = 3.0
_UNKNOWN_NODE = '_NODE_NAME_UNKNOWN_'
#: Fast DDS needs 3 s where the first announcements are lost.
_NAMED_AT_MOST_S = 3.0
#: A second publisher of a topic is discovered with the first, but not in the same instant.
_NAMED_SETTLE_S = 0.1


class DirectNode:
    """A hidden node in a context of its own, with discovery that ends as soon as it can.

    Attributes of the rclpy node are reached through this object. Use it in a `with`.

    On SIGINT and SIGTERM rclpy shuts the context down, and everything here then ends as
    ExternalShutdownException with the number of the signal. By itself rclpy raises that only while
    an executor waits; between two waits the executor just returns.
    With `own_signals` the context stays up, for work that has to be undone: `wait_for` and
    `check_signals` raise the same exception once, at the first signal; SIGHUP is one of them,
    unless it is ignored (nohup).
    KeyboardInterrupt comes at the second SIGINT only: raised wherever Python happens to be, it was
    seen to vanish in a destructor and in a generator, and an interrupted command to hang.
    """

    def __init__(
        self, args: argparse.Namespace, *, node_name: str | None = None, own_signals: bool = False
    ) -> None:
        self._received: list[int] = []
        self._reported = False
        self._own_signals = own_signals
        # Before rclpy's, which calls them.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note_signal)
        if own_signals and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._note_signal)
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO if own_signals else None)
        self._spin_time: float | None = args.spin_time
        self.node = rclpy.create_node(
            node_name or f'{NODE_NAME_PREFIX}_{os.getpid()}',
            start_parameter_services=False,
            parameter_overrides=[Parameter('start_type_description_service', value=False)],
            automatically_declare_parameters_from_overrides=True,
        )
        self._started = time.monotonic()
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)

    def __enter__(self) -> DirectNode:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        ended = not rclpy.ok()
        self._executor.shutdown(timeout_sec=0.0)
        self.node.destroy_node()
        rclpy.try_shutdown()
        if ended and isinstance(error, Exception):
            raise self._ended() from error

    def _note_signal(self, number: int, _: object) -> None:
        if number == signal.SIGINT and number in self._received:
            raise KeyboardInterrupt
        self._received.append(number)
        if number == signal.SIGHUP:
            # The terminal is gone: printing to it would fail before anything is undone.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)

    def check_signals(self) -> None:
        """Raise ExternalShutdownException once, after the first signal."""
        if self._received and not self._reported:
            self._reported = True
            raise self._ended()

    def _ended(self) -> ExternalShutdownException:
        return ExternalShutdownException(*self._received[:1])

    def __getattr__(self, name: str) -> object:
        return getattr(self.node, name)

    # Discovery.

    def discover(self) -> None:
        """Wait until the graph no longer changes."""
        if self._spin_time is not None:
            self.sleep(self._started + self._spin_time - time.monotonic())
            return
        deadline = self._started + _ALONE_S
        while self._is_alone() and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        if not self._is_alone():
            self._settle(_LIST_AT_LEAST_S, _LIST_STABLE_S, _LIST_AT_MOST_S)

    def discover_until(self, found: Callable[[], object], at_most: float | None = None) -> bool:
        """Wait until `found()`, and then until the graph is stable; False if the time is over."""
        if at_most is None:
            at_most = _NAMED_AT_MOST_S if self._spin_time is None else self._spin_time
        deadline = time.monotonic() + at_most
        while not found():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_S)
        self._settle(0.0, _NAMED_SETTLE_S, 0.5)
        return True

    def _is_alone(self) -> bool:
        """Whether no endpoint is known but this node's own two, on /rosout and parameter_events."""
        node = self.node
        topics = [topic for topic, _ in node.get_topic_names_and_types()]
        return len(topics) <= 2 and all(
            node.count_publishers(topic) <= 1 and node.count_subscribers(topic) == 0
            for topic in topics
        )

    def _settle(self, at_least: float, stable: float, at_most: float) -> None:
        begin = time.monotonic()
        graph, changed = self._graph(), begin
        while (now := time.monotonic()) < begin + max(at_most, _NAMES_AT_MOST_S):
            latest = self._graph()
            if latest != graph:
                graph, changed = latest, now
            settled = now >= begin + at_least and now >= changed + stable
            if (settled or now >= begin + at_most) and not self._has_unnamed():
                return
            time.sleep(_POLL_S)

    def _graph(self) -> object:
        node = self.node
        return (
            sorted(node.get_node_names_and_namespaces()),
            sorted(node.get_topic_names_and_types()),
            sorted(node.get_service_names_and_types()),
        )

    def _has_unnamed(self) -> bool:
        """Whether a publisher or subscription is known whose node is not."""
        node = self.node
        return any(
            info.node_name == _UNKNOWN_NODE
            for topic, _ in node.get_topic_names_and_types()
            for ask in (node.get_publishers_info_by_topic, node.get_subscriptions_info_by_topic)
            for info in ask(topic)
        )

    # Work.

    def spin(self) -> None:
        """Process callbacks until a signal raises ExternalShutdownException."""
        while rclpy.ok():
            self._executor.spin_once(timeout_sec=1.0)
        raise self._ended()

    def spin_once(self) -> None:
        """Process one callback."""
        self._executor.spin_once()

    def wait_for(self, future: Future, timeout_sec: float | None = None) -> bool:
        """Process callbacks until the future is done; False if the time is over."""
        if not self._own_signals:
            self._executor.spin_until_future_complete(future, timeout_sec)
            if not future.done() and not rclpy.ok():
                raise self._ended()
            return future.done()
        deadline = None if timeout_sec is None else time.monotonic() + timeout_sec
        while not future.done() and (deadline is None or time.monotonic() < deadline):
            self.check_signals()
            # No signal wakes this executor.
            self._executor.spin_once_until_future_complete(future, _SIGNAL_POLL_S)
        return future.done()

    def sleep(self, seconds: float) -> None:
        """Process callbacks for a while; a signal ends it."""
        self.wait_for(Future(), max(0.0, seconds))

    def call(self, service_type: type, name: str, timeout_s: float, **fields: object) -> object:
        """Call a service and return the response; RuntimeError if none comes in time."""
        client = self.node.create_client(service_type, name)
        try:
            if not client.wait_for_service(timeout_sec=timeout_s):
                raise RuntimeError(f"service '{name}' is not available after {timeout_s:g} s")
            future = client.call_async(service_type.Request(**fields))
            if not self.wait_for(future, timeout_s):
                raise RuntimeError(f"service '{name}' gave no response within {timeout_s:g} s")
            if future.exception() is not None:
                raise RuntimeError(f"calling service '{name}' failed: {future.exception()!r}")
            return future.result()
        finally:
            self.node.destroy_client(client)

    # Names.

    def get_action_names_and_types(self) -> Names:
        return rclpy.action.get_action_names_and_types(self.node)

    def expand(self, name: str) -> str:
        """Return the full name of a topic or service; RuntimeError if it cannot be one."""
        try:
            full = expand_topic_name(name, self.get_name(), self.get_namespace())
            validate_full_topic_name(full)
        except Exception as error:
            raise RuntimeError(f"'{name}' is not a valid name: {error}") from None
        return full

    def topic_types(self, topic: str) -> list[str]:
        return types_of(self.get_topic_names_and_types(), topic)

    def suggest_topic(self, topic: str) -> str:
        return suggest(topic, [name for name, _ in visible(self.get_topic_names_and_types())])

    def message_type(self, topic: str, *, blocking: bool = False) -> type | None:
        """Return the message class of a topic, or None if it has no publisher or subscription.

        With `blocking` it waits as long as it takes.
        """
        if not self.discover_until(lambda: self.topic_types(topic)):
            hint = self.suggest_topic(topic)
            print(f'WARNING: topic [{topic}] does not appear to be published yet{hint}')
            while blocking and rclpy.ok() and not self.topic_types(topic):
                time.sleep(0.1)
        found = self.topic_types(topic)
        if len(found) > 1:
            types = ', '.join(found)
            raise RuntimeError(f"Topic '{topic}' contains more than one type: [{types}]")
        return get_interface('msg', found[0]) if found else None

    def node_names(self, include_hidden: bool = False) -> list[str]:
        """Return the full names of the nodes, with repetitions, sorted."""
        return sorted(
            f'{namespace.rstrip("/")}/{name}'
            for name, namespace in self.get_node_names_and_namespaces()
            if name and (include_hidden or not name.startswith(HIDDEN_NODE_PREFIX))
        )

    def require_node(self, name: str) -> str:
        """Wait for a node and return its full name; RuntimeError if it is not there."""
        name = absolute_name(name)
        if not self.discover_until(lambda: name in self.node_names()):
            known = self.node_names()
            hint = suggest(name, known) if known else ' (there are no nodes)'
            raise RuntimeError(f"Node not found: '{name}'{hint}")
        return name


def absolute_name(name: str) -> str:
    """Return a node's name with its leading slash."""
    return name if name.startswith('/') else f'/{name}'


def split_name(name: str) -> tuple[str, str]:
    """Return the node's own name and its namespace."""
    namespace, own = absolute_name(name).rsplit('/', 1)
    return own, namespace or '/'


def visible(names_and_types: Names) -> Names:
    """Return the names without those that have a part beginning with `_`."""
    return [pair for pair in names_and_types if not topic_or_service_is_hidden(pair[0])]


def types_of(names_and_types: Names, name: str) -> list[str]:
    """Return the types under a name; empty if there is none."""
    return next((types for known, types in names_and_types if known == name), [])


def print_names(args: argparse.Namespace, found: Names) -> None:
    """The output of the list verbs, which have the argument show_types."""
    for name, types in found:
        print(f'{name} [{", ".join(types)}]' if args.show_types else name)


def print_types(args: argparse.Namespace, kind: str, name: str) -> int:
    """The type verbs of topics, services and actions."""
    with DirectNode(args) as node:
        ask = getattr(node, f'get_{kind}_names_and_types')
        name = node.expand(name)
        if not node.discover_until(lambda: types_of(ask(), name)):
            known = [found for found, _ in visible(ask())]
            print(f"Unknown {kind} '{name}'{suggest(name, known)}", file=sys.stderr)
            return 1
        print(*types_of(ask(), name), sep='\n')
    return 0

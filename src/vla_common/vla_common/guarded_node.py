# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A lifecycle node whose callbacks are guarded and whose entities are destroyed at teardown."""

import contextlib
import traceback
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.exceptions import NameValidationException
from rclpy.lifecycle import LifecycleNode
from rclpy.subscription import Subscription

from vla_common import qos
from vla_common.cdr import Reader
from vla_common.errors import ConfigError, first_line
from vla_common.polled_topic import PolledTopic
from vla_common.topics import Topic


class GuardedNode(LifecycleNode):
    """A lifecycle node that creates guarded entities and destroys them together.

    Callbacks run only while the node is active (rclpy also runs those of an inactive node), unless
    created with `always=True`. An exception in one is logged with its traceback and counted; it
    does not end the process.
    """

    def __init__(self, name: str, **node_options: Any) -> None:
        self._polled: dict[Subscription, PolledTopic] = {}
        super().__init__(name, **node_options)
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._active = False
        self._entities: list[Callable[[], object]] = []
        self.callback_errors = 0
        self.last_callback_error = ''

    @property
    def active(self) -> bool:
        return self._active

    # -- entities ------------------------------------------------------------------------------

    def create_subscription(self, msg_type: type, topic: str, *given: Any, **named: Any) -> Any:
        """As rclpy's; ConfigError for a topic that cannot have this name or type."""
        with self._one_line(msg_type, topic):
            return super().create_subscription(msg_type, topic, *given, **named)

    @contextlib.contextmanager
    def _one_line(self, kind: type, topic: str) -> Iterator[None]:
        """What rcl refuses of a topic is a ConfigError; its own texts have several lines."""
        try:
            yield
        except NameValidationException as error:
            found = f'a name that ROS does not take ({first_line(error).rstrip(":")})'
            wanted = 'letters, digits, _ and /, such as /camera/color/image_raw'
            raise ConfigError(f'topic {topic}', '', found, wanted) from error
        except RuntimeError as error:
            # rcl's text says it for publishers alone: for subscriptions it is overwritten.
            mine = f'{kind.__module__.partition(".")[0]}/msg/{kind.__name__}'
            name = self.resolve_topic_name(topic)
            types = dict(self.get_topic_names_and_types()).get(name, [mine])
            if types == [mine]:
                raise
            found = f'a topic of {" and ".join(t for t in types if t != mine)} in this process'
            raise ConfigError(f'topic {topic}', '', found, f'{mine}, or another topic') from error

    def add_publisher(self, topic: Topic, always: bool = False) -> Any:
        """Create a publisher; silent while the node is not active, unless `always`."""
        kind, profile = topic.message_type(), qos.publisher(topic)
        create = self.create_publisher if always else self.create_lifecycle_publisher
        with self._one_line(kind, topic.name):
            publisher = create(kind, topic.name, profile)
        self.track(lambda: self.destroy_publisher(publisher))
        return publisher

    def subscribe(
        self, topic: Topic, callback: Callable[[Any], None], always: bool = False, raw: bool = False
    ) -> Any:
        """Call `callback` with each message; `raw`: with its serialized bytes."""
        guarded = self.guard(callback, f'subscription {topic.name}', always)
        subscription = self.create_subscription(
            topic.message_type(), topic.name, guarded, qos.subscriber(topic), raw=raw
        )
        self.track(lambda: self.destroy_subscription(subscription))
        return subscription

    def subscribe_fields(
        self,
        topic: Topic,
        fields: Sequence[str],
        callback: Callable[..., None],
        always: bool = False,
    ) -> None:
        """Like `subscribe`, for some fields of the message: callback(*values), see `cdr.Reader`.

        For messages at control rates: it costs a fraction of a deserialization. A message that
        cannot be deserialized counts as a callback error.
        """
        reader = Reader(topic.message_type(), *fields)
        self.subscribe(topic, lambda message: callback(*reader.read(message)), always, raw=True)

    def poll(
        self, topic: Topic, fields: Sequence[str], always: bool = False, depth: int = 1
    ) -> PolledTopic:
        """Like `subscribe_fields`, for a loop that takes the messages itself, once per cycle.

        Args:
            always: keep what was received while the node was inactive.
            depth: messages that are kept between two calls; the oldest are lost.
        """
        kind, profile = topic.message_type(), copy(qos.subscriber(topic))
        profile.depth = max(depth, profile.depth)
        subscription = self.create_subscription(kind, topic.name, _ignore, profile, raw=True)
        polled = self._polled[subscription] = PolledTopic(
            subscription.handle,
            kind,
            Reader(kind, *fields),
            lambda: self.report_error(f'subscription {topic.name}'),
            always,
        )

        def destroy() -> None:
            self.destroy_subscription(subscription)
            del self._polled[subscription]

        self.track(destroy)
        return polled

    @property
    def subscriptions(self) -> Iterator[Subscription]:
        """Those that the executor serves: not the polled ones."""
        return (s for s in super().subscriptions if s not in self._polled)

    def _clear_polled(self) -> None:
        for polled in self._polled.values():
            if not polled.always:
                polled.discard()

    def add_timer(self, period: float, callback: Callable[[], None], always: bool = False) -> Any:
        """Call `callback` every `period` seconds of the steady clock."""
        guarded = self.guard(callback, f'timer {callback.__name__}', always)
        timer = self.create_timer(period, guarded, clock=self._steady)
        self.track(lambda: self.destroy_timer(timer))
        return timer

    def add_service(
        self, kind: type, name: str, callback: Callable[[Any, Any], Any], always: bool = False
    ) -> Any:
        """Create a service. While inactive or failing it responds success/accepted False."""

        def respond(request: Any, response: Any) -> Any:
            if not (self._active or always):
                return _reject(response, f'{self.get_name()} is not active')
            try:
                return callback(request, response)
            except Exception as error:
                self.report_error(f'service {name}')
                return _reject(response, f'{type(error).__name__}: {error}')

        service = self.create_service(kind, name, respond)
        self.track(lambda: self.destroy_service(service))
        return service

    def track(self, destroy: Callable[[], object]) -> None:
        """Call `destroy` at teardown, for entities created without the functions above."""
        self._entities.append(destroy)

    def _destroy_entities(self) -> None:
        while self._entities:
            self._try('destroy', self._entities.pop())

    # -- guard ---------------------------------------------------------------------------------

    def guard(self, callback: Callable[..., None], what: str, always: bool) -> Callable[..., None]:
        """`callback`, skipped while inactive (unless `always`), its exceptions reported."""

        def guarded(*arguments: Any) -> None:
            if self._active or always:
                try:
                    callback(*arguments)
                except Exception:
                    self.report_error(what)

        return guarded

    def report_error(self, what: str) -> None:
        """Log and count the exception that is being handled; `what` raised it."""
        self.callback_errors += 1
        self.last_callback_error = traceback.format_exc().strip().splitlines()[-1]
        # The first five, then one in a hundred: a failing 200 Hz timer must not fill a disk.
        if self.callback_errors <= 5 or self.callback_errors % 100 == 0:
            self.get_logger().error(
                f'{what} failed (error {self.callback_errors}):\n{traceback.format_exc()}'
            )

    def _try(self, what: str, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception:
            self.report_error(what)


def _ignore(_message: bytes) -> None:
    """For a polled subscription, whose callback is never called."""


def _reject(response: Any, reason: str) -> Any:
    for flag in ('success', 'accepted'):
        if hasattr(response, flag):
            setattr(response, flag, False)
    for text in ('message', 'reason'):
        if hasattr(response, text):
            setattr(response, text, reason)
    return response

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The pytest fixture `ros`: a separate ROS context and domain for tests.

    from vla_common.testing import ros  # noqa: F401   (in conftest.py)

    def test_the_filter_reports_a_missing_chunk(ros):
        node = ros.active_node(SafetyFilterNode, robot='humanoid32')
        probe = ros.probe()
        status = probe.subscribe(SafetyStatus, '/safety/status', qos.STATE)
        status.wait(1)

Importing it also configures hypothesis for all tests of the process.

Every test process gets a domain id that no other process on the machine holds (a port lock, as in
launch tests), so that tests can run in parallel.
"""

import ctypes
import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import pytest
import rclpy
from lifecycle_msgs.msg import State, Transition
from rclpy.executors import SingleThreadedExecutor
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.task import Future

from vla_common.domains import domain_of_this_process, reserve_domain
from vla_common.executor_thread import ExecutorThread, destroy_later
from vla_common.lifecycle import VlaLifecycleNode, reject_impossible_transitions

# Under nohup, or in the background of a script, this process ignores SIGHUP or SIGINT, and so would
# every process that a test starts: a handler is not inherited, unlike being ignored.
for _number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda number, frame: None)

PATIENCE = 30.0
"""s to wait for an event that takes less than one: the machine may be overloaded."""

_domain_lock: Any = None

if 'PYTEST_VERSION' in os.environ and find_spec('hypothesis'):
    from hypothesis import HealthCheck, settings

    # The same examples in each run; none fails for being slow on a busy machine.
    settings.register_profile(
        'vla',
        deadline=None,
        derandomize=True,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile('vla')


def own_domain() -> int:
    """Return a ROS domain id held by this process alone, and put it into the environment."""
    global _domain_lock
    if _domain_lock is None:
        own, _domain_lock = reserve_domain(domain_of_this_process())
        os.environ['ROS_DOMAIN_ID'] = own
        # setup.bash keeps discovery to this machine; without it, this does.
        os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    return int(os.environ['ROS_DOMAIN_ID'])


def wait_until(condition: Callable[[], bool], timeout: float = PATIENCE, what: str = '') -> None:
    """Return when `condition()` holds; AssertionError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f'not within {timeout} s: {what or condition}')
        time.sleep(0.005)


class _HeapUse(ctypes.Structure):
    """struct mallinfo2 of the C library."""

    _fields_ = [
        *((name, ctypes.c_size_t) for name in ('arena', 'ordblks', 'smblks', 'hblks', 'hblkhd')),
        *((name, ctypes.c_size_t) for name in ('usmblks', 'fsmblks', 'uordblks', 'fordblks')),
        ('keepcost', ctypes.c_size_t),
    ]


def bytes_kept(call: Callable[[], object], calls: int = 2000) -> float:
    """Bytes of memory that each call keeps for good: of the C heap, and 32 for a Python object."""
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = _HeapUse

    def used() -> int:
        gc.collect()
        heap = mallinfo2()
        return heap.uordblks + heap.hblkhd + 32 * sys.getallocatedblocks()

    for _ in range(calls):  # caches fill
        call()
    before = used()
    for _ in range(calls):
        call()
    return (used() - before) / calls


class Collected:
    """The messages that one subscription received, in order."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.messages: list[Any] = []
        self.times: list[float] = []

    def add(self, message: Any) -> None:
        self.messages.append(message)
        self.times.append(time.monotonic())

    def __len__(self) -> int:
        return len(self.messages)

    @property
    def last(self) -> Any:
        return self.messages[-1]

    def clear(self) -> None:
        self.messages.clear()
        self.times.clear()

    def wait(self, count: int = 1, timeout: float = PATIENCE) -> list[Any]:
        """Return the messages once there are at least `count`."""
        wait_until(
            lambda: len(self.messages) >= count,
            timeout,
            f'{count} messages on {self.topic}, got {len(self.messages)}',
        )
        return self.messages

    def wait_for(self, condition: Callable[[Any], bool], timeout: float = PATIENCE) -> Any:
        """Return the first message, received before or from now on, for which `condition` holds."""
        deadline = time.monotonic() + timeout
        seen = 0
        while True:
            while seen < len(self.messages):
                message = self.messages[seen]
                if condition(message):
                    return message
                seen += 1
            if time.monotonic() > deadline:
                last = self.messages[-1] if self.messages else 'none'
                raise AssertionError(
                    f'{self.topic}: none of {seen} messages in {timeout} s matches; last: {last}'
                )
            time.sleep(0.005)


FOUND_WITHIN = 3.0
"""s after which a service is called though it is not reported as available. rmw_fastrtps reports it
when discovery lists as many readers of requests as writers of responses. Entries of an ended
process can delay that for minutes, while the server responds."""


class Probe:
    """A plain node that subscribes, publishes and calls services for a test."""

    def __init__(self, session: 'RosSession', node: Node) -> None:
        self._session = session
        self.node = node

    def subscribe(self, kind: type, topic: str, qos: QoSProfile) -> Collected:
        collected = Collected(topic)
        self.node.create_subscription(kind, topic, collected.add, qos)
        return collected

    @contextmanager
    def subscribed(self, kind: type, topic: str, qos: QoSProfile) -> Iterator[Collected]:
        """Like `subscribe`, for a while: 200 messages per second cost a tenth of a core."""
        collected = Collected(topic)
        subscription = self.node.create_subscription(kind, topic, collected.add, qos)
        try:
            yield collected
        finally:
            destroy_later(self.node, lambda: self.node.destroy_subscription(subscription))

    def publisher(self, kind: type, topic: str, qos: QoSProfile) -> Any:
        return self.node.create_publisher(kind, topic, qos)

    def wait_for_subscriber(
        self, publisher: Any, count: int = 1, timeout: float = PATIENCE
    ) -> None:
        wait_until(
            lambda: publisher.get_subscription_count() >= count,
            timeout,
            f'{count} subscribers of {publisher.topic_name}',
        )

    def call(self, kind: type, name: str, request: Any = None, timeout: float = PATIENCE) -> Any:
        """Call a service and return its response."""
        client = self.node.create_client(kind, name)
        try:
            client.wait_for_service(min(timeout, FOUND_WITHIN))
            future = client.call_async(request or kind.Request())
            wait_until(future.done, timeout, f'the answer of {name}')
            return future.result()
        finally:
            destroy_later(self.node, lambda: self.node.destroy_client(client))


def answer(node: Node, request: Callable[[], Future], what: str, timeout: float = PATIENCE) -> Any:
    """The result of the future that `request()` returns, called by the thread that spins `node`.

    For the action client of rclpy, which notes a request after it has sent it: a response that the
    other thread takes in between is dropped ("Ignoring unexpected cancel response").
    """
    assert node.executor is not None
    sent = node.executor.create_task(request)
    wait_until(lambda: sent.done() and sent.result().done(), timeout, what)
    return sent.result().result()


REPEAT_AFTER = 10.0
"""s without a response from a node that is not in a transition."""

_GOALS = {
    Transition.TRANSITION_CONFIGURE: 'inactive',
    Transition.TRANSITION_ACTIVATE: 'active',
    Transition.TRANSITION_DEACTIVATE: 'inactive',
    Transition.TRANSITION_CLEANUP: 'unconfigured',
}


class RosSession:
    """A context with nodes under test (EventsExecutor, as in `node_main.run`) and probes."""

    def __init__(self) -> None:
        own_domain()
        self.context = rclpy.Context()
        self.context.init()
        self._nodes: list[Node] = []
        self._spinning: list[ExecutorThread] = []

    def node(self, make: type, **parameters: Any) -> Any:
        """Create a node under test and spin it; `a__b=1` sets the parameter `a.b`."""
        overrides = [
            Parameter(name.replace('__', '.'), value=value) for name, value in parameters.items()
        ]
        node = make(context=self.context, parameter_overrides=overrides)
        if isinstance(node, LifecycleNode) and not isinstance(node, VlaLifecycleNode):
            reject_impossible_transitions(node)
        executor = EventsExecutor(context=self.context)
        self._spin(node, executor)
        return node

    def active_node(self, make: type, **parameters: Any) -> Any:
        """`node`, configured and activated."""
        node = self.node(make, **parameters)
        self.configure(node)
        self.activate(node)
        return node

    def probe(self, name: str = 'probe') -> Probe:
        node = Node(name, context=self.context, start_parameter_services=False)
        self._spin(node, SingleThreadedExecutor(context=self.context))
        return Probe(self, node)

    def _spin(self, node: Node, executor: Any) -> None:
        self._nodes.append(node)
        self._spinning.append(ExecutorThread(node, executor))

    @property
    def _escaped(self) -> list[Exception]:
        """The exceptions that ended a thread that spun a node."""
        return [spinning.failure for spinning in self._spinning if spinning.failure is not None]

    def change(self, node: Any, transition: int, timeout: float = 120.0) -> bool:
        """Request a lifecycle transition through the service, as the supervisor does.

        A response can be lost (the server does not know the client's reader yet), and on an
        overloaded machine endpoints of one process did not find each other. A node that gives no
        response and is not busy is requested again by a new client; then its state decides.
        """
        requester = Node(f'requester_{time.monotonic_ns()}', context=self.context)
        executor = SingleThreadedExecutor(context=self.context)
        executor.add_node(requester)
        deadline = time.monotonic() + timeout
        lost = 0
        try:
            while time.monotonic() < deadline and not self._escaped:
                answer = self._request(requester, executor, node, transition, deadline)
                if not answer.done():
                    lost += 1
                    continue
                # A node that has reached the state already rejects the second request.
                there = lost > 0 and self.state(node) == _GOALS.get(transition)
                return bool(answer.result().success) or there
            raise AssertionError(
                f'no answer from {node.get_name()} within {timeout} s, {lost} requests; '
                f'it is {self.state(node)}; {self._whereabouts()}'
            )
        finally:
            executor.remove_node(requester)
            executor.shutdown()
            requester.destroy_node()

    def _request(
        self, requester: Node, executor: Any, node: Any, transition: int, deadline: float
    ) -> Future:
        """One call; its future, done if a response came."""
        from lifecycle_msgs.srv import ChangeState

        name = f'{node.get_fully_qualified_name()}/change_state'
        client = requester.create_client(ChangeState, name)
        try:
            client.wait_for_service(FOUND_WITHIN)
            future = client.call_async(ChangeState.Request(transition=Transition(id=transition)))
            patience = min(deadline, time.monotonic() + REPEAT_AFTER)
            while not future.done() and (time.monotonic() < patience or self._busy(node)):
                executor.spin_until_future_complete(future, 1.0)
                if self._escaped or time.monotonic() > deadline:
                    break
            return future
        finally:
            requester.destroy_client(client)

    def _whereabouts(self) -> str:
        """The ends of the stacks of the threads that spin the nodes."""
        frames = sys._current_frames()
        stacks = [
            ' < '.join(
                f'{call.name}:{call.lineno}'
                for call in reversed(traceback.extract_stack(frames[thread.ident])[-5:])
            )
            for thread in (spinning.thread for spinning in self._spinning)
            if thread.ident in frames
        ]
        return f'{len(stacks)} of {len(self._spinning)} threads alive: {"; ".join(stacks)}'

    def _busy(self, node: Any) -> bool:
        return self.state(node) in ('configuring', 'activating', 'deactivating', 'cleaningup')

    def configure(self, node: Any) -> None:
        assert self.change(node, Transition.TRANSITION_CONFIGURE), 'configure failed'

    def activate(self, node: Any) -> None:
        assert self.change(node, Transition.TRANSITION_ACTIVATE), 'activate failed'

    def deactivate(self, node: Any) -> None:
        assert self.change(node, Transition.TRANSITION_DEACTIVATE), 'deactivate failed'

    def state(self, node: Any) -> str:
        """Return the lifecycle state's label, e.g. 'active'."""
        return str(node._state_machine.current_state[1])

    def close(self) -> None:
        for spinning in self._spinning:
            spinning.stop()
        for spinning in self._spinning:
            spinning.close()
        for node in self._nodes:
            end = getattr(node, 'end', None)
            if end is not None:
                end()
            node.destroy_node()
        self.context.try_shutdown()
        escaped = self._escaped
        self._nodes.clear()
        self._spinning.clear()
        # A lifecycle node's participant lives until the node is collected. Collect it now: during
        # a later test it once waited forever in Fast DDS. Activation had frozen all objects
        # (vla_common.lifecycle).
        gc.unfreeze()
        gc.collect()
        if escaped:
            raise AssertionError('a callback raised out of its executor') from escaped[0]


@pytest.fixture
def ros() -> Iterator[RosSession]:
    """A ROS session for one test; its nodes are destroyed when the test ends."""
    session = RosSession()
    yield session
    session.close()


INACTIVE, ACTIVE = State.PRIMARY_STATE_INACTIVE, State.PRIMARY_STATE_ACTIVE

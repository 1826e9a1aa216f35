# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Bring-up of the managed nodes through their lifecycles, and detection of lost ones.

Pure: facts in (nodes on the graph, lifecycle states, results of transitions), the next calls out.
`lifecycle_calls` makes the calls without waiting; a call that is not answered in time is abandoned
here, because an ended process never answers.

Nodes are configured in parallel and activated in order. A node that fails or is absent delays the
ones after it by at most ``order_patience``. Bringing a node up never moves the robot: that takes
the operator's steps.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, IntEnum

_CHECKS_UNTIL_GONE = 3  # the heartbeat is missed long before
_MAX_REPEATS = 3  # of a call that had no effect and was not refused: its request was lost


class LifecycleState(IntEnum):
    """Primary lifecycle states, as lifecycle_msgs/msg/State; UNKNOWN until the node answered."""

    UNKNOWN = 0
    UNCONFIGURED = 1
    INACTIVE = 2
    ACTIVE = 3
    FINALIZED = 4


class LifecycleRequest(Enum):
    """What is requested of a node."""

    STATE = 'get_state'
    CONFIGURE = 'configure'
    ACTIVATE = 'activate'


_BEFORE = {
    LifecycleRequest.CONFIGURE: LifecycleState.UNCONFIGURED,
    LifecycleRequest.ACTIVATE: LifecycleState.INACTIVE,
}
"""State of a node on which a transition had no effect."""
_AT_WORK = {LifecycleRequest.CONFIGURE: 'configuring', LifecycleRequest.ACTIVATE: 'activating'}


@dataclass(frozen=True)
class Timing:
    """All in seconds."""

    query_timeout: float
    configure_timeout: float
    activate_timeout: float
    poll_period: float  # of lifecycle state queries
    order_patience: float  # delay of later activations by an absent node
    backoff_first: float  # before a node that came back is brought up again ...
    backoff_longest: float  # ... doubling with each loss up to this


@dataclass(frozen=True)
class Call:
    """One lifecycle service call to make, or to abandon."""

    node: str
    request: LifecycleRequest
    number: int  # distinguishes the answer of an abandoned call from that of the next


@dataclass
class _Node:
    name: str
    present: bool = False
    state: LifecycleState = LifecycleState.UNKNOWN
    pending: Call | None = None
    deadline: float = math.inf
    overdue: LifecycleRequest | None = None  # not answered in time; the node may still be at work
    called: float = -math.inf  # when the last transition was requested
    repeats: int = 0  # of transitions that had no effect
    not_before: float = -math.inf  # backoff
    next_poll: float = -math.inf
    losses: int = 0
    failed: str = ''  # why it is not brought up automatically any more
    was_active: bool = False  # since this process of it came up
    ever_active: bool = False
    appeared: float = -math.inf
    pid: str = ''
    absent_checks: int = 0
    activate_requested: bool = False


class LifecycleManager:
    """The plan for all managed nodes.

    Args:
        names: in the order of activation.
        timing: see `Timing`.
        now: s, when the supervisor began.

    Attributes:
        found_active: a node was active before it was requested: this supervisor was restarted.
        found_restarted: a node has reported another process than before.
    """

    def __init__(self, names: Iterable[str], timing: Timing, now: float) -> None:
        self._nodes = {name: _Node(name) for name in names}
        self._timing = timing
        self._timeouts = {
            LifecycleRequest.STATE: timing.query_timeout,
            LifecycleRequest.CONFIGURE: timing.configure_timeout,
            LifecycleRequest.ACTIVATE: timing.activate_timeout,
        }
        self._begin = self._now = now
        self._number = 0
        self.found_active = self.found_restarted = False
        self._abandoned: list[Call] = []
        self._restarted: list[str] = []

    # -- facts ----------------------------------------------------------------------------------

    def on_graph(self, now: float, present: Iterable[str]) -> None:
        """Names of the nodes that discovery sees now."""
        seen = set(present)
        for node in self._nodes.values():
            if node.name in seen and not node.present:
                node.present = True
                node.appeared = now
                node.next_poll = now
                if node.losses:
                    node.not_before = now + self._backoff(node)
            elif node.name not in seen and node.present:
                # A successor flickers when the lease of its ended predecessor runs out.
                node.absent_checks += 1
                if node.absent_checks >= _CHECKS_UNTIL_GONE:
                    node.present = False
                    self._lost(node)
            if node.name in seen:
                node.absent_checks = 0

    def on_state(self, now: float, call: Call, state: int) -> None:
        """The answer to LifecycleRequest.STATE."""
        node = self._answered(call)
        if node is None:
            return
        node.next_poll = now + self._timing.poll_period
        # 10 and above are transition states: another client's transition is in progress.
        if state not in tuple(LifecycleState) or state == LifecycleState.UNKNOWN:
            return
        new = LifecycleState(state)
        if new is LifecycleState.ACTIVE and not (node.ever_active or node.activate_requested):
            self.found_active = True
        if new is LifecycleState.UNCONFIGURED and node.was_active:
            # A new process under the old name, before discovery noticed.
            self._lost(node)
            node.present = True
            node.not_before = now + self._backoff(node)
        elif new is LifecycleState.INACTIVE and node.was_active:
            node.failed = 'deactivated by another client'
        elif new is LifecycleState.FINALIZED:
            node.failed = 'finalized: its process has to be restarted'
        self._end_overdue(node, new)
        self._set(node, new)

    def on_transition(self, now: float, call: Call, success: bool, reason: str = '') -> None:
        """The answer to CONFIGURE or ACTIVATE; ``reason`` is the node's own, from /diagnostics."""
        node = self._answered(call)
        if node is None:
            return
        node.next_poll = now  # query at once: after a failure any state is possible
        if success:
            node.failed = ''
            self._set(
                node,
                LifecycleState.INACTIVE
                if call.request is LifecycleRequest.CONFIGURE
                else LifecycleState.ACTIVE,
            )
        else:
            node.failed = reason or f'{call.request.value} failed'

    def _end_overdue(self, node: _Node, state: LifecycleState) -> None:
        """A state that is seen counts: the node is at work no longer, whatever was not answered."""
        request, node.overdue = node.overdue, None
        if request is None or state is not _BEFORE[request]:
            return
        node.repeats += 1
        if node.repeats > _MAX_REPEATS:
            node.failed = f'{request.value} was requested {node.repeats} times without effect'

    def on_reason(self, name: str, message: str) -> None:
        """A node reported (on /diagnostics) why it could not be brought up."""
        node = self._nodes.get(name)
        if node is not None and (node.overdue or node.failed.endswith('failed')):
            node.overdue = None
            node.failed = message

    def on_process(self, now: float, name: str, pid: str) -> None:
        """The process of this node, as reported on /diagnostics.

        A node that failed and was restarted may look the same to discovery and by its state.
        """
        node = self._nodes.get(name)
        if node is None:
            return
        known, node.pid = node.pid, pid
        self.found_restarted |= known not in ('', pid)
        if known and known != pid and (node.failed or node.overdue):
            self._lost(node)
            node.not_before = now + self._backoff(node)
            node.next_poll = now

    def doubt(self, now: float, name: str) -> None:
        """The heartbeat of the node is missing: query its state now, not at the next poll."""
        node = self._nodes[name]
        node.next_poll = min(node.next_poll, now + 0.1)

    def retry(self, now: float) -> None:
        """An operator's step: try failed nodes again, without waiting."""
        for node in self._nodes.values():
            if node.failed and node.state is not LifecycleState.FINALIZED:
                node.failed = ''
                node.was_active = False
                node.repeats = 0
            node.not_before = -math.inf
            node.losses = 0

    # -- the plan -------------------------------------------------------------------------------

    def calls(self, now: float) -> list[Call]:
        """Calls to make now; each is remembered as pending until answered or abandoned."""
        self._now = now
        made: list[Call] = []
        earlier_up = True
        for node in self._nodes.values():
            if node.pending is not None and not now < node.deadline:
                self._abandon(now, node)
            if node.present and node.pending is None:
                request = self._next(now, node, earlier_up)
                if request is not None:
                    made.append(self._call(now, node, request))
            earlier_up = earlier_up and (
                node.state is LifecycleState.ACTIVE or not self._delays_others(now, node)
            )
        return made

    def abandoned(self) -> list[Call]:
        """Calls abandoned since the last call of this method."""
        abandoned, self._abandoned = self._abandoned, []
        return abandoned

    def restarted(self) -> list[str]:
        """Nodes lost since the last call of this method: what comes next is a new process."""
        restarted, self._restarted = self._restarted, []
        return restarted

    def _next(self, now: float, node: _Node, earlier_up: bool) -> LifecycleRequest | None:
        if now >= node.not_before and not (node.failed or node.overdue):
            if node.state is LifecycleState.UNCONFIGURED:
                return LifecycleRequest.CONFIGURE
            if node.state is LifecycleState.INACTIVE and earlier_up:
                return LifecycleRequest.ACTIVATE
        return LifecycleRequest.STATE if now >= node.next_poll else None

    def _delays_others(self, now: float, node: _Node) -> bool:
        """Whether later nodes wait for this one: only while it is likely to come up soon."""
        if node.failed or node.overdue or (node.losses and not node.present):
            return False
        if node.state is not LifecycleState.UNKNOWN:
            return True  # in progress: its calls have timeouts of their own
        return now - max(self._begin, node.appeared) < self._timing.order_patience

    def _call(self, now: float, node: _Node, request: LifecycleRequest) -> Call:
        self._number += 1
        node.activate_requested = node.activate_requested or request is LifecycleRequest.ACTIVATE
        node.pending = Call(node.name, request, self._number)
        node.deadline = now + self._timeouts[request]
        if request is not LifecycleRequest.STATE:
            node.called = now
        return node.pending

    def _answered(self, call: Call) -> _Node | None:
        """The node, if this answers its pending call and not an abandoned one."""
        node = self._nodes[call.node]
        if node.pending != call:
            return None
        node.pending = None
        node.deadline = math.inf
        return node

    def _abandon(self, now: float, node: _Node) -> None:
        call = node.pending
        assert call is not None
        self._abandoned.append(call)
        node.pending = None
        node.next_poll = now + self._timing.poll_period
        if call.request is not LifecycleRequest.STATE:
            # It is still at work, or the request was lost: the next state that it reports shows.
            node.overdue = call.request
        # An unanswered query changes nothing: the heartbeat shows whether the node is alive.

    def _lost(self, node: _Node) -> None:
        if node.pending is not None:
            self._abandoned.append(node.pending)
            node.pending = None
        if node.was_active or node.failed or node.state is not LifecycleState.UNKNOWN:
            node.losses += 1
        node.state = LifecycleState.UNKNOWN
        node.was_active = False
        node.failed = ''
        node.overdue = None
        node.repeats = 0
        self._restarted.append(node.name)

    def _set(self, node: _Node, state: LifecycleState) -> None:
        node.state = state
        if state is LifecycleState.ACTIVE:
            node.was_active = node.ever_active = True
            node.failed = ''
            node.repeats = 0

    def _backoff(self, node: _Node) -> float:
        doubled = self._timing.backoff_first * 2.0 ** min(max(node.losses - 1, 0), 16)
        return min(doubled, self._timing.backoff_longest)

    # -- state ----------------------------------------------------------------------------------

    @property
    def all_active(self) -> bool:
        """Whether every managed node is active."""
        return all(self.is_active(name) for name in self._nodes)

    @property
    def active(self) -> tuple[str, ...]:
        """Names of the active nodes, in order."""
        return tuple(name for name in self._nodes if self.is_active(name))

    @property
    def stuck(self) -> tuple[str, ...]:
        """Nodes that failed, once nothing else is in progress: the operator has to act."""
        failed = tuple(name for name, node in self._nodes.items() if node.failed)
        return failed if len(failed) + len(self.active) == len(self._nodes) else ()

    @property
    def overdue(self) -> tuple[str, ...]:
        """Nodes that have not answered a transition in time and may still be at work on it."""
        return tuple(name for name, node in self._nodes.items() if node.overdue)

    def is_active(self, name: str) -> bool:
        """Present and last seen active."""
        node = self._nodes[name]
        return node.present and node.state is LifecycleState.ACTIVE

    def is_present(self, name: str) -> bool:
        """On the graph."""
        return self._nodes[name].present

    def was_up(self, name: str) -> bool:
        """Whether it has been active at some time under this supervisor."""
        return self._nodes[name].ever_active

    def why_not(self, name: str) -> str:
        """Why this node is not active, as a text; empty if it is."""
        node = self._nodes[name]
        if self.is_active(name):
            return ''
        if node.failed:
            return node.failed
        if not node.present:
            return 'gone' if node.ever_active or node.losses else 'not started yet'
        at_work = node.overdue
        if node.pending is not None and node.pending.request is not LifecycleRequest.STATE:
            at_work = node.pending.request
        if at_work is not None:
            late = f' (expected within {self._timeouts[at_work]:g} s)' if node.overdue else ''
            return f'still {_AT_WORK[at_work]} after {self._now - node.called:.0f} s{late}'
        if node.state is LifecycleState.UNKNOWN:
            return 'does not answer'
        return node.state.name.lower()

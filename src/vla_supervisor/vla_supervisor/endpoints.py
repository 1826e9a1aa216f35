# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""E-stop endpoints: buttons elsewhere (gamepad, web page, command line, GPIO) that must stay alive.

Each check-in answers the last challenge with challenge + 1 (mod 2^64), so that a middleware that
repeats an old request, or a proxy that answers for a dead button, is not taken for the button. A
press counts from any sender and whatever else is wrong with the request: a stop needs no
credentials.
"""

import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from vla_supervisor.conditions import Condition, hard, refuse, soft

_CHALLENGES = 1 << 64

MAX_ENDPOINTS = 32
"""Registered endpoints at a time, and unregistered ones reported by name: each may become a cause,
and all causes are published 50 times a second. 177 of them made the supervisor miss its rate."""
_LONGEST_NAME = 64


def answer_to(challenge: int) -> int:
    """The response that proves the endpoint's own code to be alive."""
    return (challenge + 1) % _CHALLENGES


@dataclass(frozen=True)
class Reply:
    """To a registration or a check-in."""

    accepted: bool
    reason: str
    challenge: int


@dataclass
class _Endpoint:
    soft_timeout: float
    hard_timeout: float
    challenge: int
    last_seen: float
    pressed: bool
    confirmed: bool  # has answered a challenge since it registered
    worst_gap: float = 0.0  # s, longest silence that is not yet a condition


class Endpoints:
    """Registry of all e-stop endpoints.

    Args:
        required: without at least one live endpoint the robot is not armed.
        longest_timeout: s, upper bound of a hard timeout that an endpoint may register with.
        new_challenge: source of 64-bit challenges; replaced in tests.
    """

    def __init__(
        self,
        required: bool,
        longest_timeout: float,
        new_challenge: Callable[[], int] = lambda: secrets.randbits(64),
    ) -> None:
        self._required = required
        self._longest = longest_timeout
        self._new_challenge = new_challenge
        self._endpoints: dict[str, _Endpoint] = {}
        self._unregistered: set[str] = set()  # that pressed; not yet a condition
        self._named: set[str] = set()

    @property
    def names(self) -> tuple[str, ...]:
        """Registered endpoints."""
        return tuple(self._endpoints)

    def register(self, now: float, name: str, soft_timeout: float, hard_timeout: float) -> Reply:
        """An endpoint announces itself; the same name again replaces it, but releases nothing."""
        if not name or len(name) > _LONGEST_NAME or not name.isprintable():
            return Reply(False, f'name: wanted 1 to {_LONGEST_NAME} printable characters', 0)
        if name not in self._endpoints and len(self._endpoints) >= MAX_ENDPOINTS:
            return Reply(False, f'{MAX_ENDPOINTS} endpoints are registered already: forget some', 0)
        if not (0.0 < soft_timeout < hard_timeout <= self._longest):
            return Reply(
                False,
                f'timeouts: found soft {soft_timeout:g} s, hard {hard_timeout:g} s, '
                f'wanted 0 < soft < hard <= {self._longest:g} s',
                0,
            )
        old = self._endpoints.get(name)
        new = _Endpoint(soft_timeout, hard_timeout, self._new_challenge(), now, False, False)
        if old is not None:
            # A pressed button stays pressed, and a lost endpoint lost, until it checks in.
            new.pressed = old.pressed
            new.worst_gap = max(old.worst_gap, now - old.last_seen)
        self._endpoints[name] = new
        return Reply(True, '', new.challenge)

    def check_in(
        self,
        now: float,
        name: str,
        response: int,
        pressed: bool,
        leaving: bool,
        motion_allowed: bool,
    ) -> Reply:
        """An endpoint's keepalive. See EndpointCheckin.srv."""
        endpoint = self._endpoints.get(name)
        if endpoint is None:
            name = ''.join(c if c.isprintable() else '?' for c in name[:_LONGEST_NAME])
            if pressed:
                self._unregistered.add(
                    name if name in self._named or len(self._named) < MAX_ENDPOINTS else 'others'
                )
                self._named |= self._unregistered
            return Reply(False, f'{name!r} is not registered', 0)
        endpoint.pressed = endpoint.pressed or pressed
        if response != answer_to(endpoint.challenge):
            # The challenge stays, so that an endpoint whose answer was lost can continue.
            return Reply(False, 'wrong response: wanted challenge + 1', endpoint.challenge)
        endpoint.worst_gap = max(endpoint.worst_gap, now - endpoint.last_seen)
        endpoint.last_seen = now
        endpoint.confirmed = True
        endpoint.pressed = pressed
        endpoint.challenge = self._new_challenge()
        if leaving:
            if pressed:
                return Reply(False, 'leaving refused: the button is pressed', endpoint.challenge)
            if motion_allowed:
                return Reply(False, 'leaving refused: motion is allowed', endpoint.challenge)
            del self._endpoints[name]
            return Reply(True, '', 0)
        return Reply(True, '', endpoint.challenge)

    def conditions(self, now: float) -> list[Condition]:
        """What is true now; a silence that just ended is reported once."""
        found: list[Condition] = []
        for name in sorted(self._unregistered):
            found.append(hard(f'estop_endpoint:{name}', name, 'pressed (not registered)', 'reset'))
        self._unregistered.clear()
        alive = 0
        for name, e in self._endpoints.items():
            if e.pressed:
                found.append(
                    hard(f'estop_endpoint:{name}', name, 'the button is pressed', 'release it')
                )
            silence = now - e.last_seen
            worst = max(silence, e.worst_gap)
            if e.confirmed or math.isnan(worst):
                e.worst_gap = 0.0  # else: lost before it registered again, until it checks in
            alive += e.confirmed and silence <= e.soft_timeout
            # Written so that a NaN silence is lost.
            if not worst <= e.soft_timeout:
                severity = soft if worst <= e.hard_timeout else hard
                limit = e.soft_timeout if severity is soft else e.hard_timeout
                found.append(
                    severity(
                        f'endpoint_lost:{name}',
                        name,
                        f'no check-in for {worst:.2f} s (limit {limit:.2f})',
                        'the endpoint checks in again, or registers again and leaves',
                    )
                )
        if self._required and not alive:
            found.append(
                refuse(
                    'endpoint_required',
                    'supervisor',
                    'no live e-stop endpoint, and require_endpoint is set',
                    'an e-stop endpoint registers and checks in',
                )
            )
        return found

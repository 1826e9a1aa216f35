# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A robot for the dashboard's server: the real endpoints of the supervisor, and what was called."""

import asyncio
import time

from vla_monitor.dashboard.requests import Answer, EndpointAnswer, Situation
from vla_supervisor.endpoints import Endpoints


class FakeRobot:
    """Of `RobotPort`. silent: the supervisor answers no stop."""

    def __init__(self):
        self.calls = []
        self.notes = []
        self.silent = False
        self.now = Situation('ESTOP', 7, ('estop_request (operator)',))
        self.endpoints = Endpoints(required=False, longest_timeout=10.0)

    async def stop(self, step):
        self.calls.append(step)
        if self.silent:
            await asyncio.sleep(60.0)
        return Answer(True, f'mode {step}')

    async def step(self, step, seen):
        changed = self.now.changed_since(seen)
        if changed:
            return Answer(False, f'refused: {changed}')
        self.calls.append(step)
        return Answer(True, 'mode INACTIVE')

    async def run(self, text, time_limit):
        self.calls.append(('run', text, time_limit))
        return Answer(True, 'accepted')

    async def cancel(self):
        self.calls.append('cancel')
        return Answer(True, 'requested')

    async def register(self):
        reply = self.endpoints.register(time.monotonic(), 'dashboard', 1.5, 4.0)
        return EndpointAnswer(reply.accepted, reply.reason, reply.challenge)

    async def check_in(self, response, pressed, leaving):
        moving = self.now.motion_allowed
        reply = self.endpoints.check_in(
            time.monotonic(), 'dashboard', response, pressed, leaving, moving
        )
        return EndpointAnswer(reply.accepted, reply.reason, reply.challenge)

    async def situation(self):
        return self.now

    def note(self, text):
        self.notes.append(text)

    def conditions(self):
        """Names of what the endpoints report."""
        return [c.name for c in self.endpoints.conditions(time.monotonic())]

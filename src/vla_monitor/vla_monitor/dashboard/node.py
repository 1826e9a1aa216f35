# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node dashboard: serves the operator's page, with the robot's state and an e-stop.

The robot does not need it: where the page is no e-stop endpoint, its end stops nothing.
"""

from __future__ import annotations

import ipaddress
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
from rclpy.serialization import deserialize_message

from vla_common import topics
from vla_common.clock import steady_now
from vla_common.errors import ConfigError, first_line
from vla_common.lifecycle import VlaLifecycleNode
from vla_common.node_main import run
from vla_common.polled_topic import PolledTopic
from vla_common.states import Level
from vla_common.topics import Topic
from vla_monitor.dashboard import status
from vla_monitor.dashboard.access import Access, read_token
from vla_monitor.dashboard.feed import Feed
from vla_monitor.dashboard.pictures import picture
from vla_monitor.dashboard.requests import Situation
from vla_monitor.dashboard.robot_link import RobotLink
from vla_monitor.dashboard.server import WebApplication
from vla_monitor.dashboard.skeleton import Skeleton
from vla_monitor.dashboard.web import WebServer, listen
from vla_monitor.recording.background import step_back
from vla_monitor.recording.recording import IMAGE_TYPE
from vla_monitor.recording.video import is_color
from vla_robot import load_robot

GRAPH_PERIOD = 1.0
LOG_LINES = 50
MAX_CAMERAS = 16

_REPORTS = {
    'supervisor': (topics.SUPERVISOR_STATE, status.supervisor),
    'inference': (topics.INFERENCE_STATUS, status.inference),
    'filter': (topics.SAFETY_STATUS, status.safety),
    'driver': (topics.HARDWARE_STATUS, status.driver),
    'balance': (topics.BALANCE_STATE, status.balance),
}
_JOINTS = {'position': topics.JOINT_STATES, 'command': topics.JOINT_COMMAND}


class Dashboard(VlaLifecycleNode):
    """See README.md."""

    def __init__(self, **node_options: Any) -> None:
        super().__init__('dashboard', 'vla_monitor', **node_options)
        self._server: WebServer | None = None
        self._link: RobotLink | None = None
        self._log: deque[dict[str, Any]] = deque(maxlen=LOG_LINES)
        self._log_lock = threading.Lock()
        self._unread: dict[str, str] = {}

    def setup(self) -> None:
        p = self.params
        place = f'parameters of {self.get_fully_qualified_name()}'
        self._check(place)
        access = Access(
            read_token(Path(p.token_file).expanduser()),
            [name.strip() for name in p.names.split(',') if name.strip()],
        )
        self._skeleton = Skeleton(load_robot(p.robot))
        self._feed = Feed()
        self._feed.put('robot', status.dump({'robot': self._skeleton.description()}))
        self._reports = {
            name: self.poll(topic, (), always=True)
            for name, topic in [(n, t) for n, (t, _) in _REPORTS.items()] + list(_JOINTS.items())
        }
        self._newest: dict[str, tuple[float, Any]] = {}
        self._cameras: dict[str, PolledTopic] = {}
        self._link = RobotLink(
            self, self._situation, self.note, (p.endpoint.soft_timeout, p.endpoint.hard_timeout)
        )
        self.track(self._link.close)
        self._app = WebApplication(access, self._feed, self._link, secure=bool(p.certificate))
        # Here, so that a port that is taken fails the configuration.
        self._listening = listen(p.address, p.port, place)
        self.track(self._listening.close)
        self.add_timer(1.0 / p.rate, self._show)
        self.add_timer(GRAPH_PERIOD, self._look_for_cameras)

    def _check(self, place: str) -> None:
        p = self.params
        if not p.endpoint.soft_timeout < p.endpoint.hard_timeout:
            wanted = f'more than endpoint.soft_timeout, {p.endpoint.soft_timeout:g} s'
            raise ConfigError(place, 'endpoint.hard_timeout', p.endpoint.hard_timeout, wanted)
        if bool(p.certificate) != bool(p.key):
            raise ConfigError(place, 'key', p.key, 'certificate and key, or neither')
        for name in ('certificate', 'key'):
            path = getattr(p, name)
            if path and not Path(path).expanduser().is_file():
                raise ConfigError(place, name, path, 'a PEM file')
        try:
            loopback = ipaddress.ip_address(p.address).is_loopback
        except ValueError:
            loopback = p.address == 'localhost'
        if not (loopback or p.certificate or p.plain_http):
            wanted = 'a loopback address; for others certificate and key, or plain_http: true'
            raise ConfigError(place, 'address', p.address, wanted)

    def start(self) -> None:
        p = self.params
        files = [str(Path(path).expanduser()) if path else '' for path in (p.certificate, p.key)]
        self._server = WebServer(self._app.asgi, self._listening.dup(), *files)
        self._ending = threading.Event()
        self._painter = threading.Thread(target=self._paint, daemon=True, name='pictures')
        self._painter.start()
        scheme, port = ('https' if p.certificate else 'http'), self._listening.getsockname()[1]
        host = f'[{p.address}]' if ':' in p.address else p.address
        self.get_logger().info(
            f'dashboard: {scheme}://{host}:{port}/ (operators: token in {p.token_file})'
        )

    def stop(self) -> None:
        if self._server is not None:
            self._ending.set()
            self._server.close()
            self._painter.join(1.0)
            self._server = None

    @property
    def port(self) -> int:
        """That it listens on."""
        return self._listening.getsockname()[1]

    def diagnose(self) -> tuple[Level, str, dict[str, str]]:
        values = {
            'viewers': str(self._feed.viewers),
            'operator': self._app.operators.lease.name,
            'not_shown': '; '.join(f'{name}: {why}' for name, why in self._unread.items()),
        }
        if self._server is not None and self._server.failed:
            return Level.WARNING, 'the web server ended; see the log', values
        return Level.SAFE, f'{self._feed.viewers} viewers', values

    def note(self, text: str) -> None:
        """A line for the page's log; from any thread."""
        self.get_logger().info(text)
        with self._log_lock:
            self._log.append({'time': round(time.time(), 3), 'text': text})
            self._feed.put('log', status.dump({'log': list(self._log)}))

    # -- the robot's state -----------------------------------------------------------------------

    def _take(self, name: str, kind: type) -> Any | None:
        """The newest message, received now or before; None: none yet."""
        for content, _ in self._reports[name].raw():
            self._newest[name] = (steady_now(), content)
        kept = self._newest.get(name)
        if kept is None:
            return None
        received, content = kept
        if isinstance(content, bytes):
            content = deserialize_message(content, kind)
            self._newest[name] = (received, content)
        return content

    def _situation(self) -> Situation | None:
        state = self._take('supervisor', topics.SUPERVISOR_STATE.message_type())
        return None if state is None else status.situation(state)

    def _show(self) -> None:
        """The state for the page, from what was received; nothing where nobody looks."""
        if not self._feed.viewers:
            return
        assert self._link is not None
        now = steady_now()
        state: dict[str, Any] = {'ages': {}, 'pending': list(self._link.pending_stops)}
        for name, (topic, view) in _REPORTS.items():
            state[name] = self._view(name, topic, view)
        # The command's joints first: those that are read last are drawn.
        for name in ('command', 'position'):
            state[name] = self._view(
                name, _JOINTS[name], lambda m: self._skeleton.joints(m.name, m.position)
            )
        balance = self._newest['balance'][1] if state['balance'] else None
        state['points'] = self._points(balance) if state['position'] else []
        for name, (received, _) in self._newest.items():
            state['ages'][name] = status.number(now - received, 2)
        state['cameras'] = list(self._cameras)
        state['operator'] = self._app.operators.lease.name
        state['viewers'] = self._feed.viewers
        self._feed.put('state', status.dump({'state': state}))

    def _view(self, name: str, topic: Topic, view: Any) -> Any:
        try:
            message = self._take(name, topic.message_type())
            return None if message is None else view(message)
        except Exception as error:  # another robot's joints, another version's message
            self._unread[topic.name] = first_line(error)
            return None

    def _points(self, balance: Any) -> list[list[float | None]]:
        if balance is None:
            return self._skeleton.points(None, None)
        q, com = balance.orientation, balance.com
        return self._skeleton.points(
            np.array([q.w, q.x, q.y, q.z]), np.array([com.x, com.y, com.z])
        )

    # -- pictures --------------------------------------------------------------------------------

    def _look_for_cameras(self) -> None:
        for name, types in self.get_topic_names_and_types():
            known = name in self._cameras or name in self._unread
            if types != [IMAGE_TYPE] or known or len(self._cameras) >= MAX_CAMERAS:
                continue
            if self.count_publishers(name):
                topic = Topic(name, IMAGE_TYPE, '', '', qos='IMAGE')
                self._cameras[name] = self.poll(topic, (), always=True)

    def _paint(self) -> None:
        """Encodes pictures, with what the robot leaves of the processor."""
        step_back()
        while not self._ending.wait(1.0 / self.params.picture_rate):
            if not self._feed.viewers:
                continue
            for number, (name, topic) in enumerate(list(self._cameras.items())):
                newest = None
                for content, _ in topic.raw():
                    newest = content
                if newest is None or not is_color(newest):
                    continue
                try:
                    self._feed.put(name, picture(number, newest))
                except ValueError as error:
                    self._unread[name] = first_line(error)


def main() -> None:
    sys.exit(run(Dashboard, autostart=True))

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The web server in a thread of its own."""

from __future__ import annotations

import socket
import threading
from typing import Any

import uvicorn

from vla_common.errors import ConfigError
from vla_monitor.dashboard.requests import LONGEST_REQUEST

_END_WITHIN = 2.0  # s


def listen(address: str, port: int, place: str) -> socket.socket:
    """A socket that listens. Raises ConfigError: the address cannot be used."""
    try:
        family, _, _, _, where = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family, socket.SOCK_STREAM)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(where)
            made.listen(128)
        except OSError:
            made.close()
            raise
    except OSError as error:
        found = f'{address} port {port} ({error.strerror})'
        raise ConfigError(place, 'address', found, 'an address of this machine, a free port') from (
            error
        )
    return made


class WebServer:
    """uvicorn on a listening socket, until `close`.

    certificate, key: PEM files; empty: plain HTTP.
    """

    def __init__(
        self, app: Any, listening: socket.socket, certificate: str = '', key: str = ''
    ) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,  # ROS logs
            access_log=False,
            ws_max_size=LONGEST_REQUEST,
            ws_per_message_deflate=False,
            # A browser that is gone without a word is noticed after so many s.
            ws_ping_interval=5.0,
            ws_ping_timeout=10.0,
            timeout_graceful_shutdown=1,
            limit_concurrency=256,
            server_header=False,
            ssl_certfile=certificate or None,
            ssl_keyfile=key or None,
        )
        config.load()  # a certificate that cannot be read raises here
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={'sockets': [listening]}, daemon=True, name='web'
        )
        self._thread.start()

    @property
    def failed(self) -> bool:
        """Whether it ended by itself."""
        return not self._thread.is_alive()

    def close(self) -> None:
        """End it; open connections are closed."""
        self._server.should_exit = True
        self._thread.join(_END_WITHIN)

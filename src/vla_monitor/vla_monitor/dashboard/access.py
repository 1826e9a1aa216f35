# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Who may do what on the dashboard: the operator's token, sessions, Host and Origin, the lease.

Anybody who reaches the page may look and may stop the robot. An operator who moves it needs the
token, and the lease, which one page holds at a time.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
import stat
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from vla_common.errors import ConfigError

SESSION_TIME = 12 * 3600.0
"""s after which the token is requested again."""
MAX_SESSIONS = 64
GRACE = 5.0
"""s for which the lease waits for a page whose connection broke."""

_TOKEN_BYTES = 24
_SHORTEST_TOKEN = 16


def read_token(path: Path) -> str:
    """The operator's token; a new one is written where the file does not exist.

    Raises ConfigError: the file cannot be read or written, others may read it, or it is too short.
    """
    place = f'dashboard token {path}'
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(handle, 'w', encoding='ascii') as file:
                file.write(secrets.token_urlsafe(_TOKEN_BYTES) + '\n')
        with path.open(encoding='utf-8') as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                wanted = f'0600, readable by its owner only: chmod 600 {path}'
                raise ConfigError(place, 'mode', f'{mode:04o}', wanted)
            token = file.read(1000).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, 'strerror', None) or 'not a text'
        raise ConfigError(place, '', reason, 'a file that can be read and written') from error
    if len(token) < _SHORTEST_TOKEN:
        wanted = f'at least {_SHORTEST_TOKEN} characters; remove the file for a new token'
        raise ConfigError(place, '', f'{len(token)} characters', wanted)
    return token


class Access:
    """Sessions of operators, and the check of where a request comes from.

    Args:
        token: of the operator.
        names: host names under which the page may be opened, beside localhost, this machine's name
            and every IP address.
    """

    def __init__(self, token: str, names: Iterable[str] = ()) -> None:
        self._token = token.encode()
        self._names = {'localhost', socket.gethostname().lower(), *(n.lower() for n in names)}
        self._sessions: dict[str, float] = {}

    def login(self, token: str, now: float) -> str | None:
        """A new session, for the right token."""
        if not secrets.compare_digest(token.encode(), self._token):
            return None
        self._sessions = {key: end for key, end in self._sessions.items() if end > now}
        while len(self._sessions) >= MAX_SESSIONS:
            del self._sessions[min(self._sessions, key=self._sessions.__getitem__)]
        session = secrets.token_urlsafe(_TOKEN_BYTES)
        self._sessions[session] = now + SESSION_TIME
        return session

    def is_operator(self, session: str | None, now: float) -> bool:
        """Whether a cookie is a session that has not expired."""
        return session is not None and self._sessions.get(session, now) > now

    def logout(self, session: str | None) -> None:
        """End a session."""
        if session is not None:
            self._sessions.pop(session, None)

    def host_allowed(self, host: str) -> bool:
        """Whether the page may be opened under a Host header's name.

        A page of another site whose name was made to resolve to this machine (DNS rebinding) is of
        the same origin for its browser; its Host header has that name. Nobody rebinds an address.
        """
        try:
            name = urlsplit(f'//{host}').hostname or ''
        except ValueError:
            return False
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    @staticmethod
    def same_origin(origin: str, host: str) -> bool:
        """Whether a request comes from the dashboard's own page."""
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.scheme in ('http', 'https') and parts.netloc.lower() == host.lower() != ''


class Lease:
    """Which page may move the robot.

    A page that loses its connection keeps the lease for GRACE s; one that released it does not.
    """

    def __init__(self) -> None:
        self._page = ''
        self.name = ''
        """Of the operator, for the other pages; empty: the lease is free."""
        self._gone_at: float | None = None

    def expire(self, now: float) -> bool:
        """Free the lease of a page that did not come back; whether it did."""
        if self._gone_at is None or now - self._gone_at < GRACE:
            return False
        self._free()
        return True

    def held_by(self, page: str) -> bool:
        """Whether `page` holds it."""
        return page != '' and page == self._page

    def take(self, page: str, name: str, motion_allowed: bool, now: float) -> bool:
        """Give it to `page`: where it is free, or where the robot may not move anyway."""
        self.expire(now)
        if self._page not in ('', page) and motion_allowed:
            return False
        self._page, self.name, self._gone_at = page, name, None
        return True

    def release(self, page: str) -> None:
        """`page` does not want it any more."""
        if self.held_by(page):
            self._free()

    def connected(self, page: str) -> None:
        """`page` has a connection again."""
        if self.held_by(page):
            self._gone_at = None

    def disconnected(self, page: str, now: float) -> None:
        """The connection of `page` broke."""
        if self.held_by(page):
            self._gone_at = now

    def _free(self) -> None:
        self._page, self.name, self._gone_at = '', '', None

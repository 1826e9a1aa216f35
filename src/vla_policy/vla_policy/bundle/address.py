# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Addresses and tokens of policy servers. An address is published (parameters, logs, diagnostics)
and has no secret in it; a token is named in policy.yaml and read from elsewhere."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from vla_common.errors import ConfigError
from vla_common.yaml_file import ConfigReader

VARIABLE = 'VLA_POLICY_TOKEN'
"""Environment variable with the token of a server that is given by its address alone."""
SCHEMES = ('Api-Key', 'Bearer')
TOKEN = re.compile(r'[\x21-\x7e]{1,4096}')


@dataclass(frozen=True)
class TokenSource:
    """Where the token of a server is: an environment variable or a file. scheme: of the header
    Authorization."""

    variable: str = ''
    file: str = ''
    scheme: str = SCHEMES[0]

    def read(self, where: str, optional: bool = False) -> str:
        """The token. where: file of the error. optional: empty where there is none. Raises
        ConfigError, which never contains the token."""
        key = 'token.variable' if self.variable else 'token.file'
        name = self.variable or self.file
        if self.variable:
            found = os.environ.get(self.variable, '')
        else:
            try:
                found = Path(self.file).expanduser().read_text(encoding='utf-8')
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, 'strerror', None) or 'no text'
                raise ConfigError(
                    where, key, f'{name}: {reason}', 'a file with the token'
                ) from None
        found = found.strip()
        if not found and optional:
            return ''
        if not TOKEN.fullmatch(found):
            what = 'other characters' if found else 'nothing'
            raise ConfigError(where, key, f'{what} in {name}', 'a token: one word of ASCII there')
        return found


def read_token_source(top: ConfigReader) -> TokenSource | None:
    """The section `token` of policy.yaml, if there is one. Raises ConfigError."""
    if not top.has('token'):
        return None
    wanted = 'a section with variable (of the environment) or file, never the token itself'
    if not isinstance(top.raw('token'), dict):
        raise top.error('token', 'a value that is not shown', wanted)
    f = top.section('token')
    source = TokenSource(
        f.text('variable', default=''),
        f.text('file', default=''),
        f.text('scheme', default=SCHEMES[0], choices=SCHEMES),
    )
    f.close()
    if bool(source.variable) == bool(source.file):
        both = 'both variable and file' if source.file else 'neither variable nor file'
        raise top.error('token', both, wanted)
    return source


def redacted(address: str) -> str:
    """Without user, password and query, for messages."""
    return re.sub(r'[?#].*', '?…', re.sub(r'^([^/]*//)?.*@', r'\1…@', address.strip()))


def check_public(address: str, file: str, key: str) -> None:
    """Raise ConfigError for an address with a user, a password or a query: it would be printed."""
    secret = re.search('[@?#]', address)
    if secret:
        wanted = f'host:port alone; a token in the variable {VARIABLE}, or `token` in policy.yaml'
        raise ConfigError(file, key, redacted(address), wanted)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""From a bundle with runtime openpi or groot, or from an address alone, to a policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vla_common.errors import ConfigError
from vla_common.yaml_file import ConfigReader
from vla_policy.bundle.bundle import Bundle, check_joints
from vla_policy.bundle.remote import read_spec
from vla_policy.remote.groot_client import GrootClient
from vla_policy.remote.openpi_client import OpenPiClient, RemoteError
from vla_policy.remote.policy import GrootWire, OpenPiWire, RemotePolicy
from vla_policy.remote.wire import Encoding

CONNECT_TIMEOUT = 5.0
CALL_TIMEOUT = 0.5


def load_remote(bundle: Bundle, robot: Any, timeout: float = CALL_TIMEOUT) -> RemotePolicy:
    """Raises ConfigError when a package is missing. Whether the server is there, the first call
    says."""
    _require(bundle)
    if bundle.runtime == 'groot':
        client = GrootClient(bundle.url, Encoding(bundle.encoding))
        return RemotePolicy(bundle, robot, GrootWire(client, bundle.dialect), timeout)
    return RemotePolicy(bundle, robot, OpenPiWire(OpenPiClient(bundle.url)), timeout)


def load_address(url: str, robot: Any, timeout: float = CALL_TIMEOUT) -> RemotePolicy:
    """Ask the server at ws://host:port what it needs. Raises ConfigError when it is not there or
    does not say so (an openpi server of others: write a bundle with runtime openpi)."""
    url = url.strip()
    client = OpenPiClient(url)
    try:
        metadata = client.connect(CONNECT_TIMEOUT)
    except ImportError as error:
        raise ConfigError('parameters', 'policy', url, f'the package {error.name}') from error
    except RemoteError as error:
        raise ConfigError('parameters', 'policy', str(error), 'a policy server there') from error
    try:
        bundle = _described(url, metadata)
        check_joints(bundle, robot)
    except ConfigError:
        client.drop()
        raise
    return RemotePolicy(bundle, robot, OpenPiWire(client), timeout)


def _described(url: str, metadata: dict[str, Any]) -> Bundle:
    """What a server of ours says of itself. Raises ConfigError."""
    said = metadata.get('vla')
    if not isinstance(said, dict):
        raise ConfigError(
            url,
            'metadata',
            f'no description (only {", ".join(sorted(map(str, metadata))) or "nothing"})',
            'a server of ours, or a bundle with runtime: openpi that says what this one needs',
        )
    top = ConfigReader(url, said)
    spec = read_spec(top.section('inputs'), top.section('outputs'))
    bundle = Bundle(
        directory=Path(),
        name=top.text('name', default='remote'),
        version=top.text('version', default='0'),
        description=top.text('description', default=''),
        licence='',
        runtime='openpi',
        robot=top.text('robot', default=''),
        model='',
        image=None,
        state=None,
        instruction=None,
        phase=None,
        action=None,
        tasks=(),
        goal_like=top.flag('goal_like', default=False),
        motions={},
        chunk=None,
        remote=spec,
        url=url,
    )
    top.close()
    return bundle


def _require(bundle: Bundle) -> None:
    for package in ('msgpack',) if bundle.runtime == 'groot' else ('msgpack', 'websockets'):
        try:
            __import__(package)
        except ImportError as error:
            raise ConfigError(
                str(bundle.file), 'runtime', bundle.runtime, f'the Python package {package}'
            ) from error

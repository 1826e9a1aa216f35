# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Remote policies: from a bundle with runtime openpi or groot, or from an address alone."""

from dataclasses import replace
from typing import Any

from vla_common.errors import ConfigError
from vla_common.yaml_file import ConfigReader
from vla_policy.bundle.address import VARIABLE, TokenSource, check_public
from vla_policy.bundle.bundle import Bundle, check_robot
from vla_policy.bundle.remote_spec import RemoteSpec, read_described, read_remote
from vla_policy.runtimes import require
from vla_policy.types import Policy, Robot

CONNECT_TIMEOUT = 5.0
CALL_TIMEOUT = 0.5


class OpenPi:
    """The runtime `openpi` of policy.yaml. The first call connects to the server."""

    @staticmethod
    def read(top: ConfigReader) -> RemoteSpec:
        return read_remote(top, ('ws://', 'wss://'))

    @staticmethod
    def load(bundle: Bundle, robot: Robot, timeout: float = CALL_TIMEOUT) -> Policy:
        require(bundle, 'msgpack')
        require(bundle, 'websockets')
        from vla_policy.remote.openpi_client import OpenPiClient
        from vla_policy.remote.policy import OpenPiProtocol, RemotePolicy

        source = bundle.spec.token
        token = source.read(str(bundle.file)) if source else ''
        client = OpenPiClient(bundle.spec.url, token, source.scheme if source else '')
        return RemotePolicy(bundle, robot, OpenPiProtocol(client), timeout)


class Groot:
    """The runtime `groot` of policy.yaml. The first call connects to the server."""

    @staticmethod
    def read(top: ConfigReader) -> RemoteSpec:
        return read_remote(top, ('tcp://',), groot=True)

    @staticmethod
    def load(bundle: Bundle, robot: Robot, timeout: float = CALL_TIMEOUT) -> Policy:
        require(bundle, 'msgpack')
        from vla_policy.remote.groot_client import GrootClient
        from vla_policy.remote.policy import GrootProtocol, RemotePolicy
        from vla_policy.remote.wire import Encoding

        spec = bundle.spec
        token = spec.token.read(str(bundle.file)) if spec.token else ''
        client = GrootClient(spec.url, Encoding(spec.encoding), token=token)
        return RemotePolicy(bundle, robot, GrootProtocol(client, spec.dialect), timeout)


def load_address(url: str, robot: Robot, timeout: float = CALL_TIMEOUT) -> Policy:
    """Read the description of the server at ws://host:port, with the token in VLA_POLICY_TOKEN
    if there is one. Raises ConfigError when there is no
    server or no description (other openpi servers: write a bundle with runtime openpi)."""
    from vla_policy.remote.openpi_client import OpenPiClient, RemoteError
    from vla_policy.remote.policy import OpenPiProtocol, RemotePolicy

    url = url.strip()
    check_public(url, 'parameters', 'policy')
    source = TokenSource(VARIABLE)
    client = OpenPiClient(url, source.read('environment', optional=True), source.scheme)
    try:
        metadata = client.connect(CONNECT_TIMEOUT)
    except ImportError as error:
        raise ConfigError('parameters', 'policy', url, f'the package {error.name}') from error
    except RemoteError as error:
        raise ConfigError('parameters', 'policy', str(error), 'a policy server there') from error
    try:
        bundle = _described(url, metadata)
        check_robot(bundle, robot)
    except ConfigError:
        client.drop()
        raise
    return RemotePolicy(bundle, robot, OpenPiProtocol(client), timeout)


def _described(url: str, metadata: dict[str, Any]) -> Bundle:
    """The bundle that one of our servers describes. Raises ConfigError."""
    description = metadata.get('vla')
    if not isinstance(description, dict):
        raise ConfigError(
            url,
            'metadata',
            f'no description (only {", ".join(sorted(map(str, metadata))) or "nothing"})',
            'a server of ours, or a bundle with runtime: openpi that describes this one',
        )
    top = ConfigReader(url, description)
    bundle = Bundle(
        name=top.text('name', default='remote'),
        version=top.text('version', default='0'),
        runtime='openpi',
        spec=replace(read_described(top), url=url),
        description=top.text('description', default=''),
        robot=top.text('robot', default=''),
        goal_like=top.flag('goal_like', default=False),
    )
    top.close()
    return bundle

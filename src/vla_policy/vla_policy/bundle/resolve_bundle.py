# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The bundle that the parameter `policy` names: an address, a directory, or a name in models."""

from pathlib import Path

from vla_common.errors import ConfigError
from vla_policy.bundle.address import redacted


def is_address(policy: str) -> bool:
    """Whether the parameter names a policy server: ws://host:port."""
    return policy.strip().startswith(('ws://', 'wss://'))


def installed_models() -> Path:
    """The bundles that vla_bringup installs; an empty path when it is not built."""
    from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

    try:
        return Path(get_package_share_directory('vla_bringup')) / 'models'
    except PackageNotFoundError:
        return Path()


def locate_bundle(policy: str, models: Path, key: str = 'policy') -> Path:
    """A directory as given (absolute, ~ or with a slash), or a name in `models`.

    Raises ConfigError with a list of the bundles in `models`.
    """
    if not policy.strip():
        raise ConfigError('parameters', key, 'nothing', 'a bundle name or directory')
    path = Path(policy).expanduser()
    if '/' not in policy and not path.is_absolute():
        path = models / policy
    if (path / 'policy.yaml').is_file():
        return path
    known = sorted(file.parent.name for file in models.glob('*/policy.yaml'))
    shown = redacted(policy)
    found = f'{shown} (no policy.yaml in {path})' if shown == policy.strip() else shown
    names = ', '.join(known) if known else 'none'
    raise ConfigError(
        'parameters', key, found, f'a bundle directory or one of those in {models}: {names}'
    )

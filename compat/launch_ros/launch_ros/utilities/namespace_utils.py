# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Putting namespaces together."""


def is_root_namespace(ns: str) -> bool:
    return ns == '/'


def is_namespace_absolute(ns: str) -> bool:
    return ns.startswith('/')


def prefix_namespace(base_ns: 'str | None', ns: 'str | None') -> 'str | None':
    """`ns` under `base_ns` if it is relative; None if there is neither. No trailing slash."""
    if ns is None:
        combined = base_ns
    elif not base_ns or is_namespace_absolute(ns):
        combined = ns
    else:
        combined = ('' if is_root_namespace(base_ns) else base_ns) + '/' + ns
    if combined is None or is_root_namespace(combined):
        return combined
    return combined.rstrip('/')


def make_namespace_absolute(ns: 'str | None') -> 'str | None':
    return ns if ns is None or is_namespace_absolute(ns) else f'/{ns}'

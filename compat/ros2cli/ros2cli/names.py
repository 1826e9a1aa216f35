# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Names of topics, services and nodes."""

from __future__ import annotations

from rclpy.expand_topic_name import expand_topic_name
from rclpy.topic_or_service_is_hidden import topic_or_service_is_hidden
from rclpy.validate_full_topic_name import validate_full_topic_name

Names = list[tuple[str, list[str]]]


def visible(names_and_types: Names, include_hidden: bool = False) -> Names:
    """Return the names without those that have a part beginning with `_`."""
    return [
        (name, types)
        for name, types in names_and_types
        if include_hidden or not topic_or_service_is_hidden(name)
    ]


def expanded(node: object, name: str) -> str:
    """Return the full name; RuntimeError if it cannot be a name."""
    try:
        full = expand_topic_name(name, node.get_name(), node.get_namespace())
        validate_full_topic_name(full)
    except Exception as error:
        raise RuntimeError(f"'{name}' is not a valid name: {error}") from None
    return full


def types_of(names_and_types: Names, name: str) -> list[str]:
    """Return the types under a name; empty if there is none."""
    return next((types for known, types in names_and_types if known == name), [])

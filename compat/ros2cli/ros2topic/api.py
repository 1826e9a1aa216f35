# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Finding a topic and its type."""

from __future__ import annotations

import time

import rclpy
from ros2cli.messages import get_interface
from ros2cli.names import expanded, types_of, visible
from ros2cli.node import DirectNode
from ros2cli.text import suggest


def topics(node: DirectNode, include_hidden: bool = False) -> list[tuple[str, list[str]]]:
    """Return the topics of the graph and their types."""
    return visible(node.get_topic_names_and_types(), include_hidden)


def suggestion(node: DirectNode, name: str) -> str:
    """Return a hint on which topic may have been meant."""
    return suggest(name, [known for known, _ in topics(node)])


def get_msg_class(node: DirectNode, topic: str, *, blocking: bool = False) -> type | None:
    """Return the message class of a topic, or None if nobody publishes or subscribes to it.

    With `blocking` it waits as long as it takes.
    """
    name = expanded(node, topic)

    def types() -> list[str]:
        return types_of(node.get_topic_names_and_types(), name)

    if not node.discover_until(lambda: bool(types())):
        hint = suggestion(node, name)
        print(f'WARNING: topic [{topic}] does not appear to be published yet{hint}')
        if not blocking:
            return None
        while rclpy.ok() and not types():
            time.sleep(0.1)
    found = types()
    if len(found) > 1:
        raise RuntimeError(
            f"Cannot echo topic '{topic}', as it contains more than one type: [{', '.join(found)}]"
        )
    if not found:
        return None
    try:
        return get_interface('msg', found[0])
    except RuntimeError as error:
        raise RuntimeError(
            f"The message type '{found[0]}' of '{topic}' is unknown: {error}"
        ) from None


def message_filter(expression: str | None):
    """Return a function of the message `m`, or None without an expression."""
    if expression is None:
        return None
    try:
        code = compile(expression, '<--filter>', 'eval')
    except SyntaxError as error:
        raise RuntimeError(f"--filter '{expression}' is not a Python expression: {error}") from None
    # The user's own expression on the user's own machine, as in the real command.
    return lambda m: eval(code, {'m': m})

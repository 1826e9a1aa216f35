# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A DiagnosticStatus with the methods that tasks fill it with."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue


class DiagnosticStatusWrapper(DiagnosticStatus):
    """``diagnostic_msgs/DiagnosticStatus`` plus summary, merging and key-value methods.

    Levels are what rclpy makes of ``byte``: a ``bytes`` of length one, ordered by severity.
    """

    def summary(self, *args: object) -> None:
        """Set level and message, from ``(level, message)`` or from another status."""
        if len(args) == 1:
            (status,) = args
            self.level, self.message = status.level, status.message
        else:
            level, message = args
            self.level, self.message = level, str(message)

    def clearSummary(self) -> None:
        """Back to OK without a message."""
        self.summary(DiagnosticStatus.OK, '')

    def mergeSummary(self, *args: object) -> None:
        """Merge level and message of another status, or of ``(level, message)``, into this one.

        The level becomes the worse of the two. Two messages of the same kind (both OK, or both
        not OK) are joined by a semicolon; otherwise the one that is not OK stays.
        """
        if len(args) == 1:
            level, message = args[0].level, args[0].message
        else:
            level, message = args
        if (level != DiagnosticStatus.OK) == (self.level != DiagnosticStatus.OK):
            self.message = f'{self.message}; {message}' if self.message else message
        elif level > self.level:
            self.message = message
        self.level = max(self.level, level)

    def add(self, key: str, val: str) -> None:
        """Append a key-value pair; both must be strings, as in the real package."""
        self.values.append(KeyValue(key=key, value=val))

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Diagnostics of a topic: its frequency and the age of its stamps."""

from __future__ import annotations

from rclpy.time import Time

from ._diagnostic_updater import CompositeDiagnosticTask, Updater
from ._update_functions import (
    FrequencyStatus,
    FrequencyStatusParam,
    TimeStampStatus,
    TimeStampStatusParam,
)


class HeaderlessTopicDiagnostic(CompositeDiagnosticTask):
    """The frequency of a topic; call ``tick`` for every message. Adds itself to the updater."""

    def __init__(self, name: str, diag: Updater, freq: FrequencyStatusParam) -> None:
        super().__init__(f'{name} topic status')
        self.diag = diag
        self.freq = FrequencyStatus(freq)
        self.addTask(self.freq)
        self.diag.add(self)

    def tick(self) -> None:
        """Count one message."""
        self.freq.tick()

    def clear_window(self) -> None:
        """Forget all messages."""
        self.freq.clear()


class TopicDiagnostic(HeaderlessTopicDiagnostic):
    """Frequency and age of a topic's messages; call ``tick(stamp)`` for every message."""

    def __init__(
        self, name: str, diag: Updater, freq: FrequencyStatusParam, stamp: TimeStampStatusParam
    ) -> None:
        super().__init__(name, diag, freq)
        self.stamp = TimeStampStatus(stamp)
        self.addTask(self.stamp)

    def tick(self, stamp: float | Time) -> None:
        """Count one message that carries this stamp."""
        self.stamp.tick(stamp)
        super().tick()


class DiagnosedPublisher(TopicDiagnostic):
    """A publisher whose messages are counted and whose stamps are watched."""

    def __init__(
        self, pub: object, diag: Updater, freq: FrequencyStatusParam, stamp: TimeStampStatusParam
    ) -> None:
        super().__init__(pub.topic_name, diag, freq, stamp)
        self.publisher = pub

    def publish(self, message: object) -> None:
        """Publish a message that has a header, and note its stamp."""
        self.tick(Time.from_msg(message.header.stamp))
        self.publisher.publish(message)

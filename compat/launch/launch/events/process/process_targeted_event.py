# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Events meant for some of the processes."""

import signal
from collections.abc import Callable

from ...event import Event


class ProcessTargetedEvent(Event):
    """`process_matcher` is asked of each process action whether it is meant."""

    name = 'launch.events.process.ProcessTargetedEvent'

    def __init__(self, *, process_matcher: Callable[[object], bool]) -> None:
        self.process_matcher = process_matcher


class ShutdownProcess(ProcessTargetedEvent):
    """End the process: SIGINT, then SIGTERM, then SIGKILL."""

    name = 'launch.events.process.ShutdownProcess'


class SignalProcess(ProcessTargetedEvent):
    """Send the process one signal: a number, signal.Signals, or the text 'SIGKILL'.

    Other texts are refused: the real package takes them and then fails to send the signal.
    """

    name = 'launch.events.process.SignalProcess'

    def __init__(
        self,
        *,
        signal_number: str | int | signal.Signals,
        process_matcher: Callable[[object], bool],
    ) -> None:
        super().__init__(process_matcher=process_matcher)
        if signal_number == 'SIGKILL':
            signal_number = signal.SIGKILL
        elif isinstance(signal_number, str):
            raise TypeError(f'signal_number {signal_number!r}: give signal.{signal_number} instead')
        self.signal = signal.Signals(signal_number)

    @property
    def signal_name(self) -> str:
        return self.signal.name

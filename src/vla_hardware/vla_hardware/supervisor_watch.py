# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The supervisor as the driver receives it: its mode, its silence, and who may end an ESTOP."""

from vla_common.states import Behaviour, Mode

SEQUENCE_RANGE = 10_000
"""Messages that may be missed between two of the same supervisor: minutes of them. Another one, or
the same one restarted, begins at the microseconds of its wall clock
(`vla_common.clock.first_sequence`), so 10 ms later its sequence is further away than this."""


class SupervisorWatch:
    """The last state of the supervisor, and whether it is alive.

    A message feeds the watchdog only if it is young by its stamp and its sequence advances. After
    a silence a restarted supervisor may count from another number, so there the stamp alone
    decides. RUNNING counts only when it begins while this node receives: after a silence, or when
    this node starts in the middle of it, another mode has to be received first. Else a supervisor
    that was frozen for a second would resume the old motion when it continues.

    An ESTOP is accepted from any live supervisor, and ended only by the one that sent it last: a
    restarted one knows nothing of the e-stop, and its INACTIVE is no reset by the operator. It
    sees in this node's status that the robot is passive, and goes to ESTOP itself.

    An ESTOP with a new sequence counts whatever its stamp, though it does not feed the
    watchdog: where two clocks differ (one was set, or follows a simulation) a stop must arrive.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._timeout_ns = int(timeout * 1e9)
        self._received = -float('inf')
        self._sequence = -1
        self._stamp_ns = -1
        self._running = False
        self._needs_pause = True
        self.mode: Mode | None = None
        self.behaviour = Behaviour.HOLD
        self.motion_epoch = -1
        self.running_since_ns: int | None = None
        self.rejected = 0

    def age(self, now: float) -> float:
        """s since the last accepted message; inf before the first."""
        return now - self._received

    def silent(self, now: float) -> bool:
        """Whether messages were received once and are not any more."""
        if self.mode is None:
            return False
        silent = not self.age(now) <= self._timeout
        if silent:
            self.pause()
        return silent

    def pause(self) -> None:
        """This node stopped the robot: RUNNING has to begin again before it is followed."""
        self._needs_pause = True
        self._running = False
        self.running_since_ns = None

    def update(
        self,
        mode: int,
        behaviour: int,
        motion_epoch: int,
        sequence: int,
        stamp_ns: int,
        wall_ns: int,
        now: float,
    ) -> bool:
        """Take one /supervisor/state; False if it does not feed the watchdog."""
        try:
            mode, behaviour = Mode(mode), Behaviour(behaviour)
        except ValueError:
            self.rejected += 1
            return False
        young = -self._timeout_ns <= wall_ns - stamp_ns <= self._timeout_ns
        if not young and mode is Mode.ESTOP and sequence > self._sequence:
            self._sequence = sequence
            self.pause()
            self.mode, self.behaviour, self.motion_epoch = mode, behaviour, motion_epoch
            self.rejected += 1
            return False
        in_order = sequence > self._sequence or not self.age(now) <= self._timeout
        # Two supervisors (a mistake) count from different numbers: the e-stop of either counts.
        in_order |= mode is Mode.ESTOP and stamp_ns > self._stamp_ns
        released = mode is Mode.ESTOP or self.mode is not Mode.ESTOP
        released |= 0 < sequence - self._sequence <= SEQUENCE_RANGE
        if not (young and in_order and released):
            self.rejected += 1
            return False
        # Whether there was a silence is decided by the loop (`silent`): after a stall of the loop
        # itself the time since the last message is its own, not the supervisor's.
        self._received = now
        self._sequence = sequence
        self._stamp_ns = stamp_ns
        if mode is not Mode.RUNNING:
            self._needs_pause = False
            self._running = False
            self.running_since_ns = None
        elif not self._needs_pause and (not self._running or motion_epoch != self.motion_epoch):
            self._running = True
            self.running_since_ns = stamp_ns
        self.mode = mode
        self.behaviour = behaviour
        self.motion_epoch = motion_epoch
        return True

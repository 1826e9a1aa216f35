# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""When the parameter `instruction` is carried out."""

from __future__ import annotations

from itertools import product

from vla_common.states import Mode
from vla_inference.session import Offer, StartupInstruction


def test_it_is_carried_out_at_the_first_ready_and_never_again():
    startup = StartupInstruction()
    assert startup.offer(Mode.INACTIVE, 0) is Offer.NOT_NOW
    assert startup.offer(Mode.READY, 0) is Offer.NOW
    for mode, epoch in product(Mode, range(3)):
        assert startup.offer(mode, epoch) is Offer.NOT_NOW


def test_a_robot_that_moved_before_is_reported_once_and_only_when_it_could_be_sent_again():
    startup = StartupInstruction()
    # A node that came back in a stop, or a launch that is being ended before it ever got READY.
    assert startup.offer(Mode.SAFE_STOP, 3) is Offer.NOT_NOW
    assert startup.offer(Mode.INACTIVE, 3) is Offer.NOT_NOW
    assert startup.offer(Mode.READY, 3) is Offer.TOO_LATE
    assert startup.offer(Mode.READY, 3) is Offer.NOT_NOW


def test_a_supervisor_whose_count_restarts_does_not_make_the_robot_a_new_one():
    startup = StartupInstruction()
    startup.offer(Mode.RUNNING, 1)
    assert startup.offer(Mode.READY, 0) is Offer.TOO_LATE

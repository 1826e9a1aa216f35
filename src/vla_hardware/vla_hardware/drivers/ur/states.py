# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What a Universal Robots controller reports, as a cause and what the operator does. Pure.

Ours reads these states. It never unlocks a protective stop, never restarts the safety system, and
never switches the arm on.
"""

from __future__ import annotations

from typing import Any

from vla_hardware.drivers.base import DriverError

ROBOT_MODE_RUNNING = 7
ROBOT_MODES = {
    -1: ('the robot has no controller', 'restart the control box'),
    0: (
        'the arm is disconnected from its control box',
        'look at its cable, restart the control box',
    ),
    1: ('the safety configuration waits for its confirmation', 'confirm it on the pendant'),
    2: ('the robot is booting', 'wait, then power the arm on at the pendant'),
    3: ('the arm is powered off', 'power it on at the pendant, and release its brakes'),
    4: ('the arm is powered, not started', 'release its brakes at the pendant'),
    5: ('the brakes of the arm are engaged', 'release them at the pendant (START)'),
    6: ('the arm is in backdrive', 'end it on the pendant'),
    8: ('the firmware of the arm is being updated', 'wait until it is done'),
}
"""By `robot_mode`, all but RUNNING."""

_UNLOCK = 'remove what it met, unlock it on the pendant, then reset'
_RELEASE = 'release the button, power the arm on at the pendant, then reset'
_GUARD = 'close the guard or leave the area, reset it on the pendant where it asks, then reset here'
_FIELDBUS = 'look at the safety PLC, then reset'
SAFE = (1, 2)  # normal; reduced, which has limits of its own
SAFETY = {
    3: ('protective stop', _UNLOCK),
    4: ('a joint is beyond the safety limits (recovery)', 'move the arm back by freedrive'),
    5: ('safeguard stop', _GUARD),
    6: ('emergency stop of the cell', _RELEASE),
    7: ('emergency stop of the robot', _RELEASE),
    8: (
        'violation of a safety limit',
        'read the log on the pendant, restart the safety system there',
    ),
    9: ('fault of the safety system', 'read the log on the pendant, restart the control box'),
    10: ('the joints wait for their identification', 'follow the pendant'),
    11: ('the safety system has no valid state', 'restart the control box'),
    12: ('safeguard stop of the automatic mode', _GUARD),
    13: ('the three-position switch is released', 'hold it, or set the automatic mode, then reset'),
    14: ('the switch of the pendant is released', 'hold it, or set the automatic mode, then reset'),
    15: ('emergency stop by the injection moulding machine', _RELEASE),
    16: ('safeguard stop by the injection moulding machine', _GUARD),
    17: ('PROFIsafe waits for its parameters', _FIELDBUS),
    18: ('safeguard stop of the automatic mode by PROFIsafe', _FIELDBUS),
    19: ('safeguard stop by PROFIsafe', _FIELDBUS),
    20: ('emergency stop by PROFIsafe', _RELEASE),
    22: ('safeguard stop by the safety interface', _GUARD),
}
"""By `safety_status` (and `safety_mode`, whose numbers are the same up to 11)."""

STOPPED, PLAYING = 1, 2  # runtime_state
RUNTIME = ('stopping', 'stopped', 'playing', 'pausing', 'paused', 'resuming')
FULL_SPEED = 0.99  # of the speed slider

ENDED = {
    0: ('the program in the robot was stopped', 'was it the pendant? Then reset'),
    1: ('the program in the robot ended as commanded', 'reset'),
    2: (
        'the robot received no new target within its deadline',
        'look at the network and at the load of this computer, then reset',
    ),
    3: ('a target leaped by more than the robot accepts', 'look at the source of the targets'),
    4: ('the arm did not follow its target', 'look what it met, or how heavy its load is'),
    5: ('the targets came from another session', 'end the other driver, then reset'),
}
"""By what our program wrote as the reason of its end; 0: it wrote none."""


def robot_error(state: Any) -> DriverError | None:
    """Why the robot stopped by itself, or cannot move; None where it can.

    state: fields of the output recipe, by name.
    """
    safety = int(state['safety_status'])
    if safety in SAFE:
        safety = int(state['safety_mode'])
    if safety not in SAFE:
        cause, action = SAFETY.get(
            safety, (f'the safety system reports the status {safety}', 'look at the pendant')
        )
        return DriverError(cause, action, stopped=True)
    mode = int(state['robot_mode'])
    if mode != ROBOT_MODE_RUNNING:
        cause, action = ROBOT_MODES.get(
            mode, (f'the robot reports the mode {mode}', 'look at the pendant')
        )
        return DriverError(cause, action, stopped=True)
    slider = float(state['target_speed_fraction'])
    if not slider >= FULL_SPEED:
        return DriverError(
            f'the speed slider of the pendant is at {slider * 100:.0f} %',
            'set it to 100 %: it delays the targets. For slow motion: stage:=slow of the launch',
            stopped=True,
        )
    return None


def ended_error(reason: int, runtime: int) -> DriverError:
    """Why our program does not run any more. reason: that it wrote. runtime: `runtime_state`."""
    if reason == 0 and runtime not in (STOPPED, PLAYING):
        what = RUNTIME[runtime] if 0 <= runtime < len(RUNTIME) else str(runtime)
        return DriverError(
            f'the program in the robot is {what}',
            'it was paused at the pendant, or by a stop; the driver ends it. Then reset',
            stopped=True,
        )
    cause, action = ENDED.get(reason, (f'the program in the robot ended ({reason})', 'reset'))
    return DriverError(cause, action, stopped=True)

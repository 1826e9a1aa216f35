# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What a UFACTORY controller reports, as a cause and what the operator does. Pure.

Ours clears no error and enables no motor: that is done where the arm is seen, in UFACTORY Studio.
"""

from __future__ import annotations

from vla_hardware.drivers.base import DriverError
from vla_hardware.drivers.xarm.wire import SERVO_MODE

_ENABLE = 'clear the error and enable the arm in UFACTORY Studio, then reset'
_BUTTON = f'release it; {_ENABLE}'
_RESTART = (
    'switch the control box off and on by its emergency stop; if it comes back, ask the maker'
)
_SLOWER = f'lower the speed (stage:=slow) or the reach of the motion; {_ENABLE}'
ERRORS = {
    1: ('the emergency stop of the control box is pressed', _BUTTON),
    2: ('the emergency input of the control box is open', f'close both inputs; {_ENABLE}'),
    3: ('the emergency stop of the three-state switch is pressed', _BUTTON),
    10: ('a servo motor has an error', _RESTART),
    **{
        10 + joint: (f'the servo motor of joint{joint} has an error', _RESTART)
        for joint in range(1, 8)
    },
    18: (
        'the force torque sensor does not answer',
        'look at its cable, or switch it off in Studio',
    ),
    19: ('the end effector does not answer', 'look at its cable and baud rate'),
    21: ('no joint solution for the motion', _ENABLE),
    22: ('the arm would collide with itself', f'move it apart in manual mode; {_ENABLE}'),
    23: ('a joint is beyond its limit', f'move it back in UFACTORY Studio; {_ENABLE}'),
    24: ('a joint is too fast', _SLOWER),
    25: ('the controller cannot plan the motion', _SLOWER),
    26: ('its real-time system has an error', _RESTART),
    27: ('a command was not answered inside the controller', _RESTART),
    28: ('the end module does not answer', _RESTART),
    30: ('the measured speed is beyond the limit', _SLOWER),
    31: (
        'collision: a motor needs more current than it should',
        f'free the arm, check the payload; {_ENABLE}',
    ),
    33: ('the inputs and outputs of the controller fail', _RESTART),
    35: ('the arm is at its safety boundary', f'move it back in manual mode; {_ENABLE}'),
    37: ('the arm moved by itself in manual mode', f'set payload and mounting; {_ENABLE}'),
    38: ('a joint angle is not plausible', _RESTART),
    39: ('the power board has an error', _RESTART),
    40: ('no joint trajectory without an error', _ENABLE),
    41: ('the friction data of the controller are damaged', _RESTART),
    42: ('the calibration data of the controller are damaged', _RESTART),
    **{
        number: ('the force torque sensor has an error', f'look at it; {_ENABLE}')
        for number in (50, 51, 52, 53)
    },
    60: ('the tool is too fast in servo mode', _SLOWER),
    110: ('the base board of the arm does not answer', _RESTART),
    111: ('a device at the control box does not answer', 'look at its cable'),
}
"""By error code."""

MOVING, PAUSED, STOPPED = 1, 3, 4
READY = (0, MOVING, 2)  # states in which it takes servo targets
_STATES = {
    PAUSED: 'the arm is paused',
    STOPPED: 'the arm was stopped',
    5: 'the controller has reset its state',
    6: 'the arm brakes to a stop',
}
_MODES = {
    0: 'position',
    1: 'servo',
    2: 'manual (teaching)',
    4: 'joint velocity',
    5: 'Cartesian velocity',
    6: 'online planning of joints',
    7: 'online planning of poses',
}


def code_error(code: int) -> DriverError | None:
    """The error of an error code; None for 0."""
    if not code:
        return None
    cause, action = ERRORS.get(code, ('the controller reports an error', f'look it up; {_ENABLE}'))
    return DriverError(f'{cause} (C{code})', action, stopped=True)


def motors_error(brakes: int, enabled: int, axes: int) -> DriverError | None:
    """An arm whose motors are not all enabled, with their brakes released; bits by joint."""
    missing = [i + 1 for i in range(axes) if not (enabled & brakes) >> i & 1]
    if not missing:
        return None
    names = ', '.join(f'joint{i}' for i in missing)
    return DriverError(
        f'not enabled: {names}', 'enable the arm in UFACTORY Studio, then reset', stopped=True
    )


def servo_error(state: int, mode: int) -> DriverError | None:
    """Why an arm that was in servo mode does not take targets any more; None where it does."""
    if mode != SERVO_MODE:
        name = _MODES.get(mode, str(mode))
        return DriverError(
            f'somebody changed the mode of the arm to {name}',
            'end the other program, or the manual mode in UFACTORY Studio; then reset',
            stopped=True,
        )
    if state not in READY:
        cause = _STATES.get(state, f'the arm is in state {state}')
        return DriverError(
            cause, 'by UFACTORY Studio, a pendant or another program? Then reset', stopped=True
        )
    return None

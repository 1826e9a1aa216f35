# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The program that runs in the robot: it follows the targets in the registers, and is the last
watchdog. It needs nothing of this computer to stop the arm.
"""

from __future__ import annotations

from vla_hardware.drivers.ur.config import UrConfig

FIRST = 24
"""The first register of ours: 24 to 47 are those for RTDE clients, below is the fieldbus."""
JOINTS = 6
INPUTS = (
    *(f'input_double_register_{FIRST + i}' for i in range(JOINTS + 1)),
    *(f'input_int_register_{FIRST + i}' for i in range(3)),
)
"""Six targets in rad, servoj's gain; number of the target, session, whether to track."""
RUNS, REASON, ECHO = (f'output_int_register_{FIRST + i}' for i in range(3))
"""Session whose program runs, 0 for none; why it ended; the newest number that it has seen."""

STOP, TRACK = 0, 1
SOFTEST = 100  # servoj's least gain

# One assignment a line and no function of ours: what is here is all that the robot does.
# A paused program that is resumed goes on in the loop: the arm may be elsewhere then, so the
# distance to the arm is compared before each step, and the number of the target is old.
_TEXT = """\
def vla_servo():
  local session = {session}
  local last = read_input_integer_register({first})
  local silent = 0.0
  local reason = 0
  local i = 0
  local gain = 100.0
  local at = get_actual_joint_positions()
  local target = get_actual_joint_positions()
  local wanted = get_actual_joint_positions()
  write_output_integer_register({reason_register}, 0)
  write_output_integer_register({echo_register}, last)
  write_output_integer_register({runs_register}, session)
  while reason == 0:
    if read_input_integer_register({first}) == last:
      silent = silent + get_steptime()
    else:
      silent = 0.0
      last = read_input_integer_register({first})
      write_output_integer_register({echo_register}, last)
      wanted = [{targets}]
      i = 0
      while i < {joints}:
        if norm(wanted[i] - target[i]) > {largest_step}:
          reason = 3
        end
        i = i + 1
      end
      if reason == 0:
        target = wanted
      end
    end
    at = get_actual_joint_positions()
    i = 0
    while i < {joints}:
      if norm(target[i] - at[i]) > {largest_distance}:
        reason = 4
      end
      i = i + 1
    end
    if silent > {deadline}:
      reason = 2
    end
    if read_input_integer_register({session_register}) != session:
      reason = 5
    elif read_input_integer_register({command_register}) != {track}:
      reason = 1
    end
    if reason == 0:
      gain = read_input_float_register({gain_register})
      servoj(target, t=get_steptime(), lookahead_time={lookahead}, gain=gain)
    end
  end
  write_output_integer_register({reason_register}, reason)
  stopj({deceleration})
  write_output_integer_register({runs_register}, 0)
end
"""


def program(config: UrConfig, session: int) -> str:
    """The URScript of one session. session: a number that no other one has, 1 to 2**31 - 1."""
    targets = ', '.join(f'read_input_float_register({FIRST + i})' for i in range(JOINTS))
    return _TEXT.format(
        session=int(session),
        first=FIRST,
        session_register=FIRST + 1,
        command_register=FIRST + 2,
        gain_register=FIRST + JOINTS,
        runs_register=FIRST,
        reason_register=FIRST + 1,
        echo_register=FIRST + 2,
        targets=targets,
        joints=JOINTS,
        track=TRACK,
        largest_step=config.largest_step,
        largest_distance=config.largest_distance,
        deadline=config.deadline,
        lookahead=config.lookahead,
        deceleration=config.deceleration,
    )

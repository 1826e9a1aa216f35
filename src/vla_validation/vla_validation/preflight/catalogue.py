# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The checks of a preflight, as data: what each one asks, for how long its answer counts, and what
to do where it fails. The checklists in docs/preflight.md are this table (`python -m` prints them).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from vla_validation.preflight import offline, online

HOUR, DAY = 3600.0, 86400.0
SHIFT = 12 * HOUR


class Needs(Enum):
    """What has to be there for a check; the value is its text in the checklists."""

    FILES = 'this computer'
    GRAPH = 'the launched robot'
    EXERCISE = 'the launched robot, `--exercise`'
    PERSON = 'a person'


class Checklist(Enum):
    """When a check is made; the value is the title of the list."""

    DEPLOYMENT = 'Before deployment: at the desk'
    FIRST = 'First deployment: beside the robot'
    PRODUCTION = 'Production: every shift'


@dataclass(frozen=True)
class Check:
    """One check. asks: for the checklist. valid_for: s. function: by `needs`, of (subject), of
    (subject, observed), or None for a question to a person (of a simulated robot: not asked)."""

    name: str
    asks: str
    needs: Needs
    valid_for: float
    remedy: str
    lists: tuple[Checklist, ...]
    function: Callable[..., Any] | None = None


DESK, FIRST, SHIFTS = Checklist
_EVER = (DESK, FIRST, SHIFTS)
_LAUNCH = 'ros2 launch vla_bringup humanoid.launch.py'

# fmt: off
CHECKS: tuple[Check, ...] = (
    Check('bundle_hashed', 'Every file of the policy bundle has the hash in its policy.yaml.',
          Needs.FILES, 7 * DAY, 'export the bundle again; never edit its files', _EVER,
          offline.bundle_hashed),
    Check('bundle_verified', 'The bundle was verified to be the policy that was trained.',
          Needs.FILES, 7 * DAY, 'ros2 run vla_deploy verify --bundle DIR', (DESK, FIRST),
          offline.bundle_verified),
    Check('bundle_loads', 'The bundle loads on this computer, for this robot.',
          Needs.FILES, DAY, 'what the evidence names', _EVER, offline.bundle_loads),
    Check('bundle_latency', 'A chunk comes before the safety filter would refuse it as too old '
          '(p95).', Needs.FILES, DAY, 'docs/faster_model.md; end other programs', _EVER,
          offline.bundle_latency),
    Check('robot_directory', 'Limits, masses and servos of the robot directory are plausible.',
          Needs.FILES, 7 * DAY, 'ros2 run vla_robot check ROBOT', (DESK, FIRST),
          offline.robot_directory),
    Check('safety_limits', 'Limits only reduce what the URDF allows; every pose is inside them and '
          'inside the workspace.', Needs.FILES, 7 * DAY,
          '`limits` and `workspace` of the safety filter (params_file:=)', _EVER,
          offline.safety_limits),
    Check('stage', 'Speeds are reduced (stage:=slow), or a person accepts full speed.',
          Needs.FILES, SHIFT, 'stage:=slow, or confirm full speed', (FIRST, SHIFTS), offline.stage),
    Check('calibration', 'Cameras have a calibration of their picture size.',
          Needs.FILES, 7 * DAY, '`calibration` of the camera node; or confirm', (DESK, FIRST),
          offline.calibration),
    Check('computer', 'This computer grants real-time priority, memory, cores and shared memory.',
          Needs.FILES, DAY, 'ros2 run vla_validation host', _EVER, offline.computer),
    Check('clock', 'The clocks of the computers agree.', Needs.FILES, SHIFT,
          'chrony or systemd-timesyncd on both; or confirm', (FIRST, SHIFTS), offline.clock),
    Check('network', 'The round trip to the robot is short, and nothing is lost (--address).',
          Needs.FILES, SHIFT, 'cable, address, switch; or confirm', (FIRST, SHIFTS),
          offline.network),
    Check('disk', 'There is room for the recording.', Needs.FILES, SHIFT,
          'remove old sessions; `directory` of the recorder', (FIRST, SHIFTS), offline.disk),
    Check('same_configuration', 'The robot was launched with what is checked here.', Needs.GRAPH,
          SHIFT, 'give preflight the arguments of the launch', (FIRST, SHIFTS),
          online.same_configuration),
    Check('nodes_active', 'Every node is active.', Needs.GRAPH, SHIFT,
          'ros2 run vla_supervisor command status', (FIRST, SHIFTS), online.nodes_active),
    Check('robot_connection', 'The robot is read at its rate, without errors.', Needs.GRAPH, SHIFT,
          'ros2 run vla_validation driver; cable, power', (FIRST, SHIFTS),
          online.robot_connection),
    Check('joint_order', 'The joints have the names and the order of robot.yaml.', Needs.GRAPH,
          SHIFT, 'the joint table of the driver', (FIRST, SHIFTS), online.joint_order),
    Check('joint_limits', 'Every joint is inside the limits of the URDF (a robot in degrees is '
          'not).', Needs.GRAPH, SHIFT, 'zero positions and units of the driver', (FIRST, SHIFTS),
          online.joint_limits),
    Check('temperatures', 'No motor is hot, where the robot tells.', Needs.GRAPH, HOUR,
          'let it cool; or look, and confirm', (FIRST, SHIFTS), online.temperatures),
    Check('battery', 'The battery is charged, where the robot tells.', Needs.GRAPH, HOUR,
          'charge it; or look, and confirm', (FIRST, SHIFTS), online.battery),
    Check('cameras', 'Every camera sends fresh pictures at its rate; its calibration is of that '
          'size.', Needs.GRAPH, SHIFT, 'ros2 run vla_camera list --pictures DIR', (FIRST, SHIFTS),
          online.cameras),
    Check('endpoints', 'An e-stop endpoint is registered.', Needs.GRAPH, SHIFT,
          'dashboard:=true, or an endpoint of your own; require_endpoint: true', (FIRST, SHIFTS),
          online.endpoints),
    Check('watchdogs', 'Every node is watched, by a heartbeat of one publisher.', Needs.GRAPH,
          SHIFT, 'end the second robot or program on this ROS domain', (FIRST, SHIFTS),
          online.watchdogs),
    Check('recording', 'The recorder records.', Needs.GRAPH, SHIFT, 'record:=true; a faster disk',
          (FIRST, SHIFTS), online.recording),
    Check('estop', 'The e-stop makes the joints passive, and is reset. A biped sinks: suspend it.',
          Needs.EXERCISE, SHIFT, 'ros2 run vla_bringup preflight --exercise', (FIRST, SHIFTS),
          online.estop),
    Check('watchdogs_tripped', 'Every node that is frozen is missed in time.', Needs.EXERCISE,
          7 * DAY, 'ros2 run vla_bringup preflight --exercise', (FIRST, SHIFTS),
          online.watchdogs_tripped),
    Check('hardware_estop', "The robot's own e-stop is in reach, and was tried.", Needs.PERSON,
          SHIFT, 'press it, release it, then confirm', (FIRST, SHIFTS)),
    Check('area_clear', 'Nobody is within reach of the robot; it is suspended or stands free.',
          Needs.PERSON, HOUR, 'look, then confirm', (FIRST, SHIFTS)),
)
# fmt: on

BY_NAME = {check.name: check for check in CHECKS}

NOT_RUNNING = f'start it in another terminal: {_LAUNCH} auto_arm:=false, with the same arguments'


def duration(seconds: float) -> str:
    return f'{seconds / DAY:g} d' if seconds >= 2 * DAY else f'{seconds / HOUR:g} h'


def markdown() -> str:
    """The checklists, as docs/preflight.md has them."""
    lines: list[str] = []
    for checklist in Checklist:
        lines += [f'### {checklist.value}', '', '| | check | needs | counts for | if not |',
                  '|---|---|---|---|---|']  # fmt: skip
        for check in CHECKS:
            if checklist in check.lists:
                lines.append(
                    f'| ☐ | `{check.name}`: {check.asks} | {check.needs.value} '
                    f'| {duration(check.valid_for)} | {check.remedy} |'
                )
        lines.append('')
    return '\n'.join(lines)


if __name__ == '__main__':
    print(markdown(), end='')

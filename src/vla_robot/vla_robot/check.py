# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_robot check DIR`: what a robot directory is like, and what it still needs.

Other packages add checks by an entry point in the group `vla.robot_checks`: a function
(robot, picture: Path | None) -> CheckResult.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pinocchio

from vla_common import terminal
from vla_common.errors import ConfigError
from vla_common.registry import Registry
from vla_robot.loading import load_robot
from vla_robot.robot_model import RobotModel

CHECKS = Registry('vla.robot_checks', {'robot': 'vla_robot.check:check_robot'})
HEAVIEST = 300.0  # kg, of a robot
WIDEST = 1.0  # m, radius of gyration of a link
FASTEST = 50.0  # rad/s
EXAMPLES = """exit status: 0 nothing found; 1 something needs attention; 2 the robot cannot be used.

examples:
  ros2 run vla_robot check ./my_robot
  ros2 run vla_robot check ./my_robot --out my_robot.png
  ros2 run vla_robot check humanoid32 --json
"""


@dataclass(frozen=True)
class Finding:
    """Something that needs attention: `key` of robot.yaml or the URDF, what is there, a remedy."""

    key: str
    found: str
    wanted: str

    def __str__(self) -> str:
        return f'{self.key}: found {self.found}, wanted {self.wanted}'


@dataclass(frozen=True)
class CheckResult:
    """Values by name (numbers, texts, lists; for --json), findings, and text to paste."""

    values: dict[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    paste: str = ''


Check = Callable[[RobotModel, Path | None], CheckResult]


def check_robot(robot: RobotModel, picture: Path | None) -> CheckResult:
    """Masses, limits, servos, and whether the camera's frame is an optical one."""
    findings = [*_masses(robot), *_limits(robot), *_servos(robot), *_camera(robot)]
    heavy = max(robot.pinocchio_model.inertias, key=lambda inertia: inertia.mass)
    values = {
        'name': robot.name,
        'joints': robot.n,
        'links': sum(f.type == pinocchio.FrameType.BODY for f in robot.pinocchio_model.frames),
        'collision_pairs': len(robot.collision_pairs),
        'mass_kg': round(robot.total_mass, 3),
        'heaviest_body_kg': round(heavy.mass, 3),
        'groups': {name: len(members) for name, members in robot.groups.items()},
        'poses': list(robot.poses),
        'frames': dict(robot.frames),
        'stands_on_feet': bool(robot.foot_boxes),
    }
    return CheckResult(values, tuple(findings))


def _masses(robot: RobotModel) -> list[Finding]:
    found = []
    if not robot.total_mass <= HEAVIEST:
        mass = f'{robot.total_mass:.1f} kg together'
        found.append(Finding('link/inertial/mass', mass, f'at most {HEAVIEST:g} kg (masses in kg)'))
    model = robot.pinocchio_model
    for body in range(1, len(model.joints)):
        inertia = model.inertias[body]
        if inertia.mass <= 0.0:
            continue
        radius = float(np.sqrt(np.linalg.eigvalsh(inertia.inertia).max() / inertia.mass))
        if not radius <= WIDEST:
            found.append(
                Finding(
                    f'link below {model.names[body]}/inertial/inertia',
                    f'moments of a body {radius:.2g} m wide',
                    'moments in kg m² about the centre of mass',
                )
            )
    return found


def _limits(robot: RobotModel) -> list[Finding]:
    found = []
    for i, name in enumerate(robot.joint_names):
        velocity = robot.limits.velocity[i]
        if not velocity <= FASTEST:
            found.append(
                Finding(
                    f'joint[{name}]/limit@velocity', f'{velocity:g}', f'rad/s, at most {FASTEST:g}'
                )
            )
    return found


def _servos(robot: RobotModel) -> list[Finding]:
    """Gains that hold a pose: stiffness and damping above 0, gravity within the effort limit."""
    found = []
    for i, name in enumerate(robot.joint_names):
        if not (robot.servo.kp[i] > 0 and robot.servo.kv[i] > 0):
            gains = f'kp {robot.servo.kp[i]:g}, kv {robot.servo.kv[i]:g} of {name}'
            found.append(
                Finding(
                    'servos', gains, "positive gains ('ros2 run vla_robot tune DIR' finds them)"
                )
            )
    kinematics = robot.kinematics()
    for pose, q in robot.poses.items():
        torque = np.abs(kinematics.gravity_torque(q))
        for i in np.flatnonzero(torque > robot.limits.effort):
            found.append(
                Finding(
                    f'poses.{pose}',
                    f'{torque[i]:.3g} Nm of gravity at {robot.joint_names[i]}',
                    f'at most its effort limit {robot.limits.effort[i]:g} Nm',
                )
            )
    return found


def _camera(robot: RobotModel) -> list[Finding]:
    """An optical frame has z forward and y down: it looks ahead or down, with the ground below."""
    kinematics = robot.kinematics()
    kinematics.update(robot.poses['standing'])
    rotation, _ = kinematics.frame(robot.camera.frame)
    down, forward = -rotation[2, 1], -rotation[2, 2]
    if forward < -0.7 or (down < 0.3 and forward < 0.7):
        return [
            Finding(
                f'frames.{robot.camera.frame}',
                f'{robot.frames[robot.camera.frame]}, whose z points '
                + ('up' if forward < -0.7 else 'ahead') + ' and y not down',
                'an optical frame: z forward, x right, y down (rpy="-1.5708 0 -1.5708" from a '
                'link with x forward)',
            )
        ]  # fmt: skip
    return []


def run_checks(robot: RobotModel, picture: Path | None) -> dict[str, CheckResult]:
    """Each registered check by name. An error of one is its finding."""
    results = {}
    for name in CHECKS.names():
        check: Check = CHECKS.load(name, 'entry points', CHECKS.group)
        try:
            results[name] = check(robot, picture)
        except ConfigError as error:
            found = error.found if isinstance(error.found, str) else repr(error.found)
            key = f'{error.file}: {error.key}' if error.key else error.file
            results[name] = CheckResult({}, (Finding(key, found, error.wanted),))
    return results


def _command(arguments: Sequence[str] | None) -> int:
    parser = terminal.parser(
        'vla_robot check',
        'Check a robot directory: masses, limits, gains, frames, simulation, cost of the filter.',
        EXAMPLES,
    )
    parser.add_argument('robot', metavar='DIR', help='robot directory, or a name')
    parser.add_argument('--out', type=Path, help='PNG file for a picture of the robot')
    parser.add_argument('--json', action='store_true', help='one JSON object as the last line')
    options = parser.parse_args(arguments)
    directory = Path(options.robot)
    try:
        robot = load_robot(directory.resolve() if directory.is_dir() else options.robot)
        results = run_checks(robot, options.out)
    except ConfigError as error:
        if options.json:
            print(json.dumps({'error': str(error)}))
        raise
    findings = [finding for result in results.values() for finding in result.findings]
    if options.json:
        values = {name: result.values for name, result in results.items()}
        listed = [vars(finding) for finding in findings]
        print(json.dumps({'robot': robot.name, **values, 'findings': listed}))
    else:
        _show(results, findings)
    return 1 if findings else 0


def _show(results: dict[str, CheckResult], findings: list[Finding]) -> None:
    for name, result in results.items():
        print(f'{name}:')
        for key, value in result.values.items():
            shown = value
            if isinstance(value, dict):
                shown = ', '.join(f'{k} {v}' for k, v in value.items())
            elif isinstance(value, list):
                shown = ', '.join(map(str, value))
            print(f'  {key}: {shown}')
    print(f'\n{len(findings)} findings' if findings else '\nnothing found')
    for finding in findings:
        print(f'- {finding}')
    for result in results.values():
        if result.paste:
            print(f'\nfor robot.yaml:\n{result.paste}')


def main(arguments: list[str] | None = None) -> int:
    """Entry point of `ros2 run vla_robot check`."""
    return terminal.guarded(_command, arguments)


if __name__ == '__main__':
    sys.exit(main())

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Write robots/unitree_g1/robot.urdf and robots/unitree_g1_upper/robot.urdf.

    python tools/make_unitree_g1.py robots

The numbers (frames, masses, inertias, limits) are those that the maker publishes for the G1 with 29
joints, rev 1.0, mode_machine 5 (BSD-3-Clause: NOTICE of the directory), in tables of our own; the
right side is the left one mirrored, which differs from the maker's in the fifth digit. Shapes are
primitives of our own, fitted to the robot. Its ankles and waist are parallel mechanisms, described
as the serial joints (pitch, roll) that the robot's messages have in mode_pr 0.

unitree_g1_upper is the same robot for the mode arm_sdk, in which the maker's controller has the
legs: they are fixed in the standing pose, and the robot is fixed to a stand, its base.

Axes: x forward, y left, z up. Lengths in m, masses in kg.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path

PITCH, ROLL, YAW = (0, 1, 0), (1, 0, 0), (0, 0, 1)
DARK, SHELL = 'dark', 'shell'
COLOURS = {DARK: (0.2, 0.2, 0.22, 1), SHELL: (0.72, 0.73, 0.75, 1)}
STANDING = {'hip_pitch': -0.165, 'knee': 0.4, 'ankle_pitch': -0.235}
"""rad, of the legs; as `standing` in robot.yaml."""
HIP_HEIGHT = 0.779  # m of the pelvis above the soles, standing


def numbers(values: tuple) -> str:
    return ' '.join(f'{v + 0.0:.10g}' for v in values)


@dataclass(frozen=True)
class Shape:
    """element: URDF geometry. at, rpy: its place in the link."""

    element: str
    at: tuple
    rpy: tuple = (0, 0, 0)


def ball(radius: float, at: tuple) -> Shape:
    return Shape(f'<sphere radius="{radius:g}"/>', at)


def box(size: tuple, at: tuple, rpy: tuple = (0, 0, 0)) -> Shape:
    return Shape(f'<box size="{numbers(size)}"/>', at, rpy)


def rod(radius: float, start: tuple, end: tuple) -> Shape:
    """A capsule around the line between two points."""
    x, y, z = (b - a for a, b in zip(start, end, strict=True))
    length = math.sqrt(x * x + y * y + z * z)
    middle = tuple((a + b) / 2 for a, b in zip(start, end, strict=True))
    # The capsule is along z: pitch, then yaw, turn z into the direction.
    rpy = (0.0, math.acos(z / length), math.atan2(y, x))
    return Shape(f'<capsule radius="{radius:g}" length="{length:.6g}"/>', middle, rpy)


@dataclass(frozen=True)
class Body:
    """A link and the joint above it. inertia: ixx, ixy, ixz, iyy, iyz, izz about `com`. limits:
    lower, upper rad, velocity rad/s, effort Nm; None for a fixed joint."""

    link: str
    parent: str
    xyz: tuple
    mass: float
    com: tuple
    inertia: tuple
    shape: Shape | None = None
    rpy: tuple = (0, 0, 0)
    joint: str = ''
    axis: tuple = ()
    limits: tuple | None = None
    colour: str = SHELL


SOLE = 0.03540915  # m from the ankle's roll axis down to the sole
LEG = (
    Body(
        'hip_pitch_link', 'pelvis', (0, 0.064452, -0.1027), 1.35, (0.002741, 0.047791, -0.02606),
        (0.001811, 3.68e-05, -3.44e-05, 0.0014193, 0.000171, 0.0012812),
        ball(0.045, (0.0, 0.05, -0.028)), joint='hip_pitch', axis=PITCH,
        limits=(-2.5307, 2.8798, 32, 88), colour=DARK,
    ),
    Body(
        'hip_roll_link', 'hip_pitch_link', (0, 0.052, -0.030465), 1.52,
        (0.029812, -0.001045, -0.087934),
        (0.0023773, -3.8e-06, -0.0003908, 0.0024123, 1.84e-05, 0.0016595),
        rod(0.05, (0.015, 0, -0.02), (0.025, 0, -0.1)), rpy=(0, -0.1749, 0), joint='hip_roll',
        axis=ROLL, limits=(-0.5236, 2.9671, 20, 139),
    ),
    Body(
        'hip_yaw_link', 'hip_roll_link', (0.025001, 0, -0.12412), 1.702,
        (-0.057709, -0.010981, -0.15078),
        (0.0057774, -0.0005411, -0.0023948, 0.0076124, -0.0007072, 0.003149),
        rod(0.055, (-0.01, 0, -0.02), (-0.0783, 0.002, -0.165)), joint='hip_yaw', axis=YAW,
        limits=(-2.7576, 2.7576, 32, 88),
    ),
    Body(
        'knee_link', 'hip_yaw_link', (-0.078273, 0.0021489, -0.17734), 1.932,
        (0.005457, 0.003964, -0.12074),
        (0.011329, 4.82e-05, -4.49e-05, 0.011277, -0.0007146, 0.0015168),
        rod(0.045, (0.01, 0, -0.04), (0, 0, -0.26)), rpy=(0, 0.1749, 0), joint='knee', axis=PITCH,
        limits=(-0.087267, 2.8798, 20, 139),
    ),
    Body(
        'ankle_pitch_link', 'knee_link', (0, -9.4445e-05, -0.30001), 0.074,
        (-0.007269, 0, 0.011137), (8.4e-06, 0, -2.9e-06, 1.89e-05, 0, 1.26e-05),
        ball(0.03, (0, 0, 0)), joint='ankle_pitch', axis=PITCH, limits=(-0.87267, 0.5236, 37, 50),
        colour=DARK,
    ),
    Body(
        'ankle_roll_link', 'ankle_pitch_link', (0, 0, -0.017558), 0.608,
        (0.026505, 0, -0.016425),
        (0.0002231, 2e-07, 8.91e-05, 0.0016161, -1e-07, 0.0016667), joint='ankle_roll', axis=ROLL,
        limits=(-0.2618, 0.2618, 37, 50), colour=DARK,
    ),
    # Massless, so that the force sensor between it and the ankle measures the ground alone.
    Body(
        'foot', 'ankle_roll_link', (0, 0, -SOLE), 0, (), (),
        box((0.20820672, 0.07558269, 0.02), (0.03826199, 0, 0.01)), colour=DARK,
    ),
)  # fmt: skip
TRUNK = (
    Body(
        'waist_yaw_link', 'pelvis', (0, 0, 0), 0.214, (0.003494, 0.000233, 0.018034),
        (0.00010673, 2.703e-06, -7.631e-06, 0.00010422, -2.01e-07, 0.0001625),
        joint='waist_yaw', axis=YAW, limits=(-2.618, 2.618, 32, 88),
    ),
    Body(
        'waist_roll_link', 'waist_yaw_link', (-0.0039635, 0, 0.044), 0.086, (0, 2.3e-05, 0),
        (7.079e-06, 0, 0, 6.339e-06, 0, 8.245e-06), joint='waist_roll', axis=ROLL,
        limits=(-0.52, 0.52, 37, 50),
    ),
    Body(
        'torso_link', 'waist_roll_link', (0, 0, 0), 6.78, (0.000931, 0.000346, 0.15082),
        (0.05905, 3.3302e-05, -0.0017715, 0.047014, -2.2399e-05, 0.025652),
        box((0.15, 0.18, 0.26), (0.0, 0, 0.17)), joint='waist_pitch', axis=PITCH,
        limits=(-0.52, 0.52, 37, 50),
    ),
    Body(
        'head_link', 'torso_link', (0.0039635, 0, -0.044), 1.036, (0.005267, 0.000299, 0.449869),
        (0.004085051, -2.543e-06, -6.9455e-05, 0.004185212, -3.726e-06, 0.001807911),
        rod(0.065, (0.005, 0, 0.42), (0.005, 0, 0.49)), colour=DARK,
    ),
    Body('imu_in_pelvis', 'pelvis', (0.04525, 0, -0.08339), 0, (), ()),
    Body(
        'd435_link', 'torso_link', (0.0576235, 0.01753, 0.42987), 0, (), (),
        rpy=(0, 0.8307767239493009, 0),
    ),
    # The optical frame of that camera: z out of the lens, x right, y down; in front of the head.
    Body(
        'head_camera', 'd435_link', (0.03, 0, 0), 0, (), (), rpy=(-math.pi / 2, 0, -math.pi / 2)
    ),
)  # fmt: skip
ARM = (
    Body(
        'shoulder_pitch_link', 'torso_link', (0.0039563, 0.10022, 0.24778), 0.718,
        (0, 0.035892, -0.011628), (0.0004291, -9.2e-06, 6.4e-06, 0.000453, 2.26e-05, 0.000423),
        ball(0.036, (0, 0.04, -0.012)), rpy=(0.27931, 5.4949e-05, -0.00019159),
        joint='shoulder_pitch', axis=PITCH, limits=(-3.0892, 2.6704, 37, 25),
    ),
    Body(
        'shoulder_roll_link', 'shoulder_pitch_link', (0, 0.038, -0.013831), 0.643,
        (-0.000227, 0.00727, -0.063243),
        (0.0006177, -1e-06, 8.7e-06, 0.0006912, -5.3e-06, 0.0003894),
        ball(0.036, (0, 0.006, -0.06)), rpy=(-0.27925, 0, 0), joint='shoulder_roll', axis=ROLL,
        limits=(-1.5882, 2.2515, 37, 25),
    ),
    Body(
        'shoulder_yaw_link', 'shoulder_roll_link', (0, 0.00624, -0.1032), 0.734,
        (0.010773, -0.002949, -0.072009),
        (0.0009988, 7.9e-06, 0.0001412, 0.0010605, -2.86e-05, 0.0004354),
        rod(0.034, (0, 0, -0.02), (0.014, 0, -0.08)), joint='shoulder_yaw', axis=YAW,
        limits=(-2.618, 2.618, 37, 25),
    ),
    Body(
        'elbow_link', 'shoulder_yaw_link', (0.015783, 0, -0.080518), 0.6,
        (0.064956, 0.004454, -0.010062),
        (0.0002891, 6.53e-05, 1.72e-05, 0.0004152, -5.6e-06, 0.0004197),
        rod(0.032, (0.02, 0.002, -0.01), (0.09, 0.002, -0.01)), joint='elbow', axis=PITCH,
        limits=(-1.0472, 2.0944, 37, 25),
    ),
    Body(
        'wrist_roll_link', 'elbow_link', (0.1, 0.00188791, -0.01), 0.08544498,
        (0.01713944778, 0.00053759094, 4.8864e-07),
        (4.821544023e-05, -4.24511021e-06, 5.10599e-09, 3.722899093e-05, -1.23525e-09,
         5.482106541e-05),
        joint='wrist_roll', axis=ROLL, limits=(-1.972222054, 1.972222054, 37, 25),
    ),
    Body(
        'wrist_pitch_link', 'wrist_roll_link', (0.038, 0, 0), 0.48404956,
        (0.02299989837, -0.00111685314, -0.00111658096),
        (0.00016579646273, -1.231206746e-05, 1.231699194e-05, 0.0004295405741, 8.1417712e-07,
         0.00042953697654),
        rod(0.032, (0.005, 0, 0), (0.04, 0, 0)), joint='wrist_pitch', axis=PITCH,
        limits=(-1.614429558, 1.614429558, 22, 5), colour=DARK,
    ),
    Body(
        'wrist_yaw_link', 'wrist_pitch_link', (0.046, 0, 0), 0.08457647,
        (0.02200381568, 0.00049485096, 0.00053861123),
        (4.929128828e-05, -4.5735494e-07, 4.45867591e-06, 5.973338134e-05, 4.3217198e-07,
         3.928083826e-05),
        joint='wrist_yaw', axis=YAW, limits=(-1.614429558, 1.614429558, 22, 5),
    ),
    Body(
        'rubber_hand', 'wrist_yaw_link', (0.0415, 0.003, 0), 0.17,
        (0.05361310808, -0.0029590524, 0.00215413091),
        (0.00010099485, 3.618590791e-05, -7.4301518642e-07, 0.00028135871572, 3.30189743286e-06,
         0.00021894770414),
        box((0.12, 0.03, 0.08), (0.07, -0.01, 0), (0, 0, -0.3)), colour=DARK,
    ),
    Body('hand', 'rubber_hand', (0.13, -0.025, 0), 0, (), ()),  # the finger tips
)  # fmt: skip
PELVIS = Body(
    'pelvis', '', (), 3.813, (0, 0, -0.07605), (0.010549, 0, 2.1e-06, 0.0093089, 0, 0.0079184),
    box((0.12, 0.1, 0.13), (0, 0, -0.06)), colour=DARK,
)  # fmt: skip
MIRRORED = ('hip_roll', 'shoulder_roll')  # whose range on the right is that of the left mirrored


def mirrored(body: Body, side: str) -> Body:
    """The body of one side. The right one is mirrored at the plane y = 0."""
    s = 1 if side == 'left' else -1

    def point(p: tuple) -> tuple:
        return (p[0], s * p[1], p[2]) if p else p

    def turn(rpy: tuple) -> tuple:
        return s * rpy[0], rpy[1], s * rpy[2]

    def named(name: str) -> str:
        return name if name in ('pelvis', 'torso_link') else f'{side}_{name}'

    ixx, ixy, ixz, iyy, iyz, izz = body.inertia or (0,) * 6
    shape, limits = body.shape, body.limits
    if s < 0 and limits and body.joint in MIRRORED:
        limits = (-limits[1], -limits[0], *limits[2:])
    return Body(
        f'{side}_{body.link}', named(body.parent), point(body.xyz), body.mass, point(body.com),
        body.inertia and (ixx, s * ixy, ixz, iyy, s * iyz, izz),
        shape and Shape(shape.element, point(shape.at), turn(shape.rpy)), turn(body.rpy),
        body.joint and f'{side}_{body.joint}', body.axis, limits, body.colour,
    )  # fmt: skip


def link(body: Body) -> list[str]:
    out = [f'  <link name="{body.link}">']
    if body.mass:
        names = ('ixx', 'ixy', 'ixz', 'iyy', 'iyz', 'izz')
        moments = ' '.join(
            f'{name}="{value:.10g}"' for name, value in zip(names, body.inertia, strict=True)
        )
        out.append(
            f'    <inertial><origin xyz="{numbers(body.com)}"/><mass value="{body.mass:.10g}"/>'
            f'<inertia {moments}/></inertial>'
        )
    if body.shape:
        place = (
            f'<origin xyz="{numbers(body.shape.at)}" rpy="{numbers(body.shape.rpy)}"/>'
            f'<geometry>{body.shape.element}</geometry>'
        )
        out.append(f'    <collision name="{body.link}_0">{place}</collision>')
        out.append(f'    <visual>{place}<material name="{body.colour}"/></visual>')
    return [*out, '  </link>']


def joint(body: Body, fixed_at: float | None) -> list[str]:
    """fixed_at: rad at which a joint about y is fixed; None for one that moves."""
    moves = body.limits is not None and fixed_at is None
    rpy = body.rpy
    if body.limits is not None and fixed_at:
        assert body.axis == PITCH and rpy[0] == rpy[2] == 0
        rpy = (0, rpy[1] + fixed_at, 0)
    name = f'{body.joint}_joint' if body.joint else f'{body.link}_mount'
    out = [
        f'  <joint name="{name}" type="{"revolute" if moves else "fixed"}">'
        f'<parent link="{body.parent}"/><child link="{body.link}"/>',
        f'    <origin xyz="{numbers(body.xyz)}" rpy="{numbers(rpy)}"/>',
    ]
    if moves:
        lower, upper, velocity, effort = body.limits
        out.append(
            f'    <axis xyz="{numbers(body.axis)}"/><limit lower="{lower:.10g}" '
            f'upper="{upper:.10g}" velocity="{velocity:g}" effort="{effort:g}"/>'
        )
    return [*out, '  </joint>']


def urdf(upper: bool) -> str:
    """The whole robot, or the upper body with fixed legs."""
    name = 'unitree_g1_upper' if upper else 'unitree_g1'
    out = [
        '<?xml version="1.0"?>',
        '<!-- Written by tools/make_unitree_g1.py; see NOTICE. Version 1.1: Pinocchio drops',
        '     capsules from older ones. -->',
        f'<robot name="{name}" version="1.1">',
    ]
    for colour, rgba in COLOURS.items():
        out.append(f'  <material name="{colour}"><color rgba="{numbers(rgba)}"/></material>')
    if upper:
        stand = Body('pelvis', 'stand', (0, 0, HIP_HEIGHT), 0, (), ())
        out += ['  <link name="stand"/>', *joint(stand, None)]
    out += link(PELVIS)
    bodies = [(mirrored(body, side), body.joint) for side in ('left', 'right') for body in LEG]
    bodies += [(body, '') for body in TRUNK]
    bodies += [(mirrored(body, side), '') for side in ('left', 'right') for body in ARM]
    for body, leg in bodies:
        fixed_at = STANDING.get(leg, 0.0) if upper and leg else None
        out += link(body) + joint(body, fixed_at)
    return '\n'.join([*out, '</robot>']) + '\n'


if __name__ == '__main__':
    for whole in (True, False):
        directory = 'unitree_g1' if whole else 'unitree_g1_upper'
        (Path(sys.argv[1]) / directory / 'robot.urdf').write_text(urdf(not whole))

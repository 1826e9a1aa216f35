# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Write robots/humanoid32/robot.urdf: left and right from one description, inertias from shapes.

    python tools/make_humanoid32_urdf.py robots/humanoid32/robot.urdf

The URDF is what everything reads; this generates its mirrored half and its inertia tensors. A test
compares the two.

Axes: x forward, y left, z up; pitch about +y (a positive elbow would bend backwards), roll about
+x, yaw about +z. `base_link` lies between the hips. Lengths in m, masses in kg.
"""

import sys
from math import pi
from pathlib import Path

PITCH, ROLL, YAW = (0, 1, 0), (1, 0, 0), (0, 0, 1)
SHELL, DARK, ACCENT, SKIN = 'shell', 'dark', 'accent', 'skin'
COLOURS = {
    SHELL: (0.86, 0.87, 0.89, 1),
    DARK: (0.20, 0.22, 0.26, 1),
    ACCENT: (0.95, 0.52, 0.13, 1),
    SKIN: (0.42, 0.46, 0.53, 1),
}


def numbers(values) -> str:
    return ' '.join(f'{v + 0.0:.10g}' for v in values)


def box(size):
    x, y, z = size
    return (
        f'<box size="{numbers(size)}"/>',
        ((y * y + z * z) / 12, (x * x + z * z) / 12, (x * x + y * y) / 12),
    )


def rod(radius, length, shape='capsule'):
    """A capsule (length without its caps) or cylinder along z."""
    inertia = (3 * radius**2 + length**2) / 12
    return (
        f'<{shape} radius="{radius:g}" length="{length:g}"/>',
        (inertia, inertia, radius**2 / 2),
    )


def ball(radius):
    return f'<sphere radius="{radius:g}"/>', (0.4 * radius**2,) * 3


class Writer:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def link(self, name, mass=0.0, solid=None, at=(0, 0, 0), collision=None, visuals=()):
        """`solid` has the mass distribution, centred `at`, and collides, centred at `collision`."""
        out = self.lines
        out.append(f'  <link name="{name}">')
        if mass:
            ixx, iyy, izz = (mass * i for i in solid[1])
            out.append(f'    <inertial><origin xyz="{numbers(at)}"/><mass value="{mass:g}"/>')
            out.append(
                f'      <inertia ixx="{ixx:.6g}" iyy="{iyy:.6g}" izz="{izz:.6g}"'
                ' ixy="0" ixz="0" iyz="0"/></inertial>'
            )
        if collision:
            out.append(
                f'    <collision name="{name}_0"><origin xyz="{numbers(collision)}"/>'
                f'<geometry>{solid[0]}</geometry></collision>'
            )
        for shape, xyz, colour, *rpy in visuals:
            turn = f' rpy="{numbers(rpy[0])}"' if rpy else ''
            out.append(
                f'    <visual><origin xyz="{numbers(xyz)}"{turn}/><geometry>{shape[0]}</geometry>'
                f'<material name="{colour}"/></visual>'
            )
        out.append('  </link>')

    def joint(self, name, parent, child, xyz, axis, lower, upper, velocity, effort):
        self.lines.append(
            f'  <joint name="{name}" type="revolute"><parent link="{parent}"/>'
            f'<child link="{child}"/><origin xyz="{numbers(xyz)}"/><axis xyz="{numbers(axis)}"/>'
        )
        self.lines.append(
            f'    <limit lower="{lower:g}" upper="{upper:g}" velocity="{velocity:g}"'
            f' effort="{effort:g}"/></joint>'
        )

    def chain(self, link, joints, side=''):
        """Joints in series: (name, child, xyz, axis, lower, upper, velocity, effort)."""
        for name, child, *rest in joints:
            self.joint(side + name, link, side + child, *rest)
            link = side + child

    def fixed(self, name, parent, child, xyz, rpy=(0, 0, 0)):
        self.lines.append(
            f'  <joint name="{name}" type="fixed"><parent link="{parent}"/><child link="{child}"/>'
            f'<origin xyz="{numbers(xyz)}" rpy="{numbers(rpy)}"/></joint>'
        )


def trunk(w: Writer) -> None:
    pelvis = box((0.18, 0.26, 0.15))
    visuals = [
        (box((0.17, 0.25, 0.085)), (0, 0, 0.0725), SHELL),
        (rod(0.05, 0.20, 'cylinder'), (0, 0, 0.01), DARK, (pi / 2, 0, 0)),
        (box((0.012, 0.10, 0.03)), (0.086, 0, 0.075), ACCENT),
    ]
    w.link('base_link', 8.4, pelvis, (0, 0, 0.03), (0, 0, 0.03), visuals)
    w.link('imu')
    w.fixed('imu_mount', 'base_link', 'imu', (0, 0, 0.05))

    waist = rod(0.06, 0.08, 'cylinder')
    w.link('torso_yaw_link', 0.5, waist, visuals=[(waist, (0, 0, 0.02), DARK)])
    w.link('torso_pitch_link', 0.5, waist)
    chest = box((0.18, 0.28, 0.34))
    visuals = [
        (box((0.14, 0.20, 0.12)), (0, 0, 0.12), DARK),
        (box((0.17, 0.27, 0.20)), (0, 0, 0.305), SHELL),
        (box((0.012, 0.14, 0.05)), (0.086, 0, 0.33), ACCENT),
        (rod(0.045, 0.36, 'cylinder'), (0, 0, 0.37), SKIN, (pi / 2, 0, 0)),
        (rod(0.04, 0.07, 'cylinder'), (0, 0, 0.44), DARK),
    ]
    w.link('torso_roll_link', 12.0, chest, (0.02, 0, 0.23), (0, 0, 0.24), visuals)
    w.chain(
        'base_link',
        [
            ('torso_yaw', 'torso_yaw_link', (0, 0, 0.12), YAW, -1.2, 1.2, 3, 100),
            ('torso_pitch', 'torso_pitch_link', (0, 0, 0), PITCH, -0.35, 0.9, 3, 100),
            ('torso_roll', 'torso_roll_link', (0, 0, 0), ROLL, -0.45, 0.45, 3, 100),
        ],
    )

    neck = ball(0.04)
    w.link('head_yaw_link', 0.2, neck)
    w.link('head_pitch_link', 0.2, neck, visuals=[(neck, (0, 0, 0), DARK)])
    skull = rod(0.085, 0.06)
    visuals = [
        (rod(0.085, 0.06, 'cylinder'), (0, 0, 0.13), SHELL),
        (ball(0.085), (0, 0, 0.16), SHELL),
        (ball(0.085), (0, 0, 0.10), SHELL),
        (box((0.03, 0.12, 0.045)), (0.073, 0, 0.13), DARK),
        (rod(0.012, 0.014, 'cylinder'), (0.09, 0, 0.13), ACCENT, (0, pi / 2, 0)),
    ]
    w.link('head_roll_link', 3.2, skull, (0, 0, 0.12), (0, 0, 0.13), visuals)
    w.chain(
        'torso_roll_link',
        [
            ('head_yaw', 'head_yaw_link', (0, 0, 0.47), YAW, -1.4, 1.4, 4, 20),
            ('head_pitch', 'head_pitch_link', (0, 0, 0), PITCH, -0.6, 1.15, 4, 20),
            ('head_roll', 'head_roll_link', (0, 0, 0), ROLL, -0.5, 0.5, 4, 20),
        ],
    )
    # The optical frame: z out of the lens, x right, y down; in front of the lens' own geometry.
    w.link('head_camera')
    w.fixed(
        'head_camera_mount', 'head_roll_link', 'head_camera', (0.1, 0, 0.13), (-pi / 2, 0, -pi / 2)
    )


def arm(w: Writer, side: str, s: int) -> None:
    """s is +1 on the left, -1 on the right."""
    shoulder, wrist = ball(0.05), ball(0.03)
    upper, fore, hand = rod(0.042, 0.18), rod(0.036, 0.17), box((0.07, 0.035, 0.17))
    visuals = [(rod(0.05, 0.04, 'cylinder'), (0, -0.02 * s, 0), DARK, (pi / 2, 0, 0))]
    w.link(f'{side}_shoulder_pitch_link', 0.3, shoulder, visuals=visuals)
    w.link(f'{side}_shoulder_roll_link', 0.3, shoulder, visuals=[(shoulder, (0, 0, 0), SHELL)])
    visuals = [
        (rod(0.04, 0.2, 'cylinder'), (0, 0, -0.13), SHELL),
        (rod(0.042, 0.02, 'cylinder'), (0, 0, -0.19), ACCENT),
    ]
    w.link(f'{side}_upper_arm', 1.2, upper, (0, 0, -0.13), (0, 0, -0.14), visuals)
    visuals = [
        (rod(0.043, 0.075, 'cylinder'), (0, 0, 0), DARK, (pi / 2, 0, 0)),
        (rod(0.034, 0.18, 'cylinder'), (0, 0, -0.12), SHELL),
    ]
    w.link(f'{side}_forearm', 1.0, fore, (0, 0, -0.11), (0, 0, -0.115), visuals)
    w.link(f'{side}_wrist_yaw_link', 0.15, wrist, visuals=[(wrist, (0, 0, 0), DARK)])
    w.link(f'{side}_wrist_pitch_link', 0.15, wrist)
    visuals = [
        (box((0.07, 0.03, 0.085)), (0, 0, -0.0625), SKIN),
        (box((0.018, 0.024, 0.085)), (-0.024, 0, -0.1475), DARK),
        (box((0.018, 0.024, 0.085)), (0, 0, -0.1475), DARK),
        (box((0.018, 0.024, 0.085)), (0.024, 0, -0.1475), DARK),
        (box((0.03, 0.02, 0.018)), (0.05, -0.005 * s, -0.06), DARK),
    ]
    w.link(f'{side}_palm', 0.5, hand, (0, 0, -0.09), (0, 0, -0.105), visuals)
    w.link(f'{side}_hand')
    roll = (-0.25, 2.2) if s > 0 else (-2.2, 0.25)
    w.chain(
        'torso_roll_link',
        [
            ('shoulder_pitch', 'shoulder_pitch_link', (0, 0.2 * s, 0.38), PITCH, -3, 1.2, 6, 100),
            ('shoulder_roll', 'shoulder_roll_link', (0, 0, 0), ROLL, *roll, 6, 100),
            ('shoulder_yaw', 'upper_arm', (0, 0, 0), YAW, -1.8, 1.8, 6, 100),
            ('elbow', 'forearm', (0, 0, -0.26), PITCH, -2.4, 0.05, 6, 100),
            ('wrist_yaw', 'wrist_yaw_link', (0, 0, -0.225), YAW, -1.6, 1.6, 8, 30),
            ('wrist_pitch', 'wrist_pitch_link', (0, 0, 0), PITCH, -1.2, 1.2, 8, 30),
            ('wrist_roll', 'palm', (0, 0, 0), ROLL, -0.8, 0.8, 8, 30),
        ],
        f'{side}_',
    )
    # The finger tips.
    w.fixed(f'{side}_hand_mount', f'{side}_palm', f'{side}_hand', (0, 0, -0.19))
    # Optical, on the thumb's side of the palm: it looks along the fingers and past their tips.
    w.link(f'{side}_wrist_camera')
    w.fixed(
        f'{side}_wrist_camera_mount',
        f'{side}_palm',
        f'{side}_wrist_camera',
        (0.13, 0, -0.02),
        (pi - 0.6, 0, -pi / 2),
    )


def leg(w: Writer, side: str, s: int) -> None:
    hip, thigh, shank = ball(0.06), rod(0.055, 0.24), rod(0.043, 0.25)
    foot = box((0.24, 0.10, 0.04))
    w.link(f'{side}_hip_yaw_link', 0.6, hip)
    w.link(f'{side}_hip_roll_link', 0.6, hip, visuals=[(hip, (0, 0, 0), DARK)])
    visuals = [
        (rod(0.055, 0.25, 'cylinder'), (0, 0, -0.18), SHELL),
        (rod(0.057, 0.02, 'cylinder'), (0, 0, -0.27), ACCENT),
    ]
    w.link(f'{side}_thigh', 4.6, thigh, (0, 0, -0.17), (0, 0, -0.19), visuals)
    visuals = [
        (rod(0.056, 0.10, 'cylinder'), (0, 0, 0), DARK, (pi / 2, 0, 0)),
        (rod(0.043, 0.27, 'cylinder'), (0, 0, -0.19), SHELL),
    ]
    w.link(f'{side}_shank', 3.2, shank, (0, 0, -0.16), (0, 0, -0.18), visuals)
    w.link(f'{side}_ankle_pitch_link', 0.4, ball(0.04), visuals=[(ball(0.042), (0, 0, 0), DARK)])
    w.link(f'{side}_ankle_roll_link', 1.2, foot, (0.03, 0, -0.04))
    # Massless, so that the force sensor between it and the ankle measures the ground alone.
    visuals = [(foot, (0.035, 0, 0.02), SKIN), (box((0.12, 0.075, 0.03)), (0.0, 0, 0.05), DARK)]
    w.link(f'{side}_foot', 0.0, foot, (0, 0, 0), (0.035, 0, 0.02), visuals)
    roll = (-0.35, 0.6) if s > 0 else (-0.6, 0.35)
    w.chain(
        'base_link',
        [
            ('hip_yaw', 'hip_yaw_link', (0, 0.095 * s, 0), YAW, -0.8, 0.8, 6, 100),
            ('hip_roll', 'hip_roll_link', (0, 0, 0), ROLL, *roll, 6, 100),
            ('hip_pitch', 'thigh', (0, 0, 0), PITCH, -1.9, 0.7, 8, 100),
            ('knee', 'shank', (0, 0, -0.36), PITCH, -0.05, 2.3, 8, 100),
            ('ankle_pitch', 'ankle_pitch_link', (0, 0, -0.36), PITCH, -0.9, 0.6, 8, 100),
            ('ankle_roll', 'ankle_roll_link', (0, 0, 0), ROLL, -0.45, 0.45, 8, 100),
        ],
        f'{side}_',
    )
    # On the sole, below the ankle.
    w.fixed(f'{side}_foot_mount', f'{side}_ankle_roll_link', f'{side}_foot', (0, 0, -0.065))


def urdf() -> str:
    w = Writer()
    w.lines += [
        '<?xml version="1.0"?>',
        '<!-- Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0 -->',
        '<!-- Written by tools/make_humanoid32_urdf.py. Version 1.1: Pinocchio drops capsules',
        '     from older ones. Collision elements are named <link>_<k>, as Pinocchio calls them,',
        '     so that every library uses the same names. -->',
        '<robot name="humanoid32" version="1.1">',
    ]
    for name, rgba in COLOURS.items():
        w.lines.append(f'  <material name="{name}"><color rgba="{numbers(rgba)}"/></material>')
    trunk(w)
    for side, s in (('left', 1), ('right', -1)):
        arm(w, side, s)
    for side, s in (('left', 1), ('right', -1)):
        leg(w, side, s)
    w.lines.append('</robot>')
    return '\n'.join(w.lines) + '\n'


if __name__ == '__main__':
    Path(sys.argv[1]).write_text(urdf())

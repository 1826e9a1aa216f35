# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Write robots/<arm>/robot.urdf of each arm in `arm_tables.py`: its numbers, shapes and stand.

    python tools/make_arms.py robots

The URDFs are what everything reads; a test compares them with this. To each arm are added a stand,
on which it is bolted at the edge of the simulated table, and a camera that looks at both.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from arm_parts import DARK, Arm, Block, Frame, Joint, Link, Rod, Slide
from arm_tables import ARMS
from make_humanoid32_urdf import numbers

STAND = 0.8  # m, its height
CAMERA, TARGET = (1.25, 0.85, 0.85), (0.25, 0.0, 0.15)  # m, in the base's frame
CORNER = 1.04
"""Radius of a rod's capsule over that of the rod. Its centres lie half a radius inside the flat
ends: the rim of an end is then outside by 0.08 radii at most (2 to 5 mm; the filter's margin is
20 mm), and the cap protrudes by half a radius."""


def rpy(rotation: np.ndarray) -> tuple[float, float, float]:
    """Roll, pitch, yaw of a rotation matrix (3, 3)."""
    pitch = np.arcsin(np.clip(-rotation[2, 0], -1.0, 1.0))
    return (
        float(np.arctan2(rotation[2, 1], rotation[2, 2])),
        float(pitch),
        float(np.arctan2(rotation[1, 0], rotation[0, 0])),
    )


def along(direction: np.ndarray) -> tuple[float, float, float]:
    """Roll, pitch, yaw that turn the z axis to a unit vector."""
    x, y, z = direction
    return (0.0, float(np.arctan2(np.hypot(x, y), z)), float(np.arctan2(y, x)))


def place(shape: Rod | Block) -> str:
    if isinstance(shape, Block):
        return f'<origin xyz="{numbers(0.5 * (np.array(shape.low) + shape.high))}"/>'
    start, end = np.array(shape.start, float), np.array(shape.end, float)
    turn = along((end - start) / np.linalg.norm(end - start))
    return f'<origin xyz="{numbers(0.5 * (start + end))}" rpy="{numbers(turn)}"/>'


def geometry(shape: Rod | Block, solid: bool) -> str:
    if isinstance(shape, Block):
        return f'<geometry><box size="{numbers(np.subtract(shape.high, shape.low))}"/></geometry>'
    length = float(np.linalg.norm(np.subtract(shape.end, shape.start)))
    if solid:
        inside = max(length - shape.radius, 0.002)
        size = f'radius="{shape.radius * CORNER:.4g}" length="{inside:.5g}"'
        return f'<geometry><capsule {size}/></geometry>'
    return f'<geometry><cylinder radius="{shape.radius:g}" length="{length:.5g}"/></geometry>'


def write_link(lines: list[str], name: str, shapes: tuple, link: Link | None = None) -> None:
    lines.append(f'  <link name="{name}">')
    if link is not None:
        turn = f' rpy="{numbers(link.rpy)}"' if any(link.rpy) else ''
        axes = zip(('ixx', 'iyy', 'izz', 'ixy', 'ixz', 'iyz'), link.inertia, strict=True)
        lines.append(f'    <inertial><origin xyz="{numbers(link.at)}"{turn}/>')
        moments = ' '.join(f'{axis}="{moment:.9g}"' for axis, moment in axes)
        lines.append(f'      <mass value="{link.mass:g}"/><inertia {moments}/></inertial>')
    for k, shape in enumerate(shapes):
        solid = f'{place(shape)}{geometry(shape, True)}'
        lines.append(f'    <collision name="{name}_{k}">{solid}</collision>')
    for shape in shapes:
        looks = f'{geometry(shape, False)}<material name="{shape.colour}"/>'
        lines.append(f'    <visual>{place(shape)}{looks}</visual>')
    lines.append('  </link>')


def write_joint(
    lines: list[str], joint: Joint | Slide, kind: str, parent: str, child: str, axis: str
) -> None:
    lines.append(
        f'  <joint name="{joint.name}" type="{kind}"><parent link="{parent}"/>'
        f'<child link="{child}"/><origin xyz="{numbers(joint.xyz)}" '
        f'rpy="{numbers(joint.rpy)}"/><axis xyz="{axis}"/>'
    )
    lines.append(
        f'    <limit lower="{joint.lower:.9g}" upper="{joint.upper:.9g}"'
        f' velocity="{joint.velocity:.9g}" effort="{joint.effort:g}"/></joint>'
    )


def write_fixed(lines: list[str], frame: Frame) -> None:
    lines.append(
        f'  <joint name="{frame.name}_mount" type="fixed"><parent link="{frame.parent}"/>'
        f'<child link="{frame.name}"/><origin xyz="{numbers(frame.xyz)}" '
        f'rpy="{numbers(frame.rpy)}"/></joint>'
    )


def camera(base: str) -> Frame:
    """An optical frame (z forward, x right, y down) at CAMERA that looks at TARGET."""
    forward = np.subtract(TARGET, CAMERA) / np.linalg.norm(np.subtract(TARGET, CAMERA))
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    turn = rpy(np.column_stack([right, np.cross(forward, right), forward]))
    return Frame('camera', base, CAMERA, turn)


def wrist_camera(arm: Arm) -> Frame:
    """An optical frame beside the last link that looks along the tool and at its point."""
    if arm.wrist_camera is not None:
        return arm.wrist_camera
    holder = arm.fixed[-1][0].name if arm.fixed else arm.links[-1].name
    return Frame('wrist_camera', holder, (0.08, 0.0, 0.0), (0.0, -0.3, 0.0))


def urdf(name: str, arm: Arm) -> str:
    lines = [
        '<?xml version="1.0"?>',
        '<!-- Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0 -->',
        '<!-- Written by tools/make_arms.py from published numbers: see NOTICE. -->',
        f'<robot name="{name}" version="1.1">',
    ]
    for colour, rgb in ({DARK: (0.24, 0.25, 0.27)} | (arm.colours or {})).items():
        lines.append(f'  <material name="{colour}"><color rgba="{numbers(rgb)} 1"/></material>')
    base, w = arm.links[0].name, arm.stand
    attached = (*arm.fixed, *arm.fingers)
    for link in (*arm.links, *(link for link, _ in attached)):
        write_link(lines, link.name, link.shapes, link)
    for joint, parent, child in zip(arm.joints, arm.links, arm.links[1:], strict=False):
        write_joint(lines, joint, 'revolute', parent.name, child.name, '0 0 1')
    for link, slide in arm.fingers:
        write_joint(lines, slide, 'prismatic', slide.parent, link.name, '0 1 0')
    for _, frame in arm.fixed:
        write_fixed(lines, frame)
    write_link(lines, 'stand', (Block((-w, -w, -STAND), (w, w, 0.0), DARK),))
    write_fixed(lines, Frame('stand', base, (0, 0, 0)))
    for frame in (arm.tool, camera(base), wrist_camera(arm)):
        write_link(lines, frame.name, ())
        write_fixed(lines, frame)
    return '\n'.join([*lines, '</robot>']) + '\n'


if __name__ == '__main__':
    for name, arm in ARMS.items():
        directory = Path(sys.argv[1]) / name
        directory.mkdir(exist_ok=True)
        (directory / 'robot.urdf').write_text(urdf(name, arm))

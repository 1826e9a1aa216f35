# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A small robot that is written to be broken: two arm joints, a head, a mesh, every kind of key."""

import struct
from pathlib import Path

YAML = """\
format: 1
name: smallbot
description: to be broken
urdf: robot.urdf
joints: [lift, bend, pan]
groups: {left_arm: [lift, bend], head: [pan], legs: [], upper_body: [left_arm, head]}
frames: {base: stand, imu: stand, head_camera: eye, left_hand: grip}
poses:
  standing: {lift: 0.5}
  ready: {lift: -0.5, bend: 0.5}
paths: {ready: [standing, ready]}
servos:
  all: {joints: [upper_body], kp: 80, kv: 3, acceleration: 10, jerk: 500, soft_margin: 0.05}
stops: {supervisor_lost: hold, estop: damp, safe_stop_duration: 1.0}
camera: {frame: head_camera, width: 64, height: 48, fovy: 1.0}
allowed_collisions: [[upper, grip]]
simulation:
  armature: {all: 0.01}
  joint_damping: 0.1
  foot_friction: [1, 0.01, 0.0001]
  foot_solref: [0.01, 1]
"""


def _body(name: str, mass: float, shape: str, origin: str = '0 0 0.1') -> str:
    return (
        f'<link name="{name}"><inertial><origin xyz="{origin}" rpy="0 0 0"/><mass value="{mass}"/>'
        '<inertia ixx="0.01" iyy="0.01" izz="0.008" ixy="0" ixz="0" iyz="0"/></inertial>'
        f'<visual><origin xyz="{origin}"/><geometry>{shape}</geometry>'
        '<material name="grey"><color rgba="0.5 0.5 0.5 1"/></material></visual>'
        f'<collision name="{name}_shape"><origin xyz="{origin}"/><geometry>{shape}</geometry>'
        '</collision></link>'
    )


def _joint(name: str, parent: str, child: str, axis: str, place: str) -> str:
    return (
        f'<joint name="{name}" type="revolute"><parent link="{parent}"/><child link="{child}"/>'
        f'<origin xyz="{place}" rpy="0 0 0"/><axis xyz="{axis}"/>'
        '<limit lower="-1.5" upper="1.5" velocity="3" effort="40"/>'
        '<dynamics damping="0.1" friction="0"/></joint>'
    )


def _fixed(name: str, parent: str, child: str, place: str) -> str:
    return (
        f'<joint name="{name}" type="fixed"><parent link="{parent}"/><child link="{child}"/>'
        f'<origin xyz="{place}" rpy="0 0 0"/></joint>'
    )


URDF = ''.join(
    (
        '<?xml version="1.0"?><robot name="smallbot" version="1.1">',
        _body('stand', 10.0, '<box size="0.2 0.2 0.8"/>', '0 0 0.4'),
        _joint('lift', 'stand', 'upper', '0 1 0', '0 0.15 0.8'),
        _body('upper', 1.0, '<cylinder radius="0.03" length="0.2"/>'),
        _joint('bend', 'upper', 'fore', '0 1 0', '0 0 0.25'),
        _body('fore', 0.5, '<mesh filename="meshes/wedge.stl" scale="1 1 1"/>'),
        _fixed('grip_mount', 'fore', 'grip', '0 0 0.25'),
        '<link name="grip"><collision><geometry><sphere radius="0.02"/></geometry></collision>',
        '</link>',
        _joint('pan', 'stand', 'neck', '0 0 1', '0 0 0.9'),
        _body('neck', 0.4, '<capsule radius="0.04" length="0.05"/>'),
        _fixed('eye_mount', 'neck', 'eye', '0.05 0 0.1'),
        '<link name="eye"/>',
        '<transmission name="t"><type>simple</type><joint name="pan"/></transmission>',
        '</robot>',
    )
)


def _wedge() -> bytes:
    """A tetrahedron as binary STL."""
    a, b, c, d = (-0.03, -0.03, 0.02), (0.03, -0.03, 0.02), (0.0, 0.03, 0.02), (0.0, 0.0, 0.2)
    faces = ((a, c, b), (a, b, d), (b, c, d), (c, a, d))
    content = bytes(80) + struct.pack('<I', len(faces))
    for face in faces:
        content += struct.pack('<12fH', 0.0, 0.0, 0.0, *(x for point in face for x in point), 0)
    return content


def write_small_robot(directory: Path) -> None:
    """Write robot.yaml, robot.urdf and a mesh."""
    (directory / 'meshes').mkdir(parents=True)
    (directory / 'robot.yaml').write_text(YAML)
    (directory / 'robot.urdf').write_text(URDF)
    (directory / 'meshes' / 'wedge.stl').write_bytes(_wedge())

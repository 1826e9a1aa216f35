# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Published numbers of robot arms, and shapes of our own fitted to them, for `make_arms.py`.

Placements, axes, masses, inertias and limits are the makers'; the NOTICE in each robot directory
names their source and licence. m, rad, kg, kg m², rad/s, Nm. Every joint turns about the z axis of
its own frame, as the makers define theirs.

Shapes (in the link's frame) are ours: a `Rod` is a housing or a tube from one flat end to the
other. It is drawn as a cylinder and collides as a capsule; a `Block` is a box in both.
"""

from dataclasses import dataclass
from math import pi, radians

import numpy as np

HALF = pi / 2
DARK, SHELL, ACCENT = 'dark', 'shell', 'accent'


@dataclass(frozen=True)
class Rod:
    """From `start` to `end` with `radius`, m."""

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    radius: float
    colour: str = SHELL


@dataclass(frozen=True)
class Block:
    """A box: lowest and highest corner, m."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    colour: str = SHELL


@dataclass(frozen=True)
class Link:
    """Centre of mass `at`; `inertia` about it: xx, yy, zz, xy, xz, yz in axes turned by `rpy`."""

    name: str
    mass: float
    at: tuple[float, float, float]
    inertia: tuple[float, ...]
    shapes: tuple = ()
    rpy: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Joint:
    """Placement in the parent link, limits of position, velocity, effort; moves the next link."""

    name: str
    xyz: tuple[float, float, float]
    rpy: tuple[float, float, float]
    lower: float
    upper: float
    velocity: float
    effort: float


@dataclass(frozen=True)
class Frame:
    """A link without mass, fixed to `parent`."""

    name: str
    parent: str
    xyz: tuple[float, float, float]
    rpy: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Arm:
    """`links` in series, joined by `joints`; `fixed` are rigidly joined to the last link or to what
    is named. colours: RGB of the shells and of the accents."""

    links: tuple[Link, ...]
    joints: tuple[Joint, ...]
    tool: Frame
    fixed: tuple[tuple[Link, Frame], ...] = ()
    colours: dict | None = None


def principal(quaternion: tuple[float, ...], moments: tuple[float, ...]) -> tuple[float, ...]:
    """xx, yy, zz, xy, xz, yz of principal moments in axes turned by a quaternion (w, x, y, z)."""
    w, *v = np.array(quaternion) / np.linalg.norm(quaternion)
    x, y, z = v
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn = np.eye(3) + 2 * w * cross + 2 * cross @ cross
    full = turn @ np.diag(moments) @ turn.T
    return tuple(float(full[i, j]) for i, j in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)))


TURN = radians(180.0)  # rad/s, of every joint of the UR5e
UR5E = Arm(
    links=(
        Link(
            'base_link', 4.0, (0, 0, 0), (0.00443333, 0.00443333, 0.0072, 0, 0, 0),
            (Rod((0, 0, 0), (0, 0, 0.099), 0.075, DARK),),
        ),
        Link(
            'shoulder_link', 3.761, (0, -0.00193, -0.02561),
            (0.00700210, 0.00648091, 0.00657286, 0.00000073, -0.00001053, 0.00049994),
            (Rod((0, 0, -0.064), (0, 0, 0.066), 0.06), Rod((0, 0, 0), (0, -0.074, 0), 0.059, DARK)),
            rpy=(HALF, 0, 0),
        ),
        Link(
            'upper_arm_link', 8.058, (-0.2125, 0, 0.11336),
            (0.01505885, 0.33388086, 0.33247207, -0.00005400, 0.00000563, -0.00000181),
            (
                Rod((0, 0, 0.072), (0, 0, 0.208), 0.06),
                Rod((0, 0, 0.138), (-0.425, 0, 0.138), 0.055),
                Rod((-0.425, 0, 0.06), (-0.425, 0, 0.208), 0.06, ACCENT),
            ),
        ),
        Link(
            'forearm_link', 2.846, (-0.2422, 0, 0.0265),
            (0.00399632, 0.07879254, 0.07848510, -0.00001365, 0.00137272, -0.00000660),
            (
                Rod((0, 0, -0.03), (0, 0, 0.06), 0.058),
                Rod((0, 0, 0.007), (-0.392, 0, 0.007), 0.048),
                Rod((-0.3922, 0, -0.049), (-0.3922, 0, 0.06), 0.04, ACCENT),
            ),
        ),
        Link(
            'wrist_1_link', 1.37, (0, -0.01634, -0.0018),
            (0.00165491, 0.00135962, 0.00126279, -0.00000282, -0.00000438, 0.00010157),
            (
                Rod((0, -0.054, 0), (0, 0.056, 0), 0.039),
                Rod((0, 0, -0.074), (0, 0, 0), 0.038, DARK),
            ),
            rpy=(HALF, 0, 0),
        ),
        Link(
            'wrist_2_link', 1.3, (0, 0.01634, -0.0018),
            (0.00135617, 0.00127827, 0.00096614, -0.00000274, 0.00000444, -0.00005048),
            (
                Rod((0, -0.057, 0), (0, 0.053, 0), 0.039, ACCENT),
                Rod((0, 0, -0.046), (0, 0, 0), 0.038, DARK),
            ),
            rpy=(-HALF, 0, 0),
        ),
        Link(
            'wrist_3_link', 0.365, (0, 0, -0.001159),
            (0.00018694, 0.00018908, 0.00025756, 0.00000006, -0.00000017, -0.00000092),
            (Rod((0, 0, -0.046), (0, 0, 0), 0.0375),),
        ),
    ),
    joints=(
        # The maker's DH frame looks along -x; base_link along +x, as ROS has it.
        Joint('shoulder_pan_joint', (0, 0, 0.1625), (0, 0, pi), -2 * pi, 2 * pi, TURN, 150),
        Joint('shoulder_lift_joint', (0, 0, 0), (HALF, 0, 0), -2 * pi, 2 * pi, TURN, 150),
        Joint('elbow_joint', (-0.425, 0, 0), (0, 0, 0), -pi, pi, TURN, 150),
        Joint('wrist_1_joint', (-0.3922, 0, 0.1333), (0, 0, 0), -2 * pi, 2 * pi, TURN, 28),
        Joint('wrist_2_joint', (0, -0.0997, 0), (HALF, 0, 0), -2 * pi, 2 * pi, TURN, 28),
        Joint('wrist_3_joint', (0, 0.0996, 0), (-HALF, 0, 0), -2 * pi, 2 * pi, TURN, 28),
    ),
    tool=Frame('tool0', 'wrist_3_link', (0, 0, 0)),
    colours={SHELL: (0.80, 0.82, 0.84), ACCENT: (0.49, 0.68, 0.80)},
)  # fmt: skip

# The maker's products of inertia (xy, xz, yz) have the other sign than a URDF's: as published,
# link 4 is a body that cannot be, and links 1 to 5 lie across their shapes. Negated here.
PANDA = Arm(
    links=(
        Link(
            'panda_link0', 2.3966, (-0.0172, 0.0004, 0.0745),
            (0.0090, 0.0115, 0.0085, 0, -0.0020, 0),
            (
                Block((-0.06, -0.09, 0), (0.072, 0.09, 0.14)),
                Block((-0.15, -0.072, 0), (-0.06, 0.072, 0.10), DARK),
            ),
        ),
        Link(
            'panda_link1', 2.7907, (0.00033, -0.02204, -0.04762),
            (0.01564782655, 0.01439883526, 0.00500443991,
             -0.00000531236, 0.00003676721, 0.00248480843),
            (
                Rod((0, 0, -0.192), (0, 0, 0), 0.055),
                Rod((0, -0.129, 0), (0, 0, 0), 0.055),
                Rod((0, -0.02, -0.16), (0, -0.10, -0.02), 0.05),
            ),
        ),
        Link(
            'panda_link2', 2.5420, (0.00038, -0.09211, 0.01908),
            (0.01662427728, 0.00462501261, 0.01545124526,
             -0.00003086077, -0.00000835940, -0.00355899830),
            (
                Rod((0, -0.194, 0), (0, 0, 0), 0.055),
                Rod((0, 0, 0), (0, 0, 0.129), 0.055, DARK),
                Rod((0, -0.16, 0.02), (0, -0.02, 0.10), 0.05),
            ),
        ),
        Link(
            'panda_link3', 2.2513, (0.05152, 0.01696, -0.02971),
            (0.00631741992, 0.00866285493, 0.00657804051,
             -0.00097309955, -0.00292525834, -0.00093469224),
            (
                Rod((0, 0, -0.121), (0, 0, 0), 0.055),
                Rod((0.0825, -0.01, 0), (0.0825, 0.111, 0), 0.055, DARK),
                Rod((0, 0, -0.07), (0.0825, 0.03, 0), 0.06),
            ),
        ),
        Link(
            'panda_link4', 2.2037, (-0.05113, 0.05825, 0.01698),
            (0.00784585566, 0.00649543136, 0.01003079917,
             0.00339591957, -0.00158704074, 0.00181477884),
            (
                Rod((0, 0, -0.01), (0, 0, 0.111), 0.055, DARK),
                Rod((-0.0825, 0.124, 0), (-0.0825, 0.03, 0), 0.055),
                Rod((0, 0, 0.06), (-0.0825, 0.07, 0), 0.06),
            ),
        ),
        Link(
            'panda_link5', 2.2855, (-0.00005, 0.03730, -0.09280),
            (0.02297014781, 0.02095060919, 0.00430606551,
             0.00000949345, 0.00002063156, -0.00382345782),
            (
                Rod((0, 0, -0.265), (0, 0.01, -0.17), 0.056),
                Rod((0, 0.015, -0.22), (0, 0.06, 0), 0.054),
                Rod((0, 0.01, 0), (0, 0.13, 0), 0.051, DARK),
            ),
        ),
        Link(
            'panda_link6', 1.353, (0.06572, -0.00371, 0.00153),
            (0.00087964522, 0.00277796968, 0.00286701969,
             0.00021487814, 0.00011911662, -0.00001274322),
            (
                Rod((0, 0, -0.02), (0, 0, 0.055), 0.05),
                Rod((0.088, -0.05, 0), (0.088, 0.08, 0), 0.046),
                Rod((0, 0.01, 0.01), (0.088, 0.02, 0.003), 0.048),
            ),
        ),
        Link(
            'panda_link7', 0.35973, (0.00089, -0.00044, 0.05491),
            (0.00019541063, 0.00019210361, 0.00017936256,
             -0.00000165231, -0.00000148826, 0.00000131132),
            (
                Rod((0, 0, 0.052), (0, 0, 0.107), 0.044),
                Rod((0.01, 0.01, 0.08), (0.072, 0.072, 0.08), 0.03, DARK),
            ),
        ),
    ),
    joints=(
        Joint('panda_joint1', (0, 0, 0.333), (0, 0, 0), -2.8973, 2.8973, 2.175, 87),
        Joint('panda_joint2', (0, 0, 0), (-HALF, 0, 0), -1.7628, 1.7628, 2.175, 87),
        Joint('panda_joint3', (0, -0.316, 0), (HALF, 0, 0), -2.8973, 2.8973, 2.175, 87),
        Joint('panda_joint4', (0.0825, 0, 0), (HALF, 0, 0), -3.0718, -0.0698, 2.175, 87),
        Joint('panda_joint5', (-0.0825, 0.384, 0), (-HALF, 0, 0), -2.8973, 2.8973, 2.61, 12),
        Joint('panda_joint6', (0, 0, 0), (HALF, 0, 0), -0.0175, 3.7525, 2.61, 12),
        Joint('panda_joint7', (0.088, 0, 0), (HALF, 0, 0), -2.8973, 2.8973, 2.61, 12),
    ),
    # The gripper, with its fingers (2 x 0.0291 kg) fixed 40 mm apart.
    fixed=(
        (
            Link(
                'panda_hand', 0.7126, (-0.00003453, 0.01093988, 0.02560053),
                (0.00201, 0.00045, 0.00177, 0, 0, -0.00005),
                (
                    Block((-0.032, -0.102, -0.026), (0.032, 0.1, 0.066)),
                    Block((-0.011, 0.02, 0.066), (0.011, 0.04, 0.112), DARK),
                    Block((-0.011, -0.04, 0.066), (0.011, -0.02, 0.112), DARK),
                ),
            ),
            Frame('panda_hand', 'panda_link7', (0, 0, 0.107), (0, 0, -pi / 4)),
        ),
    ),
    tool=Frame('panda_hand_tcp', 'panda_hand', (0, 0, 0.1034)),
    colours={SHELL: (0.93, 0.93, 0.94), ACCENT: (0.20, 0.55, 0.80)},
)  # fmt: skip

XARM7 = Arm(
    links=(
        Link(
            'link_base', 0.88556, (-0.021131, -0.0016302, 0.056488),
            principal((0.696843, 0.20176, 0.10388, 0.680376), (0.00382023, 0.00335282, 0.00167725)),
            (Rod((0, 0, 0), (0, 0, 0.155), 0.063), Block((-0.09, -0.03, 0.0), (-0.04, 0.03, 0.04))),
        ),
        Link(
            'link1', 2.382, (-0.0002, 0.02905, -0.01233),
            principal(
                (0.978953, -0.202769, -0.00441617, -0.0227264), (0.00569127, 0.00533384, 0.00293865)
            ),
            (
                Rod((0, 0, -0.112), (0, 0, 0), 0.048),
                Rod((0, -0.057, 0), (0, 0.075, 0), 0.048, DARK),
            ),
        ),
        Link(
            'link2', 1.869, (0.00022, -0.12856, 0.01735),
            principal(
                (0.50198, 0.86483, -0.00778841, 0.00483285), (0.00959898, 0.00937717, 0.00201315)
            ),
            (
                Rod((0, -0.192, 0), (0, -0.07, 0), 0.043),
                Rod((0, -0.165, 0.065), (0, -0.02, 0.09), 0.044),
                Rod((0, 0, 0.075), (0, 0, 0.119), 0.047, DARK),
            ),
        ),
        Link(
            'link3', 1.6383, (0.0466, -0.02463, -0.00768),
            principal(
                (0.913819, 0.289775, 0.281481, -0.0416455), (0.00351721, 0.00294089, 0.00195868)
            ),
            (
                Rod((0, 0, -0.101), (0, 0, -0.03), 0.043),
                Rod((0.0525, -0.067, 0), (0.0525, 0.069, 0), 0.043, DARK),
                Rod((-0.01, 0.01, -0.07), (0.045, 0.04, 0.01), 0.045),
            ),
        ),
        Link(
            'link4', 1.7269, (0.07047, -0.11575, 0.012),
            principal(
                (0.422108, 0.852026, -0.126025, 0.282832), (0.00657137, 0.00647948, 0.00186763)
            ),
            (
                Rod((0, 0, 0.067), (0, 0, 0.107), 0.043, DARK),
                Rod((0.0775, -0.169, 0), (0.0775, -0.07, 0), 0.043),
                Rod((0.01, -0.02, 0.085), (0.085, -0.12, 0.055), 0.046),
            ),
        ),
        Link(
            'link5', 1.3203, (-0.00032, 0.01604, -0.026),
            principal(
                (0.999311, -0.0304457, 0.000577067, 0.0212082), (0.00534729, 0.00499076, 0.0013489)
            ),
            (
                Rod((0, 0, -0.173), (0, 0.01, -0.11), 0.043),
                Rod((0, 0.03, -0.13), (0, 0.06, -0.02), 0.036),
                Rod((0, 0.005, 0), (0, 0.086, 0), 0.0375, DARK),
            ),
        ),
        Link(
            'link6', 1.325, (0.06469, 0.03278, 0.02141),
            principal(
                (-0.217672, 0.772419, 0.16258, 0.574069), (0.00245421, 0.00221646, 0.00107273)
            ),
            (
                Rod((0, 0, -0.004), (0, 0, 0.058), 0.037),
                Rod((0.076, -0.035, 0), (0.076, 0.069, 0), 0.037),
                Rod((0, 0, 0.027), (0.076, 0, 0.005), 0.036),
            ),
        ),
        Link(
            'link7', 0.17, (0, -0.00677, -0.01098),
            principal(
                (0.487612, 0.512088, -0.512088, 0.487612), (0.000132176, 0.000093, 0.0000585236)
            ),
            (Rod((0, 0, -0.028), (0, 0, 0), 0.037, DARK),),
        ),
    ),
    joints=(
        Joint('joint1', (0, 0, 0.267), (0, 0, 0), -2 * pi, 2 * pi, pi, 50),
        Joint('joint2', (0, 0, 0), (-HALF, 0, 0), -2.059, 2.0944, pi, 50),
        Joint('joint3', (0, -0.293, 0), (HALF, 0, 0), -2 * pi, 2 * pi, pi, 30),
        Joint('joint4', (0.0525, 0, 0), (HALF, 0, 0), -0.19198, 3.927, pi, 30),
        Joint('joint5', (0.0775, -0.3425, 0), (HALF, 0, 0), -2 * pi, 2 * pi, pi, 30),
        Joint('joint6', (0, 0, 0), (HALF, 0, 0), -1.69297, pi, pi, 20),
        Joint('joint7', (0.076, 0.097, 0), (-HALF, 0, 0), -2 * pi, 2 * pi, pi, 20),
    ),
    tool=Frame('link_eef', 'link7', (0, 0, 0)),
    colours={SHELL: (0.95, 0.95, 0.95), ACCENT: (0.75, 0.75, 0.75)},
)  # fmt: skip

ARMS = {'ur5e': UR5E, 'panda': PANDA, 'xarm7': XARM7}

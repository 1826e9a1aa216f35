# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A robot's description and a reading of its sensors. Joint arrays are (n,) in robot order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pinocchio

from vla_robot.directory import HANDS
from vla_robot.gripper import Gripper
from vla_robot.kinematics import Kinematics
from vla_robot.pinocchio_model import link_id


@dataclass(frozen=True)
class JointLimits:
    """(n,) each; rad, rad/s, rad/s^2, rad/s^3, Nm. `jerk` is None where robot.yaml gives none."""

    lower: np.ndarray
    upper: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray
    jerk: np.ndarray | None
    effort: np.ndarray


@dataclass(frozen=True)
class ServoGains:
    """Position loop of each joint: kp Nm/rad, kv Nms/rad, (n,) each."""

    kp: np.ndarray
    kv: np.ndarray


@dataclass(frozen=True)
class FootBox:
    """Sole rectangle in the foot's frame (z = `height` is the sole): m."""

    center: np.ndarray  # (2,) x, y
    size: np.ndarray  # (2,) length along x, width along y
    height: float

    @property
    def corners(self) -> np.ndarray:
        """(4, 3), counter-clockwise seen from above."""
        half = 0.5 * self.size
        signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
        flat = self.center + signs * half
        return np.column_stack([flat, np.full(4, self.height)])


@dataclass(frozen=True)
class Stops:
    """How this robot stops: see the driver's stop behaviours."""

    supervisor_lost: str  # stand | damp | hold
    estop: str  # damp | damp_then_off | off
    safe_stop_duration: float  # s


@dataclass(frozen=True)
class Camera:
    """A camera of the robot: its URDF link, an optical frame (z forward, x right, y down), default
    size in pixels, vertical field of view rad.

    name: in the simulated world. frame: robot.yaml's name of the link, or the link. source: the
    device, as in the launch argument `cameras`; empty where robot.yaml names none.
    """

    name: str
    frame: str
    link: str
    width: int
    height: int
    fovy: float
    source: str = ''


@dataclass(frozen=True)
class Simulation:
    """Constants that only a simulation needs."""

    armature: np.ndarray  # (n,) kg m^2
    joint_damping: np.ndarray  # (n,) Nms/rad: the URDF's where it gives one
    joint_friction: np.ndarray  # (n,) Nm, dry friction: the URDF's
    foot_friction: tuple[float, float, float]
    foot_solref: tuple[float, float]


@dataclass(frozen=True, eq=False)
class RobotModel:
    """One robot directory, read and checked (`load_robot`). Arrays are read-only.

    `frames` maps the workspace's names (base, imu, head_camera, left_hand, ...) to URDF links;
    `paths` maps a pose to the poses that lead to it from the first one (straight lines in joint
    space between them are free of collisions); `collision_pairs` are the pairs of URDF links
    whose distance matters (neighbours in the tree and allowed pairs are left out); `cameras` are
    all by name, `camera` among them as `head`; `grippers` by name, whose speed and force are in
    `limits` of their joints.
    """

    name: str
    directory: Path
    urdf_path: Path
    urdf_text: str
    joint_names: tuple[str, ...]
    index: Mapping[str, int]
    limits: JointLimits
    soft_margin: np.ndarray
    servo: ServoGains
    groups: Mapping[str, np.ndarray]
    poses: Mapping[str, np.ndarray]
    paths: Mapping[str, tuple[str, ...]]
    frames: Mapping[str, str]
    foot_boxes: Mapping[str, FootBox]
    total_mass: float
    stops: Stops
    camera: Camera
    cameras: Mapping[str, Camera]
    simulation: Simulation
    collision_pairs: tuple[tuple[str, str], ...]
    pinocchio_model: pinocchio.Model = field(repr=False)
    pinocchio_geometry: pinocchio.GeometryModel = field(repr=False)
    grippers: Mapping[str, Gripper] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Number of joints."""
        return len(self.joint_names)

    @property
    def gripper_joints(self) -> np.ndarray:
        """Indices of the joints of all grippers; empty without one."""
        joints = [gripper.joints for gripper in self.grippers.values()]
        return np.concatenate(joints) if joints else np.zeros(0, dtype=int)

    @property
    def hands(self) -> tuple[str, ...]:
        """The hands that robot.yaml names under `frames`; it may name none."""
        return tuple(hand for hand in HANDS if hand in self.frames)

    def has_link(self, name: str) -> bool:
        """Whether it is a frame of robot.yaml or a URDF link."""
        link = self.frames.get(name, name)
        return self.pinocchio_model.existFrame(link, pinocchio.FrameType.BODY)

    def chain(self, frame: str) -> tuple[int, ...]:
        """Joints between the base and a frame of robot.yaml or a link, from the base outwards."""
        model, link = self.pinocchio_model, self.frames.get(frame, frame)
        above = model.supports[model.frames[link_id(model, link)].parentJoint]
        return tuple(self.index[model.names[j]] for j in above if model.names[j] in self.index)

    def kinematics(self) -> Kinematics:
        """A new calculator with buffers of its own; one per thread."""
        return Kinematics(self)

    def waypoints(self, pose: str) -> np.ndarray:
        """(k, n) joint positions that lead to `pose`, itself last, the starting pose first."""
        return np.array([self.poses[name] for name in self.paths.get(pose, (pose,))])


@dataclass(frozen=True)
class Reading:
    """One reading of all sensors, simulated or real, at one instant.

    position rad, velocity rad/s, effort Nm. orientation: (4,) wxyz of the IMU in the world.
    angular_velocity (3,) rad/s and linear_acceleration (3,) m/s² in the IMU's frame; at rest the
    latter is +9.81 upwards (as an accelerometer measures it, REP-145). left_wrench, right_wrench:
    (6,) force N and torque Nm that the ground exerts on the foot, about the foot frame's origin and
    in its axes; zeros for a robot without feet. has_orientation: False where the IMU computes none
    (REP 145: orientation_covariance[0] = -1); `orientation` then counts for nothing.
    """

    position: np.ndarray
    velocity: np.ndarray
    effort: np.ndarray
    orientation: np.ndarray
    angular_velocity: np.ndarray
    linear_acceleration: np.ndarray
    left_wrench: np.ndarray
    right_wrench: np.ndarray
    has_orientation: bool = True

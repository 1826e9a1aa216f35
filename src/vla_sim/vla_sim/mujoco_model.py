# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The MuJoCo model of a robot in a scene, built from the robot's URDF.

One function builds the model for physics (collision shapes only) and for rendering (visual shapes
too). Both have the same `qpos`, so that one can render the state of the other.
"""

from itertools import combinations

import mujoco
import numpy as np

from vla_common.errors import ConfigError
from vla_robot import Gripper, RobotModel
from vla_robot.collision import box_corners
from vla_sim.robot_spec import check_agreement, read_robot, refused
from vla_sim.scene import Scene

OVERVIEW = 'overview'
FREE_JOINT = 'free_base'
TABLE = 'table'
VISIBLE_GROUPS = (0, 1, 2)
HIDDEN_GROUP = 5
NEAR, FAR = 0.02, 20.0  # m, of every camera
FLOOR_GRID = 2.0  # m between the corners at which OpenGL computes the floor's light
HEADLIGHT_DIFFUSE = 0.25
COUPLING = (0.004, 1.0)
"""s and damping ratio of the gear between the fingers of a gripper: stiffer than their servo."""
PAD_SOLREF = (0.004, 1.0)
PAD_FRICTION = (1.0, 0.01, 0.0001)
"""Of fingers: contacts as stiff as a rubber pad's (a light cube would give way by millimetres), its
friction, and some against turning in the grip."""


def build(
    robot: RobotModel, scene: Scene, *, timestep: float = 0.001, visual: bool = False
) -> mujoco.MjModel:
    """Compile the model.

    Actuators are in robot order, one per joint: force = ctrl - kp q - kv v, clipped to the
    URDF's effort. `ctrl` is a torque, so that stiffness, feed-forward and their common limit
    hold for every gain, zero included.

    A robot with feet gets a free base; one without is bolted to the ground above the world's
    origin.

    Raises ConfigError: MuJoCo refuses the robot, reads it otherwise than Pinocchio, or one of its
        names is the scene's.
    """
    spec = read_robot(robot, visual)
    spec.modelname = robot.name
    _check_names(spec, robot, scene)
    _physics(spec, timestep)
    _robot(spec, robot, visual)
    _surroundings(spec, scene)
    _cameras(spec, robot, scene)
    try:
        model = spec.compile()
    except ValueError as error:
        raise refused(robot, error) from error
    if not visual:
        check_agreement(robot, model)
    # Depth planes are relative to the model's extent, which differs between robots and scenes.
    model.vis.map.znear = NEAR / model.stat.extent
    model.vis.map.zfar = FAR / model.stat.extent
    return model


def _check_names(spec: mujoco.MjSpec, robot: RobotModel, scene: Scene) -> None:
    cubes = {thing.name for thing in (*scene.cubes, *scene.solids)}
    for kind, names, taken in (
        ('link', [body.name for body in spec.bodies], {TABLE} | cubes),
        ('joint', robot.joint_names, {FREE_JOINT} | cubes),
    ):
        for name in names:
            if name in taken:
                raise ConfigError(
                    robot.urdf_path,
                    f'{kind}[{name}]',
                    'a name of the simulated scene',
                    'another name than ' + ', '.join(sorted(taken)),
                )


def _physics(spec: mujoco.MjSpec, timestep: float) -> None:
    option = spec.option
    option.timestep = timestep
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.solver = mujoco.mjtSolver.mjSOL_NEWTON
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.impratio = 10
    # A body at rest is not computed until something touches it: a quarter of the cost of a step
    # with cubes on a table. The robot has actuators and never sleeps.
    option.enableflags |= mujoco.mjtEnableBit.mjENBL_SLEEP
    # Mass comes from the URDF's inertials alone; a massless link (a sole) stays massless.
    spec.compiler.inertiafromgeom = mujoco.mjtInertiaFromGeom.mjINERTIAFROMGEOM_FALSE


def stand_height(robot: RobotModel) -> float:
    """m from the ground to the base of a robot without feet: as far as shapes that are fixed to the
    base reach below it (a stand), 0 where none does."""
    lowest = 0.0
    for shape in robot.pinocchio_geometry.geometryObjects:
        if shape.parentJoint <= 1:  # the base: the free joint of this model
            lowest = min(lowest, *(float(corner[2]) for corner in box_corners(shape)))
    return -lowest


def _robot(spec: mujoco.MjSpec, robot: RobotModel, visual: bool) -> None:
    base = spec.body(robot.frames['base'])
    if robot.foot_boxes:
        base.add_freejoint(name=FREE_JOINT)
    else:
        base.pos = (0.0, 0.0, stand_height(robot))
    for body in spec.bodies:
        shown = [g for g in body.geoms if g.contype == 0 and g.conaffinity == 0]
        for geom in body.geoms:
            if geom in shown:
                geom.group = 1
            elif visual and shown:
                spec.delete(geom)  # every shape costs the ray caster time, visible or not

    simulation, servo, limits = robot.simulation, robot.servo, robot.limits
    for i, name in enumerate(robot.joint_names):
        joint = spec.joint(name)
        joint.armature = simulation.armature[i]
        joint.damping[0] = simulation.joint_damping[i]  # of a polynomial in the velocity
        joint.frictionloss = simulation.joint_friction[i]
        actuator = spec.add_actuator(name=name, target=name)
        actuator.trntype = mujoco.mjtTrn.mjTRN_JOINT
        actuator.gaintype = mujoco.mjtGain.mjGAIN_FIXED
        actuator.biastype = mujoco.mjtBias.mjBIAS_AFFINE
        actuator.gainprm[0] = 1.0
        actuator.biasprm[1] = -servo.kp[i]
        actuator.biasprm[2] = -servo.kv[i]
        actuator.forcelimited = True
        actuator.forcerange = (-limits.effort[i], limits.effort[i])

    for gripper in robot.grippers.values():
        _couple(spec, gripper)

    pairs = {frozenset(pair) for pair in robot.collision_pairs}
    solid = [b.name for b in spec.bodies if any(g.contype for g in b.geoms)]
    for first, second in combinations(solid, 2):
        if frozenset((first, second)) not in pairs:
            spec.add_exclude(bodyname1=first, bodyname2=second)

    for foot in robot.foot_boxes:
        for geom in spec.body(robot.frames[foot]).geoms:
            if geom.contype:
                geom.friction = simulation.foot_friction
                geom.solref = simulation.foot_solref
                geom.priority = 1

    _sensors(spec, robot)


def _couple(spec: mujoco.MjSpec, gripper: Gripper) -> None:
    """Pads on the fingers; and one motor moves them all: each follows the first one."""
    for name in gripper.joint_names:
        for geom in spec.joint(name).parent.geoms:
            if geom.contype:
                geom.solref, geom.friction = PAD_SOLREF, PAD_FRICTION
                geom.condim, geom.priority = 4, 1
    first, ends = gripper.joint_names[0], gripper.positions[[0, -1]]
    for k, name in enumerate(gripper.joint_names[1:], start=1):
        ratio = (ends[1, k] - ends[0, k]) / (ends[1, 0] - ends[0, 0])
        coupling = spec.add_equality(name=f'{gripper.name}/{name}', name1=name, name2=first)
        coupling.type = mujoco.mjtEq.mjEQ_JOINT
        coupling.objtype = mujoco.mjtObj.mjOBJ_JOINT
        coupling.data[:2] = ends[0, k] - ratio * ends[0, 0], ratio
        coupling.solref = COUPLING


def _sensors(spec: mujoco.MjSpec, robot: RobotModel) -> None:
    kind, thing = mujoco.mjtSensor, mujoco.mjtObj

    def add(name: str, sensor_type, object_type, target: str) -> None:
        spec.add_sensor(name=name, type=sensor_type, objtype=object_type, objname=target)

    for frame, link in robot.frames.items():
        spec.body(link).add_site(name=frame, size=[0.005] * 3, group=5)
    # Encoders as sensors: after mj_step they are of the same instant as the IMU.
    for name in robot.joint_names:
        add(f'{name}/position', kind.mjSENS_JOINTPOS, thing.mjOBJ_JOINT, name)
    for name in robot.joint_names:
        add(f'{name}/velocity', kind.mjSENS_JOINTVEL, thing.mjOBJ_JOINT, name)
    for name in robot.joint_names:
        add(f'{name}/effort', kind.mjSENS_ACTUATORFRC, thing.mjOBJ_ACTUATOR, name)
    add('orientation', kind.mjSENS_FRAMEQUAT, thing.mjOBJ_SITE, 'imu')
    add('angular_velocity', kind.mjSENS_GYRO, thing.mjOBJ_SITE, 'imu')
    add('linear_acceleration', kind.mjSENS_ACCELEROMETER, thing.mjOBJ_SITE, 'imu')
    for foot in robot.foot_boxes:
        add(f'{foot}/force', kind.mjSENS_FORCE, thing.mjOBJ_SITE, foot)
        add(f'{foot}/torque', kind.mjSENS_TORQUE, thing.mjOBJ_SITE, foot)


def _surroundings(spec: mujoco.MjSpec, scene: Scene) -> None:
    world = spec.worldbody
    box = mujoco.mjtGeom.mjGEOM_BOX
    # Contacts ignore the size. An infinite plane would be drawn as 40,000 quads: half the time of
    # an image in software.
    world.add_geom(
        name='floor',
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[2 * FAR, 2 * FAR, FLOOR_GRID],
        rgba=[*scene.floor_rgb, 1],
    )
    table = scene.table
    half = np.array([table.size[0], table.size[1], table.thickness]) / 2
    body = world.add_body(name=TABLE, pos=[*table.position, 0])
    middle = table.height - half[2]
    body.add_geom(name='table_top', type=box, size=half, pos=[0, 0, middle], rgba=[*table.rgb, 1])
    leg = 0.02
    leg_half = (table.height - table.thickness) / 2
    for i, (sx, sy) in enumerate(((1, 1), (1, -1), (-1, 1), (-1, -1))):
        body.add_geom(
            name=f'table_leg_{i}',
            type=box,
            size=[leg, leg, leg_half],
            pos=[sx * (half[0] - leg), sy * (half[1] - leg), leg_half],
            rgba=[*(0.75 * c for c in table.rgb), 1],
        )
    for solid in scene.solids:
        body = world.add_body(
            name=solid.name,
            pos=solid.position,
            quat=[np.cos(solid.yaw / 2), 0, 0, np.sin(solid.yaw / 2)],
        )
        body.add_geom(
            name=solid.name, type=box, size=[x / 2 for x in solid.size], rgba=[*solid.rgb, 1]
        )
    for cube in scene.cubes:
        edge = cube.size / 2
        mass = 400.0 * cube.size**3  # light wood
        moment = mass * cube.size**2 / 6
        body = world.add_body(
            name=cube.name,
            pos=cube.position,
            quat=[np.cos(cube.yaw / 2), 0, 0, np.sin(cube.yaw / 2)],
            mass=mass,
            inertia=[moment] * 3,
            ipos=[0, 0, 0],  # the default is `pos`
            iquat=[1, 0, 0, 0],
            explicitinertial=True,
        )
        body.add_freejoint(name=cube.name)
        body.add_geom(
            name=cube.name,
            type=box,
            size=[edge] * 3,
            rgba=[*cube.rgb, 1],
            friction=[0.8, 0.005, 0.0001],
        )


def _cameras(spec: mujoco.MjSpec, robot: RobotModel, scene: Scene) -> None:
    rotation = np.asarray(scene.camera.rotation, dtype=float)
    angle = float(np.linalg.norm(rotation))
    offset = np.array([1.0, 0.0, 0.0, 0.0])
    if angle > 0:
        mujoco.mju_axisAngle2Quat(offset, rotation / angle, angle)
    # A MuJoCo camera points along -z with y up: half a turn about x from the optical frame.
    half_turn, quat = np.array([0.0, 1.0, 0.0, 0.0]), np.empty(4)
    mujoco.mju_mulQuat(quat, offset, half_turn)
    for camera in robot.cameras.values():
        placed = {'quat': half_turn}
        if camera is robot.camera:  # the scene's offset is the head's
            placed = {'pos': scene.camera.position, 'quat': quat}
        fovy = np.degrees(camera.fovy)
        spec.body(camera.link).add_camera(name=camera.name, fovy=fovy, **placed)
    eye, target = np.array([1.7, -1.55, 1.7]), np.array([0.25, 0.0, 0.82])
    back = (eye - target) / np.linalg.norm(eye - target)
    right = np.cross([0, 0, 1], back)
    right /= np.linalg.norm(right)
    frame = np.column_stack([right, np.cross(back, right), back])
    quat = np.empty(4)
    mujoco.mju_mat2Quat(quat, frame.ravel())
    spec.worldbody.add_camera(name=OVERVIEW, pos=eye, quat=quat, fovy=42)

    # Lambert light, the same in OpenGL and in the ray caster: no highlights, no shadows.
    light = scene.light
    head = spec.visual.headlight
    head.ambient = [light.ambient] * 3
    head.diffuse = [HEADLIGHT_DIFFUSE] * 3
    head.specular = [0, 0, 0]
    spec.worldbody.add_light(
        name='sun',
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        pos=[0, 0, 3],
        dir=light.direction,
        diffuse=[light.diffuse] * 3,
        ambient=[0, 0, 0],
        specular=[0, 0, 0],
        castshadow=False,
    )

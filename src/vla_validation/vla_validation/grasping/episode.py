# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""One placement: a cube of known place is picked, lifted, held and set down again.

scripted policy -> FilterRuntime -> ServoLoop -> MujocoDriver (contacts, friction, noise)
10 Hz              100 Hz           200 Hz       1 kHz
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from vla_common.states import Behaviour, Mode
from vla_hardware.simulation import PERIOD, SimulatedServo
from vla_models.robot_stack import RobotStack
from vla_policy.bundle.bundle import Bundle
from vla_policy.bundle.scripted_spec import Motion, ScriptedSpec, Step
from vla_policy.scripted_policy import ScriptedPolicy
from vla_policy.types import Observation
from vla_robot import RobotModel
from vla_safety.supervisor_command import SupervisorCommand
from vla_sim import Cube, Scene, SensorNoise, World
from vla_sim.mujoco_model import stand_height
from vla_validation.grasping.postures import HandPostures, UnreachableError, above

ABOVE = 0.12
"""m of the hand over the place where it grips, before and after."""
LIFT = 0.15
"""m"""
FREE = 0.002
"""m between cube and table when it is set down."""
CLEAR = 0.010
"""m of the finger tips over the table at least."""
TIMES = {
    'approach': 4.0,
    'down': 2.0,
    'close': 1.5,
    'lift': 2.0,
    'lower': 2.0,
    'open': 1.5,
    'up': 2.0,
}
"""s of the steps."""
SETTLE = 0.5
"""s of the hold before the slip is measured from."""
SLIP = 0.005
"""m that the cube may move in the hand during the hold."""
LIFTED = 0.10
"""m by which it has to be higher then."""
POLICY_EVERY, FILTER_EVERY, SUPERVISOR_EVERY = 20, 2, 4
"""Servo periods."""


@dataclass(frozen=True)
class Ranges:
    """Of the random placements, in the world: m, rad; the same for every robot unless given."""

    x: tuple[float, float] = (0.42, 0.62)
    y: tuple[float, float] = (-0.25, 0.25)
    yaw: tuple[float, float] = (-0.7, 0.7)
    size: tuple[float, float] = (0.03, 0.055)


@dataclass
class Outcome:
    """What happened. reason: '' where it was a success. slip, lifted, set_down: m; force: N, the
    least and the most in the hold. touched: links beside the fingers that touched something."""

    number: int
    cube: tuple[float, float, float, float]
    reason: str = ''
    slip: float = float('nan')
    lifted: float = float('nan')
    set_down: float = float('nan')
    force: tuple[float, float] = (float('nan'), float('nan'))
    beyond_limits: int = 0
    touched: Counter[str] = field(default_factory=Counter)

    @property
    def success(self) -> bool:
        return not self.reason


def place(random: np.random.Generator, ranges: Ranges) -> Cube:
    """A cube on the table of the default scene."""
    x, y, yaw, size = (
        float(random.uniform(*r)) for r in (ranges.x, ranges.y, ranges.yaw, ranges.size)
    )
    return Cube('cube', 'red', size, (x, y, Scene().table.height + size / 2), yaw)


def pick_motion(robot: RobotModel, cube: Cube, hold: float) -> Motion:
    """The steps for a cube of known place. Raises UnreachableError."""
    gripper = next(iter(robot.grippers.values()))
    postures = HandPostures(robot)
    base = np.array([0.0, 0.0, stand_height(robot)])
    center = np.array(cube.position) - base
    table = cube.position[2] - cube.size / 2 - base[2]
    grip = np.array([*center[:2], max(center[2], table + CLEAR)])
    over, at, lifted, down = _postures(postures, robot.poses['ready'], grip, cube.yaw)
    arm = [int(i) for i in robot.chain('hand')]

    def step(name: str, q: np.ndarray, opening: float | None = None, time: float = 0.0) -> Step:
        pose = {robot.joint_names[i]: float(q[i]) for i in arm}
        grippers = {} if opening is None else {gripper.name: opening}
        return Step(pose, grippers, time or TIMES[name])

    steps = (
        step('approach', over, gripper.open),
        step('down', at),
        step('close', at, gripper.closed),
        step('lift', lifted),
        step('hold', lifted, time=hold),
        step('lower', down),
        step('open', down, gripper.open),
        step('up', over),
    )
    return Motion('pick', ('pick',), {}, {}, (), 2.0, 0.0, 0.0, steps)


def _postures(
    postures: HandPostures, start: np.ndarray, grip: np.ndarray, yaw: float
) -> list[np.ndarray]:
    """Over the cube, at it, lifted, and where it is set down; by the pair of sides that the arm
    reaches from `start` with the least turn. Raises UnreachableError."""
    found: list[list[np.ndarray]] = []
    for quarter in (0, 1, -1, 2):
        rotation, q, way = above(yaw + quarter * np.pi / 2), start, []
        try:
            for height in (ABOVE, 0.0, LIFT, FREE):
                q = postures.solve(q, grip + [0.0, 0.0, height], rotation)
                way.append(q)
        except UnreachableError as error:
            refused = error
        else:
            found.append(way)
    if not found:
        raise refused
    return min(found, key=lambda way: float(np.abs(way[0] - start).max()))


class Episode:
    """The nodes' cores around one world, cycle by cycle."""

    def __init__(self, stack: RobotStack, cube: Cube, hold: float, seed: int) -> None:
        robot = stack.robot
        self.robot, self.cube, self.hold = robot, cube, hold
        self.gripper = next(iter(robot.grippers.values()))
        noise = SensorNoise.typical()
        self.world = World(robot, Scene(cubes=(cube,)), seed=seed, sensor_noise=noise)
        self.world.reset('ready')
        spec = ScriptedSpec({'pick': pick_motion(robot, cube, hold)})
        self.policy = ScriptedPolicy(Bundle('pick', '1', 'scripted', spec, robot=robot.name), robot)
        stack.balance.reset()
        self.servo = SimulatedServo.running(self.world, stack.balance, stack.servo_limits)
        self.filter = stack.runtime()
        self.mode = Mode.READY
        self.beyond_limits = 0
        self._sequence = self._ticks = 0
        self._send(Mode.READY)

    @property
    def now(self) -> float:
        """s since the start."""
        return self.servo.clock() - self._begin if self._ticks else 0.0

    def request(self, mode: Mode, behaviour: Behaviour) -> None:
        """What the supervisor says from now on."""
        self.servo.request(mode, behaviour)
        self.servo.publish_state()
        self._send(mode)

    def _send(self, mode: Mode) -> None:
        self.mode = mode
        self._sequence += 1
        state = SupervisorCommand(mode, 1, 1.0, self.servo.wall_ns, self._sequence)
        self.filter.on_supervisor(state, self.servo.clock())

    def cycle(self) -> None:
        """One servo period."""
        servo, robot = self.servo, self.robot
        servo.cycle()
        now, stamp = servo.clock(), servo.wall_ns
        if self._ticks == 0:
            self._begin = now
            self._send(Mode.RUNNING)
        reading, motion = servo.reading, servo.loop.motion
        self.filter.measured.update(reading.position, reading.velocity, stamp, now)
        self.filter.reference.update(motion.position, motion.velocity, stamp, now)
        self.filter.on_imu(reading.orientation, stamp, now)
        if self._ticks % SUPERVISOR_EVERY == 0:
            self._send(self.mode)
        if self._ticks % POLICY_EVERY == 0 and self.mode is Mode.RUNNING:
            elapsed = now - self._begin
            chunk = self.policy.predict(
                Observation(
                    {},
                    reading.position,
                    reading.velocity,
                    reading.orientation,
                    'pick',
                    stamp,
                    elapsed,
                )
            )
            given = chunk.joints, chunk.times, chunk.positions, None, stamp, 0.0, now
            self.filter.on_chunk(*given)
        if self._ticks % FILTER_EVERY == 0:
            command = self.filter.tick(now).command
            if command is not None and self.mode is Mode.RUNNING:
                limits = robot.limits
                inside = (command.position >= limits.lower) & (command.position <= limits.upper)
                inside &= np.abs(command.velocity) <= limits.velocity + 1e-9
                self.beyond_limits += not inside.all()
                servo.command(command.position, command.velocity, command.effort)
        self._ticks += 1

    def until(self, time: float) -> None:
        """Cycles until `time` s after the start."""
        while self.now < time:
            self.cycle()

    def in_hand(self) -> np.ndarray:
        """(3,) m, the cube's centre in the frame of the hand."""
        rotation, position = self.world.frame_pose('hand')
        return rotation.T @ (self.world.cube_position('cube') - position)

    def force(self) -> float:
        """N, as the driver estimates it."""
        return self.servo.loop.grippers()[0].force


def run(stack: RobotStack, cube: Cube, hold: float, seed: int, number: int = 0) -> Outcome:
    """One placement. Raises UnreachableError."""
    outcome = Outcome(number, (*cube.position[:2], cube.yaw, cube.size))
    episode = Episode(stack, cube, hold, seed)
    world, start = episode.world, episode.world.cube_position('cube')
    times = np.cumsum([step.time for step in episode.policy.bundle.spec.motions['pick'].steps])
    held, lowered, end = float(times[3]), float(times[4]), float(times[-1])
    episode.until(held + SETTLE)
    first = episode.in_hand()
    outcome.lifted = float((world.cube_position('cube') - start)[2])
    slip, forces = 0.0, []
    while episode.now < lowered:
        episode.cycle()
        slip = max(slip, float(np.linalg.norm(episode.in_hand() - first)))
        forces.append(episode.force())
        if slip > 0.05:
            break
    outcome.slip, outcome.force = slip, (min(forces), max(forces))
    episode.until(end + 1.0)
    rest = world.cube_position('cube')
    outcome.set_down = float(np.linalg.norm(rest - start))
    outcome.beyond_limits = episode.beyond_limits
    outcome.reason = _reason(episode, outcome)
    return outcome


def _reason(episode: Episode, outcome: Outcome) -> str:
    """Why it is no success; '' where it is one."""
    loop = episode.servo.loop
    if loop.fault:
        return f'servo loop: {loop.fault}'
    if outcome.beyond_limits:
        return f'{outcome.beyond_limits} commands beyond the limits'
    if not outcome.lifted >= LIFTED:
        return f'lifted by {outcome.lifted * 1e3:.0f} mm'
    if not outcome.slip <= SLIP:
        return f'slipped by {outcome.slip * 1e3:.1f} mm in {episode.hold:g} s'
    if not loop.grippers()[0].opening >= episode.gripper.open - 0.005:
        return f'not released: {loop.grippers()[0].opening * 1e3:.0f} mm open'
    if not outcome.set_down <= 0.02:
        return f'set down {outcome.set_down * 1e3:.0f} mm from its place'
    return ''


def seconds(hold: float) -> float:
    """s that an episode simulates."""
    return sum(TIMES.values()) + hold + 1.0 + PERIOD

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Episodes on the path of the robot, in simulated time.

    camera -> ObservationAssembler -> InferenceStep -> FilterRuntime -> ServoLoop -> World
    16 Hz     joints, IMU 200 Hz      chunk check,     100 Hz           200 Hz: gate, reference,
                                      blending                          balance, clamps

The classes and their parameters are those of the nodes. Replaced are what the nodes take from the
computer: clock, threads and topics (messages arrive at once, except images and chunks, see
`Timing`), and the supervisor, which is reduced to READY and RUNNING. Without a balance monitor the
filter assumes both feet on the ground, and nothing lowers the speed scale. An episode follows from
its seeds alone.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vla_common.clock import ManualClock
from vla_common.states import Behaviour, FilterState, Mode
from vla_hardware.command_gate import Rejection
from vla_hardware.servo_loop import ServoLoop
from vla_inference.fallback import FallbackChain
from vla_inference.inference_step import InferenceStep, StepLimits, StepResult
from vla_inference.instruction_text import worded
from vla_inference.observation import ObservationAssembler, ObservationBounds
from vla_inference.scheduler import Scheduler
from vla_inference.session import Phase, Session
from vla_models.robot_stack import EARLY, USUAL, RobotStack, Timing, WorldDriver
from vla_models.success import SuccessCriterion
from vla_policy.scripted_policy import HoldPolicy
from vla_policy.types import Policy
from vla_robot import RobotModel
from vla_safety.filter import Output
from vla_safety.supervisor_command import SupervisorCommand
from vla_sim import Renderer, World

SERVO_PERIOD = 0.005  # s
TIMESTEP = SERVO_PERIOD / 2  # of physics
FILTER_EVERY = 2  # servo periods
FILTER_PERIOD = FILTER_EVERY * SERVO_PERIOD
SUPERVISOR_EVERY = 4  # servo periods
CRITERION_EVERY = 10  # servo periods
CAMERA_RATE = 16.0  # Hz, of the simulated camera
BEGIN = 1.0  # s on the simulated clock
SLACK = 1e-6  # rad and rad/s: rounding in a command


@dataclass(frozen=True)
class Run:
    """One episode. seconds: its length. violations: commands of the filter outside of the limits.
    interventions: filter periods with an objection. rejected: commands that the gate rejected,
    policy errors and untrusted observations. borders (b, 3): steps between consecutive chunks, rad,
    rad/s, rad/s^2. jerk: RMS of the filter's commands to the joints of the chunks, rad/s^3."""

    seconds: float
    violations: int
    interventions: int
    rejected: int
    fallen: bool
    borders: np.ndarray
    jerk: float


class Rollout:
    """One instruction in a world that has just been reset.

    loop, filter: the servo loop and the filter of the episode.

    policy: see vla_policy's Policy; of its bundle are used title, goal_like, blending and cameras.
    renderer: of the head camera, needed by a policy with cameras. blending: a mode, '' for that of
    the node.
    """

    def __init__(
        self,
        stack: RobotStack,
        world: World,
        policy: Policy,
        renderer: Renderer | None = None,
        timing: Timing = USUAL,
        blending: str = '',
    ) -> None:
        steps = SERVO_PERIOD / world.timestep
        if abs(steps - round(steps)) > 1e-9:
            raise ValueError(f'timestep {world.timestep} s does not divide {SERVO_PERIOD} s')
        robot, p = stack.robot, stack.inference
        self._world, self._robot, self._policy, self._renderer = world, robot, policy, renderer
        self._timing, self._steps = timing, round(steps)
        self._clock = clock = ManualClock(BEGIN)
        stack.balance.reset()
        self.loop = ServoLoop(
            robot,
            period=SERVO_PERIOD,
            limits=stack.loop_limits,
            driver=WorldDriver(world),
            balance=stack.balance,
            clock=clock,
        )
        self.filter = stack.runtime()
        self._session = Session(p.time_limit, p.start_timeout)
        o, s = p.observation, p.settle
        self._assembler = ObservationAssembler(
            robot.joint_names,
            policy.bundle.cameras,
            ObservationBounds(o.max_age, o.max_skew, o.max_future, p.frozen_after),
        )
        slot = stack.slot(policy, clock, timing.inference, blending)
        self._worker = slot.caller
        self._inference = InferenceStep(
            FallbackChain((slot,)),
            HoldPolicy(robot),
            self._assembler,
            self._session,
            StepLimits(
                p.policy_timeout,
                p.fallback_after,
                p.fallback_duration,
                p.blocked_timeout,
                s.time,
                s.epsilon,
                s.velocity,
            ),
            robot.joint_names,
            threading.RLock(),
            clock,
            lambda: self._now_ns,
        )
        self._scheduler = Scheduler(
            self._inference.attempt, self._publish, _raise, p.inference_frequency, clock
        )
        self._images: deque[tuple[float, int, np.ndarray | None]] = deque()
        self._frames = self._sequence = 0
        self._chunk_joints: list[int] = []
        self._output: Output | None = None
        self._violations = self._interventions = 0
        self._borders: list[tuple[float, float, float]] = []
        self._velocities: list[np.ndarray] = []

    @property
    def _now_ns(self) -> int:
        return round(self._clock.now * 1e9)

    def run(
        self,
        instruction: str,
        criterion: SuccessCriterion,
        duration: float,
        finished: Callable[[float], bool] = lambda now: False,
        watch: Callable[[World, float], None] | None = None,
    ) -> Run:
        """For `duration` s, or until `finished` or a fall."""
        self._start(worded(instruction))
        now = 0.0
        for tick in range(round(duration / SERVO_PERIOD)):
            now = tick * SERVO_PERIOD
            self._clock.now = BEGIN + now
            if tick % SUPERVISOR_EVERY == 0:
                running = self._session.phase is Phase.RUNNING
                self._supervise(Mode.RUNNING if running else Mode.READY)
            self.loop.cycle()
            self._take_sensors()
            self._camera()
            if tick % FILTER_EVERY == 0:
                self._tick_filter()
            self._world.step(self._steps)
            if tick % CRITERION_EVERY == CRITERION_EVERY - 1:
                criterion.update(now)
                if watch is not None:
                    watch(self._world, now)
                if criterion.fallen or finished(now):
                    break
        loop, step = self.loop, self._inference
        if loop.fault:
            raise RuntimeError(f'servo loop: {loop.fault}')
        return Run(
            now,
            self._violations,
            self._interventions,
            # After the end of the instruction the gate is shut, and the filter goes on publishing.
            loop.gate.rejections
            - loop.gate.rejected[Rejection.NOT_RUNNING]
            + step.policy_errors
            + step.observations_rejected,
            criterion.fallen,
            np.array(self._borders).reshape(-1, 3),
            rms_jerk(self._velocities, self._chunk_joints),
        )

    def _start(self, instruction: str) -> None:
        """Up to RUNNING, in the order of the nodes."""
        self.loop.connect()
        self.loop.begin()
        self._supervise(Mode.READY)
        self._session.accept(instruction, self._clock())
        self._policy.check(instruction)
        for mode in (Mode.READY, Mode.RUNNING):
            self._session.on_mode(mode, '', self._now_ns, self._clock())
            self._session.wants_start()

    def _supervise(self, mode: Mode) -> None:
        self._sequence += 1
        now, now_ns = self._clock(), self._now_ns
        behaviour = Behaviour.TRACK if mode is Mode.RUNNING else Behaviour.HOLD
        self.loop.hear_supervisor(mode, behaviour, 1, self._sequence, now_ns, now_ns)
        self.filter.hear_supervisor(SupervisorCommand(mode, 1, 1.0, now_ns, self._sequence), now)

    def _take_sensors(self) -> None:
        """What the driver publishes in each cycle, to inference and filter."""
        now, now_ns, reading, names = (
            self._clock(), self._now_ns, self.loop.reading, self._robot.joint_names
        )  # fmt: skip
        self._assembler.add_joints(now_ns, now, names, reading.position, reading.velocity)
        self._assembler.add_imu(now_ns, now, reading.orientation)
        self.filter.measured.hear(reading.position, reading.velocity, now_ns, now)
        motion = self.loop.motion
        self.filter.reference.hear(motion.position, motion.velocity, now_ns, now)
        self.filter.hear_imu(reading.orientation, now_ns, now)

    def _camera(self) -> None:
        """Expose, deliver, and let the inference node attempt a step where there is news."""
        now = self._clock()
        if now - BEGIN >= self._frames / CAMERA_RATE - EARLY:
            self._frames += 1
            image = None
            if self._policy.bundle.cameras:
                image, _ = self._renderer.render(self._world.qpos)
            self._images.append((now + self._timing.camera, self._now_ns, image))
        news = self._worker.due
        while self._images and now >= self._images[0][0] - EARLY:
            _, stamp_ns, image = self._images.popleft()
            news = True
            for camera in self._policy.bundle.cameras:
                height, width, _ = image.shape
                self._assembler.add_image(
                    camera, stamp_ns, now, height, width, 3 * width, 'rgb8', image.tobytes()
                )
        if news:
            self._scheduler.take(wait=True)

    def _publish(self, result: StepResult) -> None:
        chunk, joined = result.chunk, result.origin and result.origin.joined
        if chunk is None:
            return
        if joined is not None:  # of the policy, not of the scripted hold
            self._chunk_joints = [self._robot.index[name] for name in chunk.joints]
            if joined.border is not None:
                step = joined.jump
                self._borders.append((step.position, step.velocity, step.acceleration))
        age = (self._now_ns - result.stamp_ns) * 1e-9
        self.filter.hear_chunk(
            chunk.joints, chunk.times, chunk.positions, None, result.stamp_ns, age, self._clock()
        )

    def _tick_filter(self) -> None:
        report, last = self.filter.tick(self._clock()), self._output
        self._output = output = report.command
        if report.state is FilterState.GATED:
            self._output = None
        elif last is not None:
            self._violations += breaks_limits(self._robot, last, output)
        self._interventions += bool(report.violations)
        if output is None:
            return
        self._velocities.append(output.velocity.copy())
        now_ns = self._now_ns
        self.loop.offer_command(
            self._robot.joint_names, output.position, output.velocity, output.effort, now_ns, now_ns
        )


def rms_jerk(velocities: list[np.ndarray], joints: list[int]) -> float:
    """RMS of the jerk (rad/s^3) of `joints` in consecutive commands with velocities (n,) rad/s."""
    if not joints or len(velocities) < 3:
        return 0.0
    sent = np.array(velocities)[:, joints]
    return float(np.sqrt(np.mean(np.square(np.diff(sent, n=2, axis=0) / FILTER_PERIOD**2))))


def breaks_limits(robot: RobotModel, last: Output, output: Output) -> bool:
    """Whether a command of the filter, after `last`, is outside of the robot's limits."""
    limits, period = robot.limits, FILTER_PERIOD
    position, velocity = output.position, output.velocity
    acceleration = (velocity - last.velocity) / period
    inside = (
        (position >= limits.lower - SLACK)
        & (position <= limits.upper + SLACK)
        & (np.abs(velocity) <= limits.velocity + SLACK)
        & (np.abs(acceleration) <= limits.acceleration + SLACK / period)
    )
    return not bool(inside.all())


def _raise() -> None:
    raise

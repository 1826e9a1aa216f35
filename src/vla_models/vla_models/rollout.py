# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Episodes on the path of the robot, in simulated time.

    camera -> ObservationAssembler -> InferenceStep -> FilterRuntime -> ServoLoop -> World
    16 Hz     joints, IMU 200 Hz      chunk check,     100 Hz           200 Hz: gate, reference,
                                      blending                          balance, clamps

Classes and parameters are those of the nodes. Simulated are clock, threads and topics (messages
arrive at once, except images and chunks, see `Timing`), and the supervisor, reduced to READY and
RUNNING. Without a balance monitor the filter assumes both feet on the ground, and nothing lowers
the speed scale. An episode follows from its seeds alone.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vla_common.states import Behaviour, FilterState, Mode
from vla_hardware.command_gate import Rejection
from vla_hardware.simulation import PERIOD, SimulatedServo
from vla_inference.admission import AdmissionLimits
from vla_inference.blender import UNKNOWN, Playback
from vla_inference.camera_pose import CameraMount
from vla_inference.completion import CompletionLimits
from vla_inference.fallback import FallbackChain
from vla_inference.filter_holds import FilterHolds
from vla_inference.inference_step import InferenceStep, StepLimits, StepResult
from vla_inference.observation import ObservationAssembler, ObservationBounds
from vla_inference.scheduler import Scheduler
from vla_inference.session import InstructionOutcome, Phase, Session, instruction_text
from vla_inference.task_monitor import TaskMonitor
from vla_models.robot_stack import EARLY, USUAL, RobotStack, Timing
from vla_models.success import SuccessCriterion
from vla_policy.scripted_policy import HoldPolicy
from vla_policy.types import Policy
from vla_robot import RobotModel
from vla_safety.filter import Output
from vla_safety.supervisor_command import SupervisorCommand
from vla_safety.violations import ViolationKind
from vla_sim import Renderer, World

TIMESTEP = PERIOD / 2  # s, of physics
FILTER_EVERY = 2  # servo periods
FILTER_PERIOD = FILTER_EVERY * PERIOD  # s
SUPERVISOR_EVERY = 4  # servo periods
CRITERION_EVERY = 10  # servo periods
CAMERA_RATE = 16.0  # Hz, of the simulated camera
TAIL = 0.5  # s of the episode after the end of the instruction
KINDS = tuple(ViolationKind)
KIND_NAMES = tuple(kind.value for kind in KINDS)
SLACK = 1e-6  # rad and rad/s: rounding in a command


@dataclass(frozen=True)
class Ending:
    """How the inference step ended the instruction. at: s."""

    outcome: InstructionOutcome
    reason: str
    at: float


@dataclass(frozen=True)
class Run:
    """One episode. seconds: its length. violations: commands of the filter outside of the limits.
    interventions: filter periods with an objection. rejected: commands that the gate rejected,
    policy errors and untrusted observations. borders (b, 3): steps between consecutive chunks, rad,
    rad/s, rad/s^2. jerk: RMS of the filter's commands to the joints of the chunks, rad/s^3.
    ending: None where the instruction still runs."""

    seconds: float
    violations: int
    interventions: int
    rejected: int
    fallen: bool
    borders: np.ndarray
    jerk: float
    ending: Ending | None = None


class Rollout:
    """One instruction in a world that has just been reset.

    policy: of its bundle are used title, goal_like, blending and cameras.
    renderer: of the head camera, for a policy with cameras. blending: a mode, '' for that of the
    node. loop, filter: the servo loop and the filter of the episode. Raises ValueError for a
    timestep that does not divide the servo period.
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
        robot, p = stack.robot, stack.inference
        self._world, self._robot, self._policy, self._renderer = world, robot, policy, renderer
        self._camera_latency = timing.camera
        stack.balance.reset()
        self._servo = SimulatedServo.running(world, stack.balance, stack.servo_limits)
        self.loop, self._clock = self._servo.loop, self._servo.clock
        self.filter = stack.runtime()
        judges = policy.bundle.acceptance.judges
        self._session = Session(p.time_limit, p.start_timeout, judges)
        self._holds = FilterHolds()
        self._assembler = ObservationAssembler(
            robot.joint_names,
            policy.bundle.cameras,
            p.observation.select(ObservationBounds, frozen_after=p.frozen_after),
            mount=CameraMount(robot),
            history=policy.bundle.history,
        )
        slot = stack.slot(policy, self._clock, timing.inference, blending)
        self._worker = slot.worker
        self._inference = InferenceStep(
            FallbackChain((slot,)),
            HoldPolicy(robot),
            self._assembler,
            self._session,
            p.select(StepLimits),
            robot.joint_names,
            threading.RLock(),
            self._clock,
            lambda: self._servo.wall_ns,
            lambda: self._playback,
            TaskMonitor(p.judge.to(AdmissionLimits), p.done.to(CompletionLimits), self._holds),
        )
        self._scheduler = Scheduler(
            self._inference.run, self._publish, _raise, p.inference_frequency, self._clock
        )
        self._interpolation, self._playback = stack.interpolation, UNKNOWN
        self._images: deque[tuple[float, int, np.ndarray | None]] = deque()
        self._frames = self._sequence = 0
        self._chunk_joints: list[int] = []
        self._output: Output | None = None
        self._violations = self._interventions = 0
        self._ending: Ending | None = None
        self._borders: list[tuple[float, float, float]] = []
        self._velocities: list[np.ndarray] = []

    def run(
        self,
        instruction: str,
        criterion: SuccessCriterion,
        duration: float,
        finished: Callable[[float], bool] = lambda now: False,
    ) -> Run:
        """For `duration` s, or until `finished`, a fall, or TAIL after the instruction's end."""
        self._start(instruction_text(instruction))
        now = 0.0
        for tick in range(round(duration / PERIOD)):
            self._servo.cycle()
            now = self._clock()
            self._receive_sensors()
            if tick % SUPERVISOR_EVERY == 0:
                self._supervise()
            self._receive_image()
            if tick % FILTER_EVERY == 0:
                self._tick_filter()
            if tick % CRITERION_EVERY == CRITERION_EVERY - 1:
                criterion.update(now)
                if criterion.fallen or finished(now) or self._is_over(now):
                    break
        if self.loop.fault:
            raise RuntimeError(f'servo loop: {self.loop.fault}')
        gate, step = self.loop.gate, self._inference
        # After the end of the instruction the filter still publishes, and the gate is shut.
        rejected = gate.rejections - gate.rejected[Rejection.NOT_RUNNING]
        return Run(
            now,
            self._violations,
            self._interventions,
            rejected + step.policy_errors + step.observations_rejected,
            criterion.fallen,
            np.array(self._borders).reshape(-1, 3),
            rms_jerk(self._velocities, self._chunk_joints),
            self._ending,
        )

    def _is_over(self, now: float) -> bool:
        results = self._session.results
        if self._ending is None and results:
            self._ending = Ending(results[-1].outcome, results[-1].reason, now)
        return self._ending is not None and now - self._ending.at >= TAIL

    def _start(self, instruction: str) -> None:
        """Up to READY, and to RUNNING with a policy that does not judge the instruction first."""
        self._send_mode(Mode.READY)
        self._policy.check(instruction)
        self._session.accept(instruction, self._clock())
        self._session.on_mode(Mode.READY, '', self._servo.wall_ns, self._clock())
        self._grant_start()

    def _grant_start(self) -> None:
        if self._session.wants_start() is not None:
            self._session.on_mode(Mode.RUNNING, '', self._servo.wall_ns, self._clock())

    def _send_mode(self, mode: Mode) -> None:
        self._sequence += 1
        state = SupervisorCommand(mode, 1, 1.0, self._servo.wall_ns, self._sequence)
        self.filter.on_supervisor(state, self._clock())

    def _supervise(self) -> None:
        """RUNNING until the instruction has ended."""
        self._grant_start()
        mode = Mode.RUNNING if self._session.phase is Phase.RUNNING else Mode.READY
        if mode is not self._servo.mode:
            moving = mode is Mode.RUNNING
            self._servo.request(mode, Behaviour.TRACK if moving else Behaviour.HOLD)
            self._servo.publish_state()
        self._send_mode(mode)

    def _receive_sensors(self) -> None:
        """What the driver publishes in each cycle, in inference and filter."""
        now, stamp, names = self._clock(), self._servo.wall_ns, self._robot.joint_names
        reading, motion = self._servo.reading, self.loop.motion
        self._assembler.add_joints(stamp, now, names, reading.position, reading.velocity)
        self._assembler.add_imu(stamp, now, reading.orientation)
        self.filter.measured.update(reading.position, reading.velocity, stamp, now)
        self.filter.reference.update(motion.position, motion.velocity, stamp, now)
        self.filter.on_imu(reading.orientation, stamp, now)

    def _receive_image(self) -> None:
        """Expose, deliver, and attempt an inference step on an image or an answer."""
        now = self._clock()
        if now >= self._frames / CAMERA_RATE - EARLY:
            self._frames += 1
            image = None
            if self._policy.bundle.cameras:
                image, _ = self._renderer.render(self._world.qpos)
            self._images.append((now + self._camera_latency, self._servo.wall_ns, image))
        news = self._worker.due
        while self._images and now >= self._images[0][0] - EARLY:
            _, stamp, image = self._images.popleft()
            news = True
            for camera in self._policy.bundle.cameras:
                height, width, _ = image.shape
                fields = (height, width, 3 * width, 'rgb8', image.tobytes())
                frame = self._robot.camera.frame
                self._assembler.add_image(camera, stamp, now, *fields, frame_id=frame)
        if news:
            self._scheduler.run_step(wait=True)

    def _publish(self, result: StepResult) -> None:
        chunk, joined = result.chunk, result.origin and result.origin.joined
        if chunk is None:
            return
        if joined is not None:  # of the policy, not of the scripted hold
            self._chunk_joints = [self._robot.index[name] for name in chunk.joints]
            if joined.border is not None:
                step = joined.jump
                self._borders.append((step.position, step.velocity, step.acceleration))
        age = (self._servo.wall_ns - result.stamp_ns) * 1e-9
        self.filter.on_chunk(
            chunk.joints, chunk.times, chunk.positions, None, result.stamp_ns, age, self._clock()
        )

    def _tick_filter(self) -> None:
        report, last = self.filter.tick(self._clock()), self._output
        output = report.command
        counts = [self.filter.counts[kind] for kind in KINDS]
        self._holds.update(self._servo.wall_ns, KIND_NAMES, counts)
        self._session.on_filter(self.filter.motion_ended, self._servo.wall_ns, self._clock())
        self._output = None if report.state is FilterState.GATED else output
        if last is not None and self._output is not None:
            self._violations += breaks_limits(self._robot, last, output)
        self._interventions += bool(report.violations)
        if output is not None:
            self._playback = Playback.of_status(
                output.speed_scale,
                self._interpolation,
                output.chunk_sequence,
                self._servo.wall_ns,
                output.playback_time,
            )
            self._velocities.append(output.velocity.copy())
            self._servo.command(output.position, output.velocity, output.effort)


def rms_jerk(velocities: list[np.ndarray], joints: list[int]) -> float:
    """RMS of the jerk (rad/s^3) of `joints` in consecutive commands with velocities (n,) rad/s."""
    if not joints or len(velocities) < 3:
        return 0.0
    sent = np.array(velocities)[:, joints]
    return float(np.sqrt(np.mean(np.square(np.diff(sent, n=2, axis=0) / FILTER_PERIOD**2))))


def breaks_limits(robot: RobotModel, last: Output, output: Output) -> bool:
    """Whether a command of the filter, after `last`, is outside of the robot's limits."""
    limits, position, velocity = robot.limits, output.position, output.velocity
    acceleration = (velocity - last.velocity) / FILTER_PERIOD
    inside = (
        (position >= limits.lower - SLACK)
        & (position <= limits.upper + SLACK)
        & (np.abs(velocity) <= limits.velocity + SLACK)
        & (np.abs(acceleration) <= limits.acceleration + SLACK / FILTER_PERIOD)
    )
    return not bool(inside.all())


def _raise() -> None:
    raise  # called by the scheduler in its except clause

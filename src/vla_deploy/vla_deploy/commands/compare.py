# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_deploy compare`: two policies on the same recordings, in the same scenes, or one in
shadow mode beside a running robot."""

import argparse
import time
from pathlib import Path

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

from vla_common.errors import ConfigError
from vla_common.terminal import parser, progress
from vla_deploy.closed_loop import outcomes
from vla_deploy.commands import verb
from vla_deploy.comparing.comparison import compare_closed_loop, compare_recorded
from vla_deploy.comparing.report import write_report
from vla_deploy.comparing.shadow import Shadow, ShadowSummary
from vla_deploy.comparing.shadow_node import CAMERA_TOPIC, ShadowNode
from vla_deploy.observations import observations_for
from vla_policy.bundle.bundle import load_bundle
from vla_policy.load import load_policy
from vla_robot import load_robot

EPILOG = """\
recordings: the chunks of A and B for the same observations, in radians at the joints and times that
  both have (their networks, cameras and horizons may differ), and their latency, timed in turns.
  Means have 95 % bootstrap intervals.
scenes (--scenes N): both run in the same N simulated scenes, through the safety filter; success is
  compared scene by scene, with the interval of a paired difference.
shadow (--shadow SECONDS): B runs beside the policy that moves a robot. For each chunk on
  /vla/action_chunk it computes its own from the same observation; both are written to shadow.jsonl.
  It publishes nothing, so nothing of it can be executed. Give it a processor of its own (taskset):
  it takes time that the robot might need. The observations are written to recording.npz, for
  --observations and --calibration of every verb (to record your robot, B may be the running
  bundle).

examples:
  ros2 run vla_deploy compare models/humanoid_vla /tmp/int8 --scenes 40 --jobs 2
  ros2 run vla_deploy compare models/humanoid_vla /tmp/int8 --observations recording.npz
  ros2 run vla_deploy compare /tmp/int8 --shadow 60
exit code: 0 compared (with any result), 2 wrong input, or there was nothing to compare with"""


def _shadow(a: argparse.Namespace, out: Path) -> ShadowSummary:
    robot = load_robot(a.robot)
    policy = load_policy(a.bundles[-1], robot, threads=a.threads, accept_failed=a.accept_failed)
    topics = dict.fromkeys(policy.bundle.cameras, CAMERA_TOPIC)
    for given in a.camera:
        camera, _, topic = given.partition('=')
        if camera not in topics or not topic:
            wanted = f'CAMERA=TOPIC, of {", ".join(topics) or "no camera"}'
            raise ConfigError('--camera', '', given, wanted)
        topics[camera] = topic
    out.mkdir(parents=True, exist_ok=True)
    rclpy.init(args=[])
    try:
        with (out / 'shadow.jsonl').open('w', encoding='utf-8') as file, progress('s') as bar:
            line = bar.add_task('shadow mode', total=a.shadow)
            shadow = Shadow(policy, robot.joint_names, file)
            node = ShadowNode(shadow, topics)
            executor = SingleThreadedExecutor()
            executor.add_node(node)
            began, elapsed = time.monotonic(), 0.0
            try:
                while (elapsed := time.monotonic() - began) < a.shadow:
                    executor.spin_once(timeout_sec=0.1)
                    bar.update(line, completed=elapsed)
            except (KeyboardInterrupt, ExternalShutdownException):
                pass  # report what was compared so far
            finally:
                executor.shutdown()
                node.destroy_node()
        recording = shadow.recording()
        if recording is not None:
            recording.save(out / 'recording.npz')
        summary = shadow.summary()
        if not summary.chunks:
            why = ', '.join(f'{n} x {reason}' for reason, n in summary.skipped.items())
            found = f'nothing to compare with in {elapsed:.0f} s' + (f' ({why})' if why else '')
            wanted = 'a policy that runs an instruction, in this ROS_DOMAIN_ID'
            raise ConfigError('/vla/action_chunk', '', found, wanted)
        return summary
    finally:
        policy.close()
        rclpy.try_shutdown()


def _offline(a: argparse.Namespace, out: Path, names: tuple[str, str]) -> dict:
    robot = load_robot(a.robot)
    first, _ = [load_bundle(path, robot, accept_failed=a.accept_failed) for path in a.bundles]
    recording = observations_for(a.observations, robot, first.tasks, a.count, a.seed)
    with progress('steps') as bar:
        line = bar.add_task('comparing', total=a.rounds + 5 + 2 * a.scenes)

        def step() -> None:
            bar.advance(line)

        how = {'rounds': a.rounds, 'threads': a.threads, 'accept_failed': a.accept_failed}
        recorded = compare_recorded(*a.bundles, recording, robot, **how, advance=step)
        scenes = None
        if a.scenes > 0:
            run = (a.robot, a.scenes, a.seed)
            both = [outcomes(path, *run, jobs=a.jobs, advance=step) for path in a.bundles]
            scenes = compare_closed_loop(*both)
    found = write_report(out, names, recorded, scenes)
    rms, latency = recorded.rms_rad, recorded.latency_ms
    verb.show(
        f'B differs by {rms.mean:.4f} rad RMS ({rms.low:.4f} to {rms.high:.4f}), at most '
        f'{recorded.largest_rad:.4f}; {latency[0]:.2f} and {latency[1]:.2f} ms a chunk'
    )
    if scenes is not None:
        s = scenes.success
        verb.show(f'success {s.before:.0%} and {s.after:.0%}; B: {s.verdict}')
    verb.show(f'report: {out / "report.md"}')
    return found


@verb.plain
def main(arguments: list[str] | None = None) -> int:
    what = 'Compare two policies: A, the current one, and B, the candidate.'
    p = parser('vla_deploy compare', what, EPILOG)
    p.add_argument('bundles', type=Path, nargs='+', metavar='DIR', help='A and B; or B, in shadow')
    p.add_argument(
        '--scenes',
        type=int,
        default=0,
        metavar='N',
        help='run N simulated scenes in closed loop too',
    )
    p.add_argument(
        '--shadow',
        type=float,
        metavar='SECONDS',
        help='compare beside the running robot for SECONDS',
    )
    p.add_argument(
        '--camera',
        nargs='+',
        default=[],
        metavar='C=TOPIC',
        help='topic of each camera, with --shadow',
    )
    p.add_argument('--accept-failed', action='store_true', help='accept a failed verification')
    p.add_argument(
        '--out',
        type=Path,
        metavar='DIR',
        help='directory of the report (default: out/compare/<A>_<B>)',
    )
    verb.add_options(
        p, 'observations', 'jobs', 'seed', 'threads', 'robot', 'json', count=48, rounds=50
    )
    a = p.parse_args(arguments)
    if a.shadow is not None:
        if len(a.bundles) != 1:
            raise ConfigError('bundles', '', len(a.bundles), 'B alone: A is the running policy')
        if not 0 < a.shadow <= 86400:
            raise ConfigError('--shadow', '', a.shadow, 'seconds, at most a day')
    elif len(a.bundles) != 2:
        raise ConfigError('bundles', '', len(a.bundles), 'two bundles, A and B')
    names = tuple(path.resolve().name for path in a.bundles)
    if a.shadow is not None:
        names = ('the active policy', names[0])
    out = a.out or Path('out') / 'compare' / '_'.join(names).replace(' ', '_')
    if a.shadow is None:
        found = _offline(a, out, names)
    else:
        found = write_report(out, names, shadow=_shadow(a, out))
        verb.show(
            f'{found["shadow"]["chunks"]} chunks compared, nothing executed; report: '
            f'{out / "report.md"}; observations: {out / "recording.npz"}'
        )
    verb.print_json(a, found)
    return 0

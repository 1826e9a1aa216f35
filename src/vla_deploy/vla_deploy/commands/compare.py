# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_deploy compare`: two policies on the same recordings, in the same scenes, or one in
the shadow of a running robot."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from vla_common.errors import ConfigError
from vla_common.terminal import console, guarded, parser, positive, progress
from vla_deploy.atomic_io import as_json
from vla_deploy.closed_loop import outcomes
from vla_deploy.comparing.closed_loop import compare_closed_loop
from vla_deploy.comparing.recorded import compare_recorded
from vla_deploy.comparing.report import write_report
from vla_deploy.comparing.shadow import Shadow, Summary, open_log
from vla_deploy.observations import observations_for
from vla_policy.bundle.bundle import load_bundle
from vla_policy.load import load_policy
from vla_robot import load_robot

EPILOG = """\
recordings: what A and B would do for the same observations, in radians at the joints and moments
  that both have (their networks, cameras and horizons may differ), and how long each takes, in
  turns. Means come with 95 % bootstrap intervals.
scenes (--scenes N): both act in the same N simulated scenes, through the safety filter; success is
  compared scene by scene, with the interval of a paired difference.
shadow (--shadow SECONDS): B runs beside the policy that moves a robot now. For each chunk on
  /vla/action_chunk it is asked about the same observation; its answer is written down, next to the
  other, in shadow.jsonl. It publishes nothing: nothing of it can be executed. Give it a processor
  of its own (taskset): it takes time that the robot might need. What was seen is left as
  recording.npz: for --observations and --calibration of every verb (to record your robot, B may be
  the very bundle that runs).

examples:
  ros2 run vla_deploy compare models/humanoid_vla /tmp/int8 --scenes 40 --jobs 2
  ros2 run vla_deploy compare models/humanoid_vla /tmp/int8 --observations recording.npz
  ros2 run vla_deploy compare /tmp/int8 --shadow 60
exit code: 0 compared (whatever came out), 2 something given is wrong, or there was nothing to be
compared with"""


def _shadow(a: argparse.Namespace, log: Path) -> Summary:
    import rclpy
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

    from vla_deploy.comparing.shadow_node import CAMERA_TOPIC, ShadowNode

    robot = load_robot(a.robot)
    policy = load_policy(a.bundles[-1], robot, threads=a.threads, accept_failed=a.accept_failed)
    topics = dict.fromkeys(policy.bundle.cameras, CAMERA_TOPIC)
    for given in a.camera:
        camera, _, topic = given.partition('=')
        if camera not in topics or not topic:
            wanted = f'CAMERA=TOPIC, of {", ".join(topics) or "no camera"}'
            raise ConfigError('--camera', '', given, wanted)
        topics[camera] = topic
    rclpy.init(args=[])
    try:
        with open_log(log) as file, progress('s') as bar:
            line = bar.add_task('in the shadow', total=a.shadow)
            shadow = Shadow(policy, robot.joint_names, file)
            node = ShadowNode(shadow, topics)
            executor = SingleThreadedExecutor()
            executor.add_node(node)
            began = time.monotonic()
            try:
                while (gone := time.monotonic() - began) < a.shadow:
                    executor.spin_once(timeout_sec=0.1)
                    bar.update(line, completed=gone)
            except (KeyboardInterrupt, ExternalShutdownException):
                pass  # what was compared so far is reported
            finally:
                executor.shutdown()
                node.destroy_node()
            recording = shadow.recording()
            if recording is not None:
                recording.save(log.with_name('recording.npz'))
            summary = shadow.summary()
            if not summary.chunks:
                why = ', '.join(f'{n} x {reason}' for reason, n in summary.skipped.items())
                found = f'nothing to compare with in {gone:.0f} s' + (f' ({why})' if why else '')
                wanted = 'a policy at work on an instruction, in this ROS_DOMAIN_ID'
                raise ConfigError('/vla/action_chunk', '', found, wanted)
            return summary
    finally:
        policy.close()
        rclpy.try_shutdown()


def _run(arguments: list[str] | None) -> int:
    p = parser(
        'vla_deploy compare',
        'Compare two policies: A, which is there, and B, the candidate.',
        EPILOG,
    )
    p.add_argument('bundles', type=Path, nargs='+', metavar='DIR', help='A and B; or B, in shadow')
    p.add_argument('--observations', type=Path, metavar='FILE', help='recording (.npz)')
    p.add_argument('--count', type=positive, default=48, help='observations (default 48)')
    p.add_argument('--rounds', type=positive, default=50, help='timed calls of each (default 50)')
    p.add_argument('--scenes', type=int, default=0, metavar='N', help='simulated scenes too')
    p.add_argument('--shadow', type=float, metavar='SECONDS', help='beside the running robot')
    p.add_argument('--camera', nargs='+', default=[], metavar='C=TOPIC', help='images, in shadow')
    p.add_argument('--jobs', type=positive, default=1, help='processes for --scenes (default 1)')
    p.add_argument('--seed', type=int, default=0, help='of observations and scenes (default 0)')
    p.add_argument('--threads', type=positive, default=1, help='of the runtimes (default 1)')
    p.add_argument('--accept-failed', action='store_true', help='also what failed to verify')
    p.add_argument('--robot', default='humanoid32', help='name or path (default humanoid32)')
    p.add_argument('--out', type=Path, metavar='DIR', help='default: out/compare/<A>_<B>')
    p.add_argument('--json', action='store_true', help='print the result as JSON on stdout')
    a = p.parse_args(arguments)
    wanted = 1 if a.shadow is not None else 2
    if len(a.bundles) != wanted:
        text = 'B alone: A is what runs' if a.shadow is not None else 'two bundles, A and B'
        raise ConfigError('bundles', '', len(a.bundles), text)
    if a.shadow is not None and not 0 < a.shadow <= 86400:
        raise ConfigError('--shadow', '', a.shadow, 'seconds, at most a day')
    names = tuple(path.resolve().name for path in a.bundles)
    if a.shadow is not None:
        names = ('the active policy', names[0])
    stem = '_'.join(name.replace(' ', '_') for name in names)
    out = a.out or Path('out') / 'compare' / stem
    if a.shadow is not None:
        found = write_report(out, names, shadow=_shadow(a, out / 'shadow.jsonl'))
        chunks = found['shadow']['chunks']
        console.print(
            f'{chunks} chunks compared, nothing executed; report: {out / "report.md"}; '
            f'what was seen: {out / "recording.npz"}',
            soft_wrap=True,
        )
    else:
        robot = load_robot(a.robot)
        first, _ = [load_bundle(p, robot, accept_failed=a.accept_failed) for p in a.bundles]
        recording = observations_for(a.observations, robot, first.tasks, a.count, a.seed)
        with progress('steps') as bar:
            line = bar.add_task('comparing', total=a.rounds + 5 + 2 * a.scenes)

            def step() -> None:
                bar.advance(line)

            recorded = compare_recorded(
                *a.bundles,
                recording,
                robot,
                rounds=a.rounds,
                threads=a.threads,
                accept_failed=a.accept_failed,
                advance=step,
            )
            acted = None
            if a.scenes > 0:
                both = [
                    outcomes(path, a.robot, a.scenes, a.seed, jobs=a.jobs, advance=step)
                    for path in a.bundles
                ]
                acted = compare_closed_loop(*both)
        found = write_report(out, names, recorded, acted)
        r = recorded.rms_rad
        console.print(
            f'B differs by {r.mean:.4f} rad RMS ({r.low:.4f} to {r.high:.4f}), at most '
            f'{recorded.largest_rad:.4f}; {recorded.latency_ms[0]:.2f} and '
            f'{recorded.latency_ms[1]:.2f} ms a chunk',
            soft_wrap=True,
        )
        if acted is not None:
            s = acted.success
            console.print(
                f'success {s.before:.0%} and {s.after:.0%}; B: {s.verdict}',
                soft_wrap=True,
            )
        console.print(f'report: {out / "report.md"}', soft_wrap=True)
    if a.json:
        print(as_json(found))
    return 0


def main(arguments: list[str] | None = None) -> int:
    return guarded(_run, arguments)


if __name__ == '__main__':
    sys.exit(main())

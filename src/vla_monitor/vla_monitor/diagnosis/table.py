# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The table: what an operator notices, its causes, the evidence in a session, what to do.

`diagnose`, the report's "what to look at first" and docs/troubleshooting.md are made from it. The
thresholds are judgements; where a session of a healthy robot was measured against one, the row
says so.
"""

from __future__ import annotations

from vla_monitor.diagnosis import filtering, motion, outcome, timing
from vla_monitor.diagnosis.rows import Cause, Symptom
from vla_monitor.diagnosis.table_stops import CPU, OWN, STOPPED, UNRESPONSIVE

_LATENCY = (
    Cause(
        'policy_slow', Symptom.LATENCY, 'the policy is slower than its rate',
        'p95 of `policy_call_ms` above {percent} of the period of `inference_frequency`',
        '[a faster model](faster_model.md), another `device`, or a lower `inference_frequency`',
        timing.latency('policy_call_ms', 'policy call', 'inference', 'inference_frequency',
                       'the period', False), 0.8,
    ),
    Cause(
        'chunks_old', Symptom.LATENCY, 'chunks arrive old',
        'p95 of `observation_to_chunk_ms` above {percent} of `chunk.max_age` of the filter',
        'where the time goes: `observation_age_ms` (camera), `policy_call_ms` (model), the rest '
        'is waiting for the processor or a policy server\'s network',
        timing.latency('observation_to_chunk_ms', 'observation to chunk', 'safety_filter',
                       'chunk.max_age', 'chunk.max_age', True), 0.5,
    ),
    Cause(
        'images_old', Symptom.LATENCY, 'images are old when the policy sees them',
        'p95 of `observation_age_ms` above {percent} of `observation.max_age`',
        'the camera\'s rate and exposure (`v4l2-ctl -d DEVICE -c exposure_dynamic_framerate=0`, '
        'more light), USB bandwidth (another port, a smaller picture)',
        timing.latency('observation_age_ms', 'observation age', 'inference',
                       'observation.max_age', 'observation.max_age', True), 0.7,
    ),
    Cause(
        'filter_slow', Symptom.LATENCY, 'the safety filter needs most of its period',
        'p95 of `filter_tick_ms` above {percent} of the period of `control_frequency`',
        CPU + '; fewer link pairs or a larger `barriers.time_budget` '
        '([what the filter costs](filter_cost.md))',
        timing.latency('filter_tick_ms', 'filter tick', 'safety_filter', 'control_frequency',
                       'the period', False), 0.5,
    ),
    Cause(
        'driver_slow', Symptom.LATENCY, 'the driver needs most of its period',
        'p95 of `driver_loop_ms` above {percent} of the period of `rate`',
        'the bus: its latency timer, its speed, other devices on it; ' + CPU,
        timing.latency('driver_loop_ms', 'driver loop', 'hardware_driver', 'rate',
                       'the period', False), 0.6,
    ),
    Cause(
        'machine_busy', Symptom.LATENCY, 'the machine has too little processor time',
        'all cores at 95 % or more in {percent} of the seconds (`machine.jsonl`)',
        CPU,
        timing.machine_busy, 0.2,
    ),
    Cause(
        'simulation_slow', Symptom.LATENCY, 'the simulation is slower than real time',
        '`real_time_factor` below 0.95 in more than {percent} of the driver\'s reports',
        'two free cores are enough; end other work; install '
        '`libegl1 libgl1-mesa-dri libopengl0`, without which images are ray-cast',
        timing.simulation_slow, 0.05,
    ),
)  # fmt: skip

_JERKY = (
    Cause(
        'chunks_run_out', Symptom.JERKY, 'chunks run out, and the filter brakes between them',
        'states BRAKING, INFEASIBLE or NO_CHUNK of the filter while RUNNING, after the first chunk',
        'see High latency; a policy with a longer horizon; the reason in the events',
        motion.chunks_run_out,
    ),
    Cause(
        'chunks_late', Symptom.JERKY, 'chunks come too late to be played',
        '`late_chunks` above {percent} of the chunks',
        'see High latency; `blending.mode` rtc, which plans for the delay',
        motion.chunks_late, 0.02,
    ),
    Cause(
        'chunks_disagree', Symptom.JERKY, 'chunks do not continue each other',
        'p95 of `discontinuity_velocity` above {above} rad/s (0.3 to 0.4 with the shipped policy)',
        '`blending.mode` rtc or ensemble (`ros2 run vla_validation policy_blending` compares '
        'them), a longer `cross_fade`; a policy trained on smoother demonstrations',
        motion.jumps, 1.0,
    ),
    Cause(
        'trembling', Symptom.JERKY, 'a joint trembles',
        'a commanded joint reverses more than {above} times within a second at 0.05 rad/s or more '
        '(waving with the shipped policy: 6)',
        'noise in the policy\'s inputs, chunks that disagree, or gains: record with the policy '
        '`scripted`; if it trembles too, the gains in robot.yaml',
        motion.trembling, 8,
    ),
    Cause(
        'commands_lost', Symptom.JERKY, 'commands do not reach the motors as sent',
        'the driver rejected commands, or clamped joint values, while RUNNING',
        'the reason is `last_rejection` in `/hardware/status`; clamped: `max_command_step` and '
        'the URDF\'s limits against those of the filter',
        motion.commands_lost,
    ),
    Cause(
        'speed_changes', Symptom.JERKY, 'the allowed speed changes during motion',
        'more than {above} changes of the supervisor\'s speed scale while RUNNING',
        'a DANGER halves the speed: its violation, in the rows on the filter and the balance',
        motion.speed_changes, 2,
    ),
    Cause(
        'late_ticks', Symptom.JERKY, 'the filter runs late',
        'counters `late_tick`, `state_stale` or `supervisor_silent` of the filter',
        CPU,
        filtering.rejected, 0.0, ('late_tick', 'state_stale', 'supervisor_silent'),
    ),
)  # fmt: skip

_SUCCESS = (
    Cause(
        'time_limit', Symptom.SUCCESS, 'the time ended first',
        'results that name the time limit',
        'look at the pictures and the distance named; slower stages need a longer `time_limit`; '
        'without an output `done` in the bundle the limit is the duration',
        outcome.failures,
    ),
    Cause(
        'held_by_filter', Symptom.SUCCESS, 'the safety filter did not let the joint go there',
        'results that name the safety filter',
        'the limit in brackets; [what the filter costs](filter_cost.md) a policy',
        outcome.failures,
    ),
    Cause(
        'lost_again', Symptom.SUCCESS, 'it was done, and then not any more',
        'results that begin with `lost again`',
        'send it again, as when a cube was knocked away',
        outcome.failures,
    ),
    Cause(
        'not_possible', Symptom.SUCCESS, 'the policy sees that it is not possible, or no longer',
        'results such as `no such cube in view` or `out of reach`',
        'look at the picture: light, camera pose, objects that the policy was not trained on',
        outcome.failures,
    ),
    Cause(
        'stopped', Symptom.SUCCESS, 'a stop ended it',
        'results that name a mode or a stop',
        'the rows on stops',
        outcome.failures,
    ),
    Cause(
        'other_failure', Symptom.SUCCESS, 'another result',
        'every other result but `done`',
        'the result; the events around its time',
        outcome.failures,
    ),
    Cause(
        'unsure', Symptom.SUCCESS, 'the policy is unsure of what it does',
        'median of its confidence below {above}',
        'a scene unlike those of its training: light, camera pose, objects, words; collect and '
        'fine-tune there, or `fallback_policy`',
        outcome.unsure, 0.5,
    ),
)  # fmt: skip

_BOX = 'limits of single joints (`limits`), or a policy that was trained for another robot: '
_FILTER = (
    Cause(
        'changed_often', Symptom.FILTER, 'the filter changes much of what the policy proposes',
        'changed ticks above {percent} of ' + OWN,
        'which limits do it: the rows below; a policy fine-tuned with the filter in the loop '
        '([what it costs](filter_cost.md))',
        filtering.interventions, 0.2,
    ),
    Cause(
        'joint_limits', Symptom.FILTER, 'the policy asks for more than the joints can do',
        'position, braking, velocity or torque violations for more than {percent} of ' + OWN,
        _BOX + 'compare the joint\'s range in the report, and units and joint order in policy.yaml',
        filtering.violations, 0.05, ('position', 'braking', 'velocity', 'torque'),
    ),
    Cause(
        'collision', Symptom.FILTER, 'links come close to each other or to the surroundings',
        'collision violations for more than {percent} of ' + OWN,
        'the pair is named: `collision.margin`, the collision geometry of the URDF, '
        '`collision.surroundings`; a policy with demonstrations that keep a distance',
        filtering.violations, 0.05, ('collision', 'unproven'),
    ),
    Cause(
        'workspace', Symptom.FILTER, 'the hands leave the workspace, or come close to a person',
        'workspace or proximity violations for more than {percent} of ' + OWN,
        '`workspace.lower`, `workspace.upper`, `proximity.margin`; the position of table and '
        'objects',
        filtering.violations, 0.05, ('workspace', 'proximity'),
    ),
    Cause(
        'support', Symptom.FILTER, 'the motion would unbalance the robot, or take too much power',
        'centre_of_mass or power violations for more than {percent} of ' + OWN,
        '`support.margin`, `limits.power`; slower motion; the masses in the URDF',
        filtering.violations, 0.05, ('centre_of_mass', 'power'),
    ),
    Cause(
        'chunks_invalid', Symptom.FILTER, 'chunks are rejected for their content',
        'not_finite, unknown_joint, duplicate_joint, wrong_shape, wrong_times, too_long or '
        'implausible',
        'the bundle: `ros2 run vla_deploy verify`; joint names, units and `chunk.max_first_step`; '
        'another program that publishes on `/vla/action_chunk`',
        filtering.rejected, 0.0,
        ('not_finite', 'unknown_joint', 'duplicate_joint', 'wrong_shape', 'wrong_times',
         'too_long', 'implausible'),
    ),
    Cause(
        'chunks_stale', Symptom.FILTER, 'chunks are rejected for their time',
        'stale, future or replayed more than {above} times',
        'see High latency; clocks of two machines that differ (`chrony`); `chunk.max_age`',
        filtering.rejected, 3.0, ('stale', 'future', 'replayed'),
    ),
    Cause(
        'infeasible', Symptom.FILTER, 'the limits contradict each other where the robot is',
        'infeasible at any time',
        'the violations at that time; a robot that starts outside of a limit is led back only '
        'where `limits` leave room',
        filtering.rejected, 0.0, ('infeasible',),
    ),
)  # fmt: skip

_RECORDING = (
    Cause(
        'not_read', Symptom.RECORDING, 'files are missing, torn, or of another version',
        'what could not be read, named file by file',
        '`ros2 run vla_monitor recover DIR` after a crash; a topic whose message has changed is '
        'read by the commit in `session.json`',
        outcome.problems,
    ),
    Cause(
        'interrupted', Symptom.RECORDING, 'nothing was recorded for a time',
        'interruptions in the summary',
        'the reason: disk full, read-only or below `min_free`',
        outcome.interruptions,
    ),
    Cause(
        'messages_missing', Symptom.RECORDING, 'messages are missing',
        '`dropped` (a slow disk) or `lost` (no processor time) of a topic above 0',
        '`sudo sysctl -w net.core.rmem_max=4194304`; a faster disk or `images:=video`; end other '
        'work',
        outcome.messages_missing,
    ),
    Cause(
        'clock', Symptom.RECORDING, 'the system clock jumped',
        'events `clock`',
        'let chrony slew the clock instead of stepping it while the robot is up',
        outcome.clock_jumps,
    ),
)  # fmt: skip

TABLE: tuple[Cause, ...] = (
    *STOPPED, *_LATENCY, *_JERKY, *UNRESPONSIVE, *_SUCCESS, *_FILTER, *_RECORDING,
)  # fmt: skip

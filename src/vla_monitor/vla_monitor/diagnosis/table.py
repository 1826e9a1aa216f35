# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The table: what an operator notices, its causes, the evidence in a session, what to do.

`diagnose`, the report's "what to look at first" and docs/troubleshooting.md are made from it. The
thresholds are judgements; where a session of a healthy robot was measured against one, the row
says so.
"""

from __future__ import annotations

from vla_monitor.diagnosis import filtering, motion, outcome, response, timing
from vla_monitor.diagnosis.rows import Cause, Symptom

_OWN = 'the time RUNNING'
_CPU = (
    'close other programs; real-time priority (the lines for `/etc/security/limits.d` in the '
    '[README](../README.md#what-the-machine-needs)); a [smaller model](faster_model.md)'
)

_STOPPED = (
    Cause(
        'fall', Symptom.STOPPED, 'balance was lost',
        'a stop by `fall`, `balance_danger` or `balance_emergency`; the balance monitor reports '
        'falling or fallen',
        'look at the balance plot before that time: a push, a reach too far out (`support.margin`, '
        '`workspace` of the safety filter), or a floor that gives way; in simulation `/sim/reset`, '
        'then `reset` and `arm`',
        outcome.falls,
    ),
    Cause(
        'operator', Symptom.STOPPED, 'an operator stopped it',
        'a stop by `operator_stop`, `estop_request` or `estop_endpoint:…`, except while nothing '
        'moved',
        'ask who pressed; `ros2 run vla_supervisor command reset` (after an e-stop) or `resume`, '
        'then the next instruction',
        outcome.stops,
    ),
    Cause(
        'endpoint_silent', Symptom.STOPPED, 'an e-stop endpoint fell silent',
        'a stop by `endpoint_lost:…` or `endpoint_required`',
        'the page was closed, its tab slept or the network failed: open the '
        '[dashboard](dashboard.md) again, keep its tab in front, or connect the button again',
        outcome.stops,
    ),
    Cause(
        'driver', Symptom.STOPPED, 'the robot or its driver failed',
        'a stop by `driver_…`, `command_stale`, or the node hardware_driver; a fault of the driver',
        'the detail names what could not be read or written: cable, power, firmware; then '
        '`ros2 run vla_bringup preflight`',
        outcome.driver_faults,
    ),
    Cause(
        'sensors', Symptom.STOPPED, 'sensors contradict each other',
        'a stop by `imu_…`, `joint_velocity_…`, `foot_force_…` or `following_error`',
        'the detail names sensor and difference: check its mounting and its calibration; '
        '`following_error`: a joint is blocked or too weak',
        outcome.stops,
    ),
    Cause(
        'camera_silent', Symptom.STOPPED, 'a camera fell silent or froze',
        'a stop by `camera_frozen`, or the node `camera`',
        'no processor time (`machine_busy` below), a USB port that is full, or a device that '
        'hangs; in simulation `libegl1 libgl1-mesa-dri libopengl0`; then `resume`',
        outcome.stops,
    ),
    Cause(
        'policy', Symptom.STOPPED, 'the policy had no answer',
        'a stop by `policy_…`, `chunks_stopped`, or the node inference',
        'see High latency, then the reason of inference in the events; `fallback_policy` keeps '
        'an instruction going',
        outcome.stops,
    ),
    Cause(
        'filter', Symptom.STOPPED, 'the safety filter found no safe command',
        'a stop by `filter_infeasible`, `filter_danger` or `filter_emergency`',
        'the violations just before it name joint and limit; `ros2 run vla_monitor replay` repeats '
        'the decision, with `--params` under other limits',
        outcome.stops,
    ),
    Cause(
        'node', Symptom.STOPPED, 'a node ended, hung or was late',
        'a stop by `node_lost:…`, `node_stale:…` or `node_inactive:…` of another node',
        'the last lines of the launch for that node; ' + _CPU,
        outcome.stops,
    ),
    Cause(
        'stop_failed', Symptom.STOPPED, 'a stop did not stop the robot',
        'an e-stop by `stop_not_slowing` or `stop_not_resting`',
        'do not run it again before the reason is known: brakes, damping (`damp_factor`), load '
        'beyond the robot; `ros2 run vla_validation stops` measures stops',
        outcome.stops,
    ),
    Cause(
        'host', Symptom.STOPPED, 'the machine, or another program, disturbed the supervisor',
        'a stop by `supervisor_stalled`, `clock_invalid` or `duplicate_publisher:…`',
        'end the second launch (`ROS_DOMAIN_ID`); ' + _CPU,
        outcome.stops,
    ),
    Cause(
        'other_stop', Symptom.STOPPED, 'another cause',
        'a stop whose cause is in no other row',
        'the cause says how it clears; `ros2 run vla_supervisor command status`',
        outcome.stops,
    ),
    Cause(
        'balance_limits', Symptom.STOPPED, 'balance was close to its limits',
        'violations of the balance monitor for more than {percent} of ' + _OWN,
        'slower motion (`stage:=slow`), a smaller `workspace`, `support.margin` of the filter; '
        'check the mass that the robot carries against its URDF',
        filtering.violations, 0.05,
        ('tilt', 'falling', 'fallen', 'low_com', 'capture_point', 'no_contact',
         'imu_disagreement'),
    ),
)  # fmt: skip

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
        _CPU + '; fewer link pairs or a larger `barriers.time_budget` '
        '([what the filter costs](filter_cost.md))',
        timing.latency('filter_tick_ms', 'filter tick', 'safety_filter', 'control_frequency',
                       'the period', False), 0.5,
    ),
    Cause(
        'driver_slow', Symptom.LATENCY, 'the driver needs most of its period',
        'p95 of `driver_loop_ms` above {percent} of the period of `rate`',
        'the bus: its latency timer, its speed, other devices on it; ' + _CPU,
        timing.latency('driver_loop_ms', 'driver loop', 'hardware_driver', 'rate',
                       'the period', False), 0.6,
    ),
    Cause(
        'machine_busy', Symptom.LATENCY, 'the machine has too little processor time',
        'all cores at 95 % or more in {percent} of the seconds (`machine.jsonl`)',
        _CPU,
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
        _CPU,
        filtering.rejected, 0.0, ('late_tick', 'state_stale', 'supervisor_silent'),
    ),
)  # fmt: skip

_UNRESPONSIVE = (
    Cause(
        'nodes_missing', Symptom.UNRESPONSIVE, 'a node is not active',
        'nodes that were missing for {above} s or more after the first minute, or at the end',
        'the reason names the file, key or device; `configure failed: …`: correct that key; '
        '`still configuring`: wait, or see the node\'s log',
        response.nodes_missing, 1.0,
    ),
    Cause(
        'not_armed', Symptom.UNRESPONSIVE, 'the robot is not armed, or something is required first',
        'mode INACTIVE for more than {above} s for another reason than a missing node',
        '`ros2 run vla_supervisor command arm`; `preflight_required`: '
        '`ros2 run vla_bringup preflight` ([guide](preflight.md)); after a respawn arming is '
        'always an operator\'s step',
        response.not_armed, 5.0,
    ),
    Cause(
        'stop_latched', Symptom.UNRESPONSIVE, 'a stop is in force',
        'mode SAFE_STOP or ESTOP for more than {above} s',
        '`ros2 run vla_supervisor command status` says how each cause clears; then `reset` '
        '(e-stop), `resume` (safe stop), `arm`, and the next instruction: an ended one is never '
        'resumed',
        response.stop_latched, 3.0,
    ),
    Cause(
        'refused', Symptom.UNRESPONSIVE, 'the instruction was refused',
        'results that begin with `refused`',
        'words: the bundle\'s `tasks` lists examples; the scene: look at the picture '
        '(`ros2 run vla_sim snapshot`), threshold `outputs.possible.accept` of its policy.yaml',
        response.refused,
    ),
    Cause(
        'never_started', Symptom.UNRESPONSIVE, 'an instruction was accepted and nothing moved',
        'instructions that ended without RUNNING, other than refused ones',
        'the result names the mode or the answer of the supervisor',
        response.never_started,
    ),
    Cause(
        'policy_blocked', Symptom.UNRESPONSIVE, 'the policy cannot run',
        'inference BLOCKED, FALLBACK or UNLOADED for more than {above} s',
        'old images: the rows on cameras; a policy server: its address and its log; an error of '
        'the model: `ros2 run vla_deploy verify`',
        response.policy_blocked, 0.5,
    ),
    Cause(
        'no_images', Symptom.UNRESPONSIVE, 'a camera sends nothing',
        'no image on a topic of `cameras.color`',
        'the camera\'s node in `/diagnostics`: device, permission, format '
        '([several cameras](cameras.md))',
        response.no_images,
    ),
    Cause(
        'held', Symptom.UNRESPONSIVE, 'the safety filter holds the motion',
        '`held_for` of the filter above {above} s',
        'the limit is named: for collisions, `collision.margin` and the surroundings; for the '
        'hands, `workspace`; `/safety/status` has the links',
        motion.held, 1.0,
    ),
    Cause(
        'slow', Symptom.UNRESPONSIVE, 'the robot is allowed to move slowly only',
        'a speed scale below {above} for more than half of ' + _OWN,
        'the stage: `stage:=fast` once the robot earned it; else a DANGER that lasts',
        motion.slow, 0.5,
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
        'changed ticks above {percent} of ' + _OWN,
        'which limits do it: the rows below; a policy fine-tuned with the filter in the loop '
        '([what it costs](filter_cost.md))',
        filtering.interventions, 0.2,
    ),
    Cause(
        'joint_limits', Symptom.FILTER, 'the policy asks for more than the joints can do',
        'position, braking, velocity or torque violations for more than {percent} of ' + _OWN,
        _BOX + 'compare the joint\'s range in the report, and units and joint order in policy.yaml',
        filtering.violations, 0.05, ('position', 'braking', 'velocity', 'torque'),
    ),
    Cause(
        'collision', Symptom.FILTER, 'links come close to each other or to the surroundings',
        'collision violations for more than {percent} of ' + _OWN,
        'the pair is named: `collision.margin`, the collision geometry of the URDF, '
        '`collision.surroundings`; a policy with demonstrations that keep a distance',
        filtering.violations, 0.05, ('collision', 'unproven'),
    ),
    Cause(
        'workspace', Symptom.FILTER, 'the hands leave the workspace, or come close to a person',
        'workspace or proximity violations for more than {percent} of ' + _OWN,
        '`workspace.lower`, `workspace.upper`, `proximity.margin`; the position of table and '
        'objects',
        filtering.violations, 0.05, ('workspace', 'proximity'),
    ),
    Cause(
        'support', Symptom.FILTER, 'the motion would unbalance the robot, or take too much power',
        'centre_of_mass or power violations for more than {percent} of ' + _OWN,
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
    *_STOPPED, *_LATENCY, *_JERKY, *_UNRESPONSIVE, *_SUCCESS, *_FILTER, *_RECORDING,
)  # fmt: skip

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The part of the table for a robot that stopped, or does not respond (see `table.py`)."""

from __future__ import annotations

from vla_monitor.diagnosis import filtering, motion, outcome, response
from vla_monitor.diagnosis.rows import Cause, Symptom

OWN = 'the time RUNNING'
CPU = (
    'close other programs; real-time priority (the lines for `/etc/security/limits.d` in the '
    '[README](../README.md#what-the-machine-needs)); a [smaller model](faster_model.md)'
)

STOPPED = (
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
        'the last lines of the launch for that node; ' + CPU,
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
        'end the second launch (`ROS_DOMAIN_ID`); ' + CPU,
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
        'violations of the balance monitor for more than {percent} of ' + OWN,
        'slower motion (`stage:=slow`), a smaller `workspace`, `support.margin` of the filter; '
        'check the mass that the robot carries against its URDF',
        filtering.violations, 0.05,
        ('tilt', 'falling', 'fallen', 'low_com', 'capture_point', 'no_contact',
         'imu_disagreement'),
    ),
)  # fmt: skip

UNRESPONSIVE = (
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
        'a speed scale below {above} for more than half of ' + OWN,
        'the stage: `stage:=fast` once the robot earned it; else a DANGER that lasts',
        motion.slow, 0.5,
    ),
)  # fmt: skip

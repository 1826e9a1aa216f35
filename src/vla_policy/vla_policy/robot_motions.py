# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Motions that any robot has, from its groups, poses and hands (`from_robot` in policy.yaml)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from vla_common.errors import ConfigError
from vla_policy.bundle.scripted_spec import Motion, ScriptedSpec, Step, words_of
from vla_policy.types import Robot

SWING_PERIOD = 4.0  # s
SWING = 0.25
"""rad (m) of a joint's swing at most, and at most SHARE of its range and its velocity limit."""
SHARE = 0.15
REACH = 4.0
"""s to a pose at least; a slow joint gets as long as half its velocity limit needs."""
MINIMUM_JERK_PEAK = 1.875
"""Peak velocity of a minimum-jerk motion over its mean velocity."""

Named = tuple[str, Motion]
"""An instruction (a task) that is sure to choose the motion, and the motion."""


def fit_to_robot(
    spec: ScriptedSpec, tasks: Sequence[str], robot: Robot
) -> tuple[ScriptedSpec, tuple[str, ...]]:
    """The motions that the robot has the joints for and its own, and the tasks of both.

    Its own: hold, `open the GRIPPER` and `close the GRIPPER`, `wave with the (left, right) hand`
    where the spec has none that fits, `move GROUP` for each group of the upper body, `go to POSE`
    for each pose.

    Raises ConfigError: the robot has no joint in its upper body.
    """
    if len(robot.groups['upper_body']) == 0:
        file = f'robot.yaml of {robot.name}'
        raise ConfigError(file, 'groups.upper_body', 'no joint', 'one, for a scripted policy')
    known = set(robot.joint_names)
    motions = {n: m for n, m in spec.motions.items() if known.issuperset(m.joints)}
    absent = {n: m for n, m in spec.motions.items() if n not in motions}
    possible = [task for task in tasks if spec.choose(task) in motions.values()]
    own = (*_hold(robot), *_grips(robot), *_waves(robot), *_groups(robot), *_poses(robot))
    for task, motion in own:
        chosen = ScriptedSpec(motions).choose(task)
        if motion.name not in motions and (chosen is None or len(chosen.words) < len(motion.words)):
            motions[motion.name] = motion
            possible.append(task)
    fitted = replace(spec, motions=motions, absent=absent)
    return fitted, tuple(dict.fromkeys(possible))


def with_gripper_joints(spec: ScriptedSpec, robot: Robot, file: str) -> ScriptedSpec:
    """The openings in steps as positions of the grippers' joints.

    Raises ConfigError: the robot has no such gripper, or it does not open so wide.
    """
    motions = {name: _with_joints(motion, robot, file) for name, motion in spec.motions.items()}
    return replace(spec, motions=motions)


def _with_joints(motion: Motion, robot: Robot, file: str) -> Motion:
    if not motion.grippers:
        return motion
    steps = []
    for i, step in enumerate(motion.steps):
        pose = dict(step.pose)
        for name, opening in step.grippers.items():
            key = f'motions.{motion.name}.steps[{i}].grippers.{name}'
            gripper = robot.grippers.get(name)
            if gripper is None:
                known = ', '.join(robot.grippers) or f'none: {robot.name} has no gripper'
                raise ConfigError(file, key, 'an unknown gripper', known)
            if not gripper.closed <= opening <= gripper.open:
                wanted = f'{gripper.closed:g} to {gripper.open:g} m'
                raise ConfigError(file, key, f'{opening:g}', wanted)
            positions = gripper.joint_positions(opening).tolist()
            pose.update(zip(gripper.joint_names, positions, strict=True))
        steps.append(Step(pose, {}, step.time))
    return replace(motion, steps=tuple(steps))


def _grips(robot: Robot) -> Iterator[Named]:
    """Open and close each gripper; the one that is named, or the first."""
    for name, gripper in robot.grippers.items():
        for verb, opening in (('open|release', gripper.open), ('close|grip|grasp', gripper.closed)):
            word = verb.split('|')[0]
            time = max(1.0, MINIMUM_JERK_PEAK * (gripper.open - gripper.closed) / gripper.speed)
            step = Step({}, {name: opening}, time)
            words = (verb, *words_of(name))
            motion = Motion(f'{word}_{name}', words, {}, {}, (), 2.0, 0.0, 0.0, (step,))
            yield f'{word} the {" ".join(words_of(name))}', motion


def _hold(robot: Robot) -> Iterator[Named]:
    gripping = {int(i) for i in robot.gripper_joints}
    names = _names(robot, [i for i in robot.groups['upper_body'] if int(i) not in gripping])
    words = ('hold|stay|still|stand|freeze|wait',)
    yield 'hold still', Motion('hold', words, {}, {}, names, 2.0, 0.0, 0.0)


def _waves(robot: Robot) -> Iterator[Named]:
    """Each hand swings by the joints that carry no other frame (all that carry it, if none)."""
    upper = {int(i) for i in robot.groups['upper_body']}
    for hand in robot.frames:
        *side, last = words_of(hand)  # left, right, or nothing: a single arm
        if last != 'hand':
            continue
        carrying = upper.intersection(robot.chain(hand))
        shared = [robot.chain(frame) for frame in robot.frames if frame != hand]
        members = sorted(carrying.difference(*shared) or carrying)
        if members:
            words = ('wave|greet|hello|hi', *side)
            name = '_'.join(('wave', *side))
            yield ' '.join(('wave with the', *side, last)), _swing(robot, name, words, members)


def _groups(robot: Robot) -> Iterator[Named]:
    upper = {int(i) for i in robot.groups['upper_body']}
    for group, members in robot.groups.items():
        if len(members) == 0 or not upper.issuperset(int(i) for i in members):
            continue
        words = ('move|swing', *words_of(group))
        yield ' '.join(('move', *words[1:])), _swing(robot, f'move_{group}', words, members)


def _poses(robot: Robot) -> Iterator[Named]:
    """None where a pose has waypoints: the straight line from elsewhere touches something."""
    if any(len(path) > 2 for path in robot.paths.values()):
        return
    upper = robot.groups['upper_body']
    velocity = 0.5 * np.asarray(robot.limits.velocity)[upper]
    for name, pose in robot.poses.items():
        way = np.max([np.abs(pose - other) for other in robot.poses.values()], axis=0)[upper]
        reach = min(60.0, max(REACH, MINIMUM_JERK_PEAK * float((way / velocity).max())))
        goal = {robot.joint_names[i]: float(pose[i]) for i in upper}
        words = ('go|take|pose', *words_of(name))
        motion = Motion(f'pose_{name}', words, goal, {}, (), reach, 1.0, 0.0)
        yield ' '.join(('go to', *words[1:])), motion


def _swing(robot: Robot, name: str, words: tuple[str, ...], members: Iterable[int]) -> Motion:
    swing = {robot.joint_names[i]: (_amplitude(robot, i), SWING_PERIOD) for i in members}
    return Motion(name, words, {}, swing, (), 2.0, 8.0, 2.0)


def _amplitude(robot: Robot, joint: int) -> float:
    limits = robot.limits
    by_range = SHARE * float(limits.upper[joint] - limits.lower[joint])
    by_velocity = SHARE * float(limits.velocity[joint]) * SWING_PERIOD / (2.0 * np.pi)
    return min(SWING, by_range, by_velocity)


def _names(robot: Robot, joints: Iterable[int]) -> tuple[str, ...]:
    return tuple(robot.joint_names[i] for i in joints)

# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The gripper output of a model, in the convention that policy.yaml declares."""

from dataclasses import dataclass

from vla_common.errors import ConfigError
from vla_common.yaml_file import ConfigReader

KINDS = ('continuous', 'binary')


@dataclass(frozen=True)
class GripperOutput:
    """float32 (1, horizon, k): for each point of the action and each of `grippers` a number from 0
    to 1.

    open: which of the two is open. kind: `continuous`, in proportion to the opening; `binary`, open
    or closed: it changes only where the number passes `threshold` by more than `hysteresis`.
    ignored: the output is there and nobody follows it, by choice.
    """

    tensor: str
    grippers: tuple[str, ...]
    open: int = 1
    kind: str = 'continuous'
    threshold: float = 0.5
    hysteresis: float = 0.0
    ignored: bool = False


def read_gripper(f: ConfigReader) -> GripperOutput:
    """The section `outputs.gripper`. Raises ConfigError."""
    tensor, grippers = f.text('tensor'), tuple(f.texts('grippers'))
    if not grippers or len(set(grippers)) != len(grippers):
        raise f.error('grippers', list(grippers), 'the grippers of the robot, each once')
    if f.flag('ignored', default=False):
        for key in ('open', 'kind', 'threshold', 'hysteresis'):
            f.raw(key, default=None)
        f.close()
        return GripperOutput(tensor, grippers, ignored=True)
    f.raw('open', wanted='0 or 1: the value that means open (or `ignored: true`)')
    is_open = f.integer('open', lo=0, hi=1)
    kind = f.text('kind', choices=KINDS)
    threshold, hysteresis = 0.5, 0.0
    if kind == 'binary':
        threshold = f.number('threshold', 0.5, lo=0.05, hi=0.95)
        hysteresis = f.number('hysteresis', 0.1, lo=0.0, hi=min(threshold, 1.0 - threshold) - 0.01)
    f.close()
    return GripperOutput(tensor, grippers, is_open, kind, threshold, hysteresis)


def check_grippers(
    output: GripperOutput, joints: tuple[str, ...], robot: object, file: str
) -> None:
    """Raise ConfigError unless the robot has the grippers of the output, or it is ignored.

    joints: of the action, which steers none of the grippers' joints then.
    """
    if output.ignored:
        return
    known = getattr(robot, 'grippers', {})
    for name in output.grippers:
        if name not in known:
            have = ', '.join(known) or 'it has none'
            wanted = f'a gripper of the robot {robot.name} ({have}), or `ignored: true`'
            raise ConfigError(file, 'outputs.gripper.grippers', name, wanted)
        twice = set(known[name].joint_names) & set(joints)
        if twice:
            wanted = f'joints without those of the gripper {name}, or no gripper output'
            raise ConfigError(file, 'outputs.action.joints', min(twice), wanted)
